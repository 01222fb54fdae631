"""Which settled rows become the dataset, and in which split: pure functions over a ledger's rows in source order.

May be imported by engine, export, report, cli and tests; imports records, `verify` and the ledger's DiskSet.
Design reason: curation is a view, never a deletion. Everything here can be computed again from the ledger in seconds,
with another threshold, without asking a teacher, and the same rows give the same dataset.

Three properties hold whatever the rows are. A question and its rephrasings (a group) never stand in two splits, nor
does a prompt. A row that is added at the end (of the last source) moves none that was there; one in between may change
what becomes of later rows with its prompt, and of their groups. Whether a row passes its checks moves no other row to
another split: all rows take part in choosing splits, so two recipes that differ in their verifiers can be compared
split by split.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.ledger import DiskSet
from distill.records import Row, Sample, Settled
from verify.contract import Status, Verdict
from verify.think import render

if TYPE_CHECKING:
    from distill.recipe import CurateConfig, Split

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Curated:
    """A settled row with what curation made of it."""

    settled: Settled
    samples: tuple[Sample, ...]
    """The samples that become lines of the dataset; empty when the row is left out."""
    split: str | None
    """One of `SPLITS`; None when the row is left out."""
    reason: str = ""
    """Why it was left out."""
    step: str = ""
    """The step that left it out: `reply`, a check's name, `undecided`, `duplicate` or `leak`."""


def decide(verdicts: Mapping[str, Verdict], required: Collection[str]) -> tuple[bool, str]:
    """Whether an answer is accepted, and if not, why: the check that said so, then its words.

    A required check that is not among the verdicts did not apply. One that broke or could not judge leaves the answer
    undecided, unless another one says that it is wrong.
    """
    judged = {name: verdict for name, verdict in verdicts.items() if name in required}
    for name, verdict in judged.items():
        if verdict.status is Status.FAIL:
            return False, f"{name}: {verdict.reason or 'failed'}"
    for name, verdict in judged.items():
        if verdict.status is not Status.PASS:
            return False, f"undecided: {name}: {verdict.reason or verdict.status.value}"
    return True, ""


def completion(sample: Sample) -> str:
    """The completion as the dataset holds it: thinking, then the answer."""
    return render(sample.trace.thinking, sample.trace.answer)


def view(settled: Iterable[Settled], curate: "CurateConfig", *, accept: int = 1) -> Iterator[Curated]:
    """Every settled row in the order given, with its split or the reason why it has none; in constant memory.

    Select: the first `accept` accepted samples. Splits: by a hash of seed and group; a prompt that another group had
    before takes its own group along to that one's split, and is left out when its group already stands in another.
    Then exact duplicates (of prompt and completion, white space aside) go; the first one stays.
    """
    with closing(_Splits(curate.split)) as splits, closing(DiskSet()) as seen:
        for one in settled:
            split = splits.place(one.row)
            samples = tuple(one.accepted[:accept]) if one.outcome == "kept" else ()
            if not samples:
                yield Curated(one, (), None, one.reason, _step(one))
            elif split is None:
                yield Curated(one, (), None, "its prompt stands in one split, its group in another", "leak")
            else:
                fresh, first = _unseen(one.row, samples, seen) if curate.dedup.exact else (samples, "")
                if fresh:
                    yield Curated(one, fresh, split)
                else:
                    yield Curated(one, (), None, f"duplicate of {first}", "duplicate")


def _step(settled: Settled) -> str:
    return "reply" if settled.outcome == "failed" else settled.reason.partition(":")[0]


def _normal(text: str) -> str:
    return " ".join(text.split())


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _unseen(row: Row, samples: tuple[Sample, ...], seen: DiskSet) -> tuple[tuple[Sample, ...], str]:
    """The samples nobody had before, and the id of the row that had the last of the others."""
    kept, first = [], ""
    for sample in samples:
        before = seen.add(_digest(_normal(row.prompt), _normal(completion(sample))), row.id.encode())
        if before is None:
            kept.append(sample)
        else:
            first = before.decode()
    return tuple(kept), first


def share_of(group: str, seed: int) -> float:
    """Where a group falls in [0, 1): a hash, so it depends on no other group."""
    return int.from_bytes(_digest(str(seed), group)[:7]) / 2**56


class _Splits:
    """Which split each group and each prompt belongs to; bound at the first row that has it."""

    def __init__(self, split: "Split") -> None:
        self._split = split
        self._groups = DiskSet()
        self._prompts = DiskSet()

    def close(self) -> None:
        self._groups.close()
        self._prompts.close()

    def place(self, row: Row) -> str | None:
        """The split of a row; None when its prompt stands in one and its group in another."""
        prompt = _digest(_normal(row.prompt))
        wanted = self._prompts.get(prompt) or self._drawn(row.group)
        split = (self._groups.add(_digest(row.group), wanted) or wanted).decode()
        bound = (self._prompts.add(prompt, split.encode()) or split.encode()).decode()
        return split if split == bound else None

    def _drawn(self, group: str) -> bytes:
        """Test takes its share from one end and validation from the other: changing one does not move the other."""
        share = share_of(group, self._split.seed)
        if share < self._split.test:
            return b"test"
        return b"validation" if share >= 1 - self._split.validation else b"train"
