"""SQL:2023 GRAPH_TABLE understood: parse, bind, lower, execute and judge queries on property graphs.

May be imported by everybody; importing it loads neither sqlglot nor duckdb.
Design reason: everything heavy is behind `load`, so that naming the verifier in a recipe costs nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import GraphBindingError, GraphCannotRun, GraphRunError, GraphSqlError, GraphSyntaxError
from .trace import trace
from .verifier import graph_sql

if TYPE_CHECKING:
    from .database import Database as Database

__all__ = [
    "GraphBindingError",
    "GraphCannotRun",
    "GraphRunError",
    "GraphSqlError",
    "GraphSyntaxError",
    "graph_sql",
    "load",
    "trace",
]


def load(script: str | Path, dialect: str = "oracle") -> "Database":
    """A database from a script: its text, or the path of a file (a `Path`, or one line that ends in `.sql`).

    Takes CREATE TABLE, CREATE VIEW, INSERT … VALUES and CREATE PROPERTY GRAPH. Raises GraphSqlError for a script that
    is refused, ValueError for an unknown dialect, OSError for a file that cannot be read.
    """
    from .database import load_script
    from .dialects import DIALECTS

    if dialect not in DIALECTS:
        raise ValueError(f"unknown dialect `{dialect}`: use one of {', '.join(DIALECTS)}")
    is_path = isinstance(script, Path) or ("\n" not in script and script.endswith(".sql"))
    return load_script(Path(script).read_text(encoding="utf-8-sig") if is_path else str(script), dialect)
