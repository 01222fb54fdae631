"""A row as a person reads it in a terminal, and the files of a run directory as rows. Used by show and preview.

May be imported by the commands only; imports the command line's own error room.
Design reason: `show` reads the files that a run wrote, not the ledger: they stream, and reading them disturbs nobody.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.cli.errors import visible
from distill.cli.session import name_of
from distill.errors import LedgerError

if TYPE_CHECKING:
    from distill.records import Settled

SHOWN = 1200
"""Characters of thinking or prompt that are shown before a note says how many follow."""

_OUTCOMES = {"reply": "failed", "source": "malformed"}
"""Steps at which a row was lost before it could be dropped."""

_COLORS = {"pass": "green", "fail": "red", "error": "magenta", "skip": "bright_black"}


def kept_rows(run: Path) -> Iterator[dict[str, Any]]:
    """Rows with a line in `data/`: provenance with `prompt`, `completion` and `split` put in."""
    for path in sorted((run / "provenance").glob("*.jsonl")):
        data = run / "data" / path.name
        for facts, line in zip_longest(_lines(run, path), _lines(run, data)):
            if facts is None or line is None:
                raise _torn(run, f"`data/{path.name}` and `provenance/{path.name}` have not as many lines", where=path)
            yield {**facts, **line, "split": path.stem, "outcome": "kept"}


def rejected_rows(run: Path) -> Iterator[dict[str, Any]]:
    """Rows that were left out, with `step` and `reason`, malformed rows of the source among them."""
    path = run / "rejected.jsonl"
    if path.is_file():
        for line in _lines(run, path):
            yield {**line, "outcome": _OUTCOMES.get(str(line.get("step")), "dropped")}


def _lines(run: Path, path: Path) -> Iterator[dict[str, Any]]:
    import orjson

    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise _torn(run, "a line is not JSON", where=f"{path}:{number}", cause=str(error)) from None
    except FileNotFoundError:
        raise _torn(run, f"no file `{path.parent.name}/{path.name}`", where=path) from None


def _torn(run: Path, what: str, *, where: Path | str, cause: str = "") -> LedgerError:
    """The error for files of `run` that do not fit together: an export was cut short, or somebody edited them."""
    help = f"write them anew from the ledger: distill recheck {name_of(run)}"
    return LedgerError(f"run `{run.name}`: {what}", where=str(where), cause=cause, help=help)


def from_settled(settled: "Settled") -> dict[str, Any]:
    """The same mapping for a row that was not written: its first accepted sample, or its last."""
    from verify.think import render

    best = next(iter(settled.accepted), settled.samples[-1] if settled.samples else None)
    row = settled.row
    return {
        "id": row.id,
        "group": row.group,
        "question": row.question,
        "gold": row.answer,
        "origin": row.origin,
        "prompt": row.prompt,
        "outcome": settled.outcome,
        "reason": "" if settled.outcome == "kept" else settled.reason,
        "samples": len(settled.samples),
        "completion": render(best.trace.thinking, best.trace.answer) if best else None,
        "verdicts": {name: verdict.to_json() for name, verdict in best.verdicts.items()} if best else {},
    }


def print_row(row: Mapping[str, Any], *, full: bool = False) -> str:
    """One row for reading: question, prompt where it says more, thinking, answer, reference, verdicts."""
    thinking, answer = split_completion(row.get("completion") or "")
    where = " · ".join(str(row[key]) for key in ("split", "origin") if row.get(key))
    reason = f": {row['reason']}" if row.get("reason") else ""
    parts = [
        f"{click.style(str(row.get('id', 'row')), bold=True)}  {row['outcome']}{visible(reason)}   {where}".rstrip()
    ]
    if row.get("prompt") and row.get("prompt") != row.get("question"):
        parts.append(_block("prompt", str(row["prompt"]), full=full))
    else:
        parts.append(_block("question", str(row.get("question") or ""), full=full))
    for name, text in (("thinking", thinking), ("answer", answer), ("reference", str(row.get("gold") or ""))):
        if text:
            parts.append(_block(name, text, full=full or name != "thinking"))
    parts += [_verdict(name, verdict) for name, verdict in row.get("verdicts", {}).items()]
    return "\n".join(parts)


def print_brief(row: Mapping[str, Any]) -> str:
    """One row in two lines: id, who left it out and why, then the question."""
    question = " ".join(str(row.get("question") or row.get("origin") or "").split())
    said = f"{row.get('step') or row['outcome']}: {row.get('reason', '')}".removesuffix(": ")
    return f"{row.get('id') or '-':<24}  {visible(said)[:160]}\n{'':<26}{visible(question)[:160]}"


def split_completion(completion: str) -> tuple[str, str]:
    """Thinking and answer of a completion as this project writes it."""
    from verify.think import normalise

    thought = normalise({"content": completion})
    return thought.thinking or "", thought.answer


def _block(name: str, text: str, *, full: bool) -> str:
    cut = text if full or len(text) <= SHOWN else text[:SHOWN]
    lines = [visible(line) for line in cut.splitlines()] or [""]
    more = [f"… {len(text) - len(cut):,} more characters (--full)"] if len(cut) < len(text) else []
    label = click.style(f"{name:<10}", bold=True)
    return "\n".join([f"{label} {lines[0]}", *(f"{'':<11}{line}".rstrip() for line in [*lines[1:], *more])])


def _verdict(name: str, verdict: Mapping[str, Any]) -> str:
    status = str(verdict["status"])
    score = f" {verdict['score']:g}" if verdict.get("score") is not None else ""
    reason = f"  {visible(str(verdict['reason']))}" if verdict.get("reason") else ""
    return f"{click.style(f'{status:<10}', fg=_COLORS.get(status))} {name}{score}{reason}"
