"""A loaded database: its graphs, and queries parsed, bound, lowered and executed on an embedded DuckDB.

May be imported by `load` and the verifier; imports sqlglot and duckdb.
Design reason: one object holds the catalog and one locked in-memory connection, since making a database costs ten times
what a query costs; time and memory are limited by the worker process around it, not here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from .adapt import TEXT_MACRO, adapt
from .bind import Bound, bind_query
from .bind_expressions import conditions
from .catalog import Catalog, ElementTable, Graph, Property, Table, describe
from .ddl import Script, parse_script
from .dialects import DIALECTS
from .errors import GraphBindingError, GraphCannotRun, GraphRunError, GraphSqlError, GraphSyntaxError, Place, place
from .lower import Types, lower_empty, lower_table
from .lower_expressions import quote
from .outer import check_bare_limits, check_tables, lower_outer
from .outer_names import check_aliases
from .parse import parse_query
from .suggest import did_you_mean
from .tree import Expr, Query

if TYPE_CHECKING:
    from .judge import Comparison

Rows = dict[str, list[tuple[Any, ...]]]
MAX_ROWS = 10_000
"""Most rows of a result; a query that returns more raises GraphRunError."""

_OPTIMIZERS = frozenset(
    """filter_pushdown filter_pullup expression_rewriter join_order build_side_probe_side unused_columns column_lifetime
    deliminator in_clause unnest_rewriter cte_inlining top_n limit_pushdown""".split()  # noqa: SIM905  (one per word)
)
"""The optimizers that stay on. The others cost planning time that small tables never repay, and one of them is wrong:
`common_subplan` of DuckDB 2.0.0 mixes up the columns of two equal joins in a UNION ALL."""

_SETTINGS = (
    "SET temp_directory = ''",
    "SET enable_progress_bar = false",
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a query returned."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query that was parsed, bound and lowered."""

    query: Query
    bounds: tuple[Bound, ...]
    sql: str


