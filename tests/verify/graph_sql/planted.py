"""Faults planted in good thinking, one function for each kind: what comes back names the query wrongly, or is None.

Used by `test_trace`. A fault is planted either in the thinking (the query stays) or in the query (the thinking stays).
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

_SPAN = re.compile(r"`[^`\n]*`")
_ARROW = re.compile(r"-\[([^\]\n]*)\]->|<-\[([^\]\n]*)\]-(?!>)")
_LABEL = re.compile(r"(?<=IS )(?!NULL|NOT|SOURCE|DESTINATION|LABELED)(\w+)(?=[\w|]*(?:[)\]]| WHERE))")
_VALUE = re.compile(r"'[^'\n]+'|(?<![\w.{,])\d+(?:\.\d+)?(?![\w.}])")
_REFERENCE = re.compile(r"\b([a-z])\.(\w+)")
_BOUNDS = re.compile(r"\{(\d+)(?:,(\d+))?\}")
_CONDITION = re.compile(r" WHERE (?:(?!\)|\]|\bWHERE\b)[^()\n])*(?=\)|\])")


@dataclass(frozen=True)
class Names:
    """The names of one graph to draw wrong ones from."""

    vertex_labels: list[str]
    edge_labels: list[str]
    properties: list[str]


Fault = Callable[[str, str, Names, random.Random], tuple[str, str] | None]
"""Takes thinking and answer; gives them back with the fault, or None where the query has nothing to plant it in."""


def _turn(match: re.Match[str]) -> str:
    return f"<-[{match[1]}]-" if match[1] is not None else f"-[{match[2]}]->"


def _ends(text: str, match: re.Match[str]) -> tuple[str, str, str]:
    """The variables at the ends of an arrow in the order of the edge, and the label."""
    before = re.findall(r"\((\w*)[^()]*\)\s*$", text[: match.start()])
    after = re.findall(r"^(?:\{[^}]*\})?\s*\((\w*)", text[match.end() :])
    left, right = (before or [""])[0], (after or [""])[0]
    label = (match[1] if match[1] is not None else match[2]).rpartition(" ")[2]
    return (left, right, label) if match[1] is not None else (right, left, label)


def _loops(text: str, match: re.Match[str], answer: str) -> bool:
    """Whether the arrow turned round is in the query too, so that turning it is no fault."""
    start, end, label = _ends(text, match)
    return (end, start, label) in {_ends(answer, one) for one in _ARROW.finditer(answer)}


def _once(pattern: re.Pattern[str], text: str, new: Callable[[re.Match[str]], str], rng: random.Random) -> str | None:
    found = list(pattern.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + new(match) + text[match.end() :]


def reversed_in_the_thinking(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One arrow of a pattern in the thinking is turned round."""
    found = [one for one in _ARROW.finditer(thinking) if not _loops(thinking, one, answer)]
    if not found:
        return None
    match = rng.choice(found)
    return thinking[: match.start()] + _turn(match) + thinking[match.end() :], answer


def reversed_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One arrow of the query is turned round."""
    found = [one for one in _ARROW.finditer(answer) if not _loops(answer, one, answer)]
    if not found:
        return None
    match = rng.choice(found)
    return thinking, answer[: match.start()] + _turn(match) + answer[match.end() :]


def _other(name: str, answer: str, names: Names, rng: random.Random) -> str:
    pool = names.edge_labels if name in names.edge_labels else names.vertex_labels
    return rng.choice([one for one in pool if one not in answer] or ["invoice"])


def wrong_label_in_the_thinking(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One label of a pattern in the thinking becomes another of the same graph."""
    changed = _once(_LABEL, thinking, lambda match: _other(match[1], answer, names, rng), rng)
    return None if changed is None else (changed, answer)


def wrong_label_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One label of the query becomes another of the same graph."""
    changed = _once(_LABEL, answer, lambda match: _other(match[1], answer, names, rng), rng)
    return None if changed is None else (thinking, changed)


def unknown_label(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One label of a pattern in the thinking becomes one that no schema has."""
    changed = _once(_LABEL, thinking, lambda match: "invoice", rng)
    return None if changed is None else (changed, answer)


