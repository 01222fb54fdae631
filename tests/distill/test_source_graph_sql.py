"""Generated questions and queries: over the shipped graphs, over made-up ones, over awkward ones, and to the end."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from distill import engine
from distill.errors import SourceError
from distill.recipe import load_recipe
from distill.rephrase import literals
from distill.sources import BadRecord, Record
from distill.sources.graph_sql import conditions, graph_sql
from distill.sources.graph_sql.data import Property
from distill.sources.graph_sql.pattern import Pattern, Sampler
from distill.sources.graph_sql.schemas import write_schemas
from distill.sources.graph_sql.shapes import KINDS
from distill.sources.graph_sql.source import MOST_ROWS, open_script
from distill.sources.graph_sql.spelling import literal
from verify.graph_sql.errors import GraphSqlError
from verify.think import language

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "graph_sql"
SHIPPED = 150
MADE_UP = 160
SCHEMAS = 20
CONNECTION = duckdb.connect(":memory:")


def fields(found: Iterable[Record | BadRecord]) -> list[dict[str, Any]]:
    rows = list(found)
    assert all(isinstance(row, Record) for row in rows), rows[-1]
    return [dict(row.fields) for row in rows if isinstance(row, Record)]


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, Any]]:
    return fields(graph_sql(database=SAMPLES / "*.sql", count=SHIPPED))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def made_up(folder: Path) -> list[dict[str, Any]]:
    return fields(graph_sql(schemas=SCHEMAS, directory=folder, count=MADE_UP))


def assert_sound(rows: Sequence[dict[str, Any]], directory: Path) -> None:
    """Every answer parses, binds and returns a few rows, as it is written, and none comes twice."""
    seen: set[tuple[str, str]] = set()
    for row in sorted(rows, key=lambda row: str(row["graph"])):
        database = open_script(directory / f"{row['graph']}.sql").database
        database.check(row["answer"])
        assert 1 <= len(database.query(row["answer"]).rows) <= MOST_ROWS, row["answer"]
        form = (row["graph"], database.parse(row["answer"]).canonical())
        assert form not in seen, row["answer"]
        seen.add(form)


def assert_told(rows: Sequence[dict[str, Any]]) -> None:
    """Every text constant of an answer is said in its question."""
    for row in rows:
        for constant in literals(row["answer"]):
            assert constant.strip("%").strip() in row["question"], (constant, row["question"], row["answer"])


# ---------------------------------------------------------------- what is generated


def test_queries_over_the_shipped_graphs_run_and_differ(shipped: list[dict[str, Any]]) -> None:
    assert len(shipped) == SHIPPED
    assert len({row["graph"] for row in shipped}) == len(list(SAMPLES.glob("*.sql")))
    assert_sound(shipped, SAMPLES)
    assert_told(shipped)


def test_queries_over_made_up_graphs_run_and_differ(made_up: list[dict[str, Any]], folder: Path) -> None:
    assert len(made_up) == MADE_UP
    assert len({row["graph"] for row in made_up}) == SCHEMAS
    assert_sound(made_up, folder)
    assert_told(made_up)


def test_questions_are_in_both_languages_and_of_every_difficulty(shipped: list[dict[str, Any]]) -> None:
    tongues = Counter(language(row["question"]) for row in shipped)
    assert min(tongues["en"], tongues["zh"]) > 0.4 * SHIPPED
    grades = Counter(row["difficulty"] for row in shipped)
    assert set(grades) == {"easy", "medium", "hard"} and min(grades.values()) > 0.25 * SHIPPED
    mixed = Counter((row["difficulty"], language(row["question"])) for row in shipped)
    assert len(mixed) == 6, "a difficulty comes in one language only"


def test_nearly_every_kind_of_query_turns_up(shipped: list[dict[str, Any]], made_up: list[dict[str, Any]]) -> None:
    known = {kind.category for kinds in KINDS.values() for kind in kinds}
    found = Counter(row["category"] for row in shipped + made_up)
    assert set(found) <= known and len(found) >= len(known) - 1


CONSTRUCTS = {
    "right": r"\]->",
    "left": r"<-\[",
    "any": r"(?<!<)-\[[^\]]*\]- ",
    "inline WHERE": r"\([^()]* WHERE [^()]*\)",
    "pattern WHERE": r"\n +WHERE ",
    "label alternatives": r"IS [^\s|()\[\]]+\|",
    "several paths": r"\),\n",
    "quantifier": r"\{\d(,\d)?\}",
    "distinct": r"SELECT DISTINCT",
    "group": r"GROUP BY",
    "having": r"HAVING",
    "fetch": r"FETCH FIRST \d+ ROWS ONLY",
    "join": r"JOIN",
    "in": r" IN \(\n",
    "exists": r"EXISTS \(",
    "with": r"^WITH ",
    "aggregate along a path": r"COLUMNS \([^\n]*(SUM|AVG|MIN|MAX|LISTAGG|BINDING_COUNT)\(",
    "null": r"IS NULL",
    "like": r" LIKE '",
    "date": r"DATE '\d{4}-\d\d-\d\d'",
}


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_turns_up(name: str, shipped: list[dict[str, Any]], made_up: list[dict[str, Any]]) -> None:
    answers = [row["answer"] for row in shipped + made_up]
    assert any(re.search(CONSTRUCTS[name], answer) for answer in answers)


def test_an_order_that_cuts_rows_off_leaves_none_open(
    shipped: list[dict[str, Any]], made_up: list[dict[str, Any]]
) -> None:
    """Every output that is no aggregate is a key of the order."""
    cut = [row["answer"] for row in shipped + made_up if "FETCH FIRST" in row["answer"]]
    assert cut
    for answer in cut:
        shown = re.split(r", (?![^()]*\))", re.search(r"^SELECT (.*)$", answer, re.MULTILINE)[1])  # type: ignore[index]
        keys = re.search(r"ORDER BY (.*)$", answer, re.MULTILINE)[1].replace(" DESC", "").split(", ")  # type: ignore[index]
        assert {name.rpartition(" AS ")[2] for name in shown} == set(keys), answer


# ---------------------------------------------------------------- the same again, and more of it


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(shipped: list[dict[str, Any]]) -> None:
    again = fields(graph_sql(database=SAMPLES / "*.sql", count=30))
    other = fields(graph_sql(database=SAMPLES / "*.sql", count=30, seed=1))
    assert again == shipped[:30], "a smaller count is a prefix of a larger one"
    assert len([row for row in other if row in again]) <= 2


def test_the_order_of_sets_decides_nothing() -> None:
    code = (
        "from pathlib import Path; from distill.sources.graph_sql import graph_sql\n"
        f"for row in graph_sql(database=Path({str(SAMPLES / 'papers.sql')!r}), count=12): print(ascii(row.fields))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1 and outputs.pop().count("'question'") == 12


def test_only_what_was_asked_for_is_generated() -> None:
    rows = fields(graph_sql(database=SAMPLES / "bank.sql", count=8, difficulty=["hard"], languages=["zh"]))
    assert {row["difficulty"] for row in rows} == {"hard"}
    assert {language(row["question"]) for row in rows} == {"zh"}


def test_a_row_names_its_script_and_its_number() -> None:
    found = [row for row in graph_sql(database=SAMPLES / "bank.sql", count=2) if isinstance(row, Record)]
    assert [row.origin for row in found] == ["bank.sql (generated 1)", "bank.sql (generated 2)"]
    assert set(found[0].fields) == {"graph", "question", "answer", "category", "difficulty"}


# ---------------------------------------------------------------- the witness


def walked(sampler: Sampler, kind: int) -> Pattern | None:
    if kind in (0, 1):
        return sampler.single() if kind == 0 else sampler.loop()
    return sampler.repeated() if kind == 2 else sampler.path(2) if kind == 3 else sampler.fork(1)


@pytest.mark.parametrize("script", ["bank.sql", "papers.sql", "transit.sql"])
def test_a_pattern_finds_the_walk_it_was_made_from(script: str) -> None:
    opened = open_script(SAMPLES / script)
    tried = 0
    for number in range(40):
        sampler = Sampler(opened.graphs[0], Random(f"{script}:{number}"))
        pattern = walked(sampler, number % 5)
        if pattern is None:
            continue
        tried += 1
        sampler.conditions(pattern, 2)
        for element in pattern.elements():
            element.used = True
        variable = pattern.vertices[0].variable
        query = f"SELECT * FROM {pattern.table([f'VERTEX_ID({variable}) AS found'])}"
        assert opened.database.query(query).rows, query
    assert tried > 25


TEXTS = st.text("ab 王芳'%_", min_size=1, max_size=6).filter(lambda text: text.strip() == text)
NUMBERS = st.one_of(st.integers(-50, 3000), st.decimals(-50, 3000, places=2))
DATES = st.dates(date(1990, 1, 1), date(2030, 12, 31))


def described(values: Sequence[Any], *, unique: bool) -> Property:
    kind: Any = "text" if isinstance(values[0], str) else "date" if isinstance(values[0], date) else "number"
    return Property("P", "p", kind, sorted(set(values)), nulls=True, unique=unique, key=False)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(*(st.lists(one, min_size=1, max_size=9) for one in (TEXTS, NUMBERS, DATES))),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_a_condition_holds_for_the_value_it_was_made_for(values: list[Any], unique: bool, seed: int) -> None:
    prop, rng = described(values, unique=unique), Random(seed)
    value = rng.choice(values)
    found = [(conditions.holding(prop, value, rng), value)]
    several = conditions.every(prop, values[:3], rng)
    found += [(several, one) for one in values[:3]]
    for condition, one in found:
        if condition:
            text = condition.replace("{}", literal(one))
            assert CONNECTION.execute(f"SELECT {text}").fetchone() == (True,), text


# ---------------------------------------------------------------- awkward graphs

AWKWARD = """
CREATE TABLE "order" ("Order No" INTEGER PRIMARY KEY, "Buyer's" VARCHAR(40), placed DATE, total NUMERIC(8, 2));
INSERT INTO "order" ("Order No", "Buyer's", placed, total) VALUES
  (1, 'O''Brien', DATE '2024-01-05', 10.50), (2, '100% Ltd', DATE '2024-02-05', NULL), (3, '{x}', NULL, 7);
