"""Templates as data: reads the tables of this directory and fills one template at a time.

May be imported by the modules of `symbolic`; imports nothing of ours.
Design reason: sentences live in YAML files, one per language and purpose, so that somebody who knows the language can
improve them without reading code, and a choice between wordings is always made in this one place.
"""

import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=16)
def table(name: str) -> Mapping[str, Sequence[str]]:
    """The templates of `<name>.yaml`; sections are joined to their keys with a dot."""
    data = yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(_flat(data, ""))


def _flat(data: Mapping[str, Any], prefix: str) -> list[tuple[str, Sequence[str]]]:
    found: list[tuple[str, Sequence[str]]] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        found += _flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, tuple(map(str, value)))]
    return found


def fill(template: str, slots: Mapping[str, str], *, rng: random.Random) -> str:
    """The template with every `[a|b]` decided and every `{slot}` filled; what fills a slot is not read again."""
    while (match := _CHOICE.search(template)) is not None:
        choice = rng.choice(match[1].split("|"))
        template = template[: match.start()] + choice + template[match.end() :]
    return _SLOT.sub(lambda match: slots[match[1]], template)
