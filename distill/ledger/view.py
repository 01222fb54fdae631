"""Reading a run directory.

May be imported by whoever shows, curates or reports a run.
Design reason: a reader takes no lock and never keeps a read open for long, so it works beside a running writer without
holding up its checkpoints.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import orjson

from distill.errors import LedgerError
from distill.ledger.file import UNREADABLE, check_version, connect, explain, unpack
from distill.records import Outcome, Reply, Row, Sample, Settled, Trace, Usage
from verify.contract import Verdict

_PAGE = 256

Retrace = Callable[[Row, Reply | None], Trace]
"""How a strategy reads a reply: stored replies are read anew, so a better reader needs no new reply."""


class LedgerView:
    """Reads a run directory; needs no lock, so it also works beside a running writer. A context manager."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.path = run_dir / "ledger.db"
        self._reader = connect(self.path, writing=False)
        self._reading = threading.Lock()
        self.finished = self._last_generation("finished = 1")
        """Number of the last generation that was finished, 0 where none was."""
        self.generation = self.finished or self._last_generation()
        """The generation that is read where none is named: the last finished one, or the newest where none ever was; 0
        before the first. For the writer, from `begin` on, the one in progress."""

    @classmethod
    def open(cls, run_dir: Path) -> Self:
        """Open for reading. Raises LedgerError when there is no ledger, or none that can be read."""
        path = run_dir / "ledger.db"
        if not path.is_file():
            raise LedgerError(
                f"no run in `{run_dir.name}`", where=str(run_dir), help="`distill list runs` shows those there are"
            )
        try:
            with closing(connect(path, writing=False)) as connection:
                check_version(connection, path)
            return cls(run_dir)
        except UNREADABLE as error:
            raise explain(path, error) from error

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
        return self._load(Reply.loads, found[0][0], key, sample) if found else None

    def verdicts(self, row_id: str, reply_id: str) -> dict[str, Verdict]:
        """What is known of one reply to one row: verifier digest to verdict. Sees what is committed."""
        found = self._fetch("SELECT body FROM verdicts WHERE row = ? AND reply = ? ORDER BY id", (row_id, reply_id))
        known: dict[str, Any] = {}
        for (body,) in found:
            known |= self._load(orjson.loads, body, row_id, reply_id)
        return {digest: Verdict.from_json(verdict) for digest, verdict in known.items()}

    def rows(self, *, generation: int | None = None) -> Iterator[tuple[tuple[int, int], Row]]:
        """Rows of a generation (`generation` when not said) with their positions, in position order."""
        for source, variant, row_id, _outcome, facts in self._pages(generation):
            row = self._row(row_id, facts)
            if row is not None:
                yield (source, variant), row

    def settled(self, retrace: Retrace, *, generation: int | None = None) -> Iterator[Settled]:
        """How the rows of a generation (`generation` when not said) ended, in position order, in constant memory.

        Replies are read anew by `retrace`; verdicts are exactly those that `settle` was given.
        """
        for source, variant, row_id, outcome, facts in self._pages(generation):
            row = self._row(row_id, facts)
            if row is not None:
                samples = [self._sample(row, retrace, *fields) for fields in facts["samples"]]
                yield Settled(row, (source, variant), outcome, samples, facts["reason"])

    def counts(self, *, generation: int | None = None) -> dict[str, int]:
        """`replies` in the ledger, and `kept`, `dropped`, `failed` of a generation (`generation` when not said)."""
        self._catch_up()
        at = self.generation if generation is None else generation
        outcomes = self._fetch(
            "SELECT outcome, count(*) FROM settled WHERE odd = ? AND generation = ? GROUP BY outcome", (at % 2, at)
        )
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

    def _last_generation(self, which: str = "true") -> int:
        """The highest number of a generation for which the condition holds, 0 where there is none."""
        last = self._fetch(f"SELECT coalesce(max(generation), 0) FROM runs WHERE {which}")[0][0]
        if not isinstance(last, int):
            raise explain(self.path, ValueError("a generation is not a number"))
        return last

    def _catch_up(self) -> None:
        """Make queued writes visible; a reader has none."""

    def _pages(self, generation: int | None) -> Iterator[tuple[int, int, str, Outcome, Mapping[str, Any]]]:
        """Settled rows in pages, so that no long-lived read keeps the WAL from being checkpointed."""
        self._catch_up()
        at = self.generation if generation is None else generation
        last = (-1, -1)
        while page := self._fetch(
            "SELECT source, variant, row, outcome, body FROM settled WHERE odd = ? AND generation = ?"
            " AND (source, variant) > (?, ?) ORDER BY source, variant LIMIT ?",
            (at % 2, at, *last, _PAGE),
        ):
            for source, variant, row_id, outcome, body in page:
                facts = self._load(orjson.loads, body, source, variant, at, row_id, outcome)
                yield source, variant, row_id, outcome, facts
            last = page[-1][:2]

    def _row(self, row_id: str, facts: Mapping[str, Any]) -> Row | None:
        found = self._fetch("SELECT body FROM rows WHERE id = ?", (row_id,))
        if not found:
            return None
        content = self._load(orjson.loads, found[0][0], row_id)
        return Row(row_id, facts["group"], **content, origin=facts["origin"])

    def _sample(
        self, row: Row, retrace: Retrace, index: int, key: str, accepted: bool, reason: str, verdicts: dict[str, Any]
    ) -> Sample:
        reply = self.reply(key, index)
        shown = {name: Verdict.from_json(verdict) for name, verdict in verdicts.items()}
        return Sample(index, key, retrace(row, reply), reply, shown, accepted, reason)

    def _fetch(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            with self._reading:
                return self._reader.execute(sql, values).fetchall()
        except UNREADABLE as error:
            raise explain(self.path, error) from error

    def _load(self, read: Callable[[bytes], Any], stored: bytes, *of: str | int) -> Any:
        try:
            return read(unpack(stored, *of))
        except ValueError as error:
            raise explain(self.path, error) from error
