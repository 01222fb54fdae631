"""Chinese: conditions before the noun, counting words, full-width punctuation, blanks around numbers and code.

May be imported by `teacher`; imports voice.
Design reason: only what cannot be said by a phrase table is code. A name may hold the mark `@`: there its conditions
go; without it they follow in parentheses, since "第一个余额大于 5 的账户" would mean something else than "第一个账户".
"""

import re
from collections.abc import Sequence

from distill.teachers.symbolic.facts import Element, Hop, Match
from distill.teachers.symbolic.voice import Voice

_FULL = "，。；：！？、（）"


class Chinese(Voice):
    """Speaks Chinese."""

    language = "zh"

    def listing(self, parts: Sequence[str], *, last: str = "and") -> str:
        """`甲、乙和丙`, or `甲、乙或丙`."""
        if len(parts) < 2:
            return "".join(parts)
        nested = any("和" in part or "、" in part for part in parts)
        link = "或" if last == "or" else "，以及" if nested else self.rng.choice(self.phrases["link.last_and"])
        return f"{'、'.join(parts[:-1])}{link}{parts[-1]}"

    def then(self, parts: Sequence[str]) -> str:
        """`甲、乙`: sort keys in order of weight."""
        return "、".join(parts)

    def properties(self, shown: Sequence[str]) -> str:
        """`甲、乙和丙`, always with the same conjunction, so that an outer list can use another."""
        return "".join(shown) if len(shown) < 2 else f"{'、'.join(shown[:-1])}和{shown[-1]}"

    def quote(self, text: str) -> str:
        """Chinese quotation marks; what is inside stays as it is."""
        return f"“{text}”"

    def number(self, text: str) -> str:
        """With blanks around; `clean` takes away those at punctuation."""
        return f" {text} "

    def code(self, text: str) -> str:
        """In backticks, with blanks around."""
        return f" `{text}` "

    def with_conditions(self, name: str, conditions: Sequence[str]) -> str:
        """`余额大于 5 的账户` where the name allows it, `账户 A（余额大于 5）` elsewhere."""
        if not conditions:
            return name.replace("@", "")
        if "@" in name:
            return name.replace("@", "、".join(conditions) + "的")
        return f"{name}（{'，'.join(conditions)}）"

    def _call(self, element: Element, name: str) -> None:
        self.names[element], self.first_names[element] = name, f"@{name}"

    def aside(self, hop: Hop, scope: Match) -> str:
        """`（其职位为“driver”）`."""
        conditions = [self.condition(one, scope, about=hop.edge) for one in hop.edge.conditions]
        return f"（该{self.words(hop).noun.singular}的{self.listing(conditions)}）"

    def edge_called(self, label: str) -> str:
        """`边 transfer`."""
        return f"边{label}" if label else "这条边"

    def statement(self, text: str) -> str:
        """As it is: Chinese needs no article."""
        return text

    def every_edge(self, hop: Hop, match: Match) -> str:
        """`所有由账户 101 发出、金额不低于 8000 的转账`."""
        ends = self.telling_ends(hop)
        if ends is None:
            return ""
        words = self.words(hop)
        tied = [words.np[end is hop.target].format(s=self._end(end, match), t=self._end(end, match)) for end in ends]
        self.said |= {hop.edge, hop.left, hop.right}
        thing = self.say("scope.thing", n=words.noun.singular, m=words.noun.measure)
        return self.with_conditions(thing, [*tied, *self.own_conditions(hop.edge, match)])

    def _end(self, end: Element, match: Match) -> str:
        if end in self.pinned:
            return self.with_conditions(self.name(end), self.own_conditions(end, match))
        return self.with_conditions(f"@{self.noun(end).singular}", self.own_conditions(end, match))

    def chained(self, parts: Sequence[str]) -> str:
        """Statements joined by `，` and now and then `并且`."""
        if len(parts) < 2:
            return "".join(parts)
        link = self.rng.choice(("，并且", "，", "，同时", "，而且"))
        return f"{'，'.join(parts[:-1])}{link}{parts[-1]}"

    def clean(self, text: str) -> str:
        """No blanks at full-width punctuation, none doubled, none at the ends of lines."""
        text = re.sub(rf" *([{_FULL}]) *", r"\1", text.replace("@", ""))
        text = re.sub(r"(?<=\S) {2,}(?=\S)", " ", text)
        text = re.sub(r"，(?=[，。；])|。(?=。)|：(?=：)", "", text)
        return re.sub(r"[ \t]*\n[ \t]*", "\n", text).strip()
