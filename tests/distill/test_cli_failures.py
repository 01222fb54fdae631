"""What the command line does when things break: why a run stopped, damaged files, no permission, no room."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.errors import DiskFull
from distill.ledger import Ledger
from tests.distill import runs
from tests.distill.conftest import Distill, sums

SPENT = {"limits": {"usd": 0.002, "concurrency": 1}}
"""Two of the adder's replies."""


# ---------------------------------------------------------------- why a run stopped


@pytest.mark.parametrize("flags", [[], ["--display", "plain"], ["--display", "none"], ["-q"], ["--json"]])
def test_why_a_run_stopped_is_said_by_every_display(flags: list[str], distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path, rows=40, **SPENT), *flags)
    assert said.code == 4
    assert "warning[stopped]: `limits.usd` is reached: $0.00 of $0.00" in said.err
    assert "   = help: the same command continues, with as much again; raise `limits.usd`" in said.err
    if "--json" in flags:
        assert said.json["stopped_by"] == "usd"


def test_where_a_program_reads_stderr_the_reason_stands_on_stdout(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path, rows=40, **SPENT), "--display", "json")
    assert [json.loads(line)["event"] for line in said.err.splitlines()][-1] == "run_ended"
    assert "   = help: the same command continues" in said.out


# ---------------------------------------------------------------- verifiers that reject their references

PICKY = """from distill import Verdict, verifier


@verifier
def even(case, *, by: int = 2):
    return Verdict("pass" if int(case.answer) % by == 0 else "fail", "odd")
"""


def test_a_preview_does_not_let_a_broken_verifier_through(distill: Distill, tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(PICKY, encoding="utf-8")
    recipe = sums(tmp_path, verify={"use": "./picky.py:even", "required": True})
    assert distill("preview", recipe, "-n", "2").code == 0
    said = distill("run", recipe)
    assert (said.code, said.out) == (1, "")
    assert "error[verify]: even rejects 6 of 6 reference answers" in said.err


def test_verifiers_are_tried_again_only_when_they_changed(distill: Distill, tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(PICKY, encoding="utf-8")
    recipe = sums(tmp_path, verify={"use": "./picky.py:even", "required": True, "by": 1})
    assert "verifiers are tried" in distill("run", recipe).err
    assert "verifiers are tried" not in distill("run", recipe, "--set", "samples.max=4").err
    assert distill("run", recipe, "--set", "verify.by=2").code == 1
    (tmp_path / "runs/sums/recipe.yaml").write_text("[not: a recipe", encoding="utf-8")
    assert "verifiers are tried" in distill("run", recipe).err


# ---------------------------------------------------------------- files that are damaged


def test_a_torn_ledger_is_exit_code_3_and_salvage_continues(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, rows=200)
    assert distill("run", recipe, "-q").code == 0
    ledger = tmp_path / "runs/sums/ledger.db"
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])
    torn = distill("run", recipe)
    assert torn.code == 3
    assert torn.err.startswith("error[ledger]: ") and "--salvage" in torn.err
    said = distill("run", recipe, "--salvage", "--json")
    assert (said.code, said.json["kept"]) == (0, 200)
    assert said.json["requests"] + said.json["replayed"] == 200


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "provenance/train.jsonl").write_bytes(b""), "have not as many lines"),
        (lambda run: (run / "data/train.jsonl").write_text('{"prompt": "x"}\n'), "have not as many lines"),
        (lambda run: (run / "provenance/train.jsonl").write_bytes(b'{"id": '), "a line is not JSON"),
        (lambda run: (run / "data/train.jsonl").unlink(), "no file `data/train.jsonl`"),
    ],
)
@pytest.mark.parametrize("place", ["runs/sums", "else/where"])
def test_files_that_do_not_fit_together_are_mended_by_the_command_that_is_named(
    damage: Any, message: str, place: str, distill: Distill, tmp_path: Path
) -> None:
    assert distill("run", sums(tmp_path, rows=9), "--out", place, "-q").code == 0
    before = distill("show", place).out
    damage(tmp_path / place)
    said = distill("show", place)
    assert said.code == 3
    assert said.err.startswith(f"error[ledger]: run `{Path(place).name}`: ") and message in said.err
    (command,) = [line.partition("ledger: ")[2] for line in said.err.splitlines() if "= help:" in line]
    assert distill(*command.split()[1:]).code == 0
    assert distill("show", place).out == before


# ---------------------------------------------------------------- what the machine refuses


