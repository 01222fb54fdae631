"""Names of the outer query that DuckDB would find and the query's own dialect would not.

May be imported by `outer`; imports sqlglot.
Design reason: DuckDB lets WHERE and the select list use an alias of the same select list, which Oracle and the standard
do not; a query that its own database refuses must not be rescued by a lenient one.
"""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from .bind import Bound
from .bind_expressions import offset_of
from .catalog import Catalog
from .dialects import Dialect
from .errors import GraphBindingError, place
from .tree import Expr, Query


def check_aliases(query: Query, bounds: list[Bound], catalog: Catalog, rules: Dialect) -> None:
    """Refuse an alias of a select list that is used in its own WHERE or select list."""
    if rules.takes("alias_reuse"):
        return
    placeholders = {bound.table.placeholder: {bound.fold(one.name) for one in bound.columns} for bound in bounds}
    for select in query.outer.find_all(exp.Select):
        aliases = {_fold(one.args["alias"], rules) for one in select.expressions if isinstance(one, exp.Alias)}
        known = _source_columns(select, placeholders, catalog, rules) if aliases else None
        if known is None:
            continue
        for column in _own_columns(select):
            name = _fold(column.this, rules)
            if not column.table and name in aliases and name not in known:
                hint = "repeat the expression, or select from a subquery"
                message = f"alias `{column.name}` cannot be used in its own SELECT"
                raise GraphBindingError(message, hint=hint, **place(query.text, offset_of(column)))


def _fold(node: object, rules: Dialect) -> str:
    if not isinstance(node, exp.Identifier):
        return ""
    return rules.fold(node.name, bool(node.args.get("quoted")))


def _source_columns(
    select: exp.Select, placeholders: Mapping[str, set[str]], catalog: Catalog, rules: Dialect
) -> set[str] | None:
    """All column names the sources of a select have; None where one of them is not a plain table."""
    if select.parent_select is not None:
        return None  # names of the queries around it count too
    known: set[str] = set()
    source = select.args.get("from_")
    for item in [source, *(select.args.get("joins") or [])]:
        table = item.this if item is not None else None
        if not isinstance(table, exp.Table):
            return None
        name = _fold(table.this, rules)
        if table.name in placeholders:
            known |= placeholders[table.name]
        elif name in catalog.tables:
            known |= set(catalog.tables[name].columns)
        else:
            return None
    return known


def _own_columns(select: exp.Select) -> Iterator[exp.Column]:
    where = select.args.get("where")
    for part in [*select.expressions, *([where] if where is not None else [])]:
        yield from _columns(part)


def _columns(node: Expr) -> Iterator[exp.Column]:
    if isinstance(node, exp.Column):
        yield node
    elif not isinstance(node, exp.Query):
        for child in node.iter_expressions():
            yield from _columns(child)
