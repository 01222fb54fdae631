"""What the report says of a run, gathered row by row: `Collector`, the funnel's `Step`, and the rows worth reading.

May be imported by `distill.report`; imports records and `verify.think`.
Design reason: the collector sees every row once, in source order, beside the writing of the dataset. It keeps counts
and a bounded choice of rows, chosen by the hash of their ids, so the same run always gives the same report.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from distill.records import Outcome, Row, Sample
from distill.report.counts import NAME_LIMIT, Cross, Lengths, Lowest
from verify.think import language as spoken

if TYPE_CHECKING:
    from distill.curate import Curated

T = TypeVar("T")

EXAMPLES = 300
"""Rows that are embedded, unless all are asked for."""
TROUBLE = 200
"""How many of these may be rows that were left out, as long as there are kept ones to show."""
PER_KIND = 12
"""Rows shown of every step that lost rows and of every kind of verdict that is no pass, however rare they are."""
TEXT_LIMIT = 12_000
"""Characters of one text; what is longer is cut and says so."""
SAMPLE_LIMIT = 4
"""Samples shown of one row."""
ISLAND_LIMIT = 8 * 2**20
"""Bytes of embedded rows, so that the file stays below 10 MB."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel: how many rows came through it, and what kept the others."""

    name: str
    rows: int
    lost: int
    reasons: Sequence[tuple[str, int]]
    """The largest reasons with their counts."""


