"""The ledger: what was recorded is there, in order, for one writer and any number of readers."""

import asyncio
import os
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.errors import LedgerError
from distill.ledger import DiskSet, Ledger, LedgerView, differing_keys, writer
from distill.records import Reply, Row, Sample, Settled, Trace, Usage
from tests.distill.ledgers import fill, reply, retrace, settled
from verify.contract import Status, Verdict

# ---------------------------------------------------------------- replies and verdicts


def test_a_recorded_reply_is_seen_by_everybody_and_stays(tmp_path: Path) -> None:
    async def main(ledger: Ledger) -> None:
        await ledger.record("key", 0, reply("first", input_tokens=3, usd=0.5))
        with LedgerView.open(tmp_path) as other:
            assert other.reply("key", 0) == reply("first", input_tokens=3, usd=0.5)
        await ledger.record("key", 0, reply("second"))
        await ledger.record("key", 1, reply("another sample" * 400))

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
    with Ledger.open(tmp_path) as again:
        assert again.reply("key", 0) == reply("first", input_tokens=3, usd=0.5)
        assert again.reply("key", 1) == reply("another sample" * 400)
        assert again.reply("key", 2) is None and again.reply("other", 0) is None
        assert again.counts()["replies"] == 2


def test_a_reply_is_seen_while_it_waits_for_its_commit(tmp_path: Path) -> None:
    async def main(ledger: Ledger) -> None:
        recording = asyncio.ensure_future(ledger.record("key", 0, reply("here")))
        await asyncio.sleep(0)
        assert ledger.reply("key", 0) == reply("here")
        await recording

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))


def test_a_cancelled_recording_is_recorded_all_the_same(tmp_path: Path) -> None:
    async def main(ledger: Ledger) -> None:
        recording = asyncio.ensure_future(ledger.record("key", 0, reply("paid for")))
        await asyncio.sleep(0)
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
        assert ledger.reply("key", 0) == reply("paid for")

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
    with LedgerView.open(tmp_path) as view:
        assert view.reply("key", 0) == reply("paid for")


def test_bursts_larger_than_a_batch_and_the_backlog_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_BATCH", 7)
    monkeypatch.setattr(writer, "_BACKLOG", 20)

    async def main(ledger: Ledger) -> None:
        ledger.begin({})
        for number in range(500):
            await ledger.record_verdicts("row", str(number), {"d": Verdict("pass")})
            await ledger.settle(settled(number))
        await ledger.flush()

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
        assert ledger.counts()["kept"] == 500
        assert all(ledger.verdicts("row", str(number)) for number in range(500))


def test_verdicts_of_a_changed_verifier_join_the_others_and_a_later_one_replaces(tmp_path: Path) -> None:
    async def main(ledger: Ledger) -> None:
        await ledger.record_verdicts("row", "reply", {"a": Verdict("error", "timeout"), "b": Verdict("pass")})
        await ledger.record_verdicts("row", "reply", {"a": Verdict("fail", "wrong"), "c": Verdict("skip")})
        await ledger.record_verdicts("row", "other", {"a": Verdict("pass")})
        await ledger.flush()

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
        known = ledger.verdicts("row", "reply")
        assert known == {"a": Verdict("fail", "wrong"), "b": Verdict("pass"), "c": Verdict("skip")}
        assert ledger.verdicts("nobody", "reply") == {}


@pytest.mark.parametrize("value", [2**70, "half \ud83d a pair", {1: b"\xff"}, float("nan")])
def test_evidence_may_hold_what_a_query_returned(tmp_path: Path, value: Any) -> None:
    async def main(ledger: Ledger) -> None:
        await ledger.record_verdicts("row", "reply", {"a": Verdict("fail", evidence={"cell": value})})
        await ledger.flush()

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
        assert ledger.verdicts("row", "reply")["a"].status is Status.FAIL


def test_one_reply_that_cannot_be_written_does_not_take_its_neighbours_with_it(tmp_path: Path) -> None:
    async def main(ledger: Ledger) -> list[Any]:
        good = [ledger.record(f"key{i}", 0, reply("fine")) for i in range(20)]
        poison = ledger.record("poison", 2**70, reply("not a number for SQLite"))
        return await asyncio.gather(*good[:10], poison, *good[10:], return_exceptions=True)

    with Ledger.open(tmp_path) as ledger:
        outcomes = asyncio.run(main(ledger))
        assert [type(one) for one in outcomes if one is not None] == [OverflowError]
        assert ledger.counts()["replies"] == 20


