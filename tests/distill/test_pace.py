"""Slots, retries, budgets and stops, on a clock and a sleep of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.errors import DistillError, Stopped, TeacherError
from distill.pace import FIRST_BUDGETED, GIVE_UP, RESTART_TRIES, TRIES, Budget, Limit, Pace
from distill.records import Reply, Usage
from distill.teachers import AttemptFailed, Kind

GOOD = Reply({"role": "assistant", "content": "4"}, usage=Usage(10, 90, 0, 0.01))


T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; one that hangs is a failed test."""

    async def guarded() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(guarded())


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def paced(time: Time | None = None, **options: Any) -> Pace:
    time = time or Time()
    return Pace(clock=lambda: time.now, sleep=time.sleep, **options)


def scripted(*answers: Reply | AttemptFailed) -> Callable[[], Awaitable[Reply]]:
    """A call that gives the answers in turn, the last one for ever."""
    left = list(answers)

    async def call() -> Reply:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, AttemptFailed):
            raise answer
        return answer

    return call


def fault(kind: Kind = "server", **more: Any) -> AttemptFailed:
    return AttemptFailed(kind, "it broke", **{"retry": True, **more})


async def until(condition: Callable[[], bool]) -> None:
    """Let everybody else run until `condition`; a loop that never gets there fails the test."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


# ---------------------------------------------------------------- trying again


def test_a_reply_at_once_waits_for_nothing() -> None:
    time = Time()
    pace = paced(time)
    assert finish(pace.attempt(scripted(GOOD))) is GOOD
    assert (time.waits, pace.replies, pace.retries, pace.usage) == ([], 1, 0, GOOD.usage)


def test_waits_grow_and_end_in_a_reply() -> None:
    time = Time()
    pace = paced(time)
    finish(pace.attempt(scripted(*(fault() for _ in range(5)), GOOD)))
    assert all(2**n <= wait <= 2**n + 1 for n, wait in enumerate(time.waits))
    assert pace.retries == 5


@pytest.mark.parametrize("kind", [kind for kind in TRIES if kind != "connection"])
def test_a_request_is_given_up_after_as_many_tries_as_its_failure_deserves(kind: Kind) -> None:
    time = Time()
    with pytest.raises(AttemptFailed) as caught:
        finish(paced(time).attempt(scripted(fault(kind))))
    assert caught.value.tries == TRIES[kind] == len(time.waits) + 1
    assert caught.value.seconds == pytest.approx(sum(time.waits))
    assert max(time.waits) <= 60
    assert f"{TRIES[kind]} tries in" in str(caught.value)


def test_throttling_is_outlived_for_minutes() -> None:
    time = Time()
    finish(paced(time).attempt(scripted(*(fault("throttled") for _ in range(11)), GOOD)))
    assert time.now > 300


@pytest.mark.parametrize("failure", [fault("request", retry=False), fault("absent", retry=False)])
def test_what_is_not_worth_another_try_gets_none(failure: AttemptFailed) -> None:
    time = Time()
    with pytest.raises(AttemptFailed):
        finish(paced(time).attempt(scripted(failure, GOOD)))
    assert time.waits == []


def test_retry_after_is_honoured_in_full() -> None:
    time = Time()
    finish(paced(time).attempt(scripted(fault("throttled", after=400.0), fault("throttled", after=0.0), GOOD)))
    assert 400 <= time.waits[0] <= 401
    assert time.waits[1] >= 1, "a server that says 0 again and again must not make us spin"


def test_other_exceptions_pass_and_free_the_slot() -> None:
    async def broken() -> Reply:
        raise RuntimeError("a bug in a teacher")

    pace = paced(concurrency=1)
    with pytest.raises(RuntimeError):
        finish(pace.attempt(broken))
    assert pace.in_flight == 0


# ---------------------------------------------------------------- slots


def test_no_slot_is_held_while_waiting_for_another_try() -> None:
    async def story() -> None:
        release = asyncio.Event()

        async def sleep(seconds: float) -> None:
            await release.wait()

        pace = Pace(concurrency=1, sleep=sleep)
        waiting = asyncio.create_task(pace.attempt(scripted(fault("throttled", after=3600.0), GOOD)))
        await until(lambda: pace.in_flight == 0 and not waiting.done())
        for _ in range(3):
            assert await pace.attempt(scripted(GOOD)) is GOOD
        release.set()
        assert await waiting is GOOD

    finish(story())


class Crowd:
    """Calls that all wait until they are let go, and how many were in at a time."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.order: list[int] = []
        self.gate = asyncio.Event()

    async def call(self, number: int = 0) -> Reply:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(number)
        try:
            await self.gate.wait()
        finally:
            self.inside -= 1
        return GOOD


