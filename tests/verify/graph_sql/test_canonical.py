"""The canonical form: one text for the same query, different texts for different ones."""

from collections import Counter

import pytest

from verify.graph_sql.compare import canonical as canonical_row
from verify.graph_sql.parse import parse_query

from .test_cases import ALL, GoldenCase, database, whole

FORM = "SELECT t.x FROM GRAPH_TABLE (g MATCH {}) t"


def canonical(inside: str) -> str:
    return parse_query(FORM.format(inside)).canonical()


BASE = "(a IS person WHERE a.id = 1)-[k IS knows]->(b IS firm|person) WHERE b.p > 2 AND a.q = b.q COLUMNS (a.id AS x)"


@pytest.mark.parametrize(
    "same",
    [
        "(one IS person WHERE one.id = 1)-[two IS knows]->(three IS firm|person) WHERE three.p > 2 AND one.q = three.q COLUMNS (one.id AS x)",  # noqa: E501
        "(a IS PERSON)-[k IS Knows]->(b IS person|firm) WHERE a.id = 1 AND (a.q = b.q AND b.p > 2) COLUMNS (a.ID AS X)",
        "(a IS person WHERE 1 = a.id)\n-[k IS knows]->\n"
        "(b IS firm|person WHERE b.p > 2) WHERE b.q = a.q COLUMNS (a.id AS x)",
    ],
)
def test_names_order_and_layout_do_not_matter(same: str) -> None:
    assert canonical(same) == canonical(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("]->", "]-"),
        ("> 2", "> 3"),
        ("> 2", ">= 2"),
        ("IS firm|person", "IS firm"),
        ("a.id AS x", "b.id AS x"),
        ("AND", "OR"),
    ],
)
def test_different_queries_stay_different(old: str, new: str) -> None:
    assert canonical(BASE.replace(old, new)) != canonical(BASE)


def test_path_patterns_may_change_places() -> None:
    first = "(a IS person)-[IS knows]->(b), (b)<-[IS owns]-(f IS firm) COLUMNS (f.id AS x)"
    second = "(n)<-[IS owns]-(m IS firm), (z IS person)-[IS knows]->(n) COLUMNS (m.id AS x)"
    assert canonical(first) == canonical(second)


def test_the_canonical_text_is_a_query_and_its_own_canonical_form() -> None:
    text = canonical(BASE)
    assert parse_query(text).canonical() == text


def test_conditions_inside_a_quantifier_stay_inside() -> None:
    inside = "(a)-[k IS knows WHERE k.since > 1]->{1,2}(b) COLUMNS (a.id AS x)"
    assert "WHERE e1.since > 1]" in canonical(inside)


@pytest.mark.parametrize("case", [one for one in ALL if one.verdict == "rows"], ids=lambda one: one.place)
def test_the_canonical_text_returns_the_same_rows(case: GoldenCase) -> None:
    db = database(case.database, case.dialect)
    query = whole(case.query)
    text = db.parse(query).canonical()
    assert Counter(map(canonical_row, db.query(text).rows)) == Counter(map(canonical_row, db.query(query).rows)), text
