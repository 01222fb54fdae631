"""The run loop by what it does: what is asked, what is kept, what is paid for again, and how a run ends."""

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest

import distill
from distill import engine
from distill.errors import PluginError, SourceError, TeacherError
from distill.events import Event, Progress, RowSettled, Stage, Warned
from distill.pace import Pace
from distill.recipe import load_recipe
from tests.distill.loopback import Answer, Call, Loopback, completion, failure
from tests.distill.runs import data, lines, recipe, snapshot, write_sums


def run(directory: Path, *, listener: Any = None, stop: asyncio.Event | None = None, **sections: Any) -> distill.Result:
    loaded = load_recipe(recipe(directory, **sections), base=directory)
    listening = {} if listener is None else {"listener": listener}
    return asyncio.run(engine.run(loaded, run_dir=directory / "runs" / "sums", stop=stop, **listening))


def test_a_run_writes_prompt_and_completion_and_keeps_the_rest_aside(tmp_path: Path) -> None:
    result = run(tmp_path, rows=100)
    assert (result.rows, result.kept, result.dropped, result.failed, result.requests) == (100, 100, 0, 0, 100)
    found = data(result.run_dir)
    assert len(found) == 100 and all(set(line) == {"prompt", "completion"} for line in found)
    assert {"prompt": "4+5?", "completion": "<think>\nI add 4 and 5.\n</think>\n\n9"} in found
    for split in ("train", "validation", "test"):
        assert len(lines(result.run_dir / "data" / f"{split}.jsonl")) == len(
            lines(result.run_dir / "provenance" / f"{split}.jsonl")
        )
    assert result.usage.usd == pytest.approx(0.1) and result.usage.output_tokens == 2000
    assert (result.run_dir / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_samples_are_asked_until_one_is_accepted_and_no_further(tmp_path: Path) -> None:
    log = tmp_path / "asked.txt"
    result = run(tmp_path, teacher={"use": "./adder.py:Adder", "wrong": 2, "log": str(log)})
    assert result.kept == 30
    samples = [int(line.split()[2]) for line in log.read_text().splitlines()]
    assert samples.count(0) == 30 and samples.count(1) == samples.count(2) == 10
    assert result.requests == 50


def test_rows_that_never_pass_are_left_out_with_the_reason(tmp_path: Path) -> None:
    result = run(tmp_path, teacher={"use": "./adder.py:Adder", "wrong": 9})
    assert (result.kept, result.dropped) == (20, 10)
    rejected = lines(result.run_dir / "rejected.jsonl")
    assert len(rejected) == 10 and all(line["reason"].startswith("exact") for line in rejected)


def test_a_row_without_a_reply_is_failed_and_asked_again_by_the_next_run(tmp_path: Path) -> None:
    first = run(tmp_path, teacher={"use": "./adder.py:Adder", "fail": "7+8"})
    assert (first.kept, first.failed) == (29, 1)
    second = run(tmp_path)
    assert (second.kept, second.failed, second.requests, second.replayed) == (30, 0, 1, 29)


def test_the_same_command_again_asks_for_nothing_and_writes_the_same_bytes(tmp_path: Path) -> None:
    first = run(tmp_path)
    before = snapshot(first.run_dir)
    second = run(tmp_path)
    assert (second.requests, second.replayed) == (0, 30) and snapshot(second.run_dir) == before


@pytest.mark.parametrize("concurrency", [1, 7, "auto"])
def test_the_dataset_does_not_depend_on_concurrency(tmp_path: Path, concurrency: Any) -> None:
    wrong = {"use": "./adder.py:Adder", "wrong": 1}
    one = run(tmp_path, teacher=wrong, limits={"concurrency": 3})
    (tmp_path / "other").mkdir()
    other = run(tmp_path / "other", teacher=wrong, limits={"concurrency": concurrency})
    assert snapshot(one.run_dir) == snapshot(other.run_dir)


def test_an_edit_pays_only_for_the_difference(tmp_path: Path) -> None:
    run(tmp_path)
    stricter = [{"use": "think", "required": True, "min_chars": 5}, {"use": "exact", "required": True}]
    assert run(tmp_path, verify=stricter).requests == 0
    assert run(tmp_path, curate={"split": {"validation": 0.3, "test": 0.2}}).requests == 0
    grown = run(tmp_path, rows=35)
    assert (grown.requests, grown.replayed, grown.kept) == (5, 30, 35)
    more = run(tmp_path, rows=35, samples={"accept": 2, "max": 3})
    assert more.requests == 35 and len(data(more.run_dir)) == 35  # both answers alike: the second is an exact duplicate


def test_rows_added_never_move_the_old_ones(tmp_path: Path) -> None:
    first = run(tmp_path)
    before = {line["id"]: split for split, line in provenance(first.run_dir)}
    grown = run(tmp_path, rows=60)
    after = {line["id"]: split for split, line in provenance(grown.run_dir)}
    assert len(after) == 60 and {row: after[row] for row in before} == before


def provenance(run_dir: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(file.stem, line) for file in (run_dir / "provenance").glob("*.jsonl") for line in lines(file)]


def test_a_truncated_reply_is_a_sample_but_never_kept(tmp_path: Path) -> None:
    result = run(tmp_path, rows=3, teacher={"use": "./adder.py:Adder", "cut": True})
    assert (result.kept, result.dropped, result.requests) == (0, 3, 9)
    assert run(tmp_path, rows=3, teacher={"use": "./adder.py:Adder", "cut": True}).requests == 0


def test_malformed_rows_are_counted_shown_and_left_out(tmp_path: Path) -> None:
    told: list[Event] = []
    loaded = load_recipe(recipe(tmp_path), base=tmp_path)
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write('{"question": \n{"answer": 3}\n')
    result = asyncio.run(engine.run(loaded, run_dir=tmp_path / "r", listener=told.append))
    assert (result.kept, result.bad_rows) == (30, 2)
    [warning] = [event for event in told if isinstance(event, Warned)]
    assert "sums.jsonl:31" in warning.where and "2 malformed rows" in warning.message
    bad = [line for line in lines(result.run_dir / "rejected.jsonl") if line["step"] == "source"]
    assert [line["origin"] for line in bad] == ["sums.jsonl:31", "sums.jsonl:32"]


def test_on_bad_row_stop_ends_at_the_first(tmp_path: Path) -> None:
    loaded = load_recipe(recipe(tmp_path), base=tmp_path, set={"source.on_bad_row": "stop"})
    (tmp_path / "sums.jsonl").write_text("nonsense\n")
    with pytest.raises(SourceError) as caught:
        asyncio.run(engine.run(loaded, run_dir=tmp_path / "r"))
    assert caught.value.where == "sums.jsonl:1"


def test_equal_rows_are_asked_once(tmp_path: Path) -> None:
    sections = recipe(tmp_path)
    path = tmp_path / "sums.jsonl"
    path.write_text(path.read_text() * 2)
    result = asyncio.run(engine.run(load_recipe(sections, base=tmp_path), run_dir=tmp_path / "r"))
    assert (result.rows, result.requests) == (30, 30)


def test_a_budget_stops_the_run_and_the_next_one_continues(tmp_path: Path) -> None:
    first = run(tmp_path, limits={"usd": 0.01, "concurrency": 1})
    assert first.stopped_by == "usd" and 8 <= first.requests <= 11 and first.kept == first.requests
    second = run(tmp_path, limits={"concurrency": 4})
    assert second.stopped_by is None and second.requests == 30 - first.requests and second.kept == 30


def test_stop_finishes_what_is_in_flight(tmp_path: Path) -> None:
    stop = asyncio.Event()

    def listener(event: Event) -> None:
        if isinstance(event, RowSettled):
            stop.set()

    result = run(tmp_path, rows=2000, listener=listener, stop=stop, limits={"concurrency": 2})
    assert result.stopped_by == "interrupt" and 0 < result.kept < 2000
    again = run(tmp_path, rows=2000)
    assert again.kept == 2000 and again.requests == 2000 - result.requests


def test_progress_counts_add_up_and_stages_are_told(tmp_path: Path) -> None:
    told: list[Event] = []
    run(tmp_path, listener=told.append)
    last = [event for event in told if isinstance(event, Progress)][-1]
    assert (last.settled, last.kept, last.requests) == (30, 30, 30)
    assert any(isinstance(event, Stage) and event.name == "curate" for event in told)


def test_template_rows_need_no_teacher(tmp_path: Path) -> None:
    sections = recipe(tmp_path, strategy="template")
    (tmp_path / "sums.jsonl").write_text('{"question": "1+1?", "answer": "2", "reasoning": "One and one are two."}\n')
    result = asyncio.run(engine.run(load_recipe(sections, base=tmp_path), run_dir=tmp_path / "r"))
    assert result.requests == 0
    assert [line["completion"] for line in data(result.run_dir)] == ["<think>\nOne and one are two.\n</think>\n\n2"]


def test_recheck_judges_stored_replies_by_another_recipe(tmp_path: Path) -> None:
    first = run(tmp_path)
    harsh = recipe(tmp_path, verify=[{"use": "think", "required": True, "min_chars": 16}])
    (tmp_path / "sums.jsonl").unlink()
    result = asyncio.run(engine.recheck(load_recipe(harsh, base=tmp_path), run_dir=first.run_dir))
    assert result.requests == 0 and result.rows == 30 and 0 < result.dropped < 30


def test_preview_settles_nothing_and_its_replies_are_reused(tmp_path: Path) -> None:
    loaded = load_recipe(recipe(tmp_path), base=tmp_path)
    shown = asyncio.run(engine.preview(loaded, rows=4, run_dir=tmp_path / "runs" / "sums"))
    assert [one.outcome for one in shown] == ["kept"] * 4
    assert run(tmp_path).requests == 26


def test_a_failing_user_verifier_is_an_error_not_a_wrong_answer(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def broken(case):\n    raise RuntimeError('oops')\n")
    result = run(tmp_path, rows=3, verify=[{"use": "./checks.py:broken", "required": True}])
    assert result.dropped == 3
    reason = lines(result.run_dir / "rejected.jsonl")[0]["reason"]
    assert reason.startswith("undecided") and "oops" in reason


def test_a_failing_user_strategy_costs_only_its_rows(tmp_path: Path) -> None:
    (tmp_path / "strategy.py").write_text(
        "from distill import Trace\nfrom distill.strategies import Distil\n"
        "class Odd(Distil):\n    def trace(self, row, reply):\n"
        "        if '3+4' in row.prompt: raise KeyError('x')\n        return super().trace(row, reply)\n"
    )
    result = run(tmp_path, strategy={"use": "./strategy.py:Odd"})
    assert (result.kept, result.failed) == (29, 1)


def test_a_teacher_nobody_can_reach_is_an_error_with_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(seconds: float) -> None:
        """Waits between tries are not what is tested here."""

    monkeypatch.setattr(engine, "Pace", functools.partial(Pace, sleep=at_once))
    with pytest.raises(TeacherError) as caught:
        run(
            tmp_path,
            teacher={"use": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"},
            limits={"minutes": 1},
        )
    assert caught.value.exit_code == 3 and "127.0.0.1:9" in str(caught.value) + caught.value.where + caught.value.help


def test_sources_given_by_name_and_grown_files(tmp_path: Path) -> None:
    run(tmp_path, rows=5)
    write_sums(tmp_path / "more.jsonl", 5, start=5)
    both = [{"use": "files", "path": "sums.jsonl"}, {"use": "files", "path": "more.jsonl"}]
    result = run(tmp_path, rows=5, source=both)
    assert (result.rows, result.requests) == (10, 5)


# ---------------------------------------------------------------- what was found by trying to break it


def test_another_reader_of_replies_is_judged_anew(tmp_path: Path) -> None:
    strategy = "from distill import Trace\nfrom distill.strategies import Distil\nclass Odd(Distil):\n"
    (tmp_path / "strategy.py").write_text(strategy + "    pass\n")
    assert run(tmp_path, strategy={"use": "./strategy.py:Odd"}).kept == 30
    wrong = "    def trace(self, row, reply):\n        return Trace('I guess.', 'WRONG')\n"
    (tmp_path / "strategy.py").write_text(strategy + wrong)
    again = run(tmp_path, strategy={"use": "./strategy.py:Odd"})
    assert (again.requests, again.kept) == (60, 0)  # two more samples of every row, and all of them are wrong
    assert not data(again.run_dir)


def test_another_prompt_template_is_no_other_row(tmp_path: Path) -> None:
    (tmp_path / "prompt.py").write_text("def shown(question, meta):\n    return 'Q: ' + question\n")
    section = {"use": "files", "path": "sums.jsonl", "prompt": {"use": "./prompt.py:shown"}}
    before = {line["id"]: split for split, line in provenance(run(tmp_path, source=section).run_dir)}
    (tmp_path / "prompt.py").write_text("def shown(question, meta):\n    return 'Question: ' + question\n")
    after = {line["id"]: split for split, line in provenance(run(tmp_path, source=section).run_dir)}
    assert after == before


def test_a_fatal_failure_keeps_what_was_in_flight(tmp_path: Path) -> None:
    def answer(call: Call) -> Answer:
        return failure(401, "no such key") if call.number == 20 else completion("7", reasoning="It is 7.", delay=0.05)

    with Loopback(answer) as server:
        endpoint = {"use": "openai", "model": "loopback", "base_url": server.url, "api_key": "k"}
        with pytest.raises(TeacherError) as caught:
            run(tmp_path, teacher=endpoint, samples={"max": 1}, limits={"concurrency": 30}, verify=["think"])
        asked = len(server.calls)
        assert "replies saved" in caught.value.state
        again = run(tmp_path, teacher=endpoint, samples={"max": 1}, verify=["think"])
    assert asked == 30 and again.requests == 1 and again.kept == 30


def test_a_source_that_fails_midway_loses_no_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BATCH", 5)
    (tmp_path / "mine.py").write_text(
        "def rows(*, whole: bool = False):\n    for n in range(30):\n"
        "        yield {'question': f'{n}+{n + 1}?', 'answer': str(2 * n + 1)}\n"
        "    if not whole:\n        raise OSError('the disk went away')\n"
    )
    log = tmp_path / "asked.txt"
    teacher = {"use": "./adder.py:Adder", "log": str(log)}
    with pytest.raises(PluginError, match="failed") as caught:
        run(tmp_path, source={"use": "./mine.py:rows"}, teacher=teacher)
    asked = len(log.read_text().splitlines())
    assert asked >= 5 and f"{asked} replies saved" in caught.value.state
    assert run(tmp_path, source={"use": "./mine.py:rows", "whole": True}, teacher=teacher).requests == 30 - asked


def test_a_failed_run_leaves_the_dataset_and_what_recheck_sees(tmp_path: Path) -> None:
    first = run(tmp_path)
    before = snapshot(first.run_dir)
    (tmp_path / "sums.jsonl").rename(tmp_path / "away.jsonl")
    loaded = load_recipe({**recipe(tmp_path), "source": {"use": "files", "path": "none.jsonl"}}, base=tmp_path)
    for _ in range(3):
        with pytest.raises(SourceError):
            asyncio.run(engine.run(loaded, run_dir=first.run_dir))
    again = asyncio.run(engine.recheck(load_recipe(recipe(tmp_path), base=tmp_path), run_dir=first.run_dir))
    assert again.kept == 30 and snapshot(first.run_dir) == before


def test_recheck_keeps_the_malformed_rows_of_the_run(tmp_path: Path) -> None:
    loaded = load_recipe(recipe(tmp_path), base=tmp_path)
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write("nonsense\n")
    result = asyncio.run(engine.run(loaded, run_dir=tmp_path / "r"))
    before = (result.run_dir / "rejected.jsonl").read_bytes()
    asyncio.run(engine.recheck(loaded, run_dir=result.run_dir))
    assert (result.run_dir / "rejected.jsonl").read_bytes() == before


def test_one_row_without_what_a_path_needs_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "sum.txt").write_text("x")
    (tmp_path / "checks.py").write_text(
        "from pathlib import Path\nfrom distill import Verdict, verifier\n"
        "@verifier(isolated=False)\ndef table(case, *, file: Path):\n"
        "    return Verdict('pass' if file.is_file() else 'fail')\n"
    )
    sections = recipe(tmp_path, verify=[{"use": "./checks.py:table", "file": "db/{kind}.txt", "required": True}])
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write('{"question": "90+1?", "answer": "91"}\n{"question": "91+1?", "answer": "92", "kind": "../../x"}\n')
    result = asyncio.run(engine.run(load_recipe(sections, base=tmp_path), run_dir=tmp_path / "r"))
    assert (result.kept, result.dropped) == (30, 2)
    reasons = [line["reason"] for line in lines(result.run_dir / "rejected.jsonl")]
    assert all(reason.startswith("undecided: table: ContractError") for reason in reasons)


def test_a_teacher_plug_in_that_breaks_costs_only_its_rows(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from adder import Adder\nimport asyncio\nclass Broken(Adder):\n    async def attempt(self, request):\n"
        "        if '3+4' in request.row.question: raise KeyError('x')\n"
        "        if '5+6' in request.row.question: return 'eleven'\n"
        "        if '7+8' in request.row.question: raise SystemExit(0)\n"
        "        if '9+10' in request.row.question: raise asyncio.CancelledError\n"
        "        if '11+12' in request.row.question: return Reply({'content': 10**40})\n"
        "        return await super().attempt(request)\n"
    )
    source = (tmp_path / "broken.py").read_text().replace("from adder import Adder\n", "")
    recipe(tmp_path)
    (tmp_path / "broken.py").write_text((tmp_path / "adder.py").read_text() + "\n\n" + source)
    result = run(tmp_path, teacher={"use": "./broken.py:Broken"})
    assert (result.kept, result.failed) == (25, 5)
    reasons = " ".join(line["reason"] for line in lines(result.run_dir / "rejected.jsonl"))
    assert all(word in reasons for word in ("KeyError", "str", "SystemExit", "CancelledError", "cannot be stored"))


def test_too_few_accepted_samples_say_how_many_were(tmp_path: Path) -> None:
    result = run(tmp_path, rows=3, teacher={"use": "./adder.py:Adder", "wrong": 2}, samples={"accept": 2, "max": 3})
    reasons = {line["question"]: line["reason"] for line in lines(result.run_dir / "rejected.jsonl")}
    assert reasons["0+1?"].startswith("exact") and result.kept == 2


def test_a_finished_run_with_unanswerable_rows_runs_again(tmp_path: Path) -> None:
    def answer(call: Call) -> Answer:
        return failure(400, "too long") if "1" in call.text.split("+")[0] else completion("7", reasoning="It is 7.")

    with Loopback(answer) as server:
        endpoint = {"use": "openai", "model": "loopback", "base_url": server.url, "api_key": "k"}
        first = run(tmp_path, teacher=endpoint, samples={"max": 1}, verify=["think"], rows=60)
        again = run(tmp_path, teacher=endpoint, samples={"max": 1}, verify=["think"], rows=60)
    assert first.failed == again.failed == 15 and again.kept == 45


def test_cancelling_while_the_dataset_is_written_waits_for_the_thread(tmp_path: Path) -> None:
    loaded = load_recipe(recipe(tmp_path, rows=300), base=tmp_path)

    async def cancelled() -> None:
        def listener(event: Event) -> None:
            if isinstance(event, Stage) and event.name == "curate":
                asyncio.get_running_loop().call_soon(task.cancel)

        task = asyncio.ensure_future(engine.run(loaded, run_dir=tmp_path / "r", listener=listener))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert len(data(tmp_path / "r")) == 300  # whole, though nobody waited for it


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise SystemExit(0)", "SystemExit"),
        ("return Verdict('pass', reason=7)", "reason is text"),
        ("return Verdict('pass', evidence={(1, 2): 3})", "cannot be stored"),
        ("return Verdict('pass', score='high')", "score is a number"),
        ("case.meta['hacked'] = 1", "does not support item assignment"),
    ],
)
def test_whatever_a_verifier_does_is_a_verdict(tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "checks.py").write_text(
        f"from distill import Verdict, verifier\n@verifier(isolated=False)\ndef odd(case):\n    {body}\n"
    )
    result = run(tmp_path, rows=2, verify=[{"use": "./checks.py:odd", "required": True}])
    reasons = [line["reason"] for line in lines(result.run_dir / "rejected.jsonl")]
    assert len(reasons) == 2 and all(reason.startswith("undecided: odd") and words in reason for reason in reasons)


