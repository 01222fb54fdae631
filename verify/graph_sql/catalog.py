"""What a script declares: tables, property graphs, their element tables, labels and properties.

May be imported by everything in this package and by writers of questions; imports sqlglot for property expressions.
Design reason: every name is stored folded (its identity in the dialect) beside the way it was first written, so that
look-ups are plain dictionary reads and messages show what the user knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

from .dialects import Dialect


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table; `type` as declared, without blanks it did not have."""

    name: str
    shown: str
    type: str
    kind: exp.DataType = field(compare=False, repr=False)
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to another table; `referenced` is empty where the primary key is meant."""

    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A base table or view (`query` is set) of the script."""

    name: str
    shown: str
    columns: Mapping[str, TableColumn]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    query: exp.Expr | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """A property of one element table. `expression` reads the table's columns, unqualified."""

    name: str
    shown: str
    type: str
    """SQL type as declared; empty for a computed property until the database has been loaded."""
    expression: exp.Expr = field(compare=False, repr=False)

    @property
    def column(self) -> str | None:
        """The column it is, or None when it is computed."""
        return self.expression.name if isinstance(self.expression, exp.Column) else None


@dataclass(frozen=True, slots=True)
class ElementLabel:
    """A label on one element table, with the names of the properties it shows there."""

    name: str
    shown: str
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """One end of an edge table: its own `key` columns equal `columns` of the vertex table `vertex` (an alias)."""

    vertex: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ElementTable:
    """A vertex or edge table of a graph; `name` is its alias, which is what REFERENCES and hints use."""

    name: str
    shown: str
    kind: Literal["vertex", "edge"]
    table: str
    key: tuple[str, ...]
    labels: Mapping[str, ElementLabel]
    properties: Mapping[str, Property]
    """Of all its labels together."""
    source: End | None = None
    destination: End | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """A property graph: element tables by alias."""

    name: str
    shown: str
    vertices: Mapping[str, ElementTable]
    edges: Mapping[str, ElementTable]
    tables: Mapping[str, Table] = field(compare=False, repr=False)
    """All tables of the script; those that are no element tables can be joined too."""
    dialect: Dialect = field(compare=False, repr=False)

    def elements(self, kind: str) -> Mapping[str, ElementTable]:
        """The tables of one kind, `vertex` or `edge`."""
        return self.vertices if kind == "vertex" else self.edges

    def labels(self, kind: str) -> dict[str, str]:
        """Labels of one kind: folded name to the name as written, in order of declaration."""
        return {label.name: label.shown for table in self.elements(kind).values() for label in table.labels.values()}

    def properties(self, kind: str) -> dict[str, str]:
        """Properties of one kind: folded name to the name as written."""
        return {one.name: one.shown for table in self.elements(kind).values() for one in table.properties.values()}

    def with_label(self, kind: str, label: str) -> list[ElementTable]:
        """The tables that carry a label, given folded."""
        return [table for table in self.elements(kind).values() if label in table.labels]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables and graphs of a script, by folded name."""

    tables: Mapping[str, Table]
    graphs: Mapping[str, Graph]


def describe(graphs: Iterable[Graph]) -> str:
    """Graphs as compact DDL-like text for a prompt: labels, properties with types, keys and ends; no rows.

    Names are spelled as a query has to write them. Tables that belong to no graph follow, since a query may join them.
    """
    listed = list(graphs)
    return "\n\n".join([*(_describe(graph) for graph in listed), *_describe_others(listed)])


def _describe(graph: Graph) -> str:
    lines = [f"PROPERTY GRAPH {graph.dialect.spell(graph.name, graph.shown)}"]
    lines += [_describe_vertex(table, graph.dialect) for table in graph.vertices.values()]
    lines += [_describe_edge(table, graph) for table in graph.edges.values()]
    return "\n".join(lines)


def _describe_others(graphs: list[Graph]) -> list[str]:
    """The tables that are no element table of the graphs, with their columns; nothing where there are none."""
    used = {one.table for graph in graphs for one in (*graph.vertices.values(), *graph.edges.values())}
    lines: list[str] = []
    for table in graphs[0].tables.values() if graphs else ():
        if table.name not in used:
            spell = graphs[0].dialect.spell
            columns = ", ".join(f"{spell(one.name, one.shown)} {one.type}".rstrip() for one in table.columns.values())
            lines.append(f"{spell(table.name, table.shown)} ({columns})")
    return ["\n".join(["TABLES", *lines])] if lines else []


def _describe_vertex(table: ElementTable, rules: Dialect) -> str:
    by_column = {one.column: rules.spell(one.name, one.shown) for one in table.properties.values() if one.column}
    key = [by_column[column] for column in table.key if column in by_column]
    shown = f", KEY ({', '.join(key)})" if len(key) == len(table.key) else ""
    return f"VERTEX {_describe_labels(table, rules)}{shown}"


def _describe_edge(table: ElementTable, graph: Graph) -> str:
    assert table.source is not None and table.destination is not None
    ends = (graph.vertices[end.vertex] for end in (table.source, table.destination))
    source, destination = (_first_label(vertex, graph.dialect) for vertex in ends)
    return f"EDGE {_describe_labels(table, graph.dialect)} FROM {source} TO {destination}"


def _describe_labels(table: ElementTable, rules: Dialect) -> str:
    """The first label with types, the others with what they show: all have the same properties underneath."""
    typed: set[str] = set()
    parts: list[str] = []
    for label in table.labels.values():
        properties = [table.properties[name] for name in label.properties]
        listed = [
            rules.spell(one.name, one.shown) + ("" if one.name in typed else f" {one.type}") for one in properties
        ]
        typed.update(label.properties)
        parts.append(f"{rules.spell(label.name, label.shown)} ({', '.join(listed)})")
    return ", also ".join(parts)


def _first_label(table: ElementTable, rules: Dialect) -> str:
    label = next(iter(table.labels.values()))
    return rules.spell(label.name, label.shown)
