"""A set on disk for things that must be seen only once.

May be imported by the ledger and by curate; imports nothing of ours.
Design reason: a million ids in a Python set are 100 MB, in a temporary SQLite table 4.
"""

import sqlite3


class DiskSet:
    """A map of bytes that remembers the first value of each key, in constant memory.

    A private temporary SQLite database: small ones never touch the disk, large ones spill to it, and it is gone when
    closed or when the process ends.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-4000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, key: bytes, value: bytes = b"") -> bytes | None:
        """None when `key` is new (it now has `value`), else the value it had."""
        if self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, value)).rowcount:
            return None
        return self.get(key)

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None where there is none."""
        found = self._connection.execute("SELECT value FROM seen WHERE key = ?", (key,)).fetchone()
        return bytes(found[0]) if found else None

    def close(self) -> None:
        """Drop everything."""
        self._connection.close()
