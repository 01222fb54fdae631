"""The verifier `trace`: good thinking passes, whoever wrote it; every kind of planted fault is found."""

import random
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from tests.distill.test_symbolic import LANGUAGES, ROWS, SAMPLES, trace
from tests.verify.graph_sql.planted import FAULTS, Names
from verify.contract import BUILT_IN, Case, Check, Status, Verdict
from verify.graph_sql import trace as judge
from verify.graph_sql.ddl import parse_script
from verify.think import think

CASES = Path(__file__).parent / "cases" / "trace"


def judged(thinking: str | None, answer: str, graph: str, *, question: str = "") -> Verdict:
    return judge(Case("", "", thinking, answer, question=question), database=SAMPLES / f"{graph}.sql")


def by_hand(language: str) -> dict[str, tuple[str, str, str]]:
    """Title to graph, query and thinking of a file of cases."""
    text = (CASES / f"good_{language}.txt").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, rest = part.partition("\n")
        sql, _, thinking = rest.partition("\n---\n")
        title, graph = heading.split(" | ")
        found[title] = graph, sql, thinking.strip()
    return found


HAND = {language: by_hand(language) for language in LANGUAGES}


@lru_cache
def names(graph: str) -> Names:
    catalog = parse_script((SAMPLES / f"{graph}.sql").read_text(encoding="utf-8")).catalog()
    only = next(iter(catalog.graphs.values()))
    properties = {**only.properties("vertex"), **only.properties("edge")}
    return Names(list(only.labels("vertex").values()), list(only.labels("edge").values()), list(properties.values()))


# ---------------------------------------------------------------- what has to pass


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROWS)
def test_the_symbolic_teachers_thinking_passes(name: str, language: str) -> None:
    for sample in range(3):
        thinking, answer = trace(name, language, sample)
        verdict = judged(thinking, answer, ROWS[name].meta["graph"], question=ROWS[name].question)
        assert verdict.status is Status.PASS, (verdict.evidence, thinking)


@pytest.mark.parametrize(
    ("language", "title"), [(language, title) for language in LANGUAGES for title in HAND[language]]
)
def test_thinking_from_another_hand_passes(language: str, title: str) -> None:
    graph, sql, thinking = HAND[language][title]
    verdict = judged(thinking, f"```sql\n{sql}\n```", graph)
    assert verdict.status is Status.PASS, (verdict.evidence, thinking)


def test_there_are_fifteen_of_them_in_each_language() -> None:
    assert {language: len(cases) for language, cases in HAND.items()} == {"en": 15, "zh": 15}


# ---------------------------------------------------------------- what has to fail


def test_planted_faults_are_found() -> None:
    """Each kind of fault in at least 99 of 100 symbolic traces, over all samples, every other one in Chinese."""
    rng = random.Random(7)
    planted: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for index, (name, row) in enumerate(ROWS.items()):
        graph, good = row.meta["graph"], trace(name, LANGUAGES[index % 2])
        for fault in FAULTS:
            bad = fault(*good, names(graph), rng)
            if bad is None or bad == good:
                continue
            planted[fault.__name__] += 1
            passed[fault.__name__] += bool(judged(*bad, graph, question=row.question))
    assert min(planted[fault.__name__] for fault in FAULTS) >= 20, planted
    assert not {kind: (count, planted[kind]) for kind, count in passed.items() if count > 0.01 * planted[kind]}


def test_planted_faults_are_found_in_thinking_from_another_hand() -> None:
    """There the wording is anybody's, and some of it has no code at all, so faults are planted in the query."""
    rng = random.Random(7)
    missed, planted = [], 0
    for language in LANGUAGES:
        for title, (graph, sql, thinking) in HAND[language].items():
            for fault in FAULTS:
                bad = fault(thinking, sql, names(graph), rng) if fault.__name__.endswith("in_the_query") else None
                if bad is not None and bad != (thinking, sql):
                    planted += 1
                    missed += [(title, fault.__name__)] * bool(judged(*bad, graph))
    assert planted > 120 and len(missed) <= 0.12 * planted, (planted, missed)


