"""Which changed queries mean the same as before, by rules that follow from the schema's keys and NOT NULL columns.

The mutation check leaves them out: no rows can tell them apart. What no rule covers and was checked by hand is in
`same_meaning.txt`, with the reason.
"""

import hashlib
from pathlib import Path
from typing import Any

from sqlglot import exp

from verify.graph_sql.bind import Bound
from verify.graph_sql.bind_expressions import identifier_name
from verify.graph_sql.catalog import Catalog, ElementTable
from verify.graph_sql.tree import Column, Edge, ParenPath, Vertex, elements

HAND = Path(__file__).with_name("same_meaning.txt")


def digest(kind: str, gold: str, mutant: str) -> str:
    """How a pair is named in the list made by hand: it ends with the gold or the mutation."""
    return hashlib.sha256("\0".join([kind, " ".join(gold.split()), " ".join(mutant.split())]).encode()).hexdigest()[:12]


def checked_by_hand() -> set[str]:
    lines = HAND.read_text(encoding="utf-8").splitlines() if HAND.exists() else []
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def same_meaning(db: Any, kind: str, gold: Any, mutant: Any) -> str:
    """The rule by which two prepared queries mean the same, empty where there is none."""
    if gold.sql == mutant.sql or gold.query.canonical() == mutant.query.canonical():
        return "the same joins"
    rules = {
        "DISTINCT added or dropped": _distinct,
        "COUNT(column) for COUNT(*)": _counted,
        "GROUP BY: a column less": _grouped,
        "label left out": _label,
        "another label": _label,
    }
    rule = rules.get(kind)
    return rule(db.catalog, gold, mutant) if rule is not None else ""


# ---------------------------------------------------------------- DISTINCT


def _distinct(catalog: Catalog, gold: Any, mutant: Any) -> str:
    pairs = zip(gold.query.outer.find_all(exp.Select), mutant.query.outer.find_all(exp.Select), strict=True)
    for one, other in pairs:
        if bool(one.args.get("distinct")) != bool(other.args.get("distinct")):
            return _without_duplicates(catalog, gold, one)
    return ""


def _without_duplicates(catalog: Catalog, gold: Any, select: exp.Select) -> str:
    shown = {one.unalias().sql() for one in select.selects}
    group = select.args.get("group")
    if group is not None:
        return "groups are distinct" if all(one.sql() in shown for one in group.expressions) else ""
    parent = select.parent
    if isinstance(parent, exp.SetOperation) and parent.args.get("distinct"):
        return "a set operation drops duplicates"
    if isinstance(parent, exp.Exists | exp.In) or isinstance(parent.parent if parent else None, exp.Exists | exp.In):
        return "a subquery of IN or EXISTS"
    sources = [table for table in select.find_all(exp.Table) if table.find_ancestor(exp.Select) is select]
    bounds = {one.table.placeholder: one for one in gold.bounds}
    names = {one.name for one in select.find_all(exp.Column) if one.find_ancestor(exp.Select) is select}
    if len(sources) != 1 or any(isinstance(one.unalias(), exp.Star) for one in select.selects):
        return ""
    bound = bounds.get(sources[0].name)
    if bound is None:
        table = catalog.tables.get(sources[0].name.upper()) or catalog.tables.get(sources[0].name)
        keys = {table.columns[name].shown for name in table.primary_key} if table else set()
        return "the primary key is selected" if table and keys and keys <= names else ""
    selected = {one.unalias().name for one in select.selects if isinstance(one.unalias(), exp.Column)}
    return "the key of every element is selected" if _has_keys(catalog, bound, selected) else ""


def _has_keys(catalog: Catalog, bound: Bound, selected: set[str]) -> bool:
    """The selected columns tell every match from every other: the keys of all edges, or of a lonely vertex."""
    every = [one for path in bound.table.paths for one in elements(path.terms)]
    if bound.table.rows is not None or any(
        isinstance(term, ParenPath) or getattr(term, "quantifier", None) for p in bound.table.paths for term in p.terms
    ):
        return False
    edges = [one for one in every if isinstance(one, Edge)]
    if any(edge.direction == "any" for edge in edges):
        return False
    fixed = _fixed(bound, every)
    return all(_keyed(catalog, bound, one, selected, fixed) for one in (edges or every))


def _fixed(bound: Bound, every: list[Any]) -> dict[str, set[str]]:
    """Properties that a condition sets to one literal, by variable."""
    fixed: dict[str, set[str]] = {}
    for element in every:
        if element.where is not None and element.variable is not None:
            parts = element.where.flatten() if isinstance(element.where, exp.And) else [element.where]
            for part in parts:
                if isinstance(part, exp.EQ) and isinstance(part.right, exp.Literal):
                    fixed.setdefault(bound.fold(element.variable), set()).add(
                        bound.fold(identifier_name(part.left.this))
                    )
    return fixed


def _keyed(catalog: Catalog, bound: Bound, element: Any, selected: set[str], fixed: dict[str, set[str]]) -> bool:
    """The element's key is selected, or its ends' keys are where they make up the key."""
    if element.variable is None:
        tables = bound.graph.elements("edge" if isinstance(element, Edge) else "vertex").values()
        tables = [one for one in tables if element.label is not None and _labelled(bound, element, one)]
        have: set[str] = set()
    else:
        name = bound.fold(element.variable)
        tables = bound.variables[name].tables
        have = _selected_properties(bound, name, selected) | fixed.get(name, set())
    if len(tables) != 1:
        return False
    key = {one.name for one in tables[0].properties.values() if one.column in tables[0].key and one.name in have}
    if {tables[0].properties[name].column for name in key} == set(tables[0].key):
        return True
    return isinstance(element, Edge) and _keyed_by_ends(bound, element, tables[0], selected, fixed)


