"""Quantifiers as recursive queries: the same rows as unrolled, and as counted by hand-written recursion."""

import itertools
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from verify.graph_sql import GraphCannotRun, GraphRunError, load
from verify.graph_sql.bind import OUTSIDE, bind_query
from verify.graph_sql.expand import quantifiers
from verify.graph_sql.lower import lower_walked
from verify.graph_sql.lower_walks import why_no_walk
from verify.graph_sql.outer import lower_outer
from verify.graph_sql.parse import parse_query

from .test_matcher import GRAPHS, loaded, patterns, statement
from .test_matcher import Test as Condition

Condition.__test__ = False  # type: ignore[attr-defined]
MOST_ROWS = 2_000
LONGEST = 6_000
"""Longest SQL in characters: beyond it planning takes longer than the rest of the test."""


def rows_of(db: Any, sql: str, *, walked: bool) -> "Counter[tuple[Any, ...]]":
    """The rows with every quantifier walked, or with every one unrolled."""
    query = parse_query(sql)
    (bound,) = bind_query(query, db.catalog)
    scopes = frozenset(scope for scope in quantifiers(bound) if scope > OUTSIDE) if walked else frozenset()
    if reason := why_no_walk(bound, scopes):
        raise GraphCannotRun(reason)
    text = lower_outer(query, [bound], [lower_walked(bound, db.types, scopes)])
    if len(text) > LONGEST:
        raise GraphCannotRun("too long for a test")
    return Counter(db._connection.execute(text).fetchmany(MOST_ROWS))


@given(st.integers(0, GRAPHS - 1), patterns())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_walked_and_unrolled_are_the_same(seed: int, pattern: Any) -> None:
    paths, where, rows = pattern
    text = statement(paths, where, rows)
    assume(re.search(r"\{\d,\d\}", text))
    _, db = loaded(seed)
    try:
        walked = rows_of(db, text, walked=True)
        unrolled = rows_of(db, text, walked=False)
    except GraphCannotRun:
        assume(False)
    assert sum(unrolled.values()) == MOST_ROWS or walked == unrolled


def grid(count: int, edges: list[tuple[int, int]]) -> str:
    vertices = ", ".join(f"({one})" for one in range(count))
    rows = ", ".join(f"({at}, {one}, {other})" for at, (one, other) in enumerate(edges))
    return f"""CREATE TABLE v (id INTEGER PRIMARY KEY); INSERT INTO v VALUES {vertices};
    CREATE TABLE e (id INTEGER PRIMARY KEY, s INTEGER, t INTEGER); INSERT INTO e VALUES {rows};
    CREATE PROPERTY GRAPH g VERTEX TABLES (v) EDGE TABLES (
      e SOURCE KEY (s) REFERENCES v (id) DESTINATION KEY (t) REFERENCES v (id));"""


def distances(count: int, edges: list[tuple[int, int]], least: int) -> set[tuple[int, int, int]]:
    """The length of the shortest walk of at least `least` edges, by trying every length."""
    found: dict[tuple[int, int], int] = {}
    ends = {(one, one) for one in range(count)}
    for length in range(count + least + 1):
        if length >= least:
            for pair in ends:
                found.setdefault(pair, length)
        ends = {(start, t) for start, end in ends for s, t in edges if s == end}
    return {(start, end, length) for (start, end), length in found.items()}


GRAPHS_BY_HAND = st.integers(1, 5).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), min_size=1, max_size=7),
    )
)


@given(GRAPHS_BY_HAND, st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_any_shortest_has_the_right_lengths(graph: tuple[int, list[tuple[int, int]]], least: int) -> None:
    count, edges = graph
    db = load(grid(count, edges), "standard")
    rows = db.query(
        f"SELECT * FROM GRAPH_TABLE (g MATCH ANY SHORTEST (a)-[k]->{{{least},}}(b) COLUMNS (a.id AS a, b.id AS b, "
        "COUNT(k.id) AS n))"
    ).rows
    assert set(rows) == distances(count, edges, least)
    assert len(rows) == len(set(rows))


def trails(edges: list[tuple[int, int]], start: int) -> list[tuple[int, ...]]:
    """Every way from a vertex that uses no edge twice, as the numbers of its edges."""
    found: list[tuple[int, ...]] = [()]
    for way in found:
        here = edges[way[-1]][1] if way else start
        found += [(*way, at) for at, (source, _) in enumerate(edges) if source == here and at not in way]
    return found


@given(GRAPHS_BY_HAND)
@settings(max_examples=20, deadline=None)
def test_trails_are_all_there_and_each_once(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    db = load(grid(count, edges[:6]), "standard")
    rows = db.query(
        "SELECT * FROM GRAPH_TABLE (g MATCH TRAIL (a)-[k]->*(b) COLUMNS (a.id AS a, LISTAGG(k.id, ',') AS way))"
    ).rows
    expected = [(start, ",".join(map(str, way)) or None) for start in range(count) for way in trails(edges[:6], start)]
    assert Counter(rows) == Counter(expected)


def test_a_search_over_a_large_cycle_ends() -> None:
    size = 60
    db = load(grid(size, [(one, (one + 1) % size) for one in range(size)]), "standard")
    query = "SELECT MAX(n), COUNT(*) FROM GRAPH_TABLE (g MATCH ANY SHORTEST (a)-[k]->+(b) COLUMNS (COUNT(k.id) AS n))"
    assert db.query(query).rows == [(size, size * size)]


@pytest.mark.parametrize("most", [9, 40, 200])
def test_a_wide_quantifier_is_walked_and_no_longer_refused(most: int) -> None:
    edges = list(itertools.pairwise(range(12)))
    db = load(grid(12, edges))
    query = f"SELECT COUNT(*) FROM GRAPH_TABLE (g MATCH (a)-[k]->{{1,{most}}}(b) COLUMNS (COUNT(k.id) AS n))"
    expected = sum(1 for one, other in itertools.combinations(range(12), 2) if other - one <= most)
    assert db.query(query).rows == [(expected,)]
    assert "RECURSIVE" in db.lower(query)


def test_paths_that_multiply_without_end_are_given_up() -> None:
    db = load(grid(3, [(one, other) for one in range(3) for other in range(3)]))
    with pytest.raises(GraphRunError, match="too many paths"):
        db.query("SELECT * FROM GRAPH_TABLE (g MATCH (a)-[k]->{1,60}(b) COLUMNS (COUNT(k.id) AS n))")


def test_which_shortest_path_is_returned_is_not_judged() -> None:
    from verify.graph_sql.judge import is_determined
    from verify.graph_sql.parse import parse_query

    def determined(prefix: str) -> bool:
        columns = "COLUMNS (b.id AS target)"
        sql = f"SELECT * FROM GRAPH_TABLE (g MATCH {prefix} (a IS v)-[e IS e]->*(b IS v) {columns}) x"
        return is_determined(parse_query(sql, dialect="duckpgq"))

    assert not determined("ANY SHORTEST")
