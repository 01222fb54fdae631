"""What a query says, apart from any wording: elements, hops, conditions, outputs, and the blocks around the matches.

May be imported by the modules of this package; imports the tree of `verify.graph_sql` and sqlglot, so it is itself
imported only when the first query is read.
Design reason: everything that is hard about a query is decided once, by `reading`, so that the modules of each language
only choose words and cannot disagree about what a query means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sqlglot import exp

from verify.graph_sql.catalog import Catalog, ElementTable, Graph
from verify.graph_sql.tree import Direction, Expr, GraphTable, Name, Query, Rows

Kind: TypeAlias = Literal["vertex", "edge", "row"]
Part: TypeAlias = Literal["", "vertex", "start", "step", "end"]
"""What an iterator of ONE ROW PER stands for; empty for the variables of the pattern."""


@dataclass(slots=True, eq=False)
class Element:
    """A vertex or edge of a match, or a row of a plain table. Elements are the same only when they are one object."""

    kind: Kind
    variable: str
    """As written; empty where the query gives none."""
    labels: tuple[str, ...]
    """The labels that are written, else the first label of every table that fits, else the table's name."""
    stated: bool = True
    """Whether a label was written."""
    tables: tuple[ElementTable, ...] = ()
    inline: list[Expr] = field(default_factory=list)
    """Conditions inside the element itself."""
    after: list[Expr] = field(default_factory=list)
    """Conditions after the pattern that are about this element alone."""
    group: bool = False
    """Whether it stands for many elements, being inside a quantifier."""
    part: Part = ""

    @property
    def conditions(self) -> list[Expr]:
        """All conditions that are about this element alone."""
        return self.inline + self.after


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One edge of a path, or a quantified stretch of several."""

    edge: Element
    left: Element
    right: Element
    direction: Direction
    bounds: tuple[int, int | None] | None = None
    """How often it repeats; None for a plain edge."""
    stretch: tuple["Hop", ...] = ()
    """The hops of a repeated stretch with more than one; `edge` is then its first."""
    conditions: tuple[Expr, ...] = ()
    """Conditions on a repetition that are not about its edge alone."""

    @property
    def source(self) -> Element:
        """Where the edge starts (the left end when the direction is open)."""
        return self.right if self.direction == "left" else self.left

    @property
    def target(self) -> Element:
        """Where the edge ends."""
        return self.left if self.direction == "left" else self.right


@dataclass(frozen=True, slots=True)
class PropertyRef:
    """A property of an element, or a column of a plain table's row."""

    element: Element
    name: str


@dataclass(frozen=True, slots=True)
class InnerRef:
    """A column that another expression, in another scope, defines."""

    expression: Expr
    scope: "Scope"


@dataclass(frozen=True, slots=True)
class NamedRef:
    """A column of a named intermediate result."""

    source: str
    name: str


Ref: TypeAlias = PropertyRef | InnerRef | NamedRef


class Scope:
    """Where a column reference is looked up."""

    def look_up(self, column: exp.Column) -> Ref | None:
        """What the reference means here, or None."""
        raise NotImplementedError

    def element(self, name: str) -> Element | None:
        """The element that a variable stands for, or None."""
        return None