def _keyed_by_ends(
    bound: Bound, edge: Edge, table: ElementTable, selected: set[str], fixed: dict[str, set[str]]
) -> bool:
    """The edge table's key is made of the keys of its two ends, and both ends' keys are known."""
    assert table.source is not None and table.destination is not None
    if set(table.key) != {*table.source.key, *table.destination.key}:
        return False
    for path in bound.table.paths:
        for at, term in enumerate(path.terms):
            if term is edge and 0 < at < len(path.terms) - 1:
                ends = [path.terms[at - 1], path.terms[at + 1]]
                return all(_vertex_known(bound, one, selected, fixed) for one in ends)
    return False


def _vertex_known(bound: Bound, vertex: Any, selected: set[str], fixed: dict[str, set[str]]) -> bool:
    if not isinstance(vertex, Vertex) or vertex.variable is None:
        return False
    name = bound.fold(vertex.variable)
    tables = bound.variables[name].tables
    have = _selected_properties(bound, name, selected) | fixed.get(name, set())
    return len(tables) == 1 and {
        one.column for one in tables[0].properties.values() if one.name in have and one.column in tables[0].key
    } == set(tables[0].key)


def _labelled(bound: Bound, element: Any, table: ElementTable) -> bool:
    return getattr(element.label, "name", None) is not None and bound.fold(element.label.name) in table.labels


def _selected_properties(bound: Bound, variable: str, selected: set[str]) -> set[str]:
    found = set()
    for column in bound.columns:
        inner = column.expression
        plain = isinstance(inner, exp.Column) and isinstance(inner.args.get("table"), exp.Identifier)
        if plain and bound.fold(identifier_name(inner.args["table"])) == variable and column.name.text in selected:
            found.add(bound.fold(identifier_name(inner.this)))
    return found


# ---------------------------------------------------------------- COUNT, GROUP BY


def _counted(catalog: Catalog, gold: Any, mutant: Any) -> str:
    before = {one.sql() for one in gold.query.outer.find_all(exp.Count)}
    new = [one for one in mutant.query.outer.find_all(exp.Count) if one.sql() not in before]
    names = {column.name for count in new for column in count.find_all(exp.Column)}
    if gold.query.outer.find(exp.Join) is not None or not names:
        return ""
    nullable = any(_nullable(catalog, bound, name) for bound in gold.bounds for name in names)
    return "" if nullable else "the counted column is never NULL"


def _nullable(catalog: Catalog, bound: Bound, name: str) -> bool:
    for column in bound.columns:
        if column.name.text != name:
            continue
        if str(column.expression.name).upper() == "BINDING_COUNT":
            return False
        origin = _origin(bound, column)
        if origin is None:
            return True
        return any(_may_be_null(catalog, table, prop) for table, prop in origin)
    return True


def _may_be_null(catalog: Catalog, table: ElementTable, prop: str) -> bool:
    found = table.properties.get(prop)
    base = catalog.tables[table.table]
    if found is None or found.column is None or found.column not in base.columns:
        return True
    return base.columns[found.column].nullable and found.column not in base.primary_key


def _origin(bound: Bound, column: Column) -> list[tuple[ElementTable, str]] | None:
    inner = column.expression
    if not isinstance(inner, exp.Column) or not isinstance(inner.args.get("table"), exp.Identifier):
        return None
    variable = bound.variables[bound.fold(identifier_name(inner.args["table"]))]
    return [(table, bound.fold(identifier_name(inner.this))) for table in variable.tables]


def _grouped(catalog: Catalog, gold: Any, mutant: Any) -> str:
    """The remaining columns hold the key of the element whose property was dropped."""
    group = mutant.query.outer.find(exp.Group)
    left = {one.name for one in group.expressions} if group is not None else set()
    for bound in gold.bounds:
        before = {one.name for one in gold.query.outer.find(exp.Group).expressions}
        for column in bound.columns:
            origin = _origin(bound, column)
            if column.name.text not in before - left or origin is None:
                continue
            variable = bound.fold(identifier_name(column.expression.args["table"]))
            have = _selected_properties(bound, variable, left)
            if all(
                set(table.key) <= {table.properties[name].column for name in have if name in table.properties}
                for table, _ in origin
            ):
                return "the key of the element is left"
    return ""


# ---------------------------------------------------------------- labels


def _label(catalog: Catalog, gold: Any, mutant: Any) -> str:
    """The tables that a wider label adds do not have a property that a condition compares."""
    found = ""
    for one, other in zip(gold.bounds, mutant.bounds, strict=True):
        for name, variable in other.variables.items():
            before = one.variables[name].tables
            added = [table for table in variable.tables if table not in before]
            if any(table not in variable.tables for table in before):
                return ""
            if any(not _rejects(other, name, table) for table in added):
                return ""
            if added:
                found = "a property that is compared exists only where it did before"
    return found


def _rejects(bound: Bound, name: str, table: ElementTable) -> bool:
    every = [one for path in bound.table.paths for one in elements(path.terms)]
    wheres = [one.where for one in every if one.variable is not None and bound.fold(one.variable) == name]
    for where in (one for one in wheres if one is not None):
        for part in where.flatten() if isinstance(where, exp.And) else [where]:
            plain = isinstance(part, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.In | exp.Between)
            inner = part.this
            if plain and isinstance(inner, exp.Column) and inner.table:
                own = bound.fold(identifier_name(inner.args["table"])) == name
                if own and bound.fold(identifier_name(inner.this)) not in table.properties:
                    return True
    return False
