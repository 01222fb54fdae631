"""The run loop and nothing else: what is in flight, in which order it counts, and how a run ends.

A row's life is `Run.life` and the methods below it, in the order in which they happen: wordings, samples, verdicts,
settled. May be imported by the public API and the command line; imports every room it conducts.
Design reason: one coroutine carries one row from source to settled. There are no queues between steps, so back-pressure
is one semaphore, cancellation is Python's own, and the order of the dataset never depends on timing: rows carry their
position, samples their index.
"""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from distill import curate, plugins, rephrase
from distill.artifacts import facts_of, malformed_of, write_artifacts
from distill.ask import Ask, NotInLedger, to_the_end
from distill.errors import DistillError, PluginError, SourceError, Stopped, boundary, first_error, together
from distill.events import Event, Listener, Progress, Result, RowSettled, RunEnded, RunStarted, Stage, Warned
from distill.export import Counts
from distill.ledger import Ledger
from distill.pace import Pace
from distill.recipe import Recipe
from distill.records import Message, Reply, Request, Row, Sample, Settled, Trace, content_id
from distill.sources import BadRecord, Item, Prompt, read
from distill.strategies import Strategy
from distill.teachers import AttemptFailed, Teacher
from verify.contract import Case, Check, Status, Verdict, run_check
from verify.pool import Pool
from verify.think import render as render_completion

T = TypeVar("T")
Start = Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
"""Starts a row's life once there is a place for it."""

BATCH = 256
"""Rows read from a source per hop to a thread: reading files never blocks the loop, and a hop costs little per row."""

BATCH_SECONDS = 0.05
"""A slow source hands over what it has after this long, so that work begins and a stop is heeded."""

WINDOW = 1024
"""Rows under way at a time where the number of requests is found while running."""

COUNTED = ("read", "settled", "kept", "dropped", "failed")
"""What a run counts itself; the rest of its progress is known to `ask` and `pace`."""

SHOWN_BAD_ROWS = 1000
"""Malformed rows kept with their place; beyond that they are only counted."""


def nobody(event: Event) -> None:
    """Listens to nothing."""


