"""The rows of a property graph as plain objects: elements with their values, and which edges leave and reach a vertex.

May be imported by `conditions`, `pattern` and `source`; imports spelling and, for reading, a loaded database.
Design reason: sampling looks at thousands of rows per query, so they are read once; everything else about the database
stays with `verify.graph_sql`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from distill.sources.graph_sql.spelling import identifier
from verify.graph_sql.errors import GraphSqlError

if TYPE_CHECKING:
    from verify.graph_sql.catalog import ElementTable, End, Graph, Table
    from verify.graph_sql.database import Database

Kind = Literal["number", "text", "date"]

_MANY_ROWS = 5000
"""Rows of an element table that are looked at; the witnesses come from these."""


@dataclass(slots=True, eq=False)
class Property:
    """One property of one element table, with the values that occur."""

    name: str
    spelled: str
    kind: Kind
    values: list[Any]
    """Distinct and sorted, NULL left out."""
    nulls: bool
    unique: bool
    """No value occurs twice and none is missing."""
    key: bool
    """Whether it alone is the key of its table."""

    @property
    def additive(self) -> bool:
        """Whether sums and averages mean something: no key, and not a list of years."""
        if self.kind != "number" or self.key:
            return False
        return not all(value == int(value) and 1900 <= value <= 2100 for value in self.values)


@dataclass(slots=True, eq=False)
class Item:
    """One vertex or edge of the data."""

    table: "ElementTable"
    key: tuple[Any, ...]
    values: dict[str, Any]
    source: "Item | None" = None
    target: "Item | None" = None


@dataclass(slots=True)
class Data:
    """The rows of one graph."""

    graph: "Graph"
    tables: "Mapping[str, Table]"
    """The script's tables, by folded name."""
    properties: dict[tuple[str, str, str], Property] = field(default_factory=dict)
    """By kind, alias of the element table and folded name."""
    vertices: dict[str, list[Item]] = field(default_factory=dict)
    edges: dict[str, list[Item]] = field(default_factory=dict)
    leaving: dict[int, list[Item]] = field(default_factory=lambda: defaultdict(list))
    """Edges by the identity of their source."""
    reaching: dict[int, list[Item]] = field(default_factory=lambda: defaultdict(list))
    """Edges by the identity of their target."""

    @property
    def name(self) -> str:
        """The graph's name as a query writes it."""
        return identifier(self.graph.name, self.graph.shown)

    def label(self, name: str) -> str:
        """A label, given folded, as a query writes it."""
        for kind in ("vertex", "edge"):
            shown = self.graph.labels(kind).get(name)
            if shown is not None:
                return identifier(name, shown)
        raise KeyError(name)

    def under(self, table: "ElementTable", label: str) -> list[Property]:
        """The usable properties that a table shows under a label."""
        keys = ((table.kind, table.name, name) for name in table.labels[label].properties)
        return [self.properties[key] for key in keys if key in self.properties]

    def touching(self, item: Item) -> list[Item]:
        """The edges at a vertex, in either direction; a loop once."""
        arriving = [one for one in self.reaching.get(id(item), ()) if one.source is not item]
        return [*self.leaving.get(id(item), ()), *arriving]


def read_graph(database: "Database", graph: "Graph") -> Data:
    """The rows of a graph of a loaded database; properties that cannot be read are left out."""
    data = Data(graph, database.catalog.tables)
    found: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], Item]] = {}
    for table in graph.vertices.values():
        rows = list(_rows(database, table, data, ()))
        data.vertices[table.name] = [item for item, _ in rows]
    for table in graph.edges.values():
        if table.source is None or table.destination is None:
            continue
        data.edges[table.name] = []
        for edge, ends in _rows(database, table, data, (table.source.key, table.destination.key)):
            edge.source = _end(database, data, table.source, ends[0], found)
            edge.target = _end(database, data, table.destination, ends[1], found)
            if edge.source is not None and edge.target is not None:
                data.edges[table.name].append(edge)
                data.leaving[id(edge.source)].append(edge)
                data.reaching[id(edge.target)].append(edge)
    return data


def _rows(
    database: "Database", table: "ElementTable", data: Data, ends: Sequence[tuple[str, ...]]
) -> Iterator[tuple[Item, list[tuple[Any, ...]]]]:
    """Every row as an item, with the values of its end keys; declares the table's properties on the way."""
    plain = [one for one in table.properties.values() if one.column]
    columns = [*table.key, *(name for end in ends for name in end), *(one.column or "" for one in plain)]
    found = _select(database, table.table, columns)
    start = len(table.key) + sum(map(len, ends))
    for position, one in enumerate(plain, start):
        made = _property(one.name, one.shown, [row[position] for row in found], key=table.key == (one.column,))
        if made is not None:
            data.properties[(table.kind, table.name, one.name)] = made
    names = [one.name for one in plain]
    for row in found:
        keys: list[tuple[Any, ...]] = []
        offset = len(table.key)
        for end in ends:
            keys.append(tuple(row[offset : offset + len(end)]))
            offset += len(end)
        yield Item(table, tuple(row[: len(table.key)]), dict(zip(names, row[start:], strict=True))), keys


def _select(database: "Database", table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    listed = ", ".join(f'"{name}" AS c{index}' for index, name in enumerate(columns))
    order = ", ".join(f"c{index}" for index in range(len(columns)))
    try:
        text = f'SELECT {listed} FROM "{table}" ORDER BY {order} FETCH FIRST {_MANY_ROWS} ROWS ONLY'
        return database.query(text).rows
    except GraphSqlError:
        return []


def _end(
    database: "Database",
    data: Data,
    end: "End",
    values: tuple[Any, ...],
    found: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], Item]],
) -> Item | None:
    """The vertex that an edge's end refers to, by the columns it refers to."""
    place = (end.vertex, end.columns)
    if place not in found:
        table = data.graph.vertices[end.vertex]
        keys = [item.key for item in data.vertices[end.vertex]]
        if end.columns != table.key:
            pairs = _select(database, table.table, [*table.key, *end.columns])
            other = {row[: len(table.key)]: row[len(table.key) :] for row in pairs}
            keys = [other.get(key, ()) for key in keys]
        found[place] = dict(zip(keys, data.vertices[end.vertex], strict=True))
    return found[place].get(values)


def _property(name: str, shown: str, values: Sequence[Any], *, key: bool) -> Property | None:
    known = [value for value in values if value is not None]
    kind = _kind(known)
    if kind is None:
        return None
    distinct = sorted(set(known))
    unique = len(distinct) == len(values)
    return Property(name, identifier(name, shown), kind, distinct, len(known) < len(values), unique, key)


def _kind(values: Sequence[Any]) -> Kind | None:
    """What the values have in common; None for nothing that a literal of ours could say."""
    if not values:
        return None
    if all(isinstance(one, str) and one.isprintable() and one.strip() == one and one for one in values):
        return "text"
    if all(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in values):
        return "number"
    if all(isinstance(one, date) for one in values):
        whole = all(not isinstance(one, datetime) or one.time() == time(0) for one in values)
        return "date" if whole else None
    return None
