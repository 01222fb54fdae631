"""Distil reasoning into small models: from questions and documents to verified data, and to a better student.

The public API, resolved lazily: `import distill` costs milliseconds. May be imported by users and by the command line;
nothing inside the package imports it.
Design reason: `verify` and `train` are generic names that a user's own script may carry too, so the first thing an
import does is to make sure that the siblings Python would find are the ones that shipped with this package.
"""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import SetupError

__version__ = "0.1.0"

if TYPE_CHECKING:
    from distill.api import OpenRun, check, open_run, preview, recheck, run, run_async
    from distill.errors import DistillError
    from distill.events import Event, Result
    from distill.recipe import Recipe, load_recipe
    from distill.records import Reply, Request, Row, Sample, Settled, Trace, Usage
    from distill.sources import BadRecord, Record
    from distill.teachers import AttemptFailed
    from verify.contract import Case, Status, Verdict, verifier

__all__ = [
    "AttemptFailed",
    "BadRecord",
    "Case",
    "DistillError",
    "Event",
    "OpenRun",
    "Recipe",
    "Record",
    "Reply",
    "Request",
    "Result",
    "Row",
    "Sample",
    "Settled",
    "Status",
    "Trace",
    "Usage",
    "Verdict",
    "check",
    "load_recipe",
    "open_run",
    "preview",
    "recheck",
    "run",
    "run_async",
    "verifier",
]

_HOMES = {
    "distill.api": ("OpenRun", "check", "open_run", "preview", "recheck", "run", "run_async"),
    "distill.errors": ("DistillError",),
    "distill.events": ("Event", "Result"),
    "distill.recipe": ("Recipe", "load_recipe"),
    "distill.records": ("Reply", "Request", "Row", "Sample", "Settled", "Trace", "Usage"),
    "distill.sources": ("BadRecord", "Record"),
    "distill.teachers": ("AttemptFailed",),
    "verify.contract": ("Case", "Status", "Verdict", "verifier"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `distill` has no `{name}`")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _refuse_shadowed_siblings() -> None:
    """`import verify` must find the package beside this one, not a script of that name in the working directory."""
    home = Path(__file__).resolve().parent.parent
    for name in ("verify", "train"):
        found = _where(name)
        if found is not None and found.parent.parent != home:
            raise SetupError(
                f"`import {name}` would load {found}, not the `{name}` that ships with distill",
                where=str(found),
                cause="Python looks into the script's or the working directory first",
                help=f"rename {found.name if found.name != '__init__.py' else found.parent.name}, "
                "or run the `distill` command, which does not look there",
            )


def _where(name: str) -> Path | None:
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded:
        return Path(loaded).resolve()
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


_refuse_shadowed_siblings()
