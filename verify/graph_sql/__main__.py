"""`python -m verify.graph_sql check|run|lower|compare|features SCRIPT [QUERY …]` from a shell.

Imports the package's public face only.
Design reason: a thin shell over the public functions, so that what it prints is what they return. A query given as `-`
is read from standard input.
"""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import GraphSqlError, load
from .dialects import DIALECTS
from .features import features_table

if TYPE_CHECKING:
    from .database import Database


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 for yes, 1 for a difference, 2 for a refused query or script."""
    options = _parser().parse_args(arguments)
    if options.command == "features":
        _say(features_table())
        return 0
    queries = [sys.stdin.read() if one == "-" else one for one in options.query]
    try:
        return _COMMANDS[options.command](load(options.script, options.dialect), queries)
    except (GraphSqlError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verify.graph_sql", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("command", choices=[*_COMMANDS, "features"])
    parser.add_argument("script", nargs="?", default="", help="a .sql file: tables, rows, CREATE PROPERTY GRAPH")
    parser.add_argument("query", nargs="*", help="a query, or - for standard input; `compare` takes the gold first")
    parser.add_argument("--dialect", choices=list(DIALECTS), default="oracle")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _check(db: "Database", queries: list[str]) -> int:
    for query in queries:
        db.check(query)
    _say(db.describe() if not queries else "good")
    return 0


def _run(db: "Database", queries: list[str]) -> int:
    for query in queries:
        result = db.query(query)
        _say("\t".join(result.columns))
        for row in result.rows:
            _say("\t".join("NULL" if value is None else str(value) for value in row))
    return 0


def _lower(db: "Database", queries: list[str]) -> int:
    for query in queries:
        _say(db.lower(query))
    return 0


def _compare(db: "Database", queries: list[str]) -> int:
    if len(queries) != 2:
        raise GraphSqlError("`compare` takes two queries, the gold first")
    compared = db.compare(queries[0], queries[1])
    _say(f"{compared.verdict}{': ' + compared.reason if compared.reason else ''}")
    for lead, rows in (("missing", compared.missing), ("not expected", compared.unexpected)):
        for row in rows:
            _say(f"{lead}: {row}")
    return 0 if compared else 1


_COMMANDS: dict[str, Callable[["Database", list[str]], int]] = {
    "check": _check,
    "run": _run,
    "lower": _lower,
    "compare": _compare,
}

if __name__ == "__main__":
    sys.exit(main())
