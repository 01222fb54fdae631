"""Everything in a run directory that is derived from its ledger: dataset, provenance, card, report, recipe.

May be imported by the engine and the public API; imports curate, export, report and the ledger's reading side.
Design reason: what is derived is written in one place, from the ledger and the recipe alone, so the same ledger always
gives the same bytes and every file can be made again at any time.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from distill import __version__, curate, export, plugins
from distill.errors import LedgerError
from distill.events import Result
from distill.export import Counts
from distill.ledger import LedgerView
from distill.recipe import Recipe, load_recipe
from distill.report import Collector, write_report
from distill.sources import BadRecord
from distill.strategies import Strategy

BASE = ".base"
"""A file beside the ledger, never published: the directory on this machine where the recipe's relative paths start."""

FACTS = ".facts.json"
"""Beside it: what the last run told its report, so that `distill report` says the same."""


def write_artifacts(
    ledger: LedgerView,
    recipe: Recipe,
    strategy: Strategy,
    *,
    result: Callable[[Counts], Result],
    bad: Sequence[BadRecord] = (),
    facts: Mapping[str, Any],
) -> Result:
    """Write all of it and return what `result` makes of the counts. Raises DiskFull; the older files then stay.

    `facts` is what only the run itself knows, `teacher` (its identity) among it; the report is made again with them.
    """
    run_dir, resolved = ledger.run_dir, recipe.resolved()
    collector = collector_for(recipe)
    rows = curate.view(ledger.settled(strategy.trace), recipe.curate, accept=recipe.samples.accept)
    counts = export.write_dataset(run_dir, rows, malformed=bad, on_row=collector.add)
    export.write_text(run_dir / "recipe.yaml", yaml.safe_dump(resolved, allow_unicode=True, sort_keys=False))
    export.write_text(run_dir / BASE, f"{recipe.base.resolve()}\n")
    name = os.fsencode(recipe.path.name).decode(errors="replace") if recipe.path else "recipe.yaml"
    command = f"distill run {name}"
    export.write_card(run_dir, counts, recipe=resolved, teacher=str(facts.get("teacher", "")), command=command)
    done = result(counts)
    told = {"command": command, "distill": __version__, "recipe digest": recipe.digest, **facts}
    export.write_text(run_dir / FACTS, orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    write_report(run_dir / "report.html", collector, recipe=resolved, result=done, facts=told)
    return done


def collector_for(recipe: Recipe, *, full: bool = False) -> Collector:
    """What gathers the report of a run with this recipe."""
    return Collector(required=[check.check_name for check in recipe.verify if check.required], full=full)


def facts_of(run_dir: Path) -> dict[str, Any]:
    """What the last run in this directory told its report; empty when there is none."""
    path = run_dir / FACTS
    return dict(orjson.loads(path.read_bytes())) if path.is_file() else {}


def malformed_of(run_dir: Path) -> list[BadRecord]:
    """The malformed source records that the last run listed in `rejected.jsonl`; they stand first in it."""
    path, found = run_dir / "rejected.jsonl", []
    if path.is_file():
        with path.open("rb") as file:
            for line in map(orjson.loads, file):
                if line["step"] != "source":
                    break
                found.append(BadRecord(line["reason"], line["origin"]))
    return found


def recipe_of(run_dir: Path) -> Recipe:
    """The recipe a run directory was made with; values from the environment are `${NAME}`. Raises LedgerError."""
    path = run_dir / "recipe.yaml"
    if not path.is_file():
        raise LedgerError(
            f"no finished run in `{run_dir.name}`", where=str(run_dir), help="`distill list runs` shows those there are"
        )
    base = run_dir / BASE
    start = Path(base.read_text(encoding="utf-8", errors="surrogateescape").strip()) if base.is_file() else run_dir
    return load_recipe(yaml.safe_load(path.read_text(encoding="utf-8")), base=start, need_env=False)


def strategy_of(recipe: Recipe) -> Strategy:
    """The strategy of a recipe: what reads stored replies as traces."""
    strategy: Strategy = plugins.build("strategy", recipe.strategy, base=recipe.base)
    return strategy