def start(pace: Pace, crowd: Crowd, number: int) -> list["asyncio.Task[Reply]"]:
    def caller(n: int) -> Callable[[], Awaitable[Reply]]:
        return lambda: crowd.call(n)

    return [asyncio.create_task(pace.attempt(caller(n))) for n in range(number)]


def test_never_more_than_the_limit_and_first_come_first_served() -> None:
    async def story() -> None:
        pace, crowd = paced(concurrency=3), Crowd()
        tasks = start(pace, crowd, 20)
        await until(lambda: crowd.inside == 3)
        crowd.gate.set()
        await asyncio.gather(*tasks)
        assert crowd.most == 3
        assert crowd.order == list(range(20))
        assert pace.in_flight == 0

    finish(story())


def test_the_limit_can_be_set_while_running() -> None:
    async def story() -> None:
        pace, crowd = paced(concurrency=2), Crowd()
        tasks = start(pace, crowd, 20)
        await until(lambda: crowd.inside == 2)
        pace.limit = 7
        await until(lambda: crowd.inside == 7)
        crowd.gate.set()
        await asyncio.gather(*tasks)
        assert crowd.most == 7

    finish(story())


@settings(deadline=None)
@given(st.lists(st.sampled_from(["start", "cancel", "let one go", "raise limit", "lower limit"]), max_size=30))
def test_no_slot_is_ever_lost_or_made(steps: list[str]) -> None:
    async def story() -> None:
        pace, crowd = paced(concurrency=2), Crowd()
        tasks: list[asyncio.Task[Reply]] = []
        for step in steps:
            if step == "start":
                tasks += start(pace, crowd, 2)
            elif step == "cancel" and tasks:
                tasks.pop().cancel()
            elif step == "let one go" and tasks:
                tasks.pop(0).cancel()
            elif step.endswith("limit"):
                pace.limit += 1 if step == "raise limit" else -1
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        crowd.gate.set()
        await asyncio.gather(*tasks)
        for _ in range(3):
            await asyncio.sleep(0)
        assert (pace.in_flight, crowd.inside) == (0, 0)
        assert await pace.attempt(scripted(GOOD)) is GOOD

    finish(story())


def test_a_cancelled_waiter_gives_its_turn_to_the_next() -> None:
    async def story() -> None:
        pace, crowd = paced(concurrency=1), Crowd()
        tasks = start(pace, crowd, 3)
        await until(lambda: crowd.inside == 1)
        tasks[1].cancel()
        crowd.gate.set()
        assert await tasks[2] is GOOD
        assert pace.in_flight == 0

    finish(story())


def test_a_slot_granted_to_somebody_cancelled_at_that_moment_is_given_back() -> None:
    async def story() -> None:
        pace, crowd = paced(concurrency=1), Crowd()
        tasks = start(pace, crowd, 2)
        await until(lambda: crowd.inside == 1)
        pace.limit = 2
        tasks[1].cancel()
        await until(tasks[1].done)
        assert (crowd.inside, pace.in_flight) == (1, 1)
        crowd.gate.set()
        await tasks[0]

    finish(story())


# ---------------------------------------------------------------- the limit that finds itself


def test_the_limit_doubles_every_round_until_congestion_then_cuts_once_a_round() -> None:
    limit = Limit("auto")
    for _ in range(8):
        limit.replied(saturated=True)
    assert limit.value == 16
    assert limit.congested(started=1, now=2)
    assert limit.value == 12
    assert not limit.congested(started=1.5, now=2.5), "it began before the cut: an echo"
    for _ in range(13):
        limit.replied(saturated=True)
    assert limit.value == 13
    assert limit.congested(started=3, now=4)


def test_the_limit_grows_only_when_it_was_used() -> None:
    limit = Limit("auto")
    for _ in range(100):
        limit.replied(saturated=False)
    assert limit.value == Limit.START


def test_a_fixed_limit_stays_and_an_adaptive_one_stays_in_bounds() -> None:
    fixed, adaptive = Limit(5), Limit("auto")
    for n in range(1000):
        fixed.replied(saturated=True)
        adaptive.replied(saturated=True)
        fixed.congested(started=n, now=n)
    assert (fixed.value, adaptive.value) == (5, Limit.MOST)
    for n in range(1000):
        adaptive.congested(started=n, now=n)
    assert adaptive.value == 1