def test_usage_is_the_sum_and_money_is_unknown_when_any_price_is(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert ledger.usage() == Usage(usd=0.0)
        asyncio.run(ledger.record("a", 0, reply("x", input_tokens=1, output_tokens=2, reasoning_tokens=1, usd=0.25)))
        asyncio.run(ledger.record("b", 0, reply("x", input_tokens=10, output_tokens=20, usd=0.5)))
        assert ledger.usage() == Usage(11, 22, 1, 0.75)
        asyncio.run(ledger.record("c", 0, reply("x")))
        assert ledger.usage() == Usage(11, 22, 1, None)


RECORDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.text(max_size=900), st.booleans()), max_size=30
)


@settings(max_examples=25, deadline=None)
@given(RECORDS)
def test_any_history_reads_back_as_its_first_replies(tmp_path_factory: pytest.TempPathFactory, records: Any) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    model: dict[tuple[str, int], Reply] = {}
    ledger = Ledger.open(run_dir)
    for key, sample, text, reopen in records:
        asyncio.run(ledger.record(key, sample, reply(text * 9)))
        model.setdefault((key, sample), reply(text * 9))
        if reopen:
            ledger.close()
            ledger = Ledger.open(run_dir)
        assert {place: ledger.reply(*place) for place in model} == model
    ledger.close()


# ---------------------------------------------------------------- generations


def test_settled_rows_come_back_in_source_order_with_replies_and_their_own_verdicts(tmp_path: Path) -> None:
    right = {"think": Verdict("pass"), "sql": Verdict("fail", "3 rows", 0.5, {"rows": [[1, "二"]]})}
    row = Row.make("问题", "gold", meta={"language": "zh"}, category="Math", group="g", origin="file.md:3")
    samples = [
        Sample(0, "key", Trace("old reading", "old"), reply("answer 0"), right, False, "sql: 3 rows"),
        Sample(1, "key", Trace("old reading", "old"), reply("answer 1"), {"think": Verdict("pass")}, True),
    ]

    async def main(ledger: Ledger) -> None:
        ledger.begin({})
        for sample in samples:
            await ledger.record(sample.key, sample.index, sample.reply or reply(""))
        await ledger.settle(Settled(row, (7, 1), "kept", samples))
        await ledger.settle(settled(3, Sample(0, "asks nobody", Trace(None, ""))))
        await ledger.settle(settled(7, position=(7, 0)))

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
        found = list(ledger.settled(retrace))
        assert [one.position for one in found] == [(3, 0), (7, 0), (7, 1)]
        assert found[0].samples[0].trace.answer == "nobody was asked" and found[0].samples[0].reply is None
        assert found[2].row == row and found[2].outcome == "kept"
        assert [sample.trace.answer for sample in found[2].samples] == ["answer 0", "answer 1"]
        assert [sample.verdicts for sample in found[2].samples] == [sample.verdicts for sample in samples]
        assert found[2].accepted[0].index == 1 and found[2].samples[0].reason == "sql: 3 rows"
        assert [position for position, _ in ledger.rows()] == [(3, 0), (7, 0), (7, 1)]


