"""Verdicts on answers: text, reasoning and GRAPH_TABLE SQL, usable without the rest of the project.

Lives here: the public names, resolved on first use. May be imported by everybody; importing it imports nothing else.
Design reason: somebody who wants the pool should not pay for pydantic, nor somebody who wants `render` for processes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import Case, Check, ContractError, Status, Verdict, check, verifier
    from .pool import JobError, Pool, WorkerDied
    from .text import exact
    from .think import Thought, language, normalise, render, strip

_HOME = {
    "Case": "contract",
    "Check": "contract",
    "ContractError": "contract",
    "JobError": "pool",
    "Pool": "pool",
    "Status": "contract",
    "Thought": "think",
    "Verdict": "contract",
    "WorkerDied": "pool",
    "check": "contract",
    "exact": "text",
    "language": "think",
    "normalise": "think",
    "render": "think",
    "strip": "think",
    "verifier": "contract",
}

__all__ = [
    "Case",
    "Check",
    "ContractError",
    "JobError",
    "Pool",
    "Status",
    "Thought",
    "Verdict",
    "WorkerDied",
    "check",
    "exact",
    "language",
    "normalise",
    "render",
    "strip",
    "verifier",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `verify` has no attribute `{name}`")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
