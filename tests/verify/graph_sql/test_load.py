"""Scripts: what a property graph may look like, what is refused and where, and how types and schemas come out."""

import subprocess
import sys
from pathlib import Path

import pytest

from verify.graph_sql import GraphSqlError, GraphSyntaxError, load

SMALL = Path(__file__).parent / "cases" / "small.sql"
TABLES = """
CREATE TABLE v (id INTEGER PRIMARY KEY, name VARCHAR2(10), born DATE);
CREATE TABLE w (k1 INTEGER, k2 VARCHAR2(5), x NUMBER, PRIMARY KEY (k1, k2));
CREATE TABLE e (id INTEGER PRIMARY KEY, a INTEGER REFERENCES v (id), b INTEGER, c VARCHAR2(5));
CREATE TABLE nokey (a INTEGER, b INTEGER);
"""


def graph(vertices: str, edges: str = "", head: str = "CREATE PROPERTY GRAPH p") -> str:
    return f"{TABLES}{head} VERTEX TABLES ({vertices})" + (f" EDGE TABLES ({edges})" if edges else "") + ";"


END_A = "SOURCE KEY (a) REFERENCES v (id)"
END_B = "DESTINATION KEY (b, c) REFERENCES w (k1, k2)"


def test_the_catalog_shows_what_was_declared() -> None:
    db = load(graph("v LABEL one LABEL two PROPERTIES (name AS title, UPPER(name) AS loud), w", f"e {END_A} {END_B}"))
    found = db.graphs["p"]
    assert found.labels("vertex") == {"ONE": "one", "TWO": "two", "W": "w"}
    assert found.vertices["V"].properties["LOUD"].type == "VARCHAR"
    assert found.vertices["V"].labels["TWO"].properties == ("TITLE", "LOUD")
    assert found.vertices["W"].key == ("K1", "K2")
    end = found.edges["E"].destination
    assert end is not None and (end.vertex, end.key, end.columns) == ("W", ("B", "C"), ("K1", "K2"))


@pytest.mark.parametrize(
    "script",
    [
        graph("v", head="CREATE OR REPLACE PROPERTY GRAPH p"),
        graph("v", head="CREATE PROPERTY GRAPH IF NOT EXISTS s.p"),
        graph(
            "v AS x KEY (id) DEFAULT LABEL", "e SOURCE KEY (a) REFERENCES x (id) DESTINATION KEY (b) REFERENCES x (id)"
        ),
        graph("v KEY (id) NO PROPERTIES"),
        graph("v PROPERTIES ARE ALL COLUMNS EXCEPT (born)"),
        graph("v, w", f"e SOURCE v {END_B} LABEL l PROPERTIES ALL COLUMNS"),
        graph("v, nokey KEY (a)"),
        graph("v") + "DROP PROPERTY GRAPH p; CREATE PROPERTY GRAPH p VERTEX TABLES (w);",
        graph("v") + "COMMIT;\n/\n",
        graph("v") + graph("w", head="CREATE PROPERTY GRAPH IF NOT EXISTS p")[len(TABLES) :],
        graph("v, w PROPERTIES (k2 AS id)").rstrip(";") + " OPTIONS (ALLOW MIXED PROPERTY TYPES);",
        TABLES + "CREATE VIEW young AS SELECT id, name FROM v; CREATE PROPERTY GRAPH p VERTEX TABLES (young KEY (id));",
    ],
)
def test_definitions_that_are_taken(script: str) -> None:
    assert load(script).graphs


