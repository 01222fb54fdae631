"""Writing the dataset: `data/`, `provenance/`, `rejected.jsonl` and the dataset card.

May be imported by engine, artifacts, cli and tests; imports curate, records and errors.
Design reason: the files are a function of the curated rows alone, byte for byte. No time, no path, no host, nothing
that depends on the order in which replies arrived; so two runs over one ledger can be compared with `cmp`, and a
dataset that changed has really changed. Everything is written beside its name and renamed at the end.
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from distill.curate import SPLITS, Curated, completion
from distill.errors import DiskFull, SetupError
from distill.records import Sample, Usage
from distill.sources import BadRecord
from distill.strategies import language_of
from verify.contract import Verdict

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
"""The size categories of the Hugging Face Hub, as its dataset card documentation names them."""

STEPS = {
    "reply": "no reply after all attempts",
    "undecided": "a required check could not decide",
    "duplicate": "the same prompt and completion as an earlier row",
    "leak": "its prompt stands in one split and its group in another",
}
"""What the steps of curation mean; other steps are checks, which have names of their own."""


@dataclass(slots=True)
class Counts:
    """What was written and what was left out. `kept + dropped + failed` is the number of questions asked."""

    rows: dict[str, int] = field(default_factory=dict)
    """Lines of `data/<split>.jsonl`, for the splits that have any."""
    kept: int = 0
    dropped: int = 0
    failed: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Questions left out, by the step that did it: `reply`, a check's name, `undecided`, `duplicate`, `leak`."""
    languages: Counter[str] = field(default_factory=Counter)
    """Lines by language: as the row says, else as its question is written."""
    teachers: Counter[str] = field(default_factory=Counter)
    """Lines by the model that answered."""
    usage: Usage = field(default_factory=lambda: Usage(usd=0.0))
    """What the lines cost."""

    @property
    def lines(self) -> int:
        """Lines in all splits."""
        return sum(self.rows.values())


def write_dataset(
    run_dir: Path,
    curated: Iterable[Curated],
    *,
    malformed: Iterable[BadRecord] = (),
    on_row: Callable[[Curated], None] | None = None,
) -> Counts:
    """Write `data/<split>.jsonl`, line-aligned `provenance/<split>.jsonl`, and `rejected.jsonl`; one pass.

    Splits without lines have no file. `malformed` records of the source stand first in `rejected.jsonl`. `on_row` sees
    every row as it goes by. Raises DiskFull or SetupError, whose `state` says
    whether the old files stayed.
    """
    counts = Counts()
    with _replacing(run_dir) as files:
        files.start("rejected.jsonl")  # there even when empty: nothing was rejected
        for bad in malformed:
            files.write("rejected.jsonl", malformed_line(bad))
        for one in curated:
            _count(counts, one)
            if one.split is None:
                files.write("rejected.jsonl", rejected_line(one))
            for sample in one.samples:
                files.write(f"data/{one.split}.jsonl", data_line(one, sample))
                files.write(f"provenance/{one.split}.jsonl", provenance_line(one, sample))
            if on_row is not None:
                on_row(one)
    return counts


def data_line(one: Curated, sample: Sample) -> dict[str, Any]:
    """What a trainer reads: `prompt`, `completion`, and `category` where there is one."""
    line = {"prompt": one.settled.row.prompt, "completion": completion(sample)}
    return line | ({} if one.settled.row.category is None else {"category": one.settled.row.category})


def provenance_line(one: Curated, sample: Sample) -> dict[str, Any]:
    """Everything else about the same line. Always the same keys, so that it loads as a table."""
    row, reply = one.settled.row, sample.reply
    return {
        "id": row.id,
        "group": row.group,
        "sample": sample.index,
        "question": row.question,
        "gold": row.answer,
        "language": language_of(row),
        "origin": row.origin,
        "teacher": reply.model if reply else None,
        "finish": reply.finish if reply else None,
        "usage": _usage(reply.usage) if reply else None,
        "verdicts": {name: _verdict(verdict) for name, verdict in sample.verdicts.items()},
        "meta": {key: value for key, value in row.meta.items() if key not in ("question", "language")},
    }


def rejected_line(one: Curated) -> dict[str, Any]:
    """What a person needs to see why a row was left out, with its best answer and the evidence of its checks."""
    row = one.settled.row
    best = max(one.settled.samples, key=_passed, default=None)
    return {
        "id": row.id,
        "group": row.group,
        "step": one.step,
        "reason": one.reason,
        "question": row.question,
        "gold": row.answer,
        "origin": row.origin,
        "samples": len(one.settled.samples),
        "sample": best.index if best else None,
        "verdicts": {name: verdict.to_json() for name, verdict in best.verdicts.items()} if best else {},
        "completion": completion(best) if best else None,
        "prompt": row.prompt,
    }


def malformed_line(bad: BadRecord) -> dict[str, Any]:
    """The same keys for a record of the source that never became a row."""
    empty = dict.fromkeys(("id", "group", "step", "reason", "question", "gold", "origin", "samples", "sample"))
    said = {"step": "source", "reason": bad.reason, "origin": bad.origin, "samples": 0, "verdicts": {}}
    return {**empty, **said, "completion": None, "prompt": None}


