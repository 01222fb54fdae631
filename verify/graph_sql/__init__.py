"""SQL:2023 GRAPH_TABLE understood: parse, bind, lower, execute and judge queries on property graphs.

May be imported by everybody; importing it loads neither sqlglot nor duckdb.
Design reason: everything heavy is behind `load`, so that naming the verifier in a recipe costs nothing.
"""

from .errors import GraphBindingError, GraphCannotRun, GraphRunError, GraphSqlError, GraphSyntaxError

__all__ = [
    "GraphBindingError",
    "GraphCannotRun",
    "GraphRunError",
    "GraphSqlError",
    "GraphSyntaxError",
]
