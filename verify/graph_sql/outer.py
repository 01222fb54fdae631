"""The query around the GRAPH_TABLEs: which tables it may read, and how it becomes DuckDB's SQL.

May be imported by `database`; imports sqlglot.
Design reason: only the tables of the script, the graph tables and the query's own names can stand in FROM; this list is
what keeps files and table functions out, before the locked database would.
"""

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from .adapt import adapt
from .bind import Bound
from .bind_expressions import offset_of
from .catalog import Catalog
from .dialects import DIALECTS, Dialect
from .errors import GraphBindingError, GraphCannotRun, GraphSyntaxError, place
from .lower_expressions import raw
from .parse import PLACEHOLDER
from .suggest import did_you_mean
from .tree import Expr, Query

_NOT_RUN = (exp.Connect, exp.MatchRecognize, exp.Pivot, exp.TableSample, exp.Version, exp.JSONTable, exp.XMLTable)
"""What sqlglot reads and DuckDB's generator would leave out or change."""


def check_tables(query: Query, catalog: Catalog) -> None:
    """Refuse a table that neither the script nor the query declares, with the nearest names."""
    rules = DIALECTS[query.dialect]
    own = {fold_node(cte.args["alias"].this, rules) for cte in query.outer.find_all(exp.CTE)}
    for table in query.outer.find_all(exp.Table):
        name = fold_node(table.this, rules)
        if table.name.startswith(PLACEHOLDER) or name in own or name in catalog.tables or name == "DUAL":
            continue
        known = [rules.spell(one.name, one.shown) for one in catalog.tables.values()]
        hint = did_you_mean(table.name, known, "the tables are")
        if name in catalog.graphs:
            hint = f"`{table.name}` is a graph: read it with GRAPH_TABLE ({table.name} MATCH … COLUMNS (…))"
        raise GraphBindingError(f"no table `{table.name}`", hint=hint, **place(query.text, offset_of(table.this)))


def fold_node(node: object, rules: Dialect) -> str:
    """The folded name of an identifier of the outer query."""
    if not isinstance(node, exp.Identifier):
        return ""
    return rules.fold(node.name, bool(node.args.get("quoted")))


def lower_outer(query: Query, bounds: Sequence[Bound], bodies: Sequence[str]) -> str:
    """The whole query for DuckDB, with each placeholder replaced by its lowered body; raises GraphCannotRun."""
    rules = DIALECTS[query.dialect]
    if (dropped := query.outer.find(*_NOT_RUN)) is not None:
        raise GraphCannotRun(f"{dropped.key.upper()} is not executed here", **place(query.text, offset_of(dropped)))
    outer = _adapt_whole(query.outer.copy(), rules)
    by_name = {bound.table.placeholder: body for bound, body in zip(bounds, bodies, strict=True)}
    for node in list(outer.find_all(exp.Identifier)):
        node.set("quoted", True)  # a name that is a keyword in DuckDB stays a name
    for table in list(outer.find_all(exp.Table)):
        if table.name in by_name:
            _put_body(table, by_name[table.name], rules)
        elif table.name.upper() == "DUAL" and rules.reader == "oracle":
            _put_body(table, "SELECT 'X' AS \"DUMMY\"", rules, default="DUAL")
    try:
        return outer.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE)
    except (UnsupportedError, ValueError) as error:
        raise GraphCannotRun("the query uses something that is not executed here", cause=str(error)) from None


def _put_body(table: exp.Table, body: str, rules: Dialect, *, default: str = "") -> None:
    if table.args.get("alias") is None:
        name = default or ("graph_table" if rules.name == "postgres" else table.name)
        table.set("alias", exp.TableAlias(this=exp.Identifier(this=name, quoted=True)))
    table.set("this", raw(f"({body})"))


# ---------------------------------------------------------------- Oracle's outer query


def _adapt_whole(outer: Expr, rules: Dialect) -> Expr:
    if rules.reader == "oracle":
        for select in list(outer.find_all(exp.Select)):
            _row_number(select)
        for query in list(outer.find_all(exp.Query)):
            _with_ties(query)
    return adapt(outer, rules)


