"""The documentation says what is so: its recipes load, its snippets run, its commands and links exist."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from distill.cli.root import cli
from distill.recipe import load_recipe

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / "distill").rglob("README.md"), *(ROOT / "recipes").rglob("*.md")]
    if "shipped" not in page.parts
)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_recipe_explained_line_by_line_is_one() -> None:
    (whole,) = [block for block in blocks(ROOT / "README.md", "yaml") if block.startswith("name:")]
    recipe = load_recipe(yaml.safe_load(whole), base=ROOT / "samples" / "graph_sql")
    assert recipe.name == "graph_sql" and [check.use for check in recipe.verify] == ["think", "graph_sql"]


def test_the_teacher_section_to_paste_is_one() -> None:
    (section,) = [yaml.safe_load(b) for b in blocks(ROOT / "README.md", "yaml") if b.startswith("teacher:")]
    recipe = load_recipe(
        {"name": "x", "source": {"use": "files", "path": "q.jsonl"}, **section}, env={"TEACHER_API_KEY": "k"}
    )
    assert recipe.teacher.use == "openai"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist_with_their_flags(page: Path) -> None:
    for line in (line for block in blocks(page, "console") for line in block.splitlines()):
        for command in re.findall(r"(?:^\$ |&& )(distill .*?)(?= #| && |$)", line):
            words = shlex.split(command)[1:]
            found = cli.get_command(click.Context(cli), words[0])
            assert found is not None, command
            known = {option for parameter in found.params for option in parameter.opts}
            assert {word for word in words if word.startswith("-")} <= known, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_snippets_of_the_engine_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.jsonl").write_text('{"question": "1+1?"}\n')
    (tmp_path / "replies.jsonl").write_text('{"question": "1+1?", "reasoning": "One and one.", "content": "2"}\n')
    (snippet,) = blocks(ROOT / "distill" / "README.md", "python")
    exec(compile(snippet, "distill/README.md", "exec"), {})
    assert (tmp_path / "runs" / "sums" / "data").is_dir()
