"""Hostile and broken queries: whatever comes in, only GraphSqlError comes out, and nothing changes."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verify.graph_sql import GraphRunError, GraphSqlError, load

SMALL = Path(__file__).parent / "cases" / "small.sql"
PATTERN = "GRAPH_TABLE (g MATCH (a IS person)-[k IS knows]->{1,2}(b) WHERE a.id > 0 COLUMNS (a.id, COUNT(k.id) AS n))"
QUERY = f"SELECT t.id, t.n FROM {PATTERN} t WHERE t.id < 3 ORDER BY t.id FETCH FIRST 2 ROWS ONLY"


@pytest.fixture(scope="module")
def db() -> Any:
    return load(SMALL)


HOSTILE = [
    "COPY person TO 'stolen.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM duckdb_tables",
    "ATTACH 'x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "SET enable_external_access = true",
    "CREATE TABLE evil (x INT)",
    "DROP TABLE person",
    "INSERT INTO person VALUES (9, 'x', 1, 'y')",
    "UPDATE person SET name = 'x'",
    "DELETE FROM person",
    "WITH d AS (DELETE FROM person RETURNING *) SELECT * FROM d",
    "SELECT 1 FROM dual; DROP TABLE person",
    "SELECT * INTO evil FROM person",
    "SELECT * FROM person FOR UPDATE",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1 FROM dual",
    "BEGIN",
    "SELECT getenv('HOME') FROM dual",
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000 + " FROM dual",
    "SELECT 1 FROM dual WHERE " + " AND ".join(["1 = 1"] * 20_000),
    "SELECT 1 FROM dual WHERE " + " OR ".join(["1 = 1"] * 1_600),
    "SELECT " + "-" * 1_000 + "1 FROM dual",
    "SELECT " + "- " * 2_000 + "1 FROM dual",
    "SELECT " + "NOT " * 2_000 + "TRUE FROM dual",
    "SELECT " + "CASE WHEN TRUE THEN " * 800 + "1" + " END" * 800 + " FROM dual",
    "SELECT * FROM " + "(SELECT * FROM " * 200 + "person" + ")" * 200,
    f"SELECT * FROM {PATTERN.replace('{1,2}', '{1,99999}')}",
    f"SELECT * FROM {PATTERN.replace('{1,2}', '{1,99999999999999999999}')}",
    "SELECT * FROM GRAPH_TABLE (g MATCH " + "(a)-[]->" * 200 + "(b) COLUMNS (b.id))",
    "SELECT * FROM GRAPH_TABLE (g MATCH ()-[]-()-[]-()-[]-()-[]-()-[]-()-[]-()-[]-()-[]-() COLUMNS (1 AS x))",
    "SELECT a.id FROM person a, person b, person c, person d, person e, person f, person h",
    "\x00SELECT 1 FROM dual",
    "SELECT \ud800 FROM dual",
    "'",
    '"',
    "/*",
    "SELECT 'x FROM dual",
    "",
    " ;; ",
    "\ufeff",
    "GRAPH_TABLE",
    "SELECT * FROM GRAPH_TABLE",
    "SELECT * FROM GRAPH_TABLE (",
    "SELECT * FROM GRAPH_TABLE ()",
    "SELECT * FROM GRAPH_TABLE (g MATCH",
    "SELECT * FROM GRAPH_TABLE (g MATCH (a IS",
    "SELECT * FROM graph_table__0",
]


@pytest.mark.parametrize("sql", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_queries_are_refused(db: Any, sql: str) -> None:
    with pytest.raises(GraphSqlError):
        db.query(sql)
    assert db.query("SELECT COUNT(*) FROM person").rows == [(4,)]


def test_a_huge_result_is_cut_by_the_row_limit(db: Any) -> None:
    joined = ", ".join(f"person p{number}" for number in range(8))
    with pytest.raises(GraphRunError, match="more than 10,000 rows"):
        db.query(f"SELECT 1 FROM {joined}")


SOAK_MUTANTS = 20_000
PIECES = """( ) [ ] -> <- - { } , . ' " IS NOT NULL WHERE * % COLUMNS MATCH SELECT AS -- /* :x ? $1 ONE ROW PER STEP 0
9e9 ， a.id"""


def test_mutated_queries_raise_nothing_else(db: Any) -> None:
    mutate(db, random.Random(7), 1_500)


@pytest.mark.soak
def test_many_more_mutated_queries(db: Any, soak_table: Callable[[str, int, str], None]) -> None:
    mutate(db, random.Random(), SOAK_MUTANTS)
    soak_table("queries with pieces of text changed", SOAK_MUTANTS, "rows or a GraphSqlError")


def mutate(db: Any, rng: random.Random, count: int) -> None:
    pieces = PIECES.split()
    for _ in range(count):
        text = QUERY
        for _ in range(rng.randint(1, 4)):
            at, end = sorted(rng.sample(range(len(text) + 1), 2))
            end = min(end, at + rng.choice([0, 1, 3, 12]))
            text = text[:at] + rng.choice([*pieces, "", f" {rng.choice(pieces)} "]) + text[end:]
        try:
            db.check(text)
            db.query(text, {"x": 1})
        except GraphSqlError as error:
            assert str(error)
