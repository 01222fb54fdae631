"""English: articles, `whose` after the noun, `which` between clauses, quotation marks, capitals.

May be imported by `teacher`; imports voice.
Design reason: only what cannot be said by a phrase table is code.
"""

import re
from collections.abc import Sequence

from distill.teachers.symbolic.facts import Element, Hop, Match
from distill.teachers.symbolic.lexicon import Noun
from distill.teachers.symbolic.voice import Voice

_HAS_SUBJECT = re.compile(r"(?:it|there) |`[^`]*[.( ][^`]*`")
"""A statement that is not about a property of the thing described: a piece of code is, unless it is one name."""


class English(Voice):
    """Speaks English."""

    language = "en"
    conditions_follow = True

    def listing(self, parts: Sequence[str], *, last: str = "and") -> str:
        """`a, b and c`."""
        if len(parts) < 2:
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {last} {parts[-1]}"

    def then(self, parts: Sequence[str]) -> str:
        """`a, then b`."""
        return self.rng.choice((", then by ", " and then by ")).join(parts)

    def quote(self, text: str) -> str:
        """Single quotes, as in SQL and in the questions of the samples."""
        return f"'{text}'"

    def number(self, text: str) -> str:
        """As it is."""
        return text

    def code(self, text: str) -> str:
        """In backticks."""
        return f"`{text}`"

    def article(self, noun: str) -> str:
        """`a` or `an` by the first letter, which is right for the nouns of schemas nearly always."""
        return "an" if noun.lstrip("`")[:1].lower() in "aeio" else "a"

    def definite(self, noun: str) -> str:
        """`the …`."""
        return f"the {noun}"

    def with_conditions(self, name: str, conditions: Sequence[str]) -> str:
        """`name whose a is b and whose c is d`; statements with a subject of their own follow `such that`."""
        if not conditions:
            return name
        whose = [f"such that {one}" if _HAS_SUBJECT.match(one) else f"whose {one}" for one in conditions]
        return f"{name} {self.listing(whose)}"

    def properties(self, shown: Sequence[str]) -> str:
        """`a, b and c`, in one of two ways."""
        separator = self.rng.choice((" and ", " and the "))
        if len(shown) < 2:
            return "".join(shown)
        comma = ", the " if separator == " and the " else ", "
        return f"{comma.join(shown[:-1])}{separator}{shown[-1]}"

    def aside(self, hop: Hop, scope: Match) -> str:
        """`(the job is 'driver')`."""
        conditions = [self.condition(one, scope, about=hop.edge) for one in hop.edge.conditions]
        return f" (here the {self.words(hop).noun.singular}'s {self.listing(conditions)})"

    def edge_called(self, label: str) -> str:
        """`the transfer edge`."""
        return f"the {label} edge" if label else "the edge"

    def statement(self, text: str) -> str:
        """`the amount is at least 5`; what has its article already stays."""
        return text if text.startswith("the ") else f"the {text}"

    def every_edge(self, hop: Hop, match: Match) -> str:
        """`every transfer from account 101 whose amount is at least 8000`."""
        ends = self.telling_ends(hop)
        if ends is None or (hop.edge.conditions and any(self.own_conditions(end, match) for end in ends)):
            return ""
        words = self.words(hop)
        tied = [words.np[end is hop.target].format(s=self._end(end, match), t=self._end(end, match)) for end in ends]
        self.said |= {hop.edge, hop.left, hop.right}
        thing = self.say("scope.thing", n=words.noun.singular, ns=words.noun.plural)
        return self.with_conditions(" ".join([thing, *tied]), self.own_conditions(hop.edge, match))

    def _end(self, end: Element, match: Match) -> str:
        noun: Noun = self.noun(end)
        first = self.name(end) if end in self.pinned else self.indefinite(noun)
        return self.with_conditions(first, self.own_conditions(end, match))

    def chained(self, parts: Sequence[str]) -> str:
        """Statements joined by commas, `and`, and `which` where one goes on about what the last one ended with."""
        merged: list[str] = []
        for part in parts:
            subject = self._subject(merged[-1], part) if merged else ""
            if subject and self.rng.random() < 0.6:
                merged[-1] += f", which {part[len(subject) + 1 :]}"
            else:
                merged.append(part)
        return ", ".join(merged[:-1]) + ", and " + merged[-1] if len(merged) > 1 else "".join(merged)

    def _subject(self, before: str, after: str) -> str:
        """The name that ends one statement and begins the next with a plain verb, or empty."""
        names = sorted({name for name in self.names.values() if after.startswith(f"{name} ")}, key=len)
        if not names or " can be reached " in after or ", which " in before:
            return ""
        name = names[-1]
        ending = name.removeprefix("the ").removeprefix("some ")
        return name if before.endswith((f" {ending}", name)) and "which" not in after else ""

    def clean(self, text: str) -> str:
        """No double blanks, no blank before a comma, a capital at the start of every sentence."""
        text = re.sub(r"(?<=\S) {2,}(?=\S)", " ", text.strip())
        text = re.sub(r" (?=[,.;:?](?:\s|$))", "", text)
        text = re.sub(r",(?=[,.?])", "", text)
        return re.sub(r"(^|(?<=[.?!] )|(?<=\n))([a-z])", lambda match: match[1] + match[2].upper(), text)
