"""What to do with a damaged ledger: keep all of it, and put what can be read into a new one.

May be imported by the ledger only.
Design reason: SQLite names no damaged page, it only fails to read; halving the ranges of ids in which it fails finds
every row that is still whole.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.ledger.file import BELONGS_TO, SCHEMA, SCHEMA_VERSION, UNREADABLE, connect, free_name, unpack

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
            return all(
                _intact(table, row) for table in BELONGS_TO for row in connection.execute(f"SELECT * FROM {table}")
            )
    except UNREADABLE:
        return False


_COLUMNS: dict[str, tuple[Any, ...]] = {
    "replies": (str, int, int | None, int | None, int | None, float | None, bytes),
    "verdicts": (str, str, bytes),
}
"""What the columns after the id must hold; a damaged schema or record can hold anything."""


def _rescue_into(target: sqlite3.Connection, damaged: Path) -> tuple[int, int]:
    """Copy every readable reply and verdict; none when not even the list of tables can be read."""
    saved = dict.fromkeys(_COLUMNS, 0)
    try:
        source = connect(damaged, writing=False, damaged=True)
    except UNREADABLE:
        return 0, 0
    with closing(source):
        for table, columns in _COLUMNS.items():
            insert = f"INSERT OR IGNORE INTO {table} VALUES (NULL{', ?' * len(columns)})"
            for values in _readable(source, table):
                saved[table] += target.execute(insert, values).rowcount
    return saved["replies"], saved["verdicts"]


def _readable(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, without its id, by halving the ranges of ids in which something cannot."""
    for start in range(1, _last_id(source, table) + 1, _RANGE):
        ranges = [(start, start + _RANGE - 1)]
        while ranges:
            low, high = ranges.pop()
            try:
                found = source.execute(f"SELECT * FROM {table} WHERE rowid BETWEEN ? AND ?", (low, high)).fetchall()
            except UNREADABLE:
                if low < high:
                    middle = (low + high) // 2
                    ranges += [(middle + 1, high), (low, middle)]
                continue
            yield from (row[1:] for row in found if _fits(row[1:], _COLUMNS[table]) and _intact(table, row))


def _last_id(source: sqlite3.Connection, table: str) -> int:
    """The highest id, 0 where the table cannot even be named; a guess from the file's size where its end is damaged."""
    try:
        source.execute(f"SELECT * FROM {table} LIMIT 0")
    except UNREADABLE:
        return 0
    most = int(source.execute("PRAGMA page_count").fetchone()[0]) * 40
    try:
        last = source.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0]
    except UNREADABLE:
        return most
    return min(last, most) if isinstance(last, int) else most


def _fits(values: tuple[Any, ...], columns: tuple[Any, ...]) -> bool:
    return len(values) == len(columns) and all(map(isinstance, values, columns))


def _intact(table: str, row: tuple[Any, ...]) -> bool:
    """Whether a record's body is as it was stored, and the record is the one it was stored for."""
    try:
        unpack(row[-1], *(row[i] for i in BELONGS_TO[table]))
    except ValueError:
        return False
    return True