def test_settled_rows_are_read_in_pages_without_gaps(tmp_path: Path) -> None:
    async def main(ledger: Ledger) -> None:
        ledger.begin({})
        for number in random.Random(1).sample(range(600), 600):
            await ledger.settle(settled(number, position=(number // 3, number % 3)))

    with Ledger.open(tmp_path) as ledger:
        asyncio.run(main(ledger))
        assert [one.row.prompt for one in ledger.settled(retrace)] == [f"question {number}" for number in range(600)]


def test_a_generation_keeps_its_own_group_and_origin_and_the_one_before_stays_readable(tmp_path: Path) -> None:
    async def main(ledger: Ledger, origin: str) -> None:
        ledger.begin({"from": origin})
        await ledger.settle(settled(1, group=f"group of {origin}", origin=origin))
        await ledger.flush()

    with Ledger.open(tmp_path) as ledger:
        for origin in ("a.csv:1", "b.csv:9", "c.csv:5"):
            asyncio.run(main(ledger, origin))
            ledger.finish()
        assert [row.origin for _, row in ledger.rows()] == ["c.csv:5"]
        assert [row.group for _, row in ledger.rows(generation=2)] == ["group of b.csv:9"]
        assert list(ledger.rows(generation=1)) == []  # older ones are overwritten


def test_begin_names_what_changed_and_admits_every_row_anew(tmp_path: Path) -> None:
    recipe = {"samples": {"max": 4}, "verify": [{"use": "think"}, {"use": "exact"}], "limits": {"rows": 5}}
    edited = {"samples": {"max": 8}, "verify": [{"use": "think"}, {"use": "maths"}], "name": "new"}
    with Ledger.open(tmp_path) as ledger:
        assert ledger.begin(recipe) == []
        assert [ledger.admit("a"), ledger.admit("b"), ledger.admit("a")] == [True, True, False]
    with Ledger.open(tmp_path) as ledger:
        assert ledger.begin(recipe) == []
        assert ledger.admit("a")
        assert ledger.begin(edited) == ["limits", "name", "samples.max", "verify[1].use"]


def written(ledger: Ledger, tag: str, *, rows: int) -> None:
    """Begin a generation whose rows say `tag`, and settle some."""

    async def main() -> None:
        ledger.begin({"tag": tag})
        for number in range(rows):
            await ledger.settle(settled(number, origin=tag))
        await ledger.flush()

    asyncio.run(main())


def origins(view: LedgerView) -> list[str]:
    return [row.origin for _, row in view.rows()]


def test_a_run_that_ends_early_leaves_the_last_finished_one_to_readers(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        written(ledger, "good", rows=3)
        ledger.finish()
    for attempt in ("killed at once", "killed later", "killed again"):
        with Ledger.open(tmp_path) as ledger:
            assert (ledger.finished, origins(ledger)) == (1, ["good"] * 3)
            written(ledger, attempt, rows=0 if "once" in attempt else 2)
            assert ledger.finished == 1 and set(origins(ledger)) <= {attempt}, "the writer reads its own"
        with LedgerView.open(tmp_path) as view:
            assert (view.generation, view.finished) == (1, 1)
            assert origins(view) == ["good"] * 3
            assert view.counts() == {"replies": 0, "kept": 3, "dropped": 0, "failed": 0}
    with Ledger.open(tmp_path) as ledger:
        written(ledger, "better", rows=1)
        ledger.finish()
        assert ledger.finished == ledger.generation
    with LedgerView.open(tmp_path) as view:
        assert origins(view) == ["better"]
        assert [row.origin for _, row in view.rows(generation=1)] == ["good"] * 3, "kept for comparison"


def test_where_nothing_was_ever_finished_the_newest_is_read(tmp_path: Path) -> None:
    for tag in ("first", "second"):
        with Ledger.open(tmp_path) as ledger:
            written(ledger, tag, rows=2)
        with LedgerView.open(tmp_path) as view:
            assert (view.finished, origins(view)) == (0, [tag] * 2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=8))
def test_whatever_is_begun_what_was_finished_last_stays_whole(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, bool, bool]]
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    expected: list[str] | None = None
    ledger = Ledger.open(run_dir)
    for number, (rows, finish, reopen) in enumerate(runs):
        written(ledger, str(number), rows=rows)
        assert origins(ledger) == [str(number)] * rows
        if finish:
            ledger.finish()
            expected = [str(number)] * rows
        if reopen:
            ledger.close()
            ledger = Ledger.open(run_dir)
        with LedgerView.open(run_dir) as view:
            assert expected is None or origins(view) == expected
    ledger.close()


def test_finishing_is_synced_at_once(tmp_path: Path) -> None:
    said: list[str] = []
    with Ledger.open(tmp_path) as ledger:
        written(ledger, "run", rows=1)
        ledger._writer._connection.set_trace_callback(said.append)
        ledger.finish()
    assert any("=FULL" in one for one in said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_differing_keys_are_empty_exactly_when_nothing_differs(before: Any, now: Any) -> None:
    assert differing_keys(before, before) == []
    assert bool(differing_keys(before, now)) == (without_nulls(before) != without_nulls(now))


def without_nulls(value: Any) -> Any:
    """A key that is null says the same as no key, so that a new option with no default is no change."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@given(st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=2))))
def test_a_disk_set_is_a_map_that_keeps_first_values(pairs: list[tuple[bytes, bytes]]) -> None:
    model: dict[bytes, bytes] = {}
    with closing(DiskSet()) as found:
        for key, value in pairs:
            assert found.get(key) == model.get(key)
            assert found.add(key, value) == model.get(key)
            model.setdefault(key, value)


# ---------------------------------------------------------------- one writer, and how a directory begins


def test_a_second_writer_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with Ledger.open(tmp_path):
        with pytest.raises(LedgerError, match=f"in use by process {os.getpid()}") as caught:
            Ledger.open(tmp_path)
        assert caught.value.exit_code == 3 and "--out" in caught.value.help
        with pytest.raises(LedgerError, match="in use"):
            Ledger.open(tmp_path, fresh=True)
    Ledger.open(tmp_path).close()


def test_fresh_moves_the_old_directory_aside_and_deletes_nothing(tmp_path: Path) -> None:
    run_dir = tmp_path / "name"
    for number in range(3):
        with Ledger.open(run_dir, fresh=True) as ledger:
            assert ledger.moved_aside == (tmp_path / f"name.{number}" if number else None)
            assert ledger.counts()["replies"] == 0
            asyncio.run(ledger.record("key", 0, reply(f"run {number}")))
    with LedgerView.open(tmp_path / "name.1") as view:
        assert view.reply("key", 0) == reply("run 0")


def test_nothing_but_the_lock_and_the_ledger_is_left_behind(tmp_path: Path) -> None:
    with Ledger.open(tmp_path):
        assert (tmp_path / ".reserve").stat().st_size == writer.RESERVE_BYTES
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "ledger.db"}


def test_a_closed_ledger_refuses_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        asyncio.run(ledger.record("key", 0, reply("late")))
    assert not ledger._pending, "what was not taken is not served"


@pytest.mark.parametrize(("version", "said", "help"), [(99, "a newer version", "upgrade"), (1, "an older", "--fresh")])
def test_another_format_is_refused(tmp_path: Path, version: int, said: str, help: str) -> None:
    fill(tmp_path / "other", 1)
    with closing(sqlite3.connect(tmp_path / "other/ledger.db")) as connection:
        connection.execute(f"PRAGMA user_version={version}")
    for open_ in (Ledger.open, LedgerView.open):
        with pytest.raises(LedgerError, match=said) as caught:
            open_(tmp_path / "other")
        assert help in caught.value.help


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    with closing(sqlite3.connect(tmp_path / "foreign/ledger.db")) as connection:
        connection.execute("CREATE TABLE mine (a)")
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger.open(tmp_path / "foreign")


def test_a_directory_that_cannot_be_one_is_a_located_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot use the run directory") as caught:
        Ledger.open(tmp_path / "file" / "run")
    assert caught.value.exit_code == 3 and caught.value.where
    with pytest.raises(LedgerError, match="no run in"):
        LedgerView.open(tmp_path)


def test_a_commit_a_second_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pragmas(seconds: float) -> Mapping[str, int]:
        monkeypatch.setattr(writer, "SYNC_SECONDS", seconds)
        said: list[str] = []
        with Ledger.open(tmp_path) as ledger:
            ledger._writer._connection.set_trace_callback(said.append)
            for number in range(3):
                asyncio.run(ledger.record(f"{seconds}-{number}", 0, reply("x")))
        return {level: sum(level in one for one in said) for level in ("=FULL", "=NORMAL")}

    assert pragmas(1e6)["=FULL"] == 0
    assert pragmas(0.0) == {"=FULL": 3, "=NORMAL": 0}


def test_a_directory_with_files_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(LedgerError, match="not a run directory: it holds"):
            Ledger.open(tmp_path, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_run_whose_directory_was_moved_says_so_at_its_end(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "run") as ledger:
        ledger.begin({"name": "x"})
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        with pytest.raises(LedgerError, match="moved or deleted") as caught:
            ledger.finish()
        assert caught.value.exit_code == 3