@dataclass
class Run:
    """One run in progress: the rooms it conducts, and its counts."""

    recipe: Recipe
    ledger: Ledger
    teacher: Teacher
    strategy: Strategy
    checks: Sequence[Check]
    pace: Pace
    ask: Ask
    pool: Pool
    listener: Listener
    window: int
    started: float = field(default_factory=time.monotonic)
    progress: Progress = field(default_factory=Progress)
    bad: list[BadRecord] = field(default_factory=list)
    source_rows: int = 0
    started_rows: int = 0
    bad_rows: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    """How many answers each check applied to."""
    unworded: int = 0
    """Source rows under way whose number of wordings is not known yet."""
    exhausted: bool = False
    """Whether the source has been read to its end."""
    stopped: DistillError | None = None
    """What ended the run before its source did."""

    # ------------------------------------------------------------ all rows

    async def all_rows(self, items: Iterator[Item]) -> None:
        """Give every row of the source its life, at most `window` at a time, until the source ends or we stop."""
        async with self._lives() as start:
            try:
                async for item in _in_batches(items):
                    await self._admit(item, start)
                    if self.stopped:
                        break
                self.exhausted = self.stopped is None
            except DistillError as error:  # of the source: what is in flight is finished first
                self.stop(error)

    async def _admit(self, item: Item, start: Start) -> None:
        """Start the life of an item that is a new row; count it where it is not."""
        self.source_rows += 1
        if isinstance(item.row, BadRecord):
            self._bad_row(item.row, item)
        elif not self.ledger.admit(item.row.id):
            self.repeated += 1
        else:
            self.unworded += 1
            await start(self.life(self.started_rows, item.row, item.prompt))
            self.started_rows += 1

    async def stored_rows(self, rows: Iterator[tuple[tuple[int, int], Row]]) -> None:
        """Judge rows of the ledger anew, wordings and positions as they were."""
        async with self._lives() as start:
            async for position, row in _in_batches(rows):
                self._count(read=1)
                await start(self.one(row, position))

    @asynccontextmanager
    async def _lives(self) -> AsyncIterator[Start]:
        """A function that starts a row's life once there is a place for it; all have ended when the block ends."""
        places = asyncio.Semaphore(self.window)

        async def lived(life: Coroutine[Any, Any, None]) -> None:
            try:
                await life
            except DistillError as error:
                self.stop(error)  # the row is not settled, so it is owed: the next run takes it up
            finally:
                places.release()

        async def start(life: Coroutine[Any, Any, None]) -> None:
            await places.acquire()
            tasks.create_task(lived(life))

        async with asyncio.TaskGroup() as tasks:
            yield start

    # ------------------------------------------------------------ one row, top to bottom

    async def life(self, position: int, row: Row, prompt: Prompt) -> None:
        """From a source row to settled: its wordings, and each of them answered, verified and settled."""
        try:
            wordings = await self.wordings(row, prompt)
        except PluginError as error:  # the user's prompt refuses a wording: that costs this row only
            return await self._settle(Settled(row, (position, 0), "failed", (), f"{error} ({error.cause})"))
        finally:
            self.unworded -= 1
        self._count(read=len(wordings))
        for number, wording in enumerate(wordings):
            await self.one(wording, (position, number))

    async def one(self, row: Row, position: tuple[int, int]) -> None:
        """One question: answered, verified, settled."""
        await self._settle(await self.answered(row, position))

    async def wordings(self, row: Row, prompt: Prompt) -> list[Row]:
        """The row alone, or with its rephrasings; a wording the teacher could not give is missing, not fatal."""
        if self.recipe.rephrase is None:
            return [row]
        return await rephrase.variants(
            row, self.recipe.rephrase, ask=self.ask, sampling=self.sampling, prompt=prompt, refused=self._refused
        )

    async def answered(self, row: Row, position: tuple[int, int]) -> Settled:
        """Samples in index order until enough are accepted or all are asked; the lowest accepted indices win."""
        samples: list[Sample] = []
        try:
            messages = self._messages(row)
            for index in range(self.recipe.samples.max if messages else 1):
                samples.append(await self.sampled(row, messages, index))
                if sum(sample.accepted for sample in samples) >= self.recipe.samples.accept:
                    return Settled(row, position, "kept", samples)
        except (AttemptFailed, NotInLedger, PluginError) as error:
            if not samples:
                return Settled(row, position, "failed", (), f"{error}")
            return Settled(row, position, "dropped", samples, f"{self._lacking(samples)}; then {error}")
        return Settled(row, position, "dropped", samples, self._lacking(samples))

    def _lacking(self, samples: Sequence[Sample]) -> str:
        """Why these samples are not enough: what the last refused one says, else how many were accepted."""
        reasons = [sample.reason for sample in samples if not sample.accepted]
        return reasons[-1] if reasons else f"accepted: {len(samples)} of {self.recipe.samples.accept} samples"

    async def sampled(self, row: Row, messages: Sequence[Message] | None, index: int) -> Sample:
        """One answer: asked (or found in the ledger), read as a trace, verified."""
        request = Request(getattr(self.strategy, "task", "answer"), row, messages or (), self.sampling, index)
        reply = await self.ask(request) if messages else None
        key = self.ask.key(request) if reply else content_id(row.id)
        trace = self._trace(row, reply)
        read = content_id(trace.thinking, trace.answer, trace.finished)  # another reader of replies is another case
        verdicts = await self.verified(row, trace, reply_id=f"{key}/{index}/{read}")
        accepted, reason = curate.decide(verdicts, [one.name for one in self.checks if one.required])
        return Sample(index, key, trace, reply, verdicts, accepted, reason)

    async def verified(self, row: Row, trace: Trace, *, reply_id: str) -> dict[str, Verdict]:
        """Every verdict on a trace, from the ledger where this very check, with these inputs, has judged it before."""
        case = case_of(row, trace)
        known = self.ledger.verdicts(row.id, reply_id)
        verdicts: dict[str, Verdict] = {}
        fresh: dict[str, Verdict] = {}
        for one in self.checks:
            if one.applies(case):
                self.applied[one.name] += 1
                digest = one.digest(case)
                verdict = known.get(digest)
                if verdict is None or verdict.status is Status.ERROR:  # an error is owed, like a reply that never came
                    verdict = fresh[digest] = await run_check(one, case, pool=self.pool)
                verdicts[one.name] = verdict
        if fresh:
            await self.ledger.record_verdicts(row.id, reply_id, fresh)
        return verdicts

    # ------------------------------------------------------------ what a row's life leans on

    @property
    def sampling(self) -> Mapping[str, Any]:
        """The teacher's sampling settings: part of every request, so another temperature is another request."""
        return getattr(self.teacher, "sampling", None) or {}

    def _messages(self, row: Row) -> Sequence[Message] | None:
        with boundary("`messages` of the strategy"):
            return self.strategy.messages(row)

    def _trace(self, row: Row, reply: Reply | None) -> Trace:
        with boundary("`trace` of the strategy"):
            trace = self.strategy.trace(row, reply)
            if not isinstance(trace, Trace):
                raise TypeError(f"it returned {type(trace).__name__}, not a Trace")
            for text in (trace.thinking or "", trace.answer):
                text.encode()  # neither a number nor half a character can be written later
            return trace

    async def _settle(self, settled: Settled) -> None:
        await self.ledger.settle(settled)
        self._count(settled=1, **{settled.outcome: 1})
        self.listener(RowSettled(settled.row.id, settled.outcome, settled.reason))

    def _count(self, **more: int) -> None:
        """Add to the counts and tell everybody where the run stands."""
        now = self.progress
        self.progress = Progress(
            **{name: getattr(now, name) + more.get(name, 0) for name in COUNTED},
            requests=self.ask.requests,
            replayed=self.ask.replayed,
            in_flight=self.pace.in_flight,
            limit=self.pace.limit,
            usage=self.ask.usage,
            seconds=time.monotonic() - self.started,
        )
        if self.exhausted and not self.unworded:
            self.progress = replace(self.progress, total=self.progress.read)
        self.listener(self.progress)

    def _refused(self, row: Row, text: str, reason: str) -> None:
        self.refused[reason.partition(" `")[0]] += 1

    def _bad_row(self, row: BadRecord, item: Item) -> None:
        self.bad_rows += 1
        if len(self.bad) < SHOWN_BAD_ROWS:
            self.bad.append(row)
        if item.config.on_bad_row == "stop":
            raise SourceError(row.reason, where=row.origin, help=row.help, state="stopped as `on_bad_row: stop` says")

    def stop(self, why: DistillError) -> None:
        """Ask for nothing more; what is in flight is finished and kept. The first reason stays."""
        if self.stopped is None:
            self.stopped = why
            self.pace.stop(why if isinstance(why, Stopped) else Stopped(str(why), limit="error"))
            self.listener(Stage("stopping", str(why)))

    def saved(self) -> str:
        """What is safe, for an error that ends the run."""
        replies = self.ledger.counts()["replies"]
        return f"{self.progress.settled:,} rows settled, {replies:,} replies saved; nothing that arrived is lost"

    def result(self, counts: Counts) -> Result:
        """What the run did, with the outcomes that curation left standing."""
        return Result(
            run_dir=self.ledger.run_dir,
            rows=counts.kept + counts.dropped + counts.failed,
            kept=counts.kept,
            dropped=counts.dropped,
            failed=counts.failed,
            requests=self.ask.requests,
            replayed=self.ask.replayed,
            usage=self.ask.usage,
            seconds=time.monotonic() - self.started,
            stopped_by=self.stopped.limit if isinstance(self.stopped, Stopped) else None,
            stopped=self.stopped,
            source_rows=self.source_rows,
            bad_rows=self.bad_rows,
        )

    def facts(self) -> dict[str, Any]:
        """What the report tells beside the dataset."""
        return {
            "teacher": self.teacher.identity,
            "malformed source rows": self.bad_rows,
            "repeated source rows": self.repeated,
            "refused rephrasings": dict(self.refused),
        }


