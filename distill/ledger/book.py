"""The run directory's one writer.

May be imported by ask, engine and cli.
Design reason: everything that changes a run directory's memory is a method of one class that holds the directory's
lock, so two runs can never write to the same ledger.
"""

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import orjson

from distill.errors import DistillError, LedgerError
from distill.ledger.diskset import DiskSet
from distill.ledger.file import UNREADABLE, Body, explain, free_name, no_room, to_json
from distill.ledger.salvage import Salvaged, salvage_ledger
from distill.ledger.view import LedgerView
from distill.ledger.writer import Job, Writer
from distill.records import Reply, Settled
from verify.contract import Verdict

_PUT_REPLY = "INSERT OR IGNORE INTO replies VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
_PUT_VERDICTS = "INSERT INTO verdicts VALUES (NULL, ?, ?, ?)"
_PUT_ROW = "INSERT OR IGNORE INTO rows VALUES (?, ?)"
_PUT_SETTLED = "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT_RUN = "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)"


class Ledger(LedgerView):
    """The run directory's one writer. A context manager; reads what it wrote."""

    def __init__(self, run_dir: Path, lock: int) -> None:
        self._lock = lock
        self._pending: dict[tuple[str, int], Reply] = {}
        self._seen = DiskSet()
        self._recipe = b""
        self._writer = Writer(run_dir / "ledger.db", self._pending)
        self._file = (run_dir / "ledger.db").stat()
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
        try:
            _refuse_foreign(run_dir)
            moved = _move_aside(run_dir) if fresh else None
            run_dir.mkdir(parents=True, exist_ok=True)
            lock = lock_directory(run_dir)
        except OSError as error:
            raise _cannot_use(run_dir, error) from error
        try:
            salvaged = salvage_ledger(run_dir / "ledger.db") if salvage else None
            ledger = cls(run_dir, lock)
        except UNREADABLE as error:
            os.close(lock)
            raise explain(run_dir / "ledger.db", error) from error
        except BaseException:
            os.close(lock)
            raise
        ledger.salvaged, ledger.moved_aside = salvaged, moved
        return ledger

    def close(self) -> None:
        """Commit and sync everything, close the file and let others have the directory."""
        super().close()
        self._writer.close()
        self._seen.close()
        os.close(self._lock)

    def begin(self, recipe_json: Mapping[str, Any]) -> list[str]:
        """Start a generation, which others read only once it is finished; `generation` is its number from now on.

        Returns the recipe keys that differ from the last one begun. Secrets are not to be in the recipe.
        """
        self._catch_up()
        self._recipe = to_json(recipe_json)
        last = self._last_generation()
        found = self._fetch("SELECT finished, recipe FROM runs WHERE generation = ?", (last,))
        before = [self._load(orjson.loads, recipe, last, finished) for finished, recipe in found]
        # What is read without a number keeps its slot: the next number, unless that one has the same parity.
        kept = self.finished or last
        self.generation = last + 1 if (last + 1 - kept) % 2 else last + 2
        self._seen.close()
        self._seen = DiskSet()
        self._writer.put(Job((self._run(finished=0),)))
        return [path for one in before for path in differing_keys(one, orjson.loads(self._recipe))]

    def finish(self) -> None:
        """Declare the generation in progress complete; returns once that, and all of it, is on the disk.

        From then on readers read it where they name none, and the next `begin` keeps it. Raises DiskFull.
        """
        if self._writer.full:
            raise self._writer.disk_full()
        if not _is_at(self.path, self._file):
            raise LedgerError(
                f"the run directory `{self.run_dir.name}` was moved or deleted while the run wrote to it",
                where=str(self.run_dir),
                state="if it was moved, every reply is in the ledger there",
                help="move it back, then the same command again",
            )
        self._writer.wait(Job((self._run(finished=1),), sync=True))
        self.finished = self.generation

    def _run(self, *, finished: int) -> tuple[str, tuple[Any, ...]]:
        place = (self.generation, finished)
        return _PUT_RUN, (*place, Body(self._recipe, place))

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
        body = Body(reply.dumps(), (key, sample))
        job = Job(((_PUT_REPLY, (key, sample, *tokens, body)),), pending=(key, sample))
        self._pending[key, sample] = reply
        await self._writer.saved(job)
        if was_full:
            raise self._writer.disk_full()

    async def record_verdicts(self, row_id: str, reply_id: str, verdicts: Mapping[str, Verdict]) -> None:
        """File verdicts by verifier digest. Does not wait for the commit: a verdict lost is computed again."""
        content = to_json({digest: verdict.to_json() for digest, verdict in verdicts.items()})
        body = Body(content, (row_id, reply_id))
        await self._soon(Job(((_PUT_VERDICTS, (row_id, reply_id, body)),)))

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
        place = (*settled.position, self.generation, row.id, settled.outcome)
        put_settled = (_PUT_SETTLED, (self.generation % 2, *place, Body(to_json(facts), place)))
        put_row = (_PUT_ROW, (row.id, Body(to_json(content), (row.id,))))
        await self._soon(Job((put_row, put_settled)))

    async def flush(self) -> None:
        """Return once everything given so far is committed. Raises what went wrong meanwhile."""
        await self._writer.saved(Job())
        if self._writer.full:
            raise self._writer.disk_full()

    async def _soon(self, job: Job) -> None:
        if self._writer.full:
            raise self._writer.disk_full()
        if self._writer.busy:
            await self._writer.saved(job)
        else:
            self._writer.put(job)

    def _catch_up(self) -> None:
        self._writer.wait(Job())


