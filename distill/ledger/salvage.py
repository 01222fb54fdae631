"""What to do with a damaged ledger: keep all of it, and put what can be read into a new one.

May be imported by the ledger only.
Design reason: SQLite names no damaged page, it only fails to read; halving the ranges of ids in which it fails finds
every row that is still whole.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.ledger.file import SCHEMA, SCHEMA_VERSION, connect, free_name, unpack

_RANGE = 256


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a salvage saved out of a damaged ledger."""

    replies: int
    verdicts: int
    damaged: Path
    """The damaged file, kept beside the new one."""


def salvage_ledger(path: Path) -> Salvaged | None:
    """Replace a damaged ledger by what can be read of it; None when it is sound or not there."""
    if not path.is_file() or _sound(path):
        return None
    rescued = path.with_name("ledger.salvaged.db")
    rescued.unlink(missing_ok=True)
    with closing(connect(rescued, writing=True)) as target:
        target.execute("PRAGMA synchronous=FULL")
        target.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={SCHEMA_VERSION};")
        replies, verdicts = _rescue_into(target, path)
        target.execute("COMMIT")
    damaged = free_name(lambda n: path.with_name(f"ledger.damaged-{n}.db"))
    for suffix in ("-wal", ""):  # the old WAL must be gone before the new file has the name
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(damaged.with_name(damaged.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    rescued.rename(path)
    return Salvaged(replies, verdicts, damaged)


def _sound(path: Path) -> bool:
    """Whether the structure holds and every body in it, always a table's last column, is as it was stored."""
    try:
        with closing(connect(path, writing=False)) as connection:
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return False
            tables = ("replies", "verdicts", "rows", "settled", "runs")
            return all(_intact(row[-1]) for table in tables for row in connection.execute(f"SELECT * FROM {table}"))
    except sqlite3.DatabaseError:
        return False


def _rescue_into(target: sqlite3.Connection, damaged: Path) -> tuple[int, int]:
    """Copy every readable reply and verdict; none when not even the list of tables can be read."""
    saved = [0, 0]
    with suppress(sqlite3.DatabaseError), closing(connect(damaged, writing=False, damaged=True)) as source:
        for i, table in enumerate(("replies", "verdicts")):
            for values in _readable(source, table):
                marks = ", ".join("?" * len(values))
                saved[i] += target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values).rowcount
    return saved[0], saved[1]


def _readable(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, by halving the ranges of ids in which something cannot."""
    for start in range(1, _last_id(source, table) + 1, _RANGE):
        ranges = [(start, start + _RANGE - 1)]
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
    """Whether a body is as it was stored."""
    try:
        unpack(body)
    except ValueError:
        return False
    return True
