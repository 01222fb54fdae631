"""What a query says, apart from any wording: elements, hops, conditions, outputs, and the blocks around the matches.

May be imported by the modules of this package; imports the tree and binder of `verify.graph_sql` and sqlglot, so it is
itself imported only when the first query is read.
Design reason: everything that is hard about a query is decided here once, so that the wording modules of each language
only choose words and cannot disagree about what a query means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sqlglot import exp

from verify.graph_sql.bind import Bound, Variable, bind_query, label_names
from verify.graph_sql.catalog import Catalog, ElementTable, Graph
from verify.graph_sql.parse import parse_query
from verify.graph_sql.tree import Direction, Edge, Expr, GraphTable, ParenPath, Query, Rows, Term, Vertex

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
    once: bool = False
    """Whether a comparison of keys makes every combination appear in one order only."""
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


def read_facts(sql: str, catalog: Catalog) -> Facts:
    """Read a query over a catalog; raises GraphSqlError where it does not parse or bind."""
    query = parse_query(sql)
    bounds = bind_query(query, catalog)
    matches = {bound.table.placeholder: _match(bound) for bound in bounds}
    return Facts(query, catalog, _BlockReader(matches, catalog).read(query.outer, None, {}))


# ---------------------------------------------------------------- one match


def _match(bound: Bound) -> Match:
    match = Match(bound.table, bound.graph, paths=len(bound.table.paths), rows=bound.table.rows)
    reader = _PathReader(bound, match)
    for path in bound.table.paths:
        match.hops += reader.read(path.terms, group=False)
    for hop in match.hops:
        _prune(hop)
    _iterators(bound, match)
    for condition in conjuncts(bound.table.where):
        _place_condition(condition, match)
    for column in bound.columns:
        match.outputs[fold(column.name.text)] = column.expression
        match.names[fold(column.name.text)] = column.name.text
    return match


def _prune(hop: Hop) -> None:
    """Leave an edge without a label only the tables whose ends fit the vertices beside it."""
    edge, ends = hop.edge, ({one.name for one in hop.source.tables}, {one.name for one in hop.target.tables})
    if edge.stated or hop.stretch:
        return

    def fits(table: ElementTable) -> bool:
        if table.source is None or table.destination is None:
            return False
        pair = (table.source.vertex, table.destination.vertex)
        forward = pair[0] in ends[0] and pair[1] in ends[1]
        return forward or (hop.direction == "any" and pair[1] in ends[0] and pair[0] in ends[1])

    edge.tables = tuple(table for table in edge.tables if fits(table))
    edge.labels = tuple(dict.fromkeys(next(iter(one.labels.values())).shown for one in edge.tables if one.labels))


def _iterators(bound: Bound, match: Match) -> None:
    rows = bound.table.rows
    if rows is None or not rows.iterators:
        return
    parts: tuple[Part, ...] = ("vertex",) if rows.kind == "vertex" else ("start", "step", "end")
    for name, part in zip(rows.iterators, parts, strict=True):
        kind: Kind = "edge" if part == "step" else "vertex"
        match.elements[fold(name.text)] = Element(kind, name.text, (), stated=False, part=part)


def _place_condition(condition: Expr, match: Match) -> None:
    elements = elements_of(condition, match)
    if len(elements) == 1 and not elements[0].group and not isinstance(condition, exp.Anonymous):
        elements[0].after.append(condition)
    elif _breaks_symmetry(condition, match):
        match.once = True
    else:
        match.cross.append(condition)


def elements_of(condition: Expr, scope: Scope) -> list[Element]:
    """The different elements that a condition mentions, in order."""
    found: list[Element] = []
    for column in condition.find_all(exp.Column):
        element = scope.element(column.table or column.name)
        if element is not None and element not in found:
            found.append(element)
    return found


def _breaks_symmetry(condition: Expr, match: Match) -> bool:
    """Whether it compares the single-column keys of two elements of the same kind and label."""
    if not isinstance(condition, exp.LT | exp.GT):
        return False
    sides = [condition.this, condition.expression]
    if not all(isinstance(side, exp.Column) for side in sides) or fold(sides[0].name) != fold(sides[1].name):
        return False
    refs = [match.look_up(side) for side in sides]
    if not all(isinstance(ref, PropertyRef) for ref in refs):
        return False
    first, second = (ref.element for ref in refs if isinstance(ref, PropertyRef))
    same = first.labels == second.labels and first is not second
    return same and all(_is_key(sides[0].name, table) for table in first.tables)


def _is_key(name: str, table: ElementTable) -> bool:
    found = table.properties.get(fold(name))
    return found is not None and table.key == (found.column,)


class _PathReader:
    def __init__(self, bound: Bound, match: Match) -> None:
        self.bound, self.match = bound, match

    def read(self, terms: Sequence[Term], *, group: bool) -> list[Hop]:
        """The hops of a path; a vertex that stands alone becomes an element without a hop."""
        hops: list[Hop] = []
        left: Element | None = None
        pending: Edge | ParenPath | None = None
        for term in terms:
            if isinstance(term, Vertex):
                vertex = self._element(term, "vertex", group=group)
                if pending is not None and left is not None:
                    hops.append(self._hop(pending, left, vertex, group=group))
                left, pending = vertex, None
                continue
            if pending is not None and left is not None:
                between = self._open_vertex(group=group)
                hops.append(self._hop(pending, left, between, group=group))
                left = between
            left, pending = left or self._open_vertex(group=group), term
        if pending is not None and left is not None:
            hops.append(self._hop(pending, left, self._open_vertex(group=group), group=group))
        return hops

    def _hop(self, term: Edge | ParenPath, left: Element, right: Element, *, group: bool) -> Hop:
        many = term.quantifier is not None and not term.quantifier.question
        bounds = (term.quantifier.min, term.quantifier.max) if term.quantifier is not None else None
        if isinstance(term, Edge):
            return Hop(self._element(term, "edge", group=group or many), left, right, term.direction, bounds)
        inner = self.read(term.terms, group=True)
        plain = len(inner) == 1 and not any(end.inline for end in (inner[0].left, inner[0].right))
        where = conjuncts(term.where)
        if not plain:
            return Hop(inner[0].edge, left, right, inner[0].direction, bounds, tuple(inner), tuple(where))
        edge = inner[0].edge
        rest = [one for one in where if elements_of(one, self.match) != [edge]]
        edge.inline += [one for one in where if one not in rest]
        return Hop(edge, left, right, inner[0].direction, bounds, (), tuple(rest))

    def _open_vertex(self, *, group: bool) -> Element:
        return self._element(Vertex(), "vertex", group=group)

    def _element(self, term: Vertex | Edge, kind: Kind, *, group: bool) -> Element:
        written = [name.text for name in label_names(term.label)] if term.label is not None else []
        name = term.variable.text if term.variable is not None else ""
        key = fold(name) if name else f" {len(self.match.elements)}"
        known = self.match.elements.get(key)
        if known is None:
            known = Element(kind, name, tuple(written), bool(written), group=group)
            self.match.elements[key] = known
            self._fit(known, kind)
        elif written and not known.stated:
            known.labels, known.stated = tuple(written), True
        known.inline += conjuncts(term.where)
        return known

    def _fit(self, element: Element, kind: Kind) -> None:
        variable: Variable | None = self.bound.variables.get(fold(element.variable)) if element.variable else None
        everything = self.bound.graph.elements(kind).values()
        wanted = {fold(label) for label in element.labels}
        fitting = [table for table in everything if not wanted or wanted & {fold(label) for label in table.labels}]
        element.tables = tuple(variable.tables if variable is not None else fitting)
        if not element.labels:
            firsts = [next(iter(table.labels.values())).shown for table in element.tables if table.labels]
            element.labels = tuple(dict.fromkeys(firsts))


# ---------------------------------------------------------------- the query around the matches


class _BlockReader:
    def __init__(self, matches: Mapping[str, Match], catalog: Catalog) -> None:
        self.matches, self.catalog = matches, catalog

    def read(self, node: Expr, parent: Scope | None, named: Mapping[str, Block]) -> Block:
        """A block for a SELECT, a set operation or a subquery around either."""
        if isinstance(node, exp.Subquery):
            return self.read(node.this, parent, named)
        block = Block(parent=parent)
        known = dict(named)
        with_ = node.args.get("with_") or node.args.get("with")
        for cte in with_.expressions if with_ is not None else []:
            block.named[cte.alias] = known[fold(cte.alias)] = self.read(cte.this, parent, known)
        if isinstance(node, exp.SetOperation):
            block.operation = self._operation(node)
            block.operands = tuple(self.read(side, parent, known) for side in (node.this, node.expression))
            block.items = block.operands[0].items
        elif isinstance(node, exp.Select):
            self._select(node, block, known)
        else:
            block.foreign.append(node.sql(dialect="oracle"))
        self._tail(node, block)
        self._subqueries(block, known)
        return block

    def _operation(self, node: exp.SetOperation) -> str:
        name = type(node).__name__.upper()
        return name if node.args.get("distinct", True) else f"{name} ALL"

    def _select(self, node: exp.Select, block: Block, named: Mapping[str, Block]) -> None:
        from_ = node.args.get("from_") or node.args.get("from")
        if from_ is not None:
            block.sources.append(self._source(from_.this, block, named))
        for join in node.args.get("joins") or []:
            source = self._source(join.this, block, named)
            source.join = self._join_kind(join)
            source.on = conjuncts(join.args.get("on"))
            block.sources.append(source)
        block.where = conjuncts(node.args["where"].this) if node.args.get("where") else []
        block.having = conjuncts(node.args["having"].this) if node.args.get("having") else []
        block.group = list(node.args["group"].expressions) if node.args.get("group") else []
        block.distinct = node.args.get("distinct") is not None
        block.items = list(self._items(node, block))
        for clause in ("qualify", "connect", "laterals", "pivots", "windows"):
            if node.args.get(clause):
                block.foreign.append(clause.upper())

    def _join_kind(self, join: exp.Join) -> Literal["inner", "left", "right", "full", "cross"]:
        side = (join.side or "").lower()
        if side in ("left", "right", "full"):
            return side  # type: ignore[return-value]
        return "inner" if join.args.get("on") is not None else "cross"

    def _items(self, node: exp.Select, block: Block) -> Iterator[tuple[str, Expr]]:
        for item in node.expressions:
            if isinstance(item, exp.Star):
                for source in block.sources:
                    for shown in source.columns.values():
                        yield shown, exp.column(shown, table=source.name or None)
            elif isinstance(item, exp.Alias):
                yield item.alias, item.this
            else:
                yield item.name if isinstance(item, exp.Column) else "", item

    def _source(self, node: Expr, block: Block, named: Mapping[str, Block]) -> Source:
        if isinstance(node, exp.Subquery):
            inner = self.read(node.this, block.parent, named)
            columns = {fold(name): name for name, _ in inner.items if name}
            return Source("derived", node.alias, block=inner, columns=columns)
        match = self.matches.get(node.name)
        if match is not None:
            return Source("match", node.alias, match=match, columns=dict(match.names))
        alias = node.alias or node.name
        if fold(node.name) in named:
            inner = named[fold(node.name)]
            columns = {fold(name): name for name, _ in inner.items if name}
            return Source("named", alias, node.name, block=inner, columns=columns)
        table = self.catalog.tables.get(fold(node.name))
        shown = {fold(column.shown): column.shown for column in table.columns.values()} if table else {}
        row = Element("row", alias, (table.shown if table else node.name,))
        return Source("table", alias, row=row, columns=shown)

    def _tail(self, node: Expr, block: Block) -> None:
        order = node.args.get("order")
        block.order = [(one.this, bool(one.args.get("desc"))) for one in order.expressions] if order else []
        fetch = node.args.get("limit")
        if fetch is None:
            return
        count = fetch.args.get("count") or fetch.args.get("expression")
        block.fetch = count.sql(dialect="oracle") if count is not None else "1"
        options = fetch.args.get("limit_options")
        block.ties = bool(options is not None and options.args.get("with_ties"))

    def _subqueries(self, block: Block, named: Mapping[str, Block]) -> None:
        for condition in [*block.where, *block.having]:
            for node in condition.find_all(exp.Select, exp.SetOperation):
                if node.find_ancestor(exp.Select, exp.SetOperation) is None or _outermost(node, condition):
                    block.nested[id(node)] = self.read(node, block, named)


def _outermost(node: Expr, condition: Expr) -> bool:
    """Whether no other query lies between a subquery and the condition that holds it."""
    above = node.parent
    while above is not None and above is not condition:
        if isinstance(above, exp.Select | exp.SetOperation):
            return False
        above = above.parent
    return True
