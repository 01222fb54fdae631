"""What stands before a path pattern: how many of its paths are wanted, the shortest or any, and which may repeat.

May be imported by everything in this package; imports the standard library only.
Design reason: parser, binder and lowering each need the same reading of a prefix such as `ANY SHORTEST TRAIL PATHS`,
so it is read once, here.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Selector: TypeAlias = Literal["all", "any", "all shortest", "shortest", "shortest groups", "cheapest"]

MODES = ("WALK", "TRAIL", "ACYCLIC", "SIMPLE")
WORDS = frozenset({"ANY", "ALL", "SHORTEST", "CHEAPEST", "PATH", "PATHS", "GROUP", "GROUPS", *MODES})
"""Every word a prefix may have."""


@dataclass(frozen=True, slots=True)
class Search:
    """A prefix as read. `count` paths for each pair of ends; `any` of one path counts as its shortest."""

    selector: Selector = "all"
    count: int = 1
    mode: str = "WALK"

    @property
    def selective(self) -> bool:
        """Whether only some of the paths between two ends are kept."""
        return self.selector != "all"

    @property
    def finite(self) -> bool:
        """Whether a quantifier without an upper bound has finitely many results."""
        return self.selective or self.mode != "WALK"

    @property
    def ties(self) -> bool:
        """Whether which paths are kept is left open, so that only their ends and lengths are determined."""
        return self.selector in ("any", "shortest")


def read_search(words: list[str]) -> Search | None:
    """The meaning of a prefix's words in upper case, None where they are no prefix."""
    rest = [word for word in words if word not in ("PATH", "PATHS")]
    modes = [word for word in rest if word in MODES]
    numbers = [int(word) for word in rest if word.isdigit()]
    groups = rest[-1:] in (["GROUP"], ["GROUPS"])
    said = tuple(word for word in rest if word not in MODES and not word.isdigit() and word not in ("GROUP", "GROUPS"))
    selector = _SELECTORS.get(said)
    counted = said in (("ANY",), ("SHORTEST",), ("CHEAPEST",))
    if selector is None or len(modes) > 1 or len(numbers) > 1 or (numbers and not counted):
        return None
    if (groups and said != ("SHORTEST",)) or (numbers and numbers[0] < 1):
        return None
    if said == ("SHORTEST",) and not numbers and not groups:
        return None
    count = numbers[0] if numbers else 1
    return Search("shortest groups" if groups else selector, count, modes[0] if modes else "WALK")


_SELECTORS: dict[tuple[str, ...], Selector] = {
    (): "all",
    ("ALL",): "all",
    ("ANY",): "any",
    ("ANY", "SHORTEST"): "any",
    ("ALL", "SHORTEST"): "all shortest",
    ("SHORTEST",): "shortest",
    ("ANY", "CHEAPEST"): "cheapest",
    ("CHEAPEST",): "cheapest",
}


def search_of(prefix: str) -> Search:
    """The meaning of the prefix of a parsed path; the parser has made sure that it has one."""
    return read_search(prefix.split()) or Search()
