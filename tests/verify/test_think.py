"""Finding, rendering and judging reasoning: golden messages in cases/think, and what must hold for any text."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.contract import Case, Verdict
from verify.think import find, language, leak, normalise, render, repetition, strip, think

CASES = Path(__file__).with_name("cases")


def load(name: str) -> Any:
    return json.loads((CASES / name).read_text(encoding="utf-8"))


MESSAGES = [case for path in sorted((CASES / "think").glob("*.json")) for case in load(f"think/{path.name}")]


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case["name"])
def test_golden_message(case: dict[str, Any]) -> None:
    thought = normalise(case["message"])
    assert (thought.thinking, thought.answer, thought.closed) == (case["thinking"], case["answer"], case["closed"])


TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["```", "```sql", "~~~", "`", "> ", "\n", "\n\n", " ", "answer", "analysis", "final", "思考", "<", "/"]
        ),
        st.text(max_size=8),
    ),
    max_size=14,
).map(lambda parts: "".join(parts).strip())


def tagless(text: str) -> bool:
    return bool(text) and not any(mark in text.lower() for mark in ("think", "thought", "<answer>", "<|", "</s>"))


@given(TEXTS.filter(tagless), TEXTS.filter(lambda text: not text or tagless(text)))
def test_what_is_rendered_is_found_again(thinking: str, answer: str) -> None:
    text = render(thinking, answer)
    thought = normalise({"content": text})
    assert (thought.thinking, thought.answer, thought.closed) == (thinking, answer, True)
    assert strip(text) == answer


@given(st.text(st.sampled_from("`~<>/think|ANSWER[]◁▷ \n:channelmsgd"), max_size=200))
def test_no_text_upsets_the_normaliser(text: str) -> None:
    thought = normalise({"content": text, "reasoning": text[::-1]})
    assert thought.closed or thought.answer == ""
    assert all(block.end <= len(text) for block in find(text))


@given(
    st.recursive(
        st.none() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "text", "summary"]), inner),
    )
)
def test_no_message_upsets_the_normaliser(value: Any) -> None:
    assert isinstance(normalise({"content": value, "reasoning_details": value}).answer, str)


HOSTILE = {
    "open": "<think>",
    "close": "</think>",
    "pairs": "<think>a</think>",
    "strays": "a</think>",
    "fences": "```\n",
    "long fence": "`",
    "tildes": "~~~x\n",
    "spaces": " \n \t",
    "ends": "</s>",
    "channel": "<|channel|>analysis",
    "channels": "<|channel|>final<|message|>a<|end|>",
    "words": "ab ",
    "letters": "ab",
    "quotes": "> > >",
    "given": "the given the given ",
    "chinese": "给出的给出的",
}


def cost(text: str) -> float:
    start = time.process_time()
    normalise({"content": text, "reasoning": text})
    think(Case("q?", text, text, text))
    repetition(text)
    leak(text)
    language(text)
    return time.process_time() - start


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """Eight times the text may cost at most 40 times as much: a quadratic step would cost 64 times, a cubic 512."""
    short, long = (unit * (size // len(unit)) for size in (20_000, 160_000))
    base = max(min(cost(short) for _ in range(3)), 0.002)
    assert cost(long) < 40 * base


# ---------------------------------------------------------------- the parts of the verifier


@pytest.mark.parametrize("text", load("leak.json")["leaks"])
def test_leak_is_seen(text: str) -> None:
    assert leak("Let me think. " + text)


@pytest.mark.parametrize("text", load("leak.json")["clean"])
def test_no_false_alarm(text: str) -> None:
    assert leak("Let me think. " + text) == ""


@pytest.mark.parametrize(("question", "text"), load("leak.json")["asked"])
def test_the_question_s_own_words_are_no_leak(question: str, text: str) -> None:
    assert leak(text, question) == ""
    assert leak(text, "Something else?") != ""


@pytest.mark.parametrize(("text", "expected"), load("language.json"))
def test_language(text: str, expected: str) -> None:
    assert language(text) == expected


ROWS = "\n".join(f"Row {n}: the account {n} has a balance of {n * 17} and one transfer." for n in range(60))
SQL = "SELECT name FROM GRAPH_TABLE (bank MATCH (a IS account)-[t IS transfer]->(b IS account) COLUMNS (a.name))"


@pytest.mark.parametrize(
    "text",
    [
        "Wait. " * 80,
        "Let me count again, there are two accounts and one transfer between them. " * 7,
        "我再想一想，这里有两个账户和一笔转账。" * 8,
        "0.333" + "3" * 500,
        "First a thought of its own. " + "so the answer is 5 or maybe it is 6 " * 12,
        " ".join(f"{SQL} {'and then ' * (n % 7)}again {n}" for n in range(25)),
    ],
)
def test_loop_is_seen(text: str) -> None:
    assert repetition(text)


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "; ".join(" ".join("1" if a == b else "0" for b in range(14)) for a in range(14)),
        f"First {SQL}. That misses loops. Then {SQL} with a filter. Finally {SQL} it is. To be sure: {SQL}.",
        "哈哈哈，这个问题很有意思。",
        "-" * 900,
        "No. No. No. That is wrong.",
        "",
    ],
)
def test_no_loop_where_there_is_none(text: str) -> None:
    assert repetition(text) == ""


# ---------------------------------------------------------------- the verifier


def judge(
    thinking: str | None, answer: str = "42", question: str = "What is six times seven?", **options: Any
) -> Verdict:
    completion = options.pop("completion", render(thinking, answer))
    finished = options.pop("finished", True)
    case = Case("schema and question", completion, thinking, answer, question=question, finished=finished)
    return think(case, **options)


def test_good_thinking_passes() -> None:
    assert judge("Six times seven is forty-two.")
    assert judge("六乘以七等于四十二。", question="六乘以七是多少？")
    assert judge("The loop uses `<think>` as a literal.", answer="```\n</think>\n```")


@pytest.mark.parametrize(
    ("reason", "case"),
    [
        ("no thinking", {"thinking": None}),
        ("no thinking", {"thinking": " \n"}),
        ("not finished", {"thinking": "Six times", "finished": False}),
        ("empty answer", {"thinking": "Six times seven.", "answer": " "}),
        ("nested or unbalanced", {"thinking": "Six <think> times seven."}),
        ("tags in the answer", {"thinking": "Six times seven.", "answer": "42</think>"}),
        ("answer before", {"thinking": "Six.", "completion": "It is 42.\n<think>\nSix.\n</think>\n\n42"}),
        ("at least 50", {"thinking": "Six times seven.", "min_chars": 50}),
        ("at most 5", {"thinking": "Six times seven.", "max_chars": 5}),
        ("loop", {"thinking": "Wait, six times seven. " * 40}),
        ("leak: `the given answer`", {"thinking": "The given answer is 42."}),
        ("in `zh`", {"thinking": "六乘以七等于四十二，因此答案是四十二。"}),
        ("in `en`", {"thinking": "Six times seven is forty-two, is it not.", "question": "六乘以七是多少？"}),
    ],
)
def test_bad_thinking_fails_with_its_reason(reason: str, case: dict[str, Any]) -> None:
    verdict = judge(**case)
    assert verdict.status == "fail" and reason in verdict.reason


def test_another_language_may_be_allowed() -> None:
    assert judge("六乘以七等于四十二，因此答案是四十二。", language="any")


def test_a_thought_too_short_to_tell_its_language_passes() -> None:
    assert judge("6 * 7 = 42", question="六乘以七是多少？")