class Database:
    """Tables and property graphs of one script. Not safe for use from several threads at once."""

    def __init__(
        self, script: Script, dialect: str, *, like: "Database | None" = None, rows: Rows | None = None
    ) -> None:
        self.dialect = dialect
        self._script = script
        # its threads would cost each database 110 MB of a worker's address space
        self._connection = duckdb.connect(":memory:", config={"threads": 1, "async_threads": 0})
        _fill(self._connection, script, dialect, rows)
        self.types: Types = like.types if like is not None else _property_types(self._connection, script)
        self.catalog: Catalog = like.catalog if like is not None else _with_types(script.catalog(), self.types)
        self._connection.execute(f"SET disabled_optimizers = '{_left_out()}'")
        if DIALECTS[dialect].whole_division:
            self._connection.execute("SET integer_division = true")
        for setting in _SETTINGS:
            self._connection.execute(setting)
        self._prepare = lru_cache(maxsize=64)(self._prepare_now)

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """The property graphs by name as written."""
        return MappingProxyType({one.shown: one for one in self.catalog.graphs.values()})

    def describe(self, graph: str | None = None) -> str:
        """Compact schema for a prompt, of one graph or of all; raises GraphBindingError for an unknown graph."""
        if graph is None:
            return describe(self.catalog.graphs.values())
        found = self.catalog.graphs.get(DIALECTS[self.dialect].fold(graph))
        if found is None:
            raise GraphBindingError(f"no graph `{graph}`", hint=did_you_mean(graph, self.graphs, "the graphs are"))
        return describe([found])

    def parse(self, sql: str) -> Query:
        """The tree of a query; raises GraphSyntaxError."""
        return parse_query(sql, dialect=self.dialect)

    def check(self, sql: str) -> None:
        """Parse and bind, run nothing; raises GraphSyntaxError or GraphBindingError."""
        try:
            query = parse_query(sql, dialect=self.dialect)
            bounds = self._bind(query)
            if any(bound.cannot_run for bound in bounds):
                return
            # DuckDB binds the query around patterns without rows, which is all there is left to check
            bodies = [lower_empty(bound, self.types) for bound in bounds]
            self._connection.execute(f"PREPARE checked AS {lower_outer(query, bounds, bodies)}")
            self._connection.execute("DEALLOCATE checked")
        except RecursionError:
            raise GraphSyntaxError("the query is nested too deeply") from None
        except GraphCannotRun:
            return
        except duckdb.Error as error:
            translated = _from_duckdb(error, sql, binding=True)
            if not isinstance(translated, GraphCannotRun):
                raise translated from None

    def lower(self, sql: str) -> str:
        """The plain SQL for DuckDB that a query means; raises GraphSqlError."""
        return self._prepare(sql).sql

    def prepare(self, sql: str) -> Prepared:
        """A query parsed, bound and lowered; raises GraphSqlError."""
        return self._prepare(sql)

    def query(self, sql: str, binds: Mapping[str, Any] | None = None) -> Result:
        """Run a query; `binds` has values for `:name`. Raises GraphSqlError, GraphCannotRun among it."""
        prepared = self._prepare(sql)
        return self._run(prepared, _bound_values(prepared, binds or {}))

    def _run(self, prepared: Prepared, binds: dict[str, Any]) -> Result:
        try:
            cursor = self._connection.execute(prepared.sql, binds or None)
            rows = cursor.fetchmany(MAX_ROWS + 1)
            columns = [one[0] for one in cursor.description or ()]
        except duckdb.Error as error:
            raise _from_duckdb(error, prepared.query.text, binding=False) from None
        if len(rows) > MAX_ROWS:
            raise GraphRunError(f"the result has more than {MAX_ROWS:,} rows")
        return Result(columns, rows)

    def run_tree(self, query: Query) -> Result:
        """Run a query given as a tree; raises GraphSqlError."""
        return self._run(self._lower(query), {})

    def compare(self, gold: str, sql: str) -> "Comparison":
        """Compare a query with a gold on the script's rows and on generated ones; a false result carries a witness.

        Raises GraphSqlError when the gold does not run, and GraphCannotRun when either cannot run here.
        """
        from .judge import compare_queries

        return compare_queries(self, gold, sql)

    def generate(self, seed: int, *, for_queries: Sequence[str] = ()) -> "Database":
        """A database with the same tables and graphs and other rows, made to tell near-misses of the queries apart."""
        from .generate import generate, pools_of

        pools: dict[str, set[Any]] = {}
        bounds: list[Bound] = []
        for sql in for_queries:
            prepared = self._prepare(sql)
            bounds += prepared.bounds
            for name, values in pools_of(prepared.query, prepared.bounds).items():
                pools.setdefault(name, set()).update(values)
        return self.with_rows(generate(self.catalog, self.rows(), pools, seed=seed, bounds=bounds))

    def rows(self) -> Rows:
        """The rows of every base table."""
        names = [table.name for table in self.catalog.tables.values() if table.query is None]
        return {name: self._connection.execute(f"SELECT * FROM {quote(name)}").fetchall() for name in names}

    def with_rows(self, rows: Rows) -> "Database":
        """The same tables and graphs over other rows."""
        return Database(self._script, self.dialect, like=self, rows=rows)

    def _prepare_now(self, sql: str) -> Prepared:
        return self._lower(parse_query(sql, dialect=self.dialect))

    def _bind(self, query: Query) -> list[Bound]:
        check_bare_limits(query)
        bounds = bind_query(query, self.catalog)
        check_tables(query, self.catalog)
        check_aliases(query, bounds, self.catalog, DIALECTS[query.dialect])
        return bounds

    def _lower(self, query: Query) -> Prepared:
        bounds = self._bind(query)
        blocked = next((bound.cannot_run for bound in bounds if bound.cannot_run), "")
        if blocked:
            raise GraphCannotRun(blocked)
        try:
            bodies = [lower_table(bound, self.types) for bound in bounds]
            return Prepared(query, tuple(bounds), lower_outer(query, bounds, bodies))
        except RecursionError:
            raise GraphSyntaxError("the query is nested too deeply") from None


