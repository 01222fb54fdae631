"""Expressions of a pattern as DuckDB expressions: properties become columns, element functions become key comparisons.

May be imported by `lower`; imports sqlglot.
Design reason: an expression is lowered for one assignment of tables, so whether a label or property is there is known
and becomes a constant, and a property that is missing is a NULL of the right type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlglot import exp

from .adapt import adapt
from .bind import OUTSIDE, Bound, Variable
from .bind_expressions import function_name, identifier_name, is_aggregate, reference, variables_of
from .catalog import ElementTable
from .errors import GraphCannotRun
from .expand import Assignment, Slot
from .tree import Expr, Name

Row: TypeAlias = dict[str, "tuple[Slot, int] | None"]


@dataclass(slots=True)
class Scope:
    """What the variables of an expression mean: slots of an assignment, or nothing at all without one."""

    bound: Bound
    types: Mapping[tuple[str, str, str], str]
    assignment: Assignment | None = None
    slots: dict[tuple[str, int], Slot] = field(default_factory=dict)
    """Slot by variable and iteration."""
    scope: int = OUTSIDE
    iteration: int = 0
    walks: Mapping[int, tuple[str, list[Expr]]] = field(default_factory=dict)
    """Alias of the rows of each walk, and the values of its steps that they carry, by scope."""
    lengths: Mapping[str, str] = field(default_factory=dict)
    """The number of edges of each path, by path variable."""
    row: Row = field(default_factory=dict)
    """Slot and element number of each iterator, None where it is unbound."""

    def inside(self, scope: int, iteration: int) -> "Scope":
        """The same assignment, seen from one iteration of a quantifier."""
        return replace(self, scope=scope, iteration=iteration)

    def at_row(self, row: Row) -> "Scope":
        """The same assignment, at one row that ONE ROW PER makes of a match."""
        return replace(self, row=row)

    def variable(self, name: Name) -> Variable:
        """A variable by name; binding has made sure that it is there."""
        return self.bound.variables[self.bound.fold(name)]

    def slot(self, variable: Variable) -> Slot | None:
        """The element that a variable is here, None for an unbound iterator or without an assignment."""
        if variable.iterator:
            found = self.row.get(variable.name)
            return found[0].root() if found else None
        iteration = self.iteration if variable.group and variable.scope == self.scope else 0
        return self.slots.get((variable.name, iteration))

    def table(self, slot: Slot) -> ElementTable:
        """The element table assigned to a slot."""
        assert self.assignment is not None
        return self.assignment.tables[slot.root().index]

    def count(self, scope: int) -> int:
        """How many iterations an unrolled quantifier has here."""
        return self.assignment.branch.counts[scope] if self.assignment is not None else 0

    def counted(self, scope: int) -> str:
        """How many iterations a quantifier has, as SQL."""
        return f"{self.walks[scope][0]}.n" if scope in self.walks else str(self.count(scope))


def render(node: Expr) -> str:
    """A lowered expression as text for DuckDB."""
    return node.sql(dialect="duckdb")


def raw(text: str) -> exp.Var:
    """SQL text as a node, to be put into an expression as it is."""
    return exp.Var(this=text)


def lower_expression(node: Expr, scope: Scope) -> Expr:
    """A new expression over the tables of the scope's assignment; the given one is left as it is."""
    bound = scope.bound
    adapted = bound.adapted.get(id(node))
    if adapted is None:
        adapted = bound.adapted[id(node)] = (node, adapt(node.copy(), bound.dialect))
    return _lower(adapted[1].copy(), scope)


def _lower(node: Expr, scope: Scope) -> Expr:
    if function_name(node):
        return _function(node, scope)
    if isinstance(node, exp.Column):
        return _property(node, scope)
    if is_aggregate(node):
        return raw(_aggregate(node, scope))
    for child in list(node.iter_expressions()):
        lowered = _lower(child, scope)
        if lowered is not child:
            child.replace(lowered)
    return node


