"""Judging one query by another: on the script's own rows, and on generated rows that tell near-misses apart.

May be imported by `database` and the verifier; imports sqlglot.
Design reason: equal rows on one small database prove little. Where the gold itself leaves rows open (ties at a cut, the
order inside an aggregate) generated rows would call right answers wrong, so there only the script's own rows are used.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from sqlglot import exp

from .compare import Row, canonical, compare_rows
from .errors import GraphCannotRun, GraphRunError, GraphSqlError
from .generate import Rows, generate, pools_of
from .outer import call_rank, order_columns
from .search import search_of
from .tree import Column, Query

if TYPE_CHECKING:
    from .database import Database, Prepared, Result

SEEDS = 6
"""Generated databases per gold, as far as there are seeds on which the gold returns rows."""
TRIED = 14
"""Seeds that are tried to find them."""
KEPT = 8
"""Golds whose results are kept in a process. Each may hold six databases of 10 MB."""
_kept: "OrderedDict[tuple[Database, str], Gold]" = OrderedDict()

Verdict = Literal["equal", "differs", "error"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing two queries gave, with the smallest pair of results that shows a difference."""

    verdict: Verdict
    reason: str = ""
    gold: "Result | None" = None
    other: "Result | None" = None
    missing: tuple[Row, ...] = ()
    unexpected: tuple[Row, ...] = ()
    seed: int | None = None
    """The generated database that shows the difference, None for the script's own rows."""
    databases: int = 0
    """How many generated databases were compared."""

    def __bool__(self) -> bool:
        return self.verdict == "equal"


@dataclass(slots=True)
class Gold:
    """A gold as it is kept: its results on the script's rows and on every generated database."""

    prepared: "Prepared"
    result: "Result"
    keys: list[int] | None
    whole: "Result | None" = None
    """All rows before FETCH FIRST, where its cut falls between rows with equal keys and any of them would do."""
    numbers: tuple[int, ...] = ()
    """Columns that hold MATCHNUM: only which of them are equal has a meaning."""
    generated: list[tuple[int, "Database", "Result"]] | None = field(default=None)
    """Made when the first answer needs them: most answers are settled before."""


def gold_of(db: "Database", sql: str) -> Gold:
    """A gold's results; raises GraphSqlError when it does not run on the script's own rows."""
    key = (db, sql)
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    prepared = db.prepare(sql)
    result = db.query(sql)
    gold = Gold(prepared, result, order_columns(prepared.query, result.columns))
    gold.whole = uncut(db, prepared.query)
    gold.numbers = tuple(match_numbers(prepared.query, result.columns))
    _kept[key] = gold
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return gold


def _generated(db: "Database", gold: Gold) -> list[tuple[int, "Database", "Result"]]:
    """The generated databases of a gold, with its results; at most two on which it returns nothing."""
    if gold.generated is not None:
        return gold.generated
    gold.generated = []
    if not is_determined(gold.prepared.query):
        return gold.generated
    pools = pools_of(gold.prepared.query, gold.prepared.bounds)
    own = db.rows()
    empty = 0
    for seed in range(TRIED):
        made = _try_seed(db, gold, generate(db.catalog, own, pools, seed=seed, bounds=gold.prepared.bounds))
        if made is None or (empty > 1 and not made[1].rows):
            continue
        empty += not made[1].rows
        gold.generated.append((seed, *made))
        if len(gold.generated) == SEEDS:
            break
    return gold.generated


def _try_seed(db: "Database", gold: Gold, rows: Rows) -> "tuple[Database, Result] | None":
    """None for rows on which the gold fails or leaves its result open: they tell nothing about an answer."""
    try:
        other = db.with_rows(rows)
        if uncut(other, gold.prepared.query) is not None:
            return None
        result = other.query(gold.prepared.query.text)
        return None if _numbers_ties(other, gold.prepared.query, result) else (other, result)
    except GraphSqlError:
        return None


def _numbers_ties(db: "Database", query: Query, result: "Result") -> bool:
    """Whether ROW_NUMBER tells rows apart that its ORDER BY does not: RANK then gives another result."""
    if query.outer.find(exp.RowNumber) is None:
        return False
    ranked = query.outer.copy()
    for number in list(ranked.find_all(exp.RowNumber)):
        number.replace(call_rank())
    return not compare_rows(result.rows, db.run_tree(replace(query, outer=ranked)).rows).equal


def compare_queries(db: "Database", gold_sql: str, sql: str) -> Comparison:
    """Compare a query with a gold; raises GraphSqlError for a gold that does not run and GraphCannotRun for either."""
    gold = gold_of(db, gold_sql)
    try:
        result = db.query(sql)
    except GraphCannotRun:
        raise
    except GraphSqlError as error:
        return Comparison("error", f"{error.stage} error: {error}")
    return compare_result(db, gold, sql, result)


def compare_result(db: "Database", gold: Gold, sql: str, result: "Result") -> Comparison:
    """Compare a query that ran with a gold, first on the script's own rows."""
    if gold.whole is not None:
        return _compared_to_any(gold, gold.whole, result)
    own = _compared(_numbered(gold.result, gold.numbers), _numbered(result, gold.numbers), gold.keys, None)
    if own is not None:
        return own
    if _same_text(db, gold, sql):
        return Comparison("equal", gold=gold.result, other=result)
    if _leaves_order_to_chance(db, gold, sql):
        return Comparison("differs", "the rows are sorted by chance: there is no ORDER BY", gold.result, result)
    found: list[Comparison] = []
    generated = _generated(db, gold)
    for seed, database, expected in generated:
        try:
            difference = _compared(expected, database.query(sql), gold.keys, seed)
        except GraphRunError as error:
            difference = Comparison("differs", f"on other rows: {error}", expected, None, seed=seed)
        if difference is not None:
            found.append(difference)
    if not found:
        return Comparison("equal", gold=gold.result, other=result, databases=len(generated))
    smallest = min(
        found, key=lambda one: len(one.gold.rows if one.gold else ()) + len(one.other.rows if one.other else ())
    )
    return replace(smallest, databases=len(generated))


