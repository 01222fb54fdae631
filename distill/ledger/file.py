"""The file `ledger.db`: its tables, how it is opened, how bodies are stored, and what its errors mean to a person.

May be imported by the other modules of the ledger.
Design reason: replies stand in the order in which they came, with a small index beside them; keys are random, and a
table ordered by them would touch a different page of bodies for every reply.
"""

import json
import os
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from distill.errors import DiskFull, LedgerError

SCHEMA_VERSION = 2
RESERVE_BYTES = 8 * 1024 * 1024
"""Kept free during a run for the replies that are in flight when the disk fills up."""
PACK_ABOVE = 4096
"""Bodies longer than this many bytes are stored with zlib level 1: it doubles the cost of recording a reply of 1 KB and
saves 30%; long traces shrink to half, and whoever writes them is slower by far."""

SCHEMA = """
CREATE TABLE replies (id INTEGER PRIMARY KEY, key TEXT NOT NULL, sample INTEGER NOT NULL, input_tokens INTEGER,
    output_tokens INTEGER, reasoning_tokens INTEGER, usd REAL, body BLOB NOT NULL, UNIQUE (key, sample));
CREATE TABLE verdicts (id INTEGER PRIMARY KEY, row TEXT NOT NULL, reply TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX verdicts_of ON verdicts (row, reply);
CREATE TABLE rows (id TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE settled (odd INTEGER, source INTEGER, variant INTEGER, generation INTEGER NOT NULL, row TEXT NOT NULL,
    outcome TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (odd, source, variant)) WITHOUT ROWID;
CREATE TABLE runs (generation INTEGER PRIMARY KEY, finished INTEGER NOT NULL, recipe BLOB NOT NULL);
"""
"""`settled.odd` is the generation's parity, a slot: a generation overwrites what its slot held, row by row, where
deleting a million rows at once would hold up every reply for seconds. `Ledger.begin` chooses a number whose slot may
be overwritten."""


_ZLIB = b"\x78"
"""What zlib starts with; JSON starts with a bracket."""


class Body(NamedTuple):
    """The last column of every table, and the columns it belongs to."""

    content: bytes
    of: tuple[str | int, ...]


BELONGS_TO = {"replies": (1, 2), "verdicts": (1, 2), "rows": (0,), "settled": (1, 2, 3, 4, 5), "runs": (0, 1)}
"""Where in a record of each table the columns stand to which its body belongs."""


def pack(body: Body) -> bytes:
    """A body as it is stored: four bytes of checksum, since SQLite has none, then JSON, or JSON in zlib.

    The checksum covers what the body belongs to: a damaged index may lead to a sound record of somebody else.
    """
    payload = zlib.compress(body.content, 1) if len(body.content) > PACK_ABOVE else body.content
    return _checksum(payload, body.of) + payload


def _checksum(payload: bytes, of: tuple[str | int, ...]) -> bytes:
    name = "/".join(map(str, of)).encode("utf-8", "surrogatepass")
    return zlib.crc32(payload, zlib.crc32(name)).to_bytes(4)


def unpack(stored: bytes, *of: str | int) -> bytes:
    """The body that `pack` stored for `of`; raises ValueError when it is not as it was."""
    if not isinstance(stored, bytes) or _checksum(stored[4:], of) != stored[:4]:
        raise ValueError("a body does not match its checksum")
    return zlib.decompress(stored[4:]) if stored[4:5] == _ZLIB else stored[4:]


def to_json(value: Any) -> bytes:
    """JSON bytes of anything a row or a verdict can hold; what JSON does not know becomes text."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)
    except TypeError:  # an integer beyond 64 bits, half of a surrogate pair: evidence may hold what a query returned
        return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _primary(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a ledger can raise; SQLite's own words about a garbled schema need not be text."""

_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"}
"""Out of space, over a quota or over a file size limit: SQLite names them differently."""


_ENVIRONMENT = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
"""What is wrong is around the file. Whatever else SQLite says of a file that was sound once: it is damaged."""


def is_full(error: BaseException) -> bool:
    """Whether SQLite failed for want of space."""
    return getattr(error, "sqlite_errorname", "") in _FULL


def _damaged(path: Path, error: BaseException) -> LedgerError:
    return LedgerError(
        f"the ledger `{path.name}` is damaged",
        where=str(path),
        cause=str(error),
        help="add --salvage to the same command: what can still be read is kept, the damaged file too;"
        " or start anew with --fresh",
    )


def no_room(run_dir: Path, error: BaseException) -> DiskFull:
    """What to say when there is no space before anything was asked."""
    return DiskFull(
        f"no space left for `{run_dir.name}`",
        where=str(run_dir),
        cause=str(error),
        state="nothing was asked; everything from earlier runs is safe",
        help=f"free at least {2 * RESERVE_BYTES // 2**20} MB, then the same command again",
    )


def explain(path: Path, error: Exception) -> Exception:
    """The error a person should see for what SQLite raised; anything else is passed through."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError | UnicodeEncodeError):
        return error  # our mistake, not the file's
    if isinstance(error, sqlite3.Error):
        if is_full(error):
            return no_room(path.parent, error)
        return _unusable(path, error) if _primary(error) in _ENVIRONMENT else _damaged(path, error)
    return _damaged(path, error) if isinstance(error, ValueError) else error


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"cannot use the ledger `{path.name}`",
        where=str(path),
        cause=str(error),
        help="is the directory writable, and on a local disk?",
    )


def connect(path: Path, *, writing: bool, damaged: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; `damaged` reads what it can of a broken file. Raises sqlite3.Error."""
    mode = "rwc" if writing else "ro"
    if not writing and not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        mode = "ro&immutable=1"  # reading a WAL database needs a file beside it, and a finished run may be read-only
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    # One thread at a time uses each connection; SQLite's own mutexes make crossing threads safe.
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)
    try:
        if damaged:  # else SQLite refuses everything in a file that is shorter than it should be
            connection.execute("PRAGMA writable_schema=ON")
        connection.execute(f"PRAGMA cache_size={-16000 if writing else -4000}")
    except BaseException:
        connection.close()
        raise
    return connection


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version, 0 for a new file. Raises LedgerError for another one and for a file of something else."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if version == 0 and tables:  # tables and version are created in one transaction
        raise LedgerError(
            f"`{path.name}` is a database, but not a ledger",
            where=str(path),
            help="move it away, or give this run a directory of its own with --out",
        )
    if version not in (0, SCHEMA_VERSION):
        newer = version > SCHEMA_VERSION
        raise LedgerError(
            f"the ledger `{path.name}` was written by {'a newer' if newer else 'an older'} version of distill",
            where=str(path),
            cause=f"its format is {version}, this version reads {SCHEMA_VERSION}",
            help=f"{'upgrade distill, or ' if newer else ''}start anew with --fresh (the old directory is kept)",
        )
    return version


def create(connection: sqlite3.Connection, path: Path) -> None:
    """WAL mode, and the tables where there are none."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    if check_version(connection, path) == 0:
        connection.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT")


def free_name(make: Callable[[int], Path]) -> Path:
    """The first path of `make(1)`, `make(2)` … that does not exist."""
    number = 1
    while make(number).exists():
        number += 1
    return make(number)
