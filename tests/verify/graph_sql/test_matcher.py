"""Random graphs and patterns: the rows of the lowered query against a matcher that walks the graph."""

import itertools
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from verify.graph_sql import GraphCannotRun, load
from verify.graph_sql.parse import parse_query

from .matcher import Arc, Element, Graph, Group, Match, Node, Term, Test, group_names, matches

Test.__test__ = False  # type: ignore[attr-defined]

EXAMPLES = 500
SOAK_EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "20000"))
GRAPHS = 12
MOST_ROWS = 2_000

VERTEX_LABELS = {"a": ("A", "N"), "b": ("B", "N"), "c": ("C",)}
EDGE_TABLES = {
    "e": ("a", "a", ("E", "X")),
    "f": ("a", "b", ("F", "X")),
    "h": ("b", "b", ("H",)),
    "k": ("b", "a", ("F",)),
}


def make_graph(seed: int) -> tuple[Graph, str]:
    """A graph of up to a dozen vertices with parallel edges, self-loops, NULLs and dangling ends, and its script."""
    rng = random.Random(seed)
    rows: dict[str, list[str]] = {}
    nodes: dict[str, list[Node]] = {}
    for table, labels in VERTEX_LABELS.items():
        nodes[table] = [
            Node(table, number, frozenset(labels), rng.choice([None, 0, 1, 1, 2, 3]))
            for number in range(1, rng.randint(2, 5))
        ]
        rows[table] = [f"({one.id}, {sql(one.p)})" for one in nodes[table]]
    arcs: list[Arc] = []
    for table, (source, target, labels) in EDGE_TABLES.items():
        rows[table] = []
        for number in range(1, rng.randint(2, 6)):
            p = rng.choice([None, 0, 1, 2])
            start, end = rng.choice([*nodes[source], None]), rng.choice([*nodes[target], None])
            if start and end:
                arcs.append(Arc(table, number, frozenset(labels), start, end, p))
            ends = [str(start.id) if start else "NULL", str(end.id) if end else rng.choice(["99", "NULL"])]
            rows[table].append(f"({number}, {', '.join(ends)}, {sql(p)})")
    every = tuple(one for table in nodes.values() for one in table)
    return Graph(every, tuple(arcs)), script(rows)


def sql(value: int | None) -> str:
    return "NULL" if value is None else str(value)


def script(rows: dict[str, list[str]]) -> str:
    lines = [f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, p INTEGER);" for table in VERTEX_LABELS]
    lines += [
        f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, s INTEGER, t INTEGER, p INTEGER);" for table in EDGE_TABLES
    ]
    lines += [f"INSERT INTO {table} VALUES {', '.join(values)};" for table, values in rows.items() if values]
    vertices = [f"{table} {labelled(labels)}" for table, labels in VERTEX_LABELS.items()]
    edges = [
        f"{table} SOURCE KEY (s) REFERENCES {source} (id) "
        f"DESTINATION KEY (t) REFERENCES {target} (id) {labelled(labels)}"
        for table, (source, target, labels) in EDGE_TABLES.items()
    ]
    lines.append(f"CREATE PROPERTY GRAPH g VERTEX TABLES ({', '.join(vertices)}) EDGE TABLES ({', '.join(edges)});")
    return "\n".join(lines)


def labelled(labels: tuple[str, ...]) -> str:
    return " ".join(f"LABEL {label} PROPERTIES (id, p)" for label in labels)


@lru_cache(maxsize=24)
def loaded(seed: int) -> tuple[Graph, Any]:
    graph, text = make_graph(seed)
    return graph, load(text)


# ---------------------------------------------------------------- patterns


