"""The wheel, installed where a stranger would, beside decoys named like its packages; and what constraints.txt pins."""

import json
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a clean environment with the wheel in it; its dependencies are lent by this one."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    install = ["-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel]
    done = run(sys.executable, *install, cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = home.glob("lib/python*/site-packages")
    lent = {str(metadata.distribution(name).locate_file("")) for name in ("click", "duckdb", "pydantic")}
    (packages / "lent.pth").write_text("\n".join(sorted(lent)) + "\n")
    return python.parent


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A working directory with a person's own `train.py` and `verify.py`."""
    for name in ("train.py", "verify.py"):
        (tmp_path / name).write_text("raise SystemExit('the decoy was imported')\n")
    return tmp_path


def test_the_wheel_holds_the_packages_the_recipes_and_the_samples_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "distill",
        "verify",
        "train",
        "distill_reasoning",
    }
    for source in ("recipes", "samples"):
        files = [path.relative_to(ROOT) for path in (ROOT / source).rglob("*") if path.is_file()]
        shipped = [path.as_posix() for path in files if "__pycache__" not in path.parts]
        assert shipped
        assert sorted(f"distill/shipped/{path}" for path in shipped) == sorted(
            name for name in names if name.startswith(f"distill/shipped/{source}/")
        )
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_command_runs_beside_decoys(installed: Path, crowded: Path) -> None:
    done = run(installed / "distill", "--version", cwd=crowded)
    assert done.returncode == 0, done.stderr
    assert PROJECT["version"] in done.stdout


@pytest.mark.kill
def test_the_embedded_recipe_runs_in_an_empty_directory_beside_decoys(installed: Path, crowded: Path) -> None:
    done = run(installed / "distill", "run", "graph_sql", "-n", "3", "--json", cwd=crowded)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kept"] > 0 and result["stopped_by"] is None
    run_dir = crowded / "runs" / "graph_sql"
    lines = [line for path in (run_dir / "data").glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == result["kept"]
    assert all("<think>" in json.loads(line)["completion"] for line in lines)
    assert (run_dir / "report.html").is_file() and (run_dir / "README.md").is_file()
    assert not list(crowded.rglob("__pycache__"))


def test_an_import_that_finds_the_decoy_is_refused_and_names_the_file(installed: Path, crowded: Path) -> None:
    done = run(installed / "python", "-c", "import distill", cwd=crowded)
    assert done.returncode != 0
    assert "verify.py" in done.stderr and "the decoy was imported" not in done.stderr


# ---------------------------------------------------------------- constraints.txt


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, _, version in found}


def needed() -> Iterator[str]:
    """Every package that the base install and the extra `dev`, which includes `test`, bring along here."""
    own = canonicalize_name(PROJECT["name"])
    extras = {
        canonicalize_name(name): list(map(Requirement, PROJECT["optional-dependencies"][name]))
        for name in PROJECT["optional-dependencies"]
    }
    todo = [*map(Requirement, PROJECT["dependencies"]), *extras["dev"]]
    seen: set[tuple[str, str]] = set()
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        if name == own:
            todo += [inner for extra in one.extras for inner in extras[canonicalize_name(extra)]]
            continue
        for extra in ("", *one.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                requires = map(Requirement, metadata.requires(name) or [])
                todo += [inner for inner in requires if not inner.marker or inner.marker.evaluate({"extra": extra})]
    yield from {name for name, _ in seen}


def test_every_direct_and_transitive_package_is_pinned() -> None:
    assert sorted(set(needed()) - set(pinned())) == []


def test_nothing_is_pinned_that_nobody_needs() -> None:
    assert sorted(set(pinned()) - set(needed())) == []


def test_pins_are_plain_versions() -> None:
    assert [version for version in pinned().values() if not re.fullmatch(r"\d[\w.]*", version)] == []
