"""Queries with a GRAPH_TABLE inside something larger: joins, IN, EXISTS, WITH, two GRAPH_TABLEs.

May be imported by `shapes`; imports columns, grouping, pattern and spelling.
Design reason: what is joined is the table behind a vertex, by its key, since that is where a graph and the tables
around it meet in practice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from distill.sources.graph_sql.columns import Columns, outputs
from distill.sources.graph_sql.grouping import measurable
from distill.sources.graph_sql.pattern import Element, Pattern, Ref, Sampler
from distill.sources.graph_sql.spelling import identifier, literal


@dataclass(slots=True)
class _Outer:
    """A plain table that holds the vertices of one element of a pattern."""

    element: Element
    key: Ref
    table: str
    columns: Mapping[str, str]
    """Property name to column as a query writes it."""


def _outer(sampler: Sampler, pattern: Pattern) -> _Outer | None:
    """A vertex whose own table can be joined by a single key."""
    choices = [(element, ref) for element in pattern.vertices for ref in pattern.properties(element)]
    keyed = [(element, ref) for element, ref in choices if ref.prop.key and len(element.stated) == 1]
    if not keyed:
        return None
    element, key = sampler.rng.choice(keyed)
    owned = element.item.table
    table = pattern.data.tables[owned.table]
    columns = {
        one.name: identifier(one.column, table.columns[one.column].shown)
        for one in owned.properties.values()
        if one.column and ("vertex", owned.name, one.name) in pattern.data.properties
    }
    return _Outer(element, key, identifier(table.name, table.shown), columns)


def _rows_of(sampler: Sampler, outer: _Outer, letter: str) -> str:
    """One or two columns of the plain table, the key or a name first."""
    data, table = sampler.data, outer.element.item.table
    known = [data.properties["vertex", table.name, name] for name in outer.columns]
    telling = [one.name for one in known if one.key or one.kind == "text"]
    first = sampler.rng.choice(telling)
    rest = [name for name in outer.columns if name != first]
    names = [first, *sampler.rng.sample(rest, min(len(rest), sampler.rng.choice((0, 1))))]
    return ", ".join(f"{letter}.{outer.columns[name]}" for name in names)


def _inside(sampler: Sampler) -> tuple[Pattern, _Outer] | None:
    pattern = sampler.path(sampler.rng.choice((1, 1, 2)))
    outer = _outer(sampler, pattern) if pattern is not None else None
    if pattern is None or outer is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((0, 1, 1)))
    return pattern, outer


def membership(sampler: Sampler) -> str | None:
    """Rows of a plain table that a pattern holds, or does not."""
    found = _inside(sampler)
    if found is None:
        return None
    pattern, outer = found
    columns = Columns(sampler.rng)
    name = columns.add(outer.key)
    negated = "NOT IN" if sampler.rng.random() < 0.3 else "IN"
    return (
        f"SELECT {_rows_of(sampler, outer, 't')} FROM {outer.table} t WHERE t.{outer.columns[outer.key.prop.name]} "
        f"{negated} (SELECT {name} FROM {pattern.table(columns.texts)})"
    )


def existence(sampler: Sampler) -> str | None:
    """Rows of a plain table for which there is a match, or none."""
    found = _inside(sampler)
    if found is None:
        return None
    pattern, outer = found
    columns = Columns(sampler.rng)
    name = columns.add(outer.key)
    negated = "NOT EXISTS" if sampler.rng.random() < 0.4 else "EXISTS"
    return (
        f"SELECT {_rows_of(sampler, outer, 't')} FROM {outer.table} t WHERE {negated} (SELECT 1 FROM "
        f"{pattern.table(columns.texts)} g WHERE g.{name} = t.{outer.columns[outer.key.prop.name]})"
    )


def join(sampler: Sampler) -> str | None:
    """The plain table of a vertex joined with what a pattern says about it."""
    found = _inside(sampler)
    if found is None:
        return None
    pattern, outer = found
    columns = Columns(sampler.rng)
    name = columns.add(outer.key)
    others = [element for element in pattern.elements() if element is not outer.element and element.bounds is None]
    columns.more(sampler, pattern, sampler.rng.choice((1, 2)), among=others)
    shown = ", ".join(f"g.{one}" for one in columns.names[1:])
    if not shown:
        return None
    kind = "LEFT JOIN" if sampler.rng.random() < 0.35 else "JOIN"
    return (
        f"SELECT {_rows_of(sampler, outer, 't')}, {shown} FROM {outer.table} t {kind} "
        f"{pattern.table(columns.texts)} g ON g.{name} = t.{outer.columns[outer.key.prop.name]}"
    )


def two_tables(sampler: Sampler) -> str | None:
    """Two GRAPH_TABLEs joined on a vertex that both hold."""
    first, second = sampler.path(1), sampler.path(1)
    outer = _outer(sampler, first) if first is not None else None
    if first is None or second is None or outer is None:
        return None
    refs = [ref for one in second.vertices for ref in second.properties(one) if ref.prop is outer.key.prop]
    if not refs:
        return None
    sampler.conditions(first, 1)
    if sampler.rng.random() < 0.5:
        sampler.conditions(second, 1)
    left, right = _keyed(sampler, first, outer.key), _keyed(sampler, second, refs[0])
    if len(left.names) < 2 or len(right.names) < 2 or left.names[1] == right.names[1]:
        return None
    return (
        f"SELECT g.{left.names[0]}, g.{left.names[1]}, h.{right.names[1]} FROM {first.table(left.texts)} g "
        f"JOIN {second.table(right.texts)} h ON h.{right.names[0]} = g.{left.names[0]}"
    )


def _keyed(sampler: Sampler, pattern: Pattern, key: Ref) -> Columns:
    """A key, and one property of something else."""
    columns = Columns(sampler.rng)
    columns.add(key)
    columns.more(sampler, pattern, 1, among=[one for one in pattern.elements() if one is not key.element])
    return columns


def named(sampler: Sampler) -> str | None:
    """A named count per vertex, and those above a bound."""
    pattern = sampler.path(1)
    if pattern is None:
        return None
    if sampler.rng.random() < 0.4:
        sampler.conditions(pattern, 1)
    rng = sampler.rng
    columns = outputs(sampler, pattern, 1, among=[rng.choice(pattern.vertices)])
    (key,) = columns.names
    numbers = [ref for ref in measurable(pattern) if not ref.prop.nulls and ref.prop.additive]
    value, bound = "COUNT(*)", "1"
    if numbers and rng.random() < 0.5:
        ref = rng.choice(numbers)
        value, bound = f"SUM({columns.add(ref)})", literal(rng.choice(ref.prop.values))
    name, total = (
        rng.choice(("per_item", "totals", "summary")),
        columns.free(rng.choice(("total", "amount_total", "n"))),
    )
    return (
        f"WITH {name} AS (SELECT {key}, {value} AS {total} FROM {pattern.table(columns.texts)} GROUP BY {key}) "
        f"SELECT {key}, {total} FROM {name} WHERE {total} > {bound}"
    )
