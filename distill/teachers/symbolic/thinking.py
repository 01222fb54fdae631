"""Writes how somebody thinks their way to a query, in the first person, from the query's facts.

May be imported by `teacher`; imports facts, voice, questions, code and wording.
Design reason: a thought is a list of moves (goal, schema, directions, filters, columns, the query around, a check),
each made only where the query has something for it, in one of several orders and in words drawn without repetition. So
the length follows the query's difficulty and two traces of one question share little but their meaning.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sqlglot import exp

from distill.teachers.symbolic import code
from distill.teachers.symbolic.facts import (
    Block,
    Element,
    Facts,
    Hop,
    Match,
    bare,
    by_label,
    end_labels,
    first_labels,
    fold,
    function_name,
    shared_between_paths,
    used_properties,
)
from distill.teachers.symbolic.questions import SCHEMES, Questions
from distill.teachers.symbolic.voice import Voice
from distill.teachers.symbolic.wording import fill, table
from verify.graph_sql.tree import Expr

Length: TypeAlias = Literal["short", "normal", "long"]
"""How much is said beside what the query needs; what it needs is said in every length."""

_LEANING: dict[Length, float] = {"short": 0.0, "normal": 1.0, "long": 2.5}
"""What the chance of every remark that could be left out is multiplied by."""


@dataclass(slots=True)
class _Deck:
    """Templates of one key in a random order; none comes twice before all have come once."""

    choices: Sequence[str]
    left: list[str] = field(default_factory=list)


class Thinking:
    """One trace of thought with one voice, of one length."""

    def __init__(self, facts: Facts, voice: Voice, *, length: Length = "normal") -> None:
        self.facts, self.voice, self.rng, self.length = facts, voice, voice.rng, length
        self.decks = {key: _Deck(choices) for key, choices in table(f"thinking.{voice.language}").items()}

    def write(self) -> str:
        """Paragraphs separated by an empty line."""
        scheme = self.rng.choice(SCHEMES)
        for match in self.facts.matches:
            self.voice.name_all(match, scheme)
        paragraphs = [self._goal(), *self._body(), self._around(), self._ending()]
        return "\n\n".join(self.voice.clean(self._join(one)) for one in paragraphs if one)

    # ------------------------------------------------ choosing words

    def _say(self, key: str, **slots: str) -> str:
        deck = self.decks[key]
        if not deck.left:
            deck.left = self.rng.sample(deck.choices, len(deck.choices))
        return fill(deck.left.pop(), slots, rng=self.rng)

    def _maybe(self, chance: float, key: str, **slots: str) -> list[str]:
        return [self._say(key, **slots)] if self._likely(chance) else []

    def _likely(self, chance: float) -> bool:
        """A throw of the dice for a remark that could be left out."""
        return self.rng.random() < chance * _LEANING[self.length]

    def _join(self, sentences: Sequence[str]) -> str:
        return ("" if self.voice.language == "zh" else " ").join(sentences)

    def _code(self, text: str) -> str:
        return self.voice.code(text)

    def _listed(self, names: Sequence[str], *, last: str = "and") -> str:
        return self.voice.listing([self._code(name) for name in dict.fromkeys(names)], last=last)

    # ------------------------------------------------ what is wanted

    def _goal(self) -> list[str]:
        block, voice = self.facts.block, self.voice
        match = block.match
        if match is None:
            steps, outputs = Questions(voice, turn=0).plan(block)
            return [self._say("goal.nested", d=steps, o=outputs)]
        items = [item for _, item in block.items]
        alone = match.vertices[0] if len(match.elements) == 1 and not block.group else None
        outputs = voice.outputs(items, block, about=alone)
        outputs = voice.statement(outputs) if alone is not None else outputs
        grouped = [self._say("goal.group", k=voice.outputs(block.group, block))] if block.group else []
        opened = match.rows is not None and match.rows.kind != "match"
        thing = voice.scope(match) if opened else voice.thing(match)
        if thing:
            return [self._say("goal.thing", s=thing, o=outputs), *grouped]
        return [self._say("goal.plain", c=voice.situation(match), o=outputs), *grouped]

    # ------------------------------------------------ the matches

    def _body(self) -> Iterator[list[str]]:
        matches = self.facts.matches
        for index, match in enumerate(matches):
            lead = [self._say("outer.two")] if index else []
            known = {id(one.graph) for one in matches[:index]}
            schema = [] if id(match.graph) in known and self.rng.random() < 0.6 else self._schema(match)
            columns, order = self._columns(match), self.rng.randrange(4)
            if order == 0:
                yield from (lead + schema + self._way(match), self._filters(match) + columns)
            elif order == 1:
                yield from (lead + schema, self._way(match) + self._filters(match) + columns)
            elif order == 2:
                yield from (lead + schema + self._way(match) + columns, self._filters(match))
            else:
                yield from (lead + schema, self._way(match, filtering=True) + columns)

    def _schema(self, match: Match) -> list[str]:
        used = used_properties(match)
        parts = [self._vertex_words(group, match, used) for group in by_label(match.vertices)]
        parts += [self._edge_words(group, match, used) for group in by_label(match.edges)]
        graph = self._code(match.graph.shown)
        link = "；" if self.voice.language == "zh" else "; "
        if not any(parts):
            return [self._say("schema.bare", g=graph)]
        opening = self._say("schema.open", g=graph, x=link.join(part for part in parts if part))
        return [opening, *self._shared(match), *self._maybe(0.12, "doubt.colon")]

    def _vertex_words(self, group: list[Element], match: Match, used: dict[Element, list[str]]) -> str:
        element = group[0]
        if not element.stated:
            return ""
        noun = self.voice.noun(element).plural
        key = "schema.alternatives" if len(element.labels) > 1 else "schema.vertex"
        text = self._say(key, n=noun, l=self._code("|".join(element.labels)))
        return text + self._with_properties("schema.vertex_with", group, used)

    def _edge_words(self, group: list[Element], match: Match, used: dict[Element, list[str]]) -> str:
        edge = group[0]
        if not edge.labels:
            return ""
        if not edge.stated:
            return self._say("schema.edge_free", l=self._listed(edge.labels, last="or"))
        ends = [end_labels(edge, match, side) for side in ("source", "destination")]
        slots = dict(zip("st", (self._listed(one, last="or") for one in ends), strict=True))
        label = self._listed(edge.labels, last="or")
        return self._say("schema.edge", l=label, **slots) + self._with_properties("schema.edge_with", group, used)

    def _with_properties(self, key: str, group: Sequence[Element], used: dict[Element, list[str]]) -> str:
        names = [name for element in group for name in used.get(element, [])]
        if not names or not self._likely(0.75):
            return ""
        return self._say(key, p=self._listed(names))

    def _shared(self, match: Match) -> list[str]:
        """A remark on one label that stands on several tables."""
        for element in (*match.vertices, *match.edges):
            if len(element.tables) < 2 or len(element.labels) != 1 or not element.stated:
                continue
            ends = end_labels(element, match, "source") if element.kind == "edge" else first_labels(element.tables)
            if len(set(ends)) > 1:
                key = "schema.shared_edge" if element.kind == "edge" else "schema.shared"
                return self._maybe(0.5, key, l=self._code(element.labels[0]), t=self._listed(ends))
        return []

    # ------------------------------------------------ directions and lengths

    def _way(self, match: Match, *, filtering: bool = False) -> list[str]:
        """The pattern hop by hop; `filtering` brings in the conditions where their elements first come up."""
        if not match.hops:
            alone = [self._say("way.vertex_only", k=self._code(code.vertex(one))) for one in match.vertices]
            return alone + (self._filters(match) if filtering else [])
        sentences: list[str] = []
        seen: list[Element] = []
        shared = shared_between_paths(match)
        for index, hop in enumerate(match.hops):
            joined = index == 0 or match.hops[index - 1].right is hop.left
            if not joined and match.paths > 1:
                sentences.append(self._paths(match, shared))
            sentences += self._chain(hop) if hop.bounds is not None else self._hop(hop)
            if joined and hop.right in seen and hop.right.variable:
                sentences.append(self._say("way.again", v=self._code(hop.right.variable)))
            if filtering:
                inner = [end for one in hop.stretch for end in (one.left, one.edge, one.right)]
                fresh = [one for one in dict.fromkeys([hop.left, hop.edge, *inner, hop.right]) if one not in seen]
                sentences += [text for one in fresh for text in self._own_filter(one, match)]
            seen += [hop.left, hop.edge, hop.right]
        if len(match.hops) > 1 and match.paths == 1:
            sentences += self._maybe(0.5, "way.middle")
        return sentences + (self._later_filters(match) if filtering else [])

    def _paths(self, match: Match, shared: Sequence[str]) -> str:
        if not shared:
            return self._say("way.paths_apart")
        return self._say("way.paths", n=str(match.paths), v=self._listed(shared))

    def _ends(self, hop: Hop) -> dict[str, str]:
        voice = self.voice
        label = "|".join(hop.edge.labels) if hop.edge.stated else ""
        return {
            "s": voice.name(hop.source),
            "t": voice.name(hop.target),
            "e": voice.edge_called(self._code(label) if label else ""),
            "k": self._code(code.hop(hop)),
        }

    def _hop(self, hop: Hop) -> list[str]:
        slots = self._ends(hop)
        sentences = [self._say(f"way.{hop.direction}", **slots)]
        if hop.direction == "left":
            sentences += self._maybe(0.3, "doubt.direction", **slots)
        elif hop.direction == "any" and hop.left.labels == hop.right.labels:
            sentences += self._maybe(0.5, "way.any_loop", **slots)
        elif hop.direction == "right":
            sentences += self._maybe(0.12, "doubt.flip", **slots)
        return sentences

    def _chain(self, hop: Hop) -> list[str]:
        assert hop.bounds is not None
        slots = self._ends(hop)
        count = self.voice.count(hop.bounds)
        quantifier = self._code(code.quantifier(hop))
        sentences = [self._say("way.chain", q=quantifier, **{**slots, "n": count})]
        if hop.direction != "right":
            sentences.append(self._say(f"way.chain_{hop.direction}", **slots))
        if hop.bounds[0] == 0:
            sentences.append(self._say("way.zero"))
        sentences += self._maybe(0.3, "way.walk")
        if hop.bounds[1] != hop.bounds[0]:
            sentences += self._maybe(0.25, "doubt.hops", n=count)
        return sentences

    # ------------------------------------------------ conditions

    def _filters(self, match: Match) -> list[str]:
        sentences: list[str] = []
        for element in match.elements.values():
            sentences += self._own_filter(element, match)
        return sentences + self._later_filters(match)

    def _later_filters(self, match: Match) -> list[str]:
        """Conditions that do not stand inside one element."""
        sentences: list[str] = []
        for hop in match.hops:
            if hop.conditions:
                sentences.append(self._filter("each", hop.conditions, match, None))
        inside = [one for element in match.elements.values() for one in element.after]
        if inside:
            sentences.append(self._filter("after", inside, match, None))
        for condition in match.cross:
            key = "whole" if condition.find(exp.AggFunc) else "after"
            sentences.append(self._filter(key, [condition], match, None))
            asking = [one for one in condition.find_all(exp.Anonymous) if _asks(one)]
            if asking:
                sentences += self._maybe(0.6, "columns.predicate", k=self._code(code.expression(asking[0])))
        if match.once:
            sentences.append(self._say("filter.once", k=self._code(f"WHERE {code.conjunction(match.symmetry)}")))
        return sentences

    def _own_filter(self, element: Element, match: Match) -> list[str]:
        if not element.inline:
            return []
        if element.group:
            return [self._filter("each", element.inline, match, element)]
        sentences = [self._filter("inline", element.inline, match, None, shown=element)]
        sentences += self._about_nulls(element)
        if any(isinstance(one, exp.Like) for condition in element.inline for one in condition.find_all(exp.Like)):
            sentences += self._maybe(0.6, "filter.like")
        hidden = [name for name in _names(element.inline) if name not in _output_names(match)]
        if hidden and not self.facts.block.nested:
            sentences += self._maybe(0.2, "doubt.outside", p=self._code(hidden[0]))
        return sentences

    def _filter(
        self, key: str, conditions: Sequence[Expr], match: Match, about: Element | None, *, shown: Element | None = None
    ) -> str:
        voice = self.voice
        with voice.by_variable(shown), voice.inside(match):
            said = [voice.condition(one, match, about=about) for one in conditions]
        text = voice.statement(voice.listing(said)) if about is not None else voice.listing(said)
        return self._say(f"filter.{key}", c=text, k=self._code(f"WHERE {code.conjunction(conditions)}"))

    def _about_nulls(self, element: Element) -> list[str]:
        if any(isinstance(one, exp.Is) for condition in element.inline for one in condition.find_all(exp.Is)):
            return self._maybe(0.7, "filter.is_null")
        names = [name for name in _names(element.inline) if not self.voice.lexicon.naming(name)]
        return self._maybe(0.3, "filter.missing", p=self._code(names[0])) if names else []

    # ------------------------------------------------ what leaves the graph

    def _columns(self, match: Match) -> list[str]:
        entries = code.columns(match)
        sentences = [self._say("columns.plain", k=self._code(", ".join(entries)))]
        nodes = list(match.outputs.values())
        repeated = [name for name in _names(nodes) if sum(_is_property(node, name) for node in nodes) > 1]
        if repeated:
            sentences.append(self._say("columns.alias", p=self._code(repeated[0])))
        elif any(not isinstance(node, exp.Column) for node in nodes):
            sentences += self._maybe(0.6, "columns.expression")
        return sentences + self._rows(match) + self._special(match, nodes)

    def _rows(self, match: Match) -> list[str]:
        rows = match.rows
        if rows is None or rows.kind == "match":
            return []
        iterators = self._code(f"({', '.join(name.text for name in rows.iterators)})")
        return [self._say(f"columns.{rows.kind}", k=iterators)]

    def _special(self, match: Match, nodes: Sequence[Expr]) -> list[str]:
        sentences: list[str] = []
        for element in match.elements.values():
            folded = [node for node in nodes if element.group and _mentions(node, element)]
            if folded and element.variable:
                shown = self._listed([code.expression(node) for node in folded])
                sentences.append(self._say("columns.group", v=self._code(element.variable), k=shown))
        if any(node.find(exp.Case) for node in nodes):
            sentences.append(self._say("columns.case"))
        if any(node.find(exp.Coalesce) for node in nodes):
            sentences.append(self._say("columns.coalesce"))
        names = {function_name(one) for node in nodes for one in node.find_all(exp.Anonymous)}
        if "ELEMENT_NUMBER" in names:
            sentences.append(self._say("columns.position"))
        predicates = [one for node in nodes for one in node.find_all(exp.Anonymous) if _asks(one)]
        if predicates:
            sentences.append(self._say("columns.predicate", k=self._code(code.expression(predicates[0]))))
        return sentences

    # ------------------------------------------------ the query around

    def _around(self) -> list[str]:
        sentences: list[str] = []
        top = self.facts.block
        for block in top.blocks():
            sentences += self._from(block) + self._block(block)
        if top.named:
            sentences.append(self._say("outer.with", n=self._listed(list(top.named))))
            if sum(bool(inner.group) for inner in top.named.values()) > 1:
                sentences += self._maybe(0.8, "outer.with_why")
        if not sentences:
            names = self._code(", ".join(name for name, _ in top.items))
            sentences = self._maybe(0.5, "outer.simple", k=names)
        return sentences

    def _from(self, block: Block) -> list[str]:
        sentences: list[str] = []
        for source in block.sources:
            title = self._code(source.title or source.name or "GRAPH_TABLE")
            if source.join:
                on = self._code(" AND ".join(code.expression(one) for one in source.on) or "TRUE")
                key = source.join if source.join in ("left", "cross") else "join"
                sentences.append(self._say(f"outer.{key}", t=title, k=on))
            elif source.kind == "table":
                sentences.append(self._say("outer.table", t=title))
        return sentences

    def _block(self, block: Block) -> list[str]:
        sentences: list[str] = []
        if block.operation:
            sentences.append(self._say("outer.union", k=self._code(block.operation)))
            if block.operation == "UNION":
                sentences += self._maybe(0.7, "outer.union_why")
        sentences += [sentence for one in block.where for sentence in self._outer_condition(one, block)]
        if any(node.find(exp.RowNumber) for _, node in block.items) and block is not self.facts.block:
            sentences.append(self._say("outer.window"))
        sentences += self._grouping(block)
        if block.distinct:
            routes = block.match is None or bool(block.match.hops)
            sentences.append(self._say("outer.distinct" if routes else "outer.distinct_values"))
        elif block is self.facts.block and block.match is not None and block.match.hops and not block.group:
            sentences += self._maybe(0.25, "outer.bag")
        return sentences + self._tail(block)

    def _outer_condition(self, node: Expr, block: Block) -> list[str]:
        negated = isinstance(node, exp.Not)
        inner = node.this if negated else node
        about_graph = any(
            block.nested[id(one)].matches() for one in inner.find_all(exp.Query) if id(one) in block.nested
        )
        if isinstance(inner, exp.Exists) and about_graph:
            return [self._say("outer.not_exists" if negated else "outer.exists")]
        if isinstance(inner, exp.In) and about_graph:
            return [self._say("outer.not_in" if negated else "outer.in")]
        if self.voice.ties(node, block):
            return [self._say("outer.tied", k=self._code(f"WHERE {code.expression(node)}"))]
        said = self.voice.condition(node, block)
        return [self._say("outer.where", c=said, k=self._code(f"WHERE {code.expression(node)}"))]

    def _grouping(self, block: Block) -> list[str]:
        if not block.group:
            return []
        sentences = [self._say("outer.group", k=self._code(", ".join(code.expression(one) for one in block.group)))]
        counts = [one for _, node in block.items for one in node.find_all(exp.Count)]
        if any(isinstance(one.this, exp.Distinct) for one in counts):
            sentences.append(self._say("outer.count_distinct"))
        elif {exp.Column, exp.Star} <= {type(one.this) for one in counts}:
            sentences.append(self._say("outer.count_null"))
        for condition in block.having:
            having = self._code(code.expression(condition))
            sentences.append(self._say("outer.having", c=self.voice.condition(condition, block), k=having))
        return sentences

    def _tail(self, block: Block) -> list[str]:
        sentences: list[str] = []
        if block.order:
            keys = ", ".join(code.expression(node) + (" DESC" if down else "") for node, down in block.order)
            sentences.append(self._say("outer.order", k=self._code(keys)))
        if block.fetch:
            fetch = f"FETCH FIRST {block.fetch} ROWS {'WITH TIES' if block.ties else 'ONLY'}"
            sentences.append(self._say("outer.fetch", n=block.fetch, k=fetch))
            sentences += self._maybe(0.25, "doubt.limit", n=block.fetch, k=fetch)
        return sentences

    # ------------------------------------------------ the end

    def _ending(self) -> list[str]:
        sentences: list[str] = []
        variables = [one.variable for one in self.facts.matches[0].vertices if one.variable]
        if variables:
            sentences += self._maybe(0.12, "doubt.variable_outside", v=self._code(variables[0]))
        checks = [self._checked() for chance in (0.75, 0.2) if self._likely(chance)]
        sentences += [self._say("check", a=one) for one in dict.fromkeys(checks)]
        return [*sentences, *([] if self.length == "short" else [self._say("close")])]

    def _checked(self) -> str:
        match, block = self.facts.matches[0], self.facts.block
        options: list[Callable[[], str]] = [
            self._checked_names,
            lambda: self._say("checked.columns", n=str(len(block.items))),
        ]
        directed = [hop for hop in match.hops if hop.direction != "any" and hop.left is not hop.right]
        if directed:
            hop = self.rng.choice(directed)
            ends = {"s": self.voice.name(hop.source), "t": self.voice.name(hop.target)}
            options.append(lambda: self._say("checked.direction", **ends))
        conditions = [one for element in match.elements.values() for one in element.inline]
        if conditions:
            shown = self._listed([code.expression(one) for one in conditions])
            options.append(lambda: self._say("checked.filters", k=shown))
        return self.rng.choice(options)()

    def _checked_names(self) -> str:
        match = self.facts.matches[0]
        labels = [label for one in (*match.vertices, *match.edges) if one.stated for label in one.labels]
        if not labels:
            return self._say("checked.columns", n=str(len(self.facts.block.items)))
        return self._say("checked.names", g=self._code(match.graph.shown), l=self._listed(labels))


def _names(nodes: Sequence[Expr]) -> list[str]:
    return list(dict.fromkeys(column.name for node in nodes for column in node.find_all(exp.Column) if column.table))


def _output_names(match: Match) -> set[str]:
    return {node.name for node in match.outputs.values() if isinstance(node, exp.Column)}


def _is_property(node: Expr, name: str) -> bool:
    return isinstance(node, exp.Column) and node.name == name


def _mentions(node: Expr, element: Element) -> bool:
    return any(
        fold(column.table or column.name) == fold(bare(element.variable)) for column in node.find_all(exp.Column)
    )


def _asks(node: exp.Anonymous) -> bool:
    name = function_name(node)
    return name.startswith("IS ") or name in ("VERTEX_EQUAL", "EDGE_EQUAL", "PROPERTY_EXISTS", "BINDING_COUNT")
