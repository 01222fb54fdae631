"""Every worked example of the shipped reference runs and gives the rows that were checked by hand."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.sources import BadRecord, Record
from distill.sources.documents import documents
from verify.graph_sql import load

SAMPLES = Path(__file__).parents[2] / "samples" / "graph_sql"
EXPECTED = Path(__file__).with_name("expected.txt")
GRAPHS = sorted(script.stem for script in SAMPLES.glob("*.sql"))


def title(record: Record | BadRecord) -> str:
    return record.origin.partition(" (")[2].removesuffix(")")


EXAMPLES = {title(record): record for record in documents(path=SAMPLES / "reference.md")}


@lru_cache
def database(graph: str) -> Any:
    return load(SAMPLES / f"{graph}.sql")


def expected() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows: list[str] = []
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            rows = found[line[3:]] = []
        elif line and not line.startswith("# "):
            rows.append(line)
    return found


def cell(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"{float(value):.10g}" if isinstance(value, int | float | Decimal) else str(value)


def fields(name: str) -> Mapping[str, Any]:
    record = EXAMPLES[name]
    assert isinstance(record, Record), record
    return record.fields


def test_enough_examples_with_unique_headings() -> None:
    text = (SAMPLES / "reference.md").read_text(encoding="utf-8")
    assert len(EXAMPLES) == text.count("\n### ") >= 125
    assert set(EXAMPLES) == set(expected())
    assert {fields(name)["graph"] for name in EXAMPLES} == set(GRAPHS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_rows(name: str) -> None:
    facts = fields(name)
    sql = facts["answer"]
    rows = [" | ".join(cell(value) for value in row) for row in database(facts["graph"]).query(sql).rows]
    wanted = expected()[name]
    ordered = "ORDER BY" in sql.rpartition(")")[2]
    assert rows, "an example without rows teaches nothing"
    assert (rows if ordered else sorted(rows)) == (wanted if ordered else sorted(wanted))


@pytest.mark.parametrize("name", EXAMPLES)
def test_reads_like_documentation(name: str) -> None:
    facts = fields(name)
    assert facts["question"].endswith((".", "?"))
    assert len(facts["reasoning"]) > 30
    assert facts["category"]
    assert " AS " not in facts["question"] and "GRAPH_TABLE" not in facts["question"]


def test_a_stated_order_and_only_that_is_in_the_query() -> None:
    for name in EXAMPLES:
        facts = fields(name)
        says = any(word in facts["question"] for word in ("Sort by", "largest first", "Rank the"))
        of_rows = re.sub(r"WITHIN GROUP \(.*?\)", "", facts["answer"])  # the order inside a list is not one of the rows
        assert ("ORDER BY" in of_rows) == says, name


@pytest.mark.parametrize("graph", GRAPHS)
def test_lexicon_names_everything_in_the_graph(graph: str) -> None:
    lexicon = yaml.safe_load((SAMPLES / "lexicon.yaml").read_text(encoding="utf-8"))
    for found in database(graph).graphs.values():
        words = lexicon[found.shown]
        assert set(found.labels("vertex").values()) <= set(words["vertices"])
        assert set(found.labels("edge").values()) <= set(words["edges"])
        for kind in ("vertex", "edge"):
            assert set(found.properties(kind).values()) <= set(words["properties"])
        for entry in (*words["vertices"].values(), *words["edges"].values(), *words["properties"].values()):
            assert {"en", "zh"} <= set(entry)
