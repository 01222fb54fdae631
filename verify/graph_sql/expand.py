"""From a bound pattern to plain joins: quantifiers unrolled, elements given slots, element tables assigned to slots.

May be imported by `lower`; imports nothing heavy.
Design reason: a pattern means the union, with duplicates, over all lengths of its quantifiers and all choices of
element tables; each of these is one flat join, and nothing is left to be understood afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

from .bind import OUTSIDE, Bound, fitting
from .bind_expressions import variables_of
from .catalog import ElementTable
from .errors import GraphCannotRun
from .tree import Edge, Expr, ParenPath, PathPattern, Quantifier, Term, Vertex

MAX_BRANCHES = 400
"""Most combinations of quantifier lengths in one GRAPH_TABLE."""
MAX_ASSIGNMENTS = 1_500
"""Most flat joins that one GRAPH_TABLE may become."""
MAX_ELEMENTS = 80
"""Most elements in one flat join."""

Orientation = Literal["right", "left", "both"]


@dataclass(slots=True)
class Slot:
    """One vertex or edge of a flat join. Vertices that must be the same vertex share a slot through `merged`."""

    index: int
    kind: Literal["vertex", "edge"]
    tables: list[ElementTable]
    merged: "Slot | None" = None

    def root(self) -> "Slot":
        """The slot that stands for this one after merging."""
        slot = self
        while slot.merged is not None:
            slot = slot.merged
        return slot


@dataclass(frozen=True, slots=True)
class Use:
    """One place where an edge stands between two vertices."""

    edge: Slot
    left: Slot
    right: Slot
    direction: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A condition, and the iteration of its scope in which it is evaluated."""

    expression: Expr
    scope: int
    iteration: int


class TooWide(GraphCannotRun):
    """The pattern means more flat joins than can be planned."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One quantified part of a path that is not unrolled: a recursive query has its walks from `left` to `right`."""

    scope: int
    term: Edge | ParenPath
    path: PathPattern
    left: Slot
    right: Slot

    @property
    def quantifier(self) -> Quantifier:
        """How often the part is repeated."""
        assert self.term.quantifier is not None
        return self.term.quantifier