@st.composite
def patterns(draw: st.DrawFn) -> tuple[list[list[Term]], Test | None, str]:
    names = Names()
    paths = [draw(paths_of(names)) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
    where = draw(conditions(names.singles)) if names.singles and draw(st.booleans()) else None
    rows = draw(st.sampled_from(["match", "match", "match", "vertex", "step"])) if len(paths) == 1 else "match"
    return paths, where, rows


class Names:
    """The variables of a pattern so far. Only single ones may be used again, and only for their own kind."""

    def __init__(self) -> None:
        self.vertices: list[str] = []
        self.edges: list[str] = []
        self.count = 0

    @property
    def singles(self) -> list[str]:
        return self.vertices + self.edges

    def fresh(self) -> str:
        self.count += 1
        return f"x{self.count}"


@st.composite
def paths_of(draw: st.DrawFn, names: Names) -> list[Term]:
    terms: list[Term] = []
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 9)) < 8:
            terms.append(draw(vertex(names)))
        if draw(st.integers(0, 4)) == 0:
            terms.append(draw(group(names)))
        else:
            terms.append(draw(edge(names)))
    if not terms or draw(st.integers(0, 9)) < 8:
        terms.append(draw(vertex(names)))
    return terms


@st.composite
def vertex(draw: st.DrawFn, names: Names) -> Element:
    variable = draw(st.sampled_from(["", "new", "new", "old"]))
    if variable == "old" and names.vertices:
        variable = draw(st.sampled_from(names.vertices))
    elif variable:
        variable = names.fresh()
        names.vertices.append(variable)
    labels = draw(st.sampled_from([(), (), ("A",), ("B",), ("N",), ("A", "B"), ("C",)]))
    return Element(variable, labels, own_test(draw, variable, names.singles))


@st.composite
def edge(draw: st.DrawFn, names: Names) -> Element:
    quantifier = draw(st.sampled_from([None, None, None, (1, 2), (0, 1), (2, 2), (0, 2), (1, 3)]))
    direction = draw(st.sampled_from(["right", "right", "left", "any"]))
    labels = draw(st.sampled_from([(), ("E",), ("E",), ("F",), ("X",), ("E", "H")]))
    variable = draw(st.sampled_from(["", "new", "new", "new", "old"]))
    if variable == "old" and names.edges and quantifier is None:
        variable = draw(st.sampled_from(names.edges))
    elif variable:
        variable = names.fresh()
        if quantifier is None:
            names.edges.append(variable)
    return Element(variable, labels, own_test(draw, variable, names.singles), direction, quantifier)


@st.composite
def group(draw: st.DrawFn, names: Names) -> Group:
    local = Names()
    local.count = names.count
    first, last = draw(vertex(local)), draw(vertex(local))
    middle = [Element(one.variable, one.labels, one.where, one.direction) for one in [draw(edge(local))]]
    names.count = local.count
    inner = {one.variable for one in (first, *middle, last) if one.variable}
    where = draw(conditions(sorted(inner) + names.singles)) if inner and draw(st.booleans()) else None
    return Group((first, *middle, last), where, draw(st.sampled_from([(1, 1), (1, 2), (0, 1), (2, 2), (0, 2)])))


def own_test(draw: st.DrawFn, variable: str, others: list[str]) -> Test | None:
    if not variable or draw(st.integers(0, 2)):
        return None
    test = draw(conditions([variable]))
    if others and draw(st.integers(0, 3)) == 0:
        return Test(test.left, "<>", draw(st.sampled_from(others)))
    return test


def conditions(names: list[str]) -> st.SearchStrategy[Test]:
    return st.builds(
        Test,
        st.sampled_from(names),
        st.sampled_from(["=", "<", ">", "<>", "IS NULL"]),
        st.one_of(st.integers(0, 2), st.sampled_from(names)),
    )


# ---------------------------------------------------------------- both sides


