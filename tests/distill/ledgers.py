"""Ledgers for tests: short replies, settled rows, a filled run directory."""

import asyncio
import random
from pathlib import Path
from typing import Any

from distill.ledger import Ledger
from distill.records import Reply, Row, Sample, Settled, Trace, Usage, content_id
from verify.contract import Verdict


def reply(text: str, **usage: Any) -> Reply:
    return Reply({"role": "assistant", "content": text}, usage=Usage(**usage), model="m")


def retrace(row: Row, answer: Reply | None) -> Trace:
    return Trace(None, answer.message["content"] if answer else "nobody was asked")


def settled(number: int, *samples: Sample, position: tuple[int, int] | None = None, **row: Any) -> Settled:
    return Settled(Row.make(f"question {number}", **row), position or (number, 0), "kept", samples)


def fill(run_dir: Path, count: int, *, size: int = 300) -> dict[str, Reply]:
    """A ledger with `count` replies of `size` random letters, and one verdict each."""
    noise = random.Random(count)
    replies = {content_id("key", i): reply("".join(noise.choices("abcdefgh", k=size))) for i in range(count)}

    async def write(ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.record(key, 0, one) for key, one in replies.items()))
        for key in replies:
            await ledger.record_verdicts("row", key, {"digest": Verdict("pass", key)})
        await ledger.flush()

    with Ledger.open(run_dir) as ledger:
        asyncio.run(write(ledger))
    return replies