def quote(name: str) -> str:
    """A name as a DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def alias_of(slot: Slot) -> str:
    """The table alias of a slot: generated, since variables may differ in case only."""
    root = slot.root()
    return f"{root.kind[0]}{root.index}"


# ---------------------------------------------------------------- properties


def _property(node: exp.Column, scope: Scope) -> Expr:
    owner = identifier_name(node.args["table"])
    if scope.bound.fold(owner) not in scope.bound.variables:
        return raw(f"{quote(owner.text)}.{quote(node.name)}")  # a column of the outer query
    variable = scope.variable(owner)
    name = scope.bound.fold(identifier_name(node.this))
    slot = scope.slot(variable)
    if slot is None:
        return null_of(variable.kind, name, scope)
    known = scope.table(slot).properties.get(name)
    if known is None:
        return null_of(variable.kind, name, scope)
    alias = alias_of(slot)
    if known.column is not None:
        return raw(f"{alias}.{quote(known.column)}")
    expression = known.expression.copy()
    for column in expression.find_all(exp.Column):
        column.set("table", exp.Identifier(this=alias, quoted=False))
    return exp.Paren(this=expression)


def null_of(kind: str, name: str, scope: Scope) -> Expr:
    """A NULL of a property's type: in a UNION ALL an untyped one would take a type of its own."""
    found = scope.types.get((scope.bound.graph.name, kind, name), "VARCHAR")
    return raw(f"CAST(NULL AS {found})")


# ---------------------------------------------------------------- element functions


def _function(node: Expr, scope: Scope) -> Expr:
    name = function_name(node)
    if name == "MATCHNUM":
        return raw(_match_number(scope))
    variables = [scope.variable(reference(one)) for one in node.expressions[:2] if _is_variable(one, scope)]
    if name == "BINDING_COUNT":
        one = variables[0]
        return raw(scope.counted(one.scope) if one.group and one.scope != scope.scope else "1")
    if name == "PATH_LENGTH":
        path = scope.bound.fold(reference(node.expressions[0]))
        return raw(scope.lengths.get(path, "CAST(NULL AS BIGINT)"))
    if name == "ELEMENT_NUMBER":
        found = scope.row.get(variables[0].name)
        return raw(str(found[1]) if found else "CAST(NULL AS BIGINT)")
    slots = [scope.slot(one) for one in variables]
    if any(slot is None for slot in slots):
        return raw("CAST(NULL AS JSON)" if name.endswith("_ID") else "CAST(NULL AS BOOLEAN)")
    return raw(_on_slots(name, node, [slot for slot in slots if slot is not None], scope))


def _is_variable(node: Expr, scope: Scope) -> bool:
    target = reference(node)
    return bool(target.text) and scope.bound.fold(target) in scope.bound.variables


def _on_slots(name: str, node: Expr, slots: list[Slot], scope: Scope) -> str:
    tables = [scope.table(slot) for slot in slots]
    if name.endswith("_ID"):
        return _element_id(slots[0], tables[0], scope)
    if name.endswith("_EQUAL"):
        return _same_element(slots[0], slots[1], tables[0], tables[1])
    if name.endswith(" OF"):
        return _negate(_is_end(name, slots, tables), "NOT" in name)
    if name.endswith("LABELED"):
        labels = {scope.bound.fold(reference(one)) for one in node.expressions[1:]}
        return _negate("TRUE" if labels & tables[0].labels.keys() else "FALSE", "NOT" in name)
    return "TRUE" if scope.bound.fold(reference(node.expressions[1])) in tables[0].properties else "FALSE"


def _negate(condition: str, negated: bool) -> str:
    return f"(NOT {condition})" if negated else condition


def _element_id(slot: Slot, table: ElementTable, scope: Scope) -> str:
    """Oracle's JSON of an element; good for comparing, since owners are not known here."""
    alias = alias_of(slot)
    keys = ", ".join(f"{text_literal(column)}, {alias}.{quote(column)}" for column in table.key)
    graph, name = text_literal(scope.bound.graph.name), text_literal(table.name)
    return f"json_object('GRAPH_NAME', {graph}, 'ELEM_TABLE', {name}, 'KEY_VALUE', json_object({keys}))"


def text_literal(value: str) -> str:
    """A text as a DuckDB constant."""
    return "'" + value.replace("'", "''") + "'"


