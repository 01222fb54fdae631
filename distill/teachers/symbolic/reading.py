"""Reads a query over a catalog into facts.

May be imported by `teacher`; imports facts, and the parser and binder of `verify.graph_sql`.
Design reason: the house has one parser and one binder, and this is the only place of the teacher that meets them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from sqlglot import exp

from distill.teachers.symbolic.facts import (
    Block,
    Element,
    Facts,
    Hop,
    Kind,
    Match,
    Part,
    PropertyRef,
    Scope,
    Source,
    as_written,
    bare,
    conjuncts,
    fold,
)
from verify.graph_sql.bind import Bound, Variable, bind_query, label_names
from verify.graph_sql.catalog import Catalog, ElementTable
from verify.graph_sql.parse import parse_query
from verify.graph_sql.tree import Edge, Expr, ParenPath, Term, Vertex


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
        match.names[fold(column.name.text)] = as_written(column.name)
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
        match.elements[fold(name.text)] = Element(kind, as_written(name), (), stated=False, part=part)


def _place_condition(condition: Expr, match: Match) -> None:
    elements = elements_of(condition, match)
    if len(elements) == 1 and not elements[0].group and not isinstance(condition, exp.Anonymous):
        elements[0].after.append(condition)
    elif _breaks_symmetry(condition, match):
        match.symmetry.append(condition)
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
        written = [as_written(name) for name in label_names(term.label)] if term.label is not None else []
        name = as_written(term.variable) if term.variable is not None else ""
        key = fold(term.variable.text) if term.variable is not None else f" {len(self.match.elements)}"
        known = self.match.elements.get(key)
        if known is None:
            known = Element(kind, name, tuple(written), bool(written), group=group)
            self.match.elements[key] = known
            self._fit(known, kind)
        elif written and not known.stated:
            known.labels, known.stated = tuple(written), True
        known.inline += conjuncts(term.where)
        return known

    def _variable(self, element: Element) -> Variable | None:
        known = self.bound.variables.values()
        return next(
            (one for one in known if element.variable and fold(one.shown) == fold(bare(element.variable))), None
        )

    def _fit(self, element: Element, kind: Kind) -> None:
        variable = self._variable(element)
        everything = self.bound.graph.elements(kind).values()
        wanted = {fold(bare(label)) for label in element.labels}
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
                        yield shown, exp.column(bare(shown), table=source.name or None)
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
        return Source("table", alias, row.labels[0], row=row, columns=shown)

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
