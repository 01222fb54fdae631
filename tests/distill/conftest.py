"""The command line as tests use it: one command in an empty directory, and what it said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from distill.cli import run_command
from tests.distill import runs


class Said(NamedTuple):
    """Exit code and streams of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one object."""
        return json.loads(self.out)


Distill = Callable[..., Said]


@pytest.fixture
def distill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Distill:
    """Runs a command in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISTILL_RUNS", raising=False)

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = run_command(arguments)
        return Said(code, *capsys.readouterr())

    return call


def sums(directory: Path, **sections: Any) -> str:
    """Writes a recipe over additions and returns its file name."""
    content = runs.recipe(directory, rows=sections.pop("rows", 6), **sections)
    (directory / "sums.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return "sums.yaml"
