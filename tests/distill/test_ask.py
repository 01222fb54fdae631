"""The one paid path: what is asked once is never asked again, whatever is cancelled, doubled or broken meanwhile."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.ask import Ask, NotInLedger
from distill.errors import DiskFull, PluginError, SetupError, Stopped, TeacherError
from distill.pace import Pace
from distill.records import Reply, Request, Row, Usage
from distill.teachers import AttemptFailed
from distill.teachers.openai import OpenAITeacher
from tests.distill.loopback import Answer, Call, Loopback, completion, failure

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; one that hangs is a failed test."""

    async def guarded() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(guarded())


class Memory:
    """A ledger in memory, which takes a few turns of the loop to become durable."""

    def __init__(self, turns: int = 2, *, early: bool = False) -> None:
        self.replies: dict[tuple[str, int], Reply] = {}
        self.recorded: Counter[tuple[str, int]] = Counter()
        self.turns = turns
        self.early = early
        """Whether a reply shows while it waits for its commit, as the ledger's do."""
        self.full = False

    def reply(self, key: str, sample: int) -> Reply | None:
        return self.replies.get((key, sample))

    async def record(self, key: str, sample: int, reply: Reply) -> None:
        if self.early:
            self.replies[key, sample] = reply
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.full:
            self.replies.pop((key, sample), None)
            raise DiskFull("no space left")
        self.replies[key, sample] = reply
        self.recorded[key, sample] += 1


class Scripted:
    """A teacher that answers when its gate is open, and counts."""

    identity = "scripted"

    def __init__(self, answer: Callable[[Request], Reply] | None = None) -> None:
        self.asked: list[Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.answer = answer or (lambda request: Reply({"content": request.row.prompt}, usage=Usage(1, 2, 0, 0.5)))

    async def attempt(self, request: Request) -> Reply:
        self.asked.append(request)
        await self.gate.wait()
        return self.answer(request)

    async def close(self) -> None:
        pass


def request(text: str = "q", sample: int = 0) -> Request:
    return Request("answer", Row.make(text), [{"role": "user", "content": text}], {}, sample)


def failing(*, fatal: bool = False) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        raise AttemptFailed("request", "cannot take this", fatal=fatal)

    return answer


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_asks_once_records_and_then_replays() -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory()
        ask = Ask(teacher, ledger, Pace())
        first = await ask(request())
        assert (ask.requests, ask.replayed) == (1, 0)
        assert ledger.replies == {(request().key("scripted"), 0): first}
        assert await ask(request()) == first
        assert (ask.requests, ask.replayed, len(teacher.asked)) == (1, 1, 1)
        assert ask.usage == Usage(1, 2, 0, 0.5)
        again = Ask(teacher, ledger, Pace())
        assert await again(request()) == first
        assert (again.requests, again.replayed, again.usage) == (0, 1, Usage(usd=0.0))

    finish(story())


def test_another_sample_task_message_sampling_or_model_is_another_request() -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory()
        ask = Ask(teacher, ledger, Pace())
        one = request()
        variants = [
            one,
            replace(one, sample=1),
            replace(one, task="explain"),
            replace(one, sampling={"temperature": 1}),
            replace(one, messages=[{"role": "user", "content": "?"}]),
        ]
        for variant in variants:
            await ask(variant)
        teacher.identity = "another"
        await ask(one)
        assert len(teacher.asked) == len(ledger.replies) == ask.requests == 6
        assert ask.replayed == 0

    finish(story())


def test_frozen_never_asks() -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory()
        await Ask(teacher, ledger, Pace())(request())
        frozen = Ask(teacher, ledger, Pace(), frozen=True)
        assert (await frozen(request())).message == {"content": "q"}
        with pytest.raises(NotInLedger) as caught:
            await frozen(request("new"))
        assert caught.value.request.row.prompt == "new"
        assert len(teacher.asked) == 1

    finish(story())


def test_identical_requests_at_the_same_time_are_paid_once() -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory()
        teacher.gate.clear()
        ask = Ask(teacher, ledger, Pace())
        tasks = [asyncio.create_task(ask(request())) for _ in range(20)]
        await turns()
        teacher.gate.set()
        replies = await asyncio.gather(*tasks)
        assert len(teacher.asked) == 1 and len(set(map(str, replies))) == 1
        assert (ask.requests, ask.replayed) == (1, 19)
        assert set(ledger.recorded.values()) == {1}

    finish(story())


def test_identical_requests_share_a_failure() -> None:
    async def story() -> None:
        teacher = Scripted(failing())
        teacher.gate.clear()
        ask = Ask(teacher, Memory(), Pace())
        tasks = [asyncio.create_task(ask(request())) for _ in range(5)]
        await turns()
        teacher.gate.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, AttemptFailed) for error in errors)
        assert len(teacher.asked) == 1
        with pytest.raises(AttemptFailed):
            await ask(request())
        assert len(teacher.asked) == 2, "a failure is not remembered: it never occupies a sample"

    finish(story())