SQL = (
    "SELECT id, amount FROM GRAPH_TABLE (bank MATCH (a IS account WHERE a.id = 101)-[t IS transfer WHERE "
    "t.amount > 3000]->(b IS account) COLUMNS (t.id, t.amount))"
)
GOOD = (
    "In `bank` I follow `transfer` from one `account` to another: `(a IS account)-[t IS transfer]->(b IS account)`. "
    "The sender has `a.id = 101`, and the amount is more than 3000, `t.amount > 3000`. COLUMNS gets `t.id, t.amount`."
)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("", "", ""),
        ("`bank`", "the graph", "the graph `bank` is not mentioned"),
        ("-[t IS transfer]->", "<-[t IS transfer]-", "`(b)-[transfer]->(a)`"),
        ("(b IS account)", "(b IS company)", "company"),
        ("(b IS account)", "(b IS invoice)", "`invoice` exists neither"),
        ("is more than 3000, `t.amount > 3000`", "matters", "3000"),
        ("more than", "less than", "`< 3000` is said"),
        ("t.amount > 3000", "t.amount > 4000", "t.amount > 4000"),
        ("t.amount > 3000", "t.balance > 3000", "balance"),
        ("`t.id, t.amount`.", "`t.id`.", "`t.amount` is not named"),
        ("`t.id, t.amount`.", "`t.id, t.amount, b.kind`.", "`b.kind`"),
        ("`t.id, t.amount`.", "`t.id, t.amount`. `fee_total` comes last.", "`fee_total` exists neither"),
        ("`t.id, t.amount`.", "`t.id, t.amount`. Then I add GROUP BY.", "GROUP BY"),
        ("`t.id, t.amount`.", "`t.id, t.amount`. The answer key says so.", "leak"),
        ("->(b", "->{1,2}(b", "{1,2}"),
        ("101", "107", "107"),
        ("from one `account` to another", "out of one account, 2 to 3 times,", "2 to 3"),
    ],
)
def test_one_word_makes_the_difference(old: str, new: str, problem: str) -> None:
    verdict = judged(GOOD.replace(old, new) if old else GOOD, SQL, "bank")
    assert bool(verdict) == (not problem), verdict
    assert any(problem in one for one in verdict.evidence.get("problems", [""])), verdict


@pytest.mark.parametrize(
    "aside",
    [
        "`(a IS account)<-[t IS transfer]-(b IS account)` would be wrong.",
        "At first I thought of `t.amount >= 3000`.",
        "I do not need `b.kind` here.",
        "There is no `fee_total` in this graph.",
        "写成 `(a IS account)<-[t IS transfer]-(b IS account)` 就反了。",
        "不需要 `b.kind`。",
        "No DISTINCT, as every transfer counts.",
        "For example, account 107 could be at the other end.",
    ],
)
def test_what_is_said_to_be_wrong_is_no_claim(aside: str) -> None:
    verdict = judged(f"{GOOD} {aside}", SQL, "bank")
    assert verdict.status is Status.PASS, verdict


def test_a_draft_taken_back_does_not_replace_the_right_one() -> None:
    taken_back = GOOD.replace("-[t IS transfer]->", "<-[t IS transfer]-").replace(")`. The", ")`. Wait, no. The")
    assert "direction" in judged(taken_back, SQL, "bank").reason


# ---------------------------------------------------------------- as a check


def test_it_is_a_verifier_of_recipes() -> None:
    assert BUILT_IN["trace"] == "verify.graph_sql:trace"
    check = Check.build("trace", {"database": "{graph}.sql"}, base=SAMPLES, required=True)
    assert check.name == "trace" and check.tag.isolated and not check.tag.needs_gold


@pytest.mark.parametrize(("thinking", "answer"), [(None, SQL), ("  ", SQL), (GOOD, "SELECT FROM"), (GOOD, "")])
def test_nothing_to_judge_is_no_pass(thinking: str | None, answer: str) -> None:
    assert judged(thinking, answer, "bank").status is Status.FAIL


def test_every_problem_is_in_the_evidence() -> None:
    verdict = judged("I look it up.", SQL, "bank")
    assert verdict.reason == verdict.evidence["problems"][0] and len(verdict.evidence["problems"]) >= 5


def test_good_thinking_by_hand_passes_the_check_on_thinking_too() -> None:
    for language in LANGUAGES:
        for graph, sql, thinking in HAND[language].values():
            question = "帮我查一下这张图。" if language == "zh" else "Look this up in the graph, please."
            case = Case(question, f"<think>\n{thinking}\n</think>\n\n{sql}", thinking, sql, None, question)
            assert think(case).status is Status.PASS, (graph, thinking)


@pytest.mark.parametrize(
    "piece", ["(", "a.b.", "和甲", "`", "'", "(a)-[t]->", "(a IS x|", "{1,", "a = b < c ", " or a"]
)
def test_hostile_thinking_ends_in_a_verdict(piece: str) -> None:
    """Each of these would take minutes where a pattern goes back on itself."""
    assert judged("从甲 from a" + piece * (8000 // len(piece)), SQL, "bank").status is Status.FAIL