def _another_value(value: str, rng: random.Random) -> str:
    if not value.startswith("'"):
        return str(float(value) + 13.5) if "." in value else str(int(value) + rng.choice([17, 40, 100]))
    if re.fullmatch(r"'\d{4}-\d\d-\d\d'", value):
        return f"'{int(value[1:5]) + 3}{value[5:]}"
    return rng.choice([one for one in ("'Oslo'", "'Kim Novak'", "'closed'") if one != value])


def changed_literal_in_the_thinking(
    thinking: str, answer: str, names: Names, rng: random.Random
) -> tuple[str, str] | None:
    """One constant in the code of the thinking becomes another."""
    spans = [
        one
        for one in _SPAN.finditer(thinking)
        if re.search(r"[=<>] ?(?:DATE )?['\d]", one[0]) and _VALUE.search(one[0])
    ]
    spans = [one for one in spans if " AS " not in one[0]]
    if not spans:
        return None
    span = rng.choice(spans)
    changed = _once(_VALUE, span[0], lambda match: _another_value(match[0], rng), rng) or ""
    return thinking[: span.start()] + changed + thinking[span.end() :], answer


def changed_literal_in_the_query(
    thinking: str, answer: str, names: Names, rng: random.Random
) -> tuple[str, str] | None:
    """One constant of a condition in the query becomes another."""
    pattern = re.compile(r"(?<=[=<>] )(?:'[^'\n]+'|\d+(?:\.\d+)?)|(?<=DATE )'[^'\n]+'")
    changed = _once(pattern, answer, lambda match: _another_value(match[0], rng), rng)
    return None if changed is None else (thinking, changed)


def missing_filter_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """The query loses a condition that the thinking has."""
    found = _CONDITION.findall(answer)
    return (thinking, answer.replace(rng.choice(found), "")) if found else None


def missing_filter_in_the_thinking(
    thinking: str, answer: str, names: Names, rng: random.Random
) -> tuple[str, str] | None:
    """Every sentence of the thinking that has the constant of one condition is gone."""
    found = re.findall(r"[=<>] (?:DATE )?('[^'\n]+'|\d+(?:\.\d+)?)", answer)
    found = [one.strip("'") for one in found if len(one) > 2]
    if not found:
        return None
    value = rng.choice(found)
    sentences = re.split(r"(?<=[.!?])\s+|(?<=[。？！])", thinking)
    kept = [one for one in sentences if value not in one]
    return (" ".join(kept), answer) if len(kept) < len(sentences) else None


def other_operator_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One comparison of the query is turned round."""
    turned = {" > ": " < ", " < ": " > ", " >= ": " <= ", " <= ": " >= "}
    changed = _once(re.compile(r" (?:>=|<=|>|<) "), answer, lambda match: turned[match[0]], rng)
    return None if changed is None else (thinking, changed)


def _columns(text: str) -> list[re.Match[str]]:
    """Lists of outputs in the thinking: code with a property and no comparison, in a sentence of its own."""
    spans = list(_SPAN.finditer(text))
    return [
        one
        for one in spans
        if _REFERENCE.search(one[0]) and not re.search(r"[=<>]|LIKE|NULL|\bIN\b|BETWEEN|[()]", one[0])
    ]


def other_column_in_the_thinking(
    thinking: str, answer: str, names: Names, rng: random.Random
) -> tuple[str, str] | None:
    """One property in a list of outputs becomes another of the same graph that the query does not read there."""
    spans = _columns(thinking)
    if not spans:
        return None
    span = rng.choice(spans)
    used = set(_REFERENCE.findall(answer))

    def other(match: re.Match[str]) -> str:
        free = [name for name in names.properties if (match[1], name) not in used]
        return f"{match[1]}.{rng.choice(free)}"

    changed = _once(_REFERENCE, span[0], other, rng) or ""
    return thinking[: span.start()] + changed + thinking[span.end() :], answer


def other_column_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One output of the query becomes another property."""
    columns = [one for one in re.finditer(r"COLUMNS \(([^()\n]*)\)", answer) if _REFERENCE.search(one[1])]
    if not columns:
        return None
    column = rng.choice(columns)
    used = set(_REFERENCE.findall(answer))

    def other(match: re.Match[str]) -> str:
        return f"{match[1]}.{rng.choice([name for name in names.properties if (match[1], name) not in used])}"

    changed = _once(_REFERENCE, column[1], other, rng) or ""
    return thinking, answer[: column.start(1)] + changed + answer[column.end(1) :]