def test_when_the_first_is_cancelled_the_next_takes_over() -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory()
        teacher.gate.clear()
        ask = Ask(teacher, ledger, Pace())
        tasks = [asyncio.create_task(ask(request())) for _ in range(3)]
        await turns()
        tasks[0].cancel()
        await turns()
        teacher.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1] == results[2] and isinstance(results[1], Reply)
        assert len(teacher.asked) == 2
        assert set(ledger.recorded.values()) == {1}

    finish(story())


@pytest.mark.parametrize("cancels", [1, 3])
def test_a_reply_that_arrived_is_recorded_even_while_being_cancelled(cancels: int) -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory(turns=20)
        ask = Ask(teacher, ledger, Pace())
        task = asyncio.create_task(ask(request()))
        await turns(5)
        assert teacher.asked and not ledger.replies and not task.done()
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(ledger.replies) == 1
        assert await ask(request()) and len(teacher.asked) == 1

    finish(story())


def test_nothing_is_returned_before_it_is_durable() -> None:
    async def story() -> None:
        ledger = Memory(turns=50)
        task = asyncio.create_task(Ask(Scripted(), ledger, Pace())(request()))
        while not ledger.replies:
            assert not task.done()
            await asyncio.sleep(0)
        await task

    finish(story())


def test_a_full_disk_reaches_everybody_who_waits() -> None:
    async def story() -> None:
        ledger = Memory()
        ledger.full = True
        ask = Ask(Scripted(), ledger, Pace())
        errors = await asyncio.gather(*(ask(request()) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(error, DiskFull) for error in errors)

    finish(story())


def test_a_reply_that_waits_for_its_commit_is_served_to_nobody() -> None:
    async def story() -> None:
        ledger = Memory(turns=20, early=True)
        ledger.full = True
        ask = Ask(Scripted(), ledger, Pace())
        first = asyncio.create_task(ask(request()))
        await turns(5)
        assert ledger.replies and not first.done()
        with pytest.raises(DiskFull):
            await ask(request())
        with pytest.raises(DiskFull):
            await first

    finish(story())


def test_what_a_teacher_reads_beside_the_messages_is_in_the_key() -> None:
    class Reader(Scripted):
        def reads(self, request: Request) -> Any:
            return {"gold": request.row.answer}

    async def story() -> None:
        teacher, ledger = Reader(), Memory()
        ask = Ask(teacher, ledger, Pace())
        rows = [Row.make("q", "1"), Row.make("q", "2"), Row.make("q", "1", category="other")]
        asked = [replace(request(), row=row) for row in rows]
        for one in asked:
            await ask(one)
        assert len(teacher.asked) == 2 and ask.replayed == 1
        assert {ask.key(one) for one in asked} == {key for key, _ in ledger.replies}
        assert ask.key(asked[0]) == asked[0].key("scripted", {"gold": "1"})
        assert Ask(Scripted(), ledger, Pace()).key(asked[0]) == asked[0].key("scripted")

    finish(story())


def test_reads_that_break_are_an_error_of_the_plug_in() -> None:
    class Broken(Scripted):
        def reads(self, request: Request) -> Any:
            return request.row.meta["schema"]

    with pytest.raises(PluginError, match="`reads` of the teacher") as caught:
        finish(Ask(Broken(), Memory(), Pace())(request()))
    assert "KeyError" in caught.value.cause and caught.value.where


def parsing(request: Request) -> Reply:
    return Reply(json.loads(request.row.prompt))


def told(teacher: Any) -> AttemptFailed:
    """How a single request to a teacher fails."""
    with pytest.raises(AttemptFailed) as caught:
        finish(Ask(teacher, Memory(), Pace())(request()))
    return caught.value


def test_a_teacher_that_breaks_fails_the_request_and_names_its_own_line() -> None:
    failed = told(Scripted(parsing))
    assert (failed.kind, failed.message, failed.retry, failed.fatal) == ("request", "the teacher failed", False, False)
    assert failed.cause.startswith("JSONDecodeError: ")
    assert failed.where == f"{__file__}:{parsing.__code__.co_firstlineno + 1}", "not that of the library it called"


def test_a_teacher_that_returns_no_reply_is_told_apart() -> None:
    assert str(told(Scripted(lambda request: "4"))) == "the teacher failed (returned str, not a Reply)"  # type: ignore[arg-type,return-value]


def test_a_teacher_whose_attempt_is_no_coroutine_fails_the_request() -> None:
    class Plain(Scripted):
        def attempt(self, request: Request) -> Any:
            return Reply({})

    failed = told(Plain())
    assert "TypeError" in failed.cause and failed.where == ""


def test_a_teacher_that_always_breaks_stops_the_run_with_the_cause() -> None:
    async def story() -> list[Any]:
        ask = Ask(Scripted(parsing), Memory(), Pace())
        return await asyncio.gather(*(ask(request(f"q{n}")) for n in range(12)), return_exceptions=True)

    errors = finish(story())
    assert isinstance(errors[-1], TeacherError)
    assert "JSONDecodeError" in errors[-1].cause and __file__ in errors[-1].where


def test_our_own_errors_pass_through_a_teacher_unchanged() -> None:
    def refuse(request: Request) -> Reply:
        raise SetupError("no licence")

    with pytest.raises(SetupError, match="no licence"):
        finish(Ask(Scripted(refuse), Memory(), Pace())(request()))


def test_a_request_turned_away_by_a_stop_did_not_reach_the_teacher() -> None:
    async def story() -> None:
        pace = Pace()
        pace.stop(Stopped("enough", limit="usd"))
        ask = Ask(Scripted(), Memory(), pace)
        with pytest.raises(Stopped):
            await ask(request())
        assert ask.requests == 0

    finish(story())


def test_fatal_becomes_an_error_that_stops_the_run() -> None:
    async def story() -> None:
        teacher = Scripted(failing(fatal=True))
        ask = Ask(teacher, Memory(), Pace())
        for _ in range(2):
            with pytest.raises(TeacherError, match="cannot take this"):
                await ask(request())
        assert len(teacher.asked) == 1, "the second was not even sent"

    finish(story())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 8)), max_size=6),
    st.integers(1, 4),
)
def test_whatever_is_cancelled_nothing_is_recorded_twice_or_lost(
    asked: list[tuple[int, int]], cancelled: list[tuple[int, int]], concurrency: int
) -> None:
    async def story() -> None:
        teacher, ledger = Scripted(), Memory()
        ask = Ask(teacher, ledger, Pace(concurrency=concurrency))
        tasks = [asyncio.create_task(ask(request(str(text), sample))) for text, sample in asked]
        for index, wait in cancelled:
            await turns(wait)
            if index < len(tasks):
                tasks[index].cancel()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, Reply | asyncio.CancelledError) for one in got)
        assert set(ledger.recorded.values()) <= {1}
        places = {(request(str(text), sample).key("scripted"), sample) for text, sample in asked}
        owed = len(places - ledger.replies.keys())
        before = len(teacher.asked)
        for text, sample in asked:
            await ask(request(str(text), sample))
        assert len(teacher.asked) - before == owed
        assert ledger.replies.keys() == places and set(ledger.recorded.values()) == {1}

    finish(story())


