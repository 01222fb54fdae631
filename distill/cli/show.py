"""`distill show`: what happened in a run, and to a row.

Imported by the root when the command is used.
Design reason: a run is named the way people speak of it (`last`, the beginning of its name), and everything streams.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from distill.cli.command import Command
from distill.cli.session import Session, find_run, name_of, session
from distill.errors import UsageError

_EXAMPLES = """
distill show                              the last run
distill show last --dropped               rows that were left out, and which check said so
distill show last --why graph_sql         only those that this check did not pass
distill show graph_sql 4f2a               one row, by the first characters of its id
"""


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("run", default="last")
@click.argument("row", required=False)
@click.option("--dropped", is_flag=True, help="Rows that were left out, malformed ones too.")
@click.option("--failed", is_flag=True, help="Rows without a reply.")
@click.option("--why", metavar="CHECK", help="Rows that this check did not pass, kept ones too.")
@click.option(
    "-n",
    "--rows",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="Show at most so many.",
)
@click.option("--full", is_flag=True, help="Cut no long text.")
@session
def show(
    current: Session, run: str, row: str | None, dropped: bool, failed: bool, why: str | None, rows: int, full: bool
) -> None:
    """Show a RUN (a path, a name, a unique prefix, or `last`), or one ROW of it with thinking and every verdict."""
    directory = find_run(run)
    if row is not None:
        _one(current, directory, row, full=full)
    elif dropped or failed or why:
        _some(current, _chosen(directory, dropped=dropped, failed=failed, why=why), most=rows, full=full)
    else:
        _summary(current, directory)


def _one(current: Session, run: Path, wanted: str, *, full: bool) -> None:
    from distill.cli.rows import kept_rows, print_row, rejected_rows

    every = (row for rows in (kept_rows(run), rejected_rows(run)) for row in rows)
    found = [row for row in every if str(row.get("id", "")).startswith(wanted)]
    ids = sorted({row["id"] for row in found})
    if not found:
        raise UsageError(f"no row `{wanted}` in {run.name}", help="ids are shown by --dropped and in provenance/")
    if len(ids) > 1:
        raise UsageError(f"`{wanted}` begins {len(ids)} ids", help="such as " + ", ".join(ids[:4]))
    current.object({"rows": found})
    current.answer("\n\n".join(print_row(row, full=full) for row in found))


def _chosen(run: Path, *, dropped: bool, failed: bool, why: str | None) -> Iterator[dict[str, Any]]:
    from distill.cli.rows import kept_rows, rejected_rows

    if why is not None:
        return (row for rows in (rejected_rows(run), kept_rows(run)) for row in rows if _objected(row, why))
    wanted = ({"dropped", "malformed"} if dropped else set()) | ({"failed"} if failed else set())
    return (row for row in rejected_rows(run) if row["outcome"] in wanted)


def _objected(row: dict[str, Any], check: str) -> bool:
    verdict = row.get("verdicts", {}).get(check)
    return row.get("step") == check or (verdict is not None and verdict["status"] != "pass")


def _some(current: Session, rows: Iterator[dict[str, Any]], *, most: int, full: bool) -> None:
    from distill.cli.rows import print_brief, print_row

    shown = list(islice(rows, most))
    more = sum(1 for _ in rows)
    current.object({"rows": shown, "more": more})
    for row in shown:
        current.answer(print_row(row, full=True) + "\n" if full else print_brief(row))
    if more:
        current.note(f"{more:,} more: -n {len(shown) + more}")
    if not shown:
        current.note("none")


def _summary(current: Session, run: Path) -> None:
    from distill.cli.rows import kept_rows, rejected_rows
    from distill.display import said_by

    splits: Counter[str] = Counter()
    kept, last = 0, ""
    checks: dict[str, Counter[str]] = {}
    for row in kept_rows(run):
        splits[row["split"]] += 1
        kept += row["id"] != last  # a row's samples stand one after the other
        last = row["id"]
        _count_verdicts(checks, row)
    outcomes: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    for row in rejected_rows(run):
        outcomes[row["outcome"]] += 1
        steps[str(row.get("step") or "?")] += 1
        _count_verdicts(checks, row)
    facts = {"run_dir": str(run), "kept": kept, **outcomes, "lines": dict(splits), "left_out": dict(steps)}
    current.object({**facts, "checks": checks})
    malformed = f" · malformed {outcomes['malformed']:,}" if outcomes["malformed"] else ""
    totals = f"kept {kept:,} · dropped {outcomes['dropped']:,} · failed {outcomes['failed']:,}{malformed}"
    current.answer(f"{run.name}   {totals}")
    current.answer("  lines      " + (said_by(splits) or "none"))
    if steps:
        current.answer("  left out   " + said_by(steps))
    for name, counts in checks.items():
        current.answer(f"  {name:<10} " + said_by(counts))
    if (run / "report.html").is_file():
        current.answer(f"  report     {run / 'report.html'}")
    if steps:
        current.note(f"next  distill show {name_of(run)} --dropped")
    if not kept and not steps:
        current.note("nothing is written yet: the run was cut short, the same command continues it")


def _count_verdicts(checks: dict[str, Counter[str]], row: dict[str, Any]) -> None:
    for name, verdict in row.get("verdicts", {}).items():
        checks.setdefault(name, Counter())[verdict["status"]] += 1