def test_a_source_without_permission_is_exit_code_3(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = sums(tmp_path)
    opened = Path.open

    def refuses(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.name == "sums.jsonl":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuses)
    said = distill("run", recipe)
    assert said.code == 3
    assert said.err.startswith("error[source]: cannot read `") and "= cause: Permission denied" in said.err


def test_a_full_disk_is_exit_code_4_and_the_same_command_continues(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = sums(tmp_path, limits={"concurrency": 1})
    record = Ledger.record
    written = 0

    async def fills(self: Ledger, *args: Any) -> None:
        nonlocal written
        written += 1
        if written > 3:
            raise DiskFull("no space left", help="make room")
        await record(self, *args)

    with monkeypatch.context() as full:
        full.setattr(Ledger, "record", fills)
        said = distill("run", recipe, "--json")
    assert said.code == 4
    assert "error[disk]: no space left\n" in said.err and "= help: make room" in said.err
    error = said.json["error"]
    assert (error["kind"], error["message"], error["help"], said.json["exit_code"]) == (
        "disk",
        "no space left",
        "make room",
        4,
    )
    again = distill("run", recipe, "--json")
    assert (again.code, again.json["kept"], again.json["replayed"]) == (0, 6, 3)


# ---------------------------------------------------------------- errors for programs


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["--json", "run", "nowhere"], "usage", 2),
        (["run", "--row", "3", "--json"], "usage", 2),
        (["rnu", "--json"], "usage", 2),
        (["run", "sums.yaml", "--json", "--set", "limts.rows=3", "--set", "limits.usd=no"], "recipe", 2),
        (["run", "sums.yaml", "--json", "--set", "source.path=nowhere.jsonl"], "source", 2),
        (["show", "--json"], "usage", 2),
        (["recheck", "none", "--json"], "usage", 2),
    ],
)
def test_an_error_is_the_one_object_of_json(
    arguments: list[str], kind: str, code: int, distill: Distill, tmp_path: Path
) -> None:
    sums(tmp_path)
    said = distill(*arguments)
    assert (said.code, said.json["format"], said.json["exit_code"]) == (code, 1, code)
    error = said.json["error"]
    assert {"kind", "message", "where", "cause", "help", "state"} <= set(error)
    assert error["kind"] == kind and f"error[{kind}]: {error['message']}" in said.err
    assert len(error.get("problems", "")) == (2 if kind == "recipe" else 0)


def test_an_unforeseen_error_is_an_object_too(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.recipe.Recipe.resolved", lambda self: 1 / 0)
    said = distill("run", sums(tmp_path), "--dry-run", "--json")
    assert said.json["error"]["kind"] == "internal"
    assert said.json["error"]["message"] == "ZeroDivisionError: division by zero"
    assert "distill-log.txt" in said.json["error"]["state"]


def test_a_second_ctrl_c_is_an_object_too(distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = runs.TEACHER + (
        "\nimport asyncio, os, signal\n\nclass Hangs(Adder):\n    async def attempt(self, request):\n"
        f"        for _ in range(2):\n            os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "        await asyncio.Event().wait()\n"
    )
    recipe = sums(tmp_path, teacher={"use": "./hang.py:Hangs"})
    (tmp_path / "hang.py").write_text(teacher, encoding="utf-8")
    said = distill("run", recipe, "--json")
    assert (said.code, said.json["exit_code"]) == (130, 130)
    assert said.json["error"]["help"] == "distill run sums.yaml --json"


# ---------------------------------------------------------------- runs that live elsewhere


def test_what_is_next_names_a_run_that_lives_elsewhere(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path, rows=9, teacher={"use": "./adder.py:Adder", "wrong": 9})
    said = distill("run", recipe, "--out", "else where", "--set", "limits.min_kept=0.9")
    assert "next  distill show 'else where' --dropped" in said.out
    assert said.err.count("distill show 'else where' --dropped") == 1
    assert "next  distill show 'else where' --dropped" in distill("show", "else where").err
    here = distill("run", recipe, "--set", "limits.min_kept=0.9")
    assert "next  distill show last --dropped" in here.out and "distill show last --dropped" in here.err
    assert "next  distill show sums --dropped" in distill("show", "last").err


def test_check_measures_the_disk_that_runs_go_to(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    elsewhere = tmp_path / "big"
    elsewhere.mkdir()
    monkeypatch.setenv("DISTILL_RUNS", str(elsewhere / "not" / "yet"))
    usage = shutil.disk_usage

    def measured(path: Path) -> Any:
        asked.append(path)
        return usage(path)

    monkeypatch.setattr(shutil, "disk_usage", measured)
    assert distill("check").code == 0
    assert asked == [elsewhere]


def test_a_number_that_nothing_can_store_is_refused_before_anything_is_asked(distill: Distill, tmp_path: Path) -> None:
    said = distill("run", sums(tmp_path), "--set", f"limits.tokens={10**26}")
    assert said.code == 2 and "`limits.tokens` is too large a number" in said.err
    assert not (tmp_path / "runs").exists()


def test_what_a_plug_in_prints_is_no_result(distill: Distill, tmp_path: Path) -> None:
    recipe = sums(tmp_path)
    code = (tmp_path / "adder.py").read_text(encoding="utf-8")
    loud = code.replace(
        "        question = request.row.question\n", "        print('JUNK')\n        question = request.row.question\n"
    )
    (tmp_path / "adder.py").write_text(loud)
    said = distill("run", recipe, "--json")
    assert said.code == 0 and said.json["kept"] == 6 and "JUNK" in said.err


@pytest.mark.parametrize("ending", ["2>&-", "2>/dev/full"])
def test_a_run_goes_on_when_nobody_listens(tmp_path: Path, ending: str) -> None:
    recipe = sums(tmp_path)
    command = f"{sys.executable} -m distill run {recipe} --yes {ending} >/dev/null"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "DISTILL_RUNS": "runs"}
    assert subprocess.run(command, shell=True, cwd=tmp_path, env=environment, check=False).returncode == 0
    assert len(runs.data(tmp_path / "runs" / "sums")) == 6


def test_a_terminal_without_chinese_shows_the_rest(tmp_path: Path) -> None:
    recipe = sums(tmp_path)
    (tmp_path / "sums.jsonl").write_text('{"question": "1+2?", "answer": "3", "note": "加法"}\n', encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "distill", "preview", recipe, "-n", "1", "--full"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0 and b"1+2?" in done.stdout
