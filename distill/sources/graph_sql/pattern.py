"""Samples a pattern around a walk through the data: vertices, edges, repeated edges, and conditions true of the walk.

May be imported by the modules with the kinds of queries; imports data, conditions and spelling.
Design reason: the walk is the witness. Every label and condition is chosen so that the walk itself still matches, which
makes an empty answer impossible for a plain pattern and rare for what stands around it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from distill.sources.graph_sql import spelling
from distill.sources.graph_sql.conditions import every, holding
from distill.sources.graph_sql.data import Data, Item, Property

if TYPE_CHECKING:
    from verify.graph_sql.catalog import ElementTable

Direction = Literal["right", "left", "any"]


@dataclass(slots=True, eq=False)
class Element:
    """A vertex or edge of the pattern, and the row that fits it."""

    item: Item
    label: str
    """The label whose properties may be used, folded."""
    stated: list[str] = field(default_factory=list)
    """The labels that are written, folded; several are alternatives."""
    variable: str = ""
    used: bool = False
    """Whether something refers to the variable."""
    conditions: list[str] = field(default_factory=list)
    direction: Direction = "right"
    """For an edge: how it points from the vertex before it to the one behind it."""
    bounds: tuple[int, int] | None = None
    trail: list[Item] = field(default_factory=list)
    """The edges of the witness where the edge is repeated."""


class Ref(NamedTuple):
    """A property of an element."""

    element: Element
    prop: Property

    @property
    def text(self) -> str:
        """As a query reads it; this counts as a use of the variable."""
        self.element.used = True
        return f"{self.element.variable}.{self.prop.spelled}"


@dataclass(slots=True)
class Pattern:
    """Paths of alternating vertices and edges, and the conditions behind them."""

    data: Data
    paths: list[list[Element]]
    where: list[str] = field(default_factory=list)

    def elements(self) -> list[Element]:
        """Every element once, in the order of writing."""
        return list(dict.fromkeys(element for path in self.paths for element in path))

    @property
    def vertices(self) -> list[Element]:
        """The vertices once each."""
        return [element for element in self.elements() if element.item.table.kind == "vertex"]

    @property
    def edges(self) -> list[Element]:
        """The edges once each, repeated ones among them."""
        return [element for element in self.elements() if element.item.table.kind == "edge"]

    @property
    def single_edges(self) -> list[Element]:
        """The edges that stand for one edge of the data."""
        return [element for element in self.edges if element.bounds is None]

    def properties(self, element: Element) -> list[Ref]:
        """The properties that its label shows."""
        return [Ref(element, one) for one in self.data.under(element.item.table, element.label)]

    def table(self, columns: list[str]) -> str:
        """The GRAPH_TABLE with these columns."""
        seen: set[Element] = set()
        paths = [" ".join(self._element(element, seen) for element in path) for path in self.paths]
        return spelling.graph_table(self.data.name, paths, " AND ".join(self.where), columns)

    def _element(self, element: Element, seen: set[Element]) -> str:
        again = element in seen or sum(path.count(element) for path in self.paths) > 1
        variable = element.variable if element.used or again else ""
        if element in seen:
            return spelling.vertex(variable, "")
        seen.add(element)
        label = "|".join(self.data.label(name) for name in element.stated)
        where = " AND ".join(element.conditions)
        if element.item.table.kind == "vertex":
            return spelling.vertex(variable, label, where)
        quantifier = ""
        if element.bounds is not None:
            low, high = element.bounds
            quantifier = f"{{{low}}}" if low == high else f"{{{low},{high}}}"
        return spelling.edge(element.direction, spelling.element(variable, label, where), quantifier)


class Sampler:
    """Draws patterns from one graph with one random stream."""

    def __init__(self, data: Data, rng: Random) -> None:
        self.data, self.rng = data, rng

    # ------------------------------------------------ witnesses

    def single(self) -> Pattern:
        """One vertex."""
        tables = [name for name, rows in self.data.vertices.items() if rows]
        item = self.rng.choice(self.data.vertices[self.rng.choice(tables)])
        return self._named(Pattern(self.data, [[self._element(item)]]))

    def path(self, hops: int) -> Pattern | None:
        """A path of so many edges; None where the walk does not get that far."""
        walk = self._walk(hops)
        return self._named(Pattern(self.data, [walk])) if walk else None

    def fork(self, hops: int) -> Pattern | None:
        """A path, and a second one that leaves or reaches one of its vertices."""
        walk = self._walk(hops)
        if walk is None:
            return None
        meeting = self.rng.choice(walk[::2])
        edge = self._another_edge(meeting, [one.item for one in walk[1::2]])
        if edge is None:
            return None
        branch = self._step(meeting, edge)
        return self._named(Pattern(self.data, [walk, [meeting, *branch]]))

    def loop(self) -> Pattern | None:
        """An edge from a vertex to itself, or two edges there and back."""
        loops = [edge for rows in self.data.edges.values() for edge in rows if edge.source is edge.target]
        if not loops or self.rng.random() < 0.3:
            return self._there_and_back()
        edge = self._element(self.rng.choice(loops))
        assert edge.item.source is not None
        vertex = self._element(edge.item.source)
        return self._named(Pattern(self.data, [[vertex, edge, vertex]]))

    def _there_and_back(self) -> Pattern | None:
        walk = self._walk(1)
        if walk is None:
            return None
        first, edge, second = walk
        back = [one for one in self.data.touching(second.item) if first.item in (one.source, one.target)]
        if first.item is second.item or not (back := [one for one in back if one is not edge.item]):
            return None
        returning = self._step(second, self.rng.choice(back))[0]
        return self._named(Pattern(self.data, [[first, edge, second, returning, first]]))

    def parallel(self) -> Pattern | None:
        """Two edges of one label from the same vertex to the same vertex."""
        groups: dict[tuple[int, int, str], list[Item]] = {}
        for name, rows in self.data.edges.items():
            for item in rows:
                groups.setdefault((id(item.source), id(item.target), name), []).append(item)
        several = [edges for edges in groups.values() if len(edges) > 1]
        if not several:
            return None
        one, two = self.rng.sample(self.rng.choice(several), 2)
        if one.source is None or one.target is None or one.source is one.target:
            return None
        start, end, edge = self._element(one.source), self._element(one.target), self._element(one)
        other = Element(two, edge.label, list(edge.stated))
        return self._named(Pattern(self.data, [[start, edge, end], [start, other, end]]))

    def repeated(self) -> Pattern | None:
        """A repeated edge between two vertices."""
        rows = [edge for edges in self.data.edges.values() for edge in edges]
        if not rows:
            return None
        edge = self._element(self.rng.choice(rows))
        edge.direction = self.rng.choice(("right", "right", "right", "left", "any"))
        start = edge.item.target if edge.direction == "left" else edge.item.source
        assert start is not None
        edge.trail = self._trail(start, edge, self.rng.choice((1, 2, 2, 3)))
        if len(edge.trail) == 1 and not _same_ends(edge.item):
            return None
        edge.bounds = self._bounds(len(edge.trail))
        here = start
        for step in edge.trail:
            here = _far(step, here)
        vertices = self._element(start), self._element(here)
        return self._named(Pattern(self.data, [[vertices[0], edge, vertices[1]]]))

    def _bounds(self, length: int) -> tuple[int, int]:
        fitting = [(1, 2), (1, 3), (2, 2), (2, 3), (1, 4), (3, 3), (0, 2)]
        return self.rng.choice([one for one in fitting if one[0] <= length <= one[1]])

    def _trail(self, start: Item, edge: Element, length: int) -> list[Item]:
        """Edges of one label from `start`, at most `length` of them, at least one."""
        found, here = [edge.item], _far(edge.item, start)
        while len(found) < length:
            following = [one for one in self._along(here, edge.direction) if edge.label in one.table.labels]
            if not following:
                break
            found.append(self.rng.choice(following))
            here = _far(found[-1], here)
        return found

    def _along(self, vertex: Item, direction: Direction) -> list[Item]:
        if direction == "any":
            return self.data.touching(vertex)
        edges = self.data.leaving if direction == "right" else self.data.reaching
        return edges.get(id(vertex), [])

    def _walk(self, hops: int) -> list[Element] | None:
        tables = [name for name, rows in self.data.edges.items() if rows]
        if not tables:
            return None
        edge = self.rng.choice(self.data.edges[self.rng.choice(tables)])
        start = self.rng.choice((edge.source, edge.target))
        assert start is not None
        walk = [self._element(start)]
        walk += self._step(walk[0], edge)
        while len(walk) < 2 * hops + 1:
            following = self._another_edge(walk[-1], [one.item for one in walk[1::2]])
            if following is None:
                return None
            walk += self._step(walk[-1], following)
        return walk

    def _another_edge(self, vertex: Element, taken: Sequence[Item]) -> Item | None:
        """An edge at a vertex that the witness does not hold yet, rare tables as likely as common ones."""
        by_table: dict[str, list[Item]] = {}
        for edge in self.data.touching(vertex.item):
            if edge not in taken:
                by_table.setdefault(edge.table.name, []).append(edge)
        return self.rng.choice(by_table[self.rng.choice(list(by_table))]) if by_table else None

    def _step(self, start: Element, edge: Item) -> list[Element]:
        link = self._element(edge)
        link.direction = "right" if edge.source is start.item else "left"
        if edge.source is edge.target:
            link.direction = self.rng.choice(("right", "left"))
        return [link, self._element(_far(edge, start.item))]

    def _element(self, item: Item) -> Element:
        labels = list(item.table.labels)
        label = labels[0] if self.rng.random() < 0.5 else self.rng.choice(labels)
        return Element(item, label, [label])

    # ------------------------------------------------ names

    def _named(self, pattern: Pattern) -> Pattern:
        """Give every element a variable, in one of several habits."""
        taken: set[str] = set()
        for elements, letters in ((pattern.vertices, _VERTEX_NAMES), (pattern.edges, _EDGE_NAMES)):
            names = self.rng.choice(letters) if self.rng.random() < 0.6 else None
            for index, element in enumerate(elements):
                wanted = names[index % len(names)] if names else self._initial(element)
                element.variable = _free(wanted, taken)
                taken.add(element.variable)
        return pattern

    def _initial(self, element: Element) -> str:
        letter = element.label[:1].lower()
        if not letter.isascii() or not letter.isalpha():
            return "e" if element.item.table.kind == "edge" else "v"
        return letter

    # ------------------------------------------------ more about a pattern

    def alternatives(self, pattern: Pattern) -> bool:
        """Add a second label to one element, or to an edge and the vertex it leads to; False where none fits."""
        choices = [
            [(element, label)] for element in pattern.elements() for label in self._other_labels(element, pattern)
        ]
        choices += self._other_branches(pattern)
        if not choices:
            return False
        for element, label in self.rng.choice(choices):
            element.stated = [element.label, label]
            self.rng.shuffle(element.stated)
        return True

    def _other_labels(self, element: Element, pattern: Pattern) -> Iterator[str]:
        """Labels of other tables that could stand in the same place."""
        own = element.item.table
        for table in self.data.graph.elements(own.kind).values():
            if table is own or element.label in table.labels:
                continue
            if table.name in self._possible(element, pattern):
                yield from table.labels

    def _other_branches(self, pattern: Pattern) -> list[list[tuple[Element, str]]]:
        """For a single hop: labels of another edge and of the other vertex that it leads to from the same vertex."""
        if len(pattern.elements()) != 3 or len(pattern.paths[0]) != 3:
            return []
        first, edge, last = pattern.paths[0]
        own, found = edge.item.table, []
        for table in self.data.graph.edges.values():
            for near, far in ((first, last), (last, first)):
                side = 0 if (near is first) == (edge.direction == "right") else 1
                leads_elsewhere = (
                    _ends(table)[side] == _ends(own)[side] and _ends(table)[1 - side] != _ends(own)[1 - side]
                )
                label = next(iter(self.data.graph.vertices[_ends(table)[1 - side]].labels))
                if leads_elsewhere and edge.label not in table.labels and label != far.label:
                    found.append([(edge, next(iter(table.labels))), (far, label)])
        return found

    def _possible(self, element: Element, pattern: Pattern) -> set[str]:
        """The element tables that what stands beside an element allows."""
        edges = self.data.graph.edges
        allowed = set(edges) if element.item.table.kind == "edge" else set(self.data.vertices)
        for path in pattern.paths:
            for before, edge, behind in zip(path[::2], path[1::2], path[2::2], strict=False):
                source, target = (before, behind) if edge.direction == "right" else (behind, before)
                if element is edge:
                    ends = [{table.name for table in self._under(one)} for one in (source, target)]
                    allowed &= {name for name in edges if all(map(_in, _ends(edges[name]), ends))}
                elif element in (before, behind):
                    pairs = [_ends(table) for table in self._under(edge)]
                    allowed &= {pair[0] if element is source else pair[1] for pair in pairs}
        return allowed

    def _under(self, element: Element) -> "list[ElementTable]":
        """All tables that carry an element's label."""
        return self.data.graph.with_label(element.item.table.kind, element.label)

    def either_way(self, pattern: Pattern) -> bool:
        """Leave the direction of one edge open, where both directions are possible."""
        edges = [edge for edge in pattern.edges if _same_ends(edge.item)]
        if not edges:
            return False
        self.rng.choice(edges).direction = "any"
        return True

    def conditions(self, pattern: Pattern, count: int, *, among: Sequence[Element] | None = None) -> int:
        """Put up to `count` conditions into or behind the pattern, on different properties; how many it became."""
        elements = pattern.elements() if among is None else among
        refs = [ref for element in elements for ref in pattern.properties(element)]
        chosen: list[Ref] = []
        for ref in self.rng.sample(refs, len(refs)):
            if len(chosen) == count:
                break
            if any(ref.element is other.element for other in chosen) and self.rng.random() < 0.7:
                continue
            if self._condition(pattern, ref):
                chosen.append(ref)
        return len(chosen)

    def _condition(self, pattern: Pattern, ref: Ref) -> bool:
        element, name = ref.element, ref.prop.name
        if element.bounds is not None:
            values = [edge.values.get(name) for edge in element.trail]
            text = every(ref.prop, values, self.rng)
        else:
            text = holding(ref.prop, element.item.values.get(name), self.rng)
        if not text:
            return False
        written = text.replace("{}", ref.text)
        behind = element.bounds is None and self.rng.random() < 0.2
        (pattern.where if behind else element.conditions).append(written)
        return True

    def comparison(self, pattern: Pattern) -> bool:
        """Compare two elements of the pattern, in a way that is true of the witness."""
        groups: dict[tuple[str, str], list[Ref]] = {}
        for element in [*pattern.vertices, *pattern.single_edges]:
            for ref in pattern.properties(element):
                groups.setdefault((ref.prop.name, ref.prop.kind), []).append(ref)
        pairs = [refs for refs in groups.values() if len(refs) > 1]
        if not pairs:
            return False
        first, second = self.rng.sample(self.rng.choice(pairs), 2)
        left, right = (ref.element.item.values.get(ref.prop.name) for ref in (first, second))
        if left is None or right is None:
            return False
        sign = "=" if left == right else "<>"
        if left != right and first.prop.kind != "text" and not first.prop.key:
            sign = "<" if left < right else ">"
        pattern.where.append(f"{first.text} {sign} {second.text}")
        return True

    def apart(self, pattern: Pattern) -> bool:
        """Demand that two vertices under one label differ."""
        pairs = [
            (a, b)
            for a in pattern.vertices
            for b in pattern.vertices
            if a is not b and a.item.table is b.item.table and a.item is not b.item
        ]
        if not pairs:
            return False
        first, second = self.rng.choice(pairs)
        first.used = second.used = True
        pattern.where.append(f"NOT VERTEX_EQUAL({first.variable}, {second.variable})")
        return True


_VERTEX_NAMES = (
    "abcd",
    "xyzw",
    ("v1", "v2", "v3", "v4"),
    ("n1", "n2", "n3", "n4"),
    "pqrs",
    ("src", "dst", "far", "nb"),
)
_EDGE_NAMES = ("efgh", ("e1", "e2", "e3", "e4"), ("r1", "r2", "r3", "r4"), "tuvw", "klmn")


def _free(wanted: str, taken: set[str]) -> str:
    if wanted not in taken:
        return wanted
    return next(f"{wanted}{number}" for number in range(2, 100) if f"{wanted}{number}" not in taken)


def _far(edge: Item, start: Item) -> Item:
    """The other end of an edge."""
    far = edge.target if edge.source is start else edge.source
    assert far is not None
    return far


def _in(name: str, names: set[str]) -> bool:
    return name in names


def _ends(table: "ElementTable") -> tuple[str, str]:
    """The vertex tables at the ends of an edge table."""
    assert table.source is not None and table.destination is not None
    return table.source.vertex, table.destination.vertex


def _same_ends(edge: Item) -> bool:
    source, target = _ends(edge.table)
    return source == target
