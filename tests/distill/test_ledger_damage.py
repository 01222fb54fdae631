"""The ledger when it is killed, torn, damaged, read-only or out of space: an error that helps, and nothing lost."""

import asyncio
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.errors import DiskFull, LedgerError
from distill.ledger import Ledger, LedgerView
from distill.records import Reply
from tests.conftest import SoakTable
from tests.distill.ledgers import fill, reply, retrace, settled

# ---------------------------------------------------------------- killed, torn, damaged

WRITER = """
import asyncio, sys
from pathlib import Path
from distill.ledger import Ledger
from distill.records import Reply

async def record(ledger, worker):
    for number in range(10**6):
        key = f"{worker}-{number}"
        await ledger.record(key, 0, Reply({"content": key * 50}))
        sys.stdout.write(key + "\\n")
        sys.stdout.flush()

async def main():
    with Ledger.open(Path(sys.argv[1])) as ledger:
        await asyncio.gather(*(record(ledger, worker) for worker in range(16)))

asyncio.run(main())
"""


@pytest.mark.kill
@pytest.mark.parametrize("lines", [1, 40, 700])
def test_after_sigkill_every_acknowledged_reply_is_there_and_the_lock_is_free(tmp_path: Path, lines: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    with Ledger.open(tmp_path) as ledger:
        for line in acknowledged:
            if line.endswith("\n"):
                assert ledger.reply(line.strip(), 0) == Reply({"content": line.strip() * 50})


def test_a_wal_torn_anywhere_opens_with_a_prefix_of_what_was_written(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "live") as ledger:
        for number in range(40):
            asyncio.run(ledger.record(str(number), 0, reply(f"reply {number}" * 30)))
        shutil.copytree(tmp_path / "live", tmp_path / "copy")
    wal = (tmp_path / "copy/ledger.db-wal").read_bytes()
    assert len(wal) > 40 * 4096
    seen = set()
    for size in [*random.Random(5).sample(range(len(wal)), 12), len(wal)]:
        torn = tmp_path / f"torn-{size}"
        torn.mkdir()
        shutil.copy(tmp_path / "copy/ledger.db", torn)
        (torn / "ledger.db-wal").write_bytes(wal[:size])
        with Ledger.open(torn) as ledger:
            there = [ledger.reply(str(number), 0) is not None for number in range(40)]
        assert there == sorted(there, reverse=True)
        seen.add(sum(there))
    assert max(seen) == 40 and len(seen) > 3


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "header":
        content[:100] = b"not a database at all" * 4 + bytes(16)
    elif how == "half":
        del content[len(content) // 2 :]
    elif how == "middle":
        place = len(content) // 2 // 4096 * 4096
        content[place : place + 3 * 4096] = bytes([0xA5]) * 3 * 4096
    elif how == "end":
        content[-5 * 4096 :] = bytes([0xA5]) * 5 * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["header", "half"])
def test_damage_seen_at_opening_says_how_to_go_on(tmp_path: Path, how: str) -> None:
    fill(tmp_path, 200)
    damage(tmp_path / "ledger.db", how)
    for open_ in (Ledger.open, LedgerView.open):
        with pytest.raises(LedgerError, match="damaged") as caught:
            open_(tmp_path).close()
        assert caught.value.exit_code == 3 and "--salvage" in caught.value.help and caught.value.cause


@pytest.mark.parametrize("how", ["middle", "end"])
def test_damage_inside_is_an_error_when_it_is_met_never_a_silent_loss(tmp_path: Path, how: str) -> None:
    replies = fill(tmp_path, 400)
    damage(tmp_path / "ledger.db", how)
    with Ledger.open(tmp_path) as ledger, pytest.raises(LedgerError, match="damaged"):
        for key, expected in replies.items():
            assert ledger.reply(key, 0) == expected
            assert ledger.verdicts("row", key)


@pytest.mark.parametrize(("how", "share"), [("header", 0.0), ("half", 0.2), ("middle", 0.8), ("end", 0.5)])
def test_salvage_keeps_every_readable_reply_and_the_damaged_file(tmp_path: Path, how: str, share: float) -> None:
    replies = fill(tmp_path, 400)
    damage(tmp_path / "ledger.db", how)
    broken = (tmp_path / "ledger.db").read_bytes()
    with Ledger.open(tmp_path, salvage=True) as ledger:
        saved = ledger.salvaged
        assert saved is not None and saved.damaged.read_bytes() == broken
        found = {key: ledger.reply(key, 0) for key in replies}
        assert all(one in (None, replies[key]) for key, one in found.items())
        assert sum(one is not None for one in found.values()) == saved.replies >= share * len(replies)
        asyncio.run(ledger.record("afterwards", 0, reply("it can be written again")))
    with Ledger.open(tmp_path, salvage=True) as ledger:
        assert ledger.salvaged is None  # it is sound now
        assert ledger.reply("afterwards", 0)


class Sound:
    """The bytes of a ledger with a settled generation, and its replies; hypothesis prints its `repr`, so a class."""

    def __init__(self, content: bytes, replies: dict[str, Reply]) -> None:
        self.content, self.replies = content, replies


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    run_dir = tmp_path_factory.mktemp("sound")
    replies = fill(run_dir, 60, size=700)

    async def settle(ledger: Ledger) -> None:
        for number in range(40):
            await ledger.settle(settled(number))

    with Ledger.open(run_dir) as ledger:
        ledger.begin({"name": "sound"})
        asyncio.run(settle(ledger))
    return Sound((run_dir / "ledger.db").read_bytes(), replies)


def use(ledger: Ledger, replies: Mapping[str, Reply]) -> int:
    """Touch everything; how many replies are there, each of them as it was."""
    found = {key: ledger.reply(key, 0) for key in replies}
    assert all(one in (None, replies[key]) for key, one in found.items())
    assert all(verdict.reason == key for key in replies for verdict in ledger.verdicts("row", key).values())
    assert all(one.row.prompt.startswith("question") for one in ledger.settled(retrace))
    ledger.begin({"name": "again"})
    asyncio.run(ledger.record("new", 0, reply("new")))
    return sum(one is not None for one in found.values())


CUTS = {"cuts": st.sampled_from([1, 1, 4, 20]), "width": st.sampled_from([1, 1, 8, 400, 5000])}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), **CUTS)
def test_no_damage_alters_a_reply_or_ends_in_anything_but_an_error_that_salvage_mends(
    tmp_path_factory: pytest.TempPathFactory, sound: Sound, seed: int, cuts: int, width: int
) -> None:
    damaged_and_salvaged(tmp_path_factory.mktemp("damaged"), sound, seed=seed, cuts=cuts, width=width)