@dataclass(slots=True, eq=False)
class Match(Scope):
    """One GRAPH_TABLE."""

    table: GraphTable
    graph: Graph
    elements: dict[str, Element] = field(default_factory=dict)
    """By folded variable; anonymous ones under names with a blank in front."""
    hops: list[Hop] = field(default_factory=list)
    paths: int = 1
    cross: list[Expr] = field(default_factory=list)
    """Conditions that compare elements or look at a whole path."""
    symmetry: list[Expr] = field(default_factory=list)
    """Comparisons of keys that make every combination appear in one order only."""
    outputs: dict[str, Expr] = field(default_factory=dict)
    """Folded column name to expression, in order."""
    names: dict[str, str] = field(default_factory=dict)
    """Folded column name to the name as written."""
    rows: Rows | None = None

    def look_up(self, column: exp.Column) -> Ref | None:
        """A property of a pattern variable."""
        element = self.elements.get(fold(column.table)) if column.table else None
        return PropertyRef(element, column.name) if element else None

    def element(self, name: str) -> Element | None:
        """The element of a variable."""
        return self.elements.get(fold(name))

    @property
    def once(self) -> bool:
        """Whether every combination is wanted in one order only."""
        return bool(self.symmetry)

    def conditions(self) -> list[Expr]:
        """All conditions of the match, wherever they stand."""
        own = [one for element in self.elements.values() for one in element.conditions]
        return [*own, *(one for hop in self.hops for one in hop.conditions), *self.cross, *self.symmetry]

    @property
    def vertices(self) -> list[Element]:
        """The vertices outside quantifiers, in the order of the pattern."""
        return [one for one in self.elements.values() if one.kind == "vertex" and not one.group and not one.part]

    @property
    def edges(self) -> list[Element]:
        """All edges of the pattern in order, iterators left out."""
        return [one for one in self.elements.values() if one.kind == "edge" and not one.part]


@dataclass(slots=True, eq=False)
class Source:
    """One item of a FROM clause."""

    kind: Literal["match", "table", "named", "derived"]
    name: str
    """Alias as written, else the name of the table; empty where there is neither."""
    title: str = ""
    """Name of the table or of the WITH clause itself, where the alias differs."""
    match: Match | None = None
    row: Element | None = None
    block: "Block | None" = None
    columns: dict[str, str] = field(default_factory=dict)
    """Folded column name to the name as written."""
    join: Literal["", "inner", "left", "right", "full", "cross"] = ""
    on: list[Expr] = field(default_factory=list)

    def look_up(self, name: str) -> Ref | None:
        """What a column of this item means."""
        key = fold(name)
        if key not in self.columns:
            return None
        if self.match is not None:
            return InnerRef(self.match.outputs[key], self.match)
        if self.row is not None:
            return PropertyRef(self.row, name)
        if self.block is not None and self.kind == "derived":
            return InnerRef(self.block.column(key), self.block)
        return NamedRef(self.title or self.name, self.columns[key])