CREATE TABLE link (src INTEGER, dst INTEGER, "from" VARCHAR(10), PRIMARY KEY (src, dst));
INSERT INTO link (src, dst, "from") VALUES (1, 2, 'a_b'), (2, 3, NULL), (3, 3, 'c'), (3, 9, 'gone');
CREATE PROPERTY GRAPH "My Graph"
  VERTEX TABLES ("order" KEY ("Order No") LABEL "select" PROPERTIES ARE ALL COLUMNS)
  EDGE TABLES (link KEY (src, dst) SOURCE KEY (src) REFERENCES "order" ("Order No")
    DESTINATION KEY (dst) REFERENCES "order" ("Order No") LABEL "next" PROPERTIES ("from"));
"""


def test_quoted_names_reserved_words_and_quotes_in_values(tmp_path: Path) -> None:
    (tmp_path / "awkward.sql").write_text(AWKWARD, encoding="utf-8")
    found = [row for row in graph_sql(database=tmp_path / "awkward.sql", count=30) if isinstance(row, Record)]
    rows = [dict(row.fields) for row in found]
    assert len(rows) == 30
    assert_sound(rows, tmp_path)
    assert any("O''Brien" in row["answer"] for row in rows)
    assert all('"My Graph"' in row["answer"] and '"select"' in row["answer"] for row in rows)


def test_a_graph_without_edges_gives_what_it_can_and_says_so(tmp_path: Path) -> None:
    script = (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);\nINSERT INTO t (id, n) VALUES (1, 5), (2, 6);\n"
        "CREATE PROPERTY GRAPH g VERTEX TABLES (t KEY (id) LABEL t PROPERTIES (id, n));"
    )
    (tmp_path / "lonely.sql").write_text(script, encoding="utf-8")
    rows = list(graph_sql(database=tmp_path, count=5000, difficulty=["easy"], languages=["en"]))
    assert isinstance(rows[-1], BadRecord) and f"gave {len(rows) - 1} different queries" in rows[-1].reason
    assert 5 < len(rows) < 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no graph to ask about"),
        ({"schemas": 3}, "no place for the made-up schemas"),
        ({"database": Path("nowhere/*.sql")}, "no files"),
    ],
)
def test_what_cannot_be_read_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        next(iter(graph_sql(**options)))


@pytest.mark.parametrize(
    ("script", "message"),
    [("CREATE TABLE t (id INTEGER);", "no property graph"), ("CREATE TABEL t;", "cannot load")],
)
def test_a_script_without_a_graph_is_refused(script: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text(script, encoding="utf-8")
    with pytest.raises(SourceError, match=message) as caught:
        next(iter(graph_sql(database=tmp_path / "bad.sql")))
    assert caught.value.where.endswith("bad.sql")


# ---------------------------------------------------------------- made-up schemas


def test_schemas_are_the_same_for_a_seed_and_grow_without_changing(tmp_path: Path) -> None:
    few = write_schemas(tmp_path / "a", 3, seed=0)
    before = {path.name: path.read_bytes() for path in few}
    many = write_schemas(tmp_path / "a", SCHEMAS, seed=0)
    assert many[:3] == few and {path.name: path.read_bytes() for path in few} == before
    again = write_schemas(tmp_path / "b", SCHEMAS, seed=0)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in many]
    grown, at_once = (yaml.safe_load((tmp_path / name / "lexicon.yaml").read_text("utf-8")) for name in "ab")
    assert grown == at_once and set(grown) == {path.stem for path in many}
    assert not {path.name for path in write_schemas(tmp_path / "c", 5, seed=1)} & {path.name for path in many}


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "lexicon.yaml").write_text("mine:\n  graph: {en: mine, zh: 我的}\n", encoding="utf-8")
    (path,) = write_schemas(tmp_path, 1, seed=0)
    path.write_text("-- edited\n", encoding="utf-8")
    words = (tmp_path / "lexicon.yaml").read_text("utf-8")
    assert set(yaml.safe_load(words)) == {"mine", path.stem}
    write_schemas(tmp_path, 1, seed=0)
    assert path.read_text("utf-8") == "-- edited\n" and (tmp_path / "lexicon.yaml").read_text("utf-8") == words


def test_names_rows_and_styles_vary(folder: Path, made_up: list[dict[str, Any]]) -> None:
    graphs = [open_script(path).graphs[0] for path in folder.glob("*.sql")]
    assert len({data.graph.name for data in graphs}) == SCHEMAS
    labels = {label for data in graphs for label in data.graph.labels("vertex").values()}
    assert len(labels) > 30 and any(not label.isascii() for label in labels) and any("_" not in x for x in labels)
    for data in graphs:
        edges = [edge for rows in data.edges.values() for edge in rows]
        vertices = [vertex for rows in data.vertices.values() for vertex in rows]
        pairs = Counter((id(edge.source), id(edge.target), edge.table.name) for edge in edges)
        assert any(edge.source is edge.target for edge in edges), "no loop"
        assert any(not data.touching(vertex) for vertex in vertices), "no vertex without an edge"
        assert pairs
    parallel = [data for data in graphs if _most_parallel(data) > 1]
    unknown = [data for data in graphs if any(prop.nulls for prop in data.properties.values())]
    assert len(parallel) > SCHEMAS // 2 and len(unknown) > SCHEMAS // 2


def _most_parallel(data: Any) -> int:
    edges = [edge for rows in data.edges.values() for edge in rows]
    return max(Counter((id(edge.source), id(edge.target), edge.table.name) for edge in edges).values())


def test_questions_about_made_up_graphs_are_worded_by_their_lexicon(made_up: list[dict[str, Any]]) -> None:
    """No label is spoken of as code: its noun is known."""
    assert not [row["question"] for row in made_up if re.search(r"` (vertex|vertices|edges?|边)", row["question"])]


# ---------------------------------------------------------------- to the end


@pytest.mark.parametrize("made", [False, True])
def test_rows_are_thought_about_and_verified_to_the_end(made: bool, tmp_path: Path) -> None:
    directory = tmp_path / "graphs" if made else SAMPLES
    template = f"{directory}/{{graph}}.sql"
    source = {"schemas": 2, "directory": str(directory)} if made else {"database": f"{SAMPLES}/bank.sql"}
    recipe = {
        "name": "generated",
        "source": {"use": "graph_sql", "count": 9, **source, "prompt": {"use": "graph_sql", "database": template}},
        "rephrase": {"languages": ["en", "zh"], "per_language": 1},
        "strategy": {"use": "explain"},
        "teacher": {"use": "symbolic", "database": template},
        "verify": [{"use": "think", "required": True}, {"use": "graph_sql", "database": template, "required": True}],
    }
    result = asyncio.run(engine.run(load_recipe(recipe, base=tmp_path), run_dir=tmp_path / "run"))
    assert result.source_rows == 9 and result.bad_rows == 0
    assert result.failed == 0 and result.kept == result.rows >= 16


def test_the_recipe_is_ready_as_it_is() -> None:
    recipe = load_recipe(ROOT / "recipes" / "graph_sql_generated.yaml")
    assert recipe.source[0].use == "graph_sql" and recipe.teacher.use == "symbolic"


# ---------------------------------------------------------------- many more


@pytest.mark.soak
def test_soak_thousands_over_a_hundred_schemas(tmp_path: Path) -> None:
    rows = fields(graph_sql(schemas=100, directory=tmp_path, count=3000, seed=7))
    assert_sound(rows, tmp_path)
    assert_told(rows)


@pytest.mark.soak
def test_soak_what_is_drawn_is_never_refused(tmp_path: Path) -> None:
    """Before anything is filtered: every text that a shape writes parses and binds."""
    for path in write_schemas(tmp_path, 40, seed=3):
        opened = open_script(path)
        for kind in (kind for kinds in KINDS.values() for kind in kinds):
            for number in range(10):
                sql = kind.write(Sampler(opened.graphs[0], Random(f"{kind.category}:{number}")))
                try:
                    opened.database.check(sql) if sql else None
                except GraphSqlError as error:
                    raise AssertionError(f"{error}\n{sql}") from error


@pytest.mark.parametrize("options", [{"count": 0}, {"difficulty": ()}, {"languages": ()}])
def test_asking_for_nothing_is_an_error_that_says_so(options: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="at least one"):
        list(graph_sql(database=Path("nowhere"), **options))