def case_of(row: Row, trace: Trace) -> Case:
    """What verifiers see of a row and its trace."""
    completion = render_completion(trace.thinking, trace.answer)
    return Case(
        prompt=row.prompt,
        completion=completion,
        thinking=trace.thinking,
        answer=trace.answer,
        gold=row.answer,
        question=row.question,
        category=row.category,
        meta=MappingProxyType(row.meta),  # a verifier may look, not change
        finished=trace.finished,
    )


async def _in_batches(items: Iterator[T]) -> AsyncIterator[T]:
    """The items of a blocking iterator, read in a thread."""

    def take() -> tuple[list[T], Exception | None]:
        """What there is, and what then went wrong: the rows before it are rows all the same."""
        batch: list[T] = []
        deadline = time.monotonic() + BATCH_SECONDS
        try:
            for item in itertools.islice(items, BATCH):
                batch.append(item)
                if time.monotonic() > deadline:
                    break
        except Exception as error:
            return batch, error
        return batch, None

    while True:
        batch, error = await asyncio.to_thread(take)
        for item in batch:
            yield item
        if error is not None:
            raise error
        if not batch:
            return


# ---------------------------------------------------------------- runs


async def run(
    recipe: Recipe,
    *,
    run_dir: Path | None = None,
    fresh: bool = False,
    salvage: bool = False,
    listener: Listener = nobody,
    stop: asyncio.Event | None = None,
) -> Result:
    """Run a recipe to its end, or to a limit, and write everything that its ledger says into the run directory.

    The same call continues a run that was interrupted. `fresh` moves an old run directory aside, `salvage` replaces a
    damaged ledger by what can be read of it. Setting `stop` finishes what is in flight and ends the run.
    Raises TeacherError, SourceError, LedgerError, DiskFull and the other errors of `distill.errors`.
    """
    directory = run_dir or runs_home() / recipe.name
    with Ledger.open(directory, fresh=fresh, salvage=salvage) as ledger:
        async with conducting(recipe, ledger, listener=listener) as work:
            _tell_start(work, directory, ledger.begin(recipe.resolved()))
            await _until(stop, work, work.all_rows(read(recipe)))
            return await _ended(work, bad=work.bad)


