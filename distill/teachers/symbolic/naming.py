"""Names for the vertices and edges of a match: by key, by role, by letter or by number.

May be imported by `expressions`; imports speech and facts.
Design reason: a sentence about three accounts is only as clear as what it calls them, and it must never say "another
account" where the pattern lets both be the same. So names are given once for a whole text and say nothing more.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from sqlglot import exp

from distill.teachers.symbolic.facts import Element, Hop, Match
from distill.teachers.symbolic.lexicon import Noun
from distill.teachers.symbolic.speech import Speech
from verify.graph_sql.tree import Expr

Scheme = Literal["roles", "letters", "ordinals"]


class Naming(Speech):
    """Knows what to call every element."""

    def name_all(self, match: Match, scheme: Scheme) -> None:
        """Give every element of a match a name, in one of three schemes."""
        self._name_vertices(match, scheme)
        self._name_edges(match)
        for hop in match.hops:
            self._name_stretch(hop, scheme)
        for element in match.elements.values():
            if element.part:
                self.names[element] = self.say(f"value.step_{element.part}")

    def _name_vertices(self, match: Match, scheme: Scheme) -> None:
        free: list[Element] = []
        for element in match.vertices:
            pin = self._pin(element)
            if pin is not None:
                kind, column, literal = pin
                self.pinned[element] = column
                self.names[element] = self.say(
                    f"naming.{kind}", n=self.noun(element).singular, v=self._literal(literal)
                )
                self.first_names[element] = self.names[element]
            else:
                free.append(element)
        roles = self._roles(match, free) if self.alone else {}
        everywhere = scheme == "roles" and self._tell_apart(roles, free)
        for element in free:
            noun = self.noun(element)
            single = sum(self.noun(one).singular == noun.singular for one in free) == 1
            if self.totals[noun.singular] == 1:
                self.names[element] = self.say("naming.only", n=noun.singular)
                self.first_names[element] = self.indefinite(noun)
            elif element in roles and (everywhere or (single and self.rng.random() < 0.8)):
                self._call(element, roles[element])
                self.by_role.add(element)
            else:
                self._number(element, noun, scheme)

    def _call(self, element: Element, name: str) -> None:
        self.names[element] = self.first_names[element] = name

    def _number(self, element: Element, noun: Noun, scheme: Scheme) -> None:
        index = self.used[noun.singular]
        self.used[noun.singular] += 1
        key = "ordinal" if scheme == "ordinals" and index < len(self.phrases["numbers"]) else "letters"
        x = self.phrases["numbers"][index] if key == "ordinal" else chr(ord("A") + index)
        article = self.article(x if key == "ordinal" else noun.singular)
        slots = {"n": noun.singular, "m": noun.measure, "x": x, "a": article}
        self.names[element] = self.say(f"naming.{key}", **slots)
        self.first_names[element] = self.say(f"naming.first_{key}", **slots)

    def _pin(self, element: Element) -> tuple[str, Expr, Expr] | None:
        for condition in element.conditions:
            if isinstance(condition, exp.EQ) and isinstance(condition.this, exp.Column):
                kind = self.lexicon.naming(condition.this.name)
                if kind and isinstance(condition.expression, exp.Literal):
                    return kind, condition, condition.expression
        return None

    def _roles(self, match: Match, free: Sequence[Element]) -> dict[Element, str]:
        """Names by what an element is to its only edge."""
        found: dict[Element, str] = {}
        for element in free:
            touching = [hop for hop in match.hops if element in (hop.left, hop.right)]
            if len(touching) == 1 and touching[0].left is not touching[0].right:
                name = self._role(element, touching[0])
                if name:
                    found[element] = name
        return found

    def _role(self, element: Element, hop: Hop) -> str:
        noun = self.noun(element).singular
        if hop.bounds is not None:
            return self.say("naming.started" if element is hop.left else "naming.reached", n=noun)
        if hop.direction == "any":
            return self.say("naming.other", n=noun) if element is hop.right else ""
        roles = self.words(hop).roles
        return self.definite(roles[element is hop.target].replace("{n}", noun)) if len(roles) == 2 else ""

    def definite(self, noun: str) -> str:
        """A noun with its definite article where the language has one."""
        return noun

    def _tell_apart(self, roles: dict[Element, str], free: Sequence[Element]) -> bool:
        nouns = [self.noun(element).singular for element in free]
        needed = [element for element in free if nouns.count(self.noun(element).singular) > 1]
        names = [roles.get(element, "") for element in needed]
        return "" not in names and len(set(names)) == len(names)

    def _name_edges(self, match: Match) -> None:
        for edge in match.edges:
            noun = self.noun(edge)
            if edge.group:
                continue
            numbered = self.totals[noun.singular] > 1
            x = self.phrases["numbers"][self.used[f"edge {noun.singular}"] % len(self.phrases["numbers"])]
            self.used[f"edge {noun.singular}"] += 1
            key = "naming.edge_ordinal" if numbered else "naming.edge"
            self.names[edge] = self.say(key, n=noun.singular, m=noun.measure, x=x)

    def _name_stretch(self, hop: Hop, scheme: Scheme) -> None:
        """Names for what stands inside a repeated stretch, where each variable is a single element."""
        inner = [element for part in hop.stretch for element in (part.left, part.edge, part.right)]
        for element in dict.fromkeys(inner):
            noun = self.noun(element)
            if element.kind == "vertex":
                self._number(element, noun, "letters" if scheme == "roles" else scheme)
            else:
                x = self.phrases["numbers"][self.used[f"edge {noun.singular}"] % len(self.phrases["numbers"])]
                self.used[f"edge {noun.singular}"] += 1
                self.names[element] = self.say("naming.edge_ordinal", n=noun.singular, m=noun.measure, x=x)

    @contextmanager
    def inside(self, match: Match) -> Iterator[None]:
        """Inside, what a repeated stretch holds is spoken of one by one; outside, as the many it becomes."""
        parts = [part for hop in match.hops for part in hop.stretch]
        self.single = {element for part in parts for element in (part.left, part.edge, part.right)}
        yield
        self.single = set()

    def name(self, element: Element) -> str:
        """How an element is referred to."""
        if element not in self.names:
            noun = self.noun(element)
            shared = self.totals[noun.singular] > 0
            key = "naming.only" if element.kind != "row" else "naming.row_shared" if shared else "naming.row"
            if any(one.kind == "row" and one.labels == element.labels for one in self.names):
                self._number(element, noun, "letters")
            else:
                self.names[element] = self.say(key, n=noun.singular, m=noun.measure)
        return self.names[element]

    @contextmanager
    def by_variable(self, element: Element | None) -> Iterator[None]:
        """Inside, an element whose name already holds its condition is called by its variable instead."""
        if element is None or element not in self.pinned or not element.variable:
            yield
            return
        before = self.names[element]
        self.names[element] = f"{self.noun(element).singular} {self.code(element.variable)}"
        yield
        self.names[element] = before

    def telling_ends(self, hop: Hop) -> list[Element] | None:
        """The ends that say more than the edge does by itself; None where one has no name but a number."""
        ends = (hop.source, hop.target)
        clear = [self.totals[self.noun(end).singular] == 1 or end in self.pinned or end in self.by_role for end in ends]
        if not all(clear) or ends[0] is ends[1]:
            return None
        return [end for end in ends if self._tells(end, hop)]

    def _tells(self, end: Element, hop: Hop) -> bool:
        sides = [table.source if end is hop.source else table.destination for table in hop.edge.tables]
        possible = {side.vertex for side in sides if side is not None}
        return bool(end.conditions) or bool(possible - {table.name for table in end.tables})

    def _literal(self, node: Expr) -> str:
        return self.quote(node.this) if node.is_string else self.number(node.this)