@pytest.mark.soak
def test_two_thousand_damages(tmp_path: Path, sound: Sound, soak_table: SoakTable) -> None:
    for seed in range(2000):
        directory = tmp_path / str(seed)
        directory.mkdir()
        chance = random.Random(seed)
        damaged_and_salvaged(
            directory, sound, seed=seed, cuts=chance.choice([1, 4, 20]), width=chance.choice([1, 8, 400])
        )
        shutil.rmtree(directory)
    soak_table(
        "Ledgers damaged at random places, opened and salvaged", 2000, "no reply altered, every failure an error"
    )


def damaged_and_salvaged(directory: Path, sound: Sound, *, seed: int, cuts: int, width: int) -> None:
    content, replies = bytearray(sound.content), sound.replies
    chance = random.Random(seed)
    for _ in range(cuts):
        place = chance.randrange(len(content))
        content[place : place + width] = chance.randbytes(len(content[place : place + width]))
    path = directory / "ledger.db"
    path.write_bytes(content)
    try:
        with Ledger.open(path.parent) as ledger:
            use(ledger, replies)
    except LedgerError as error:
        assert error.exit_code == 3 and error.help
    path.write_bytes(content)
    with Ledger.open(path.parent, salvage=True) as ledger:
        there = use(ledger, replies)
        if ledger.salvaged is not None:  # one whose key was hit is saved under a key that nobody asks for
            assert there <= ledger.salvaged.replies
        else:
            assert there == len(replies)