class Collector:
    """Counts and examples of a run in bounded memory: some hundred rows and a few thousand counters.

    `required` names the checks that decide, in the recipe's order. With `full` every row is embedded uncut, and memory
    grows with the run as it will in the browser that opens the page. `seed` chooses which kept rows are shown.
    """

    def __init__(self, *, required: Sequence[str] = (), full: bool = False, seed: int = 0) -> None:
        self.required = tuple(required)
        self.full = full
        self._seed = seed
        self.rows = 0
        self.samples = 0
        self.accepted = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.splits: Counter[str] = Counter()
        self.output_tokens = 0
        self.without_thinking = 0
        self.languages, self.categories = Cross(), Cross()
        self.asked, self.finishes, self.models = Cross(limit=50), Cross(limit=50), Cross(limit=50)
        self.verdicts = Cross()
        self.verdict_reasons: dict[str, Cross] = {}
        self.thinking, self.answers = Lengths(), Lengths()
        self.steps = ("answered", "complete", *(f"check:{name}" for name in self.required), "accepted", "dataset")
        self._lost = {step: Cross(limit=500) for step in self.steps}
        self._kept, self._trouble = Lowest(EXAMPLES), Lowest(EXAMPLES)
        self._by_kind: dict[str, Lowest] = {}
        self._all: list[dict[str, Any]] = []

    def add(self, curated: "Curated") -> None:
        """Take in one row of the curated view, kept or not."""
        settled = curated.settled
        lost_at = self._lost_at(curated)
        outcome: Outcome = "kept" if lost_at is None else "failed" if settled.outcome == "failed" else "dropped"
        self.rows += 1
        self.outcomes[outcome] += 1
        if lost_at is None:
            self.splits[str(curated.split)] += 1
        else:
            self._lost[lost_at].add(generalised(curated.reason or settled.reason))
        self.languages.add(language(settled.row), outcome)
        self.categories.add(settled.row.category or "(none)", outcome)
        self.asked.add(str(len(settled.samples)), outcome)
        written = {sample.index for sample in curated.samples} if lost_at is None else set()
        for sample in settled.samples:
            self._add_sample(sample, written=sample.index in written)
        self._choose(curated, outcome, lost_at=lost_at, written=written)

    def funnel(self) -> list[Step]:
        """The steps in order. What all of them lost and what the last one holds add up to `rows`."""
        left, steps = self.rows, []
        for name in self.steps:
            lost = self._lost[name].total()
            left -= lost
            reasons = [(reason, counts.total()) for reason, counts in self._lost[name].top(3)]
            steps.append(Step(name, left, lost, reasons))
        return steps

    def examples(self) -> list[dict[str, Any]]:
        """The rows to embed, in source order: some of every kind of trouble, more of it, then a sample of the kept."""
        if self.full:
            return self._all
        kinds = [list(self._by_kind[name].ranked().items()) for name in sorted(self._by_kind)]
        kept = self._kept.ranked()
        trouble = dict(_interleaved(*kinds)) | self._trouble.ranked()
        trouble = dict(islice(trouble.items(), max(TROUBLE, EXAMPLES - len(kept))))
        others = [item for item in kept.items() if item[0] not in trouble][: EXAMPLES - len(trouble)]
        entries = (entry for _, entry in _interleaved(list(trouble.items()), others))
        return sorted(_within(ISLAND_LIMIT, entries), key=lambda entry: tuple(entry["position"]))

    def _lost_at(self, curated: "Curated") -> str | None:
        """The step that this row did not pass; None when it is in the dataset."""
        settled = curated.settled
        if curated.split is not None:
            return None
        if settled.outcome == "kept":
            return "dataset"
        if settled.outcome == "failed" or not settled.samples:
            return "answered"
        return self.steps[1 + max(self._passed(sample) for sample in settled.samples)]

    def _passed(self, sample: Sample) -> int:
        """How many steps after `answered` a sample passed. A check without a verdict did not apply."""
        if not sample.trace.finished:
            return 0
        passed = [name not in sample.verdicts or bool(sample.verdicts[name]) for name in self.required]
        return 1 + (passed.index(False) if False in passed else len(passed))

    def _add_sample(self, sample: Sample, *, written: bool) -> None:
        self.samples += 1
        self.accepted += sample.accepted
        if sample.reply is not None:
            self.output_tokens += sample.reply.usage.output_tokens
            self.finishes.add(sample.reply.finish or "(the stream just ended)")
            self.models.add(sample.reply.model or "(unnamed)")
        if sample.trace.thinking:
            self.thinking.add(len(sample.trace.thinking), kept=written)
        else:
            self.without_thinking += 1
        self.answers.add(len(sample.trace.answer), kept=written)
        for name, verdict in sample.verdicts.items():
            self.verdicts.add(name, verdict.status.value)
            if not verdict:
                reasons = self.verdict_reasons.setdefault(name, Cross(limit=500))
                reasons.add(generalised(verdict.reason), verdict.status.value)

    def _choose(self, curated: "Curated", outcome: Outcome, *, lost_at: str | None, written: set[int]) -> None:
        digest = hashlib.blake2b(f"{self._seed}:{curated.settled.row.id}".encode(), digest_size=8).digest()
        rank = int.from_bytes(digest)
        pools = [self._kept if lost_at is None else self._trouble]
        pools += [self._by_kind.setdefault(kind, Lowest(PER_KIND)) for kind in _kinds(curated, lost_at)]
        wanted = [] if self.full else [pool for pool in pools if pool.wants(rank)]
        if not (wanted or self.full):
            return
        entry = _entry(curated, written=written, limit=None if self.full else TEXT_LIMIT)
        entry |= {"outcome": outcome, "lost": lost_at}
        if self.full:
            self._all.append(entry)
        for pool in wanted:
            pool.add(rank, self.rows, entry)


def _kinds(curated: "Curated", lost_at: str | None) -> set[str]:
    """What is remarkable about a row: the step that lost it, and each kind of verdict that is no pass."""
    verdicts = {
        f"{name}:{verdict.status.value}"
        for sample in curated.settled.samples
        for name, verdict in sample.verdicts.items()
        if not verdict
    }
    return verdicts | ({f"lost:{lost_at}"} if lost_at else set())


def language(row: Row) -> str:
    """The language that the row says it is in, else the one its question is written in."""
    return str(row.meta.get("language") or spoken(row.question[:TEXT_LIMIT]) or "(none)")


_DETAILS = re.compile(r"\b[0-9a-f]{24}\b|`[^`]*`|\"[^\"]*\"|'[^']*'|\d+(?:\.\d+)?")


def generalised(reason: str) -> str:
    """A reason without what differs from row to row (numbers, ids, quoted words), so that equal ones are counted."""
    return _DETAILS.sub("…", reason.partition("\n")[0])[:120] or "(no reason given)"


