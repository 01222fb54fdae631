"""`distill preview`: a few rows through the whole pipeline.

Imported by the root when the command is used.
Design reason: it is the same pipeline over the same ledger, so nothing that was asked for a preview is paid for twice.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.cli.command import Command
from distill.cli.session import Session, load, session

if TYPE_CHECKING:
    from distill.records import Settled

_EXAMPLES = """
distill preview recipe.yaml                  five questions: prompt, thinking, answer, verdicts
distill preview recipe.yaml -n 1 --full      one, with nothing cut
"""


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("recipe")
@click.option(
    "-n", "--rows", type=click.IntRange(1), metavar="N", default=5, show_default=True, help="Questions to answer."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The run directory (runs/NAME).")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
@click.option("--full", is_flag=True, help="Cut no long text.")
@session
def preview(current: Session, recipe: str, rows: int, out: Path | None, set: tuple[str, ...], full: bool) -> None:
    """Send a few questions of RECIPE through the whole pipeline and show what comes out.

    Replies are kept: `distill run` does not ask for them again.
    """
    from distill import engine

    loaded = load(current, recipe, set=set)
    directory = out or engine.runs_home() / loaded.name
    current.log = directory / "log.txt"
    settled = asyncio.run(engine.preview(loaded, rows=rows, run_dir=directory))
    _show(current, settled, full=full)


def _show(current: Session, settled: "list[Settled]", *, full: bool) -> None:
    from distill.cli.rows import from_settled, print_row

    shown = [from_settled(one) for one in settled]
    kept = sum(one.outcome == "kept" for one in settled)
    facts: dict[str, Any] = {"rows": shown, "kept": kept}
    current.object(facts)
    for number, row in enumerate(shown, 1):
        current.answer(f"row {number}/{len(shown)}  {print_row(row, full=full)}\n")
    current.note(f"preview  kept {kept} of {len(shown)} before curation; their replies are reused by `distill run`")