@dataclass(slots=True, eq=False)
class Block(Scope):
    """One SELECT, or a set operation of two blocks."""

    sources: list[Source] = field(default_factory=list)
    items: list[tuple[str, Expr]] = field(default_factory=list)
    """Output name (as written, may be empty) and expression."""
    where: list[Expr] = field(default_factory=list)
    group: list[Expr] = field(default_factory=list)
    having: list[Expr] = field(default_factory=list)
    distinct: bool = False
    order: list[tuple[Expr, bool]] = field(default_factory=list)
    """Expression and whether it descends."""
    fetch: str = ""
    ties: bool = False
    named: dict[str, "Block"] = field(default_factory=dict)
    """WITH clauses by the name as written."""
    operation: str = ""
    """`UNION`, `UNION ALL`, `INTERSECT`, `EXCEPT`, or empty."""
    operands: tuple["Block", ...] = ()
    parent: "Scope | None" = None
    nested: dict[int, "Block"] = field(default_factory=dict)
    """Blocks of subqueries inside conditions, by the identity of their node."""
    foreign: list[str] = field(default_factory=list)
    """Clauses that none of the above holds, as SQL."""

    def look_up(self, column: exp.Column) -> Ref | None:
        """A column of a FROM item, of the select list, or of an enclosing query."""
        for source in self.sources:
            if not column.table or fold(column.table) == fold(source.name):
                found = source.look_up(column.name)
                if found is not None:
                    return found
        if not column.table:
            for name, expression in self.items:
                if name and fold(name) == fold(column.name) and expression is not column:
                    return InnerRef(expression, self)
            if self.operands:
                return self.operands[0].look_up(column)
        return self.parent.look_up(column) if self.parent is not None else None

    def column(self, key: str) -> Expr:
        """The expression behind an output column, by folded name."""
        return next(expression for name, expression in self.items if fold(name) == key)

    @property
    def match(self) -> Match | None:
        """The match of a block that is nothing but a SELECT over one GRAPH_TABLE."""
        simple = len(self.sources) == 1 and not (self.operands or self.named or self.nested or self.foreign)
        return self.sources[0].match if simple else None

    def blocks(self) -> Iterator["Block"]:
        """This block and all blocks inside it, in the order of writing."""
        for block in (*self.named.values(), *self.operands):
            yield from block.blocks()
        yield self
        for source in self.sources:
            if source.block is not None and source.kind == "derived":
                yield from source.block.blocks()
        for block in self.nested.values():
            yield from block.blocks()

    def matches(self) -> list[Match]:
        """All matches of this block and of those inside it."""
        return [source.match for block in self.blocks() for source in block.sources if source.match is not None]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a writer needs to know of one query."""

    query: Query
    catalog: Catalog
    block: Block

    @property
    def matches(self) -> list[Match]:
        """The matches in the order of writing."""
        return self.block.matches()


def fold(name: str) -> str:
    """The identity of a name for look-ups here: unquoted names do not distinguish case."""
    return name.upper()


def as_written(name: Name) -> str:
    """A name as it stands in a query, in quotes where it was quoted."""
    return f'"{name.text}"' if name.quoted else name.text


def bare(name: str) -> str:
    """A name without its quotes."""
    return name.strip('"')


def conjuncts(condition: Expr | None) -> list[Expr]:
    """The parts of a condition that all have to hold."""
    if condition is None:
        return []
    if isinstance(condition, exp.And):
        return conjuncts(condition.this) + conjuncts(condition.expression)
    if isinstance(condition, exp.Paren) and isinstance(condition.this, exp.And):
        return conjuncts(condition.this)
    return [condition]


def function_name(node: Expr) -> str:
    """The upper-case name of an element function or predicate; empty for anything else."""
    return str(node.this).upper() if isinstance(node, exp.Anonymous) else ""


# ---------------------------------------------------------------- looking at a match


def by_label(elements: Sequence[Element]) -> list[list[Element]]:
    """Elements grouped by their labels, in order of first appearance."""
    groups: dict[tuple[str, ...], list[Element]] = {}
    for element in elements:
        groups.setdefault(element.labels, []).append(element)
    return list(groups.values())


def used_properties(match: Match) -> dict[Element, list[str]]:
    """The properties that a match reads of each element, in order of first use."""
    found: dict[Element, list[str]] = {}
    for node in [*match.outputs.values(), *match.conditions()]:
        for column in node.find_all(exp.Column):
            ref = match.look_up(column)
            name = column.this.sql(dialect="oracle")
            if isinstance(ref, PropertyRef) and name not in found.setdefault(ref.element, []):
                found[ref.element].append(name)
    return found


def end_labels(edge: Element, match: Match, side: str) -> list[str]:
    """The first labels of the vertex tables at the `source` or `destination` of an edge."""
    ends = [getattr(one, side) for one in edge.tables]
    return first_labels([match.graph.vertices[end.vertex] for end in ends if end is not None])


def first_labels(tables: Sequence[ElementTable]) -> list[str]:
    """The label of each table that was declared first."""
    return [next(iter(one.labels.values())).shown for one in tables if one.labels]


def shared_between_paths(match: Match) -> list[str]:
    """Variables that occur on both sides of a break between paths."""
    found: list[str] = []
    for index in range(1, len(match.hops)):
        if match.hops[index - 1].right is match.hops[index].left:
            continue
        before = {end for hop in match.hops[:index] for end in (hop.left, hop.right)}
        after = [end for hop in match.hops[index:] for end in (hop.left, hop.right)]
        found += [end.variable for end in after if end in before and end.variable and end.variable not in found]
    return found