@pytest.mark.parametrize(
    ("script", "stage", "at", "hint"),
    [
        (graph("vv"), "binding", "vv", "did you mean v?"),
        (graph("v, v"), "binding", "v)", "alias"),
        (graph("nokey"), "binding", "nokey", "primary key"),
        (graph("v KEY (nid)"), "binding", "nid", "did you mean id?"),
        (graph("v PROPERTIES (nam)"), "binding", "nam", "did you mean name?"),
        (graph("v PROPERTIES (id + 1)"), "syntax", "id +", "AS name"),
        (graph("v PROPERTIES (id, id)"), "binding", "id)", "twice"),
        (graph("v LABEL a LABEL a"), "binding", "a)", "twice"),
        (graph("v LABEL a PROPERTIES (id AS x) LABEL b PROPERTIES (name AS x)"), "binding", "b PROP", "two different"),
        (graph("v AS x, w", f"e {END_A} {END_B}"), "binding", "v (id)", "alias"),
        (graph("v, w", f"e {END_A} DESTINATION w"), "binding", "w)", "no foreign key"),
        (graph("v, w", f"e {END_A} DESTINATION KEY (b) REFERENCES w (k1, k2)"), "binding", "w (k1", "1 columns"),
        (graph("v, w", f"e {END_B} {END_A}"), "syntax", "DESTINATION", "SOURCE KEY"),
        (graph("v", head="CREATE PROPERTY GRAPH"), "syntax", "TABLES", "VERTEX TABLES"),
        (TABLES + "CREATE PROPERTY GRAPH p EDGE TABLES (e);", "syntax", "EDGE", "VERTEX TABLES"),
        (graph("v", head="CREATE PROPERTY GRAPH w"), "binding", "w VERTEX", "already the name of a table"),
        (graph("v") + graph("v")[len(TABLES) :], "binding", "p VERTEX", "already the name of a graph"),
        (graph("v, w PROPERTIES (k1, k2, k2 AS id)"), "binding", "p VERTEX", "number on `v` and text on `w`"),
        (TABLES + "DELETE FROM v;", "syntax", "DELETE", "not taken in a script"),
        (TABLES + "INSERT INTO zz VALUES (1);", "binding", "INSERT", "no table"),
        (TABLES + "INSERT INTO v SELECT * FROM v;", "syntax", "INSERT", "VALUES only"),
        (TABLES + "COPY v FROM 'x.csv';", "syntax", "COPY", "not taken"),
    ],
)
def test_definitions_that_are_refused_at_their_place(script: str, stage: str, at: str, hint: str) -> None:
    with pytest.raises(GraphSqlError) as caught:
        load(script)
    error = caught.value
    assert error.stage == stage, error
    assert hint in str(error)
    assert script.split("\n")[error.line - 1][error.column - 1 :].startswith(at), str(error)


def test_keys_may_be_added_and_rows_come_in_one_statement() -> None:
    script = """
    CREATE TABLE a (id NUMBER(5), name VARCHAR2(9));
    CREATE TABLE b (x NUMBER(5), y NUMBER(5));
    ALTER TABLE a ADD CONSTRAINT a_pk PRIMARY KEY (id);
    ALTER TABLE b ADD (CONSTRAINT b_pk PRIMARY KEY (x, y));
    ALTER TABLE b ADD CONSTRAINT b_x FOREIGN KEY (x) REFERENCES a (id);
    CREATE INDEX b_y ON b (y);
    INSERT ALL INTO a (id, name) VALUES (1, 'one') INTO a (id, name) VALUES (2, 'two') INTO b VALUES (1, 2)
      SELECT * FROM dual;
    CREATE PROPERTY GRAPH p VERTEX TABLES (a) EDGE TABLES (b SOURCE a DESTINATION KEY (y) REFERENCES a (id));
    """
    query = "SELECT m, n FROM GRAPH_TABLE (p MATCH (s)-[IS b]->(t) COLUMNS (s.name AS m, t.name AS n))"
    assert load(script).query(query).rows == [("one", "two")]


def test_rows_that_break_a_key_are_an_error_of_the_script() -> None:
    with pytest.raises(GraphSqlError, match="cannot be loaded"):
        load(TABLES + "INSERT INTO v VALUES (1, 'a', NULL), (1, 'b', NULL);")


