"""What a person or a program sees while a run goes on: a live panel, plain lines, JSON lines, or nothing.

May be imported by the command line only; imports events, and rich inside the live panel: nobody else uses rich.
Design reason: a display is a listener with a clock that is handed in. It never asks the engine anything, so the same
run can show itself anywhere, and a test can let ten seconds pass without waiting for them.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from distill.events import Event, Progress, Result, RowSettled, RunEnded, RunStarted, Stage, Warned

Mode = Literal["auto", "live", "plain", "json", "none"]
"""What `--display` takes; `auto` is `live` on a terminal and `plain` elsewhere."""

PLAIN_SECONDS = 10.0
"""How often the plain display writes a line when nothing changes its state."""
JSON_SECONDS = 1.0
"""How often the JSON display writes progress; every other event is written at once."""
LIVE_SECONDS = 0.25
"""How often the live panel is drawn."""


class Display:
    """Shows nothing, but knows where the run stands. Call it with events, `tick` it while waiting, `close` it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.started = RunStarted("", run_dir=Path(), teacher="")
        self.progress = Progress()
        self.stage = ""
        """Where the run is beyond its rows, with why: `stopping: the budget is spent`."""
        self.reasons: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        match event:
            case RunStarted():
                self.started = event
            case Progress():
                self.progress = event
            case RowSettled(outcome="dropped" | "failed") as row:
                self.reasons[check_of(row.reason)] += 1
            case Stage():
                self.stage = f"{event.name}: {event.detail}" if event.detail else event.name
            case RunEnded():
                why = event.result.stopped_by
                self.stage = f"stopped by {why}" if why else "done"
        self.show(event)

    def show(self, event: Event) -> None:
        """Write what this display writes for `event`."""

    def say(self, text: str) -> None:
        """A line for a person, where this display is for persons."""

    def tick(self) -> None:
        """Time has passed: redraw if it is due."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Plain(Display):
    """One line every ten seconds and whenever the state changes: for logs, pipes and CI."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        warning: Callable[[Warned], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock=clock)
        self._write, self._warning = write, warning
        self._last = clock()
        self._shown = Progress()

    def show(self, event: Event) -> None:
        """A line for every event but the ones that only count."""
        match event:
            case RunStarted():
                for line in opening(event):
                    self._write(line)
            case Warned():
                self._write(self._warning(event))
            case Stage():
                self._write(f"{event.name} {event.detail}".rstrip())
                self._line()
            case RunEnded():
                self._line()
            case Progress():
                self.tick()

    def say(self, text: str) -> None:
        """A line of its own."""
        self._write(text)

    def tick(self) -> None:
        """The line that is due after ten seconds, whether or not anything moved: silence looks like a hang."""
        if self.clock() - self._last >= PLAIN_SECONDS:
            self._line(always=True)

    def _line(self, *, always: bool = False) -> None:
        if always or self.progress != self._shown:
            self._last, self._shown = self.clock(), self.progress
            self._write(counts_line(self.progress))