@dataclass(slots=True)
class Branch:
    """The pattern with fixed quantifier lengths: `counts` has the number of iterations by scope.

    A part with the quantifier `?` is counted under the negative of its place in the text, less one.
    """

    bound: Bound
    counts: dict[int, int]
    slots: list[Slot] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    named: dict[tuple[str, int], Slot] = field(default_factory=dict)
    """Slot of a variable by name and iteration; iteration 0 outside quantifiers."""
    conditions: list[Placed] = field(default_factory=list)
    chains: list[list[Slot | Walk]] = field(default_factory=list)
    """Each path as vertex, edge, vertex, …; a walk stands where an edge stands."""
    walks: dict[int, Walk] = field(default_factory=dict)
    """By scope."""

    def roots(self) -> list[Slot]:
        """The slots that remain after merging."""
        return [slot for slot in self.slots if slot.merged is None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Element tables for every slot of a branch, and the orientation of every edge use."""

    branch: Branch
    tables: dict[int, ElementTable]
    orientations: tuple[Orientation, ...]
    number: int
    """Counts the assignments of a GRAPH_TABLE from 0."""


def assignments(bound: Bound, walked: frozenset[int] = frozenset()) -> Iterator[Assignment]:
    """Every flat join a GRAPH_TABLE means, with the quantifiers of the scopes `walked` left as walks.

    Raises TooWide when there are too many.
    """
    number = 0
    for branch in branches(bound, walked):
        for tables, orientations in _assign(branch):
            if number >= MAX_ASSIGNMENTS:
                raise TooWide("the pattern fits too many combinations of tables", hint="name labels")
            yield Assignment(branch, tables, orientations, number)
            number += 1


def iterations(bound: Bound, walk: Walk) -> Iterator[Assignment]:
    """Every flat join that one iteration of a walk means."""
    branch = _Builder(bound, {}).build_iteration(walk)
    for number, (tables, orientations) in enumerate(_assign(branch)):
        yield Assignment(branch, tables, orientations, number)


def beginnings(bound: Bound, vertex: Vertex | None) -> Iterator[Assignment]:
    """Every table that fits a vertex pattern, with the pattern's condition where that reads nothing else."""
    branch = _Builder(bound, {}).build_vertex(vertex or Vertex())
    for number, (tables, orientations) in enumerate(_assign(branch)):
        yield Assignment(branch, tables, orientations, number)


def branches(bound: Bound, walked: frozenset[int] = frozenset()) -> Iterator[Branch]:
    """The pattern for every combination of quantifier lengths."""
    ranges = {
        scope: list(_lengths(quantifier)) for scope, quantifier in quantifiers(bound).items() if scope not in walked
    }
    total = 1
    for lengths in ranges.values():
        total *= len(lengths)
    if total > MAX_BRANCHES:
        raise TooWide("the quantifiers allow too many lengths", hint="lower their upper bounds")
    for counts in product(*ranges.values()):
        yield _Builder(bound, dict(zip(ranges, counts, strict=True))).build()


def _lengths(quantifier: Quantifier) -> range:
    if quantifier.max is None or quantifier.max > MAX_ELEMENTS // 2:
        raise TooWide(f"paths of more than {MAX_ELEMENTS // 2} steps are not executed here")
    return range(quantifier.min, quantifier.max + 1)


def quantifiers(bound: Bound) -> dict[int, Quantifier]:
    """Every quantifier of a pattern by its scope; `?` has a negative number instead, see `Branch`."""
    found: dict[int, Quantifier] = {}
    for path in bound.table.paths:
        found |= _quantified_terms(bound, path.terms)
    return found


def _place_of(bound: Bound, term: Edge | ParenPath) -> int:
    """The scope of a term's quantifier, or the number that stands for its `?`; 0 where it has none."""
    return -1 - term.offset if term.offset in bound.optional else bound.scope_of(term)


def _quantified_terms(bound: Bound, terms: tuple[Term, ...]) -> dict[int, Quantifier]:
    found: dict[int, Quantifier] = {}
    for term in terms:
        if isinstance(term, Vertex):
            continue
        if term.quantifier is not None:
            found[_place_of(bound, term)] = term.quantifier
        if isinstance(term, ParenPath):
            found |= _quantified_terms(bound, term.terms)
    return found


class _Builder:
    """Walks the paths of a pattern and gives every element its slot."""

    def __init__(self, bound: Bound, counts: dict[int, int]) -> None:
        self.bound = bound
        self.branch = Branch(bound, counts)
        self.path = bound.table.paths[0]
        self.here: Slot | None = None
        self.pending: tuple[Slot, Slot, str] | None = None
        self.chain: list[Slot | Walk] = []

    def build(self) -> Branch:
        for path in self.bound.table.paths:
            self.path = path
            self.here, self.pending, self.chain = None, None, []
            self._terms(self.path.terms, OUTSIDE, 0)
            self._close()
        if self.bound.table.where is not None:
            self.branch.conditions.append(Placed(self.bound.table.where, OUTSIDE, 0))
        return self.branch

    def build_iteration(self, walk: Walk) -> Branch:
        """One iteration of a walk, from the vertex where it begins to the one where it ends."""
        self._once(walk.term, walk.scope, 0)
        self._close()
        return self.branch

    def build_vertex(self, vertex: Vertex) -> Branch:
        """A vertex alone."""
        self._vertex(vertex if self._reads_itself(vertex) else replace(vertex, where=None), OUTSIDE, 0)
        self._close()
        return self.branch

    def _reads_itself(self, vertex: Vertex) -> bool:
        own = self.bound.fold(vertex.variable) if vertex.variable is not None else ""
        where = vertex.where
        return where is None or all(one.name == own for one in variables_of(where, self.bound))

    def _close(self) -> None:
        if self.here is None:
            self._arrive(self._anonymous())
        self.branch.chains.append(self.chain)

    def _terms(self, terms: tuple[Term, ...], scope: int, iteration: int) -> None:
        for term in terms:
            if isinstance(term, Vertex):
                self._vertex(term, scope, iteration)
                continue
            inner = _place_of(self.bound, term)
            if inner == OUTSIDE:
                self._once(term, scope, iteration)
            elif inner not in self.branch.counts:
                self._walk(term, inner)
            else:
                for one in range(self.branch.counts[inner]):
                    self._once(term, max(inner, OUTSIDE), one)

    def _walk(self, term: Edge | ParenPath, scope: int) -> None:
        if self.here is None:
            self._arrive(self._anonymous())
        assert self.here is not None
        walk = Walk(scope, term, self.path, self.here, self._anonymous())
        self.branch.walks[scope] = walk
        self.here = walk.right
        self.chain += [walk, walk.right]

    def _once(self, term: Edge | ParenPath, scope: int, iteration: int) -> None:
        if isinstance(term, Edge):
            self._edge(term, scope, iteration)
        else:
            self._terms(term.terms, scope, iteration)
            self._condition(term.where, scope, iteration)

    def _condition(self, where: Expr | None, scope: int, iteration: int) -> None:
        if where is not None:
            self.branch.conditions.append(Placed(where, scope, iteration))

    def _vertex(self, vertex: Vertex, scope: int, iteration: int) -> None:
        self._arrive(self._slot(vertex, "vertex", iteration))
        self._condition(vertex.where, scope, iteration)

    def _edge(self, edge: Edge, scope: int, iteration: int) -> None:
        if self.here is None:
            self._arrive(self._anonymous())
        assert self.here is not None
        slot = self._slot(edge, "edge", iteration)
        self.chain.append(slot)
        self.pending, self.here = (slot, self.here, edge.direction), None
        self._condition(edge.where, scope, iteration)

    def _arrive(self, slot: Slot) -> None:
        """The path reaches a vertex: the end of a pending edge, or once more the vertex where it stands."""
        if self.here is not None:
            _merge(self.here, slot)
            return
        if self.pending is not None:
            edge, left, direction = self.pending
            self.branch.uses.append(Use(edge, left, slot, direction))
            self.pending = None
        self.here = slot
        self.chain.append(slot)

    def _anonymous(self) -> Slot:
        return self._new("vertex", list(self.bound.graph.vertices.values()))

    def _slot(self, element: Vertex | Edge, kind: Literal["vertex", "edge"], iteration: int) -> Slot:
        if element.variable is None:
            return self._new(kind, fitting(self.bound, element.label, kind))
        key = (self.bound.fold(element.variable), iteration)
        if key not in self.branch.named:
            self.branch.named[key] = self._new(kind, list(self.bound.variables[key[0]].tables))
        return self.branch.named[key]

    def _new(self, kind: Literal["vertex", "edge"], tables: list[ElementTable]) -> Slot:
        slot = Slot(len(self.branch.slots), kind, tables)
        self.branch.slots.append(slot)
        if len(self.branch.slots) > MAX_ELEMENTS:
            raise TooWide("the pattern has too many elements")
        return slot


def _merge(one: Slot, other: Slot) -> None:
    first, second = one.root(), other.root()
    if first is not second:
        second.merged = first
        first.tables = [table for table in first.tables if table in second.tables]


# ---------------------------------------------------------------- element tables


def _assign(branch: Branch) -> Iterator[tuple[dict[int, ElementTable], tuple[Orientation, ...]]]:
    repeated = {use.edge.index for use in branch.uses if sum(one.edge is use.edge for one in branch.uses) > 1}
    yield from _assign_edge(branch, 0, {}, (), repeated)


def _assign_edge(
    branch: Branch,
    at: int,
    chosen: dict[int, ElementTable],
    orientations: tuple[Orientation, ...],
    repeated: set[int],
) -> Iterator[tuple[dict[int, ElementTable], tuple[Orientation, ...]]]:
    if at == len(branch.uses):
        free = [slot for slot in branch.roots() if slot.index not in chosen]
        for tables in product(*(slot.tables for slot in free)):
            yield chosen | {slot.index: table for slot, table in zip(free, tables, strict=True)}, orientations
        return
    use = branch.uses[at]
    known = chosen.get(use.edge.index)
    for table in [known] if known is not None else use.edge.tables:
        for orientation in _orientations(table, use, single=use.edge.index not in repeated):
            ends = _ends(branch, table, orientation)
            extended = _extend(chosen, use, table, ends)
            if extended is not None:
                yield from _assign_edge(branch, at + 1, extended, (*orientations, orientation), repeated)


def _orientations(table: ElementTable, use: Use, *, single: bool) -> tuple[Orientation, ...]:
    if use.direction == "right":
        return ("right",)
    if use.direction == "left":
        return ("left",)
    if use.direction == "undirected":
        return ()
    assert table.source is not None and table.destination is not None
    same = table.source.vertex == table.destination.vertex and table.source.columns == table.destination.columns
    return ("both",) if same and single else ("right", "left")


def _ends(branch: Branch, table: ElementTable, orientation: Orientation) -> tuple[ElementTable, ElementTable]:
    assert table.source is not None and table.destination is not None
    vertices = branch.bound.graph.vertices
    source, destination = vertices[table.source.vertex], vertices[table.destination.vertex]
    return (destination, source) if orientation == "left" else (source, destination)


def _extend(
    chosen: dict[int, ElementTable], use: Use, table: ElementTable, ends: tuple[ElementTable, ElementTable]
) -> dict[int, ElementTable] | None:
    extended = chosen | {use.edge.index: table}
    for slot, end in zip((use.left.root(), use.right.root()), ends, strict=True):
        if extended.get(slot.index, end) is not end or end not in slot.tables:
            return None
        extended[slot.index] = end
    return extended
