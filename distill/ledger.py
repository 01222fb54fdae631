"""The run directory's memory: every reply and verdict ever paid for, and how each row of a run ended.

Lives here: `Ledger` (one writer), `LedgerView` (any number of readers, also beside a writer), `DiskSet`, salvage.
May be imported by ask, engine, curate, export, cli and tests; imports only records, errors and the verdict contract.

Design reason: SQLite in WAL mode behind one writer thread that commits whatever has arrived, again and again. A caller
of `record` resumes when its reply is committed, so a killed process (SIGKILL, out of memory) loses nothing that was
acknowledged, and a burst of replies shares one commit. Commits do not sync by themselves; at least one a second does,
and an idle ledger syncs at once, so a power cut costs at most the last second, and what is left opens cleanly because
every WAL frame carries a checksum.

Replies and verdicts are only ever added. Rows, and how they settled, belong to a generation (one call of `begin`); the
current and the previous one are kept, so that a run can be compared with the one before.
"""

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from distill.errors import DiskFull, LedgerError
from distill.records import Outcome, Reply, Row, Sample, Settled, Trace, Usage
from verify.contract import Verdict

SCHEMA_VERSION = 1
SYNC_SECONDS = 1.0
"""A power cut costs at most the replies of this many seconds."""
RESERVE_BYTES = 8 * 1024 * 1024
"""Kept free for the replies that are in flight when the disk fills up."""
PACK_ABOVE = 512
"""Bodies longer than this many bytes are stored with zlib level 1."""

_BATCH = 4096
_BACKLOG = 20_000
_PAGE = 256

_SCHEMA = """
CREATE TABLE replies (id INTEGER PRIMARY KEY, key TEXT NOT NULL, sample INTEGER NOT NULL, input_tokens INTEGER,
    output_tokens INTEGER, reasoning_tokens INTEGER, usd REAL, body BLOB NOT NULL, UNIQUE (key, sample));
CREATE TABLE verdicts (id INTEGER PRIMARY KEY, row TEXT NOT NULL, reply TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX verdicts_of ON verdicts (row, reply);
CREATE TABLE rows (id TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE settled (generation INTEGER, source INTEGER, variant INTEGER, row TEXT NOT NULL, outcome TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (generation, source, variant)) WITHOUT ROWID;
CREATE TABLE runs (generation INTEGER PRIMARY KEY, recipe BLOB NOT NULL);
"""

_PUT_REPLY = "INSERT OR IGNORE INTO replies VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
_PUT_VERDICTS = "INSERT INTO verdicts VALUES (NULL, ?, ?, ?)"
_PUT_ROW = "INSERT OR IGNORE INTO rows VALUES (?, ?)"
_PUT_SETTLED = "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?, ?)"
_PUT_RUN = "INSERT INTO runs VALUES (?, ?)"
_FORGET = "DELETE FROM settled WHERE generation < ?"

Retrace = Callable[[Row, Reply | None], Trace]
"""How a strategy reads a reply: stored replies are read anew, so a better reader needs no new reply."""


class DiskSet:
    """A map of bytes that remembers the first value of each key, in constant memory.

    A private temporary SQLite database: small ones never touch the disk, large ones spill to it, and it is gone when
    closed or when the process ends.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, key: bytes, value: bytes = b"") -> bytes | None:
        """None when `key` is new (it now has `value`), else the value it had."""
        if self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, value)).rowcount:
            return None
        found = self._connection.execute("SELECT value FROM seen WHERE key = ?", (key,)).fetchone()
        return bytes(found[0])

    def close(self) -> None:
        """Drop everything."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a salvage saved out of a damaged ledger."""

    replies: int
    verdicts: int
    damaged: Path
    """The damaged file, kept beside the new one."""


# ---------------------------------------------------------------- bodies


def _pack(body: bytes) -> bytes:
    return zlib.compress(body, 1) if len(body) > PACK_ABOVE else body


def _unpack(stored: bytes) -> bytes:
    """JSON starts with a bracket and zlib with 0x78, so a stored body says itself what it is."""
    return zlib.decompress(stored) if stored[:1] == b"\x78" else stored


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)


