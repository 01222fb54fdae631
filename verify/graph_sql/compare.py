"""Whether two results are the same: rows as a bag, columns by position, order only as far as the gold determines it.

May be imported by the verifier and `database`; imports the standard library only.
Design reason: what counts as equal is a decision apart from how rows are made, so it is one small pure function.
"""

import datetime
import decimal
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Equal or not, why not, and the first rows that make the difference."""

    equal: bool
    reason: str = ""
    missing: tuple[Row, ...] = ()
    """Rows of the gold that the other result has too few of, at most five."""
    unexpected: tuple[Row, ...] = ()
    """Rows of the other result that the gold has too few of, at most five."""


def compare_rows(gold: Sequence[Row], other: Sequence[Row], *, keys: Sequence[int] | None = None) -> Comparison:
    """Compare two results; `keys` are the columns the gold is ordered by, None where order does not count.

    Rows with equal keys may stand in any order among each other.
    """
    if gold and other and len(gold[0]) != len(other[0]):
        return Comparison(False, f"{len(gold[0])} columns expected, {len(other[0])} returned")
    expected, returned = [canonical(row) for row in gold], [canonical(row) for row in other]
    if Counter(expected) != Counter(returned):
        return _difference(gold, other, expected, returned)
    if keys is not None and not _same_order(expected, returned, keys):
        return Comparison(False, "the rows are right, their order is not")
    return Comparison(True)


def _difference(gold: Sequence[Row], other: Sequence[Row], expected: list[Row], returned: list[Row]) -> Comparison:
    missing = _surplus(gold, expected, Counter(returned))
    unexpected = _surplus(other, returned, Counter(expected))
    reason = f"{len(gold)} rows expected, {len(other)} returned" if len(gold) != len(other) else "the rows differ"
    if set(expected) == set(returned):
        reason += ", only in how often they occur"
    return Comparison(False, reason, tuple(missing[:5]), tuple(unexpected[:5]))


def _surplus(rows: Sequence[Row], keys: list[Row], there: "Counter[Row]") -> list[Row]:
    left = Counter(there)
    surplus: list[Row] = []
    for row, key in zip(rows, keys, strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            surplus.append(row)
    return surplus


def _same_order(expected: list[Row], returned: list[Row], keys: Sequence[int]) -> bool:
    """Each run of rows with equal keys must hold the same rows in both."""
    start = 0
    while start < len(expected):
        key = [expected[start][at] for at in keys]
        end = start
        while end < len(expected) and [expected[end][at] for at in keys] == key:
            end += 1
        if Counter(expected[start:end]) != Counter(returned[start:end]):
            return False
        start = end
    return True


def canonical(row: Row) -> Row:
    """A row whose values can be hashed and compared: numbers by value to ten digits, dates as timestamps."""
    return tuple(_value(one) for one in row)


def _value(value: Any) -> Any:
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float | decimal.Decimal):
        return _number(value)
    if isinstance(value, datetime.datetime):
        return ("time", value.isoformat())
    if isinstance(value, datetime.date):
        return ("time", datetime.datetime(value.year, value.month, value.day).isoformat())
    if isinstance(value, list | tuple | dict):
        return ("json", json.dumps(value, sort_keys=True, default=str))
    return value if value is None or isinstance(value, str) else str(value)


def _number(value: int | float | decimal.Decimal) -> Any:
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return str(value)
    rounded = decimal.Context(prec=10).create_decimal(decimal.Decimal(value))
    return int(rounded) if rounded == rounded.to_integral_value() else rounded.normalize()


def to_json(value: Any) -> Any:
    """A value as JSON can hold it, for evidence."""
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, str) else value[:200]
    if isinstance(value, float | decimal.Decimal):
        number = _number(value)
        return number if isinstance(number, int | str) else float(number)
    return str(value)[:200]
