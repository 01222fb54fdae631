"""Everything that can go wrong, in one tree, each error with what a person needs to act on it.

    DistillError            what, where, cause, help, state; exit code 2 unless its class says otherwise
      UsageError            the command was called in a way that makes no sense
      RecipeError           one or more located problems in a recipe
      PluginError           code named by a recipe could not be found, read or called
      SourceError           a source cannot be read at all, or too many of its rows are malformed
      SetupError            exit 3: a key, an extra, a permission is missing
      TeacherError          exit 3: the endpoint cannot be reached or refuses us
      LedgerError           exit 3: the run directory is damaged or in use
      DiskFull              exit 4: nothing more can be written; what had arrived is saved
      Stopped               exit 4: a limit was reached; the same command continues

May be imported by every module of `distill`; imports nothing of ours.
Design reason: modules raise by vocabulary and only the command line turns an error into text and an exit code. `verify`
and `train` raise exceptions of their own with the same attributes (`where, cause, help, exit_code`), so the same code
shows them.
"""

import traceback
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class DistillError(Exception):
    """Base of all errors that are meant for a person."""

    kind = "error"
    exit_code = 2

    def __init__(self, message: str, *, where: str = "", cause: str = "", help: str = "", state: str = "") -> None:
        super().__init__(message)
        self.where = where
        """`file:line:column` or another place a person can go to."""
        self.cause = cause
        self.help = help
        """The fix, or the next command."""
        self.state = state
        """What is safe, where work had already been done."""

    def __str__(self) -> str:
        return str(self.args[0])


class UsageError(DistillError):
    """The command was called in a way that makes no sense."""

    kind = "usage"


@dataclass(frozen=True, slots=True)
class Problem:
    """One located problem in a recipe."""

    message: str
    file: str = ""
    line: int = 0
    """From 1; 0 when the place is not known."""
    column: int = 0
    length: int = 1
    source: str = ""
    """The text of that line."""
    help: str = ""

    @property
    def where(self) -> str:
        """`file:line:column`, as far as known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class RecipeError(DistillError):
    """All problems of a recipe at once, not only the first."""

    kind = "recipe"

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.message, where=first.where, help=first.help)
        self.problems = list(problems)


class PluginError(DistillError):
    """Code that the recipe names could not be found, read or called."""

    kind = "plugin"


class SourceError(DistillError):
    """A source cannot be read, or more of its rows are malformed than the recipe tolerates."""

    kind = "source"


class SetupError(DistillError):
    """The machine is not ready: a key, an optional package or a permission is missing."""

    kind = "environment"
    exit_code = 3


class TeacherError(DistillError):
    """The teacher cannot be reached or refuses every request."""

    kind = "teacher"
    exit_code = 3


class LedgerError(DistillError):
    """A run directory is damaged, or another process writes to it."""

    kind = "ledger"
    exit_code = 3


class DiskFull(DistillError):  # noqa: N818 - reads as what happened
    """No space left; what had arrived was written into the reserve."""

    kind = "disk"
    exit_code = 4


class Stopped(DistillError):  # noqa: N818
    """A limit of the recipe was reached. Nothing is lost; the same command continues."""

    kind = "stopped"
    exit_code = 4

    def __init__(self, message: str, *, limit: str, cause: str = "", help: str = "", state: str = "") -> None:
        super().__init__(message, cause=cause, help=help, state=state)
        self.limit = limit
        """Which one: `usd`, `tokens`, `minutes`, `interrupt`, `teacher` …; a run's `stopped_by`."""


@contextmanager
def boundary(what: str, *, help: str = "") -> Iterator[None]:
    """Name the boundary that user code crossed: whatever it raises becomes a PluginError with its file and line."""
    try:
        yield
    except DistillError:
        raise
    except (Exception, SystemExit) as error:  # a plug-in that is a script may end in `sys.exit()`
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise PluginError(
            f"{what} failed",
            where=f"{last.filename}:{last.lineno}",
            cause=f"{type(error).__name__}: {error}",
            help=help,
        ) from error


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of coroutines that run at the same time, in order.

    When one fails the others go on to their end, since what they ask may be paid for; then the error that matters is
    raised. Cancelling cancels all of them.
    """
    import asyncio  # the command line's `--help` reads this module too

    results = await asyncio.gather(*work, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise next((error for error in errors if isinstance(error, DistillError)), errors[0])
    return [result for result in results if not isinstance(result, BaseException)]


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that matters in a group: ours before others, since the others are often its consequences."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if isinstance(leaf, DistillError)), leaves[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
