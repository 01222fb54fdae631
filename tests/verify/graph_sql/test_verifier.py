"""The verifier: what it calls right, wrong, broken and impossible, and what it lets a model know."""

import json
from pathlib import Path

import pytest

from verify.contract import Case, Status, Verdict
from verify.graph_sql import graph_sql

SMALL = Path(__file__).parent / "cases" / "small.sql"
GOLD = "SELECT a, b FROM GRAPH_TABLE (g MATCH (x IS person)-[k IS knows]->(y) COLUMNS (x.id AS a, y.id AS b))"


def judge(answer: str, gold: str | None = GOLD, **options: object) -> Verdict:
    case = Case(prompt="", completion=answer, thinking=None, answer=answer, gold=gold)
    verdict = graph_sql(case, database=SMALL, **options)
    json.dumps(verdict.to_json())  # evidence must survive the ledger
    return verdict


@pytest.mark.parametrize(
    "answer",
    [
        GOLD,
        f"```sql\n{GOLD}\n```",
        f"Here it is:\n\n```sql\n{GOLD};\n```\n\nIt follows the edges.",
        f"```\n{GOLD}\n```",
        "SELECT t.b AS p, t.a AS q FROM GRAPH_TABLE (g MATCH (y)<-[k IS knows]-(x) COLUMNS (x.id AS b, y.id AS a)) t",
    ],
)
def test_right_answers_pass(answer: str) -> None:
    verdict = judge(answer)
    assert verdict.status is Status.PASS, verdict.reason
    assert verdict.score == 1.0


@pytest.mark.parametrize(
    ("answer", "stage", "hint"),
    [
        (GOLD.replace("]->", "]-"), "rows", "5 rows expected, 9 returned"),
        (GOLD.replace("SELECT", "SELECT DISTINCT"), "rows", "only in how often"),
        (GOLD.replace("a, b FROM", "b, a FROM"), "rows", "missing, for example: (1, 2)"),
        (GOLD.replace("a, b FROM", "a FROM"), "columns", "2 columns expected, 1 returned"),
        (GOLD.replace("person", "persons"), "binding", "did you mean person?"),
        (GOLD.replace("->", "-->"), "syntax", "begins a comment"),
        ("SELECT a, b FROM knows WHERE b IN (1, 2, 3)", "graph_table", "does not use GRAPH_TABLE"),
        ("I do not know.", "syntax", "begins with SELECT"),
        ("", "syntax", "no query"),
        (f"```sql\n{GOLD}\n```\n```sql\n{GOLD}\n```", "syntax", "2 code blocks"),
        (f"```sql\n{GOLD}", "syntax", "never closed"),
        (GOLD.replace("x.id AS a", "x.id / 0 AS a"), "execution", "the divisor is zero"),
    ],
)
def test_wrong_answers_fail_with_a_reason(answer: str, stage: str, hint: str) -> None:
    verdict = judge(answer)
    assert verdict.status is Status.FAIL
    assert verdict.evidence["stage"] == stage
    assert hint in verdict.reason


def test_order_counts_only_where_the_gold_orders() -> None:
    ordered = GOLD + " ORDER BY a DESC, b"
    assert judge(ordered, ordered)
    assert judge(ordered, GOLD)
    assert not judge(GOLD + " ORDER BY a, b", ordered)
    # rows with equal keys may stand in any order
    assert judge(GOLD + " ORDER BY a, b DESC", GOLD + " ORDER BY a")


def test_evidence_holds_both_tables() -> None:
    evidence = judge(GOLD.replace("]->", "]-")).evidence
    assert evidence["expected"]["columns"] == ["a", "b"]
    assert [1, 2] in evidence["expected"]["rows"]
    assert evidence["returned"]["count"] == 9


def test_a_join_is_accepted_when_the_recipe_says_so() -> None:
    join = "SELECT a, b FROM knows WHERE a IN (SELECT id FROM person) AND b IN (SELECT id FROM person)"
    assert judge(join, must_use_graph_table=False)


def test_without_a_gold() -> None:
    assert judge(GOLD, None).status is Status.SKIP
    assert judge(GOLD, None, against="none").status is Status.PASS
    assert judge(GOLD.replace("knows", "know"), None, against="none").status is Status.FAIL


def test_a_broken_gold_is_an_error_and_no_verdict_on_the_answer() -> None:
    verdict = judge(GOLD, GOLD.replace("knows", "know"))
    assert verdict.status is Status.ERROR
    assert verdict.reason.startswith("gold")


def test_what_cannot_run_here_is_skipped() -> None:
    assert judge(GOLD.replace("x.id AS a", "pkg_score(x.id) AS a")).status is Status.SKIP
    assert judge(GOLD, GOLD.replace("x.id AS a", "pkg_score(x.id) AS a")).status is Status.SKIP


def test_a_changed_script_is_read_again(tmp_path: Path) -> None:
    script = tmp_path / "copy.sql"
    script.write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    count = "SELECT COUNT(*) AS n FROM GRAPH_TABLE (g MATCH (x IS firm) COLUMNS (x.id))"
    case = Case(prompt="", completion="", thinking=None, answer=count, gold=None)
    first = graph_sql(case, database=script, against="none").evidence["returned"]["rows"]
    script.write_text(script.read_text(encoding="utf-8").replace(", (2, 'Bolt', 3)", ""), encoding="utf-8")
    second = graph_sql(case, database=script, against="none").evidence["returned"]["rows"]
    assert (first, second) == ([[2]], [[1]])