def _same_element(one: Slot, other: Slot, table: ElementTable, other_table: ElementTable) -> str:
    if table is not other_table:
        return "FALSE"
    if one.root() is other.root():
        return "TRUE"
    same = [f"{alias_of(one)}.{quote(column)} = {alias_of(other)}.{quote(column)}" for column in table.key]
    return f"({' AND '.join(same)})"


def _is_end(name: str, slots: list[Slot], tables: list[ElementTable]) -> str:
    vertex, edge = slots
    end = tables[1].source if "SOURCE" in name else tables[1].destination
    assert end is not None
    if end.vertex != tables[0].name:
        return "FALSE"
    pairs = zip(end.key, end.columns, strict=True)
    same = [f"{alias_of(edge)}.{quote(own)} = {alias_of(vertex)}.{quote(column)}" for own, column in pairs]
    return f"({' AND '.join(same)})"


def _match_number(scope: Scope) -> str:
    """A number that is equal on the rows of one match only: the rank of its keys, apart for each assignment."""
    if scope.assignment is None:
        return "CAST(NULL AS BIGINT)"
    keys = [
        f"{alias_of(slot)}.{quote(column)}"
        for slot in scope.assignment.branch.roots()
        for column in scope.table(slot).key
    ] + [f"{alias}.es" for alias, _ in scope.walks.values()]
    return f"(dense_rank() OVER (ORDER BY {', '.join(keys)}) * 10000 + {scope.assignment.number})"


# ---------------------------------------------------------------- aggregates over group variables


_ON_LISTS: dict[type[Expr], str] = {exp.Sum: "list_sum", exp.Avg: "list_avg", exp.Min: "list_min", exp.Max: "list_max"}


def _aggregate(node: Expr, scope: Scope) -> str:
    """An aggregate over the iterations of a quantifier: over a list where that is enough, else over a table."""
    leaves = _leaves(node)
    groups = map(lambda leaf: _group_scope(leaf, scope.bound, scope.scope), leaves)
    quantifier = next(one for one in groups if one is not None)
    if quantifier in scope.walks:
        return _over_walk(node, leaves, scope, scope.walks[quantifier])
    inner = [scope.inside(quantifier, iteration) for iteration in range(scope.count(quantifier))]
    blank = replace(scope, slots={}, row={})
    if type(node) in (*_ON_LISTS, exp.Count) and not node.args.get("distinct"):
        return _over_list(node, inner, blank)
    if isinstance(node, exp.GroupConcat) and inner and _is_plain_listagg(node):
        return _listagg_over_list(node, inner)
    return _over_table(node, leaves, inner, blank)


def _is_plain_listagg(node: exp.GroupConcat) -> bool:
    separator = node.args.get("separator")
    return not isinstance(node.this, exp.Order | exp.Distinct) and isinstance(separator, exp.Literal | None)


def _listagg_over_list(node: exp.GroupConcat, inner: list[Scope]) -> str:
    """In path order, which is the order of the list."""
    separator = node.args.get("separator")
    values = ", ".join(_as_text(render(_lower(node.this.copy(), one)), one.bound) for one in inner)
    return (
        f"list_aggregate([{values}], 'string_agg', {render(separator) if separator is not None else text_literal('')})"
    )


def _as_text(value: str, bound: Bound) -> str:
    return f"oracle_text({value})" if bound.dialect.reader == "oracle" else f"CAST({value} AS VARCHAR)"


def _over_list(node: Expr, inner: list[Scope], blank: Scope) -> str:
    """Planning a subquery costs DuckDB a millisecond, a list costs nothing; both leave NULLs out."""
    argument = node.this
    distinct = isinstance(argument, exp.Distinct)
    if distinct:
        argument = argument.expressions[0]
    values = ", ".join(render(_lower(argument.copy(), one)) for one in inner or [blank])
    listed = f"list_distinct([{values}])" if distinct else f"[{values}]"
    if isinstance(node, exp.Count):
        return f"CAST(list_count({listed}) AS BIGINT)" if inner else "CAST(0 AS BIGINT)"
    text = f"{_ON_LISTS[type(node)]}({listed})"
    return text if inner else f"CASE WHEN FALSE THEN {text} END"