def _leaves_order_to_chance(db: "Database", gold: Gold, sql: str) -> bool:
    """Whether the gold sorts rows that a query without ORDER BY may return in any order."""
    if gold.keys is None or db.prepare(sql).query.outer.unnest().args.get("order") is not None:
        return False
    first = _keys(gold.result.rows[0], gold.keys) if gold.result.rows else None
    return any(_keys(row, gold.keys) != first for row in gold.result.rows)


def _same_text(db: "Database", gold: Gold, sql: str) -> bool:
    return _canonical(gold.prepared.query) == _canonical(db.prepare(sql).query)


@lru_cache(maxsize=512)
def _canonical_text(text: str, dialect: str) -> str:
    from .parse import parse_query

    return parse_query(text, dialect=dialect).canonical()


def _canonical(query: Query) -> str:
    return _canonical_text(query.text, query.dialect)


def _compared(gold: "Result", other: "Result", keys: list[int] | None, seed: int | None) -> Comparison | None:
    """None where the results are equal."""
    wanted, got = len(gold.columns), len(other.columns)
    if wanted != got:
        return Comparison("differs", f"{wanted} columns expected, {got} returned", gold, other, seed=seed)
    compared = compare_rows(gold.rows, other.rows, keys=keys)
    if compared.equal:
        return None
    where = "" if seed is None else "on generated rows: "
    return Comparison("differs", where + compared.reason, gold, other, compared.missing, compared.unexpected, seed)


# ---------------------------------------------------------------- what a gold leaves open


def _compared_to_any(gold: Gold, whole: "Result", result: "Result") -> Comparison:
    """The gold takes some of several equally good rows: as many of the same choice are right."""
    if len(result.columns) != len(whole.columns) or len(result.rows) != len(gold.result.rows):
        found = _compared(gold.result, result, None, None)
        return found or Comparison("equal", gold=gold.result, other=result)
    compared = compare_rows(whole.rows, result.rows)
    if compared.unexpected:
        reason = "rows that the gold cannot have"
        return Comparison("differs", reason, gold.result, result, unexpected=compared.unexpected)
    return Comparison("equal", gold=gold.result, other=result)


def _numbered(result: "Result", columns: tuple[int, ...]) -> "Result":
    """The result with the numbers of matches replaced by ranks that depend on the other columns only."""
    rows = result.rows
    for column in columns:
        if rows and column < len(rows[0]):
            rows = _ranked(rows, column)
    return replace(result, rows=rows)


def _ranked(rows: list[Row], column: int) -> list[Row]:
    together: dict[Any, list[str]] = {}
    for row in rows:
        together.setdefault(row[column], []).append(repr(canonical((*row[:column], *row[column + 1 :]))))
    order = sorted(together, key=lambda number: sorted(together[number]))
    ranks = {number: rank for rank, number in enumerate(order)}
    return [(*row[:column], ranks[row[column]], *row[column + 1 :]) for row in rows]


def match_numbers(query: Query, columns: list[str]) -> list[int]:
    """The result columns that are nothing but MATCHNUM."""
    names = {
        column.name.text.upper()
        for table in query.tables
        for column in table.columns
        if isinstance(column, Column) and str(column.expression.name).upper() == "MATCHNUM"
    }
    return [at for at, name in enumerate(columns) if name.upper() in names]


_OPEN_WINDOWS = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Ntile)


def is_determined(query: Query) -> bool:
    """Whether a query's rows follow from the data alone, save for a cut at the end of the outermost query."""
    outer = query.outer
    if any(node is not outer and node.args.get("limit") is not None for node in outer.find_all(exp.Query)):
        return False
    if any(isinstance(window.this, _OPEN_WINDOWS) for window in outer.find_all(exp.Window)):
        return False
    if any(not isinstance(one.this, exp.Order) for one in outer.find_all(exp.GroupConcat)):
        return False
    if any(column.name.upper() == "ROWNUM" for column in outer.find_all(exp.Column)):
        return False
    if any(search_of(path.prefix).ties for table in query.tables for path in table.paths):
        return False  # ANY SHORTEST returns one of several, and which one is open
    nodes = [one.expression for table in query.tables for one in table.columns if hasattr(one, "expression")]
    return not any(str(call.this).upper() == "MATCHNUM" for node in nodes for call in node.find_all(exp.Anonymous))


def uncut(db: "Database", query: Query) -> "Result | None":
    """All rows of a query whose FETCH FIRST cuts between rows with equal keys; None where its rows are determined."""
    limit = query.outer.args.get("limit")
    if limit is None or _keeps_ties(limit):
        return None
    whole = query.outer.copy()
    whole.set("limit", None)
    everything = db.run_tree(replace(query, outer=whole))
    keys = order_columns(query, everything.columns)
    count = limit.args.get("count") or limit.args.get("expression")
    if keys is None or not isinstance(count, exp.Literal | None) or query.outer.args.get("offset") is not None:
        return everything
    most = int(count.name) if count is not None else 1
    if len(everything.rows) <= most or most == 0:
        return None
    return everything if _keys(everything.rows[most - 1], keys) == _keys(everything.rows[most], keys) else None


def _keeps_ties(limit: exp.Expr) -> bool:
    options = limit.args.get("limit_options")
    return bool(options is not None and options.args.get("with_ties"))


def _keys(row: tuple[Any, ...], keys: list[int]) -> list[Any]:
    return [row[at] for at in keys]
