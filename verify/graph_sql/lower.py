"""The plain SQL that a GRAPH_TABLE means, in DuckDB's dialect: one flat SELECT per assignment, joined by UNION ALL.

May be imported by `database`; imports sqlglot.
Design reason: keys keep their types and properties their columns, nothing is cast to text and nothing made distinct,
so the bag of rows is the bag of matches. Expressions are lowered in `lower_expressions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .bind import Bound
from .bind_expressions import conditions
from .catalog import ElementTable, End
from .errors import GraphCannotRun
from .expand import Assignment, Slot, Use, assignments
from .lower_expressions import Scope, alias_of, lower_expression, quote, render
from .tree import Name

Types = Mapping[tuple[str, str, str], str]
"""DuckDB type by (graph, kind, property), all folded."""

MAX_SQL = 120_000
"""Longest SQL of one GRAPH_TABLE in characters: planning grows faster than its length, this takes a few seconds."""


def lower_table(bound: Bound, types: Types) -> str:
    """The SELECT that has the rows and columns of a bound GRAPH_TABLE; raises GraphCannotRun."""
    selects: list[str] = []
    length = 0
    for one in assignments(bound):
        selects += (made := _Flat(one, types).selects())
        length += sum(map(len, made))
        if length > MAX_SQL:
            raise GraphCannotRun("the pattern means too many joins", hint="name labels, lower the quantifiers' bounds")
    if not selects:
        return lower_empty(bound, types)
    return " UNION ALL ".join(selects)


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

    def selects(self) -> list[str]:
        """One SELECT, or one for every row that ONE ROW PER makes of a match."""
        scope = self._scope()
        source = self._from()
        where = [*self._joins(), *self._conditions(scope)]
        tail = f" FROM {source}" + (f" WHERE {' AND '.join(where)}" if where else "")
        return [f"SELECT {self._columns(one)}{tail}" for one in self._positions(scope)]

    def _scope(self) -> Scope:
        branch = self.assignment.branch
        scope = Scope(branch.bound, self.types, assignment=self.assignment)
        for (name, iteration), slot in branch.named.items():
            scope.slots[name, iteration] = slot.root()
        return scope

    def _positions(self, scope: Scope) -> list[Scope]:
        bound = self.assignment.branch.bound
        rows = bound.table.rows
        if rows is None or not rows.iterators:
            return [scope]
        chain = self.assignment.branch.chains[self._path_index()]
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

    def _conditions(self, scope: Scope) -> list[str]:
        return [
            f"({render(lower_expression(one.expression, scope.inside(one.scope, one.iteration)))})"
            for one in self.assignment.branch.conditions
        ]

    # ---------------------------------------------------------------- tables and joins

    def _from(self) -> str:
        doubled = {
            use.edge.index
            for use, orientation in zip(self.assignment.branch.uses, self.assignment.orientations, strict=True)
            if orientation == "both"
        }
        return ", ".join(
            f"{_both_ways(self._table(slot)) if slot.index in doubled else quote(self._table(slot).table)} "
            f"AS {alias_of(slot)}"
            for slot in self.assignment.branch.roots()
        )

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
        return joins

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
