"""What can go wrong with a GRAPH_TABLE query, as four exceptions that name the stage, the place and the way out.

May be imported by everybody; imports nothing.
Design reason: the text of these errors goes back to a model as repair feedback, so place and hint are fields of the
error and not only part of its message.
"""

from typing import TypedDict


class GraphSqlError(Exception):
    """A query or script that is refused. `line` and `column` count from 1; both are 0 where no place is known."""

    stage = "sql"
    exit_code = 2

    def __init__(self, message: str, *, line: int = 0, column: int = 0, hint: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.hint, self.cause = message, line, column, hint, cause

    @property
    def where(self) -> str:
        """The place in the query as text, empty where none is known."""
        return f"line {self.line}, column {self.column}" if self.line else ""

    @property
    def help(self) -> str:
        """The hint, under the name that the command line renders."""
        return self.hint

    def __str__(self) -> str:
        place = f" ({self.where})" if self.line else ""
        return f"{self.message}{place}" + (f"; {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[object, ...]:
        """Keyword-only fields survive the way back from a worker process."""
        return _rebuild, (type(self), self.message, self.line, self.column, self.hint, self.cause)


def _rebuild(kind: type[GraphSqlError], message: str, line: int, column: int, hint: str, cause: str) -> GraphSqlError:
    return kind(message, line=line, column=column, hint=hint, cause=cause)


class GraphSyntaxError(GraphSqlError):
    """The text is not a query of this dialect."""

    stage = "syntax"


class GraphBindingError(GraphSqlError):
    """The text parses, but names something that is not there, or uses it in a way that has no meaning."""

    stage = "binding"


class GraphCannotRun(GraphSqlError):  # noqa: N818  (it is no fault of the query)
    """A good query that the embedded database cannot execute; says nothing about right or wrong."""

    stage = "cannot run"


class GraphRunError(GraphSqlError):
    """A query that binds and then fails while it runs: a division by zero, a cast, too many rows."""

    stage = "execution"


class Place(TypedDict, total=False):
    """Keyword arguments that tell an error its place."""

    line: int
    column: int


def place(text: str, offset: int) -> Place:
    """Line and column (from 1) of an offset; empty for a negative offset."""
    if offset < 0:
        return {}
    before = text[:offset]
    return {"line": before.count("\n") + 1, "column": offset - (before.rfind("\n") + 1) + 1}
