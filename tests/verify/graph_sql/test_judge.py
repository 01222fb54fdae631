"""Generated rows and what a comparison says: the data has every trap, and a witness can be read."""

from pathlib import Path
from typing import Any

import pytest

from verify.graph_sql import GraphCannotRun, GraphSqlError, load

SMALL = Path(__file__).parent / "cases" / "small.sql"
GOLD = "SELECT x FROM GRAPH_TABLE (g MATCH (a IS person WHERE a.age > 33)-[k IS knows]->(b) COLUMNS (a.id AS x))"


@pytest.fixture(scope="module")
def db() -> Any:
    return load(SMALL)


def everything(db: Any, table: str) -> list[tuple[Any, ...]]:
    return [row for seed in range(6) for row in db.generate(seed, for_queries=[GOLD]).rows()[table]]


def test_the_same_seed_gives_the_same_rows(db: Any) -> None:
    first, second = (db.generate(3, for_queries=[GOLD]).rows() for _ in range(2))
    assert first == second
    assert first != db.generate(4, for_queries=[GOLD]).rows()


def test_boundaries_nulls_and_namesakes_occur(db: Any) -> None:
    people = everything(db, "PERSON")
    assert {32, 33, 34} <= {age for _, _, age, _ in people}
    assert any(name is None for _, name, _, _ in people)
    one = db.generate(0, for_queries=[GOLD]).rows()["PERSON"]
    assert len({row[0] for row in one}) == len(one) > 4


def test_parallel_reversed_looping_and_open_edges_occur(db: Any) -> None:
    ends = [(a, b) for _, a, b, _ in db.generate(0, for_queries=[GOLD]).rows()["KNOWS"]]
    for seed in range(1, 6):
        ends += [(a, b) for _, a, b, _ in db.generate(seed).rows()["KNOWS"]]
    assert any(a == b for a, b in ends)
    assert any(a is None or b is None for a, b in ends)
    assert any((b, a) in ends for a, b in ends if a != b)
    assert len(set(ends)) < len(ends)


def test_keys_stay_unique_and_whole(db: Any) -> None:
    for seed in range(6):
        owns = db.generate(seed).rows()["PERSON_OWNS"]
        keys = [row[:3] for row in owns]
        assert len(set(keys)) == len(keys)
        assert all(None not in key for key in keys)


def test_a_witness_names_rows_and_the_database_that_shows_them(db: Any) -> None:
    compared = db.compare(GOLD, GOLD.replace("> 33", ">= 33"))
    assert not compared
    assert compared.verdict == "differs"
    assert compared.seed is not None
    assert compared.reason.startswith("on generated rows")
    assert compared.unexpected and not compared.missing


def test_equal_text_needs_no_other_rows(db: Any) -> None:
    assert db.compare(GOLD, GOLD.replace("(a ", "(z ").replace("a.", "z.")).databases == 0
    assert db.compare(GOLD, GOLD.replace("a.age > 33", "NOT a.age <= 33")).databases == 6


def test_an_answer_without_order_by_is_not_sorted(db: Any) -> None:
    ordered = f"{GOLD} ORDER BY x"
    assert db.compare(ordered, ordered.replace("(a ", "(z ").replace("a.", "z."))
    people = "SELECT x FROM GRAPH_TABLE (g MATCH (a IS person) COLUMNS (a.id AS x))"
    compared = db.compare(f"{people} ORDER BY x", people)
    assert (compared.verdict, compared.seed) == ("differs", None)
    assert "no ORDER BY" in compared.reason


def test_row_number_is_compared_where_its_order_is_complete(db: Any) -> None:
    pattern = "GRAPH_TABLE (g MATCH (a IS person) COLUMNS (a.id AS x, a.age AS y))"
    numbered = f"SELECT x, ROW_NUMBER() OVER (ORDER BY {{}}) AS n FROM {pattern}"
    complete = numbered.format("y, x")
    assert db.compare(complete, complete.replace("IS person", "IS person WHERE 1 = 1")).databases > 2
    assert db.compare(complete, numbered.format("y, x DESC")).verdict == "differs"


def test_walks_that_fit_the_gold_are_planted(db: Any) -> None:
    gold = (
        "SELECT x FROM GRAPH_TABLE (g MATCH (a IS person WHERE a.town = 'Oslo' AND a.age = 77)"
        "-[k IS knows WHERE k.since = 1999]->{2}(b WHERE b.name = 'Zoe') COLUMNS (b.id AS x))"
    )
    found = [seed for seed in range(6) if db.generate(seed, for_queries=[gold]).query(gold).rows]
    assert len(found) >= 3


def test_a_broken_answer_is_an_error_and_a_broken_gold_raises(db: Any) -> None:
    broken = GOLD.replace("knows", "nows")
    assert db.compare(GOLD, broken).verdict == "error"
    with pytest.raises(GraphSqlError, match="did you mean knows"):
        db.compare(broken, GOLD)
    with pytest.raises(GraphCannotRun):
        db.compare(GOLD, GOLD.replace("a.id AS x", "score(a.id) AS x"))
