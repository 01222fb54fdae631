"""Where rows come from: what a source yields, and how that becomes a `Row`.

A source is a callable with keyword-only options that returns an iterable of `Record`, `BadRecord` or plain mappings.
May be imported by the engine, `check` and other sources; imports records, errors, plugins and the contract.
Design reason: reading and mapping are apart, so that the same content gives the same row ids whatever container it came
in, and a source stays a few lines.
"""

import difflib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from distill import plugins
from distill.errors import DistillError, SourceError, boundary
from distill.recipe import Recipe, SourceConfig
from distill.records import Row
from verify.contract import ContractError

Prompt = Callable[[str, Mapping[str, Any]], str]
"""Turns a bare question and the row's meta into what the student sees."""

Field = Literal["prompt", "answer", "reasoning", "category"]

NAMES: dict[Field, tuple[str, ...]] = {
    "prompt": ("prompt", "question"),
    "answer": ("answer",),
    "reasoning": ("reasoning",),
    "category": ("category",),
}
"""The columns a field is read from when the recipe does not say."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the source has it, and where it stands."""

    fields: Mapping[str, Any]
    origin: str = ""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read or mapped; counted, shown, and left out."""

    reason: str
    origin: str = ""
    help: str = ""


class Item(NamedTuple):
    """One thing read: a row or why there is none, and the source it came from."""

    row: Row | BadRecord
    prompt: Prompt
    """Renders prompts for this source, for the row's rephrasings."""
    config: SourceConfig


def read(recipe: Recipe) -> Iterator[Item]:
    """All rows of the recipe's sources in order, streaming, at most `limits.rows` of them.

    Raises SourceError when a source cannot be read at all, PluginError when a user's source fails.
    """
    items = itertools.chain.from_iterable(_read_one(config, recipe.base) for config in recipe.source)
    return itertools.islice(items, recipe.limits.rows)


def _read_one(config: SourceConfig, base: Path) -> Iterator[Item]:
    source = plugins.build("source", config, base=base)
    prompt = prompt_of(config, base)
    with boundary(f"source `{config.use}`"):
        records = iter(source())
    for number, record in enumerate(_guarded(records, config.use), 1):
        yield Item(to_row(_as_record(record, number), config.fields, prompt), prompt, config)


def _guarded(iterator: Iterator[Any], name: str) -> Iterator[Any]:
    while True:
        with boundary(f"source `{name}`"):
            try:
                record = next(iterator)
            except StopIteration:
                return
            except OSError as error:
                if error.filename is None:
                    raise
                raise unreadable(error) from error
        yield record


def unreadable(error: OSError) -> SourceError:
    """The error for a file that cannot be opened or read; exit code 3 where it is a matter of permission."""
    problem = SourceError(
        f"cannot read `{error.filename}`",
        where=str(error.filename or ""),
        cause=str(error.strerror or error),
        help="check `source.path` in the recipe (relative paths start at the recipe's directory)",
    )
    problem.exit_code = 3 if isinstance(error, PermissionError) else 2
    return problem


def _as_record(record: Any, number: int) -> Record | BadRecord:
    if isinstance(record, Record | BadRecord):
        return record
    if isinstance(record, Mapping):
        return Record(record, f"row {number}")
    return BadRecord(f"a row must be a mapping, this is {type(record).__name__}", f"row {number}")


def prompt_of(config: SourceConfig, base: Path) -> Prompt:
    """What renders prompts for this source, as `source.prompt` names it; the question itself by default."""
    render: Prompt = plugins.build("prompt", config.prompt, base=base)

    def guarded(question: str, meta: Mapping[str, Any]) -> str:
        with boundary(f"prompt `{config.prompt.use}`"):
            return str(render(question, meta))

    return guarded


def to_row(record: Record | BadRecord, fields: Mapping[Field, str], prompt: Prompt) -> Row | BadRecord:
    """The row that a record says, or why it says none. `fields` maps our names to the source's columns."""
    if isinstance(record, BadRecord):
        return record
    if not all(isinstance(name, str) for name in record.fields):
        return BadRecord("column names must be text", record.origin)
    rest = dict(record.fields)
    mapped: dict[str, str | None] = {}
    for name in NAMES:
        column = _column(name, rest, fields)
        if column is None and name in fields:
            return _missing(name, fields[name], list(rest), record.origin)
        mapped[name] = _cell(rest.pop(column)) if column else None
    question = mapped["prompt"]
    if not question:
        return BadRecord(
            "no question: the column for `prompt` is missing or empty", record.origin, _hint(record.fields)
        )
    return _render(record, {**mapped, "prompt": question}, rest, prompt)


def _missing(name: Field, column: str, columns: list[str], origin: str) -> BadRecord:
    known = ", ".join(f"`{key}`" for key in columns[:12])
    near = difflib.get_close_matches(column, columns, n=1)
    help = f"did you mean `{name}: {near[0]}` in `source.fields`?" if near else "say it in `source.fields`"
    return BadRecord(f"missing field `{column}` (has: {known})", origin, help)


def _render(
    record: Record, mapped: Mapping[str, str | None], rest: Mapping[str, Any], prompt: Prompt
) -> Row | BadRecord:
    question = mapped["prompt"] or ""
    meta = {key: value for key, value in rest.items() if value not in ("", None)}
    try:
        return variant(question, meta, mapped=mapped, prompt=prompt, origin=record.origin)
    except (TypeError, ValueError, RecursionError) as error:  # a number of 30 digits, half a character, endless nesting
        return BadRecord(f"a value cannot be stored: {error}", record.origin)
    except (ContractError, DistillError) as error:
        return BadRecord(f"{error}" + (f" ({error.cause})" if error.cause else ""), record.origin, error.help)


def variant(
    question: str,
    meta: Mapping[str, Any],
    *,
    mapped: Mapping[str, str | None],
    prompt: Prompt,
    origin: str = "",
    group: str = "",
) -> Row:
    """A row for `question`, its prompt rendered; `meta["question"]` is kept where the prompt says more than it."""
    rendered = prompt(question, meta)
    facts = dict(meta) if rendered == question else {**meta, "question": question}
    return Row.make(
        rendered,
        mapped.get("answer"),
        reasoning=mapped.get("reasoning"),
        category=mapped.get("category"),
        meta=facts,
        group=group,
        origin=origin,
    )


def _column(name: Field, record: Mapping[str, Any], fields: Mapping[Field, str]) -> str | None:
    wanted = (fields[name],) if name in fields else NAMES[name]
    return next((column for column in wanted if column in record), None)


def _cell(value: Any) -> str | None:
    """A field as text: an empty one is None, structures keep their JSON form."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _hint(record: Mapping[str, Any]) -> str:
    return f"columns here: {', '.join(list(record)[:12])}; say `source.fields: {{prompt: COLUMN}}`" if record else ""
