"""The one thread that writes to the ledger.

May be imported by the ledger only.
Design reason: natural group commit. The thread takes everything that is queued, commits it together, wakes everybody
who waits with one call into their event loop, and looks again: no timer, no batch size to tune.
"""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from distill.errors import DiskFull, LedgerError
from distill.ledger.file import RESERVE_BYTES, Body, connect, create, explain, is_full, no_room, pack
from distill.records import Reply

SYNC_SECONDS = 1.0
"""A power cut costs at most the replies of this many seconds."""

_BATCH = 4096
_BACKLOG = 20_000


class Job(NamedTuple):
    """Statements that are committed together, and who waits for the commit."""

    statements: Sequence[tuple[str, tuple[Any, ...]]] = ()
    waiter: "asyncio.Future[None] | Future[None] | None" = None
    pending: tuple[str, int] | None = None
    """The reply to drop from the ledger's pending ones once it can be read from the file."""
    sync: bool = False
    """Whether its commit must outlive a power cut, not only a kill."""


class Writer:
    """The one thread that writes. `full` and `broken` are set once and stay."""

    def __init__(self, path: Path, pending: dict[tuple[str, int], Reply]) -> None:
        self.full = False
        self.broken: Exception | None = None
        self._path = path
        self._reserve = path.with_name(".reserve")
        self._pending = pending
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._synced = time.monotonic()
        self._story: tuple[str, str] | None = None
        self._connection = connect(path, writing=True)
        try:
            create(self._connection, path)
            occupy(self._reserve)
        except BaseException:
            self._connection.close()
            raise
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether so much is queued that a producer must wait, or memory would grow."""
        return self._jobs.qsize() > _BACKLOG

    def put(self, job: Job) -> None:
        """Queue a job; it is committed with whatever else has arrived by then."""
        if self.broken:
            if job.pending is not None:
                self._pending.pop(job.pending, None)
            raise self.broken
        self._jobs.put(job)

    async def saved(self, job: Job) -> None:
        """Queue a job and return once it is committed; raises what went wrong."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(job._replace(waiter=waiter))
        await waiter

    def wait(self, job: Job) -> None:
        """As `saved`, for callers without an event loop."""
        waiter: Future[None] = Future()
        self.put(job._replace(waiter=waiter))
        waiter.result()

    def close(self) -> None:
        """Commit what is queued, sync, and end the thread."""
        self._jobs.put(None)
        self._thread.join()
        self.broken = self.broken or LedgerError("the ledger is closed", where=str(self._path))
        self._connection.close()
        self._reserve.unlink(missing_ok=True)

    def disk_full(self) -> DiskFull:
        """What to tell a person, with what is safe and how much to free; counted once, when it happened."""
        if self._story is None:
            self._story = self._tell_story()
        state, help_ = self._story
        return DiskFull(
            f"no space left while writing `{self._path.name}`", where=str(self._path), state=state, help=help_
        )

    def _tell_story(self) -> tuple[str, str]:
        replies, settled = 0, 0
        with suppress(sqlite3.Error), closing(connect(self._path, writing=False)) as reader:
            replies = reader.execute("SELECT count(*) FROM replies").fetchone()[0]
            settled = reader.execute(
                "SELECT count(*) FROM settled WHERE generation = (SELECT max(generation) FROM runs)"
            ).fetchone()[0]
        size = sum(file.stat().st_size for file in (self._path, self._path.with_name("ledger.db-wal")) if file.exists())
        per_thousand = max(1, round(size / max(replies, 1) * 1000 / 2**20))
        return (
            f"{settled:,} rows settled and {replies:,} replies saved; what had arrived is saved,"
            " requests in flight will be asked again",
            f"free some space (about {per_thousand} MB for 1,000 more replies), then the same command again",
        )

    def _run(self) -> None:
        """Work; should that ever fail, nobody may wait for a commit that will not come."""
        try:
            self._work()
        except Exception as error:
            self.broken = error
            while not self._jobs.empty():
                if (job := self._jobs.get()) is not None:
                    self._tell([job], error)

    def _work(self) -> None:
        unsynced = False
        while True:
            try:
                first = self._jobs.get(timeout=SYNC_SECONDS if unsynced else None)
            except queue.Empty:
                self._checkpoint("PASSIVE")
                unsynced = False
                continue
            batch, ending = self._arrived(first)
            if batch:
                self._save(batch)
                unsynced = True
            if ending:
                return self._checkpoint("TRUNCATE")

    def _arrived(self, first: Job | None) -> tuple[list[Job], bool]:
        """Everything that is waiting now, and whether the end is among it."""
        batch: list[Job] = []
        job = first
        while job is not None:
            batch.append(job)
            if len(batch) == _BATCH or self._jobs.empty():
                return batch, False
            job = self._jobs.get()
        return batch, True

    def _checkpoint(self, mode: str) -> None:
        """Sync, and move the WAL into the file. Failing is harmless: the WAL stays and is read at the next opening."""
        if self.full:
            return
        with suppress(sqlite3.Error):
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        self._synced = time.monotonic()

    def _save(self, batch: list[Job]) -> None:
        """Commit a batch, in parts where something in it cannot be written, and tell those who wait."""
        error = self._try(batch)
        if error is not None and is_full(error) and not self.full:
            self._open_reserve()
            return self._save(batch)
        if error is None:
            return self._tell(batch, None)
        if len(batch) > 1:  # one bad job must not take its neighbours with it
            for job in batch:
                self._save([job])
            return None
        told = self.disk_full() if is_full(error) else explain(self._path, error)
        if batch[0].waiter is None and not is_full(error):
            self.broken = told  # nobody waits for it, so the next call raises it
        self._tell(batch, told)

    def _open_reserve(self) -> None:
        """Free the reserve for replies alone: a checkpoint would spend it on copying what is safe in the WAL."""
        self.full = True
        self._connection.execute("PRAGMA wal_autocheckpoint=0")
        self._reserve.unlink(missing_ok=True)

    def _try(self, batch: list[Job]) -> Exception | None:
        connection = self._connection
        due = time.monotonic() - self._synced > SYNC_SECONDS or any(job.sync for job in batch)
        try:
            connection.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                for sql, values in job.statements:
                    connection.execute(sql, [pack(v) if type(v) is Body else v for v in values])
            connection.execute("COMMIT")
        except Exception as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            return error
        if due:
            self._synced = time.monotonic()
        return None

    def _tell(self, batch: list[Job], error: Exception | None) -> None:
        """Wake everybody who waits: one call into each event loop for the whole batch."""
        loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for job in batch:
            if job.pending is not None:
                self._pending.pop(job.pending, None)
            if isinstance(job.waiter, asyncio.Future):
                loops.setdefault(job.waiter.get_loop(), []).append(job.waiter)
            elif job.waiter is not None:
                job.waiter.set_exception(error) if error else job.waiter.set_result(None)
        for loop, waiters in loops.items():
            with suppress(RuntimeError):  # the loop was closed; nobody waits any more
                loop.call_soon_threadsafe(_wake, waiters, error)


def _wake(waiters: list["asyncio.Future[None]"], error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


def occupy(path: Path) -> None:
    """Occupy the reserve. Raises DiskFull before anything has been asked when there is no room even for that."""
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):  # instant; writing would cost every start tens of milliseconds
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            else:
                file.write(bytes(RESERVE_BYTES))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise no_room(path.parent, error) from error