def _row_number(select: exp.Select) -> None:
    """`WHERE ROWNUM <= n` alone, in a query without an order, is a limit; anything else is not executed."""
    where = select.args.get("where")
    conditions = list(where.this.flatten()) if where is not None and isinstance(where.this, exp.And) else []
    if where is not None and not conditions:
        conditions = [where.this]
    for condition in conditions:
        most = _row_limit(condition)
        if most is None:
            continue
        if any(select.args.get(part) for part in ("order", "group", "limit", "distinct")):
            break
        rest = [one.copy() for one in conditions if one is not condition]
        select.set("where", exp.Where(this=exp.and_(*rest)) if rest else None)
        select.set("limit", exp.Limit(expression=exp.Literal.number(most)))
        return
    for column in select.find_all(exp.Column):
        if column.name.upper() == "ROWNUM" and not column.table:
            raise GraphCannotRun("this use of ROWNUM is not executed here", hint="use FETCH FIRST n ROWS ONLY")


def _row_limit(condition: Expr) -> int | None:
    if not isinstance(condition, exp.LT | exp.LTE | exp.EQ):
        return None
    left, right = condition.left, condition.right
    if not (isinstance(left, exp.Column) and left.name.upper() == "ROWNUM" and not left.table):
        return None
    if not (isinstance(right, exp.Literal) and right.name.isdigit()):
        return None
    return int(right.name) - isinstance(condition, exp.LT)


def _with_ties(query: exp.Query) -> None:
    fetch = query.args.get("limit")
    options = fetch.args.get("limit_options") if isinstance(fetch, exp.Fetch) else None
    if fetch is None or options is None:
        return
    if options.args.get("percent"):
        raise GraphCannotRun("FETCH FIRST … PERCENT is not executed here")
    if not options.args.get("with_ties"):
        return
    order = query.args.get("order")
    if not isinstance(query, exp.Select) or order is None or query.args.get("distinct") or query.args.get("offset"):
        raise GraphCannotRun("this use of WITH TIES is not executed here")
    keys = [_order_key(one, query) for one in order.expressions]
    rank = exp.Window(this=call_rank(), order=exp.Order(expressions=keys))
    most = fetch.args.get("count") or exp.Literal.number(1)
    query.set("qualify", exp.Qualify(this=exp.LTE(this=rank, expression=most.copy())))
    query.set("limit", None)


def call_rank() -> exp.Anonymous:
    """RANK() without arguments."""
    return exp.Anonymous(this="rank", expressions=[])


def _order_key(ordered: Expr, select: exp.Select) -> Expr:
    """A key of ORDER BY with an alias or a position replaced by the expression it stands for."""
    key = ordered.copy()
    inner = key.this
    if isinstance(inner, exp.Literal) and inner.name.isdigit():
        key.set("this", select.selects[int(inner.name) - 1].unalias().copy())
    elif isinstance(inner, exp.Column) and not inner.table:
        for one in select.selects:
            if isinstance(one, exp.Alias) and one.alias.upper() == inner.name.upper():
                key.set("this", one.this.copy())
    return key


def check_bare_limits(query: Query) -> None:
    """FETCH FIRST with a negative or fractional number has no meaning."""
    for fetch in query.outer.find_all(exp.Fetch):
        count = fetch.args.get("count")
        if isinstance(count, exp.Literal) and not count.name.isdigit():
            raise GraphSyntaxError("FETCH FIRST takes a whole number", **place(query.text, offset_of(count)))


def order_columns(query: Query, columns: Sequence[str]) -> list[int] | None:
    """The result columns that the outer ORDER BY sorts by; None where there is none or a key does not come out."""
    order = query.outer.args.get("order")
    if order is None:
        return None
    found = [_result_column(one.this, query, columns) for one in order.expressions]
    return None if None in found else [at for at in found if at is not None]


def _result_column(key: Expr, query: Query, columns: Sequence[str]) -> int | None:
    if isinstance(key, exp.Literal) and key.name.isdigit():
        at = int(key.name) - 1
        return at if at < len(columns) else None
    selects = query.outer.selects if isinstance(query.outer, exp.Query) else []
    for at, one in enumerate(selects if len(selects) == len(columns) else []):
        same_name = isinstance(key, exp.Column) and not key.table and key.name.upper() == one.alias_or_name.upper()
        if same_name or one.unalias() == key:
            return at
    if isinstance(key, exp.Column):
        names = [name.upper() for name in columns]
        if names.count(key.name.upper()) == 1 and len(selects) != len(columns):
            return names.index(key.name.upper())
    return None
