"""The plain SQL that a GRAPH_TABLE means, in DuckDB's dialect: one flat SELECT per assignment, joined by UNION ALL.

May be imported by `database`; imports sqlglot.
Design reason: keys keep their types and properties their columns, nothing is cast to text and nothing made distinct,
so the bag of rows is the bag of matches. Expressions are lowered in `lower_expressions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .bind import OUTSIDE, Bound
from .bind_expressions import conditions
from .catalog import ElementTable, End
from .errors import GraphCannotRun
from .expand import Assignment, Slot, TooWide, Use, assignments, beginnings, iterations, quantifiers
from .lower_expressions import Scope, alias_of, lower_expression, quote, render
from .lower_walks import (
    Plan,
    chosen,
    edges_of,
    element_key,
    leaves_of,
    no_repeats,
    path_length,
    queries_of,
    start_of,
    vertices_of,
    why_no_walk,
)
from .search import Search, search_of
from .tree import Expr, Name

Types = Mapping[tuple[str, str, str], str]
"""DuckDB type by (graph, kind, property), all folded."""

MAX_UNROLLED = 8
"""Longest quantifier that is unrolled where it could as well be a recursive query."""
_NO_VALUE = "'c0': 0"
MAX_SQL = 120_000
"""Longest SQL of one GRAPH_TABLE in characters: planning grows faster than its length, this takes a few seconds."""
MAX_WALKED_SQL = 40_000
"""The same for a GRAPH_TABLE with recursive queries, which every flat join around them reads again."""


def lower_table(bound: Bound, types: Types) -> str:
    """The SELECT that has the rows and columns of a bound GRAPH_TABLE; raises GraphCannotRun."""
    found = quantifiers(bound)
    endless = frozenset(scope for scope, one in found.items() if one.max is None)
    every = frozenset(scope for scope in found if scope > OUTSIDE)
    long = frozenset(scope for scope in every if scope in endless or (found[scope].max or 0) > MAX_UNROLLED)
    if endless and (reason := why_no_walk(bound, endless)):
        raise GraphCannotRun(reason)
    try:
        return lower_walked(bound, types, endless if why_no_walk(bound, long) else long)
    except TooWide:
        if why_no_walk(bound, every):
            raise
        return lower_walked(bound, types, every)


def lower_walked(bound: Bound, types: Types, walked: frozenset[int]) -> str:
    """The SELECT of a GRAPH_TABLE with the quantifiers of these scopes as recursive queries, the others unrolled."""
    plans: dict[int, Plan] = {}
    search = search_of(bound.table.paths[0].prefix)
    selects: list[str] = []
    length = 0
    for one in assignments(bound, walked):
        for scope, walk in one.branch.walks.items():
            if scope not in plans:
                plans[scope] = Plan(walk, leaves_of(bound, scope))
        selects += (made := _Flat(one, types, plans).selects(search))
        length += sum(map(len, made))
        if length > (MAX_WALKED_SQL if plans else MAX_SQL):
            raise TooWide("the pattern means too many joins", hint="name labels, lower the quantifiers' bounds")
    if not selects:
        return lower_empty(bound, types)
    body = " UNION ALL ".join(selects)
    if search.selective:
        body = chosen(body, search, ", ".join(_alias(one.name) for one in bound.columns))
    queries = [query for plan in plans.values() for query in _walk_queries(plan, bound, types)]
    return f"WITH RECURSIVE {', '.join(queries)} {body}" if queries else body


def _walk_queries(plan: Plan, bound: Bound, types: Types) -> list[str]:
    walk = plan.walk
    steps = [_Flat(one, types, {}).step(plan) for one in iterations(bound, walk)]
    nothing = ", ".join(
        f"'c{at}': {render(lower_expression(leaf, Scope(bound, types)))}" for at, leaf in enumerate(plan.leaves)
    )
    typed = f"{{{nothing or _NO_VALUE}}} AS g"
    steps.append(
        f"SELECT '' AS sid, '' AS tid, CAST([] AS VARCHAR[]) AS es, CAST([] AS VARCHAR[]) AS vs, {typed} WHERE FALSE"
    )
    starts = [_Flat(one, types, {}).start() for one in beginnings(bound, start_of(walk))]
    starts.append("SELECT '' AS sid WHERE FALSE")
    return queries_of(plan, " UNION ALL ".join(starts), " UNION ALL ".join(steps), walk.path)


def lower_empty(bound: Bound, types: Types) -> str:
    """The right columns with the right types and no row: for a pattern that fits nothing, and to check the rest."""
    scope = Scope(bound, types)
    tests = [render(lower_expression(one.expression, scope)) for one in conditions(bound)]
    columns = [f"{render(lower_expression(one.expression, scope))} AS {_alias(one.name)}" for one in bound.columns]
    return f"SELECT {', '.join(columns)} WHERE {' AND '.join(['FALSE', *(f'({one})' for one in tests)])}"


def _alias(name: Name) -> str:
    return quote(name.text)


@dataclass(frozen=True, slots=True)
class _Flat:
    """One assignment as SQL."""

    assignment: Assignment
    types: Types
    plans: dict[int, Plan]

    def selects(self, search: Search) -> list[str]:
        """One SELECT, or one for every row that ONE ROW PER makes of a match."""
        scope = self._scope()
        if not search.selective:
            tail = self._tail([*self._conditions(scope), *self._modes()])
            return [f"SELECT {self._columns(one)}{tail}" for one in self._positions(scope)]
        table = self.assignment.branch.bound.table
        kept = render(lower_expression(table.where, scope)) if table.where is not None else "TRUE"
        tail = self._tail([*self._conditions(scope, but=table.where), *self._modes()])
        chain = self.assignment.branch.chains[0]
        ends = [vertex for vertex in (chain[0], chain[-1]) if isinstance(vertex, Slot)]
        keys = [element_key(vertex, self._table(vertex)) for vertex in ends]
        search_columns = (
            f"{keys[0]} AS path__from, {keys[1]} AS path__to, ({kept}) AS path__kept, "
            f"{path_length(chain, self.plans)} AS path__length, "
            f"{edges_of(self.assignment, chain, self.plans)} AS path__edges"
        )
        return [f"SELECT {self._columns(one)}, {search_columns}{tail}" for one in self._positions(scope)]

    def step(self, plan: Plan) -> str:
        """The SELECT of single iterations of a walk: ends, edges, vertices behind the first, values for aggregates."""
        scope = self._scope().inside(plan.walk.scope, 0)
        chain = self.assignment.branch.chains[0]
        slots = [one for one in chain if isinstance(one, Slot)]
        keys = [element_key(one, self._table(one)) for one in slots]
        values = ", ".join(f"'c{at}': {render(lower_expression(leaf, scope))}" for at, leaf in enumerate(plan.leaves))
        edges, vertices = ", ".join(keys[1::2]), ", ".join(keys[2::2])
        columns = f"{keys[0]} AS sid, {keys[-1]} AS tid, [{edges}] AS es, [{vertices}] AS vs"
        return f"SELECT {columns}, {{{values or _NO_VALUE}}} AS g{self._tail(self._conditions(scope))}"

    def start(self) -> str:
        """The SELECT of the vertices where a walk can begin."""
        (slot,) = self.assignment.branch.slots
        return f"SELECT {element_key(slot, self._table(slot))} AS sid{self._tail(self._conditions(self._scope()))}"

    def _tail(self, conditions: list[str]) -> str:
        where = [*self._joins(), *conditions]
        return f" FROM {self._from()}" + (f" WHERE {' AND '.join(where)}" if where else "")

    def _modes(self) -> list[str]:
        """What the modes of the paths forbid to repeat."""
        branch = self.assignment.branch
        tests: list[str] = []
        for path, chain in zip(branch.bound.table.paths, branch.chains, strict=True):
            if (mode := search_of(path.prefix).mode) != "WALK":
                edges = edges_of(self.assignment, chain, self.plans)
                tests += no_repeats(mode, edges, vertices_of(self.assignment, chain, self.plans))
        return tests

    def _scope(self) -> Scope:
        branch = self.assignment.branch
        paths = zip(branch.bound.table.paths, branch.chains, strict=False)
        lengths = {
            branch.bound.fold(path.variable): path_length(chain, self.plans) for path, chain in paths if path.variable
        }
        walks = {scope: (plan.alias, plan.leaves) for scope, plan in self.plans.items()}
        scope = Scope(branch.bound, self.types, assignment=self.assignment, walks=walks, lengths=lengths)
        for (name, iteration), slot in branch.named.items():
            scope.slots[name, iteration] = slot.root()
        return scope

    def _positions(self, scope: Scope) -> list[Scope]:
        bound = self.assignment.branch.bound
        rows = bound.table.rows
        if rows is None or not rows.iterators:
            return [scope]
        chain = [one for one in self.assignment.branch.chains[self._path_index()] if isinstance(one, Slot)]
        names = [bound.fold(name) for name in rows.iterators]
        if rows.kind == "vertex":
            return [scope.at_row({names[0]: (chain[at], at + 1)}) for at in range(0, len(chain), 2)]
        if len(chain) == 1:
            return [scope.at_row({names[0]: (chain[0], 1), names[1]: None, names[2]: None})]
        return [
            scope.at_row({name: (chain[at + step], at + step + 1) for step, name in enumerate(names)})
            for at in range(0, len(chain) - 2, 2)
        ]

    def _path_index(self) -> int:
        bound = self.assignment.branch.bound
        assert bound.table.rows is not None
        wanted = bound.table.rows.path
        if wanted is None:
            return 0
        names = [bound.fold(path.variable) if path.variable else "" for path in bound.table.paths]
        return names.index(bound.fold(wanted))

    def _columns(self, scope: Scope) -> str:
        columns = self.assignment.branch.bound.columns
        return ", ".join(f"{render(lower_expression(one.expression, scope))} AS {_alias(one.name)}" for one in columns)

    def _conditions(self, scope: Scope, *, but: Expr | None = None) -> list[str]:
        return [
            f"({render(lower_expression(one.expression, scope.inside(one.scope, one.iteration)))})"
            for one in self.assignment.branch.conditions
            if but is None or one.expression is not but
        ]

    # ---------------------------------------------------------------- tables and joins

    def _from(self) -> str:
        doubled = {
            use.edge.index
            for use, orientation in zip(self.assignment.branch.uses, self.assignment.orientations, strict=True)
            if orientation == "both"
        }
        walks = [f"{plan.name} AS {plan.alias}" for plan in self.plans.values()]
        tables = [
            f"{_both_ways(self._table(slot)) if slot.index in doubled else quote(self._table(slot).table)} "
            f"AS {alias_of(slot)}"
            for slot in self.assignment.branch.roots()
        ]
        return ", ".join([*tables, *walks])

    def _table(self, slot: Slot) -> ElementTable:
        return self.assignment.tables[slot.root().index]

    def _joins(self) -> list[str]:
        joins: list[str] = []
        for use, orientation in zip(self.assignment.branch.uses, self.assignment.orientations, strict=True):
            table = self._table(use.edge)
            assert table.source is not None and table.destination is not None
            if orientation == "both":
                joins += _equal_columns(use, use.left, "l", table.source)
                joins += _equal_columns(use, use.right, "r", table.destination)
                continue
            left, right = (table.source, table.destination)
            if orientation == "left":
                left, right = right, left
            joins += _equal_keys(use, use.left, left) + _equal_keys(use, use.right, right)
            if use.direction == "any" and orientation == "left":
                joins += self._not_a_loop(use)
        return joins + [test for plan in self.plans.values() for test in self._walk_ends(plan)]

    def _walk_ends(self, plan: Plan) -> list[str]:
        walk = self.assignment.branch.walks[plan.walk.scope]
        left, right = (element_key(slot, self._table(slot)) for slot in (walk.left, walk.right))
        return [f"{plan.alias}.sid = {left}", f"{plan.alias}.tid = {right}", f"{plan.alias}.n >= {walk.quantifier.min}"]

    def _not_a_loop(self, use: Use) -> list[str]:
        """A self-loop fits both orientations and is one match: the second orientation leaves it out."""
        left, right = self._table(use.left), self._table(use.right)
        if left is not right:
            return []
        same = " AND ".join(
            f"{alias_of(use.left)}.{quote(column)} = {alias_of(use.right)}.{quote(column)}" for column in left.key
        )
        return [f"NOT ({same})"]


def _equal_keys(use: Use, vertex: Slot, end: End) -> list[str]:
    return [
        f"{alias_of(use.edge)}.{quote(own)} = {alias_of(vertex)}.{quote(column)}"
        for own, column in zip(end.key, end.columns, strict=True)
    ]


def _equal_columns(use: Use, vertex: Slot, side: str, end: End) -> list[str]:
    return [
        f"{alias_of(use.edge)}.{side}__{at} = {alias_of(vertex)}.{quote(column)}"
        for at, column in enumerate(end.columns)
    ]


def _both_ways(table: ElementTable) -> str:
    """An edge table with every edge in both orientations, a self-loop once."""
    assert table.source is not None and table.destination is not None
    source, destination = table.source.key, table.destination.key
    forward = ", ".join(
        [f"{quote(column)} AS l__{at}" for at, column in enumerate(source)]
        + [f"{quote(column)} AS r__{at}" for at, column in enumerate(destination)]
    )
    backward = ", ".join(quote(column) for column in (*destination, *source))
    loop = " AND ".join(f"{quote(one)} = {quote(other)}" for one, other in zip(source, destination, strict=True))
    name = quote(table.table)
    return f"(SELECT *, {forward} FROM {name} UNION ALL SELECT *, {backward} FROM {name} WHERE NOT ({loop}))"