async def recheck(recipe: Recipe, *, run_dir: Path, listener: Listener = nobody) -> Result:
    """Judge and curate the rows of an existing run anew, by this recipe, without asking the teacher anything.

    The generation before stays in the ledger for comparison.
    """
    with Ledger.open(run_dir) as ledger:
        async with conducting(recipe, ledger, listener=listener, frozen=True) as work:
            rows = ledger.rows(generation=ledger.generation)
            _tell_start(work, run_dir, ledger.begin(recipe.resolved()))
            await _until(None, work, work.stored_rows(rows))
            return await _ended(work, before=facts_of(run_dir), bad=malformed_of(run_dir))


async def preview(
    recipe: Recipe, *, rows: int = 5, run_dir: Path | None = None, listener: Listener = nobody
) -> list[Settled]:
    """The first `rows` questions through the whole pipeline, nothing settled; a later run reuses the replies."""
    with Ledger.open(run_dir or runs_home() / recipe.name) as ledger:
        async with conducting(recipe, ledger, listener=listener) as work:
            wordings: list[Row] = []
            async for item in _in_batches(read(recipe)):
                if not isinstance(item.row, BadRecord):
                    wordings += await work.wordings(item.row, item.prompt)
                if len(wordings) >= rows:
                    break
            return await together([work.answered(row, (0, n)) for n, row in enumerate(wordings[:rows])])


def runs_home() -> Path:
    """Where run directories live: `DISTILL_RUNS`, else `runs` in the working directory."""
    return Path(os.environ.get("DISTILL_RUNS") or "runs").expanduser()