def missing_output_in_the_thinking(
    thinking: str, answer: str, names: Names, rng: random.Random
) -> tuple[str, str] | None:
    """A list of outputs in the thinking loses an entry."""
    lists = re.findall(r"COLUMNS \(([^\n]*)\)", answer)
    inside = {pair for text in lists for pair in _REFERENCE.findall(text)}
    spans = [one for one in _columns(thinking) if ", " in one[0] and set(_REFERENCE.findall(one[0])) <= inside]
    if not spans or ".*" in answer:
        return None
    span = rng.choice(spans)
    entries = span[0].strip("`").split(", ")
    entries.pop(rng.randrange(len(entries)))
    return f"{thinking[: span.start()]}`{', '.join(entries)}`{thinking[span.end() :]}", answer


def _more(match: re.Match[str]) -> str:
    return f"{{{match[1]},{int(match[2]) + 1}}}" if match[2] else f"{{{int(match[1]) + 1}}}"


def changed_hops_in_the_thinking(
    thinking: str, answer: str, names: Names, rng: random.Random
) -> tuple[str, str] | None:
    """One quantifier of the thinking allows a step more."""
    changed = _once(_BOUNDS, thinking, _more, rng)
    return None if changed is None else (changed, answer)


def changed_hops_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """One quantifier of the query allows a step more."""
    changed = _once(_BOUNDS, answer, _more, rng)
    return None if changed is None else (thinking, changed)


def extra_hop_in_the_query(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """The query goes a step further than the thinking."""
    match = re.search(r"-\[[^\]\n]*?(IS [\w|]+)[^\]\n]*\]-> \(\w+ IS (\w+)\)", answer)
    if match is None:
        return None
    step = f" -[{match[1]}]-> (zz IS {match[2]})"
    return thinking, answer[: match.end()] + step + answer[match.end() :]


def contradiction(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """A last sentence that takes another way than the query."""
    match = next((one for one in _ARROW.finditer(answer) if not _loops(answer, one, answer)), None)
    if match is None:
        return None
    pattern = re.search(r"\([^()\n]*\) ?" + re.escape(match[0]) + r"(?:\{[\d,]+\})? ?\([^()\n]*\)", answer)
    if pattern is None:
        return None
    turned = re.sub(r" WHERE [^()\[\]]*(?=[)\]])", "", _ARROW.sub(_turn, pattern[0]))
    said = "所以最后的模式是" if re.search(r"[\u4e00-\u9fff]{4}", thinking[:80]) else "So the final pattern is "
    return f"{thinking}\n\n{said}`{turned}`{'。' if said[-1] == '是' else '.'}", answer


def leaked(thinking: str, answer: str, names: Names, rng: random.Random) -> tuple[str, str] | None:
    """A sentence that gives away that the query was known."""
    sentences = (
        "This agrees with the given answer.",
        "The reference query does the same.",
        "I was given the query, so I only explain it.",
        "According to the answer, this is it.",
        "这与参考答案一致。",
        "给定的查询也是这样写的。",
        "标准答案就是这样。",
    )
    return f"{thinking} {rng.choice(sentences)}", answer


FAULTS: list[Fault] = [
    reversed_in_the_thinking,
    reversed_in_the_query,
    wrong_label_in_the_thinking,
    wrong_label_in_the_query,
    unknown_label,
    changed_literal_in_the_thinking,
    changed_literal_in_the_query,
    missing_filter_in_the_query,
    missing_filter_in_the_thinking,
    other_operator_in_the_query,
    other_column_in_the_thinking,
    other_column_in_the_query,
    missing_output_in_the_thinking,
    changed_hops_in_the_thinking,
    changed_hops_in_the_query,
    extra_hop_in_the_query,
    contradiction,
    leaked,
]
