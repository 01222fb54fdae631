"""The command line against an OpenAI-compatible endpoint over real sockets: readiness, a run, where the key goes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli import run_command
from tests.distill import runs
from tests.distill.loopback import Answer, Call, Loopback, completion, failure

KEY = "sk-planted-0815-0815"


def add(call: Call) -> Answer:
    """The sum in the question, thought about first; the key is demanded, and thrown back at whoever lacks it."""
    if call.headers.get("Authorization") != f"Bearer {KEY}":
        return failure(401, f"wrong key: {call.headers.get('Authorization')}")
    left, _, right = call.text.removesuffix("?").partition("+")
    total = int(left) + int(right) if right.isdecimal() else 4
    return completion(str(total), reasoning=f"I add {left} and {right}.")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUMS_KEY", raising=False)
    with Loopback(add) as running:
        teacher = {"use": "openai", "model": "loopback", "base_url": running.url, "api_key": "${SUMS_KEY}"}
        recipe = runs.recipe(tmp_path, rows=5, teacher=teacher)
        Path("recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        yield running


def files_with(text: str) -> list[Path]:
    return [path for path in Path().rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_readiness_and_a_run_and_the_key_stays_in_its_file(
    server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".env").write_text(f"SUMS_KEY={KEY}\n", encoding="utf-8")
    assert run_command(["check", "recipe.yaml", "--online"]) == 0
    assert "thinking in a field of its own" in capsys.readouterr().out
    asked = len(server.calls)
    assert run_command(["run", "recipe.yaml", "--json", "-v"]) == 0
    result = said(capsys)
    assert (result["kept"], result["requests"], len(server.calls) - asked) == (5, 5, 5)
    assert run_command(["run", "recipe.yaml", "--json", "--set", "samples.max=8"]) == 0
    assert said(capsys)["requests"] == 0
    assert files_with(KEY) == [Path(".env")]
    assert "I add 0 and 1." in Path("runs/sums/data/train.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [["check", "recipe.yaml", "--online"], ["run", "recipe.yaml"]])
def test_a_refused_key_is_the_environments_fault_and_is_not_shown(
    server: Loopback, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUMS_KEY", "sk-wrong-4711-4711")
    assert run_command(command) == 3
    shown = capsys.readouterr()
    assert "401" in shown.out + shown.err
    assert "sk-wrong-4711-4711" not in shown.out + shown.err
    assert files_with("sk-wrong-4711-4711") == []


def test_an_endpoint_that_is_down_is_named_with_what_to_try(
    server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--set", "teacher.base_url=http://127.0.0.1:9/v1", "--set", "teacher.api_key=none"]
    assert run_command(["check", "recipe.yaml", "--online", *arguments]) == 3
    shown = capsys.readouterr().out
    assert "cannot reach" in shown and "127.0.0.1:9" in shown
