"""Curation: what is right is kept, nothing straddles, and nothing that was there moves."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.curate import Curated, completion, decide, view
from distill.recipe import CurateConfig
from distill.records import Row, Sample, Settled, Trace
from verify.contract import Verdict

PASS, FAIL, ERROR, SKIP = (Verdict(status, f"{status} it") for status in ("pass", "fail", "error", "skip"))


def config(**given: Any) -> CurateConfig:
    return CurateConfig.model_validate(given)


def sample(answer: str, index: int = 0, *, accepted: bool = True) -> Sample:
    return Sample(index, f"key {answer}", Trace("because", answer), accepted=accepted)


def row(number: int, prompt: str, *answers: str, group: str = "", outcome: Any = "kept", reason: str = "") -> Settled:
    samples = [sample(answer, index, accepted=outcome == "kept") for index, answer in enumerate(answers)]
    made = Row.make(prompt, meta={"number": number}, group=group or f"group {number}")
    return Settled(made, (number, 0), outcome, samples, reason)


def curated(settled: Sequence[Settled], *, accept: int = 1, **given: Any) -> list[Curated]:
    return list(view(settled, config(**given), accept=accept))


# ---------------------------------------------------------------- the verdict on one answer


@pytest.mark.parametrize(
    ("verdicts", "accepted", "reason"),
    [
        ({}, True, ""),
        ({"think": PASS, "sql": PASS}, True, ""),
        ({"think": PASS, "sql": FAIL}, False, "sql: fail it"),
        ({"think": PASS, "sql": ERROR}, False, "undecided: sql: error it"),
        ({"think": PASS, "sql": SKIP}, False, "undecided: sql: skip it"),
        ({"think": ERROR, "sql": FAIL}, False, "sql: fail it"),
        ({"think": PASS, "only scores": FAIL}, True, ""),
        ({"think": PASS}, True, ""),  # `sql` did not apply to this row
        ({"sql": Verdict("fail")}, False, "sql: failed"),
        ({"sql": Verdict("error")}, False, "undecided: sql: error"),
    ],
)
def test_an_answer_is_accepted_when_every_required_check_that_applies_passes(
    verdicts: dict[str, Verdict], accepted: bool, reason: str
) -> None:
    assert decide(verdicts, ["think", "sql"]) == (accepted, reason)


# ---------------------------------------------------------------- select, duplicates, leaks


def test_the_lowest_accepted_samples_are_selected() -> None:
    mixed = [sample("a", 0, accepted=False), sample("b", 1), sample("c", 2), sample("d", 3)]
    settled = Settled(Row.make("q"), (0, 0), "kept", mixed)
    assert [one.index for one in curated([settled], accept=2)[0].samples] == [1, 2]
    assert curated([settled])[0].samples == (mixed[1],)


def test_what_was_not_kept_is_left_out_with_its_reason_and_its_step() -> None:
    left = curated(
        [
            row(0, "a", "x", outcome="dropped", reason="graph_sql: 3 rows, not 4"),
            row(1, "b", "x", outcome="dropped", reason="undecided: graph_sql: timeout"),
            row(2, "c", outcome="failed", reason="connection refused"),
        ]
    )
    assert [(one.split, one.samples) for one in left] == [(None, ())] * 3
    assert [one.step for one in left] == ["graph_sql", "undecided", "reply"]
    assert left[0].reason == "graph_sql: 3 rows, not 4"


def test_a_duplicate_is_white_space_apart_the_same_and_names_the_first() -> None:
    rows = [
        row(0, "Which  nodes?", "SELECT 1", group="g"),
        row(1, " Which nodes?\n", "SELECT\t1", group="g"),
        row(2, "哪些 节点?", "SELECT 1", group="g"),
        row(3, "哪些\u3000节点?", "SELECT 2", group="g"),
    ]
    found = curated(rows)
    assert [one.reason for one in found] == ["", f"duplicate of {rows[0].row.id}", "", ""]
    assert found[1].step == "duplicate" and found[1].split is None
    assert all(one.split for one in curated(rows, dedup={"exact": False}))


def test_equal_samples_of_one_row_become_one_line() -> None:
    settled = row(0, "q", "same", "same", "other")
    assert [one.index for one in curated([settled], accept=3)[0].samples] == [0, 2]


def splits_of(groups: Sequence[str], **split: Any) -> dict[str, str | None]:
    rows = [row(number, f"prompt {number}", "a", group=group) for number, group in enumerate(groups)]
    return {one.settled.row.group: one.split for one in curated(rows, split=split)}


def group_in(split: str, *, besides: str = "") -> str:
    names = (f"g{number}" for number in range(1000))
    return next(name for name in names if name != besides and splits_of([name])[name] == split)


def test_a_prompt_of_another_group_takes_its_group_along() -> None:
    first, second = group_in("test"), group_in("train")
    rows = [
        row(0, "the same", "a", group=first),
        row(1, "the same", "b", group=second),
        row(2, "own", "c", group=second),
    ]
    assert [one.split for one in curated(rows)] == ["test", "test", "test"]


def test_a_prompt_whose_group_already_stands_elsewhere_is_left_out_and_blocks_nobody() -> None:
    first, second = group_in("test"), group_in("train")
    rows = [
        row(0, "the same", "a", group=first),
        row(1, "own", "b", group=second),
        row(2, "the same", "c", group=second),
        row(3, "the same", "c", group=first),
    ]
    found = curated(rows)
    assert [one.split for one in found] == ["test", "train", None, "test"]
    assert found[2].step == "leak"


def test_shares_are_met_and_a_changed_share_or_more_rows_move_nothing_else() -> None:
    groups = [f"group {number}" for number in range(4000)]
    before = splits_of(groups, validation=0.1, test=0.1)
    counts = {split: list(before.values()).count(split) for split in set(before.values())}
    assert 330 < counts["validation"] < 470 and 330 < counts["test"] < 470
    more_test = splits_of(groups, validation=0.1, test=0.2)
    assert all(more_test[group] == split for group, split in before.items() if split != "train")
    assert splits_of(groups, seed=1) != before
    assert set(splits_of(groups[:50], validation=0, test=0).values()) == {"train"}


def test_whether_a_row_passes_moves_no_other_row() -> None:
    first, second = group_in("validation"), group_in("train")
    kept = [row(0, "the same", "a", group=first), row(1, "the same", "b", group=second)]
    dropped = [row(0, "the same", "a", group=first, outcome="dropped", reason="sql: no"), kept[1]]
    assert curated(kept)[1].split == curated(dropped)[1].split == "validation"


ROWS = st.lists(
    st.tuples(
        st.integers(0, 5),  # group
        st.sampled_from(["p", " p ", "q", "r", "s t", "s  t", "u"]),
        st.sampled_from("ab"),
        st.sampled_from(["kept", "kept", "kept", "dropped", "failed"]),
    ),
    max_size=25,
)


def made(drawn: Sequence[tuple[int, str, str, str]]) -> list[Settled]:
    return [
        row(number, prompt, answer, group=f"group {group}", outcome=outcome)
        for number, (group, prompt, answer, outcome) in enumerate(drawn)
    ]


def shown(found: Sequence[Curated]) -> list[tuple[str, str | None, str]]:
    return [(one.settled.row.id, one.split, one.reason) for one in found]


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(0, 3))
def test_nothing_straddles_and_nothing_moves(drawn: Any, more: Any, seed: int) -> None:
    share = {"split": {"validation": 0.3, "test": 0.3, "seed": seed}}
    rows = made([*drawn, *more])
    found = curated(rows, **share)
    for key in (lambda one: one.settled.row.group, lambda one: " ".join(one.settled.row.prompt.split())):
        places: dict[str, set[str | None]] = {}
        for one in found:
            if one.split is not None:
                places.setdefault(key(one), set()).add(one.split)
        assert all(len(splits) == 1 for splits in places.values())
    lines = [(one.settled.row.prompt.split(), completion(each)) for one in found for each in one.samples]
    assert all(line not in lines[:i] for i, line in enumerate(lines))
    assert len(found) == len(rows)  # every row is accounted for
    assert shown(found) == shown(curated(rows, **share))
    assert shown(found)[: len(drawn)] == shown(curated(rows[: len(drawn)], **share))


def test_a_view_is_lazy_so_that_a_million_rows_fit() -> None:
    drawn = 0

    def rows() -> Any:
        nonlocal drawn
        for number in range(10**9):
            drawn += 1
            yield row(number, f"prompt {random.Random(number).random()}", "a")

    looking = view(rows(), config())
    assert [next(looking).settled.position for _ in range(3)] == [(0, 0), (1, 0), (2, 0)]
    assert drawn == 3
    looking.close()  # type: ignore[attr-defined]
