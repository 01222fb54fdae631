"""SIGKILL at random points, then the same command: nothing paid for is lost or asked again, same bytes at the end."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.ledger import LedgerView
from tests.conftest import SoakTable
from tests.distill.loopback import Answer, Call, Loopback, derived
from tests.distill.runs import snapshot

ROWS = 80
pytestmark = pytest.mark.kill


def write_recipe(directory: Path, url: str, *, concurrency: Any) -> Path:
    rows = "".join(json.dumps({"question": f"What is question {n} about?"}) + "\n" for n in range(ROWS))
    (directory / "q.jsonl").write_text(rows)
    recipe = {
        "name": "killed",
        "source": {"use": "files", "path": "q.jsonl"},
        "teacher": {"use": "openai", "model": "loopback", "base_url": url},
        "verify": [{"use": "think", "required": True}],
        "limits": {"concurrency": concurrency},
    }
    path = directory / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def start(recipe: Path, *flags: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "distill", "run", str(recipe), "--json", *flags]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DISTILL_RUNS": str(recipe.parent / "runs"),
    }
    return subprocess.Popen(
        command, cwd=recipe.parent, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(recipe: Path) -> dict[str, Any]:
    process = start(recipe)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


def marks_of(run_dir: Path) -> set[str]:
    """What identifies the requests whose replies are in the ledger: the answers carry it."""
    with LedgerView.open(run_dir) as ledger:
        bodies = ledger._fetch("SELECT key, sample FROM replies")
        return {str(reply.message["content"])[7:-1] for key, n in bodies if (reply := ledger.reply(key, n)) is not None}


@pytest.mark.parametrize("concurrency", [1, 8, "auto"])
def test_killed_at_random_points_and_continued(tmp_path: Path, concurrency: Any) -> None:
    killed_and_continued(tmp_path, concurrency, kills=3)


@pytest.mark.soak
def test_killed_two_hundred_times(tmp_path: Path, soak_table: SoakTable) -> None:
    for seed in range(40):
        directory = tmp_path / str(seed)
        directory.mkdir()
        killed_and_continued(directory, (1, 3, 8, 64, "auto")[seed % 5], kills=5, seed=seed)
    soak_table("SIGKILL at random points of 40 runs, then continued", 200, "no committed reply asked again, same bytes")


def killed_and_continued(tmp_path: Path, concurrency: Any, *, kills: int, seed: int = 0) -> None:
    """Every run has a server of its own, so that no request of a killed one is counted with the next."""
    chance = random.Random(f"{concurrency} {seed}")
    run_dir = tmp_path / "runs" / "killed"
    known: set[str] = set()
    for _ in range(kills):
        asked = asked_until_killed(tmp_path, concurrency, at=chance.randrange(1, max(2, (ROWS - len(known)) // 3)))
        assert known.isdisjoint(asked)
        now = marks_of(run_dir)
        assert known <= now
        known = now
    with Loopback() as server:
        result = finish(write_recipe(tmp_path, server.url, concurrency=concurrency))
        asked = [call.digest for call in server.calls]
    assert known.isdisjoint(asked) and len(asked) == len(set(asked)) == ROWS - len(known) == result["requests"]
    assert result["kept"] == ROWS and result["replayed"] == len(known)
    (tmp_path / "whole").mkdir()
    with Loopback() as server:
        assert finish(write_recipe(tmp_path / "whole", server.url, concurrency=5))["kept"] == ROWS
    assert snapshot(run_dir) == snapshot(tmp_path / "whole" / "runs" / "killed")


def asked_until_killed(directory: Path, concurrency: Any, *, at: int) -> list[str]:
    """Run until the server has had `at` requests, then SIGKILL; what was asked by then."""
    running: list[subprocess.Popen[str]] = []

    def deadly(call: Call) -> Answer:
        if call.number >= at:
            running[-1].kill()
        return derived(call)

    with Loopback(deadly) as server:
        running.append(start(write_recipe(directory, server.url, concurrency=concurrency)))
        running[-1].communicate(timeout=60)
        assert running[-1].returncode == -signal.SIGKILL
    return [call.digest for call in server.calls]


def test_killed_while_writing_the_dataset(tmp_path: Path) -> None:
    with Loopback() as server:
        recipe = write_recipe(tmp_path, server.url, concurrency=8)
        with start(recipe, "--display", "json") as process:
            assert process.stderr is not None
            for line in process.stderr:
                if '"curate"' in line:
                    process.kill()
        assert process.returncode == -signal.SIGKILL
        assert len(server.calls) == ROWS
        result = finish(recipe)
        assert (result["requests"], result["kept"], len(server.calls)) == (0, ROWS, ROWS)


def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_go_on(tmp_path: Path) -> None:
    running: list[subprocess.Popen[str]] = []

    def interrupting(call: Call) -> Answer:
        if call.number == ROWS // 2:
            running[-1].send_signal(signal.SIGINT)
        return derived(call)

    with Loopback(interrupting) as server:
        recipe = write_recipe(tmp_path, server.url, concurrency=4)
        running.append(start(recipe))
        out, err = running[-1].communicate(timeout=60)
        assert running[-1].returncode == 130, err
        first = json.loads(out)
        assert first["stopped_by"] == "interrupt" and 0 < first["kept"] < ROWS
        assert "distill run" in err
        assert len(server.calls) == first["requests"]
        assert finish(recipe)["requests"] == ROWS - first["requests"]
