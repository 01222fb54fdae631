"""Counters that stay small: `Cross`, `Lengths` with its `Histogram`, and `Lowest`, a sample by rank.

May be imported by `distill.report`; imports nothing of ours.
Design reason: a report of ten rows and one of a million cost the same memory, so nothing here grows with the rows.
"""

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OTHER = "(other)"
"""Name under which everything is counted that has no room of its own."""
NAME_LIMIT = 120
"""Characters of a name that are told apart."""


class Cross:
    """Counts by name and column that stay small: past `limit` names, new ones are counted as `(other)`."""

    def __init__(self, *, limit: int = 200) -> None:
        self._limit = limit
        self._counts: dict[str, Counter[str]] = {}

    def add(self, name: str, column: str = "") -> None:
        """Count one."""
        name = name[:NAME_LIMIT]
        if name not in self._counts and len(self._counts) >= self._limit:
            name = OTHER
        self._counts.setdefault(name, Counter())[column] += 1

    def total(self) -> int:
        """Everything counted so far."""
        return sum(counts.total() for counts in self._counts.values())

    def top(self, most: int) -> list[tuple[str, Counter[str]]]:
        """The `most` largest by their total, ties by name; all others are summed up as `(other)`, which comes last."""
        ranked = sorted(self._counts.items(), key=lambda item: (item[0] == OTHER, -item[1].total(), item[0]))
        named = [item for item in ranked if item[0] != OTHER][:most]
        rest = sum((counts for _, counts in ranked[len(named) :]), Counter[str]())
        return [*named, (OTHER, rest)] if rest else named


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin of a histogram, from `low` to `high` characters. Heights are percent of the tallest bin."""

    low: int
    high: int
    kept: int
    dropped: int
    kept_height: float
    dropped_height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Lengths in characters on a logarithmic axis, ready to be drawn."""

    bars: Sequence[Bar]
    ticks: Sequence[int]
    """Five lengths at equal distances along the axis, both ends included."""
    tallest: int
    kept_median: int | None
    dropped_median: int | None


class Lengths:
    """A distribution of lengths in eighths of an octave: about 160 counters reach a million characters."""

    PER_OCTAVE = 8
    BINS = 32

    def __init__(self) -> None:
        self._kept: Counter[int] = Counter()
        self._dropped: Counter[int] = Counter()

    def add(self, length: int, *, kept: bool) -> None:
        """Count one text of `length` characters."""
        (self._kept if kept else self._dropped)[int(math.log2(length + 1) * self.PER_OCTAVE)] += 1

    def histogram(self) -> Histogram | None:
        """At most 32 bars; None when nothing was counted."""
        buckets = self._kept.keys() | self._dropped.keys()
        if not buckets:
            return None
        count = max(buckets) - min(buckets) + 1
        wide = math.ceil(count / self.BINS)
        needed = math.ceil(count / wide)
        bins = max(self.BINS // 2, 4 * math.ceil(needed / 4))  # a multiple of four: the five ticks fall on edges
        first = max(0, min(buckets) - wide * ((bins - needed) // 2))
        edges = [first + wide * index for index in range(bins + 1)]
        kept, dropped = (
            [sum(counts[bucket] for bucket in range(edge, edge + wide)) for edge in edges[:-1]]
            for counts in (self._kept, self._dropped)
        )
        tallest = max(map(sum, zip(kept, dropped, strict=True)))
        lengths = [_shortest(edge) for edge in edges]
        bars = [
            Bar(low, max(low, high - 1), k, d, 100 * k / tallest, 100 * d / tallest)
            for low, high, k, d in zip(lengths[:-1], lengths[1:], kept, dropped, strict=True)
        ]
        return Histogram(bars, lengths[:: bins // 4], tallest, _median(self._kept), _median(self._dropped))


def _shortest(bucket: int) -> int:
    """The shortest length in a bucket of `Lengths`."""
    return math.ceil(2 ** (bucket / Lengths.PER_OCTAVE) - 1)


def _median(counts: Counter[int]) -> int | None:
    """The middle of the bucket that holds the median: right within 5 %."""
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if 2 * seen >= counts.total():
            return round(2 ** ((bucket + 0.5) / Lengths.PER_OCTAVE) - 1)
    return None


class Lowest:
    """The `limit` entries of lowest rank. With a hash for a rank this is a sample that no order of arrival changes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, int, dict[str, Any]]] = []

    def wants(self, rank: int) -> bool:
        """Whether an entry of this rank would be kept now."""
        return len(self._heap) < self._limit or -rank > self._heap[0][0]

    def add(self, rank: int, serial: int, entry: dict[str, Any]) -> None:
        """Keep the entry, and let go the one of highest rank when there are too many. Serials never repeat."""
        heapq.heappush(self._heap, (-rank, -serial, entry))
        if len(self._heap) > self._limit:
            heapq.heappop(self._heap)

    def ranked(self) -> dict[int, dict[str, Any]]:
        """Serial to entry, lowest rank first."""
        return {-serial: entry for _, serial, entry in sorted(self._heap, key=lambda item: item[:2], reverse=True)}