def differing_keys(before: Any, now: Any, *, at: str = "") -> list[str]:
    """Dotted paths at which two JSON values differ, such as `samples.max` or `verify[1].use`, sorted."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [
            (f"{at}.{key}" if at else key, before.get(key), now.get(key)) for key in sorted(before.keys() | now.keys())
        ]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(f"{at}[{i}]", old, new) for i, (old, new) in enumerate(zip(before, now, strict=True))]
    else:
        return [] if before == now else [at]
    return [path for name, old, new in pairs for path in differing_keys(old, new, at=name)]


# ---------------------------------------------------------------- errors


def _primary(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"}
"""Out of space, over a quota or over a file size limit: SQLite names them differently."""


def _is_full(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorname", "") in _FULL


def _damaged(path: Path, error: BaseException) -> LedgerError:
    return LedgerError(
        f"the ledger `{path.name}` is damaged",
        where=str(path),
        cause=str(error),
        help="add --salvage to the same command: what can still be read is kept, the damaged file too;"
        " or start anew with --fresh",
    )


def _explain(path: Path, error: Exception) -> Exception:
    """The error a person should see for what SQLite raised; anything else is passed through."""
    if isinstance(error, zlib.error | orjson.JSONDecodeError):
        return _damaged(path, error)
    if not isinstance(error, sqlite3.Error):
        return error
    if _primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "malformed" in str(error):
        return _damaged(path, error)
    return LedgerError(
        f"cannot use the ledger `{path.name}`",
        where=str(path),
        cause=str(error),
        help="is the directory writable, and on a local disk?",
    )


# ---------------------------------------------------------------- opening


def _connect(path: Path, *, writing: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if writing else 'ro'}"
    # One thread at a time uses each connection; SQLite's own mutexes make crossing threads safe.
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)
    connection.execute("PRAGMA cache_size=-16000")
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version, 0 for a new file. Raises LedgerError for a newer one."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # reads the header: raises when damaged
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"the ledger `{path.name}` was written by a newer version of distill",
            where=str(path),
            cause=f"its format is {version}, this version reads up to {SCHEMA_VERSION}",
            help="upgrade distill, or start anew with --fresh (the old directory is kept)",
        )
    return version


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """WAL mode, and the tables where there are none."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    if _check_version(connection, path) == 0:
        connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT")