def _samples(settled: Settled) -> list[tuple[Any, ...]]:
    """Samples without their replies, which the ledger has already; verdicts inline, as they counted."""
    return [
        (one.index, one.key, one.accepted, one.reason, {name: v.to_json() for name, v in one.verdicts.items()})
        for one in settled.samples
    ]


def differing_keys(before: Any, now: Any, *, at: str = "") -> list[str]:
    """Dotted paths at which two JSON values differ, such as `samples.max` or `verify[1].use`, sorted.

    A key that is not there equals one that is null: a new version's new option is no change of the recipe.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [
            (f"{at}.{key}" if at else key, before.get(key), now.get(key)) for key in sorted(before.keys() | now.keys())
        ]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(f"{at}[{i}]", old, new) for i, (old, new) in enumerate(zip(before, now, strict=True))]
    else:
        return [] if before == now else [at]
    return [path for name, old, new in pairs for path in differing_keys(old, new, at=name)]


def lock_directory(run_dir: Path) -> int:
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


def _is_at(path: Path, file: os.stat_result) -> bool:
    """Whether that very file still has this name."""
    try:
        return os.path.samestat(path.stat(), file)
    except OSError:
        return False


def _refuse_foreign(run_dir: Path) -> None:
    """A directory with files of somebody else is no place for a run, which would replace its README.md and data/."""
    if not run_dir.is_dir() or any(run_dir.glob("ledger*.db")):
        return
    theirs = sorted(path.name for path in run_dir.iterdir() if path.name[0] != "." and path.name != "log.txt")
    if theirs:
        raise LedgerError(
            f"`{run_dir}` is not a run directory: it holds `{theirs[0]}` and no ledger",
            where=str(run_dir),
            help="name an empty or a new directory with --out, or give the recipe another `name`",
        )


def _move_aside(run_dir: Path) -> Path | None:
    """Rename a run directory to the first free `name.1`, `name.2` … Nothing is ever deleted."""
    if not run_dir.is_dir() or all(path.name == ".lock" for path in run_dir.iterdir()):
        return None
    handle = lock_directory(run_dir)
    try:
        return run_dir.rename(free_name(lambda n: run_dir.with_name(f"{run_dir.name}.{n}")))
    finally:
        os.close(handle)


def _cannot_use(run_dir: Path, error: OSError) -> DistillError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_room(run_dir, error)
    return LedgerError(
        f"cannot use the run directory `{run_dir.name}`",
        where=str(run_dir),
        cause=error.strerror or str(error),
        help="is it a directory you may write to? --out names another one",
    )
