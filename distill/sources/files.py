"""People's files: JSONL, JSON and CSV, one record at a time.

Imported by the plug-in table only. Design reason: a malformed line is a `BadRecord` with file and line, never an
exception, since a run of a million rows must survive one bad line.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonlines
import orjson

from distill.errors import SourceError
from distill.sources import BadRecord, Record

Format = Literal["auto", "jsonl", "json", "csv"]

csv.field_size_limit(16 * 1024 * 1024)
"""A reasoning column is far longer than the module's default of 128 KiB."""


def files(*, path: Path, format: Format = "auto") -> Iterator[Record | BadRecord]:
    """Records of a file, of a directory's files, or of a glob, in the order of their names.

    `format: auto` goes by the file name's ending. JSON is an array of objects and is read whole; the others stream.
    Raises SourceError when nothing is there or the format is unknown, OSError when a file cannot be read.
    """
    for file in expand(path, (".jsonl", ".ndjson", ".json", ".csv")):
        kind = _format(file) if format == "auto" else format
        yield from READERS[kind](file)


def expand(path: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files that `path` (a file, a directory or a glob in its last part) stands for, sorted by name."""
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.iterdir() if file.suffix.lower() in endings]
    elif any(sign in path.name for sign in "*?["):
        found = [file for file in path.parent.glob(path.name) if file.is_file()]
    else:
        return [path]
    if not found:
        raise SourceError(f"no files at `{path}`", where=str(path), help=f"read here: {', '.join(endings)}")
    return sorted(found)


def _format(file: Path) -> str:
    known = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv"}
    try:
        return known[file.suffix.lower()]
    except KeyError:
        raise SourceError(
            f"cannot tell the format of `{file.name}`", where=str(file), help="say `format: jsonl | json | csv`"
        ) from None


def _jsonl(file: Path) -> Iterator[Record | BadRecord]:
    with file.open("rb") as stream, jsonlines.Reader(stream, loads=orjson.loads) as reader:
        number = 0
        while True:
            number += 1
            origin = f"{file.name}:{number}"
            try:
                yield _record(reader.read(), origin)
            except EOFError:
                return
            except jsonlines.InvalidLineError as error:
                if error.line.strip():
                    yield BadRecord(f"not JSON: {error.__cause__ or error}", origin)


def _record(value: Any, origin: str) -> Record | BadRecord:
    if isinstance(value, dict):
        return Record(value, origin)
    return BadRecord(f"a row must be a JSON object, this is {type(value).__name__}", origin)


def _json(file: Path) -> Iterator[Record | BadRecord]:
    try:
        rows = json.loads(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        yield BadRecord(f"not UTF-8: {error.reason} at byte {error.start}", file.name)
        return
    except json.JSONDecodeError as error:
        yield BadRecord(f"not JSON: {error.msg} at column {error.colno}", f"{file.name}:{error.lineno}")
        return
    except RecursionError:
        yield BadRecord("not JSON that can be read: it is nested too deeply", file.name)
        return
    if not isinstance(rows, list):
        yield BadRecord("a JSON file must hold an array of objects", file.name, "one object per line? name it .jsonl")
        return
    for number, value in enumerate(rows, 1):
        yield _record(value, f"{file.name}#{number}")


def _csv(file: Path) -> Iterator[Record | BadRecord]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        while True:
            start = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end" in str(error):
                    raise SourceError(
                        f"`{file.name}` ends inside a quoted cell",
                        where=f"{file.name}:{start}",
                        cause="everything after a quote that is never closed belongs to one cell",
                        help="close the quote, or double it if it is part of the text",
                    ) from None
                yield BadRecord(f"not CSV: {error}", f"{file.name}:{start}")
                continue
            yield _csv_record(row, f"{file.name}:{max(start, 2)}")


def _csv_record(row: dict[Any, Any], origin: str) -> Record | BadRecord:
    """A short or long line would silently shift its cells, so both are refused."""
    if None in row or None in row.values():
        extra = "more" if None in row else "fewer"
        return BadRecord(f"{extra} cells than the header has columns", origin)
    if any("\udc80" <= letter <= "\udcff" for value in row.values() for letter in value):
        return BadRecord("not UTF-8", origin, "save the file as UTF-8")
    return Record(row, origin)


READERS = {"jsonl": _jsonl, "json": _json, "csv": _csv}
