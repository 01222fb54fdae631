"""Conditions on one property that a given value satisfies, with constants that occur in the data.

May be imported by `pattern` and `matches`; imports data and spelling.
Design reason: a text with `{}` where the property goes, so that the same condition can be put inside an element, behind
the pattern or around a column of the outer query.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from distill.sources.graph_sql.data import Property
from distill.sources.graph_sql.spelling import literal


def holding(prop: Property, value: Any, rng: Random) -> str:
    """A condition that `value` satisfies, or empty where none says anything."""
    if value is None:
        return "{} IS NULL"
    if prop.nulls and rng.random() < 0.06:
        return "{} IS NOT NULL"
    if len(prop.values) < 2:
        return ""
    makers = _TEXT if prop.kind == "text" else _NUMBER
    if prop.key or prop.unique:
        makers = (_equal, _equal, _equal, _among)
    return rng.choice(makers)(prop, value, rng)


def every(prop: Property, values: Sequence[Any], rng: Random) -> str:
    """A condition that all of `values` satisfy."""
    if None in values or prop.key or len(prop.values) < 2:
        return ""
    if prop.kind == "text":
        return holding(prop, values[0], rng) if len(set(values)) == 1 else ""
    if rng.random() < 0.5:
        low = min(values)
        return f"{{}} >= {literal(low)}" if low > prop.values[0] else ""
    high = max(values)
    return f"{{}} <= {literal(high)}" if high < prop.values[-1] else ""


def _equal(prop: Property, value: Any, rng: Random) -> str:
    return f"{{}} = {literal(value)}"


def _among(prop: Property, value: Any, rng: Random) -> str:
    others = [other for other in prop.values if other != value]
    if len(others) < 3:
        return _equal(prop, value, rng)
    chosen = sorted([value, *rng.sample(others, min(len(others), rng.choice((1, 1, 2))))])
    return f"{{}} IN ({', '.join(map(literal, chosen))})"


def _differs(prop: Property, value: Any, rng: Random) -> str:
    return f"{{}} <> {literal(rng.choice([other for other in prop.values if other != value]))}"


def _least(prop: Property, value: Any, rng: Random) -> str:
    below = [other for other in prop.values if other < value]
    if below and rng.random() < 0.5:
        return f"{{}} > {literal(rng.choice(below[-4:]))}"
    return f"{{}} >= {literal(value)}" if below else _equal(prop, value, rng)


def _most(prop: Property, value: Any, rng: Random) -> str:
    above = [other for other in prop.values if other > value]
    if above and rng.random() < 0.5:
        return f"{{}} < {literal(rng.choice(above[:4]))}"
    return f"{{}} <= {literal(value)}" if above else _equal(prop, value, rng)


def _between(prop: Property, value: Any, rng: Random) -> str:
    below = [other for other in prop.values if other <= value]
    above = [other for other in prop.values if other >= value]
    low, high = rng.choice(below[-4:]), rng.choice(above[:4])
    if low == high:
        return _equal(prop, value, rng)
    return f"{{}} BETWEEN {literal(low)} AND {literal(high)}"


def _like(prop: Property, value: Any, rng: Random) -> str:
    """A beginning or an ending of the text that other texts do not all share."""
    words = value.split(" ")
    size = 1 if not value.isascii() else rng.choice((1, 2))
    choices = [f"{value[:size]}%", f"%{value[-size:]}"]
    if len(words) > 1:
        choices = [f"{words[0]} %", f"% {words[-1]}"]
    pattern = rng.choice(choices)
    plain = len(value) > size and not set("%_") & set(value)
    return f"{{}} LIKE {literal(pattern)}" if plain else _equal(prop, value, rng)


Maker = Callable[[Property, Any, Random], str]
_TEXT: tuple[Maker, ...] = (_equal, _equal, _equal, _equal, _among, _differs, _like)
_NUMBER: tuple[Maker, ...] = (_equal, _least, _least, _least, _most, _most, _between)