def test_oracle_dates_keep_their_time_or_count_in_days() -> None:
    script = (
        graph("v") + "INSERT INTO v VALUES (1, 'a', DATE '2024-01-31'), (2, '', TO_DATE('2024-03-01', 'YYYY-MM-DD'));"
    )
    db = load(script)
    text = "SELECT x, y FROM GRAPH_TABLE (p MATCH (a IS v) COLUMNS ({})) ORDER BY y"
    days = db.query(text.format("a.born - DATE '2024-01-01' AS x, a.id AS y")).rows
    assert days == [(30, 1), (60, 2)]
    months = db.query(text.format("TO_CHAR(a.born, 'YYYY-MM') AS x, a.id AS y")).rows
    assert months == [("2024-01", 1), ("2024-03", 2)]
    assert db.query(text.format("a.name AS x, a.id AS y")).rows == [("a", 1), (None, 2)]


def test_the_description_is_short_and_names_everything_a_query_needs() -> None:
    text = load(SMALL).describe()
    assert len(text) < 1_200
    for name in ("person", "firm", "account", "knows", "owns", "moves", "since", "double_balance", "bank"):
        assert name in text
    assert "Ann" not in text
    with pytest.raises(GraphSqlError, match="the graphs are g"):
        load(SMALL).describe("h")


def test_text_and_path_load_the_same() -> None:
    assert load(SMALL).describe() == load(str(SMALL)).describe() == load(SMALL.read_text(encoding="utf-8")).describe()
    with pytest.raises(ValueError, match="unknown dialect"):
        load(SMALL, "mysql")


def test_binds_are_values_and_never_text() -> None:
    db = load(SMALL)
    query = "SELECT n FROM GRAPH_TABLE (g MATCH (a IS person WHERE a.name = :who) COLUMNS (a.id AS n)) ORDER BY n"
    assert db.query(query, {"who": "Ann"}).rows == [(1,), (3,)]
    assert db.query(query, {"who": "' OR 1 = 1 --"}).rows == []
    with pytest.raises(GraphSqlError, match="no value for the bind `:who`"):
        db.query(query)


def test_an_error_survives_pickling_with_its_place() -> None:
    import pickle

    error = GraphSyntaxError("no", line=2, column=3, hint="do this")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.where, again.help) == (type(error), str(error), error.where, error.help)


def test_importing_the_package_loads_neither_parser_nor_database() -> None:
    code = "import sys, verify.graph_sql; print([m for m in ('sqlglot', 'duckdb') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("dialect", "taken", "refused"),
    [
        ("oracle", "VERTEX TABLES (v)", "NODE TABLES (v)"),
        ("postgres", "NODE TABLES (v)", "VERTEX TABLES (v PROPERTIES ALL COLUMNS EXCEPT (born))"),
        ("postgres", "VERTEX TABLES (v KEY (id))", "VERTEX TABLES (v PROPERTIES ARE ALL COLUMNS)"),
        ("postgres", "", "VERTEX TABLES (v, w) OPTIONS (x)"),
        ("googlesql", "NODE TABLES (v KEY (id))", ""),
        ("duckpgq", "VERTEX TABLES (v PROPERTIES (id, name) LABEL l)", "VERTEX TABLES (v KEY (id))"),
        ("duckpgq", "VERTEX TABLES (v)", "VERTEX TABLES (v LABEL a LABEL b)"),
        ("oracle", "VERTEX TABLES (v LABEL a LABEL b)", "VERTEX TABLES (v PROPERTIES (id) LABEL a)"),
        ("standard", "VERTEX TABLES (v LABEL a, w LABEL b)", "VERTEX TABLES (v LABEL a, w LABEL a)"),
        ("oracle", "VERTEX TABLES (v LABEL a, w LABEL a)", ""),
    ],
)
def test_each_dialect_has_its_own_definitions(dialect: str, taken: str, refused: str) -> None:
    tables = TABLES.replace("VARCHAR2", "VARCHAR").replace("NUMBER", "NUMERIC")
    assert load(f"{tables} CREATE PROPERTY GRAPH p {taken};", dialect).graphs
    with pytest.raises(GraphSqlError):
        load(f"{tables} CREATE PROPERTY GRAPH p {refused};", dialect)
