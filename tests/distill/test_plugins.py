"""Plug-ins: what a `use:` finds, what it imports and when, and how options reach it."""

import asyncio
import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from distill import plugins
from distill.errors import PluginError
from distill.recipe import Plugin, VerifyConfig, load_recipe
from distill.records import Request, Row
from distill.shelf import shipped_recipes
from verify.contract import Case, Check, run_check

MINE = """
from pathlib import Path

def rows(*, path: Path, most: int = 3):
    return [{"prompt": line} for line in path.read_text().split()][:most]

def prompt(question, meta, *, book: Path):
    return book.read_text() + question

class Teacher:
    base = None
    def __init__(self, *, book: Path, notes: Path | None = None):
        self.book, self.notes = book, notes

def check(case, *, most: int):
    return None

raise_on_call = 1
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "words.txt").write_text("a b c d", encoding="utf-8")
    (tmp_path / "bank.txt").write_text("BANK ", encoding="utf-8")
    return tmp_path


def section(use: str, **options: Any) -> Plugin:
    return Plugin.model_validate({"use": use, **options})


def test_every_name_in_the_table_is_there_and_documented() -> None:
    for kind, name in plugins.TABLE:
        assert plugins.load(kind, name).__doc__, f"{kind} {name}"


def test_a_source_gets_absolute_paths_and_its_options(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    source = plugins.build("source", section("./mine.py:rows", path="words.txt", most="2"), base=base)
    assert source() == [{"prompt": "a"}, {"prompt": "b"}]


def test_a_prompt_is_filled_from_the_row(base: Path) -> None:
    prompt = plugins.build("prompt", section("./mine.py:prompt", book="{graph}.txt"), base=base)
    assert prompt("why?", {"graph": "bank"}) == "BANK why?"
    with pytest.raises(Exception, match="not a plain name"):
        prompt("why?", {"graph": "../words"})


def test_a_teacher_keeps_templates_and_learns_where_it_lives(base: Path) -> None:
    teacher = plugins.build("teacher", section("./mine.py:Teacher", book="{graph}.txt", notes="n.txt"), base=base)
    assert (teacher.book, teacher.notes, teacher.base) == ("{graph}.txt", base / "n.txt", base)


def test_a_verifier_becomes_a_check(base: Path) -> None:
    config = VerifyConfig.model_validate(
        {"use": "./mine.py:check", "most": 3, "required": True, "when": {"category": "A"}}
    )
    check = plugins.build("verifier", config, base=base)
    assert isinstance(check, Check)
    assert (check.name, check.required, check.options, check.when) == ("check", True, {"most": 3}, {"category": ["A"]})


@pytest.mark.parametrize(
    ("kind", "use", "options", "message"),
    [
        ("source", "./mine.py:rows", {"paht": "x"}, "unknown option `paht` for `rows`"),
        ("source", "./mine.py:rows", {}, "`rows` needs the option `path`"),
        ("source", "./mine.py:rows", {"path": "x", "most": "many"}, "option `most` of `rows`"),
        ("source", "./mine.py:row", {}, "`./mine.py` has no `row`"),
        ("source", "./their.py:rows", {}, "no file `their.py`"),
        ("source", "no_such_package.x:rows", {}, "cannot import `no_such_package.x`"),
        ("source", "fils", {}, "no source `fils`"),
        ("verifier", "./mine.py:check", {"least": 3}, "unknown option `least` for `check`"),
    ],
)
def test_what_does_not_fit_is_an_error_with_a_place(
    base: Path, kind: Any, use: str, options: dict[str, Any], message: str
) -> None:
    model = VerifyConfig if kind == "verifier" else Plugin
    with pytest.raises(PluginError) as caught:
        plugins.build(kind, model.model_validate({"use": use, **options}), base=base, where="here")
    assert str(caught.value).startswith(message)
    assert caught.value.where or caught.value.help


def test_a_file_that_fails_while_imported_says_what_it_raised(base: Path) -> None:
    (base / "broken.py").write_text("1 / 0", encoding="utf-8")
    with pytest.raises(PluginError, match="failed while being imported") as caught:
        plugins.build("source", section("./broken.py:rows"), base=base)
    assert caught.value.cause == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("use", ["./evil.py:f", "evil.py:f", "verify.py:f", "distill/evil.py:f", "evil.mod:f"])
def test_loading_a_recipe_imports_nobody_elses_code(tmp_path: Path, use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's file that would leave a trace if it were imported, under names that look like ours too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("evil.py", "verify.py", "distill/evil.py", "evil/mod.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\ndef f(): ...\n", encoding="utf-8")
    recipe = load_recipe(
        {"name": "x", "source": use, "teacher": {"use": use, "k": 1}, "strategy": use, "verify": use}, base=tmp_path
    )
    assert [place for place, _ in plugins.user_code(recipe)] == ["source.0", "strategy", "teacher", "verify.0"]
    assert not (tmp_path / "trace").exists()


def test_our_own_plugins_are_not_listed_as_others_code() -> None:
    assert plugins.user_code(load_recipe("graph_sql")) == []
    named = plugins.user_code(load_recipe("custom/prompt"))
    assert named == [("source.0.prompt", "./prompt.py:reading")]


def test_installed_plugins_are_known_by_name_and_count_as_others_code(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("parrot", "parrots.teach:Parrot", "distill.teacher")
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda *, group: [point] if group == "distill.teacher" else []
    )
    assert "parrot" in plugins.names("teacher")
    assert plugins.locate("teacher", "parrot") == "parrots.teach:Parrot"
    recipe = load_recipe({"name": "x", "source": "./a.py:f", "teacher": {"use": "parrot", "loud": True}})
    assert ("teacher", "parrot") in plugins.user_code(recipe)


def test_every_example_of_a_plugin_does_what_it_says() -> None:
    base = shipped_recipes()["custom/source"].parent
    source = plugins.build("source", load_recipe("custom/source").source[0], base=base)
    assert next(iter(source())) == {"prompt": "What is 2 + 3?", "answer": "5", "category": "sums"}
    teacher = plugins.build("teacher", load_recipe("custom/teacher").teacher, base=base)
    message = {"role": "user", "content": "What is 2 + 3?"}
    reply = asyncio.run(teacher.attempt(Request("answer", Row.make("What is 2 + 3?"), [message])))
    assert reply.message["content"] == "5" and reply.message["reasoning_content"].startswith("With pleasure.")
    strategy = plugins.build("strategy", load_recipe("custom/strategy").strategy, base=base)
    row = Row.make("What is 2 + 3?")
    assert strategy.messages(row)[0]["content"].endswith("Answer: <the answer alone>")
    trace = strategy.trace(row, type(reply)({"content": "2, then 3 more.\nAnswer: 5"}))
    assert (trace.thinking, trace.answer, trace.finished) == ("2, then 3 more.", "5", True)


def test_the_example_verifiers_tell_right_from_wrong() -> None:
    recipe = load_recipe("custom/verifier")
    brief, grounded = [plugins.build("verifier", one, base=recipe.base) for one in recipe.verify[1:]]

    class Here:
        async def run(self, spec: str, args: Any, options: Any, *, timeout: float) -> Any:
            return brief.function(*args, **options) if spec == brief.spec else grounded.function(*args, **options)

    def verdict(check: Check, answer: str, thinking: str | None) -> str:
        case = Case("q", "c", thinking, answer)
        return asyncio.run(run_check(check, case, pool=Here())).status.value

    assert (verdict(brief, "165", ""), verdict(brief, "x" * 41, "")) == ("pass", "fail")
    said = [verdict(grounded, "165", thinking) for thinking in ("45 + 120 = 165", "I guess", None)]
    assert said == ["pass", "fail", "skip"]
