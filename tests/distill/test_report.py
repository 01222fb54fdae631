"""The report: hostile text stays text, the page pins its own script, the numbers add up, size stays bounded."""

import asyncio
import base64
import errno
import hashlib
import json
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.curate import Curated
from distill.errors import DiskFull, SetupError
from distill.events import Result
from distill.records import Reply, Row, Sample, Settled, Trace, Usage
from distill.report import Collector, render, write_report
from distill.report.collect import EXAMPLES, generalised
from distill.report.counts import OTHER, Cross, Lengths, Lowest
from verify.contract import Verdict

TEMPLATES = Path(__file__).parents[2] / "distill" / "templates"
REQUIRED = ("think", "graph_sql")
HOSTILE = [
    '</script><img src=x onerror="alert(1)">',
    "<!-- <script>alert(1)</script>",
    "{{7*7}} {% raw %} {{ self.__init__ }}",
    "line\u2028separator\u2029paragraph",
    "\u202eright to left\u202c שלום",
    "' onmouseover='alert(1) \" autofocus",
    "javascript:alert(1)//&lt;b&gt;",
]


def sample(index: int = 0, *, thinking: str | None = "Let me think.", answer: str = "42", **changes: Any) -> Sample:
    verdicts = changes.pop("verdicts", {"think": Verdict("pass"), "graph_sql": Verdict("pass")})
    usage = Usage(10, 20, 15, 0.001)
    reply = Reply({"role": "assistant", "content": answer}, changes.pop("finish", "stop"), usage, "model-x", 1.0)
    trace = Trace(thinking, answer, changes.pop("finished", True))
    return Sample(index, "key", trace, reply, verdicts, changes.pop("accepted", True), **changes)


def curated(number: int, fate: str = "kept", **changes: Any) -> Curated:
    """A row that ended as `fate` says: a step of the funnel that lost it, or `kept`."""
    meta = {"language": ["en", "zh"][number % 2], "n": number, **changes.pop("meta", {})}
    row = Row.make(
        changes.pop("prompt", f"Question {number}?"),
        changes.pop("gold", "42"),
        category=changes.pop("category", f"topic {number % 3}"),
        meta=meta,
        origin=f"rows.jsonl:{number}",
    )
    made = {
        "answered": lambda: ("failed", ()),
        "complete": lambda: ("dropped", (sample(accepted=False, finished=False, finish="length", verdicts={}),)),
        "check:think": lambda: ("dropped", (failing(think="fail"), failing(think="error", index=1))),
        "check:graph_sql": lambda: ("dropped", (failing(think="pass", graph_sql="fail"),)),
        "accepted": lambda: ("dropped", (sample(accepted=False),)),
        "dataset": lambda: ("kept", (sample(),)),
        "kept": lambda: ("kept", (changes.pop("sample", None) or sample(),)),
    }[fate]()
    outcome, samples = made
    reason = "" if fate == "kept" else changes.pop("reason", f"lost to {fate} {number}")
    settled = Settled(row, (number, 0), outcome, samples, reason)  # type: ignore[arg-type]
    return Curated(settled, samples if fate == "kept" else (), "train" if fate == "kept" else None, reason)


def failing(index: int = 0, **statuses: str) -> Sample:
    verdicts = {name: Verdict(status, f"{name} said so") for name, status in statuses.items()}  # type: ignore[arg-type]
    return sample(index, accepted=False, verdicts=verdicts)


FATES = ["answered", "complete", "check:think", "check:graph_sql", "accepted", "dataset", "kept"]


def collect(rows: list[Curated], **options: Any) -> Collector:
    collector = Collector(required=REQUIRED, **options)
    for row in rows:
        collector.add(row)
    return collector


def page(
    rows: list[Curated], *, recipe: dict[str, Any] | None = None, facts: dict[str, Any] | None = None, **options: Any
) -> str:
    result = Result(
        Path("runs/x"), len(rows), 0, 0, 0, 3, 1, Usage(10, 20, 15, None), 61.0, options.pop("stopped", None)
    )
    return render(collect(rows, **options), recipe=recipe or {"name": "x"}, result=result, facts=facts or {})


