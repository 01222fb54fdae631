"""Names as a query has to write them: in the description of a schema and in the hints of errors."""

from pathlib import Path

import pytest

from verify.graph_sql import GraphSqlError, load

SCRIPT = """
CREATE TABLE "Person" ("Id" INTEGER PRIMARY KEY, "full name" VARCHAR(20), born INTEGER, "ORDER" INTEGER);
CREATE TABLE follows (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, "Weight" INTEGER);
CREATE TABLE "Branch Office" ("No" INTEGER PRIMARY KEY, city VARCHAR(20));
INSERT INTO "Person" VALUES (1, 'Ann', 1990, 5), (2, 'Bob', 1991, 6);
INSERT INTO follows VALUES (1, 1, 2, 7);
INSERT INTO "Branch Office" VALUES (1, 'Oslo');
CREATE PROPERTY GRAPH "Net"
  VERTEX TABLES ("Person" LABEL "Human Being" PROPERTIES ("Id", "full name", born AS "Born", "ORDER"))
  EDGE TABLES (
    follows SOURCE KEY (a) REFERENCES "Person" ("Id") DESTINATION KEY (b) REFERENCES "Person" ("Id")
      LABEL follows PROPERTIES (id, "Weight"));
"""
BANK = Path(__file__).parents[3] / "samples" / "graph_sql" / "bank.sql"


def test_the_description_spells_every_name_as_a_query_writes_it() -> None:
    db = load(SCRIPT)
    text = db.describe()
    assert text.splitlines() == [
        'PROPERTY GRAPH "Net"',
        'VERTEX "Human Being" ("Id" INTEGER, "full name" VARCHAR2(20), "Born" INTEGER, "ORDER" INTEGER), KEY ("Id")',
        'EDGE follows (id INTEGER, "Weight" INTEGER) FROM "Human Being" TO "Human Being"',
        "",
        "TABLES",
        '"Branch Office" ("No" INTEGER, city VARCHAR2(20))',
    ]
    query = """SELECT t.*, o.city FROM GRAPH_TABLE ("Net" MATCH (a IS "Human Being")-[e IS follows]->(b)
      COLUMNS (a."Id", a."full name", a."Born", a."ORDER", e.id AS edge, e."Weight")) t, "Branch Office" o"""
    assert db.query(query).rows == [(1, "Ann", 1990, 5, 1, 7, "Oslo")]


def test_a_star_reads_quoted_properties() -> None:
    query = 'SELECT * FROM GRAPH_TABLE ("Net" MATCH (a IS "Human Being" WHERE a."Id" = 1) COLUMNS (a.*))'
    result = load(SCRIPT).query(query)
    assert (result.columns, result.rows) == (["Id", "full name", "Born", "ORDER"], [(1, "Ann", 1990, 5)])


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("net MATCH (a) COLUMNS (a.x)", 'did you mean "Net"?'),
        ('"Net" MATCH (a IS human_being) COLUMNS (a.x)', 'did you mean "Human Being"?'),
        ('"Net" MATCH (a) COLUMNS (a.born)', 'did you mean "Born"?'),
        ('"Net" MATCH (a) COLUMNS (a)', 'such as a."Id"'),
        ('"Net" MATCH (a IS "Person") COLUMNS (1 AS x)', 'its label is "Human Being"'),
    ],
)
def test_hints_spell_names_so_that_they_can_be_copied(query: str, hint: str) -> None:
    with pytest.raises(GraphSqlError) as caught:
        load(SCRIPT).check(f"SELECT * FROM GRAPH_TABLE ({query})")
    assert hint in str(caught.value)


def test_tables_outside_the_graph_are_described_and_no_others() -> None:
    text = load(BANK).describe()
    tables = text.split("TABLES\n")[1].splitlines()
    assert [line.split()[0] for line in tables] == ["branch"]
    assert "TABLES" not in load(Path(__file__).parent / "cases" / "small.sql").describe()


def test_a_graph_is_renamed_and_dropped() -> None:
    script = """CREATE TABLE v (id INTEGER PRIMARY KEY);
    CREATE PROPERTY GRAPH g VERTEX TABLES (v);
    ALTER PROPERTY GRAPH g OWNER TO somebody;
    ALTER PROPERTY GRAPH g RENAME TO "Net";
    CREATE PROPERTY GRAPH other VERTEX TABLES (v);
    DROP PROPERTY GRAPH IF EXISTS other;"""
    assert load(script, "postgres").describe().startswith('PROPERTY GRAPH "Net"\n')
    assert list(load(script, "postgres").graphs) == ["Net"]
    with pytest.raises(GraphSqlError, match="does not take ALTER PROPERTY GRAPH"):
        load(script, "googlesql")
    with pytest.raises(GraphSqlError, match="no graph `h` to alter"):
        load(script.replace("GRAPH g RENAME", "GRAPH h RENAME"), "postgres")
