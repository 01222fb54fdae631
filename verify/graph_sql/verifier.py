"""The verifier `graph_sql`: does a completion's query return what the gold returns, on the row's own database?

May be imported by `verify.graph_sql`; imports the contract, and `database` only while it runs.
Design reason: the reason of a verdict is written for the model that has to repair its query, so it repeats the error's
place and hint, or the rows that make the difference.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..contract import Case, Status, Verdict, verifier  # noqa: TID252  (relative: the package has a generic name)
from .compare import to_json
from .dialects import DialectName
from .errors import GraphBindingError, GraphCannotRun, GraphSqlError, GraphSyntaxError

if TYPE_CHECKING:
    from .database import Database, Result
    from .judge import Comparison, Gold

_FENCE = "```"


@verifier(needs_gold=False)
def graph_sql(
    case: Case,
    *,
    database: Path,
    dialect: DialectName = "oracle",
    against: Literal["gold", "none"] = "gold",
    must_use_graph_table: bool = True,
) -> Verdict:
    """Judge the query in an answer by running it on `database`, a script; against the gold's rows unless `none`.

    Equal rows on the script's own data are then tried on generated data, which tells near-misses apart. `skip` without
    a gold or for what cannot run here, `error` for a gold that does not run.
    """
    if against == "gold" and case.gold is None:
        return Verdict(Status.SKIP, "no reference answer")
    loaded = open_database(database, dialect)
    gold = None
    if against == "gold":
        try:
            gold = _gold(loaded, case.gold or "")
        except GraphCannotRun as error:
            return Verdict(Status.SKIP, f"the gold cannot run here: {error}")
        except GraphSqlError as error:
            return Verdict(Status.ERROR, f"gold: {error}")
    return _judge(loaded, case.answer, gold, must_use_graph_table=must_use_graph_table)


def _judge(loaded: "Database", answer: str, gold: "Gold | None", *, must_use_graph_table: bool) -> Verdict:
    try:
        sql = extract_sql(answer)
        if must_use_graph_table and not loaded.parse(sql).tables:
            return _failed("graph_table", "the query does not use GRAPH_TABLE", 0.2)
        result = loaded.query(sql)
    except GraphCannotRun as error:
        return Verdict(Status.SKIP, f"cannot run here: {error}", evidence={"stage": error.stage})
    except GraphSqlError as error:
        score = 0.0 if isinstance(error, GraphSyntaxError) else 0.2 if isinstance(error, GraphBindingError) else 0.4
        return _failed(error.stage, f"{error.stage} error: {error}", score)
    if gold is None:
        return Verdict(Status.PASS, f"{len(result.rows)} rows", 1.0, {"stage": "rows", "returned": table(result)})
    return _compared(loaded, gold, sql, result)


def _failed(stage: str, reason: str, score: float) -> Verdict:
    return Verdict(Status.FAIL, reason, score, {"stage": stage})


def _compared(loaded: "Database", gold: "Gold", sql: str, result: "Result") -> Verdict:
    from .judge import compare_result

    compared = compare_result(loaded, gold, sql, result)
    evidence: dict[str, Any] = {"stage": "rows", "expected": table(compared.gold), "returned": table(compared.other)}
    if compared:
        return Verdict(Status.PASS, f"the same {len(result.rows)} rows", 1.0, evidence)
    if compared.seed is not None:
        evidence["generated"] = compared.seed
    if len(gold.result.columns) != len(result.columns):
        return Verdict(Status.FAIL, compared.reason, 0.6, evidence | {"stage": "columns"})
    return Verdict(Status.FAIL, _explain(compared), 0.9 if compared.seed is not None else 0.8, evidence)


def _explain(compared: "Comparison") -> str:
    parts = [compared.reason]
    if compared.missing:
        parts.append(f"missing, for example: {_show(compared.missing[0])}")
    if compared.unexpected:
        parts.append(f"not expected, for example: {_show(compared.unexpected[0])}")
    return "; ".join(parts)


def _show(row: tuple[Any, ...]) -> str:
    return "(" + ", ".join("NULL" if one is None else str(to_json(one)) for one in row) + ")"


def table(result: "Result | None", most: int = 10) -> dict[str, Any]:
    """A result as evidence: columns, the first rows, and how many there are; empty where there is none."""
    if result is None:
        return {}
    rows = [[to_json(value) for value in row] for row in result.rows[:most]]
    return {"columns": result.columns, "rows": rows, "count": len(result.rows)}


# ---------------------------------------------------------------- finding the query


def extract_sql(answer: str) -> str:
    """The one query of an answer: its only fenced block, or the whole answer when there is none.

    Raises GraphSyntaxError for an empty answer, an unclosed fence or several blocks.
    """
    blocks = _blocks(answer)
    if len(blocks) > 1:
        raise GraphSyntaxError(f"the answer has {len(blocks)} code blocks", hint="give exactly one ```sql block")
    text = (blocks[0] if blocks else answer).strip()
    if not text:
        raise GraphSyntaxError("the answer has no query")
    return text


def _blocks(answer: str) -> list[str]:
    blocks: list[str] = []
    open_at: list[str] | None = None
    for line in answer.splitlines():
        if line.strip().startswith(_FENCE):
            if open_at is None:
                open_at = []
            else:
                blocks.append("\n".join(open_at))
                open_at = None
        elif open_at is not None:
            open_at.append(line)
    if open_at is not None:
        raise GraphSyntaxError("a code block is opened and never closed")
    return blocks


# ---------------------------------------------------------------- what a worker keeps


def open_database(path: Path, dialect: str) -> "Database":
    """The loaded script, kept in this process until the file changes. Raises GraphSqlError or OSError."""
    return _open(str(path), path.stat().st_mtime_ns, dialect)


@lru_cache(maxsize=16)
def _open(path: str, stamp: int, dialect: str) -> "Database":
    from . import load

    return load(Path(path), dialect)


def _gold(loaded: "Database", answer: str) -> "Gold":
    from .judge import gold_of

    return gold_of(loaded, extract_sql(answer))