def _bound_values(prepared: Prepared, binds: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the binds that a query has; one it does not have is passed over."""
    names = sorted(_bind_names(prepared))
    missing = [name for name in names if name not in binds]
    if missing:
        raise GraphBindingError(f"no value for the bind `:{missing[0]}`")
    return {name: binds[name] for name in names}


def _bind_names(prepared: Prepared) -> set[str]:
    nodes: list[Expr] = [prepared.query.outer]
    for bound in prepared.bounds:
        nodes += [one.expression for one in conditions(bound)] + [one.expression for one in bound.columns]
    return {str(one.this) for node in nodes for one in node.find_all(exp.Placeholder) if one.this}


# ---------------------------------------------------------------- loading


@lru_cache(maxsize=1)
def _left_out() -> str:
    with duckdb.connect(":memory:") as connection:
        known = connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()
    return ",".join(name for (name,) in known if name not in _OPTIMIZERS)


def load_script(text: str, dialect: str) -> Database:
    """A database from the text of a script; raises GraphSqlError."""
    return Database(parse_script(text, dialect=dialect), dialect)


def _fill(connection: duckdb.DuckDBPyConnection, script: Script, dialect: str, rows: Rows | None) -> None:
    rules = DIALECTS[dialect]
    try:
        connection.execute(TEXT_MACRO)
        for table in script.tables.values():
            if table.query is None:
                connection.execute(_create(table))
        for name, made in (rows or {}).items():
            if made:
                marks = ", ".join("?" * len(made[0]))
                values = ", ".join([f"({marks})"] * len(made))
                connection.execute(f"INSERT INTO {quote(name)} VALUES {values}", [cell for row in made for cell in row])
        for insert in script.inserts if rows is None else ():
            node = adapt(insert.copy(), rules)
            for one in node.find_all(exp.Identifier):
                one.set("quoted", True)
            connection.execute(node.sql(dialect="duckdb"))
        for table in script.tables.values():
            if table.query is not None:
                view = adapt(table.query.copy(), rules).sql(dialect="duckdb")
                names = ", ".join(quote(one.name) for one in table.columns.values())
                connection.execute(f"CREATE VIEW {quote(table.name)} ({names}) AS {view}")
            else:
                _settle_dates(connection, table)
    except duckdb.Error as error:
        raise GraphRunError("the script cannot be loaded", cause=str(error).split("\n")[0]) from None


def _create(table: Table) -> str:
    columns = [f"{quote(one.name)} {duckdb_type(one.kind)}" for one in table.columns.values()]
    if table.primary_key:
        columns.append(f"PRIMARY KEY ({', '.join(quote(name) for name in table.primary_key)})")
    return f"CREATE TABLE {quote(table.name)} ({', '.join(columns)})"


_WHOLE = frozenset({"INT", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT", "INT128"})
_FLOATING = frozenset({"FLOAT", "DOUBLE", "BIGDECIMAL"})
_TEXTS = frozenset({"VARCHAR", "CHAR", "NCHAR", "NVARCHAR", "TEXT", "NAME", "BPCHAR"})


def duckdb_type(kind: exp.DataType) -> str:
    """The DuckDB type that holds a declared type: whole numbers as BIGINT, NUMBER without precision as DOUBLE."""
    name = kind.this.name if hasattr(kind.this, "name") else str(kind.this)
    if name in _WHOLE:
        return "BIGINT"
    if name in _FLOATING:
        return "DOUBLE"
    if name in _TEXTS:
        return "VARCHAR"
    if name == "DECIMAL":
        return _decimal([int(one.name) for one in kind.expressions if one.name.lstrip("-").isdigit()])
    if name == "DATE":
        return "TIMESTAMP"
    return kind.sql(dialect="duckdb")


def _decimal(sizes: list[int]) -> str:
    if not sizes:
        return "DOUBLE"
    precision, scale = min(sizes[0], 38), max(0, sizes[1]) if len(sizes) > 1 else 0
    if scale == 0:
        return "BIGINT" if precision <= 18 else "HUGEINT"
    return f"DECIMAL({precision}, {scale})"


def _settle_dates(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Dates are read as timestamps; a column without any time of day becomes a DATE, whose arithmetic is in days."""
    for column in table.columns.values():
        if not column.kind.is_type("DATE"):
            continue
        name = quote(column.name)
        timed = f"SELECT 1 FROM {quote(table.name)} WHERE {name} <> CAST({name} AS DATE) LIMIT 1"
        if connection.execute(timed).fetchone() is None and column.name not in table.primary_key:
            connection.execute(f"ALTER TABLE {quote(table.name)} ALTER {name} TYPE DATE")


def _property_types(connection: duckdb.DuckDBPyConnection, script: Script) -> dict[tuple[str, str, str], str]:
    types: dict[tuple[str, str, str], str] = {}
    for graph in script.graphs.values():
        for table in (*graph.vertices.values(), *graph.edges.values()):
            for name, kind in _described(connection, table).items():
                types.setdefault((graph.name, table.kind, name), kind)
    return types


def _described(connection: duckdb.DuckDBPyConnection, table: ElementTable) -> dict[str, str]:
    if not table.properties:
        return {}
    listed = ", ".join(one.expression.sql(dialect="duckdb") for one in table.properties.values())
    try:
        rows = connection.execute(f"DESCRIBE SELECT {listed} FROM {quote(table.table)}").fetchall()
    except duckdb.Error as error:
        raise GraphCannotRun(f"a property of `{table.shown}` cannot be computed here", cause=str(error)) from None
    return {name: row[1] for name, row in zip(table.properties, rows, strict=True)}


def _with_types(catalog: Catalog, types: Mapping[tuple[str, str, str], str]) -> Catalog:
    """The catalog with the types of computed properties filled in."""

    def typed(graph: Graph, table: ElementTable) -> ElementTable:
        properties: dict[str, Property] = {
            name: one if one.type else replace(one, type=types[graph.name, table.kind, name])
            for name, one in table.properties.items()
        }
        return replace(table, properties=properties)

    graphs = {
        name: replace(
            graph,
            vertices={key: typed(graph, table) for key, table in graph.vertices.items()},
            edges={key: typed(graph, table) for key, table in graph.edges.items()},
        )
        for name, graph in catalog.graphs.items()
    }
    return replace(catalog, graphs=graphs)


# ---------------------------------------------------------------- DuckDB's errors

_NO_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")
_NO_COLUMN = re.compile(r"Referenced column \"([^\"]+)\" (?:not found|was not found)")
_NO_TABLE = re.compile(r"Referenced table \"([^\"]+)\" not found")
_NO_FIELD = re.compile(r"(?:Table|Values list) \"([^\"]+)\" does not have a column named \"([^\"]+)\"")
_TOO_STRICT = ("No function matches the given name", "Cannot compare values of type", "Cannot mix values of type")
"""Errors of DuckDB where others convert a value: whether the query is right cannot be told here."""
_CANDIDATES = re.compile(r"Candidate (?:bindings|tables): ?(.*)")


def _from_duckdb(error: duckdb.Error, sql: str, *, binding: bool) -> GraphSqlError:
    text = str(error).split("\n\nLINE")[0].strip()
    if found := _NO_FUNCTION.search(text):
        return GraphCannotRun(f"function `{found[1]}` is not executed here", **_find(sql, found[1]))
    if found := _NO_TABLE.search(text):
        hint = "a variable of a pattern is visible only inside its GRAPH_TABLE; name the column in COLUMNS"
        return GraphBindingError(
            f"no table or alias `{found[1]}` in the outer query", hint=hint, **_find(sql, found[1])
        )
    if found := _NO_FIELD.search(text):
        return GraphBindingError(
            f"`{found[1]}` has no column `{found[2]}`", hint=_candidates(text), **_find(sql, found[2])
        )
    if found := _NO_COLUMN.search(text):
        return GraphBindingError(f"no column `{found[1]}`", hint=_candidates(text), **_find(sql, found[1]))
    first = text.split("\n")[0]
    if isinstance(error, duckdb.ParserException) or any(words in first for words in _TOO_STRICT):
        return GraphCannotRun("the query uses something that is not executed here", cause=first)
    if isinstance(error, duckdb.BinderException) or binding:
        return GraphBindingError(first.removeprefix("Binder Error: "))
    return GraphRunError(first)


def _candidates(text: str) -> str:
    found = _CANDIDATES.search(text)
    names = re.findall(r'"([^"]+)"', found[1]) if found else []
    return f"there is {', '.join(names)}" if names else ""


def _find(sql: str, name: str) -> Place:
    found = list(re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE))
    return place(sql, found[-1].start()) if found else {}
