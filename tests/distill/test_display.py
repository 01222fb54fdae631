"""Displays: what each writes for the same events, with a clock that the test moves."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from distill import display
from distill.cli.errors import render_warning
from distill.display import Json, Live, Plain
from distill.events import Event, Progress, Result, RowSettled, RunEnded, RunStarted, Stage, Warned
from distill.records import Usage

STARTED = RunStarted("demo", Path("runs/demo"), "symbolic/1")
SPENT = Usage(480_000, 1_000_000, 810_000, 0.87)
MIDDLE = Progress(
    settled=612,
    kept=488,
    dropped=101,
    failed=23,
    requests=700,
    in_flight=38,
    limit=40,
    usage=SPENT,
    total=1200,
    seconds=600,
)
ENDED = RunEnded(Result(Path("runs/demo"), 1200, 956, 240, 4, 1300, 0, SPENT, 1502.0))
WARNED = Warned("source", "3 malformed rows were left out", where="q.jsonl:4", help="mind the `comma`")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Clock) -> tuple[Plain, list[str]]:
    lines: list[str] = []
    return Plain(lines.append, warning=render_warning, clock=clock), lines


def test_plain_writes_a_line_every_ten_seconds_and_when_the_state_changes() -> None:
    clock = Clock()
    shown, lines = plain(clock)
    shown(STARTED)
    lines.clear()
    shown(MIDDLE)
    assert lines == []
    clock.now = 10.0
    shown.tick()
    assert lines == ["612/1200 kept=488 dropped=101 failed=23 requests=700 tok=1.48M usd=0.87 inflight=38"]
    clock.now = 19.9
    shown.tick()
    assert len(lines) == 1
    clock.now = 20.0
    shown.tick()
    assert len(lines) == 2
    shown(Stage("stopping", "usd"))
    assert lines[2:] == ["stopping usd"]


def test_plain_shows_warnings_in_the_form_of_errors() -> None:
    shown, lines = plain(Clock())
    shown(WARNED)
    assert lines[0].splitlines()[:2] == ["warning[source]: 3 malformed rows were left out", "  --> q.jsonl:4"]


def test_a_first_run_with_the_embedded_teacher_says_how_to_change_it() -> None:
    shown, lines = plain(Clock())
    shown(STARTED)
    assert "`teacher: {use: openai, model: …}`" in lines[-1]
    again, more = plain(Clock())
    again(RunStarted("demo", Path("runs/demo"), "symbolic/1", resumed=1234, changed=("verify", "limits.rows")))
    assert more[1:] == [
        "  continues: 1,234 replies are already there and are not asked for again",
        "  changed since the last run: verify, limits.rows",
    ]


def test_json_writes_one_object_a_line_and_progress_once_a_second() -> None:
    clock, lines = Clock(), []
    shown = Json(lines.append, clock=clock)
    for event in (STARTED, MIDDLE, MIDDLE, RowSettled("r1", "dropped", "exact: differs")):
        shown(event)
    clock.now = 1.0
    shown(MIDDLE)
    shown(ENDED)
    found = [json.loads(line) for line in lines]
    assert [one["event"] for one in found] == [
        "run_started", "progress", "row_settled", "progress", "progress", "run_ended",
    ]  # fmt: skip
    assert found[1]["usage"]["reasoning_tokens"] == 810_000
    assert found[2] == {"event": "row_settled", "row_id": "r1", "outcome": "dropped", "reason": "exact: differs"}
    assert (found[-1]["kept"], found[-1]["run_dir"]) == (956, "runs/demo")


@pytest.mark.parametrize("width", [30, 80, 200])
def test_the_panel_has_at_most_four_lines_and_fits(width: int) -> None:
    clock, stream = Clock(), io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=30, color_system=None)
    shown = Live(warning=render_warning, console=console, clock=clock)
    shown(STARTED)
    for number in range(40):
        shown(RowSettled(f"r{number}", "dropped", f"check{number % 7}: no"))
    before = stream.tell()
    clock.now = 1.0
    shown(MIDDLE)
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()[before:]).replace("\r", "\n")
    shown.close()
    lines = [line for line in drawn.split("\n") if line.strip()]
    assert any("612" in line for line in lines)
    assert len(lines) <= 4
    assert max(len(line) for line in lines) <= width


def test_the_panel_is_drawn_four_times_a_second_at_most() -> None:
    clock, stream = Clock(), io.StringIO()
    shown = Live(warning=render_warning, console=Console(file=stream, force_terminal=True, width=80), clock=clock)
    shown(STARTED)
    before = stream.tell()
    for _ in range(1000):
        shown(MIDDLE)
    assert stream.tell() == before
    clock.now = 0.25
    shown.tick()
    assert stream.tell() > before
    shown.close()


def test_a_line_for_a_person_stands_above_the_panel_and_not_among_events() -> None:
    stream, lines = io.StringIO(), list[str]()
    shown = Live(warning=render_warning, console=Console(file=stream, force_terminal=True, width=80), clock=Clock())
    shown(STARTED)
    shown.say("stopping: finishing 3 requests")
    shown.close()
    text = stream.getvalue()
    assert text.index("stopping: finishing 3 requests") < text.rindex("demo  running")
    Json(lines.append).say("stopping")
    assert lines == []


def test_the_panel_says_why_the_run_stops() -> None:
    shown = Live(warning=render_warning, console=Console(file=io.StringIO(), width=80))
    for event in (STARTED, MIDDLE, Stage("stopping", "`limits.usd` is reached")):
        shown(event)
    heads = [display.panel(shown.started, shown.progress, stage=shown.stage, reasons=shown.reasons, width=80)[0]]
    shown(RunEnded(Result(Path("runs/demo"), 5, 5, 0, 0, 5, 0, Usage(), 1.0, "usd")))
    heads += display.panel(shown.started, shown.progress, stage=shown.stage, reasons=shown.reasons, width=80)[:1]
    shown.close()
    assert heads == ["demo  stopping: `limits.usd` is reached  10:00", "demo  stopped by usd  10:00"]


def test_the_panel_says_where_the_run_stands() -> None:
    reasons = display.Counter({"graph_sql": 74, "think": 9, "a": 1, "b": 1, "c": 1, "d": 1})
    lines = display.panel(STARTED, MIDDLE, stage="", reasons=reasons, width=120)
    assert len(lines) == 4
    assert lines[0] == "demo  running  10:00"
    assert "612/1,200" in lines[1] and " 51%" in lines[1] and "9:36 left" in lines[1] and "kept 488" in lines[1]
    assert lines[2] == "  tokens 1.48M (thinking 81%)   $0.87   in flight 38/40"
    assert lines[3] == "  left out by  graph_sql 74 · think 9 · a 1 · b 1 · c 1 · 1 more"
    assert "%" not in display.panel(STARTED, Progress(settled=3), stage="", reasons=display.Counter(), width=80)[1]


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("graph_sql: 3 rows, not 4", "graph_sql"),
        ("undecided: exact: no reference answer", "exact"),
        ("no reply after all attempts", "no reply after"),
        ("", "no reason given"),
    ],
)
def test_a_reason_names_who_said_it(reason: str, name: str) -> None:
    assert display.check_of(reason) == name


def test_nothing_is_written_by_none_and_auto_depends_on_the_terminal() -> None:
    lines: list[str] = []
    silent = display.make("none", write=lines.append, warning=render_warning, terminal=True)
    events: list[Event] = [STARTED, MIDDLE, WARNED, ENDED]
    for event in events:
        silent(event)
    silent.tick()
    silent.close()
    assert lines == []
    assert silent.progress is MIDDLE
    kinds = [
        type(display.make("auto", write=lines.append, warning=render_warning, terminal=tty)) for tty in (True, False)
    ]
    assert kinds == [Live, Plain]


def test_the_closing_lines_say_what_was_made_and_what_is_next(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    (run / "data").mkdir(parents=True)
    (run / "data" / "train.jsonl").write_text("{}\n")
    (run / "report.html").write_text("")
    done = Result(run, 1200, 956, 240, 4, 1300, 7, SPENT, 1502.0)
    text = display.closing(done, resume="distill run demo.yaml")
    assert text.splitlines() == [
        "done  1,200 rows in 25:02   kept 956 (80%) · dropped 240 · failed 4",
        "  1,300 requests · 7 from the ledger · 1.48M tokens · $0.87",
        f"  {run}/data/train.jsonl",
        f"  {run}/report.html",
        "next  distill show last --dropped      why rows were left out",
        "      distill init mine                your own recipe",
    ]
    elsewhere = display.closing(done, resume="distill run demo.yaml", run="/data/demo")
    assert elsewhere.splitlines()[-2] == "next  distill show /data/demo --dropped  why rows were left out"
    stopped = display.closing(Result(run, 5, 5, 0, 0, 5, 0, Usage(), 1.0, "usd"), resume="distill run demo.yaml")
    assert stopped.splitlines()[0].startswith("stopped by usd  5 rows")
    assert stopped.splitlines()[-1] == "nothing lost.   resume:  distill run demo.yaml"
