"""`distill recheck`: new verifiers or curation over a run, without the teacher.

Imported by the root when the command is used.
Design reason: curation is a view, so what changed is found by comparing two generations of one ledger.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distill.cli.command import Command
from distill.cli.session import Session, find_run, load, session

if TYPE_CHECKING:
    from distill.recipe import Recipe
    from distill.records import Settled

_EXAMPLES = """
distill recheck last                        judge and curate anew, by the recipe the run was made with
distill recheck last recipe.yaml            by an edited recipe: other verifiers, splits, limits
distill recheck last --set curate.dedup.exact=false
"""
SHOWN = 10
"""Rows that flipped and are named."""


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("run")
@click.argument("recipe", required=False)
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
@session
def recheck(current: Session, run: str, recipe: str | None, set: tuple[str, ...]) -> int:
    """Judge and curate the stored rows of RUN anew, asking the teacher nothing, and say what flipped."""
    from distill import engine
    from distill.cli.run import exit_code
    from distill.ledger import LedgerView

    directory = find_run(run)
    current.log = directory / "log.txt"
    chosen = _recipe(current, directory, recipe, set)
    with LedgerView.open(directory) as view:
        before = view.generation
    result = asyncio.run(engine.recheck(chosen, run_dir=directory))
    flips = list(_flips(directory, chosen, before))
    counts = Counter(what for _, what in flips)
    current.object({**result.to_json(), "flipped": {row: what for row, what in flips}})
    current.answer(f"rechecked  {result.rows:,} rows   kept {result.kept:,} · dropped {result.dropped:,}")
    for what, count in sorted(counts.items()):
        current.answer(f"  {count:,} × {what}")
    for row, what in flips[:SHOWN]:
        current.detail(f"    {row}  {what}")
    if not flips:
        current.answer("  nothing flipped")
    return exit_code(result, chosen.limits)


def _recipe(current: Session, run: Path, recipe: str | None, set: tuple[str, ...]) -> "Recipe":
    """The recipe given, or the run's own; values from the environment are not needed, since nobody is asked."""
    if recipe is not None:
        return load(current, recipe, set=set, need_env=False)
    from distill.artifacts import recipe_of
    from distill.cli.session import parse_sets
    from distill.recipe import load_recipe

    own = recipe_of(run)
    return load_recipe(own.resolved(), set=parse_sets(set), need_env=False, base=own.base) if set else own


def _flips(run: Path, recipe: "Recipe", before: int) -> Iterator[tuple[str, str]]:
    """Rows whose outcome or verdicts differ between generation `before` and the current one."""
    from distill import plugins
    from distill.ledger import LedgerView

    trace = plugins.build("strategy", recipe.strategy, base=recipe.base).trace
    with LedgerView.open(run) as view:
        pairs = zip(view.settled(trace, generation=before), view.settled(trace), strict=False)
        for old, new in pairs:
            if old.row.id == new.row.id:
                yield from ((new.row.id, what) for what in _changes(old, new))


def _changes(old: "Settled", new: "Settled") -> Iterator[str]:
    if old.outcome != new.outcome:
        yield f"{old.outcome} → {new.outcome}"
    for was, now in zip(old.samples, new.samples, strict=False):
        for name, verdict in now.verdicts.items():
            known = was.verdicts.get(name)
            if known is not None and known.status is not verdict.status:
                yield f"{name}: {known.status.value} → {verdict.status.value}"
