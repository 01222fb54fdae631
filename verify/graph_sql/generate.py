"""Rows that tell near-misses apart: the script's own rows, disturbed where a wrong query would not notice.

May be imported by `judge`; imports sqlglot for the literals of queries.
Design reason: rows close to the real ones keep a query's conditions satisfiable, while parallel edges, reversed edges,
self-loops, NULLs, namesakes, isolated vertices and values at the boundary of every comparison are each made often.
"""

import datetime
import decimal
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from .bind import Bound
from .bind_expressions import conditions, identifier_name
from .catalog import Catalog, ElementTable, End, Table
from .plant import plant
from .tree import Expr, Query

Rows = dict[str, list[tuple[Any, ...]]]
"""The rows of every base table, by its folded name."""

MOST_VERTICES = 14
"""Most rows of a vertex table that are taken over."""
_LONELY = {2: 0, 4: 1}
"""Seeds whose databases leave the vertices that a gold names with so many edges."""


def generate(
    catalog: Catalog, original: Rows, pools: Mapping[str, set[Any]], *, seed: int, bounds: Sequence[Bound] = ()
) -> Rows:
    """New rows for every base table of a catalog; the same arguments give the same rows.

    `original` are the script's rows; `pools` has interesting values by folded column name, see `pools_of`; `bounds` are
    the patterns whose matches are planted.
    """
    generator = _Generator(catalog, original, pools, random.Random(seed), sparse=seed % 2 == 1)
    rows = generator.rows()
    plant(catalog, rows, bounds, rng=generator.rng, convert=generator.fitting, lonely=_LONELY.get(seed))
    for made in rows.values():
        generator.rng.shuffle(made)  # rows of a table have no order that an ORDER BY could be left out for
    return rows


def pools_of(query: Query, bounds: Sequence[Bound]) -> dict[str, set[Any]]:
    """Values worth having in a column: the literals it is compared with, and their neighbours, by column name."""
    pools: dict[str, set[Any]] = {}
    names: dict[str, set[str]] = {}
    for bound in bounds:
        for one in bound.columns:
            for column in one.expression.find_all(exp.Column):
                names.setdefault(bound.fold(one.name), set()).update(_columns_of(bound, column))
        for condition in conditions(bound):
            _collect(condition.expression, lambda column, bound=bound: _columns_of(bound, column), pools)
    fold = bounds[0].dialect.fold if bounds else str.upper
    _collect(query.outer, lambda column: names.get(fold(column.name), {fold(column.name)}), pools)
    return pools


def _columns_of(bound: Bound, column: exp.Column) -> set[str]:
    """The table columns that a property may be."""
    name = bound.fold(identifier_name(column.this)) if isinstance(column.this, exp.Identifier) else ""
    tables = [*bound.graph.vertices.values(), *bound.graph.edges.values()]
    found = {table.properties[name].column for table in tables if name in table.properties}
    return {one for one in found if one is not None}


def _collect(node: Expr, columns_of: Any, pools: dict[str, set[Any]]) -> None:
    for test in node.find_all(exp.Predicate):
        columns = [name for column in test.find_all(exp.Column) for name in columns_of(column)]
        values = [value for literal in test.find_all(exp.Literal) for value in _neighbours(literal)]
        for name in columns:
            pools.setdefault(name, set()).update(values)


def _neighbours(literal: exp.Literal) -> Iterator[Any]:
    text = literal.name
    if literal.is_string:
        try:
            day = datetime.date.fromisoformat(text)
        except ValueError:
            plain = text.replace("%", "").replace("_", "a")
            yield from (plain, f"{plain}x", f"x{plain}", plain.swapcase())
        else:
            yield from (day, day - datetime.timedelta(days=1), day + datetime.timedelta(days=1))
        return
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        return
    yield from (number, number - 1, number + 1)