class Page(HTMLParser):
    """The page as a browser's tokenizer sees it: tags in order, attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.text = ""
        self._open: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._open = (tag, dict(attrs)) if tag in ("script", "style") else None
        if self._open:
            self.raw.append((*self._open, ""))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            tag, attributes, before = self.raw[-1]
            self.raw[-1] = (tag, attributes, before + data)
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def rows(self) -> Any:
        (island,) = [text for tag, attributes, text in self.raw if attributes.get("type") == "application/json"]
        return json.loads(island, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def everywhere(text: str) -> str:
    """A report with `text` in every place that data can reach."""
    evidence = {text: [{"columns": [text], "rows": [[text, None]]}], "plain": text}
    verdicts = {
        "think": Verdict("pass", text, 1.0, evidence),
        "graph_sql": Verdict("fail", text),
        text: Verdict("skip", text),
    }
    full = sample(thinking=text, answer=text, finish=text, verdicts=verdicts, reason=text)
    kept = curated(1, prompt=text, gold=text, category=text, meta={text: text, "language": text}, sample=full)
    lost = curated(2, "answered", reason=text, category=text)
    recipe = {"name": text, "description": text, "teacher": {"use": text}, text: [text]}
    return page([kept, lost], recipe=recipe, facts={"command": text, text: {"deep": text}}, stopped=text)


# ---------------------------------------------------------------- model text never becomes markup


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_leaves_the_structure_of_the_page_as_it_is(text: str) -> None:
    hostile, harmless = Page(everywhere(text)), Page(everywhere("harmless words"))
    assert hostile.tags == harmless.tags
    assert [(tag, name) for tag, name, _ in hostile.attributes] == [(tag, name) for tag, name, _ in harmless.attributes]
    assert not [name for _, name, _ in hostile.attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text: str) -> None:
    shown = Page(everywhere(text))
    (kept, _) = shown.rows()
    assert kept["question"] == kept["gold"] == kept["samples"][0]["thinking"] == text
    assert kept["samples"][0]["verdicts"][0]["evidence"][text][0]["rows"] == [[text, None]]
    assert text in shown.text, "the recipe's name and description"


def test_links_lead_only_into_the_page_itself() -> None:
    targets = [value for _, name, value in Page(everywhere(HOSTILE[0])).attributes if name in ("href", "src")]
    assert targets and all(value and value.startswith("#") for value in targets)


def test_the_island_has_no_character_that_could_end_it() -> None:
    (island,) = [text for _, attributes, text in Page(everywhere("".join(HOSTILE))).raw if attributes.get("type")]
    assert not re.search("[<>&\u2028\u2029]", island)


def test_the_script_never_makes_markup_out_of_text() -> None:
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    assert "textContent" in script
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|fetch\(|XMLHttp|import\(", script
    )


# ---------------------------------------------------------------- the policy


def pinned(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_script_and_style_and_nothing_else() -> None:
    shown = Page(page([curated(1)]))
    (policy,) = [
        value for tag, name, value in shown.attributes if tag == "meta" and name == "content" and "src" in str(value)
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    (script,) = [text for tag, attributes, text in shown.raw if tag == "script" and not attributes]
    (style,) = [text for tag, _, text in shown.raw if tag == "style"]
    assert rules == {
        "default-src": "'none'",
        "script-src": pinned(script),
        "style-src": pinned(style),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "url(" not in style and "@import" not in style


# ---------------------------------------------------------------- the numbers


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(FATES), max_size=30))
def test_the_funnel_adds_up(fates: list[str]) -> None:
    collector = collect([curated(number, fate) for number, fate in enumerate(fates)])
    steps = collector.funnel()
    assert {step.name: step.lost for step in steps} == {name: fates.count(name) for name in FATES if name != "kept"}
    assert sum(step.lost for step in steps) + steps[-1].rows == len(fates) == sum(collector.outcomes.values())
    assert steps[-1].rows == collector.outcomes["kept"] == collector.splits["train"]
    assert [step.rows for step in steps] == sorted((step.rows for step in steps), reverse=True)


def test_a_check_that_does_not_apply_loses_no_row() -> None:
    row = curated(1, "check:graph_sql")
    assert collect([row]).funnel()[3].lost == 1
    unrelated = Curated(row.settled, (), None, "x")
    assert Collector(required=["think", "maths"]).steps[3] == "check:maths"
    collector = Collector(required=["think", "maths"])
    collector.add(unrelated)
    assert [step.name for step in collector.funnel() if step.lost] == ["accepted"]


def test_verdicts_are_counted_per_check_with_their_reasons() -> None:
    collector = collect([curated(n, "check:graph_sql") for n in range(4)] + [curated(9), curated(10, "check:think")])
    assert dict(collector.verdicts.top(9)) == {
        "think": {"pass": 5, "fail": 1, "error": 1},
        "graph_sql": {"pass": 1, "fail": 4},
    }
    assert collector.verdict_reasons["graph_sql"].top(3) == [("graph_sql said so", {"fail": 4})]
    text = Page(page([curated(n, "check:graph_sql") for n in range(4)])).text
    assert "graph_sql said so" in text


def test_reasons_that_differ_in_numbers_and_names_count_as_one() -> None:
    first = generalised("rows differ: 3 rows, the reference has 12")
    assert first == generalised("rows differ: 5 rows, the reference has 1")
    assert generalised(f"duplicate of {'0a' * 12}") == generalised(f"duplicate of {'f3' * 12}") == "duplicate of …"
    assert generalised("") == "(no reason given)"


def test_the_headline_says_how_the_run_ended_and_what_it_cost() -> None:
    text = Page(page([curated(1)], stopped="usd")).text
    assert "stopped by limits.usd" in text and "price unknown" in text and "1:01" in text
    assert "complete" in Page(page([curated(1)])).text


def test_a_run_without_rows_has_a_report_too() -> None:
    shown = Page(page([]))
    assert shown.rows() == [] and "No check gave a verdict." in shown.text


def test_lengths_fall_into_bars_that_hold_them_all() -> None:
    lengths, generator = Lengths(), random.Random(3)
    values = [0, 1, 1, 2_000_000, *(generator.randrange(10, 5000) for _ in range(500))]
    for number, value in enumerate(values):
        lengths.add(value, kept=number % 3 > 0)
    histogram = lengths.histogram()
    assert histogram is not None and len(histogram.bars) <= Lengths.BINS and len(histogram.ticks) == 5
    assert sum(bar.kept + bar.dropped for bar in histogram.bars) == len(values)
    assert max(bar.kept_height + bar.dropped_height for bar in histogram.bars) == pytest.approx(100)
    for bar in histogram.bars:
        if bar.kept + bar.dropped:
            assert any(bar.low <= value <= bar.high for value in values)
    middle = sorted(value for number, value in enumerate(values) if number % 3 > 0)[len(values) // 3]
    assert histogram.kept_median == pytest.approx(middle, rel=0.1)


def test_counts_of_many_names_stay_small_and_lose_nothing() -> None:
    cross = Cross(limit=10)
    for number in range(1000):
        cross.add(f"name {number % 40}", "kept")
    shown = cross.top(3)
    assert [name for name, _ in shown] == ["name 0", "name 1", "name 2", OTHER]
    assert sum(counts.total() for _, counts in shown) == cross.total() == 1000


# ---------------------------------------------------------------- the rows that are embedded


def mixed(count: int) -> list[Curated]:
    fates = ["kept"] * 20 + FATES
    return [
        curated(number, "check:think" if number == 777 else fates[number % 26] if number % 26 else "kept")
        for number in range(count)
    ]


def test_a_sample_by_rank_holds_no_more_than_its_limit() -> None:
    pool, ranks = Lowest(20), random.Random(5).sample(range(10**6), 2000)
    for serial, rank in enumerate(ranks):
        if pool.wants(rank):
            pool.add(rank, serial, {"rank": rank})
    assert [entry["rank"] for entry in pool.ranked().values()] == sorted(ranks)[:20]
    assert not pool.wants(10**6)


def test_few_rows_are_embedded_and_some_of_every_kind_are_among_them() -> None:
    rows = [curated(n, "kept" if n % 9 else "dataset") for n in range(3000)]
    rows[1234], rows[2345] = curated(1234, "answered"), curated(2345, "check:think")
    examples = collect(rows).examples()
    assert len(examples) == EXAMPLES
    assert {entry["lost"] for entry in examples} == {None, "answered", "check:think", "dataset"}
    assert sum(entry["outcome"] == "kept" for entry in examples) == 100
    assert [entry["position"] for entry in examples] == sorted(entry["position"] for entry in examples)


def test_the_choice_does_not_depend_on_the_order_of_rows() -> None:
    rows = mixed(1500)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert collect(rows).examples() == collect(shuffled).examples()
    assert collect(rows, seed=1).examples() != collect(rows).examples()


def test_all_kept_rows_fill_the_page() -> None:
    assert len(collect([curated(n) for n in range(400)]).examples()) == EXAMPLES
    assert len(collect([curated(n, "dataset") for n in range(400)]).examples()) == EXAMPLES
    assert len(collect([curated(n) for n in range(7)]).examples()) == 7


def test_the_file_stays_below_ten_megabytes_whatever_the_rows_hold() -> None:
    rows = [curated(n, sample=sample(thinking="思" * 20_000, answer="<" * 20_000)) for n in range(200)]
    text = page(rows)
    assert 4_000_000 < len(text.encode()) < 10_000_000
    assert "of 200 rows" in Page(text).text


def test_long_text_is_cut_with_its_length_unless_everything_is_asked_for() -> None:
    row = curated(1, sample=sample(thinking="x" * 1_000_000))
    (cut,), (whole,) = collect([row]).examples(), collect([row], full=True).examples()
    assert cut["samples"][0]["thinking"]["length"] == 1_000_000
    assert len(cut["samples"][0]["thinking"]["text"]) == 12_000
    assert len(whole["samples"][0]["thinking"]) == 1_000_000
    assert len(collect(mixed(500), full=True).examples()) == 500


def test_values_that_a_browser_cannot_read_become_text() -> None:
    evidence = {
        "nan": float("nan"),
        "inf": float("-inf"),
        "big": 10**400,
        "id": 2**53 + 1,
        "set": {1},
        "on": True,
        "n": None,
    }
    verdicts = {"think": Verdict("pass", "", float("nan"), evidence)}
    (row,) = Page(page([curated(1, sample=sample(verdicts=verdicts))])).rows()
    (verdict,) = row["samples"][0]["verdicts"]
    shown = verdict["evidence"]
    assert (verdict["score"], shown["nan"], shown["inf"], shown["id"]) == ("nan", "nan", "-inf", "9007199254740993")
    assert shown["on"] is True and shown["n"] is None and shown["set"] == "{1}"


def test_large_evidence_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep] * 3
    for evidence in ({"rows": [[1, 2]] * 10_000}, {"deep": deep}, {str(n): "y" * 9000 for n in range(100)}):
        verdicts = {"think": Verdict("fail", "", None, evidence)}
        (entry,) = collect([curated(1, sample=sample(verdicts=verdicts))]).examples()
        assert len(json.dumps(entry)) < 30_000


def test_a_row_that_names_no_language_has_the_one_it_is_written_in() -> None:
    asked = ["哪些账户收到了转账?", "Which accounts received money?", "42"]
    rows = [curated(n, prompt=text, meta={"language": None}) for n, text in enumerate(asked)]
    assert [entry["language"] for entry in collect(rows).examples()] == ["zh", "en", "(none)"]


def test_half_a_surrogate_pair_does_not_stop_the_report(tmp_path: Path) -> None:
    write(tmp_path / "report.html", [curated(1, sample=sample(answer="broken \ud83d"))])
    assert "broken ?" in (tmp_path / "report.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------- the file


def write(path: Path, rows: list[Curated]) -> int:
    result = Result(Path("runs/x"), len(rows), 0, 0, 0, 3, 1, Usage(), 1.0)
    return write_report(path, collect(rows), recipe={"name": "x"}, result=result, facts={})


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    sizes = [write(tmp_path / name, mixed(400)) for name in ("a.html", "b.html")]
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sizes == [(tmp_path / "a.html").stat().st_size] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_a_full_disk_leaves_the_old_report_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("the old one")

    def full(_path: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull) as caught:
        write(path, [curated(1)])
    assert caught.value.exit_code == 4 and "No space" in caught.value.cause and "complete" in caught.value.state
    assert path.read_text() == "the old one"


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        write(tmp_path / "missing" / "report.html", [curated(1)])
    assert caught.value.exit_code == 3 and "missing" in caught.value.where


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return found or pytest.skip("no Chromium on PATH; the page is checked without a browser by the tests above")


def opened(browser: str, path: Path, address: str) -> Page:
    """The page after its script has run, at an address such as `#outcome=dropped`."""
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={path.parent / 'profile'}",
    ]
    done = subprocess.run([*command, f"{path.as_uri()}{address}"], capture_output=True, timeout=60, check=True)
    return Page(done.stdout.decode())


def test_in_a_browser_rows_can_be_filtered_and_read(browser: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    evidence = {"answer": {"columns": ["ID"], "rows": [[7], [None]], "count": 1234}}
    verdicts = {"think": Verdict("pass"), "graph_sql": Verdict("fail", HOSTILE[0], 0.0, evidence)}
    hostile = sample(thinking="x" * 20_000, answer="".join(HOSTILE), accepted=False, verdicts=verdicts)
    bad = curated(3, prompt=HOSTILE[0])
    bad = Curated(Settled(bad.settled.row, (3, 0), "dropped", (hostile,), HOSTILE[1]), (), None, HOSTILE[1])
    write(path, [*(curated(n) for n in range(3)), bad, *(curated(n, "dataset") for n in range(4, 9))])

    shown = opened(browser, path, "#lost=check%3Agraph_sql")
    entries = [value for tag, name, value in shown.attributes if name == "data-row"]
    assert entries == [bad.settled.row.id]
    assert "1 of 9 rows" in shown.text and "Cut here: 12\u202f000 of 20\u202f000" in shown.text
    assert "NULL" in shown.text and "the first 2 of 1\u202f234 rows" in shown.text
    assert "".join(HOSTILE) in shown.text.replace("\n", ""), "shown as text"
    assert "img" not in shown.tags and shown.tags.count("script") == 2

    found = opened(browser, path, f"#q=Question+2&row={curated(2).settled.row.id}")
    assert [value for tag, name, value in found.attributes if name == "data-row"] == [curated(2).settled.row.id]
    assert "mark" in found.tags and "Let me think." in found.text


READ = """(() => {
  const press = {bubbles: true, cancelable: true};
  const key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", {key: name, ...press}));
  const here = () => document.querySelector("#list [aria-current=true]").closest("li").dataset.row;
  const seen = [here()];
  for (const name of ["j", "j", "k", "t"]) { key(name); seen.push(here()); }
  key("/");
  return {
    seen,
    unfolded: [...document.querySelectorAll(".thinking")].every((box) => box.open),
    searching: document.activeElement.name === "q",
    wide: document.documentElement.scrollWidth,
  };
})()"""


async def driven(browser: str, path: Path, width: int) -> tuple[Any, list[str]]:
    """What READ returns in a window of this width, and what the browser had to complain about."""
    import aiohttp

    profile = path.parent / "driven"
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    ]
    process = await asyncio.create_subprocess_exec(*command, "about:blank", stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while b"ws://" not in (line := await process.stderr.readline()):
                assert line, "the browser ended"
            port = line.decode().split("127.0.0.1:")[1].split("/")[0]
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                address = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                return await conversation(socket, path.as_uri(), width)
    finally:
        process.terminate()
        await process.communicate()


async def conversation(socket: Any, address: str, width: int) -> tuple[Any, list[str]]:
    complaints: list[str] = []

    async def until(method: str, wanted: str = "", **parameters: Any) -> Any:
        await socket.send_json({"id": 1, "method": method, "params": parameters})
        answer, event = None, not wanted
        while answer is None or not event:
            message = await socket.receive_json()
            answer = message.get("result", answer)
            event = event or message.get("method") == wanted
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                complaints.append(json.dumps(message["params"]))
        return answer

    for domain in ("Page", "Log", "Runtime"):
        await until(f"{domain}.enable")
    await until("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 600)
    await until("Page.navigate", "Page.loadEventFired", url=address)
    read = await until("Runtime.evaluate", expression=READ, returnByValue=True)
    return read["result"].get("value", read), complaints


@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_keys_move_and_nothing_overflows(browser: str, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    rows = [curated(n, FATES[n % 7], category=HOSTILE[n % 7] * 3) for n in range(40)]
    rows[6] = curated(6, sample=sample(thinking="w" * 3000, answer="```sql\n" + "long " * 200 + "\n```"))
    write(path, rows)
    read, complaints = asyncio.run(driven(browser, path, width))
    ids = [row.settled.row.id for row in rows]
    assert read["seen"] == [ids[0], ids[1], ids[2], ids[1], ids[1]]
    assert read["unfolded"] and read["searching"] and read["wide"] <= width
    assert complaints == [], "the policy stopped nothing that the page needs, and the script raised nothing"