def _lock(run_dir: Path) -> int:
    """An open, locked file that the kernel unlocks however this process ends. Raises LedgerError when it is taken."""
    handle = os.open(run_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise LedgerError(
            f"the run directory `{run_dir.name}` is in use by process {holder}",
            where=str(run_dir),
            help="wait for it or stop it, or give this run a directory of its own with --out",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def _reserve(path: Path) -> None:
    """Occupy the reserve. Raises DiskFull before anything has been asked when there is no room even for that."""
    try:
        with path.open("wb") as file:
            file.write(bytes(RESERVE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DiskFull(
            f"no space left for `{path.parent.name}`",
            where=str(path.parent),
            cause=error.strerror or str(error),
            state="nothing was asked; everything from earlier runs is safe",
            help=f"free at least {2 * RESERVE_BYTES // 2**20} MB, then the same command again",
        ) from error


def _free_name(make: Callable[[int], Path]) -> Path:
    number = 1
    while make(number).exists():
        number += 1
    return make(number)


def _move_aside(run_dir: Path) -> Path | None:
    """Rename a run directory to the first free `name.1`, `name.2` … Nothing is ever deleted."""
    if not run_dir.is_dir() or not any(run_dir.iterdir()):
        return None
    handle = _lock(run_dir)
    try:
        return run_dir.rename(_free_name(lambda n: run_dir.with_name(f"{run_dir.name}.{n}")))
    finally:
        os.close(handle)


# ---------------------------------------------------------------- the writer


class _Job(NamedTuple):
    """Statements that are committed together, and who waits for the commit."""

    statements: Sequence[tuple[str, tuple[Any, ...]]] = ()
    waiter: "asyncio.Future[None] | Future[None] | None" = None
    pending: tuple[str, int] | None = None
    """The reply to drop from the ledger's pending ones once it can be read from the file."""


class _Writer:
    """The one thread that writes. `full` and `broken` are set once and stay."""

    def __init__(self, path: Path, pending: dict[tuple[str, int], Reply]) -> None:
        self.full = False
        self.broken: Exception | None = None
        self._path = path
        self._reserve = path.with_name(".reserve")
        self._pending = pending
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._synced = time.monotonic()
        self._connection = _connect(path, writing=True)
        try:
            _create(self._connection, path)
            _reserve(self._reserve)
        except BaseException:
            self._connection.close()
            raise
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether so much is queued that a producer must wait, or memory would grow."""
        return self._jobs.qsize() > _BACKLOG

    def put(self, job: _Job) -> None:
        """Queue a job; it is committed with whatever else has arrived by then."""
        if self.broken:
            raise self.broken
        self._jobs.put(job)

    async def saved(self, job: _Job) -> None:
        """Queue a job and return once it is committed; raises what went wrong."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(job._replace(waiter=waiter))
        await waiter

    def wait(self, job: _Job) -> None:
        """As `saved`, for callers without an event loop."""
        waiter: Future[None] = Future()
        self.put(job._replace(waiter=waiter))
        waiter.result()

    def close(self) -> None:
        """Commit what is queued, sync, and end the thread."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()
        self._reserve.unlink(missing_ok=True)

    def disk_full(self) -> DiskFull:
        """What to tell a person, with what is safe and how much to free."""
        replies, settled = 0, 0
        with suppress(sqlite3.Error), closing(_connect(self._path, writing=False)) as reader:
            replies = reader.execute("SELECT count(*) FROM replies").fetchone()[0]
            settled = reader.execute(
                "SELECT count(*) FROM settled WHERE generation = (SELECT max(generation) FROM runs)"
            ).fetchone()[0]
        size = sum(file.stat().st_size for file in self._path.parent.glob("ledger.db*"))
        per_thousand = max(1, round(size / max(replies, 1) * 1000 / 2**20))
        return DiskFull(
            f"no space left while writing `{self._path.name}`",
            where=str(self._path),
            state=f"{settled:,} rows settled and {replies:,} replies saved; what had arrived is saved,"
            " requests in flight will be asked again",
            help=f"free some space (about {per_thousand} MB for 1,000 more replies), then the same command again",
        )

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
            self._save(batch)
            unsynced = True
            if ending:
                return self._checkpoint("TRUNCATE")

    def _arrived(self, first: _Job | None) -> tuple[list[_Job], bool]:
        """Everything that is waiting now, and whether the end is among it."""
        batch: list[_Job] = []
        job = first
        while job is not None:
            batch.append(job)
            if len(batch) == _BATCH or self._jobs.empty():
                return batch, False
            job = self._jobs.get()
        return batch, True

    def _checkpoint(self, mode: str) -> None:
        """Sync, and move the WAL into the file. Failing is harmless: the WAL stays and is read at the next opening."""
        with suppress(sqlite3.Error):
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        self._synced = time.monotonic()

    def _save(self, batch: list[_Job]) -> None:
        """Commit a batch, in parts where something in it cannot be written, and tell those who wait."""
        error = self._try(batch)
        if error is not None and _is_full(error) and not self.full:
            self.full = True
            self._reserve.unlink(missing_ok=True)
            error = self._try(batch)
        if error is None:
            return self._tell(batch, None)
        if len(batch) > 1:  # one bad job must not take its neighbours with it
            for job in batch:
                self._save([job])
            return None
        told = self.disk_full() if _is_full(error) else _explain(self._path, error)
        if batch[0].waiter is None and not _is_full(error):
            self.broken = told  # nobody waits for it, so the next call raises it
        self._tell(batch, told)

    def _try(self, batch: list[_Job]) -> Exception | None:
        connection = self._connection
        due = time.monotonic() - self._synced > SYNC_SECONDS
        try:
            connection.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                for sql, values in job.statements:
                    connection.execute(sql, [_pack(v) if type(v) is bytes else v for v in values])
            connection.execute("COMMIT")
        except Exception as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            return error
        if due:
            self._synced = time.monotonic()
        return None

    def _tell(self, batch: list[_Job], error: Exception | None) -> None:
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


# ---------------------------------------------------------------- reading


class LedgerView:
    """Reads a run directory; needs no lock, so it also works beside a running writer. A context manager."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.path = run_dir / "ledger.db"
        self._reader = _connect(self.path, writing=False)
        self.generation = int(self._fetch("SELECT coalesce(max(generation), 0) FROM runs")[0][0])
        """Number of the last call of `begin`, 0 before the first."""

    @classmethod
    def open(cls, run_dir: Path) -> Self:
        """Open for reading. Raises LedgerError when there is no ledger, or none that can be read."""
        path = run_dir / "ledger.db"
        if not path.is_file():
            raise LedgerError(
                f"no run in `{run_dir.name}`", where=str(run_dir), help="`distill list runs` shows those there are"
            )
        try:
            with closing(_connect(path, writing=False)) as connection:
                _check_version(connection, path)
            return cls(run_dir)
        except sqlite3.Error as error:
            raise _explain(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def reply(self, key: str, sample: int) -> Reply | None:
        """The reply filed under a request key and sample index, or None."""
        found = self._fetch("SELECT body FROM replies WHERE key = ? AND sample = ?", (key, sample))
        return self._load(Reply.loads, found[0][0]) if found else None

    def verdicts(self, row_id: str, reply_id: str) -> dict[str, Verdict]:
        """What is known of one reply to one row: verifier digest to verdict. Sees what is committed."""
        found = self._fetch("SELECT body FROM verdicts WHERE row = ? AND reply = ? ORDER BY id", (row_id, reply_id))
        known: dict[str, Any] = {}
        for (body,) in found:
            known |= self._load(orjson.loads, body)
        return {digest: Verdict.from_json(verdict) for digest, verdict in known.items()}

    def rows(self, *, generation: int | None = None) -> Iterator[tuple[tuple[int, int], Row]]:
        """Rows of a generation (the current one when not said) with their positions, in position order."""
        for source, variant, row_id, _outcome, body in self._pages(generation):
            row = self._row(row_id, self._load(orjson.loads, body))
            if row is not None:
                yield (source, variant), row

    def settled(self, retrace: Retrace, *, generation: int | None = None) -> Iterator[Settled]:
        """How the rows of a generation (the current one when not said) ended, in position order, in constant memory.

        Replies are read anew by `retrace`; verdicts are exactly those that `settle` was given.
        """
        for source, variant, row_id, outcome, body in self._pages(generation):
            facts = self._load(orjson.loads, body)
            row = self._row(row_id, facts)
            if row is not None:
                samples = [self._sample(row, retrace, *fields) for fields in facts["samples"]]
                yield Settled(row, (source, variant), outcome, samples, facts["reason"])

    def counts(self, *, generation: int | None = None) -> dict[str, int]:
        """`replies` in the ledger, and `kept`, `dropped`, `failed` of a generation (the current one when not said)."""
        self._catch_up()
        at = self.generation if generation is None else generation
        outcomes = self._fetch("SELECT outcome, count(*) FROM settled WHERE generation = ? GROUP BY outcome", (at,))
        counts = {"replies": self._fetch("SELECT count(*) FROM replies")[0][0], "kept": 0, "dropped": 0, "failed": 0}
        return counts | dict(outcomes)

    def usage(self) -> Usage:
        """What all replies in the ledger cost together; `usd` is None when the price of any is unknown."""
        self._catch_up()
        totals = self._fetch(
            "SELECT coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),"
            " coalesce(sum(reasoning_tokens), 0), coalesce(sum(usd), 0.0), count(*) - count(usd) FROM replies"
        )[0]
        return Usage(totals[0], totals[1], totals[2], None if totals[4] else totals[3])

    def _catch_up(self) -> None:
        """Make queued writes visible; a reader has none."""

    def _pages(self, generation: int | None) -> Iterator[tuple[int, int, str, Outcome, bytes]]:
        """Settled rows in pages, so that no long-lived read keeps the WAL from being checkpointed."""
        self._catch_up()
        at = self.generation if generation is None else generation
        last = (-1, -1)
        while page := self._fetch(
            "SELECT source, variant, row, outcome, body FROM settled WHERE generation = ?"
            " AND (source, variant) > (?, ?) ORDER BY source, variant LIMIT ?",
            (at, *last, _PAGE),
        ):
            yield from page
            last = page[-1][:2]

    def _row(self, row_id: str, facts: Mapping[str, Any]) -> Row | None:
        found = self._fetch("SELECT body FROM rows WHERE id = ?", (row_id,))
        if not found:
            return None
        content = self._load(orjson.loads, found[0][0])
        return Row(row_id, facts["group"], **content, origin=facts["origin"])

    def _sample(
        self, row: Row, retrace: Retrace, index: int, key: str, accepted: bool, reason: str, verdicts: dict[str, Any]
    ) -> Sample:
        reply = self.reply(key, index)
        shown = {name: Verdict.from_json(verdict) for name, verdict in verdicts.items()}
        return Sample(index, key, retrace(row, reply), reply, shown, accepted, reason)

    def _fetch(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _explain(self.path, error) from error

    def _load(self, read: Callable[[bytes], Any], stored: bytes) -> Any:
        try:
            return read(_unpack(stored))
        except (zlib.error, orjson.JSONDecodeError) as error:
            raise _explain(self.path, error) from error


class Ledger(LedgerView):
    """The run directory's one writer. A context manager; reads what it wrote."""

    def __init__(self, run_dir: Path, lock: int) -> None:
        self._lock = lock
        self._pending: dict[tuple[str, int], Reply] = {}
        self._seen = DiskSet()
        self._writer = _Writer(run_dir / "ledger.db", self._pending)
        super().__init__(run_dir)
        self.salvaged: Salvaged | None = None
        """What `open(salvage=True)` saved; None when the ledger was sound."""
        self.moved_aside: Path | None = None
        """Where `open(fresh=True)` moved the old directory; None when there was none."""

    @classmethod
    def open(cls, run_dir: Path, *, fresh: bool = False, salvage: bool = False) -> Self:
        """Open or create the ledger of a run directory.

        `fresh` moves an existing directory aside; `salvage` replaces a damaged ledger by what can be read of it.
        Raises LedgerError when it is damaged, newer than this version or in use, DiskFull when there is no room.
        """
        moved = _move_aside(run_dir) if fresh else None
        run_dir.mkdir(parents=True, exist_ok=True)
        lock = _lock(run_dir)
        try:
            salvaged = _salvage(run_dir / "ledger.db") if salvage else None
            ledger = cls(run_dir, lock)
        except sqlite3.Error as error:
            os.close(lock)
            raise _explain(run_dir / "ledger.db", error) from error
        except BaseException:
            os.close(lock)
            raise
        ledger.salvaged, ledger.moved_aside = salvaged, moved
        return ledger

    def close(self) -> None:
        """Commit and sync everything, close the file and let others have the directory."""
        self._writer.close()
        super().close()
        self._seen.close()
        os.close(self._lock)

    def begin(self, recipe_json: Mapping[str, Any]) -> list[str]:
        """Start a generation; returns the recipe keys that differ from the one before. Secrets are not to be in it."""
        body = _json(recipe_json)
        last = self._fetch("SELECT recipe FROM runs WHERE generation = ?", (self.generation,))
        before = self._load(orjson.loads, last[0][0]) if last else None
        self.generation += 1
        self._seen.close()
        self._seen = DiskSet()
        put_run = (_PUT_RUN, (self.generation, body))
        self._writer.wait(_Job((put_run, (_FORGET, (self.generation - 1,)))))
        return [] if before is None else differing_keys(before, orjson.loads(body))

    def admit(self, row_id: str) -> bool:
        """Whether this generation sees that row for the first time."""
        return self._seen.add(row_id.encode()) is None

    def reply(self, key: str, sample: int) -> Reply | None:
        """The reply filed under a request key and sample index, or None; sees what is being recorded, too."""
        return self._pending.get((key, sample)) or super().reply(key, sample)

    async def record(self, key: str, sample: int, reply: Reply) -> None:
        """File a reply; returns once it is committed. The first reply under a key and sample stays.

        Raises DiskFull when the disk is full, from then on always, although the reserve takes in as many of the
        replies still arriving as it can.
        """
        was_full = self._writer.full
        usage = reply.usage
        tokens = (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.usd)
        job = _Job(((_PUT_REPLY, (key, sample, *tokens, reply.dumps())),), pending=(key, sample))
        self._pending[key, sample] = reply
        await self._writer.saved(job)
        if was_full:
            raise self._writer.disk_full()

    async def record_verdicts(self, row_id: str, reply_id: str, verdicts: Mapping[str, Verdict]) -> None:
        """File verdicts by verifier digest. Does not wait for the commit: a verdict lost is computed again."""
        body = _json({digest: verdict.to_json() for digest, verdict in verdicts.items()})
        await self._soon(_Job(((_PUT_VERDICTS, (row_id, reply_id, body)),)))

    async def settle(self, settled: Settled) -> None:
        """File how a row ended in this generation. Does not wait for the commit."""
        row = settled.row
        content = {
            "prompt": row.prompt,
            "answer": row.answer,
            "reasoning": row.reasoning,
            "category": row.category,
            "meta": row.meta,
        }
        # The group and the origin are not part of a row's identity, so they stand with the generation, not the row.
        facts = {"group": row.group, "origin": row.origin, "reason": settled.reason, "samples": _samples(settled)}
        place = (self.generation, *settled.position, row.id, settled.outcome, _json(facts))
        await self._soon(_Job(((_PUT_ROW, (row.id, _json(content))), (_PUT_SETTLED, place))))

    async def flush(self) -> None:
        """Return once everything given so far is committed. Raises what went wrong meanwhile."""
        await self._writer.saved(_Job())
        if self._writer.full:
            raise self._writer.disk_full()

    async def _soon(self, job: _Job) -> None:
        if self._writer.full:
            raise self._writer.disk_full()
        if self._writer.busy:
            await self._writer.saved(job)
        else:
            self._writer.put(job)

    def _catch_up(self) -> None:
        self._writer.wait(_Job())


def _samples(settled: Settled) -> list[tuple[Any, ...]]:
    """Samples without their replies, which the ledger has already; verdicts inline, as they counted."""
    return [
        (one.index, one.key, one.accepted, one.reason, {name: v.to_json() for name, v in one.verdicts.items()})
        for one in settled.samples
    ]


# ---------------------------------------------------------------- salvage


def _salvage(path: Path) -> Salvaged | None:
    """Replace a damaged ledger by what can be read of it; None when it is sound or not there."""
    if not path.is_file() or _sound(path):
        return None
    rescued = path.with_name("ledger.salvaged.db")
    rescued.unlink(missing_ok=True)
    with closing(_connect(rescued, writing=True)) as target:
        target.execute("PRAGMA synchronous=FULL")
        target.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};")
        replies, verdicts = _rescue_into(target, path)
        target.execute("COMMIT")
    damaged = _free_name(lambda n: path.with_name(f"ledger.damaged-{n}.db"))
    for suffix in ("-wal", ""):  # the old WAL must be gone before the new file has the name
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(damaged.with_name(damaged.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    rescued.rename(path)
    return Salvaged(replies, verdicts, damaged)


def _sound(path: Path) -> bool:
    try:
        with closing(_connect(path, writing=False)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _rescue_into(target: sqlite3.Connection, damaged: Path) -> tuple[int, int]:
    """Copy every readable reply and verdict; none when not even the list of tables can be read."""
    saved = [0, 0]
    with suppress(sqlite3.DatabaseError), closing(_connect(damaged, writing=False)) as source:
        source.execute("PRAGMA writable_schema=ON")  # else SQLite refuses a file that is shorter than it should be
        for i, table in enumerate(("replies", "verdicts")):
            for values in _readable(source, table):
                marks = ", ".join("?" * len(values))
                saved[i] += target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values).rowcount
    return saved[0], saved[1]


def _readable(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, by halving the ranges of ids in which something cannot."""
    for start in range(1, _last_id(source, table) + 1, _PAGE):
        ranges = [(start, start + _PAGE - 1)]
        while ranges:
            low, high = ranges.pop()
            try:
                found = source.execute(f"SELECT * FROM {table} WHERE id BETWEEN ? AND ?", (low, high)).fetchall()
            except sqlite3.DatabaseError:
                if low < high:
                    middle = (low + high) // 2
                    ranges += [(middle + 1, high), (low, middle)]
                continue
            yield from (row for row in found if _intact(row[-1]))


def _last_id(source: sqlite3.Connection, table: str) -> int:
    """The highest id; where the end of the table is damaged, a guess on the high side from the file's size."""
    try:
        return int(source.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0])
    except sqlite3.DatabaseError:
        return int(source.execute("PRAGMA page_count").fetchone()[0]) * 40


def _intact(body: Any) -> bool:
    """Whether a body is whole: SQLite has no checksums, zlib and JSON notice most of what it does not."""
    try:
        orjson.loads(_unpack(body))
    except (zlib.error, orjson.JSONDecodeError, TypeError):
        return False
    return True
