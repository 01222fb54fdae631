"""Every error text a person may meet, pinned by a file. `UPDATE_GOLDEN=1 pytest …` writes them anew: read the diff."""

import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.cli import run_command
from distill.cli.errors import exit_code, is_for_people, render_error, render_unexpected, render_warning
from distill.errors import (
    DiskFull,
    LedgerError,
    PluginError,
    Stopped,
    TeacherError,
    UsageError,
)
from distill.events import Warned
from distill.pace import Pace
from tests.distill.conftest import Distill, sums
from verify.contract import ContractError

CASES = Path(__file__).parent / "cases" / "errors"


def same_as_file(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_recipe_gets_the_error_form(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(CASES)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    code = run_command(["run", path.name])
    shown = capsys.readouterr()
    assert code == (3 if path.stem == "no_key" else 2)
    assert shown.out == ""
    assert not [char for char in shown.err if ord(char) < 32 and char != "\n"]
    same_as_file(path.with_suffix(".txt"), shown.err)


def refused_endpoint(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A teacher at a port where nobody listens, and waits between tries that end at once."""

    async def at_once(self: Pace, seconds: float) -> None:
        pass

    monkeypatch.setattr(Pace, "_rest", at_once)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    teacher = {"use": "openai", "model": "m", "base_url": f"http://127.0.0.1:{port}/v1"}
    return {"teacher": teacher, "limits": {"concurrency": 1}}


def misspelt_column(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A source whose third row has another column than the recipe says, where that is not tolerated."""
    rows = [{"question": f"{n}+1?", "answer": str(n + 1)} for n in range(2)] + [{"quesiton": "2+1?", "answer": "3"}]
    Path("named.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    fields = {"prompt": "question"}
    source = {"use": "files", "path": "named.jsonl", "fields": fields, "on_bad_row": "stop"}
    return {"source": source, "limits": {"concurrency": 1}}


def raising_source(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A source of the user's that fails at its first row."""
    Path("mine.py").write_text('def rows():\n    yield {}["a"]\n', encoding="utf-8")
    return {"source": "./mine.py:rows"}


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("endpoint_down", refused_endpoint, 3),
        ("malformed_source", misspelt_column, 2),
        ("user_code", raising_source, 2),
    ],
)
def test_a_run_that_fails_says_why_as_its_file_does(
    name: str, make: Callable[..., dict[str, Any]], code: int, distill: Distill, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path.cwd()
    sections = make(monkeypatch)
    said = distill("run", sums(here, **sections), "--yes", "--display", "none")
    assert (said.code, said.out) == (code, "")
    text = re.sub(r":\d{4,5}/v1", ":PORT/v1", said.err).replace(f"{here}/", "")
    same_as_file(CASES / f"{name}.txt", re.sub(r"in \d+ s", "in N s", text))


ERRORS: dict[str, Any] = {
    "plugin": PluginError("source `./mine.py:rows` failed", where="mine.py:7", cause="KeyError: 'a'"),
    "contract": ContractError("`mine.py` has no `rows`", where="./mine.py:rows", help="did you mean `row`?"),
    "locked": LedgerError("`runs/x` is in use", cause="process 4711 writes to it", help="wait for it, or stop it"),
    "disk": DiskFull(
        "no space left while writing runs/x/ledger.db", state="871 rows settled", help="free about 120 MB, then again"
    ),
    "stopped": Stopped("the budget is spent", limit="usd", state="nothing is lost"),
    "usage": UsageError("no run `x`"),
    "hostile": TeacherError("it said \x1b[2J\u202eevil\n  and more", cause="\x00"),
}


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_is_rendered_as_its_file_says(name: str) -> None:
    assert is_for_people(ERRORS[name])
    same_as_file(CASES / f"{name}.txt", render_error(ERRORS[name]) + "\n")


def test_exit_codes_are_the_documented_ones() -> None:
    codes = {name: exit_code(error) for name, error in ERRORS.items()}
    assert codes == {
        "plugin": 2,
        "contract": 2,
        "locked": 3,
        "disk": 4,
        "stopped": 4,
        "usage": 2,
        "hostile": 3,
    }
    assert exit_code(KeyError("x")) == 2


def test_a_warning_has_the_same_form() -> None:
    warned = Warned("source", "3 malformed rows", where="q.jsonl:4", cause="not JSON", help="`on_bad_row: stop`")
    assert render_warning(warned).splitlines() == [
        "warning[source]: 3 malformed rows",
        "  --> q.jsonl:4",
        "   = cause: not JSON",
        "   = help: `on_bad_row: stop`",
    ]


def test_colours_only_when_asked_for() -> None:
    assert "\033[" not in render_error(ERRORS["disk"])
    coloured = render_error(ERRORS["disk"], color=True)
    assert coloured.startswith("\033[31;1merror[disk]\033[0m: ")


def test_an_unforeseen_error_says_so_and_keeps_secrets() -> None:
    text = render_unexpected(KeyError("sk-planted"), None, redact=lambda text: text.replace("sk-planted", "${KEY}"))
    assert text.splitlines()[0] == "error[internal]: KeyError: '${KEY}'"
    assert "sk-planted" not in text
    assert not is_for_people(KeyError("x"))
