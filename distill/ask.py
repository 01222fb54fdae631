"""The one paid path: the ledger, else the pace and the teacher, then the ledger again.

May be imported by engine, strategies (as a type) and check; imports records and errors, and takes ledger, pace and
teacher as it is given them.
Design reason: whatever asks, an answer, a rephrasing, later a judge, asks through here, so nothing that was paid for
can escape the ledger, the budget or the replay. A reply is returned only after it is committed.
"""

import asyncio
import traceback
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from distill.errors import DistillError, boundary
from distill.pace import Pace
from distill.records import Reply, Request, Usage
from distill.teachers import AttemptFailed, Teacher

T = TypeVar("T")


class NotInLedger(Exception):  # noqa: N818 - reads as what happened
    """A reply was needed that the ledger does not hold, and asking was not allowed."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"no reply to `{request.task}` number {request.sample} of row `{request.row.id}`")
        self.request = request


class Replies(Protocol):
    """What `Ask` needs of the ledger."""

    def reply(self, key: str, sample: int) -> Reply | None:
        """The reply filed there, or None."""
        ...

    async def record(self, key: str, sample: int, reply: Reply) -> None:
        """File a reply; returns once it is committed."""
        ...


class Ask:
    """Answers requests from the ledger where it can, and from the teacher where it must.

    With `frozen`, the teacher is never asked: a missing reply raises NotInLedger.
    """

    def __init__(self, teacher: Teacher, ledger: Replies, pace: Pace, *, frozen: bool = False) -> None:
        self._teacher, self._ledger, self._pace, self._frozen = teacher, ledger, pace, frozen
        self._under_way: dict[tuple[str, int], asyncio.Future[None]] = {}
        self.requests = 0
        """Requests that reached the teacher. Several attempts at one of them count once."""
        self.replayed = 0
        """Replies taken from the ledger."""

    @property
    def usage(self) -> Usage:
        """What the replies of this process cost."""
        return self._pace.usage

    def key(self, request: Request) -> str:
        """What the ledger files the reply to `request` under, beside the sample index.

        It covers what the teacher `reads` beside the messages, where it does. Raises PluginError when `reads` fails.
        """
        reads = getattr(self._teacher, "reads", None)
        if reads is None:
            return request.key(self._teacher.identity)
        with boundary("`reads` of the teacher"):
            return request.key(self._teacher.identity, reads(request))

    async def __call__(self, request: Request) -> Reply:
        """The reply. Raises AttemptFailed when this request is lost, and whatever stops the whole run."""
        place = self.key(request), request.sample
        # Before the ledger, which already shows replies that wait for their commit: we wait for it, too.
        while (other := self._under_way.get(place)) is not None:
            await asyncio.shield(other)
        reply = self._ledger.reply(*place)
        if reply is not None:
            self.replayed += 1
            return reply
        if self._frozen:
            raise NotInLedger(request)
        return await self._first(request, place)

    async def _first(self, request: Request, place: tuple[str, int]) -> Reply:
        """Pay for a reply while whoever asks the same waits for it.

        They share our failure. If we are cancelled they are only woken, and the next of them takes over.
        """
        done = self._under_way[place] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._pay(request)
            await to_the_end(self._ledger.record(*place, reply))
        except Exception as error:
            done.set_exception(error)
            done.exception()  # retrieved: there may be nobody else who waits for it
            raise
        finally:
            del self._under_way[place]
            if not done.done():
                done.set_result(None)
        return reply

    async def _pay(self, request: Request) -> Reply:
        reached = False

        async def attempt() -> Reply:
            nonlocal reached
            self.requests += not reached
            reached = True
            return await _attempted(self._teacher, request)

        return await self._pace.attempt(attempt)


async def _attempted(teacher: Teacher, request: Request) -> Reply:
    """One attempt of any teacher. One that breaks, or returns something else, has failed at this request alone."""
    try:
        reply: object = await teacher.attempt(request)
    except (AttemptFailed, DistillError):
        raise
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _being_cancelled():
            raise
        cause = f"{type(error).__name__}: {error}"
        raise AttemptFailed("request", "the teacher failed", where=_place_of(error), cause=cause) from error
    if not isinstance(reply, Reply):
        raise AttemptFailed("request", "the teacher failed", cause=f"returned {type(reply).__name__}, not a Reply")
    try:
        reply.dumps()
    except (TypeError, ValueError, RecursionError) as error:  # nested without end, a number of 30 digits, half a letter
        raise AttemptFailed("request", "the teacher's reply cannot be stored", cause=str(error)) from error
    return reply


def _being_cancelled() -> bool:
    """Whether somebody cancelled us; a CancelledError can also leak out of a library that a teacher uses."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _place_of(error: BaseException) -> str:
    """The line of the teacher's own file that the error came through last; empty where it never got that far."""
    _, *inside = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in inside if frame.filename == inside[0].filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` even while being cancelled, and only then be cancelled: for what must not stop half-way."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except Exception:
            break
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
