"""Comparing an answer with its reference as text: the `exact` verifier.

Lives here: what counts as the same text. May be imported by everybody; imports only the contract and `think`.
Design reason: forms that mean nothing (width, case, emphasis, a full stop) are taken off both sides; reading an answer
out of a sentence is not comparing texts and belongs to the verifier that knows the domain.
"""

import re
import unicodedata

from .contract import Case, Status, Verdict, verifier
from .think import strip

_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*\n")
_EMPHASIS = re.compile(r"(\*\*|__|\*|_|`|~~)(?=\S)(.*?\S)\1", re.DOTALL)
_ENDS = " .,;:…"
"""Closing punctuation after NFKC. Not `!`: 5! is not 5."""

_MARKS = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "−": "-", "–": "-", "。": ".", "、": ","})


def normal(text: str, *, ignore_case: bool = True) -> str:
    """`text` without what carries no meaning: width (NFKC), runs of white space, a fence or emphasis around all of it,
    closing punctuation, typographic quotes and dashes, and case unless told otherwise.
    """
    text = unicodedata.normalize("NFKC", _unfenced(text)).translate(_MARKS)
    text = " ".join(text.split()).rstrip(_ENDS)
    while (match := _EMPHASIS.fullmatch(text)) and match[1] not in match[2]:
        text = match[2].rstrip(_ENDS)
    return text.casefold() if ignore_case else text


def _unfenced(text: str) -> str:
    """What stands in a code fence that is all of `text`; linear, since a model wrote it."""
    whole = text.strip()
    fence = _FENCE.match(whole)
    if fence is None or not whole.endswith(fence[1]) or len(whole) < fence.end() + len(fence[1]):
        return text
    return whole[fence.end() : -len(fence[1])]


@verifier(isolated=False, needs_gold=True)
def exact(case: Case, *, ignore_case: bool = True, normalise: bool = True) -> Verdict:
    """Whether the answer is the reference, as text. `normalise: false` compares character by character."""
    answer, gold = case.answer, strip(case.gold or "")
    if not answer.strip():
        return Verdict(Status.FAIL, "empty answer")
    if normalise:
        same = normal(answer, ignore_case=ignore_case) == normal(gold, ignore_case=ignore_case)
    else:
        same = (answer.casefold() == gold.casefold()) if ignore_case else answer == gold
    if same:
        return Verdict(Status.PASS)
    return Verdict(Status.FAIL, f"`{_short(answer)}` is not `{_short(gold)}`")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