class Json(Display):
    """Every event as one JSON object a line."""

    def __init__(self, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._write = write
        self._last = -JSON_SECONDS

    def show(self, event: Event) -> None:
        """The event; progress at most once a second and at the end."""
        if isinstance(event, Progress):
            self.tick()
            return
        if isinstance(event, RunEnded):
            self._object(self.progress)
        self._object(event)

    def tick(self) -> None:
        """Progress, when it is due."""
        if self.clock() - self._last >= JSON_SECONDS:
            self._last = self.clock()
            self._object(self.progress)

    def _object(self, event: Event) -> None:
        import orjson

        fields = event.result.to_json() if isinstance(event, RunEnded) else event
        body = orjson.loads(orjson.dumps(fields, default=str))
        self._write(orjson.dumps({"event": _snake(type(event).__name__), **body}).decode())


class Live(Display):
    """A panel of at most four lines that stays where it is, drawn four times a second on stderr."""

    def __init__(
        self, *, warning: Callable[[Warned], str], console: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        super().__init__(clock=clock)
        self._warning = warning
        self._console = console or Console(stderr=True)
        self._live = RichLive(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._last = -LIVE_SECONDS

    def show(self, event: Event) -> None:
        """Start with the run, print warnings above the panel, draw."""
        from rich.text import Text

        match event:
            case RunStarted():
                for line in opening(event):
                    self._console.print(Text(line))
                self._live.start()
            case Warned():
                self._console.print(Text.from_ansi(self._warning(event)))
            case RunEnded():
                self._draw()
        self.tick()

    def say(self, text: str) -> None:
        """A line above the panel."""
        from rich.text import Text

        self._console.print(Text(text))

    def tick(self) -> None:
        """Draw, when it is due."""
        if self._live.is_started and self.clock() - self._last >= LIVE_SECONDS:
            self._last = self.clock()
            self._draw()

    def close(self) -> None:
        """Stop drawing and give the cursor back; the panel as it was last stays."""
        if self._live.is_started:
            self._live.stop()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.text import Text

        lines = panel(self.started, self.progress, stage=self.stage, reasons=self.reasons, width=self._console.width)
        self._live.update(Group(*[Text(line, no_wrap=True, overflow="ellipsis") for line in lines]), refresh=True)


def make(
    mode: Mode,
    *,
    write: Callable[[str], None],
    warning: Callable[[Warned], str],
    terminal: bool,
    clock: Callable[[], float] = time.monotonic,
) -> Display:
    """The display for `mode`; `terminal` says whether stderr is one."""
    chosen = ("live" if terminal else "plain") if mode == "auto" else mode
    if chosen == "live":
        return Live(warning=warning, clock=clock)
    if chosen == "plain":
        return Plain(write, warning=warning, clock=clock)
    return Json(write, clock=clock) if chosen == "json" else Display(clock=clock)


# ---------------------------------------------------------------- texts


def opening(started: RunStarted) -> list[str]:
    """What a run says first: what it is, what it continues, and on a first run how to change the embedded teacher."""
    lines = [f"{started.name}  →  {started.run_dir}   teacher {started.teacher}"]
    if started.resumed:
        lines.append(f"  continues: {started.resumed:,} replies are already there and are not asked for again")
    if started.changed:
        lines.append(f"  changed since the last run: {', '.join(started.changed)}")
    if started.teacher.startswith("symbolic") and not started.resumed:
        lines.append("  the embedded teacher needs no key; for a model of yours: `teacher: {use: openai, model: …}`")
    return lines


def panel(started: RunStarted, progress: Progress, *, stage: str, reasons: "Counter[str]", width: int) -> list[str]:
    """The live panel, at most four lines."""
    lines = [f"{started.name}  {stage or 'running'}  {_clock(progress.seconds)}", _bar_line(progress, width)]
    spent = _spent(progress)
    if spent:
        lines.append(f"  {spent}")
    if reasons:
        lines.append("  left out by  " + said_by(reasons))
    return lines


def counts_line(progress: Progress) -> str:
    """The plain line: `612/1200 kept=488 dropped=101 failed=2 tok=1.48M usd=0.87 inflight=38`."""
    usage = progress.usage
    total = f"/{progress.total}" if progress.total is not None else ""
    parts = [
        f"{progress.settled}{total}",
        f"kept={progress.kept}",
        f"dropped={progress.dropped}",
        f"failed={progress.failed}",
        f"requests={progress.requests}",
    ]
    if progress.replayed:
        parts.append(f"replayed={progress.replayed}")
    if usage.input_tokens or usage.output_tokens:
        parts.append(f"tok={short(usage.input_tokens + usage.output_tokens)}")
    if usage.usd is not None and usage.output_tokens:
        parts.append(f"usd={usage.usd:.2f}")
    return " ".join([*parts, f"inflight={progress.in_flight}"])


def said_by(reasons: "Counter[str]", *, most: int = 5) -> str:
    """`graph_sql 74 · think 9`: who left rows out, most first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    more = f" · {len(ordered) - most} more" if len(ordered) > most else ""
    return " · ".join(f"{name} {count:,}" for name, count in ordered[:most]) + more


def check_of(reason: str) -> str:
    """Who speaks in a reason: the check's name before the colon, else its first words."""
    name, colon, rest = reason.partition(":")
    if name == "undecided" and rest:
        return rest.partition(":")[0].strip()
    return (name if colon else " ".join(reason.split()[:3])).strip()[:40] or "no reason given"


def short(number: int) -> str:
    """`950`, `1.5k`, `2.31M`."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def _bar_line(progress: Progress, width: int) -> str:
    counts = f"kept {progress.kept:,} · dropped {progress.dropped:,} · failed {progress.failed:,}"
    if progress.replayed:
        counts += f" · replayed {progress.replayed:,}"
    if progress.total is None:
        return f"  {progress.settled:,} rows   {counts}"
    share = progress.settled / progress.total if progress.total else 1.0
    cells = max(8, min(24, width - len(counts) - 36))
    bar = "━" * round(share * cells) + "╌" * (cells - round(share * cells))
    left = progress.seconds / share - progress.seconds if share else 0.0
    eta = f"  {_clock(left)} left" if 0 < share < 1 else ""
    return f"  {progress.settled:,}/{progress.total:,} {bar} {share:4.0%}{eta}   {counts}"


def _spent(progress: Progress) -> str:
    usage = progress.usage
    tokens = usage.input_tokens + usage.output_tokens
    parts = []
    if tokens:
        think = f" (thinking {usage.reasoning_tokens / usage.output_tokens:.0%})" if usage.reasoning_tokens else ""
        parts.append(f"tokens {short(tokens)}{think}")
        parts.append("price unknown" if usage.usd is None else f"${usage.usd:.2f}")
    if progress.limit:
        parts.append(f"in flight {progress.in_flight}/{progress.limit}")
    return "   ".join(parts)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def closing(result: Result, *, resume: str, run: str = "last") -> str:
    """What a run says last: how it ended, what was made, where it is, and what to do next.

    `resume` is the command that continues it, `run` what `distill show` calls it.
    """
    share = f" ({result.kept / result.rows:.0%})" if result.rows else ""
    how = f"stopped by {result.stopped_by}" if result.stopped_by else "done"
    head = f"{how}  {result.rows:,} rows in {_clock(result.seconds)}   kept {result.kept:,}{share}"
    lines = [f"{head} · dropped {result.dropped:,} · failed {result.failed:,}", f"  {_asked(result)}"]
    files = sorted((result.run_dir / "data").glob("*.jsonl"))
    lines += [f"  {file}" for file in files]
    if (result.run_dir / "report.html").is_file():
        lines.append(f"  {result.run_dir / 'report.html'}")
    if result.stopped_by:
        return "\n".join([*lines, f"nothing lost.   resume:  {resume}"])
    shown = f"distill show {run}"
    why = f"{f'{shown} --dropped':<31}  why rows were left out" if result.dropped else shown
    return "\n".join([*lines, f"next  {why}", f"      {'distill init mine':<31}  your own recipe"])


def _asked(result: Result) -> str:
    usage = result.usage
    tokens = usage.input_tokens + usage.output_tokens
    money = "price unknown" if usage.usd is None else f"${usage.usd:.2f}"
    parts = [f"{result.requests:,} requests", f"{result.replayed:,} from the ledger"]
    return " · ".join([*parts, f"{short(tokens)} tokens", money] if tokens else parts)
