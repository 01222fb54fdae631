"""The verifier `trace`: does the thinking name this answer's query, and nothing that contradicts it?

May be imported by `verify.graph_sql`; imports the contract, and the parser only while it runs.
Design reason: lenient in wording, strict in facts. The facts come from the answer's own tree and from the graph's
schema, never from a lexicon. Whatever the thinking states formally (patterns, comparisons, `variable.property`,
quantifiers) must be in the query unless it is said to be wrong; whatever the query is made of must come up somewhere.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract import Case, Status, Verdict, verifier  # noqa: TID252  (relative: the package has a generic name)
from ..think import leak  # noqa: TID252
from . import trace_words as words
from .dialects import DialectName
from .errors import GraphSqlError
from .trace_text import Text
from .verifier import extract_sql

if TYPE_CHECKING:
    from .trace_facts import Comparison, Facts, Hop, Schema


@verifier(timeout=5.0, of_thinking=True)
def trace(case: Case, *, database: Path, dialect: DialectName = "oracle") -> Verdict:
    """Judge whether the thinking names the graph, labels, directions, filters, hops and outputs of the answer's query.

    `database` is the script with the graph. The evidence lists everything that is missing or contradicted. The wording
    is free, in English or Chinese; what is said to be wrong or tried and taken back is not held against the thinking.
    """
    thinking = (case.thinking or "").strip()
    if not thinking:
        return Verdict(Status.FAIL, "no thinking")
    from .trace_facts import facts_of

    schema, values = _schema(str(database), database.stat().st_mtime_ns, dialect)
    try:
        facts = facts_of(extract_sql(case.answer), dialect)
    except GraphSqlError as error:
        return Verdict(Status.FAIL, f"the answer's query cannot be read: {error}")
    question = case.question or case.prompt
    judged = _Judged(Text(thinking), facts, schema, values, question, dialect)
    problems = list(dict.fromkeys([*judged.leaks(), *judged.false(), *judged.missing()]))
    if not problems:
        return Verdict(Status.PASS, score=1.0)
    return Verdict(Status.FAIL, problems[0], 0.0, {"problems": problems[:10]})


@lru_cache(maxsize=64)
def _schema(path: str, stamp: int, dialect: str) -> tuple["Schema", frozenset[str]]:
    """The names of a script, and the text constants that occur in its rows."""
    from .ddl import parse_script
    from .trace_facts import schema_of

    text = Path(path).read_text(encoding="utf-8")
    values = frozenset(re.findall(r"'((?:[^'\n]|'')+)'", text))
    return schema_of(parse_script(text, dialect=dialect).catalog()), values


# ---------------------------------------------------------------- judging

_VERTEX = r"\((?:[^()'`\n]|'[^'\n]*'|\([^()\n]*\))*\)"
_EDGE = r"\s*(?:<?-\[(?:[^\]'\n]|'[^'\n]*')*\]-?>?|<->|->|<-|-(?!-))\s*(?:\{\d*,?\d*\})?\s*"
_PATTERN = re.compile(rf"{_VERTEX}(?:{_EDGE}{_VERTEX})+")
_LABELLED = re.compile(
    r"[(\[]\s*(?P<var>\"[^\"\n]+\"|[^\W\d][\w$#]*)?\s*(?:\bIS\b|:)\s*(?!NOT\b|NULL\b|SOURCE\b|DESTINATION\b|LABELED\b)"
    r"(?P<labels>(?:\"[^\"\n]+\"|[^\W\d][\w$#]*)(?:\s*\|\s*(?:\"[^\"\n]+\"|[^\W\d][\w$#]*))*)",
    re.IGNORECASE,
)
_QUANTIFIER = re.compile(r"\{\s*(\d+)?\s*(,)?\s*(\d+)?\s*\}")
_RANGE = re.compile(r"(?<![A-Za-z0-9_.,-])(\d{1,2})\s*(?:to|through|–|-|~|到|至)\s*(\d{1,2})(?![\w.-]*\d)")
_SPELLED = re.compile(
    r"\b(one|two|three|four|five|six)\s+(?:to|through)\s+(two|three|four|five|six|seven|eight)\b", re.I
)
_IDENTIFIER = re.compile(r"\"[^\"\n]+\"|[^\W\d][\w$#]*")
_SNAKE = re.compile(r"(?<![\w.`])[A-Za-z]\w*_\w+(?![\w(])")
_QUOTED = re.compile(r"(?<!\w)'((?:[^'\n]|''){1,80})'(?!\w)|“([^”\n]{1,80})”|\"([^\"\n]{1,80})\"")
_TITLED = re.compile(
    r"\b(?:is|are|named|called|titled|equals?|=|of|for|from|to)\s*$|(?:为|是|等于|叫|名为|：)\s*$", re.I
)
_FETCH = re.compile(r"\bFETCH (?:FIRST|NEXT) (\d+)")
_END = r"(?:an? |the |one )?(?:`[^`\n]+`|[A-Za-z][A-Za-z0-9_]{0,60}+)"
_SIDE = rf"{_END}(?:(?:, | or | and |\s?[或和、]\s?){_END}){{0,4}}"
_ENDS = (
    re.compile(rf"\b(?:from|out of) (?P<s>{_SIDE}) (?:in)?to (?P<t>{_SIDE})"),
    re.compile(rf"(?:从|由)\s*(?P<s>{_SIDE})\s*(?:出发、)?(?:指向|流向|通向|到|连到|连向)\s*(?P<t>{_SIDE})"),
    re.compile(rf"(?P<s>{_SIDE}) as source and (?P<t>{_SIDE}) as destination"),
)


class _Judged:
    """One thinking held against one query."""

    def __init__(
        self, text: Text, facts: "Facts", schema: "Schema", values: frozenset[str], question: str, dialect: str
    ) -> None:
        self.text, self.facts, self.schema, self.values = text, facts, schema, values
        self.question, self.dialect = question, dialect
        self.said: list[tuple[Hop, list[Hop], bool]] = [
            (hop, self._matching(hop), text.taken_back(place)) for place, hop in self._patterns()
        ]

    def _patterns(self) -> Iterator[tuple[int, "Hop"]]:
        from .trace_facts import read_pattern

        for match in _PATTERN.finditer(self.text.text):
            for hop in read_pattern(match[0], self.dialect):
                yield match.start(), hop

    def _matching(self, hop: "Hop") -> list["Hop"]:
        from .trace_facts import matches

        return matches(hop, self.facts)

    def leaks(self) -> Iterator[str]:
        """Hints at an answer that was known."""
        own = words.LEAKS.search(self.text.text)
        if hint := leak(self.text.text, self.question) or (own[0] if own else ""):
            yield f"leak: `{hint}` gives away that the answer was known"

    # ------------------------------------------------ what is claimed and is not so

    def false(self) -> Iterator[str]:
        """Every claim that the query contradicts."""
        for hop, found, back in self.said:
            if not found and not back:
                yield f"the thinking has the step {_show(hop)}, which the query has not"
        for check in (
            self._false_labels, self._false_comparisons, self._false_pairs, self._false_quantifiers, self._false_ends,
            self._false_literals, self._false_operators, self._false_clauses, self._unknown_names, self._false_arrows,
        ):  # fmt: skip
            yield from check()

    def _false_labels(self) -> Iterator[str]:
        for match in _LABELLED.finditer(self.text.text):
            labels = _folded(match["labels"])
            unknown = [label for label in labels if label not in self.schema.labels and label not in self.facts.labels]
            written = self.facts.vertex_labels.get(_fold(match["var"] or ""))
            wrong = unknown or [label for label in labels if label not in self.facts.labels]
            if written and labels not in written:
                wrong = wrong or list(labels)
            if wrong and not self.text.taken_back(match.start()):
                kind = "exists neither in the schema nor in the query" if unknown else "is not what the query has there"
                yield f"the label `{wrong[0]}` {kind}"

    def _false_comparisons(self) -> Iterator[str]:
        from .trace_facts import comparisons, is_stated

        known = self.schema.names | self.facts.aliases.keys() | {one.name for one in self.facts.comparisons}
        for start, _, one in comparisons(self.text.text):
            if one.name not in known and "(" not in one.name:
                continue
            if not is_stated(one, self.facts) and not self._part_of_another(one) and not self.text.taken_back(start):
                yield f"the condition `{_written(one)}` is not in the query"

    def _part_of_another(self, one: "Comparison") -> bool:
        """Whether it is said in other words: `= x` of an IN list, `is not null`, or the alias of an expression."""
        value = one.value.strip("'")
        lists = [other for other in self.facts.comparisons if other.operator == "IN" and other.name == one.name]
        if one.operator == "=" and any(value in other.value for other in lists):
            return True
        text = re.sub(r"\s+", "", self.facts.text).casefold()
        shown = f"{one.variable}." if one.variable in self.facts.variables else ""
        return re.sub(r"\s+", "", f"{shown}{one.name}{one.operator}{one.value}").casefold() in text

    def _false_pairs(self) -> Iterator[str]:
        from .trace_facts import PAIR, fold

        outputs = set().union(*self.facts.outputs)
        compared = self._compared_spans()
        for match in PAIR.finditer(self.text.text):
            variable, name = fold(match["var"]), fold(match["name"])
            if variable not in self.facts.variables:
                continue
            back = self.text.taken_back(match.start())
            if variable in self.facts.starred:
                if name not in self._owned(variable) and not back:
                    yield f"`{variable}` has no property `{name}`"
            elif (variable, name) not in self.facts.pairs:
                if not back and (name in self.schema.names or self._in_code(match.start())):
                    yield f"`{match[0]}` is not in the query"
            elif outputs and (variable, name) not in outputs and not any(a <= match.start() < b for a, b in compared):
                clause = self.text.clause(match.start())
                if words.OUTPUT.search(clause) and not back and not self._outer(variable):
                    yield f"`{match[0]}` is not among the outputs of the query"

    def _owned(self, variable: str) -> set[str]:
        labels = {label for group in self.facts.vertex_labels.get(variable, ()) for label in group}
        return {name for label in labels for name in self.schema.owned.get(label, ())} or set(self.schema.properties)

    def _outer(self, variable: str) -> bool:
        """Whether a qualifier belongs to the query around the match, whose outputs are another matter."""
        inside = {hop.variable for hop in self.facts.hops} | {
            end.variable for hop in self.facts.hops for end in (hop.source, hop.target)
        }
        return variable not in inside and variable not in self.facts.vertex_labels

    def _compared_spans(self) -> list[tuple[int, int]]:
        from .trace_facts import comparisons

        return [(start, end) for start, end, _ in comparisons(self.text.text)]

    def _in_code(self, place: int) -> bool:
        return any(start <= place < start + len(code) for start, code in self.text.code)

    def _false_quantifiers(self) -> Iterator[str]:
        bounds = {hop.bounds for hop in self.facts.hops if hop.bounds is not None} | self.facts.bounds
        for match in _QUANTIFIER.finditer(self.text.text):
            if not (match[1] or match[3]):
                continue
            low = int(match[1] or 0)
            said = (low, int(match[3]) if match[3] else None if match[2] else low)
            if said not in bounds and not self.text.taken_back(match.start()):
                yield f"the quantifier `{match[0]}` is not in the query"
        numbers = self._allowed_numbers()
        for match in [*_RANGE.finditer(self.text.text), *_SPELLED.finditer(self.text.text)]:
            low, high = (_digit(one) for one in match.groups())
            known = (low, high) in bounds or {low, high} <= numbers
            if low < high and not known and not self.text.taken_back(match.start()):
                yield f"the range `{match[0]}` is not in the query"

    def _allowed_numbers(self) -> set[int]:
        conditions = {value for _, value in words.numbers_in(" ".join(self.facts.numbers))}
        return {int(one) for one in conditions if one == int(one)}

    def _false_ends(self) -> Iterator[str]:
        """A sentence that turns an edge round, held against the schema and against the query."""
        for pattern in _ENDS if "as source and" in self.text.lower else _ENDS[:2]:
            for match in pattern.finditer(self.text.text):
                start, end = self.text.around(match.start(), self.text.parts)
                edges = [label for label in self._labels_in(self.text.text[start:end]) if label in self.schema.ends]
                starts, stops = self._labels_in(match["s"]), self._labels_in(match["t"])
                if len(set(edges)) != 1 or not starts or not stops or self.text.taken_back(match.start()):
                    continue
                if self._turned(edges[0], starts, stops):
                    yield f"the edge `{edges[0]}` does not run {match[0]}"

    def _turned(self, edge: str, starts: list[str], stops: list[str]) -> bool:
        pairs = {(start, stop) for start in starts for stop in stops}
        there = [
            (hop.source.labels, hop.target.labels) for hop in self.facts.hops if hop.labels == (edge,) and not hop.open
        ]
        turned = [((start,), (stop,)) for stop, start in pairs if stop != start]
        return not pairs & self.schema.ends[edge] or (bool(there) and all(one in turned for one in there))

    def _labels_in(self, text: str) -> list[str]:
        """The labels that a piece of text names, in code or as words."""
        names = [
            _fold(one)
            for one in re.findall(r"`[^`\n]+`|\"[^\"\n]+\"|[A-Za-z]\w*|[\u4e00-\u9fff]+", text.replace("`", " ` "))
        ]
        return [
            name
            for name in names + [_fold(code) for code in re.findall(r"`([^`\n]+)`", text)]
            if name in self.schema.labels
        ]

    def _false_literals(self) -> Iterator[str]:
        sql, question = self.facts.text, self.question
        for match in _QUOTED.finditer(self.text.text):
            text = match[match.lastindex or 0]
            bare = text.strip("%")
            if bare in sql or bare in question or _fold(text) in self.schema.names:
                continue
            claimed = text in self.values or (match[1] and _TITLED.search(self.text.text[: match.start()]))
            if claimed and not self.text.taken_back(match.start()):
                yield f"the value '{text}' is not in the query"
        for text in self._asked_values():
            if (
                text not in sql
                and (found := _mention(text).search(self.text.text))
                and not self.text.taken_back(found.start())
            ):
                yield f"the value '{text}' is not in the query"
        known = {value for text in (sql, question) for _, value in words.numbers_in(text)}
        for place, value in words.numbers_in(self.text.text):
            near = self.text.text[max(0, place - 5) : place + 24]
            if value <= 12 or value in known or value / 100 in known or self._calculated(near):
                continue
            if not self._same_number(place, known) and not self.text.taken_back(place):
                yield f"the number {value} is not in the query"

    def _asked_values(self) -> list[str]:
        """Constants of the data that the question names: a query without them has lost a condition."""
        found = [text for text in self.values if len(text) > 2 and text in self.question]
        return [
            text for text in found if _fold(text) not in self.schema.names and re.search(r"[A-Z\u4e00-\u9fff]", text[0])
        ]

    def _calculated(self, near: str) -> bool:
        return re.search(r"[*×+]|SQL:|\s=\s\d", near) is not None

    def _same_number(self, place: int, known: set[Decimal]) -> bool:
        return any(at == place and value in known for at, value in words.numbers_in(self.text.text))

    def _false_operators(self) -> Iterator[str]:
        """`less than 3000` where the query has `> 3000`."""
        if " NOT " in self.facts.text.replace("NOT VERTEX_EQUAL", "").replace("NOT EDGE_EQUAL", "").replace(
            "NOT EXISTS", ""
        ).replace("NOT IN", ""):
            return
        signs: dict[str, set[str]] = {}
        for one in self.facts.comparisons:
            signs.setdefault(one.value.strip("'"), set()).add(one.operator)
        for value, used in signs.items():
            if not value or not value[0].isdigit() or not used <= {"<", "<=", ">", ">=", "="}:
                continue
            for match in re.finditer(rf"(?<![\w.,]){re.escape(value)}(?![\w]|[.,]\d)", self.text.text):
                before = self.text.text[max(0, match.start() - 40) : match.start()]
                sign = next((sign for sign, pattern in words.BEFORE_VALUE.items() if pattern.search(before)), "")
                suffix = re.match(r"[^,.，。；;]{0,6}(?:以上|以下|or more|or less)", self.text.text[match.end() :])
                wrong = sign and not suffix and not any(sign[0] == one[0] for one in used) and used != {"="}
                if wrong and not words.NEXT_REJECTS.match(
                    self.text.opaque, self.text.around(match.start(), self.text.sentences)[1]
                ):
                    yield f"`{sign} {value}` is said, the query has `{sorted(used)[0]} {value}`"

    def _false_clauses(self) -> Iterator[str]:
        upper = self.facts.text.upper()
        for name, pattern in words.CLAUSES.items():
            places = [match.start() for match in pattern.finditer(self.text.text)]
            if name not in " ".join(upper.split()) and places and not any(map(self._doubted, places)):
                yield f"{name} is said and is not in the query"
        for match in _FETCH.finditer(self.text.text):
            if not re.search(rf"\bFETCH (?:FIRST|NEXT) {match[1]}\b", upper) and not self.text.taken_back(
                match.start()
            ):
                yield f"`{match[0]}` is not in the query"
        if (self.facts.strings or self.facts.numbers) and (match_ := words.NO_FILTER.search(self.text.text)):
            yield f"`{match_[0]}` is said, and the query has conditions"
        if "SELECT DISTINCT" in upper and re.search(
            r"\b(?:no|not add|without|leave out) DISTINCT|(?:不用|不加|不写|不需要) ?DISTINCT", self.text.text
        ):
            yield "no DISTINCT is said, and the query has it"

    def _unknown_names(self) -> Iterator[str]:
        known = self.schema.names | self.facts.variables | {_fold(one) for one in _IDENTIFIER.findall(self.facts.text)}
        known |= {_fold(one) for one in _IDENTIFIER.findall(self.question)} | words.SQL_WORDS
        found = [(start, code) for start, code in self.text.code if _IDENTIFIER.fullmatch(code.strip())]
        found += [(match.start(), match[0]) for match in _SNAKE.finditer(self.text.text)]
        for start, name in found:
            folded = _fold(name.strip())
            if folded not in known and len(folded) > 2 and not self.text.taken_back(start):
                yield f"`{name.strip()}` exists neither in the schema nor in the query"

    def _false_arrows(self) -> Iterator[str]:
        """A bare arrow in code that neither the query nor a pattern of the thinking has."""
        used = {hop.arrow for hop in self.facts.hops} | {hop.arrow for hop, _, _ in self.said}
        for start, code in self.text.code:
            arrow = {"->": "right", "<-": "left"}.get(code.strip())
            if arrow and used and arrow not in used and not self._doubted(start):
                yield f"the arrow `{code.strip()}` is not in the query"

    def _doubted(self, place: int) -> bool:
        start, end = self.text.around(place, self.text.sentences)
        return self.text.taken_back(place) or words.DOUBTS.search(self.text.opaque[start:end]) is not None

    # ------------------------------------------------ what is in the query and does not come up

    def missing(self) -> Iterator[str]:
        """Every fact of the query that the thinking does not mention."""
        wanted = {
            "graph": self.facts.graphs,
            "label": self.facts.labels - self._said_otherwise(),
            "table": self.facts.tables,
            "property": self.facts.required,
        }
        for kind, names in wanted.items():
            for shown in sorted(self.facts.shown.get(name, name) for name in names):
                if not self._named(shown):
                    yield f"the {kind} `{shown}` is not mentioned"
        yield from self._missing_hops()
        yield from self._missing_bounds()
        yield from self._missing_literals()
        yield from self._missing_operators()
        yield from self._missing_outputs()
        for name in sorted(self.facts.aggregates):
            if not (re.search(rf"\b{name}\b", self.text.text, re.I) or words.AGGREGATES[name].search(self.text.text)):
                yield f"the aggregate {name} is not mentioned"

    def _said_otherwise(self) -> set[str]:
        """Labels whose every variable carries another label as well that is mentioned."""
        found: set[str] = set()
        needed: set[str] = set()
        for table in self.facts.written:
            for written in table.values():
                for labels in written:
                    others = {label for one in written - {labels} for label in one}
                    told = any(self._named(self.facts.shown.get(label, label)) for label in others)
                    (found if told else needed).update(labels)
        return found - needed

    def _named(self, name: str) -> bool:
        return _mention(name).search(self.text.text) is not None

    def _missing_hops(self) -> Iterator[str]:
        covered = [hop for _, found, _ in self.said for hop in found]
        doubted = {said.labels for said, found, back in self.said if back and not found}
        drawn = {hop.labels for hop in covered} | doubted
        for hop in self.facts.hops:
            if hop not in covered and (hop.labels in drawn or not self._told(hop)):
                yield f"the direction of {_show(hop)} is not said"
        if not covered:
            yield from self._missing_count()
        stated: dict[str, set[tuple[str, ...]]] = {}
        for match in _LABELLED.finditer(self.text.text):
            stated.setdefault(_fold(match["var"] or ""), set()).add(_folded(match["labels"]))
        for table in self.facts.written:
            for variable, written in table.items():
                if variable in stated and not written & stated[variable]:
                    yield f"that `{variable}` has the label `{'|'.join(min(written))}` is not said"

    def _told(self, hop: "Hop") -> bool:
        """Whether a sentence without a pattern speaks of this edge and of its direction."""
        pattern = words.ANY_WAY if hop.open else words.DIRECTED
        shown = [_mention(self.facts.shown.get(label, label)) for label in hop.labels]
        texts = [self.text.text[start:end] for start, end in self.text.sentences]
        about = [text for text in texts if not shown or any(one.search(text) for one in shown)]
        near = about if not hop.open else texts
        return any(pattern.search(text) for text in near) or (
            bool(about) and bool(re.search(r"->|<-|→|←", self.text.text)) and not hop.open
        )

    def _missing_count(self) -> Iterator[str]:
        """Several steps over one kind of edge need a word that says so."""
        plain = [hop.labels for hop in self.facts.hops if hop.bounds is None]
        numbers = {value for _, value in words.numbers_in(self.text.text)} | words.worded_numbers(self.text.text)
        for labels in dict.fromkeys(plain):
            count = plain.count(labels)
            if count > 1 and count not in numbers and not words.AGAIN.search(self.text.text):
                yield f"that there are {count} steps over `{'|'.join(labels)}` is not said"

    def _missing_bounds(self) -> Iterator[str]:
        text = self.text.text
        for low, high in sorted({hop.bounds for hop in self.facts.hops if hop.bounds is not None}, key=str):
            coded = any(
                re.sub(r"\s", "", one[0]) in (_quantifier(low, high), f"{{,{high}}}")
                for one in _QUANTIFIER.finditer(text)
            )
            numbers = {value for _, value in words.numbers_in(text)} | words.worded_numbers(text)
            spoken = (high if high is not None else low) in numbers and (low in numbers or low <= 1)
            if not coded and not spoken:
                yield f"the number of steps {_quantifier(low, high)} is not said"

    def _missing_literals(self) -> Iterator[str]:
        for value in sorted(self.facts.strings):
            parts = (
                [part for part in re.split(r"[%_]+", value.casefold()) if part] if "%" in value else [value.casefold()]
            )
            if not all(
                _mention(part).search(self.text.text) or (len(part) > 3 and part in self.text.lower) for part in parts
            ) and not _dated(value, self.text.text):
                yield f"the value '{value}' is not mentioned"
        said = {value for _, value in words.numbers_in(self.text.text)} | words.worded_numbers(self.text.text)
        for value in sorted(self.facts.numbers):
            if not any(value == one or float(value) == float(one) for one in said):
                yield f"the number {value} is not mentioned"

    def _missing_operators(self) -> Iterator[str]:
        from .trace_facts import comparisons

        stated = {one.operator for _, _, one in comparisons(self.text.text)}
        for one in sorted(self.facts.comparisons, key=str):
            bare = one.operator.removeprefix("NOT ").removeprefix("IS NOT ").removeprefix("IS ")
            pattern = words.OPERATORS.get(bare)
            if pattern is None or one.operator in stated or bare in self.text.text:
                continue
            if not pattern.search(self.text.text):
                yield f"`{one.operator}` in the condition on `{one.name}` is not said"

    def _missing_outputs(self) -> Iterator[str]:
        """Where outputs are given as `variable.property`, all of them have to be."""
        formal, plain = self._formal_outputs()
        coded = " ; ".join(code for _, code in self.text.code)
        packed = re.sub(r"\s", "", self.text.lower)
        for outputs in self.facts.outputs:
            if not outputs & plain and not re.search(r"\bAS \w", coded):
                continue
            for variable, name in sorted(outputs & self.facts.plain - plain | outputs - formal):
                yield f"the output `{variable}.{name}` is not named"
            for alias, expression in self.facts.named:
                constant = expression.startswith("'")
                if expression not in packed and (constant or not self._given(alias)):
                    yield f"the output `{self.facts.shown[alias]}` is not named"
        yield from self._missing_in_one_list()

    def _given(self, alias: str) -> bool:
        """Whether code gives an output its name; a list of the outer query is no place for that."""
        written = re.compile(rf'\bAS\s+"?{re.escape(alias)}(?!\w)', re.IGNORECASE)
        return any(_fold(code) == alias or written.search(code) for _, code in self.text.code)

    def _formal_outputs(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """Every `variable.property` of the thinking, and those that stand in no comparison and no expression."""
        from .trace_facts import PAIR

        compared = self._compared_spans()
        formal: set[tuple[str, str]] = set()
        plain: set[tuple[str, str]] = set()
        for match in PAIR.finditer(self.text.text):
            pair = (_fold(match["var"]), _fold(match["name"]))
            formal.add(pair)
            computed = re.match(r"\s*[*+/)-]", self.text.text[match.end() : match.end() + 4])
            if not computed and not any(start <= match.start() < end for start, end in compared):
                plain.add(pair)
        return formal, plain

    def _missing_in_one_list(self) -> Iterator[str]:
        """An output of several matches that is left out where the thinking lists the outputs of each of them."""
        from .trace_facts import PAIR

        known = set().union(*self.facts.outputs)
        lists = [{(_fold(a), _fold(b)) for a, b in PAIR.findall(code)} & known for _, code in self.text.code]
        lists = [one for one in lists if one & self.facts.plain]
        if len(self.facts.outputs) < 2 or len(lists) < len(self.facts.outputs):
            return
        for variable, name in sorted(self.facts.plain):
            wanted = sum((variable, name) in outputs for outputs in self.facts.outputs)
            if sum((variable, name) in one for one in lists) < wanted:
                yield f"the output `{variable}.{name}` is not named in each list"


# ---------------------------------------------------------------- small things


def _fold(name: str) -> str:
    return name.strip().strip('"').casefold()


def _folded(labels: str) -> tuple[str, ...]:
    return tuple(sorted({_fold(one) for one in labels.split("|")}))


def _digit(text: str) -> int:
    return int(text) if text.isdigit() else words.SMALL.index(text.lower())


@lru_cache(maxsize=4096)
def _mention(name: str) -> re.Pattern[str]:
    """Finds a name as a word, in its plain form and with an ending of the plural."""
    bare = name.strip('"')
    if not bare.isascii():
        return re.compile(re.escape(bare), re.IGNORECASE)
    parts = [re.escape(one) for one in re.split(r"_|(?<=[a-z])(?=[A-Z])", bare) if one]
    plain = r"[ _-]?".join(parts)
    if plain.endswith("y"):
        plain = f"{plain[:-1]}(?:y|ie)"
    return re.compile(rf"(?<![A-Za-z0-9_]){plain}(?:e?s)?(?![A-Za-z0-9_])", re.IGNORECASE)


_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]


def _dated(value: str, text: str) -> bool:
    """Whether a date is said in words: `5 March 2024`, `2024 年 3 月 5 日`."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?: 00:00:00)?", value)
    if match is None:
        return False
    year, month, day = (int(one) for one in match.groups())
    name = _MONTHS[month - 1] if 1 <= month <= 12 else ""
    chinese = re.search(rf"{year}\s*年(?:\s*0?{month}\s*月(?:\s*0?{day}\s*日)?)?", text)
    english = (
        re.search(rf"\b{name[:3]}\w*\b", text, re.I)
        and re.search(rf"\b{day}(?:st|nd|rd|th)?\b", text)
        and str(year) in text
    )
    return bool(chinese or english)


def _quantifier(low: int, high: int | None) -> str:
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _show(hop: "Hop") -> str:
    ends = [one.variable or "|".join(one.labels) for one in (hop.source, hop.target)]
    edge = "|".join(hop.labels) or hop.variable
    bounds = _quantifier(*hop.bounds) if hop.bounds else ""
    return f"`({ends[0]})-[{edge}]-{'' if hop.open else '>'}{bounds}({ends[1]})`"


def _written(one: "Comparison") -> str:
    name = f"{one.variable}.{one.name}" if one.variable else one.name
    return f"{name} {one.operator} {one.value}".strip()
