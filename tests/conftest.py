"""What every test shares: no network but loopback, no settings from the outside, small hypothesis profiles."""

import os
import platform
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=60, database=None)
settings.register_profile("soak", deadline=None, max_examples=5000, database=None)


SoakTable = Callable[[str, int, str], None]
"""Takes what was done, how often, and what came of it."""

_SOAKED: list[tuple[str, int, str]] = []


@pytest.fixture
def soak_table() -> SoakTable:
    """Adds a line to `tests/soak.md`, which a whole `make soak` writes anew."""
    return lambda what, count, outcome: _SOAKED.append((what, count, outcome))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table of the full-size runs, when all of them passed."""
    if _SOAKED and exitstatus == 0:
        rows = "".join(f"| {what} | {count:,} | {outcome} |\n" for what, count, outcome in sorted(_SOAKED))
        machine = (
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        head = f"# Full-size runs\n\nWritten by `make soak` on {machine}.\n\n"
        head += "| what | cases | outcome |\n|---|---:|---|\n"
        Path(__file__).with_name("soak.md").write_text(head + rows, encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Full-size runs are asked for by `-m soak`; everything else leaves them out."""
    expression = config.getoption("markexpr")
    settings.load_profile("soak" if expression == "soak" else "suite")
    if not expression:
        config.option.markexpr = "not soak"


@pytest.fixture(autouse=True)
def own_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("DISTILL_", "TEACHER_", "OPENAI_", "HF_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """A connection to anywhere else fails at once, instead of making the suite depend on it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise ConnectionRefusedError(f"tests talk to loopback only, not to {address[0]}")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()
