"""The functions a pipeline author calls: the same runs as the command line, from Python.

May be imported through `distill` only; imports the engine and the ledger's reading side.
Design reason: the library never prints, never reads `.env`, never exits and installs no signal handlers; it takes a
listener and raises errors that carry cause and help.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from distill import engine
from distill.artifacts import recipe_of, strategy_of
from distill.errors import UsageError
from distill.events import Listener, Result
from distill.ledger import LedgerView
from distill.recipe import Recipe, load_recipe
from distill.records import Settled

if TYPE_CHECKING:
    from distill.readiness import Finding

T = TypeVar("T")
AnyRecipe = Recipe | str | Path | Mapping[str, Any]
"""A loaded recipe, the path or name of one, or its content."""


def run(
    recipe: AnyRecipe, *, run_dir: str | Path | None = None, fresh: bool = False, on_event: Listener | None = None
) -> Result:
    """Run a recipe and wait for its end; what it did is returned, what it made is in `result.run_dir`.

    The same call continues an interrupted run. Inside a running event loop use `await run_async(…)`.
    Raises the errors of `distill.errors`, each with cause and help.
    """
    return _blocking("run", run_async(recipe, run_dir=run_dir, fresh=fresh, on_event=on_event))


async def run_async(
    recipe: AnyRecipe, *, run_dir: str | Path | None = None, fresh: bool = False, on_event: Listener | None = None
) -> Result:
    """`run` for callers that have an event loop; cancelling it keeps every reply that had arrived."""
    return await engine.run(_loaded(recipe), run_dir=_path(run_dir), fresh=fresh, listener=on_event or engine.nobody)


def preview(
    recipe: AnyRecipe, *, rows: int = 5, run_dir: str | Path | None = None, on_event: Listener | None = None
) -> list[Settled]:
    """The first questions through the whole pipeline, without a dataset; a later run reuses the replies."""
    return _blocking(
        "preview",
        engine.preview(_loaded(recipe), rows=rows, run_dir=_path(run_dir), listener=on_event or engine.nobody),
    )


def recheck(run_dir: str | Path, recipe: AnyRecipe | None = None, *, on_event: Listener | None = None) -> Result:
    """Judge and curate a run anew without the teacher: by its own recipe, or by another one."""
    directory = Path(run_dir)
    chosen = recipe_of(directory) if recipe is None else _loaded(recipe)
    return _blocking("recheck", engine.recheck(chosen, run_dir=directory, listener=on_event or engine.nobody))


def check(recipe: AnyRecipe, *, online: bool = False) -> "list[Finding]":
    """Whether a recipe is ready to run: the lines that `distill check` prints."""
    from distill.readiness import check_recipe

    return check_recipe(_loaded(recipe), online=online)


class OpenRun:
    """A run directory opened for reading. A context manager; iterates in constant memory."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.recipe = recipe_of(run_dir)
        """The recipe it was run with; values from the environment are `${NAME}`."""
        self._ledger = LedgerView.open(run_dir)

    def settled(self) -> Iterator[Settled]:
        """Every question with all its samples and verdicts, in source order."""
        return self._ledger.settled(strategy_of(self.recipe).trace)

    def counts(self) -> dict[str, int]:
        """`replies` in the ledger; `kept`, `dropped`, `failed` before curation."""
        return self._ledger.counts()

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_run(run_dir: str | Path) -> OpenRun:
    """Open a run directory for reading, also while a run is writing to it. Raises LedgerError when there is no run."""
    return OpenRun(Path(run_dir))


def _loaded(recipe: AnyRecipe) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _blocking(name: str, call: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call)
    call.close()
    other = "`await distill.run_async(…)`" if name == "run" else f"`await asyncio.to_thread(distill.{name}, …)`"
    raise UsageError(f"`distill.{name}` cannot block a running event loop", help=f"use {other}")