def _passed(sample: Sample) -> tuple[bool, int, int]:
    """Orders samples: accepted ones, then by checks passed, then the earliest."""
    return sample.accepted, sum(map(bool, sample.verdicts.values())), -sample.index


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "usd": usage.usd,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    """Without evidence, whose shape differs from check to check and from row to row."""
    return {"status": verdict.status.value, "reason": verdict.reason, "score": verdict.score}


def _count(counts: Counts, one: Curated) -> None:
    if one.split is None:
        counts.left_out[one.step] += 1
        if one.settled.outcome == "failed":
            counts.failed += 1
        else:
            counts.dropped += 1
        return
    counts.kept += 1
    counts.rows[one.split] = counts.rows.get(one.split, 0) + len(one.samples)
    counts.languages[language_of(one.settled.row)] += len(one.samples)
    for sample in one.samples:
        if sample.reply is not None:
            counts.teachers[sample.reply.model] += 1
            counts.usage += sample.reply.usage


# ---------------------------------------------------------------- files


class _Files:
    """The files of a dataset, written beside their names."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._open: dict[str, IO[bytes]] = {}
        self._renaming = False

    def start(self, name: str) -> IO[bytes]:
        path = self._temporary(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = self._open[name] = path.open("wb")
        return file

    def write(self, name: str, line: Mapping[str, Any]) -> None:
        file = self._open.get(name) or self.start(name)
        file.write(_line(line))

    def finish(self) -> None:
        """Sync all, then rename all, then remove what an earlier run wrote and this one did not."""
        for file in self._open.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        self._renaming = True
        for name in self._open:
            self._temporary(name).replace(self._run_dir / name)
        for name in _names():
            if name not in self._open:
                (self._run_dir / name).unlink(missing_ok=True)

    def state(self) -> str:
        """What has become of the files, for an error."""
        if self._renaming:
            return "some files are new and others are those of the run before"
        return "the files of the run before are as they were"

    def abandon(self) -> None:
        """Leave the old files as they were."""
        for name, file in self._open.items():
            with suppress(OSError):  # closing flushes, and the disk may be full
                file.close()
            self._temporary(name).unlink(missing_ok=True)

    def _temporary(self, name: str) -> Path:
        path = self._run_dir / name
        return path.with_name(f".{path.name}.new")


def _names() -> Iterator[str]:
    for split in SPLITS:
        yield f"data/{split}.jsonl"
        yield f"provenance/{split}.jsonl"


_LINE_ENDS = {b"\xc2\x85": b"\\u0085", b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029"}
"""Unicode's own line ends, escaped: `str.splitlines` would cut a line at them."""


def _line(line: Mapping[str, Any]) -> bytes:
    text = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS, default=str)
    for end, escaped in _LINE_ENDS.items():
        text = text.replace(end, escaped)
    return text


@contextmanager
def _replacing(run_dir: Path) -> Iterator[_Files]:
    """Files that take their names when the block ends well; an OSError becomes an error for a person."""
    files = _Files(run_dir)
    try:
        with _writing(run_dir, state=files.state):
            yield files
            files.finish()
    except BaseException:
        files.abandon()
        raise


@contextmanager
def _writing(run_dir: Path, *, state: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else SetupError
        raise kind(
            f"cannot write the dataset of `{run_dir.name}`",
            where=error.filename or str(run_dir),
            cause=error.strerror or str(error),
            state=f"every reply and verdict is safe in the ledger; {state()}",
            help="make room or give permission, then the same command again: nothing is asked twice",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a file beside the dataset, whole or not at all, after the dataset itself. Raises DiskFull or SetupError."""
    new = path.with_name(f".{path.name}.new")
    with _writing(path.parent, state=lambda: f"the dataset is written, `{path.name}` is not"):
        try:
            with new.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


# ---------------------------------------------------------------- the card


def write_card(run_dir: Path, counts: Counts, *, recipe: Mapping[str, Any], teacher: str, command: str) -> Path:
    """Write the dataset card, `README.md`. `recipe` is the resolved one, without secrets; `command` replays the run."""
    path = run_dir / "README.md"
    write_text(path, render_card(counts, recipe=recipe, teacher=teacher, command=command))
    return path


def render_card(counts: Counts, *, recipe: Mapping[str, Any], teacher: str, command: str) -> str:
    """The text of the card: YAML front matter as the Hub reads it, then what, how, counts and how to make it again.

    It says no license: that of the questions and of the teacher's words is known to its owner alone.
    """
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"one_line": _one_line, "quoted": _quoted, "code": _code}
    return environment.get_template("card.md.j2").render(
        counts=counts,
        recipe=recipe,
        teacher=teacher,
        command=command,
        size=_size(counts.lines),
        splits=[split for split in SPLITS if split in counts.rows],
        languages=sorted(name for name in counts.languages if name),
        steps=STEPS,
        left_out=sorted(counts.left_out.items(), key=lambda item: (-item[1], item[0])),
    )


def _size(lines: int) -> str:
    return next((name for most, name in SIZES if lines < most), "10M<n<100M")


def _one_line(value: Any) -> str:
    """Text from a recipe as one line of Markdown that cannot open a block of its own."""
    return " ".join(str(value).split()).replace("<", "&lt;").replace("|", "\\|")


def _quoted(value: Any) -> str:
    """A YAML scalar: JSON strings are YAML strings."""
    return orjson.dumps(str(value)).decode()


def _code(value: Any) -> str:
    """Inline code; a backtick in it cannot end it."""
    return "`" + _one_line(value).replace("`", "'").replace("&lt;", "<") + "`"