@dataclass(slots=True)
class _Generator:
    catalog: Catalog
    original: Rows
    pools: Mapping[str, set[Any]]
    rng: random.Random
    sparse: bool
    """Few edges in long chains, where a wrong number of hops shows; else many, where a wrong direction does."""
    made: Rows = field(default_factory=dict)

    def rows(self) -> Rows:
        elements = [
            element
            for graph in self.catalog.graphs.values()
            for element in (*graph.vertices.values(), *graph.edges.values())
        ]
        pure_edges = {one.table for one in elements if one.kind == "edge"}
        pure_edges -= {one.table for one in elements if one.kind == "vertex"}
        base = [table for table in self.catalog.tables.values() if table.query is None]
        for table in sorted(base, key=lambda one: one.name in pure_edges):
            ends = [end for one in elements if one.table == table.name for end in self._ends(one)]
            if table.name in pure_edges:
                self.made[table.name] = self._edges(table, ends)
            else:
                self.made[table.name] = self._vertices(table)
        for table in base:
            if table.name not in pure_edges:
                self._reconnect(table, elements)
        return self.made

    def _ends(self, element: ElementTable) -> Iterator[tuple[End, str]]:
        for graph in self.catalog.graphs.values():
            if graph.edges.get(element.name) is element:
                for end in (element.source, element.destination):
                    if end is not None:
                        yield end, graph.vertices[end.vertex].table

    # ---------------------------------------------------------------- vertices

    def _vertices(self, table: Table) -> list[tuple[Any, ...]]:
        rows = list(self.original.get(table.name, []))
        if len(rows) > MOST_VERTICES:
            rows = self.rng.sample(rows, MOST_VERTICES)
        return self._with_boundaries(table, [self._disturbed(table, row, 0.35) for row in rows])

    def _with_boundaries(self, table: Table, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows with every value that a query compares a column with in at least one of them."""
        for at, name in enumerate(table.columns):
            if not rows or name in self._fixed(table):
                continue
            for value in self._extra(table, name):
                if all(row[at] != value for row in rows):
                    chosen = self.rng.randrange(len(rows))
                    rows[chosen] = (*rows[chosen][:at], value, *rows[chosen][at + 1 :])
        return rows

    def _fixed(self, table: Table) -> set[str]:
        return {*table.primary_key, *(name for key in table.foreign_keys for name in key.columns)}

    def _own(self, table: Table, name: str) -> list[Any]:
        at = list(table.columns).index(name)
        return [row[at] for row in self.original.get(table.name, []) if row[at] is not None]

    def fitting(self, table: Table, name: str, value: Any) -> Any:
        """A value in the type of a column, None where it does not fit; a value of the column's own stays."""
        own = self._own(table, name)
        return value if own and type(value) is type(own[0]) else _like(own)(value)

    def _extra(self, table: Table, name: str) -> list[Any]:
        convert = _like(self._own(table, name))
        return sorted((one for one in map(convert, self.pools.get(name, ())) if one is not None), key=str)

    def _disturbed(self, table: Table, row: tuple[Any, ...], share: float) -> tuple[Any, ...]:
        """A row with about this share of its columns changed; keys and references stay."""
        fixed = self._fixed(table)
        return tuple(
            self._value(table, name, value) if name not in fixed and self.rng.random() < share else value
            for name, value in zip(table.columns, row, strict=True)
        )

    def _value(self, table: Table, name: str, present: Any) -> Any:
        """Another value for a column: one of its own, a boundary of a comparison, or NULL."""
        if table.columns[name].nullable and self.rng.random() < 0.2:
            return None
        own, extra = self._own(table, name), self._extra(table, name)
        if extra and (not own or self.rng.random() < 0.5):
            return self.rng.choice(extra)
        return self.rng.choice(own) if own else present

    def _reconnect(self, table: Table, elements: Sequence[ElementTable]) -> None:
        """A vertex table that is an edge table too gets some of its ends changed."""
        ends = [end for one in elements if one.table == table.name and one.kind == "edge" for end in self._ends(one)]
        free = [(end, target) for end, target in ends if not set(end.key) & set(table.primary_key)]
        if not free:
            return
        columns = list(table.columns)
        changed = []
        for row in self.made[table.name]:
            cells = dict(zip(columns, row, strict=True))
            for end, target in free:
                if self.rng.random() < 0.3:
                    cells.update(self._reference(table, end, target))
            changed.append(tuple(cells[name] for name in columns))
        self.made[table.name] = changed

    # ---------------------------------------------------------------- edges

    def _edges(self, table: Table, ends: list[tuple[End, str]]) -> list[tuple[Any, ...]]:
        own = self.original.get(table.name, [])
        kept = [row for row in own if self.rng.random() < (0.2 if self.sparse else 0.7)][:40]
        rows = [self._disturbed(table, row, 0.2) for row in kept]
        if self.sparse:
            rows += self._chain(table, ends, own)
        for _ in range(2 if self.sparse else max(4, len(own) // 2)):
            row = self._new_edge(table, ends, rows or own)
            if row is not None:
                rows.append(row)
        fixed = {name for end, _ in ends for name in end.key}
        return _unique(table, rows if fixed & self.pools.keys() else self._with_boundaries(table, rows))

    def _chain(
        self, table: Table, ends: list[tuple[End, str]], models: Sequence[tuple[Any, ...]]
    ) -> list[tuple[Any, ...]]:
        """Edges through all vertices of a table in some order, where an edge table leads from a table to itself."""
        if len(ends) != 2 or ends[0][1] != ends[1][1] or not models:
            return []
        target = ends[0][1]
        columns = list(self.catalog.tables[target].columns)
        order = [dict(zip(columns, row, strict=True)) for row in self.made.get(target, [])]
        self.rng.shuffle(order)
        chain = []
        for first, second in itertools.pairwise(order):
            cells = dict(zip(table.columns, self._disturbed(table, self.rng.choice(models), 0.3), strict=True))
            for (end, _), vertex in zip(ends, (first, second), strict=True):
                cells.update(zip(end.key, (vertex[name] for name in end.columns), strict=True))
            self._fresh_key(table, cells, {name for end, _ in ends for name in end.key})
            chain.append(tuple(cells[name] for name in table.columns))
        return chain

    def _new_edge(
        self, table: Table, ends: list[tuple[End, str]], models: Sequence[tuple[Any, ...]]
    ) -> tuple[Any, ...] | None:
        """An edge like an existing one: parallel to it, reversed, a self-loop, without an end, or elsewhere."""
        if not models:
            return None
        columns = list(table.columns)
        cells = dict(zip(columns, self._disturbed(table, self.rng.choice(models), 0.6), strict=True))
        same = len(ends) == 2 and ends[0][1] == ends[1][1]
        kind = self.rng.choice(["parallel", "reversed", "loop", "elsewhere", "elsewhere", "open"])
        if kind == "reversed" and same:
            first, second = [[cells[name] for name in end.key] for end, _ in ends]
            cells.update(zip(ends[0][0].key, second, strict=True))
            cells.update(zip(ends[1][0].key, first, strict=True))
        elif kind == "loop" and same:
            cells.update(zip(ends[1][0].key, [cells[name] for name in ends[0][0].key], strict=True))
        elif kind == "open" and ends:
            end, _ = self.rng.choice(ends)
            if all(table.columns[name].nullable and name not in table.primary_key for name in end.key):
                cells.update(dict.fromkeys(end.key))
        elif kind != "parallel":
            for end, target in ends:
                cells.update(self._reference(table, end, target))
        self._fresh_key(table, cells, {name for end, _ in ends for name in end.key})
        return tuple(cells[name] for name in columns)

    def _reference(self, table: Table, end: End, target: str) -> dict[str, Any]:
        """Values of an end's columns that point at one of the vertices made."""
        rows = self.made.get(target, [])
        if not rows:
            return {}
        columns = list(self.catalog.tables[target].columns)
        row = dict(zip(columns, self.rng.choice(rows), strict=True))
        return dict(zip(end.key, (row[name] for name in end.columns), strict=True))

    def _fresh_key(self, table: Table, cells: dict[str, Any], ends: set[str]) -> None:
        """A number of its own for the part of the key that is no end."""
        for name in table.primary_key:
            if name not in ends and isinstance(cells[name], int):
                cells[name] = self.rng.randint(10_000, 10_000_000)


def _unique(table: Table, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows without those that repeat a primary key or have a NULL in it."""
    at = [list(table.columns).index(name) for name in table.primary_key]
    found: dict[Any, tuple[Any, ...]] = {}
    for number, row in enumerate(rows):
        key = tuple(row[one] for one in at) if at else number
        if not at or None not in key:  # type: ignore[operator]
            found.setdefault(key, row)
    return list(found.values())


def _like(own: Sequence[Any]) -> Any:
    """A function that turns a literal's value into the type of a column's values, or None where it does not fit."""
    model = own[0] if own else None

    def convert(value: Any) -> Any:
        if model is None or isinstance(model, bool):
            return None
        if isinstance(model, str):
            return value if isinstance(value, str) else None
        if isinstance(model, datetime.date):
            return value if isinstance(value, datetime.date) else None
        if not isinstance(value, decimal.Decimal) or isinstance(model, datetime.date):
            return None
        if isinstance(model, int):
            return int(value)
        return float(value) if isinstance(model, float) else value

    return convert
