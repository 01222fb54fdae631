"""A thinking as text: its code, its sentences and clauses, and what in it is said to be wrong.

May be imported by `trace` only; imports the words.
Design reason: whether a claim is taken back is decided by the clause it stands in, so code and quotes, which hold
commas, colons and full stops of their own, are masked before the text is cut.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

from . import trace_words as words

CODE = re.compile(r"```\w*\n?(.*?)```|`([^`\n]+)`", re.DOTALL)
_OPAQUE = re.compile(
    r"```.*?```|`[^`\n]*`|\([^()\n]*\)\s*<?-\[[^\n]*?\]->?(?:\{[\d,]*\})?\s*\([^()\n]*\)|\[[^\]\n]*\]|\{[\d,]+\}"
    r"|(?<!\w)'[^'\n]{1,80}'(?!\w)|“[^”\n]*”|(?<=\d)[.,](?=\d)|(?<=\w)\.(?=\w)|\b(?:e\.g|i\.e|vs)\.",
    re.DOTALL,
)
_SENTENCE = re.compile(r"[.!?](?=\s|$)|[。！？\n]")
_PART = re.compile(r"[.!?](?=\s|$)|[。！？\n;；]")
_CLAUSE = re.compile(
    r"[.!?](?=\s|$)|[。！？\n,;:，；：—]|\s-\s|\b(?:so|but|hence|therefore|because|and then)\b"
    r"|所以|因此|于是|因为|但是|而是"
)

_NEAR = 400
"""Characters to each side that are looked at, so that a sentence without an end costs no more than another."""


class Text:
    """A thinking with its code, sentences and clauses; code and quotes never break a sentence."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = text.casefold()
        self.opaque = _OPAQUE.sub(lambda match: ("\0" if match[0][0] in "'“" else "\x01") * len(match[0]), text)

    @cached_property
    def code(self) -> list[tuple[int, str]]:
        """Every piece of code with its place."""
        return [(one.start(one.lastindex or 0), one[one.lastindex or 0]) for one in CODE.finditer(self.text)]

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Where sentences begin and end."""
        return list(_cut(_SENTENCE, self.opaque))

    @cached_property
    def parts(self) -> list[tuple[int, int]]:
        """Where sentences and what stands between semicolons begin and end."""
        return list(_cut(_PART, self.opaque))

    @cached_property
    def clauses(self) -> list[tuple[int, int]]:
        """Where clauses begin and end."""
        return list(_cut(_CLAUSE, self.opaque))

    def around(self, place: int, spans: list[tuple[int, int]]) -> tuple[int, int]:
        """The span that holds a place."""
        found = spans[max(0, bisect_right(spans, (place, len(self.text) + 1)) - 1)]
        return max(found[0], place - _NEAR), min(found[1], place + _NEAR)

    def clause(self, place: int) -> str:
        """The clause at a place without its code."""
        start, end = self.around(place, self.clauses)
        return self.opaque[start:end]

    def taken_back(self, place: int) -> bool:
        """Whether what stands at a place is said to be wrong, made up as an example, or taken back right after."""
        start, end = self.around(place, self.sentences)
        if words.REJECTS.search(self.clause(place)) or words.EXAMPLE.search(self.opaque[start:place]):
            return True
        return words.NEXT_REJECTS.match(self.opaque, end) is not None


def _cut(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in pattern.finditer(text):
        yield start, match.end()
        start = match.end()
    yield start, len(text)
