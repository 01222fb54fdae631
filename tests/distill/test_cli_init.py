"""`distill init`: the copied recipe works where it was copied to, and nothing is ever overwritten."""

from pathlib import Path

import pytest
import yaml

from distill.cli import run_command
from distill.recipe import load_recipe
from distill.shelf import shipped_recipes

EXAMPLES = [name for name in shipped_recipes() if name.startswith("custom/")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISTILL_RUNS", raising=False)
    monkeypatch.delenv("TEACHER_API_KEY", raising=False)


def test_there_is_a_runnable_example_of_every_kind_of_plugin() -> None:
    assert EXAMPLES == ["custom/prompt", "custom/source", "custom/strategy", "custom/teacher", "custom/verifier"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_copied_example_passes_its_check_and_keeps_every_row(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["init", "mine", "--from", name]) == 0
    monkeypatch.chdir("mine")
    assert run_command(["check", "recipe.yaml"]) == 0, capsys.readouterr().out
    assert run_command(["run", "recipe.yaml"]) == 0
    assert "kept" in capsys.readouterr().out
    data = Path("runs/mine/data/train.jsonl").read_text(encoding="utf-8")
    assert data.count("<think>") == data.count("\n") >= 3
    rejected = Path("runs/mine/rejected.jsonl")
    assert not rejected.exists() or rejected.read_bytes() == b""


def test_graph_sql_is_copied_with_the_inputs_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_command(["init", "my graphs"]) == 0
    monkeypatch.chdir("my graphs")
    recipe = load_recipe("recipe.yaml")
    assert recipe.name == "my_graphs"
    assert recipe.source[0].options["path"] == "samples/graph_sql/reference.md"
    assert recipe.teacher.options["database"] == "samples/graph_sql/{graph}.sql"
    assert Path("samples/graph_sql/bank.sql").is_file() and Path("samples/graph_sql/lexicon.yaml").is_file()
    written = Path("recipe.yaml").read_text(encoding="utf-8")
    original = shipped_recipes()["graph_sql"].read_text(encoding="utf-8")
    assert written.replace("my_graphs", "graph_sql", 1) == original.replace("../samples/", "samples/")


def test_the_copied_graph_sql_passes_its_check_and_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["init", "mine", "--from", "graph_sql"]) == 0
    monkeypatch.chdir("mine")
    assert run_command(["check", "recipe.yaml"]) == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert "graph_sql accepts" in shown and "fail" not in shown
    assert run_command(["run", "recipe.yaml", "-n", "2"]) == 0
    prompt = Path("runs/mine/data").glob("*.jsonl")
    assert any("<think>" in path.read_text(encoding="utf-8") for path in prompt)


def test_the_example_check_can_be_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run_command(["init", "mine", "--from", "graph_sql"])
    monkeypatch.chdir("mine")
    text = Path("recipe.yaml").read_text(encoding="utf-8")
    switched = text.replace("  # - use: ./checks.py", "  - use: ./checks.py").replace(
        "  #   most: 100", "    most: 100"
    )
    assert switched != text
    Path("recipe.yaml").write_text(switched, encoding="utf-8")
    assert load_recipe("recipe.yaml").verify[-1].options == {"most": 100}
    assert run_command(["run", "recipe.yaml", "-n", "1"]) == 0
    (provenance,) = list(Path("runs/mine/provenance").glob("*.jsonl"))[:1]
    assert '"row_limit":{"status":"pass"' in provenance.read_text(encoding="utf-8").replace(" ", "")


def test_nothing_is_overwritten_without_force(capsys: pytest.CaptureFixture[str]) -> None:
    Path("checks.py").write_text("mine", encoding="utf-8")
    assert run_command(["init", "--from", "custom/source"]) == 2
    assert "error[usage]: already there: checks.py" in capsys.readouterr().err
    assert Path("checks.py").read_text(encoding="utf-8") == "mine"
    assert not Path("recipe.yaml").exists()
    assert run_command(["init", "--from", "custom/source", "--force"]) == 0
    assert "row_limit" in Path("checks.py").read_text(encoding="utf-8")


def test_a_recipe_of_ones_own_is_copied_too_and_its_code_is_not_run() -> None:
    mine = Path("a/recipes")
    mine.mkdir(parents=True)
    Path("a/seeds.jsonl").write_text("{}\n", encoding="utf-8")
    (mine / "code.py").write_text("open('trace', 'w')\n", encoding="utf-8")
    recipe = {"name": "x", "source": {"use": "./code.py:f", "path": "../seeds.jsonl"}, "teacher": "./code.py:T"}
    (mine / "x.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert run_command(["init", "b", "--from", "a/recipes/x.yaml"]) == 0
    assert sorted(str(path) for path in Path("b").rglob("*") if path.is_file()) == [
        "b/.env.example",
        "b/checks.py",
        "b/code.py",
        "b/recipe.yaml",
        "b/seeds.jsonl",
    ]
    assert load_recipe("b").source[0].options["path"] == "seeds.jsonl"
    assert not Path("trace").exists()


def test_keys_never_come_along() -> None:
    Path(".env").write_text("TEACHER_API_KEY=sk-planted\n", encoding="utf-8")
    assert run_command(["init", "mine", "--from", "graph_sql_openai"]) == 0
    assert not [path for path in Path("mine").rglob("*") if path.is_file() and b"sk-planted" in path.read_bytes()]
    assert "${TEACHER_API_KEY}" in Path("mine/recipe.yaml").read_text(encoding="utf-8")


def test_only_named_inputs_come_along_and_nothing_hidden(tmp_path: Path) -> None:
    (tmp_path / "proj").mkdir()
    for name in (".env", ".netrc", "diary.txt", "a.sql", "lexicon.yaml"):
        (tmp_path / name).write_text("secret")
    (tmp_path / "q.jsonl").write_text('{"question": "1+1?"}\n')
    recipe = {"name": "p", "source": {"use": "files", "path": "../q.jsonl"}, "teacher": {"use": "openai", "model": "m"}}
    recipe["verify"] = [{"use": "graph_sql", "database": "../{graph}.sql"}]
    (tmp_path / "proj" / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    assert run_command(["init", "out", "--from", "proj/recipe.yaml"]) == 0
    made = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert made == {"recipe.yaml", "checks.py", ".env.example", "q.jsonl", "a.sql", "lexicon.yaml"}
