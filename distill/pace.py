"""How fast we may go: how many requests at a time, when to try again, and when to stop.

May be imported by engine, check and the tests of teachers; imports records, errors, teachers.
Design reason: one place decides about retries and slots. A slot is held only while an attempt is under way, never while
waiting for the next one, so a server that asks us to wait delays one request and not the run. Clock and sleep are
parameters, so that tests of waiting never wait.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from distill.errors import DistillError, Stopped
from distill.records import Reply, Usage
from distill.teachers import AttemptFailed, Kind, teacher_error

if TYPE_CHECKING:
    from tenacity import RetryCallState

Call = Callable[[], Awaitable[Reply]]
"""One attempt at one request."""

TRIES: dict[Kind, int] = {"connection": 5, "timeout": 3, "throttled": 12, "server": 8, "body": 5}
"""Attempts at one request, by how the last one failed.

With waits of 1, 2, 4 … 60 s, 5 tries span 15 s and 12 more than 6 minutes: quotas are counted per minute, and a request
must outlive several of them. A timeout has cost half an hour by itself.
"""

RESTART_TRIES = 10
"""Attempts against connections that fail once the teacher has answered: a server restarts within 4 minutes."""

LONGEST_WAIT = 60.0
"""Seconds between attempts, unless the server asks for more."""

GIVE_UP = 10
"""Requests given up on, one after another without a reply in between, before the run stops."""

FIRST_BUDGETED = 4
"""Requests in flight under a budget before the first reply has shown what one costs."""


class Limit:
    """How many requests may be in flight: a fixed number, or one that finds its own.

    `auto` starts at 8 and adds one for each reply while it is saturated, so it doubles every round, until the teacher
    shows congestion; then it cuts to 0.8 of itself and grows by one a round. Failures of attempts that began before the
    last cut are its echo and do not cut again.
    """

    START = 8
    MOST = 256
    CUT = 0.8

    def __init__(self, concurrency: int | Literal["auto"] = "auto") -> None:
        self.adaptive = concurrency == "auto"
        self._size = float(self.START if concurrency == "auto" else max(1, concurrency))
        self._found = False
        self._cut_at = -math.inf

    @property
    def value(self) -> int:
        """Requests that may be in flight now."""
        return int(self._size)

    @value.setter
    def value(self, requests: int) -> None:
        self._size = float(max(1, requests))

    def replied(self, *, saturated: bool) -> None:
        """A reply came. Growing without having used what there was would only let the limit drift."""
        if self.adaptive and saturated:
            self._size = min(self.MOST, self._size + (1 / self._size if self._found else 1))

    def congested(self, *, started: float, now: float) -> bool:
        """An attempt that began at `started` met congestion; whether that cut the limit."""
        if not self.adaptive or started < self._cut_at:
            return False
        self._size = max(1.0, self._size * self.CUT)
        self._found, self._cut_at = True, now
        return True


@dataclass(frozen=True, slots=True)
class Budget:
    """What one process may spend; None is no limit."""

    usd: float | None = None
    tokens: int | None = None
    minutes: float | None = None

    def reached(self, usage: Usage, *, seconds: float) -> Stopped | None:
        """The limit that is used up, or None."""
        if self.minutes is not None and seconds >= self.minutes * 60:
            return _over("minutes", f"{self.minutes:g} minutes")
        if self.tokens is not None and usage.usd is None and not _tokens(usage):
            help = "the teacher does not report `usage`; limit `minutes` or `rows` instead"
            return Stopped(
                "`limits.tokens` cannot be kept: how long a reply is is not known", limit="tokens", help=help
            )
        if self.usd is not None and usage.usd is None:
            help = "give `teacher.price`, or limit `tokens` instead"
            return Stopped("`limits.usd` cannot be kept: what a reply costs is not known", limit="usd", help=help)
        spent = [name for name, limit, used in self._counted(usage) if used >= limit]
        return _over(spent[0], self._shown(spent[0], usage)) if spent else None

    def room(self, usage: Usage, *, replies: int) -> float:
        """How many requests may be in flight if each costs what replies have cost so far."""
        counted = self._counted(usage)
        if counted and not replies:
            return FIRST_BUDGETED
        return min(((limit - used) * replies / used for _, limit, used in counted if used), default=math.inf)

    def too_little_left(self, usage: Usage) -> Stopped:
        """The limit that the next reply would break."""
        name = min(((limit - used) / used, name) for name, limit, used in self._counted(usage) if used)[1]
        return _over(name, f"{self._shown(name, usage)}, too little left for another reply")

    def _counted(self, usage: Usage) -> list[tuple[str, float, float]]:
        """Name, limit and use of what adds up over replies."""
        both = (("usd", self.usd, usage.usd or 0.0), ("tokens", self.tokens, _tokens(usage)))
        return [(name, limit, used) for name, limit, used in both if limit is not None]

    def _shown(self, name: str, usage: Usage) -> str:
        if name == "usd":
            return f"${usage.usd or 0.0:.2f} of ${self.usd:.2f}"
        return f"{_tokens(usage):,} of {self.tokens:,} tokens"


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens


def _over(limit: str, spent: str) -> Stopped:
    help = f"the same command continues, with as much again; raise `limits.{limit}` for more at once"
    return Stopped(f"`limits.{limit}` is reached: {spent}", limit=limit, help=help)


class Pace:
    """Lets attempts through, repeats those worth repeating, and stops when a limit of the recipe is reached.

    `usd`, `tokens` and `minutes` are the budget of this process, None for no limit. Requests in flight finish after a
    stop; every other one raises the error that stopped it. `worked` says that the teacher has answered an earlier
    process: requests that it finds unacceptable then tell nothing about the others from the start.
    """

    def __init__(
        self,
        *,
        concurrency: int | Literal["auto"] = "auto",
        usd: float | None = None,
        tokens: int | None = None,
        minutes: float | None = None,
        worked: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limit = Limit(concurrency)
        self._budget = Budget(usd, tokens, minutes)
        self._clock, self._sleep = clock, sleep
        self._began = clock()
        self._worked = worked
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resting: set[asyncio.Future[None]] = set()
        self._lost = 0
        self.stopped: DistillError | None = None
        """What stopped it, or None."""
        self.in_flight = 0
        """Attempts under way now."""
        self.usage = Usage(usd=0.0)
        """What all replies of this process cost; `usd` turns None with the first reply of unknown price."""
        self.replies = 0
        self.retries = 0
        """Attempts made again after a failure."""
        self.slowed = 0
        """How often the limit was cut."""

    @property
    def limit(self) -> int:
        """How many attempts may be under way; may be set while running."""
        return self._limit.value

    @limit.setter
    def limit(self, requests: int) -> None:
        self._limit.value = requests
        self._admit()

    def stop(self, why: DistillError) -> None:
        """Let nothing more through: whoever waits, for a slot or another try, gets `why`. The first reason stays."""
        if self.stopped is None:
            self.stopped = why
            for sleeper in self._resting:
                sleeper.cancel()
            self._admit()

    async def attempt(self, call: Call) -> Reply:
        """The reply to one request, after as many attempts as its failures deserve.

        Raises AttemptFailed when this request is given up on, and what stopped the run (Stopped, TeacherError) when
        there is no point, or no budget, in asking at all.
        """
        began = self._clock()
        try:
            return await self._once(call)
        except AttemptFailed as error:
            failure = error
        if failure.retry and not failure.fatal:
            try:
                return await self._again(call, failure)
            except AttemptFailed as error:
                failure = error
        failure.seconds = self._clock() - began
        self._gave_up(failure)
        raise failure

    # ---------------------------------------------------------------- trying again

    async def _again(self, call: Call, first: AttemptFailed) -> Reply:
        """Wait and retry by tenacity, which takes `first` for its own first attempt."""
        from tenacity import AsyncRetrying, retry_if_exception, wait_exponential_jitter

        backoff = wait_exponential_jitter(max=LONGEST_WAIT, jitter=1)
        failed: AttemptFailed | None = first

        async def attempt() -> Reply:
            nonlocal failed
            if failed is not None:
                error, failed = failed, None
                raise error
            self.retries += 1
            return await self._once(call)

        def wait(state: "RetryCallState") -> float:
            asked = _failure(state).after
            return backoff(state) if asked is None else max(backoff(state), asked + random.random())

        retrying = AsyncRetrying(
            sleep=self._rest,
            stop=self._is_enough,
            wait=wait,
            retry=retry_if_exception(lambda error: isinstance(error, AttemptFailed) and error.retry),
            reraise=True,
        )
        return await retrying(attempt)

    def _is_enough(self, state: "RetryCallState") -> bool:
        failure = _failure(state)
        failure.tries = state.attempt_number
        restarting = failure.kind == "connection" and self.replies > 0
        return state.attempt_number >= (RESTART_TRIES if restarting else TRIES.get(failure.kind, 1))

    async def _rest(self, seconds: float) -> None:
        """Wait before another try; a stop ends it at once, and so does the end of the time allowed."""
        if self._budget.minutes is not None:
            seconds = min(seconds, max(0.0, self._began + self._budget.minutes * 60 - self._clock()))
        if self.stopped is not None:
            return
        sleeper = asyncio.ensure_future(self._sleep(seconds))
        self._resting.add(sleeper)
        try:
            await asyncio.wait({sleeper})
        finally:
            self._resting.discard(sleeper)
            sleeper.cancel()

    def _gave_up(self, failure: AttemptFailed) -> None:
        """One request is lost. Stop, and say why, where that tells something about all of them."""
        if failure.fatal or (failure.kind == "connection" and not self.replies):
            self.stop(teacher_error(failure))
        elif failure.kind != "absent" and not (failure.kind == "request" and (self.replies or self._worked)):
            self._lost += 1
            if self._lost >= GIVE_UP:
                self.stop(self._nobody_answers(failure))
        if self.stopped is not None:
            raise self.stopped

    def _nobody_answers(self, failure: AttemptFailed) -> DistillError:
        if not self.replies:
            error = teacher_error(failure)
            error.help = error.help or f"the first {self._lost} requests failed, none was answered"
            return error
        return Stopped(
            f"{self._lost} requests in a row were given up on; the last: {failure}", limit="teacher", help=failure.help
        )

    # ---------------------------------------------------------------- one attempt in one slot

    async def _once(self, call: Call) -> Reply:
        await self._enter()
        started = self._clock()
        try:
            reply = await call()
        except AttemptFailed as failure:
            if failure.congested and self._limit.congested(started=started, now=self._clock()):
                self.slowed += 1
            raise
        else:
            self.replies += 1
            self._lost = 0
            self.usage += reply.usage
            self._limit.replied(saturated=bool(self._waiting) or self.in_flight >= self.limit)
            return reply
        finally:
            self._leave()

    async def _enter(self) -> None:
        """Wait for a slot, first come first served. Raises what stopped us."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave()
            raise

    def _leave(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        """Hand free slots to those who wait; turn all of them away after a stop."""
        while self._waiting and self.stopped is None and self.in_flight < self.limit and self._can_afford_one():
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
        while self._waiting and self.stopped is not None:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(self.stopped)

    def _can_afford_one(self) -> bool:
        """Whether the budget lets one more start. Stops when not, and nothing in flight may turn out cheaper."""
        over = self._budget.reached(self.usage, seconds=self._clock() - self._began)
        if over is None and self._budget.room(self.usage, replies=self.replies) >= self.in_flight + 1:
            return True
        if over is not None or not self.in_flight:
            self.stop(over or self._budget.too_little_left(self.usage))
        return False


def _failure(state: "RetryCallState") -> AttemptFailed:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, AttemptFailed)
    return error