def test_a_plug_in_that_exits_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys\ndef rows():\n    return None\nsys.exit(0)\n")
    with pytest.raises(PluginError, match="failed while being imported"):
        run(tmp_path, source="./script.py:rows")
    (tmp_path / "script.py").write_text("def rows():\n    return None\n")
    with pytest.raises(PluginError, match="source"):
        run(tmp_path, source="./script.py:rows")


def test_a_required_check_that_applies_to_nothing_is_told(tmp_path: Path) -> None:
    told: list[Event] = []
    run(tmp_path, rows=3, listener=told.append, verify=[{"use": "exact", "required": True, "when": {"kinds": ["sum"]}}])
    [warning] = [event for event in told if isinstance(event, Warned)]
    assert "`exact` applied to no answer" in warning.message and "kinds" in warning.help


def test_values_that_cannot_be_stored_cost_only_their_row(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def rows():\n    deep = []\n    deep.append(deep)\n"
        "    yield from ({1: 2}, {'question': 'x', 'n': 10**30}, {'question': 'x', 'n': deep})\n"
        "    yield from ({'question': 'half \\ud800'}, 3)\n    yield {'question': '1+2?', 'answer': '3'}\n"
    )
    result = run(tmp_path, source="./mine.py:rows")
    assert (result.kept, result.rows) == (1, 1) and result.bad_rows >= 3
