"""`distill run`: make the dataset, or continue it.

Imported by the root when the command is used.
Design reason: signals, the display and the exit code are the command line's; the engine gets an event to watch and a
listener to tell, and knows no terminal.
"""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.cli.command import Command
from distill.cli.errors import render_stopped, render_warning
from distill.cli.session import Session, load, name_of, runs_root, session, to_stderr
from distill.errors import DistillError, Stopped, UsageError

if TYPE_CHECKING:
    from distill.display import Display, Mode
    from distill.events import Result
    from distill.recipe import Limits, Recipe

_EXAMPLES = """
distill run graph_sql                           the shipped recipe: no key, no GPU
distill run recipe.yaml                         make the dataset; the same command continues
distill run recipe.yaml -n 20 --budget 2usd     a small part of it
distill run recipe.yaml --set teacher.model=qwen3-32b --concurrency 64
distill run recipe.yaml --teacher replay:replies.jsonl
"""
_DISPLAYS = ["auto", "live", "plain", "json", "none"]


class _BrokenVerifierError(DistillError):
    """A required verifier rejects reference answers."""

    kind = "verify"
    exit_code = 1


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the flags ask for beside the recipe."""

    out: Path | None
    fresh: bool
    salvage: bool
    display: "Mode"
    yes: bool


def _concurrency(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "auto":
        return value
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise UsageError(f"`--concurrency {value}` is neither a number from 1 nor `auto`")


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("recipe")
@click.option("-n", "--rows", type=click.IntRange(1), metavar="N", help="Take at most this many rows from the source.")
@click.option("--budget", metavar="LIMITS", help="Stop at 5usd, 2Mtok or 30m, or several: 5usd,30m.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The run directory (runs/NAME).")
@click.option("--fresh", is_flag=True, help="Move an old run directory aside and start anew.")
@click.option("--salvage", is_flag=True, help="Keep what can be read of a damaged ledger.")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
@click.option("--teacher", metavar="SPEC", help="Another teacher: a name, or replay:FILE.")
@click.option("--concurrency", metavar="N|auto", callback=_concurrency, help="Requests in flight.")
@click.option("--display", type=click.Choice(_DISPLAYS), default="auto", show_default=True, help="What to show.")
@click.option("--dry-run", is_flag=True, help="Print the resolved recipe and stop.")
@click.option("--yes", is_flag=True, help="Run although a verifier rejects reference answers.")
@session
def run(
    current: Session,
    recipe: str,
    rows: int | None,
    budget: str | None,
    out: Path | None,
    fresh: bool,
    salvage: bool,
    set: tuple[str, ...],
    teacher: str | None,
    concurrency: int | str | None,
    display: "Mode",
    dry_run: bool,
    yes: bool,
) -> int:
    """Run RECIPE (a file, a directory with recipe.yaml, or a shipped name) to a curated dataset and a report.

    Ctrl-C finishes what is in flight, a second Ctrl-C abandons it; nothing that was answered is lost either way.
    """
    if display in ("json", "none"):
        current.notes = False
    loaded = load(
        current,
        recipe,
        set=set,
        need_env=not dry_run,
        teacher=None if teacher is None else _teacher(teacher),
        limits__rows=rows,
        limits__concurrency=concurrency,
        **_budget(budget),
    )
    if dry_run:
        return _print_resolved(loaded)
    asked = _Asked(out, fresh, salvage, display, yes)
    return _execute(current, loaded, asked)


def _teacher(spec: str) -> dict[str, Any]:
    from distill.plugins import locate

    name, _, argument = spec.partition(":")
    if name == "replay" and argument:
        return {"use": "replay", "path": str(Path(argument).resolve())}
    locate("teacher", spec)
    return {"use": spec}


_BUDGETS = {"usd": ("limits__usd", 1.0), "tok": ("limits__tokens", 1.0), "m": ("limits__minutes", 1.0)}
_BUDGETS |= {"ktok": ("limits__tokens", 1e3), "Mtok": ("limits__tokens", 1e6), "h": ("limits__minutes", 60.0)}


def _budget(text: str | None) -> dict[str, float]:
    """`5usd,2Mtok,30m` as overrides of `limits`."""
    found: dict[str, float] = {}
    for part in (text or "").split(",") if text else []:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(\w+)", part.strip())
        if match is None or match[2] not in _BUDGETS:
            help = "such as 5usd, 2Mtok, 30m, 2h, or several of them: 5usd,30m"
            raise UsageError(f"`--budget {text}` is not understood", help=help)
        key, factor = _BUDGETS[match[2]]
        amount = float(match[1]) * factor
        found[key] = int(amount) if key == "limits__tokens" else amount
    return found


def _print_resolved(recipe: "Recipe") -> int:
    import yaml

    click.echo(yaml.safe_dump(recipe.resolved(), sort_keys=False, allow_unicode=True), nl=False)
    return 0


# ---------------------------------------------------------------- one run


def _execute(current: Session, recipe: "Recipe", asked: _Asked) -> int:
    from distill import engine

    directory = asked.out or engine.runs_home() / recipe.name
    current.log = directory / "log.txt"
    if not asked.yes and (asked.fresh or not _judged_alike(directory, recipe)):
        asyncio.run(_refuse_broken_verifiers(recipe, say=current.note))
    display = _display(current, asked.display)
    stop = asyncio.Event()
    call = engine.run(recipe, run_dir=asked.out, fresh=asked.fresh, salvage=asked.salvage, listener=display, stop=stop)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a plug-in prints is no result of ours
            result = asyncio.run(_watched(call, display, stop))
    except asyncio.CancelledError:
        current.note(f"abandoned; what had arrived is saved.   resume:  {current.same_command}")
        abandoned = Stopped(
            "abandoned", limit="interrupt", state="what had arrived is saved", help=current.same_command
        )
        current.failed(abandoned, exit_code=130)
        return 130
    finally:
        display.close()
    return _close(current, recipe, result, asked)


def _display(current: Session, mode: "Mode") -> "Display":
    from distill import display

    def warning(event: Any) -> str:
        return current.redact(render_warning(event, color=current.color))

    quiet: Mode = "none" if current.verbosity < 0 and mode == "auto" else mode

    def write(line: str) -> None:
        to_stderr(current.redact(line))

    terminal = sys.stderr is not None and sys.stderr.isatty()
    return display.make(quiet, write=write, warning=warning, terminal=terminal)


async def _watched(call: "Coroutine[Any, Any, Result]", display: "Display", stop: asyncio.Event) -> "Result":
    """The run, with a display that ticks and a Ctrl-C that first asks and then insists."""
    task = asyncio.current_task()
    assert task is not None

    def interrupted() -> None:
        if stop.is_set():
            task.cancel()
            return
        flying = display.progress.in_flight
        display.say(f"stopping: finishing {flying} requests (Ctrl-C again to abandon them)")
        stop.set()

    async def ticking() -> None:
        while True:
            await asyncio.sleep(0.25)
            display.tick()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    ticker = asyncio.create_task(ticking())
    try:
        return await call
    finally:
        ticker.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _judged_alike(directory: Path, recipe: "Recipe") -> bool:
    """Whether a run ended here that was judged by the same checks. A preview, or a run that was killed, did not end."""
    import yaml

    try:
        before = yaml.safe_load((directory / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(before, dict) and before.get("verify") == recipe.resolved()["verify"]


async def _refuse_broken_verifiers(recipe: "Recipe", *, say: Callable[[str], None]) -> None:
    """Before the first token is spent: a required verifier that rejects its own references is a broken recipe."""
    from itertools import islice

    from distill.readiness import MOST_GOLDS, golds
    from distill.sources import BadRecord, read

    items = await asyncio.to_thread(lambda: list(islice(read(recipe), MOST_GOLDS)))
    rows = [item.row for item in items if not isinstance(item.row, BadRecord)]
    if any(row.answer is not None for row in rows) and recipe.verify:
        say("first the verifiers are tried on the reference answers; nothing is asked yet")
    async for finding in golds(recipe, rows):
        if finding.exit_code == 1:
            first = "first: " + finding.detail[0] if finding.detail else ""
            help = "`distill check` shows more; `--yes` runs all the same"
            raise _BrokenVerifierError(finding.text, cause=first, help=help)


# ---------------------------------------------------------------- the end


def _close(current: Session, recipe: "Recipe", result: "Result", asked: _Asked) -> int:
    from distill.display import closing

    home = runs_root()
    run = "last" if result.run_dir.parent == home else name_of(result.run_dir)
    current.object(result.to_json())
    if result.stopped is not None and result.stopped_by != "interrupt":
        why = current.redact(render_stopped(result.stopped, color=current.color))
        if asked.display == "json":  # stderr is for programs then
            current.answer(why)
        else:
            click.echo(why, err=True)
    if current.verbosity >= 0:
        said = current.redact(closing(result, resume=current.same_command, run=run))
        if not current.json:
            current.answer(said)
        elif result.stopped_by is not None:
            current.note(said)
    for complaint in complaints(result, recipe.limits, run=run):
        current.note(complaint)
    return exit_code(result, recipe.limits)


def complaints(result: "Result", limits: "Limits", *, run: str = "last") -> list[str]:
    """Why a finished run, called `run`, is below what its recipe accepts; empty when it is not."""
    found = []
    if result.kept < limits.min_kept * result.rows or not result.rows:
        kept = f"kept {result.kept} of {result.rows}"
        found.append(f"{kept}, below `limits.min_kept: {limits.min_kept:g}`; why: distill show {run} --dropped")
    if result.bad_rows > limits.bad_rows * result.source_rows:
        bad = f"{result.bad_rows} of {result.source_rows} source rows are malformed"
        found.append(f"{bad}, above `limits.bad_rows: {limits.bad_rows:g}`; which: distill show {run} --dropped")
    return found


def exit_code(result: "Result", limits: "Limits") -> int:
    """What a run's process ends with."""
    if result.stopped_by is not None:
        return 130 if result.stopped_by == "interrupt" else 4
    return 1 if complaints(result, limits) else 0