# ---------------------------------------------------------------- no space left


@pytest.mark.skipif(not shutil.which("mount"), reason="no `mount` here")
def test_a_finished_run_on_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path, "24m") as disk:
        replies = fill(disk / "run", 20)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with LedgerView.open(disk / "run") as view:
            assert all(view.reply(key, 0) == one for key, one in replies.items())
        with pytest.raises(LedgerError, match="cannot use the run directory"):
            Ledger.open(disk / "run")


async def until_full(ledger: Ledger, *, size: int) -> tuple[list[str], list[str], DiskFull]:
    """Record random replies until the disk is full: keys acknowledged, keys refused, and the first refusal."""
    noise = random.Random(3)
    saved: list[str] = []
    for number in range(10**5):
        batch = [f"{number}-{i}" for i in range(8)]
        texts = [noise.randbytes(size // 2).hex() for _ in batch]
        outcomes = await asyncio.gather(
            *(ledger.record(key, 0, reply(text)) for key, text in zip(batch, texts, strict=True)),
            return_exceptions=True,
        )
        refused = [key for key, one in zip(batch, outcomes, strict=True) if one is not None]
        saved += [key for key, one in zip(batch, outcomes, strict=True) if one is None]
        if refused:
            full = next(one for one in outcomes if one is not None)
            assert isinstance(full, DiskFull)
            return saved, refused, full
    raise AssertionError("the disk was never full")


@contextmanager
def small_disk(tmp_path: Path, size: str) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs more rights; what needs none is tested without")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(not shutil.which("mount"), reason="no `mount` here")
def test_a_full_disk_loses_nothing_that_arrived_and_the_run_goes_on_later(tmp_path: Path) -> None:
    with small_disk(tmp_path, "24m") as disk:
        run_dir = disk / "run"
        with Ledger.open(run_dir) as ledger:
            ledger.begin({})
            saved, refused, full = asyncio.run(until_full(ledger, size=20_000))
            assert full.exit_code == 4 and "saved" in full.state and "MB" in full.help
            with pytest.raises(DiskFull):
                asyncio.run(ledger.settle(settled(1)))
            with pytest.raises(DiskFull):
                asyncio.run(ledger.record("late", 0, reply("was in flight")))
            assert not (run_dir / ".reserve").exists()
        with LedgerView.open(run_dir) as view:
            # Refused means: ask nobody for more. What had been paid for went into the reserve all the same.
            assert all(view.reply(key, 0) for key in [*saved, *refused, "late"])
        filler = disk / "filler"
        with suppress_full(), filler.open("wb") as file:
            while True:
                file.write(bytes(65536))
        with pytest.raises(DiskFull, match="no space left") as caught:
            Ledger.open(run_dir)
        assert "nothing was asked" in caught.value.state
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        with Ledger.open(run_dir) as ledger:
            assert ledger.reply(saved[0], 0)
            asyncio.run(ledger.record("more", 0, reply("there is room again")))


@contextmanager
def suppress_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        assert error.errno == 28


def test_a_simulated_full_disk_refuses_further_replies(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.begin({})
        ledger._writer._connection.execute("PRAGMA max_page_count=64")
        saved, _refused, full = asyncio.run(until_full(ledger, size=4_000))
        assert f"{ledger.counts()['replies']:,} replies saved" in full.state
        with pytest.raises(DiskFull):
            asyncio.run(ledger.record_verdicts("row", "reply", {}))
        with pytest.raises(DiskFull):
            asyncio.run(ledger.flush())
    with Ledger.open(tmp_path) as ledger:
        assert all(ledger.reply(key, 0) for key in saved)
        asyncio.run(ledger.record("more", 0, reply("there is room again")))
