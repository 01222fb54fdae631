"""Who may import whom, read from the source, and what importing costs, seen from outside."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("distill", "verify", "train")
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))

HOMES = {
    "aiohttp": ("distill/teachers/",),
    "click": ("distill/cli/",),
    "duckdb": ("verify/graph_sql/",),
    "rich": ("distill/display.py",),
    "sqlglot": ("verify/graph_sql/", "distill/teachers/symbolic/", "distill/rephrase.py"),
    "sqlite3": ("distill/ledger/",),
    "tenacity": ("distill/pace.py",),
}
"""Third-party packages with one place: nobody else may import them, at module level or inside a function."""

HEAVY = ("datasets", "duckdb", "openai", "sqlglot", "torch", "transformers")
"""Never imported by `import distill` or `distill --help`."""

NEVER_AT_THE_TOP = ("datasets", "httpx", "huggingface_hub", "math_verify", "openai", "rich", "torch", "transformers")
"""Only ever imported inside the function that needs them."""


@dataclass(frozen=True)
class Import:
    """One module named by an import statement."""

    importer: str
    line: int
    name: str
    lazy: bool
    """Inside a function, or for type checkers only."""

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.name}{' (lazily)' if self.lazy else ''}"


class _Finder(ast.NodeVisitor):
    def __init__(self, path: Path) -> None:
        self.importer = path.relative_to(ROOT).as_posix()
        self.parts = path.relative_to(ROOT).with_suffix("").parts
        self.depth = 0
        self.found: list[Import] = []

    def _nested(self, node: ast.AST) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _nested  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        typing_only = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        (self._nested if typing_only else self.generic_visit)(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = ".".join(self.parts[: -node.level]) if node.level else ""
        self._add(node.lineno, ".".join(filter(None, [base, node.module])))

    def _add(self, line: int, name: str) -> None:
        self.found.append(Import(self.importer, line, name, self.depth > 0))


@cache
def imports() -> tuple[Import, ...]:
    def read(path: Path) -> Iterator[Import]:
        finder = _Finder(path)
        finder.visit(ast.parse(path.read_text(encoding="utf-8")))
        yield from finder.found

    return tuple(one for path in MODULES for one in read(path))


def of(package: str) -> list[Import]:
    return [one for one in imports() if one.importer.startswith(f"{package}/")]


def told(found: list[Import]) -> list[str]:
    return [str(one) for one in found]


def test_verify_and_train_know_nothing_of_distill() -> None:
    assert told([one for one in of("verify") if one.package in ("distill", "train")]) == []
    assert told([one for one in of("train") if one.package == "distill"]) == []


def test_distill_reaches_train_lazily_and_from_its_edges_only() -> None:
    edges = ("distill/cli/", "distill/__init__.py", "distill/api.py")
    wrong = [
        one for one in of("distill") if one.package == "train" and not (one.lazy and one.importer.startswith(edges))
    ]
    assert told(wrong) == []


def test_nobody_imports_the_command_line() -> None:
    wrong = [
        one
        for one in imports()
        if one.name.startswith("distill.cli") and not one.importer.startswith(("distill/cli/", "distill/__main__.py"))
    ]
    assert told(wrong) == []


def test_the_ledger_the_records_and_the_errors_know_nothing_of_what_uses_them() -> None:
    low = ("distill/records.py", "distill/errors.py", "distill/ledger/", "distill/events.py")
    allowed = ("distill.records", "distill.errors", "distill.ledger", "distill.events", "verify.contract")
    wrong = [
        one
        for one in of("distill")
        if one.importer.startswith(low) and one.package in PACKAGES and not one.name.startswith(allowed)
    ]
    assert told(wrong) == []


@pytest.mark.parametrize("package", HOMES)
def test_a_package_with_one_place_stays_there(package: str) -> None:
    found = [one for one in imports() if one.package == package]
    assert found, f"nobody imports {package}"
    assert told([one for one in found if not one.importer.startswith(HOMES[package])]) == []


def test_heavy_packages_are_imported_where_they_are_needed() -> None:
    assert told([one for one in imports() if one.package in NEVER_AT_THE_TOP and not one.lazy]) == []


def test_verify_and_train_import_their_own_relatively_and_distill_absolutely() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    own = bool(node.level) or (node.module or "").partition(".")[0] == package
                    assert not own or bool(node.level) == (package != "distill"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def imported_by(code: str) -> set[str]:
    """The heavy packages that are loaded after `code` ran in a process of its own."""
    show = f"import sys; {code}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_import_distill_loads_nothing_heavy() -> None:
    assert imported_by("import distill; distill.__version__") == set()


def test_import_verify_loads_nothing_at_all() -> None:
    assert imported_by("import verify, sys; assert 'pydantic' not in sys.modules") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
from distill.cli import main
sys.argv[1:] = {arguments!r}
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert imported_by(f"exec({code!r})") == set()


def test_the_finder_sees_what_it_should(tmp_path: Path) -> None:
    finder = _Finder(ROOT / "verify" / "made_up.py")
    finder.visit(ast.parse("import a.b\nfrom .pool import x\ndef f():\n    import c\nif TYPE_CHECKING:\n    import d"))
    assert [(one.name, one.lazy) for one in finder.found] == [
        ("a.b", False),
        ("verify.pool", False),
        ("c", True),
        ("d", True),
    ]
