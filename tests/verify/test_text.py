"""The `exact` verifier: what is the same text and what is not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from verify.contract import Case, Check, Status, check
from verify.pool import Pool
from verify.text import exact

CASES = json.loads(Path(__file__).with_name("cases").joinpath("exact.json").read_text(encoding="utf-8"))


def judge(answer: str, gold: str | None, **options: Any) -> Status:
    return Status(exact(Case("q", answer, None, answer, gold=gold), **options).status)


@pytest.mark.parametrize(("answer", "gold"), CASES["same"])
def test_same(answer: str, gold: str) -> None:
    assert judge(answer, gold) is Status.PASS


@pytest.mark.parametrize(("answer", "gold"), CASES["different"])
def test_different(answer: str, gold: str) -> None:
    assert judge(answer, gold) is Status.FAIL


def test_options() -> None:
    assert judge("paris", "Paris", ignore_case=False) is Status.FAIL
    assert judge("**Paris**", "Paris", ignore_case=False) is Status.PASS
    assert judge("Paris.", "Paris", normalise=False) is Status.FAIL
    assert judge("paris", "Paris", normalise=False) is Status.PASS
    assert judge("paris", "Paris", normalise=False, ignore_case=False) is Status.FAIL


def test_without_a_reference_it_is_skipped_and_says_so() -> None:
    pool = Pool(1)
    verdicts = asyncio.run(check(Case("q", "a", None, "a"), [Check.build("exact")], pool=pool))
    assert verdicts["exact"].status is Status.SKIP
    assert "reference" in verdicts["exact"].reason


def test_the_reason_shows_both_in_short() -> None:
    verdict = exact(Case("q", "x" * 500, None, "x" * 500, gold="y"))
    assert "y" in verdict.reason and len(verdict.reason) < 150
