"""The golden suite: every case is a few lines in `cases/*.txt`, and this file only reads and judges them.

A case is a query followed by a line that begins with `=>`. A query that begins with a parenthesis or a path prefix is
the inside of `SELECT * FROM GRAPH_TABLE (g MATCH … )`. What may follow `=>`:

    accept                          it parses and binds
    syntax @ place @ hint           refused while parsing; the error stands at the text `place`, its message or hint
    binding @ place @ hint          contains `hint`; both may be left out
    cannot run @ @ hint             parses and binds, cannot be executed here
    rows, then lines `| a | b`      the bag of rows; NULL is written as -
    ordered rows                    the rows in this order
    same, then another query        both return the same bag of rows, and at least one
    equal, then another query       `compare` calls them equal, on the script's rows and on generated ones
    differs, then another query     `compare` tells them apart

Lines `@dialect name` and `@database file` hold until the next one. `#` begins a comment.
"""

import datetime
import decimal
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from verify.graph_sql import GraphCannotRun, GraphSqlError, load

PAIRS = ("same", "equal", "differs")
CASES = Path(__file__).parent / "cases"


@dataclass
class GoldenCase:
    place: str
    dialect: str
    database: str
    query: str
    verdict: str
    rest: list[str] = field(default_factory=list)


def read_cases(path: Path) -> list[GoldenCase]:
    dialect, database = "oracle", "small.sql"
    cases: list[GoldenCase] = []
    query: list[str] = []
    collecting = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        if line.startswith("@dialect "):
            dialect = line.split()[1]
        elif line.startswith("@database "):
            database = line.split()[1]
        elif line.startswith("=>"):
            verdict = line[2:].strip()
            cases.append(GoldenCase(f"{path.stem}:{number}", dialect, database, "\n".join(query), verdict))
            query, collecting = [], True
        elif not line.strip():
            collecting = False
        elif collecting and (line.startswith("|") or cases[-1].verdict in PAIRS):
            cases[-1].rest.append(line)
        else:
            collecting = False
            query.append(line)
    assert not query, f"{path.name}: the last query has no verdict"
    return cases


ALL = [case for path in sorted(CASES.glob("*.txt")) for case in read_cases(path)]


@lru_cache
def database(name: str, dialect: str) -> Any:
    return load(CASES / name, dialect)


def whole(query: str) -> str:
    first = query.lstrip().split()[0].upper() if query.strip() else ""
    if first in ("SELECT", "WITH") or first.startswith(("(SELECT", "INSERT", "FROM", "```", "DELETE", "CREATE")):
        return query
    if query.startswith("!"):
        return query[1:]
    return f"SELECT * FROM GRAPH_TABLE (g MATCH {query})"


def shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, decimal.Decimal | float):
        return f"{float(value):.10g}"
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.place)
def test_case(case: GoldenCase) -> None:
    db = database(case.database, case.dialect)
    query = whole(case.query)
    kind, *details = [part.strip() for part in case.verdict.split("@")]
    if kind == "accept":
        db.check(query)
    elif kind in ("syntax", "binding"):
        check_refused(db, query, kind, details)
    elif kind == "cannot run":
        db.check(query)
        with pytest.raises(GraphCannotRun) as caught:
            db.query(query)
        assert all(detail in str(caught.value) for detail in details)
    elif kind == "same":
        other = whole("\n".join(case.rest))
        assert Counter(db.query(query).rows) == Counter(db.query(other).rows) != Counter()
    elif kind in ("equal", "differs"):
        compared = db.compare(query, whole("\n".join(case.rest)))
        assert compared.verdict == kind, compared
    else:
        check_rows(db, query, kind, case.rest)


def check_refused(db: Any, query: str, stage: str, details: list[str]) -> None:
    place, hint = [*details, "", ""][:2]
    with pytest.raises(GraphSqlError) as caught:
        db.check(query)
    error = caught.value
    assert error.stage == stage, f"{error.stage}: {error}"
    assert hint in str(error), str(error)
    if place:
        line = [*query.split("\n"), ""][error.line - 1]
        assert line[error.column - 1 :].startswith(place), f"{error} is at {line[error.column - 1 :]!r}"


def check_rows(db: Any, query: str, kind: str, expected: list[str]) -> None:
    db.check(query)
    rows = [tuple(shown(value) for value in row) for row in db.query(query).rows]
    wanted = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in expected]
    if kind == "ordered rows":
        assert rows == wanted
    else:
        assert kind == "rows"
        assert Counter(rows) == Counter(wanted)


def test_every_tree_writes_back_to_itself() -> None:
    accepted = [case for case in ALL if not case.verdict.startswith(("syntax", "binding"))]
    for case in accepted:
        db = database(case.database, case.dialect)
        tree = db.parse(whole(case.query))
        again = db.parse(tree.sql())
        if case.dialect != "googlesql":  # there the writer may quote names, which changes nothing
            assert (again.tables, again.outer) == (tree.tables, tree.outer), case.place
        assert again.sql() == tree.sql(), case.place