def statement(paths: list[list[Term]], where: Test | None, rows: str) -> str:
    text = ", ".join(" ".join(term.text() for term in path) for path in paths)
    groups = list(dict.fromkeys(name for path in paths for name in group_names(path)))
    columns = [f"{name}.id AS {name}_id" for name in singles(paths)]
    columns += [f"COUNT({name}.id) AS {name}_n" for name in groups]
    columns += [f"LISTAGG({name}.id, '.') AS {name}_way" for name in groups]
    columns += [f"SUM({name}.p) AS {name}_sum" for name in groups]
    if rows == "vertex":
        columns += ["ELEMENT_NUMBER(v) AS place", "v.id AS v_id", "v.p AS v_p"]
    if rows == "step":
        columns += ["ELEMENT_NUMBER(e) AS place", "v.id AS v_id", "e.id AS e_id", "w.p AS w_p"]
    per = {"match": "", "vertex": " ONE ROW PER VERTEX (v)", "step": " ONE ROW PER STEP (v, e, w)"}[rows]
    condition = f" WHERE {where.text()}" if where else ""
    return f"SELECT * FROM GRAPH_TABLE (g MATCH {text}{condition}{per} COLUMNS ({', '.join(columns or ['1 AS one'])}))"


def singles(paths: list[list[Term]]) -> list[str]:
    names = [term.variable for path in paths for term in path if isinstance(term, Element) and not term.quantifier]
    return list(dict.fromkeys(name for name in names if name))


def expected(graph: Graph, paths: list[list[Term]], where: Test | None, rows: str) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    groups = list(dict.fromkeys(name for path in paths for name in group_names(path)))
    for match in itertools.islice(matches(graph, paths, where), MOST_ROWS + 1):
        base = [match.singles[name].id for name in singles(paths)]
        bound = [match.groups[name] for name in groups]
        base += [len(many) for many in bound]
        base += [".".join(str(one.id) for one in many) or None for many in bound]
        base += [total([one.p for one in many]) for many in bound]
        for extra in per_row(match, rows):
            found[tuple([*base, *extra]) or (1,)] += 1
    assume(found.total() <= MOST_ROWS)
    return found


def total(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def per_row(match: Match, rows: str) -> list[list[Any]]:
    path = match.path
    if rows == "vertex":
        return [[at + 1, path[at].id, path[at].p] for at in range(0, len(path), 2)]
    if rows == "step" and len(path) == 1:
        return [[None, path[0].id, None, None]]
    if rows == "step":
        return [[at + 2, path[at].id, path[at + 1].id, path[at + 2].p] for at in range(0, len(path) - 2, 2)]
    return [[]]


def check(seed: int, pattern: tuple[list[list[Term]], Test | None, str]) -> None:
    graph, db = loaded(seed)
    wanted = expected(graph, *pattern)
    query = statement(*pattern)
    try:
        rows = db.query(query).rows
    except GraphCannotRun:
        assume(False)  # several quantifiers without labels: refused by size
        raise
    assert Counter(rows) == wanted, query


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(1, GRAPHS), patterns())
def test_rows_are_those_of_a_walk_through_the_graph(seed: int, pattern: Any) -> None:
    check(seed, pattern)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(patterns())
def test_random_patterns_write_back_to_themselves(pattern: Any) -> None:
    text = statement(*pattern)
    tree = parse_query(text)
    again = parse_query(tree.sql())
    assert (again.tables, again.outer) == (tree.tables, tree.outer)
    assert parse_query(tree.canonical()).canonical() == tree.canonical()
    assert parse_query(renamed(text)).canonical() == renamed(tree.canonical())


def renamed(text: str) -> str:
    return re.sub(r"\bx(?=\d)", "variable_", text)


@pytest.mark.soak
def test_rows_in_many_more_graphs(soak_table: Callable[[str, int, str], None]) -> None:
    @settings(max_examples=SOAK_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(1, 10 * GRAPHS), patterns())
    def walked(seed: int, pattern: Any) -> None:
        check(seed, pattern)

    walked()
    soak_table("random patterns against a matcher that walks the graph", SOAK_EXAMPLES, "the same rows")