def test_over_sockets_a_run_through_a_storm_asks_for_each_reply_exactly_once() -> None:
    """Every third answer is a fault of another kind; 60 rows through them, then again from the ledger."""
    faults = [failure(429, headers={"Retry-After": "0"}), failure(500), failure(503), Answer(b"<html>"), Answer(b'{"a')]
    finished: Counter[str] = Counter()

    def stormy(call: Call) -> Answer:
        if call.number % 3 == 1:
            return faults[call.number % len(faults)]
        finished[call.text] += 1
        return completion(f"answer to {call.text}")

    async def no_wait(seconds: float) -> None:
        await asyncio.sleep(0)

    async def run(url: str, ledger: Memory) -> tuple[list[str], Ask]:
        teacher = OpenAITeacher(model="loopback", base_url=url)
        ask = Ask(teacher, ledger, Pace(concurrency=8, sleep=no_wait))
        replies = await asyncio.gather(*(ask(request(f"q{n}")) for n in range(60)))
        await teacher.close()
        return [reply.message["content"] for reply in replies], ask

    ledger = Memory()
    with Loopback(stormy) as server:
        texts, ask = finish(run(server.url, ledger))
        asked = len(server.calls)
        again, replay = finish(run(server.url, ledger))
    assert texts == again == [f"answer to q{n}" for n in range(60)]
    assert set(finished.values()) == {1} and len(finished) == 60
    assert server.most_in_flight <= 8
    assert asked == len(server.calls) and (replay.requests, replay.replayed) == (0, 60)
    assert ask.requests == 60


def test_over_sockets_a_server_that_restarts_costs_no_row() -> None:
    async def run(first: Loopback, second: Loopback) -> list[str]:
        waits = 0

        async def wait_for_the_restart(seconds: float) -> None:
            nonlocal waits
            waits += 1
            if waits == 3:
                await asyncio.to_thread(second.__enter__)

        teacher = OpenAITeacher(model="loopback", base_url=first.url)
        ask = Ask(teacher, Memory(), Pace(concurrency=1, sleep=wait_for_the_restart))
        before = await ask(request("before"))
        await asyncio.to_thread(first.__exit__)
        after = await ask(request("after"))
        await teacher.close()
        return [reply.message["content"] for reply in (before, after)]

    first = Loopback(lambda call: completion("one")).__enter__()
    second = Loopback(lambda call: completion("two"), port=first.port)
    assert finish(run(first, second)) == ["one", "two"]
    second.__exit__()
    assert (len(first.calls), len(second.calls)) == (1, 1)
