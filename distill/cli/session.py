"""What every command shares: settings from global flags, streams, finding recipes and runs, the `.env` file.

May be imported by the commands only; imports errors, and recipe inside the function that needs it.
Design reason: results go to stdout, everything else to stderr, and each is written in one place, so that `--json` and
`-q` mean the same in every command.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.errors import UsageError

if TYPE_CHECKING:
    from distill.recipe import Recipe


@dataclass(slots=True)
class Session:
    """Global flags, and what is known when something goes wrong."""

    json: bool = False
    verbosity: int = 0
    """-1 with `-q`, 1 or more with `-v`."""
    notes: bool = True
    """Whether stderr is for people to read; False where a program reads it."""
    no_color: bool = False
    debug: bool = False
    log: Path = field(default_factory=lambda: Path("distill-log.txt"))
    """Where the traceback of an unexpected error goes: `log.txt` in the run directory once there is one."""
    redact: Callable[[str], str] = str
    answered: bool = False
    """Whether the one object of `--json` is written."""
    arguments: tuple[str, ...] = ()
    """The command line as it was typed, without `distill`."""

    @property
    def same_command(self) -> str:
        """The command that continues this one: as typed, without what would begin anew and without secrets."""
        kept = (self.redact(one) for one in self.arguments if one not in ("--fresh", "--salvage"))
        return shlex.join(["distill", *kept])

    @property
    def color(self) -> bool:
        """Whether stderr may be coloured."""
        wanted = not (self.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb")
        return wanted and sys.stderr.isatty()

    def note(self, text: str) -> None:
        """A message for people: stderr, silent with `-q`."""
        if self.notes and self.verbosity >= 0:
            to_stderr(text)

    def detail(self, text: str) -> None:
        """A message that only `-v` shows."""
        if self.verbosity > 0:
            to_stderr(text)

    def answer(self, text: str) -> None:
        """The command's result for people: stdout, unless `--json` prints an object there."""
        if not self.json:
            click.echo(text, color=False if self.no_color or os.environ.get("NO_COLOR") else None)

    def object(self, value: Mapping[str, Any]) -> None:
        """The command's result for programs: one JSON object on stdout with `--json`."""
        if self.json:
            import orjson

            options = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
            plain = orjson.loads(orjson.dumps({"format": 1, **value}, default=str))
            click.echo(orjson.dumps(_each_text(plain, self.redact), option=options))
            self.answered = True

    def failed(self, error: BaseException, *, exit_code: int, state: str = "") -> None:
        """An error for programs: the one object of `--json`, unless the command had already printed it."""
        if self.json and not self.answered:
            from distill.cli.errors import error_object

            self.object({"error": error_object(error, state=state), "exit_code": exit_code})


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(one, change) for key, one in value.items()}
    return [_each_text(one, change) for one in value] if isinstance(value, list) else value


def to_stderr(text: str) -> None:
    """Say something to people, if anybody is there: a run that is paid for does not stop because nobody listens."""
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - it stays open as the stream it replaces did


session = click.make_pass_decorator(Session, ensure=True)
"""Hands the `Session` to a command as its first argument."""


# ---------------------------------------------------------------- recipes


def load(current: Session, name: str, *, set: tuple[str, ...] = (), need_env: bool = True, **more: Any) -> "Recipe":
    """The recipe with `.env` beside it and `--set` applied. `more` are overrides by dotted path; `--set` wins."""
    from distill.recipe import load_recipe
    from distill.shelf import find_recipe

    path = find_recipe(name)
    overrides = {key.replace("__", "."): value for key, value in more.items() if value is not None}
    recipe = load_recipe(
        path,
        set={**overrides, **parse_sets(set)},
        env={**read_env(_home_of(path) / ".env"), **os.environ},
        need_env=need_env,
    )
    current.redact = recipe.redact
    return recipe


def _home_of(recipe: Path) -> Path:
    """Where a recipe's `.env` is: beside it, or in the working directory for a shipped one."""
    from distill import shelf

    return Path() if recipe.is_relative_to(shelf.home()) else recipe.parent


def parse_sets(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`a.b=c` pairs of `--set`, values read as YAML. Raises UsageError or RecipeError naming the flag."""
    from distill.located import parse_value
    from distill.secret import mask_flag

    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            shown = key.split()[0] if key.strip() else pair
            raise UsageError(f"`--set {shown}` is not of the form `key=value`", help="such as --set limits.rows=20")
        found[key.strip()] = parse_value(value, flag=f"--set {mask_flag(key.strip(), value)}")
    return found


def read_env(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a `.env` file; empty when there is none. Quotes around a value and `export` are dropped."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if equals and name.isidentifier():
            found[name] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] in "\"'" and value.find(value[0], 1) > 0:
        return value[1 : value.find(value[0], 1)]
    return value.partition(" #")[0].rstrip()


# ---------------------------------------------------------------- runs


def runs_root() -> Path:
    """Where runs live: `DISTILL_RUNS`, or `runs` in the working directory."""
    return Path(os.environ.get("DISTILL_RUNS") or "runs")


def runs() -> list[Path]:
    """Run directories, the most recently written first."""
    root = runs_root()
    found = [path.parent for path in root.glob("*/ledger.db")] if root.is_dir() else []
    return sorted(found, key=lambda path: ((path / "ledger.db").stat().st_mtime_ns, path.name), reverse=True)


def name_of(run: Path) -> str:
    """What a command calls this run: its name, or its path where it lives elsewhere; fit for a shell."""
    return shlex.quote(run.name if run.parent == runs_root() else str(run))


def find_run(name: str) -> Path:
    """The run directory that `name` means: a path, a name, a unique prefix, or `last`."""
    path = Path(name)
    if (path / "ledger.db").is_file():
        return path
    known = runs()
    if name == "last" and known:
        return known[0]
    exact = [run for run in known if run.name == name]
    near = exact or [run for run in known if run.name.startswith(name)]
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(f"`{name}` could be {', '.join(sorted(f'`{run.name}`' for run in near))}")
    listed = ", ".join(f"`{run.name}`" for run in known[:8])
    help = f"runs here: {listed}" if listed else "none here yet; make one: distill run graph_sql"
    raise UsageError(f"no run `{name}` in {runs_root()}", help=help)