def test_the_pace_finds_what_a_server_can_take() -> None:
    """A server that takes 20 at a time and refuses the rest, in virtual time: the limit settles around 20."""

    async def story() -> list[int]:
        inside = 0
        ticks = [asyncio.Event()]

        async def call() -> Reply:
            nonlocal inside
            inside += 1
            try:
                if inside > 20:
                    raise fault("throttled", congested=True)
                await ticks[-1].wait()
            finally:
                inside -= 1
            return GOOD

        time = Time()
        pace = paced(time)
        tasks = [asyncio.create_task(pace.attempt(call)) for _ in range(3000)]
        seen = []
        while not all(task.done() for task in tasks):
            for _ in range(20):
                await asyncio.sleep(0)
            time.now += 1
            seen.append(pace.limit)
            ticks.append(asyncio.Event())
            ticks[-2].set()
        assert sum(isinstance(task.exception(), AttemptFailed) for task in tasks) == 0
        return seen

    seen = finish(story())
    settled = seen[len(seen) // 2 : -5]
    assert 14 <= sum(settled) / len(settled) <= 26
    assert min(settled) >= 10


# ---------------------------------------------------------------- budget


def run_many(pace: Pace, number: int, reply: Reply = GOOD) -> tuple[int, list[BaseException]]:
    async def story() -> tuple[int, list[BaseException]]:
        async def call() -> Reply:
            await asyncio.sleep(0)
            return reply

        got = await asyncio.gather(*(pace.attempt(call) for _ in range(number)), return_exceptions=True)
        return sum(isinstance(one, Reply) for one in got), [one for one in got if isinstance(one, BaseException)]

    return finish(story())


@pytest.mark.parametrize(
    ("limits", "name"), [({"usd": 0.105}, "usd"), ({"tokens": 1050}, "tokens"), ({"tokens": 1050, "usd": 9}, "tokens")]
)
@pytest.mark.parametrize("concurrency", [1, 64])
def test_a_budget_is_not_overdrawn_by_what_is_in_flight(limits: dict[str, Any], name: str, concurrency: int) -> None:
    pace = paced(concurrency=concurrency, **limits)
    replies, errors = run_many(pace, 100)
    assert replies == 10, "ten replies of 100 tokens and 0.01 dollars fit, an eleventh does not"
    assert all(isinstance(error, Stopped) and error.limit == name for error in errors)
    assert pace.stopped is errors[0]
    assert f"`limits.{name}` is reached" in str(pace.stopped) and "continues" in pace.stopped.help


def test_before_the_first_reply_a_budget_lets_only_a_few_through() -> None:
    async def story() -> None:
        pace, crowd = paced(concurrency=64, tokens=100_000), Crowd()
        tasks = start(pace, crowd, 30)
        await until(lambda: crowd.inside == FIRST_BUDGETED)
        await asyncio.sleep(0)
        assert crowd.most == FIRST_BUDGETED
        crowd.gate.set()
        await asyncio.gather(*tasks)

    finish(story())


def test_a_budget_in_money_without_a_price_is_refused_not_ignored() -> None:
    replies, errors = run_many(paced(usd=5, concurrency=1), 10, Reply({}, usage=Usage(10, 10)))
    assert replies == 1
    assert "`limits.usd` cannot be kept" in str(errors[0]) and "teacher.price" in getattr(errors[0], "help", "")


def test_replies_that_cost_nothing_need_no_price() -> None:
    assert run_many(paced(usd=5), 10, Reply({}, usage=Usage(usd=0.0)))[0] == 10


def test_minutes_end_the_waiting_too() -> None:
    time = Time()
    with pytest.raises(Stopped) as caught:
        finish(paced(time, minutes=2).attempt(scripted(fault("throttled", after=3600.0))))
    assert (caught.value.limit, time.now) == ("minutes", 120)


# ---------------------------------------------------------------- stops


def test_a_stop_turns_away_who_waits_and_lets_finish_who_is_in() -> None:
    async def story() -> None:
        forever = asyncio.Event()

        async def sleep(seconds: float) -> None:
            await forever.wait()

        pace, crowd = Pace(concurrency=2, sleep=sleep), Crowd()
        retrying = asyncio.create_task(pace.attempt(scripted(fault(), GOOD)))
        await until(lambda: pace.in_flight == 0)
        tasks = start(pace, crowd, 5)
        await until(lambda: crowd.inside == 2)
        pace.stop(Stopped("interrupted", limit="interrupt"))
        pace.stop(Stopped("too late to matter", limit="usd"))
        crowd.gate.set()
        got = await asyncio.gather(*tasks, retrying, return_exceptions=True)
        assert got[:2] == [GOOD, GOOD]
        assert all(one is pace.stopped for one in got[2:])
        assert isinstance(pace.stopped, Stopped) and pace.stopped.limit == "interrupt"
        with pytest.raises(Stopped):
            await pace.attempt(scripted(GOOD))
        assert pace.in_flight == 0

    finish(story())


def test_what_is_fatal_stops_everything_with_cause_and_help() -> None:
    pace = paced()
    fatal = AttemptFailed("refused", "`m` refused the key", fatal=True, cause="HTTP 401", help="check it", where="url")
    for _ in range(2):
        with pytest.raises(TeacherError) as caught:
            finish(pace.attempt(scripted(fatal, GOOD)))
    error = caught.value
    assert (str(error), error.cause, error.help, error.where) == ("`m` refused the key", "HTTP 401", "check it", "url")
    assert error.exit_code == 3 and error is pace.stopped


def test_an_endpoint_that_never_answered_is_an_error_of_the_environment() -> None:
    time = Time()
    gone = AttemptFailed("connection", "cannot reach `m` at url", retry=True, cause="connection refused", help="curl")
    with pytest.raises(TeacherError) as caught:
        finish(paced(time).attempt(scripted(gone)))
    assert len(time.waits) + 1 == TRIES["connection"] == 5
    assert str(caught.value) == f"cannot reach `m` at url (connection refused, 5 tries in {time.now:.0f} s)"
    assert caught.value.help == "curl"


def test_an_endpoint_that_went_away_is_given_minutes_to_come_back() -> None:
    time = Time()

    async def story() -> Reply:
        pace = paced(time)
        await pace.attempt(scripted(GOOD))
        return await pace.attempt(scripted(*(fault("connection") for _ in range(RESTART_TRIES - 1)), GOOD))

    assert finish(story()) is GOOD
    assert time.now > 200


def lose(pace: Pace, number: int, failure: Callable[[], AttemptFailed]) -> list[DistillError | AttemptFailed]:
    async def story() -> list[DistillError | AttemptFailed]:
        errors: list[DistillError | AttemptFailed] = []
        for _ in range(number):
            try:
                await pace.attempt(scripted(failure()))
            except (DistillError, AttemptFailed) as error:
                errors.append(error)
        return errors

    return finish(story())


def test_many_lost_requests_in_a_row_stop_the_run_resumably() -> None:
    pace = paced()
    finish(pace.attempt(scripted(GOOD)))
    errors = lose(pace, GIVE_UP + 1, fault)
    assert all(isinstance(error, AttemptFailed) for error in errors[: GIVE_UP - 1])
    assert isinstance(errors[-1], Stopped) and errors[-1].limit == "teacher" and errors[-1] is errors[-2]
    assert "it broke" in str(errors[-1]) and errors[-1].exit_code == 4


def test_a_reply_in_between_starts_the_count_anew() -> None:
    pace = paced()
    for _ in range(3):
        lose(pace, GIVE_UP - 1, fault)
        finish(pace.attempt(scripted(GOOD)))
    assert pace.stopped is None


def test_requests_that_are_themselves_at_fault_do_not_stop_a_run_that_works() -> None:
    pace = paced()
    finish(pace.attempt(scripted(GOOD)))
    lose(pace, 50, lambda: fault("request", retry=False))
    assert pace.stopped is None


def test_requests_refused_before_by_a_teacher_that_answered_others_do_not_stop_the_next_run() -> None:
    pace = paced(worked=True)
    lose(pace, 50, lambda: fault("request", retry=False))
    assert pace.stopped is None
    errors = lose(pace, GIVE_UP, fault)
    assert isinstance(errors[-1], TeacherError), "a server that breaks every time is another matter"


def test_a_teacher_that_worked_and_is_gone_is_an_error_at_once() -> None:
    errors = lose(paced(worked=True), 1, lambda: fault("connection"))
    assert isinstance(errors[0], TeacherError)


def test_a_teacher_that_accepts_no_request_at_all_is_an_error() -> None:
    errors = lose(paced(), GIVE_UP, lambda: fault("request", retry=False, cause="HTTP 400: unknown parameter"))
    assert isinstance(errors[-1], TeacherError)
    assert errors[-1].cause == "HTTP 400: unknown parameter" and "first 10 requests" in errors[-1].help


def test_replies_missing_from_a_script_never_stop_a_run() -> None:
    pace = paced()
    lose(pace, 50, lambda: fault("absent", retry=False))
    assert pace.stopped is None


def test_a_budget_in_tokens_cannot_be_kept_where_nobody_counts_them() -> None:
    said = Budget(tokens=10).reached(Usage(), seconds=0)
    assert said is not None and said.limit == "tokens" and "cannot be kept" in str(said) and "usage" in said.help
    assert Budget(tokens=10).reached(Usage(usd=0.0), seconds=0) is None  # a teacher that costs nothing
