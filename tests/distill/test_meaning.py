"""What a rephrasing must keep, in golden cases and in properties."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill import meaning

CASES = Path(__file__).parent / "cases" / "meaning.txt"


def golden() -> list[tuple[str, tuple[str, ...], str, str]]:
    found, original, names = [], "", ()
    for line in CASES.read_text(encoding="utf-8").splitlines():
        kind, _, text = line.partition(": ")
        if kind == "original":
            original, names = text, ()
        elif kind == "names":
            names = tuple(text.split(" | "))
        elif kind == "keep" or kind.startswith("lose "):
            found.append((original, names, kind.removeprefix("lose "), text))
    return found


@pytest.mark.parametrize(("original", "names", "wanted", "text"), golden())
def test_golden(original: str, names: tuple[str, ...], wanted: str, text: str) -> None:
    reason = meaning.lost(original, text, literals=names)
    if wanted == "keep":
        assert reason is None
    else:
        assert reason is not None and wanted in reason


@pytest.mark.parametrize(
    ("text", "value"),
    [("三百二十", 320), ("二〇二四", 2024), ("十二", 12), ("三万五千", 35000), ("一亿零二百", 100_000_200)],
)
def test_chinese_numerals(text: str, value: int) -> None:
    assert meaning.han_value(text) == value


def test_numbers_are_read_as_digits_words_and_full_width() -> None:
    assert meaning.numbers("two hundred and 3,500.5, ５０ and 第12名") == {200.0, 3500.5, 50.0, 12.0}


@given(st.text(max_size=200), st.text(max_size=200))
def test_never_raises_and_a_text_always_keeps_itself(one: str, other: str) -> None:
    meaning.lost(one, other)
    assert meaning.lost(one, one) is None


@given(st.integers(2, 10**6), st.integers(2, 10**6))
def test_a_changed_number_is_always_seen(one: int, other: int) -> None:
    reason = meaning.lost(f"Who paid {one} to 'Bo'?", f"Who paid {other} to 'Bo'?")
    assert (reason is None) == (one == other)