def _over_table(node: Expr, leaves: list[Expr], inner: list[Scope], blank: Scope) -> str:
    """The aggregate over a table of values with one row for each iteration, in path order."""
    rows = [
        [str(at), *(render(_lower(leaf.copy(), one)) for leaf in leaves)] for at, one in enumerate(inner or [blank])
    ]
    for at, leaf in enumerate(leaves):
        node = _replace_leaf(node, leaf, raw(f"g.c{at}"))
    names = ", ".join(["i", *(f"c{at}" for at in range(len(leaves)))])
    values = ", ".join(f"({', '.join(row)})" for row in rows)
    text = _call(node, blank.bound)
    return f"(SELECT {text} FROM (VALUES {values}) AS g({names}){'' if inner else ' WHERE FALSE'})"


def _over_walk(node: Expr, leaves: list[Expr], scope: Scope, walk: tuple[str, list[Expr]]) -> str:
    """The aggregate over the steps of a walk, in path order; what is outside the walk is the same at every step."""
    alias, carried = walk
    for leaf in leaves:
        inside = leaf in carried
        by = raw(f"g.s.c{carried.index(leaf)}") if inside else raw(render(_lower(leaf.copy(), scope)))
        node = _replace_leaf(node, leaf, by)
    rows = f"SELECT generate_subscripts({alias}.gs, 1) AS i, unnest({alias}.gs) AS s"
    return f"(SELECT {_call(node, scope.bound)} FROM ({rows}) AS g)"


def group_leaves(node: Expr, bound: Bound, scope: int) -> list[Expr]:
    """The values in an aggregate that belong to the iterations of one quantifier."""
    return [leaf for leaf in _leaves(node) if _group_scope(leaf, bound, OUTSIDE) == scope]


def is_mixed(leaf: Expr, bound: Bound) -> bool:
    """Whether one value is made of elements inside and outside a quantifier."""
    return len({one.scope for one in variables_of(leaf, bound)}) > 1


def _leaves(node: Expr) -> list[Expr]:
    """The distinct properties and element functions in an aggregate, outermost only."""
    if function_name(node) or isinstance(node, exp.Column):
        return [node.copy()]
    found: list[Expr] = []
    for child in node.iter_expressions():
        found += [leaf for leaf in _leaves(child) if leaf not in found]
    return found


def _group_scope(leaf: Expr, bound: Bound, seen_from: int) -> int | None:
    groups = (one for one in variables_of(leaf, bound) if one.group and one.scope != seen_from)
    return next((one.scope for one in groups), None)


def _replace_leaf(node: Expr, leaf: Expr, by: Expr) -> Expr:
    if node == leaf:
        return by.copy()
    for child in list(node.iter_expressions()):
        lowered = _replace_leaf(child, leaf, by)
        if lowered is not child:
            child.replace(lowered)
    return node


def _call(node: Expr, bound: Bound) -> str:
    """The aggregate's call; those whose result depends on order get the order of the path."""
    if isinstance(node, exp.Filter):
        return f"{_call(node.this, bound)} FILTER ({render(node.expression)})"
    if isinstance(node, exp.GroupConcat):
        return _listagg(node, bound)
    if isinstance(node, exp.JSONArrayAgg):
        order = node.args.get("order")
        by = render(order) if order is not None else "ORDER BY g.i"
        value = render(node.this)
        kept = "" if "NULL ON NULL" in str(node.args.get("null_handling") or "") else f" FILTER ({value} IS NOT NULL)"
        return f"to_json(list({value} {by}){kept})"
    if isinstance(node, exp.JSONObjectAgg):
        raise GraphCannotRun("JSON_OBJECTAGG is not executed here")
    return render(node)


def _listagg(node: exp.GroupConcat, bound: Bound) -> str:
    value, order = node.this, "g.i"
    if isinstance(value, exp.Order):
        order = ", ".join(render(one) for one in value.expressions)
        value = value.this
    distinct = isinstance(value, exp.Distinct)
    if distinct:
        value = value.expressions[0]
    text = _as_text(render(value), bound)
    separator = node.args.get("separator")
    between = render(separator) if separator is not None else "''"
    # without an order of its own, DISTINCT sorts
    by = text if distinct else order
    return f"string_agg({'DISTINCT ' if distinct else ''}{text}, {between} ORDER BY {by})"