@asynccontextmanager
async def conducting(
    recipe: Recipe, ledger: Ledger, *, listener: Listener = nobody, frozen: bool = False
) -> AsyncIterator[Run]:
    """Everything a run needs, built from its recipe and let go of at the end. `frozen` never asks the teacher."""
    teacher = plugins.build("teacher", recipe.teacher, base=recipe.base)
    limits = recipe.limits
    pace = Pace(
        concurrency=limits.concurrency,
        usd=limits.usd,
        tokens=limits.tokens,
        minutes=limits.minutes,
        worked=ledger.counts()["replies"] > 0,
    )
    pool = Pool()
    try:
        yield Run(
            recipe=recipe,
            ledger=ledger,
            teacher=teacher,
            strategy=plugins.build("strategy", recipe.strategy, base=recipe.base),
            checks=[plugins.build("verifier", check, base=recipe.base) for check in recipe.verify],
            pace=pace,
            ask=Ask(teacher, ledger, pace, frozen=frozen),
            pool=pool,
            listener=listener,
            window=WINDOW if limits.concurrency == "auto" else max(2 * limits.concurrency, 64),
        )
    finally:
        try:
            with boundary("`close` of the teacher"):
                await teacher.close()
        except DistillError as error:  # everything is saved by now
            listener(Warned(error.kind, f"{error}", where=error.where, cause=error.cause))
        await asyncio.to_thread(pool.close)


async def _until(stop: asyncio.Event | None, work: Run, rows: Coroutine[Any, Any, None]) -> None:
    """Run `rows` to its end while watching `stop`; errors come out of their groups."""

    async def watch() -> None:
        if stop is not None:
            await stop.wait()
            work.stop(Stopped("interrupted", limit="interrupt"))

    watcher = asyncio.create_task(watch())
    try:
        await rows
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    finally:
        watcher.cancel()


def _tell_start(work: Run, directory: Path, changed: Sequence[str]) -> None:
    replies = work.ledger.counts()["replies"]
    work.listener(RunStarted(work.recipe.name, directory, work.teacher.identity, replies, tuple(changed)))


async def _ended(work: Run, *, bad: Sequence[BadRecord], before: Mapping[str, Any] | None = None) -> Result:
    """Tell what was left out, write the run directory from the ledger, and say how it went.

    Raises what ended the run, with what is safe, where that was no limit: the files of the run before then stay.
    `before` is what an earlier run of the same rows told its report.
    """
    if work.stopped is not None and not isinstance(work.stopped, Stopped):
        work.stopped.state = work.stopped.state or work.saved()
        raise work.stopped
    await work.ledger.flush()
    _tell_bad_rows(work)
    _tell_idle_checks(work)
    work.listener(Stage("curate"))
    work.ledger.finish()
    facts = work.facts() if before is None else {**before, "teacher": work.teacher.identity}
    writing = asyncio.to_thread(
        write_artifacts, work.ledger, work.recipe, work.strategy, result=work.result, bad=bad, facts=facts
    )
    result = await to_the_end(writing)  # a thread cannot be cancelled, and it uses the ledger that we would close
    work.listener(RunEnded(result))
    return result


def _tell_bad_rows(work: Run) -> None:
    if work.bad:
        first = work.bad[0]
        work.listener(
            Warned(
                "source",
                f"{work.bad_rows} malformed rows were left out, {_listed(work)} in rejected.jsonl",
                where="; ".join(bad.origin for bad in work.bad[:3]),
                cause=first.reason,
                help=first.help,
            )
        )


def _tell_idle_checks(work: Run) -> None:
    """A required check that never applied required nothing: most often a slip in its `when`."""
    for one in work.checks:
        if one.required and work.progress.settled and not work.applied[one.name]:
            facts = ", ".join(one.when)
            said = f"the required check `{one.name}` applied to no answer"
            work.listener(Warned("verify", said, help=f"do the rows have what its `when` asks for: {facts}?"))


def _listed(work: Run) -> str:
    return "listed" if work.bad_rows <= SHOWN_BAD_ROWS else f"the first {SHOWN_BAD_ROWS:,} listed"
