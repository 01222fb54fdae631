"""What can be observed of a run: frozen events that the engine emits and displays, logs and tests listen to.

May be imported by every module of `distill`; imports only records.
Design reason: the engine never prints. Presentation is a listener, so the same run shows itself in a terminal, in a
notebook, as JSON lines, or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.errors import DistillError
from distill.records import Outcome, Usage


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run directory is open and the first row is about to be read."""

    name: str
    run_dir: Path
    teacher: str
    """The teacher's identity."""
    resumed: int = 0
    """Replies already in the ledger."""
    changed: tuple[str, ...] = ()
    """Recipe keys that differ from the last run in this directory."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the run stands; emitted whenever a count changes."""

    read: int = 0
    """Questions taken from the source so far, after rephrasing."""
    settled: int = 0
    kept: int = 0
    dropped: int = 0
    failed: int = 0
    requests: int = 0
    """Calls that reached the teacher in this run."""
    replayed: int = 0
    """Replies taken from the ledger."""
    in_flight: int = 0
    limit: int = 0
    """How many requests may be in flight now."""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    total: int | None = None
    """Rows expected, once the source has been read to its end; None before."""


@dataclass(frozen=True, slots=True)
class RowSettled:
    """One row reached the end of its life."""

    row_id: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know although the run goes on."""

    kind: str
    message: str
    where: str = ""
    cause: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """The run moved to another stage, such as `curate` or `report`, or changed state, such as `stopping`."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did, as `distill run --json` prints it and `distill.run` returns it."""

    run_dir: Path
    rows: int
    """Questions asked, after rephrasing."""
    kept: int
    """Those with a line in `data/`."""
    dropped: int
    """Those settled but left out."""
    failed: int
    """Those without a reply after all attempts."""
    requests: int
    replayed: int
    usage: Usage
    seconds: float
    stopped_by: str | None = None
    """None when the source was read to its end; else the limit, `interrupt`, `disk` …"""
    stopped: DistillError | None = None
    """The same with cause and help; None where nothing but the end of the source stopped it. Not in the JSON form."""
    source_rows: int = 0
    """Rows read from the source, before rephrasing; not in the JSON form, like the next."""
    bad_rows: int = 0
    """How many of them were malformed and left out."""

    def to_json(self) -> dict[str, Any]:
        """The stable JSON form, `format` 1."""
        usage = self.usage
        return {
            "format": 1,
            "run_dir": str(self.run_dir),
            "rows": self.rows,
            "kept": self.kept,
            "dropped": self.dropped,
            "failed": self.failed,
            "requests": self.requests,
            "replayed": self.replayed,
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "usd": usage.usd,
            },
            "seconds": round(self.seconds, 3),
            "stopped_by": self.stopped_by,
        }


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over and everything is on disk."""

    result: Result


Event = RunStarted | Progress | RowSettled | Warned | Stage | RunEnded
Listener = Callable[[Event], None]
