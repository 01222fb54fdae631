"""The styles in which made-up schemas write their names: snake, camel, abbreviated, quoted, prefixed, Chinese.

May be imported by `schemas`; imports spelling.
Design reason: a style is a rule for tables, one for labels and one for columns, each from an English key and a Chinese
word, so that a new style is one line.
"""

from collections.abc import Callable
from dataclasses import dataclass

from distill.sources.graph_sql.spelling import identifier

Spell = Callable[[str, str], str]
"""From an English key in snake case and a Chinese word to a name as SQL writes it."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one schema writes its names."""

    table: Spell
    label: Spell
    column: Spell
    chinese: bool = False
    """Whether the graph has a Chinese name and Chinese values."""


def plain(name: str) -> str:
    """A name without its quotes."""
    return name.strip('"')


def _safe(name: str) -> str:
    return identifier(name.upper(), name)


def _snake(key: str, chinese: str) -> str:
    return _safe(key)


def _caps(key: str, chinese: str) -> str:
    return _safe(key.upper())


def _camel(key: str, chinese: str) -> str:
    first, *rest = key.split("_")
    return _safe(first + "".join(part.capitalize() for part in rest))


def _quoted(key: str, chinese: str) -> str:
    return '"' + "".join(part.capitalize() for part in key.split("_")) + '"'


def _short(key: str, chinese: str) -> str:
    return _safe("_".join(_abbreviated(part) for part in key.split("_")))


def _abbreviated(word: str) -> str:
    if len(word) < 4:
        return word
    return word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou")[:3]


def _chinese(key: str, chinese: str) -> str:
    return _safe(chinese)


def _with(prefix: str, spell: Spell) -> Spell:
    return lambda key, chinese: spell(f"{prefix}_{key}", chinese)


def _plural(key: str, chinese: str) -> str:
    return _safe(f"{key[:-1]}ies" if key.endswith("y") and key[-2] not in "aeiou" else f"{key}s")


STYLES: tuple[Style, ...] = (
    Style(_snake, _snake, _snake),
    Style(_plural, _snake, _snake),
    Style(_with("t", _snake), _snake, _snake),
    Style(_with("tbl", _snake), _caps, _snake),
    Style(_caps, _caps, _caps),
    Style(_camel, _camel, _camel),
    Style(_short, _short, _short),
    Style(_short, _snake, _short),
    Style(_quoted, _quoted, _quoted),
    Style(_snake, _quoted, _camel),
    Style(_chinese, _chinese, _chinese, chinese=True),
    Style(_chinese, _chinese, _chinese, chinese=True),
    Style(_snake, _chinese, _snake, chinese=True),
    Style(_snake, _snake, _chinese, chinese=True),
)
"""What is drawn from."""
