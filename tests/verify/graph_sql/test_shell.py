"""The README's table, and the commands of `python -m verify.graph_sql`."""

from pathlib import Path

import pytest

import verify.graph_sql
from verify.graph_sql.__main__ import main
from verify.graph_sql.features import features_table

SMALL = str(Path(__file__).parent / "cases" / "small.sql")
FIRMS = "SELECT n FROM GRAPH_TABLE (g MATCH (a IS firm) COLUMNS (a.name AS n)) ORDER BY n"


def test_the_readme_shows_the_table_the_parser_uses() -> None:
    readme = Path(verify.graph_sql.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert features_table() in readme


def test_run_prints_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", SMALL, FIRMS]) == 0
    assert capsys.readouterr().out.split() == ["n", "Acme", "Bolt"]


def test_check_says_where_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", SMALL, FIRMS]) == 0
    assert main(["check", SMALL, FIRMS.replace("firm", "farm")]) == 2
    assert "did you mean firm?" in capsys.readouterr().err


def test_compare_tells_by_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", SMALL, FIRMS, FIRMS.replace("a.name", "UPPER(a.name)")]) == 1
    assert "not expected: ('ACME',)" in capsys.readouterr().out
    assert main(["compare", SMALL, FIRMS, FIRMS]) == 0


def test_lower_prints_plain_sql(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lower", SMALL, FIRMS]) == 0
    assert "GRAPH_TABLE (" not in capsys.readouterr().out
