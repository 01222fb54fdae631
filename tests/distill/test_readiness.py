"""`distill check`: what is found out before anything is spent, and in which order code of others is reached."""

import asyncio
import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill import readiness
from distill.cli import run_command
from distill.readiness import Finding, check_recipe
from distill.recipe import load_recipe
from distill.teachers import AttemptFailed, teacher_error
from tests.distill import runs


def found(directory: Path, *, online: bool = False, rows: int = 6, **sections: Any) -> dict[str, list[Finding]]:
    """Findings by section."""
    recipe = load_recipe(runs.recipe(directory, rows=rows, **sections), base=directory, need_env=False, env={})
    by_section: dict[str, list[Finding]] = {}
    for one in check_recipe(recipe, online=online):
        by_section.setdefault(one.section, []).append(one)
    return by_section


def test_a_ready_recipe_has_nothing_that_fails(tmp_path: Path) -> None:
    sections = found(tmp_path)
    assert list(sections) == ["recipe", "code", "source", "prompt", "strategy", "verifiers", "teacher", "disk"]
    assert [one.text for one in sections["code"]] == ["./adder.py:Adder  at `teacher`"]
    assert sections["source"][0].text == "6 rows, 6 with a reference answer"
    assert [one.status for one in sections["verifiers"]] == ["skip", "ok"]
    assert sections["verifiers"][1].text == "exact accepts 6/6 reference answers"
    assert sections["teacher"][0].text.startswith("adder: nothing to reach")
    assert all(one.exit_code == 0 for many in sections.values() for one in many)


def test_code_of_others_is_listed_before_it_is_imported_and_listing_alone_imports_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trace = "import pathlib\npathlib.Path('trace').touch()\n\ndef f(case):\n    return None\n"
    (tmp_path / "evil.py").write_text(trace, encoding="utf-8")
    recipe = runs.recipe(tmp_path, verify={"use": "./evil.py:f"}, strategy="./evil.py:Strategy")
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert run_command(["check", "recipe.yaml", "--list-code"]) == 0
    shown = capsys.readouterr().out
    assert "./evil.py:f  at `verify.0`" in shown and "./evil.py:Strategy  at `strategy`" in shown
    assert not Path("trace").exists()

    imported = Path("trace").exists

    async def until_code() -> None:
        async for one in readiness.findings(load_recipe("recipe.yaml")):
            if one.section == "code":
                assert not imported()
                return

    asyncio.run(until_code())
    assert run_command(["check", "recipe.yaml"]) == 2
    shown = capsys.readouterr().out
    assert shown.index("./evil.py:f  at `verify.0`") < shown.index("`./evil.py` has no `Strategy`")
    assert Path("trace").exists()


def test_a_verifier_that_rejects_references_fails_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(
        "from distill import Verdict\n\ndef even(case):\n"
        "    return Verdict('pass' if int(case.answer) % 4 == 1 else 'fail', 'not one more than four')\n"
    )
    (one,) = found(tmp_path, verify={"use": "./picky.py:even", "required": True})["verifiers"]
    assert (one.status, one.exit_code) == ("fail", 1)
    assert one.text == "even rejects 3 of 6 reference answers"
    assert one.detail[0] == "sums.jsonl:2: not one more than four"
    (only_scores,) = found(tmp_path, verify={"use": "./picky.py:even"})["verifiers"]
    assert (only_scores.status, only_scores.exit_code) == ("warn", 0)


def test_no_check_at_all_is_said(tmp_path: Path) -> None:
    (one,) = found(tmp_path, verify=[])["verifiers"]
    assert (one.status, one.text) == ("warn", "none: every finished answer is kept")


def test_malformed_rows_are_shown_and_too_many_fail(tmp_path: Path) -> None:
    limits = {"bad_rows": 0.1}
    recipe = load_recipe(runs.recipe(tmp_path, rows=30, limits=limits), base=tmp_path)
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write("{\n")
    few = next(one for one in check_recipe(recipe) if one.section == "source")
    assert (few.status, few.exit_code) == ("warn", 0)
    assert few.detail[0].startswith("sums.jsonl:31")
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write("{\n" * 9)
    many = next(one for one in check_recipe(recipe) if one.section == "source")
    assert (many.status, many.exit_code) == ("fail", 2)


def test_a_source_that_is_not_there_fails_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    sections = found(tmp_path, source={"use": "files", "path": "nowhere.jsonl"})
    assert sections["source"][0].status == "fail"
    assert [one.status for one in (*sections["prompt"], *sections["strategy"])] == ["skip", "skip"]
    assert sections["teacher"][0].status == "ok"


def test_a_missing_key_is_found_offline(tmp_path: Path) -> None:
    sections = found(tmp_path, teacher={"use": "./adder.py:Adder", "log": "${NO_SUCH_KEY}"})
    (one,) = sections["recipe"]
    assert (one.status, one.text, one.exit_code) == ("fail", "NO_SUCH_KEY is not set", 3)
    assert sections["teacher"][0].status == "skip"


PROBED = """
from types import SimpleNamespace
from distill.teachers import AttemptFailed, teacher_error

class Far:
    identity = "far-8b"
    def __init__(self, *, up: bool = True):
        self.up = up
    async def probe(self):
        if not self.up:
            raise teacher_error(AttemptFailed("connection", "cannot reach `far-8b`", help="is the server up?"))
        return SimpleNamespace(seconds=0.7, model="far-8b-instruct", thinking="separate")
    async def close(self):
        pass
"""


def test_the_teacher_is_asked_only_online(tmp_path: Path) -> None:
    (tmp_path / "far.py").write_text(PROBED, encoding="utf-8")
    teacher = {"use": "./far.py:Far"}
    assert found(tmp_path, teacher=teacher)["teacher"][0].status == "skip"
    (asked,) = found(tmp_path, teacher=teacher, online=True)["teacher"]
    assert (asked.status, asked.text) == ("ok", "far-8b-instruct answered in 0.7 s, thinking in a field of its own")
    (down,) = found(tmp_path, teacher={**teacher, "up": False}, online=True)["teacher"]
    assert (down.status, down.exit_code, down.detail) == ("fail", 3, ("help: is the server up?",))
    assert teacher_error(AttemptFailed("connection", "x")).exit_code == 3


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    (one,) = found(tmp_path)["disk"]
    assert (one.status, one.exit_code) == ("fail", 3)


def test_without_a_recipe_the_machine_is_described() -> None:
    sections = {one.section: one for one in readiness.environment()}
    assert list(sections) == ["distill", "python", "packages", "disk"]
    assert "duckdb 2" in sections["packages"].text
    assert {sections[name].status for name in ("distill", "python", "packages", "disk")} == {"ok"}


def test_the_command_ends_with_the_worst_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = runs.recipe(tmp_path, teacher={"use": "./adder.py:Adder", "log": "${NO_SUCH_KEY}"})
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert run_command(["check", "recipe.yaml", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["ready"]) == (1, False)
    assert said["findings"][0]["text"] == "NO_SUCH_KEY is not set"