def island(entries: Sequence[Mapping[str, Any]]) -> str:
    """The entries as JSON that cannot end a script element, start a comment or break a line of script."""
    return "[" + ",\n".join(map(_json, entries)) + "]"


_UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def _json(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_UNSAFE)


def _interleaved(*pools: Sequence[T]) -> Iterator[T]:
    """One of each in turn, so that a limit never leaves only one kind."""
    for index in range(max(map(len, pools), default=0)):
        for pool in pools:
            yield from pool[index : index + 1]


def _within(limit: int, entries: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Entries as long as all of them together take at most `limit` bytes of JSON."""
    size = 0
    for entry in entries:
        size += len(_json(entry).encode(errors="replace")) + 2
        if size > limit:
            return
        yield entry


# ---------------------------------------------------------------- one row as plain JSON for the page


def _entry(curated: "Curated", *, written: set[int], limit: int | None) -> dict[str, Any]:
    row = curated.settled.row
    ordered = sorted(curated.settled.samples, key=lambda sample: (not sample.accepted, -sample.index))
    shown = sorted(ordered if limit is None else ordered[:SAMPLE_LIMIT], key=lambda sample: sample.index)
    return {
        "id": row.id,
        "group": row.group,
        "position": list(curated.settled.position),
        "split": curated.split,
        "reason": _text(curated.reason or curated.settled.reason, TEXT_LIMIT),
        "question": _text(row.question, limit),
        "prompt": _text(row.prompt, limit) if row.prompt != row.question else None,
        "gold": _text(row.answer, limit),
        "reasoning": _text(row.reasoning, limit),
        "language": language(row)[:NAME_LIMIT],
        "category": (row.category or "(none)")[:NAME_LIMIT],
        "origin": row.origin,
        "meta": _facts({key: value for key, value in row.meta.items() if key != "question"}),
        "asked": len(ordered),
        "samples": [_sample(sample, written=sample.index in written, limit=limit) for sample in shown],
    }


def _sample(sample: Sample, *, written: bool, limit: int | None) -> dict[str, Any]:
    reply = sample.reply
    return {
        "index": sample.index,
        "accepted": sample.accepted,
        "written": written,
        "finished": sample.trace.finished,
        "thinking": _text(sample.trace.thinking, limit),
        "answer": _text(sample.trace.answer, limit),
        "reason": _text(sample.reason, TEXT_LIMIT),
        "model": reply.model if reply else None,
        "finish": reply.finish if reply else None,
        "tokens": reply.usage.output_tokens if reply else None,
        "verdicts": [
            {
                "check": name,
                "status": verdict.status.value,
                "reason": _text(verdict.reason, TEXT_LIMIT),
                "score": _small(verdict.score),
                "evidence": _facts(verdict.evidence),
            }
            for name, verdict in sample.verdicts.items()
        ],
    }


def _text(text: str | None, limit: int | None) -> Any:
    """The text, or where it is longer than `limit` its beginning with the whole length."""
    if text is None or limit is None or len(text) <= limit:
        return text
    return {"text": text[:limit], "length": len(text)}


def _facts(value: Mapping[str, Any]) -> Any:
    """A mapping for people to read; where even its beginning is large, the beginning of its JSON."""
    small = _small(value)
    text = json.dumps(small, ensure_ascii=False)
    return small if len(text) <= 2 * TEXT_LIMIT else {"too large, begins": _text(text, 2000)}


def _small(value: Any, depth: int = 6) -> Any:
    """A JSON value of bounded size that a browser reads back as it is: NaN and huge integers become text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, Mapping | list | tuple) and not depth:
        return "…"
    if isinstance(value, Mapping):
        return {str(key)[:200]: _small(one, depth - 1) for key, one in list(value.items())[:50]}
    if isinstance(value, list | tuple):
        more = [f"… {len(value) - 50} more"] if len(value) > 50 else []
        return [_small(one, depth - 1) for one in value[:50]] + more
    return _text(str(value), 2000)
