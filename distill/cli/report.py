"""`distill report`: the HTML file about a run, written anew from its ledger.

Imported by the root when the command is used.
Design reason: a run writes its report at its end; this is for another place, for every row, or for a newer version.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distill.cli.command import Command
from distill.cli.session import Session, find_run, session

if TYPE_CHECKING:
    from distill.events import Result
    from distill.ledger import LedgerView

_EXAMPLES = """
distill report last                     runs/…/report.html, written anew
distill report last -o report.html      somewhere else, to send to somebody
distill report last --full              with every row in it, uncut
"""


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("run", default="last")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it.")
@click.option("--full", is_flag=True, help="Embed every row uncut; the file grows with the run.")
@session
def report(current: Session, run: str, output: Path | None, full: bool) -> None:
    """Write one self-contained HTML file about RUN: what was kept and why not, lengths, rows to read."""
    from distill import curate
    from distill.artifacts import collector_for, facts_of, recipe_of, strategy_of
    from distill.ledger import LedgerView
    from distill.report import write_report

    directory = find_run(run)
    recipe = recipe_of(directory)
    collector = collector_for(recipe, full=full)
    outcomes: Counter[str] = Counter()
    with LedgerView.open(directory) as view:
        for one in curate.view(view.settled(strategy_of(recipe).trace), recipe.curate, accept=recipe.samples.accept):
            collector.add(one)
            outcomes["kept" if one.split else "failed" if one.settled.outcome == "failed" else "dropped"] += 1
        result = _result(view, outcomes)
    path = output or directory / "report.html"
    size = write_report(path, collector, recipe=recipe.resolved(), result=result, facts=facts_of(directory))
    current.object({"report": str(path), "bytes": size})
    current.answer(f"{path}   {size / 1e3:,.0f} KB")


def _result(view: "LedgerView", outcomes: Counter[str]) -> "Result":
    """The run as its ledger tells it: every reply in it was paid for once, none is asked for now."""
    from distill.events import Result

    return Result(
        run_dir=view.run_dir,
        rows=outcomes.total(),
        kept=outcomes["kept"],
        dropped=outcomes["dropped"],
        failed=outcomes["failed"],
        requests=0,
        replayed=view.counts()["replies"],
        usage=view.usage(),
        seconds=0.0,
    )
