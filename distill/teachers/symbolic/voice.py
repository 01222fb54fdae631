"""Speaks of the larger parts of a query: hops as statements, matches and subqueries as noun phrases.

May be imported by `english`, `chinese`, `questions` and `thinking`; imports the layers below and facts.
Design reason: see `speech`; this is the top layer, with what the writers of texts call.
"""

from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp

from distill.teachers.symbolic.expressions import Expressions
from distill.teachers.symbolic.facts import Block, Element, Hop, Match, Scope, Source
from distill.teachers.symbolic.wording import fill
from verify.graph_sql.tree import Expr


class Voice(Expressions):
    """One way of speaking about one query: a language, a lexicon, a random stream, and names for the elements."""

    # ------------------------------------------------ first mentions

    def introduce(self, element: Element, scope: Scope) -> str:
        """The first mention of an element with its own conditions, later its name."""
        if element in self.said:
            return self.name(element)
        self.said.add(element)
        first = self.first_names.get(element, self.name(element))
        return self.with_conditions(first, self.own_conditions(element, scope))

    def own_conditions(self, element: Element, scope: Scope) -> list[str]:
        """The conditions on one element, worded without it; the one its name already says is left out."""
        rest = [one for one in element.conditions if one is not self.pinned.get(element)]
        return [self.condition(one, scope, about=element) for one in rest]

    def edge_phrase(self, hop: Hop, scope: Scope) -> str:
        """The first mention of an edge with its conditions."""
        if hop.edge in self.said:
            return self.name(hop.edge)
        self.said.add(hop.edge)
        noun = self.words(hop).noun
        numbered = self.totals[noun.singular] > 1 or hop.edge in self.single
        first = self.name(hop.edge) if numbered else self.indefinite(noun)
        return self.with_conditions(first, self.own_conditions(hop.edge, scope))

    # ------------------------------------------------ hops

    def clause(self, hop: Hop, scope: Match) -> str:
        """A hop as a statement."""
        if hop.bounds is not None:
            return self._chain(hop, scope)
        words = self.words(hop)
        source, target = (hop.source, hop.target)
        if hop.direction == "any":
            template = self.rng.choice(words.either)
        else:
            turned = (target in self.said) > (source in self.said)
            turned = turned or (source not in self.said and self.rng.random() < 0.25)
            template = self._template(words.passive if words.passive and turned else words.clause, hop)
        slots = self._in_order(template, hop, scope)
        text = fill(template, slots, rng=self.rng)
        if "{e}" not in template and hop.edge.conditions:
            text += self.aside(hop, scope)
        return text

    def _template(self, choices: Sequence[str], hop: Hop) -> str:
        """One of the clauses; where conditions follow their noun, one that ends with the edge if it has conditions."""
        last = [one for one in choices if one.endswith("{e}")]
        return self.rng.choice(last if last and hop.edge.conditions and self.conditions_follow else choices)

    def _in_order(self, template: str, hop: Hop, scope: Match) -> dict[str, str]:
        """Slots filled in the order in which they stand, since a first mention differs from later ones."""
        makers: dict[str, Callable[[], str]] = {
            "s": lambda: self.introduce(hop.source, scope),
            "t": lambda: self.introduce(hop.target, scope),
            "e": lambda: self.edge_phrase(hop, scope),
        }
        if hop.source is hop.target:
            return self._loop(template, hop, scope)
        present = sorted(
            (key for key in makers if f"{{{key}}}" in template), key=lambda key: template.index(f"{{{key}}}")
        )
        return {key: makers[key]() for key in present}

    def count(self, bounds: tuple[int, int | None]) -> str:
        """How often something repeats."""
        low, high = bounds
        if high is None:
            return self.say("chain.open", a=str(low))
        if low == high:
            return self.say("chain.exact", a=str(low))
        return self.say("chain.upto" if low == 0 else "chain.range", a=str(low), b=str(high))

    def _loop(self, template: str, hop: Hop, scope: Match) -> dict[str, str]:
        """The slots of an edge from an element to itself: its name, and at the other place that it is the same."""
        first, last = sorted("st", key=lambda key: template.index(f"{{{key}}}"))
        noun = self.noun(hop.source)
        slots = {
            first: self.introduce(hop.source, scope),
            last: self.say("naming.same", n=noun.singular, m=noun.measure),
        }
        return {**slots, "e": self.edge_phrase(hop, scope)}

    def _chain(self, hop: Hop, scope: Match) -> str:
        assert hop.bounds is not None
        slots = {"k": self.count(hop.bounds)}
        if hop.stretch:
            with self.inside(scope):
                inside = [self.clause(one, scope) for one in hop.stretch]
                inside += [self.condition(one, scope) for one in hop.conditions]
            start, end = self.introduce(hop.source, scope), self.introduce(hop.target, scope)
            return self.say("chain.stretch", s=start, t=end, c=self.chained(inside), **slots)
        noun = self.words(hop).noun
        conditions = [self.condition(one, scope, about=hop.edge) for one in hop.edge.conditions]
        conditions += [self.condition(one, scope) for one in hop.conditions]
        each = self.say("link.each", c=self.listing(conditions), n=noun.singular, m=noun.measure) if conditions else ""
        template = self.rng.choice(self.phrases["chain.either" if hop.direction == "any" else "chain.clause"])
        ends = self._in_order(template, hop, scope)
        noun_form = noun.singular if hop.bounds == (1, 1) else noun.plural
        return fill(template, {**slots, **ends, "n": noun_form, "m": noun.measure, "each": each}, rng=self.rng)

    # ------------------------------------------------ outputs, scopes and blocks

    def grouped_outputs(self, block: Block) -> str:
        """Outputs of a grouped block; keys that come first are not said again."""
        items = [item for _, item in block.items]
        keys = [one.sql() for one in block.group]
        rest = items[len(keys) :]
        if [one.sql() for one in items[: len(keys)]] != keys or not rest:
            return self.outputs(items, block)
        return self.say("value.keyed", r=self.outputs(rest, block))

    def outputs(self, items: Iterable[Expr], scope: Scope, *, about: Element | None = None) -> str:
        """Outputs as a list; neighbours that belong to one element share its name."""
        groups: list[tuple[Element | None, list[str]]] = []
        for node in items:
            ref = self._property(node, scope)
            if ref is None or ref.element.group:
                groups.append((None, [self.value(node, scope, about=about)]))
            elif groups and groups[-1][0] is ref.element:
                groups[-1][1].append(self.property(ref))
            else:
                groups.append((ref.element, [self.property(ref)]))
        return self.listing([self._owned(element, shown, about) for element, shown in groups])

    def _owned(self, element: Element | None, shown: list[str], about: Element | None) -> str:
        if element is None:
            return shown[0]
        if element is about:
            return self.listing([self.say("value.property_short", p=one) for one in shown])
        return self.say("value.property", p=self.properties(shown), e=self.name(element))

    def properties(self, shown: Sequence[str]) -> str:
        """Several properties of one thing."""
        return self.listing(shown)

    def situation(self, match: Match) -> str:
        """All clauses of a match and the conditions between elements, as one statement."""
        parts = self.clauses(match)
        mentioned = [element for hop in match.hops for element in (hop.left, hop.right)]
        lonely = [element for element in match.vertices if element not in mentioned]
        parts = [self.introduce(element, match) for element in lonely] + parts
        return self.chained([*parts, *(self.condition(one, match) for one in match.cross)])

    def clauses(self, match: Match) -> list[str]:
        """One statement for each hop."""
        return [self.clause(hop, match) for hop in match.hops]

    def chained(self, parts: Sequence[str]) -> str:
        """Statements as one sentence."""
        return self.listing(parts)

    def existence(self, block: Block) -> str:
        """What a subquery under EXISTS demands."""
        self._name_sources(block)
        rest = [one for one in block.where if not self.ties(one, block)]
        parts = [self.situation(source.match) for source in block.sources if source.match is not None]
        return self.chained([*parts, *(self.condition(one, block) for one in rest)])

    def ties(self, condition: Expr, scope: Scope) -> bool:
        """Whether a condition only says which row of a table a matched vertex is; it is then called by its name."""
        if not isinstance(condition, exp.EQ):
            return False
        return self.identify((condition.this, scope), (condition.expression, scope))

    def _name_sources(self, block: Block) -> None:
        for source in block.sources:
            if source.match is not None and not any(one in self.names for one in source.match.elements.values()):
                self.name_all(source.match, self.rng.choice(("roles", "letters", "ordinals")))

    def extent(self, source: Source) -> str:
        """What the rows of a FROM item stand for, as a noun phrase."""
        if source.match is not None:
            return self.scope(source.match)
        if source.row is not None:
            noun = self.noun(source.row)
            return self.say("scope.thing", n=noun.singular, ns=noun.plural, m=noun.measure)
        return self._inner(source)

    def _inner(self, source: Source) -> str:
        """A subquery or named result; a subquery that only passes rows on is what its own rows stand for."""
        inner = source.block
        if inner is None or source.kind == "named":
            return self.code(source.title or source.name)
        shaped = inner.group or inner.distinct or inner.fetch or inner.where or inner.having or inner.operands
        return self.block(inner) if shaped else self.listing([self.extent(one) for one in inner.sources])

    def scope(self, match: Match) -> str:
        """What the rows of a match stand for, as a noun phrase."""
        case = self.thing(match) or self.say("scope.case", c=self.situation(match))
        if match.rows is not None and match.rows.kind == "step":
            return case + self.say("scope.steps")
        if match.rows is not None and match.rows.kind == "vertex":
            return case + self.say("scope.stops")
        return case

    def thing(self, match: Match) -> str:
        """A single vertex, or a single hop whose edge has a noun, as a noun phrase; empty for anything else."""
        if not match.hops and len(match.vertices) == 1:
            return self.every(match.vertices[0], match)
        plain = len(match.hops) == 1 and match.rows is None and not match.cross
        if not plain or match.hops[0].bounds is not None or match.hops[0].direction == "any":
            return ""
        words = self.words(match.hops[0])
        return self.every_edge(match.hops[0], match) if words.np and self.rng.random() < 0.6 else ""

    def every(self, element: Element, match: Match) -> str:
        """All elements like this one, with their conditions."""
        self.said.add(element)
        if element in self.pinned:
            return self.with_conditions(self.name(element), self.own_conditions(element, match))
        noun = self.noun(element)
        thing = self.say("scope.thing", n=noun.singular, ns=noun.plural, m=noun.measure)
        return self.with_conditions(thing, self.own_conditions(element, match))

    def block(self, block: Block) -> str:
        """A whole subquery as a noun phrase."""
        if block.operands:
            key = block.operation.lower().replace(" ", "_")
            first, second = (self.block(side) for side in block.operands[:2])
            return self.say(f"block.{key}" if f"block.{key}" in self.phrases else "block.union_all", a=first, b=second)
        self._name_sources(block)
        extent = self.listing([self.extent(source) for source in block.sources])
        outputs = self.outputs(self._beside_the_key(block), block)
        text = self._of(block, outputs, extent)
        return text + self._limits(block)

    def _beside_the_key(self, block: Block) -> list[Expr]:
        """The outputs of a block without the keys of its groups, which are said anyway."""
        items = [item for _, item in block.items]
        keys = {one.sql() for one in block.group}
        return [item for item in items if item.sql() not in keys] or items

    def _of(self, block: Block, outputs: str, extent: str) -> str:
        if block.group:
            return self.say("block.grouped", o=outputs, s=extent, k=self.outputs(block.group, block))
        only = block.sources[0]
        if len(block.sources) == 1 and only.kind == "named":
            return self.say("block.from_named", o=outputs, n=self.code(only.title or only.name))
        return self.say("block.of", o=outputs, s=extent)

    def _limits(self, block: Block) -> str:
        text = "".join(self.say("block.kept", c=self.condition(one, block)) for one in (*block.where, *block.having))
        if block.distinct:
            text += self.say("block.distinct")
        if block.fetch and block.order:
            text += self.say("block.ranked", n=block.fetch, o=self.order(block.order, block))
        elif block.fetch:
            text += self.say("block.first", n=block.fetch)
        return text
