"""What a rephrasing must keep: literals, numbers, comparisons, negation, directions. In English and Chinese.

May be imported by `rephrase` and by tests; imports nothing of ours.
Design reason: refusing a good rephrasing costs one more question, accepting a bad one poisons the data, so whatever the
markers below cannot confirm is refused. It works on surface markers because it must be cheap and explainable: the
reason it gives names the word that was lost.
"""

import re
import unicodedata
from collections.abc import Iterable

_QUOTED = re.compile(
    r"""(?<!\w)'([^'\n]{1,80})'(?!\w)|"([^"\n]{1,80})"|“([^”\n]{1,80})”|「([^」\n]{1,80})」|《([^》\n]{1,80})》"""
)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\d])|(?<=[^\W\d_a-zA-Z])\d[\d,]*(?:\.\d+)?")

_UNITS = (
    "zero one two three four five six seven eight nine ten "
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_WORDS = {word: value for value, word in enumerate(_UNITS.split())} | {
    word: 10 * value
    for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_DOUBLES = {"twice": 2, "double": 2, "thrice": 3}
_HAN_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_HAN_NUMBER = re.compile("(?<![第零〇一二两三四五六七八九十百千万亿])[零〇一二两三四五六七八九十百千万亿]+")
"""Not after 第: 第二个账户 names an account, it does not count."""
_HAN_ORDINAL = re.compile("第([零〇一二两三四五六七八九十百千万亿]+)")

_NEAR_NUMBER = r"(?<=[\d元次条个笔天岁年月级步跳万亿])"
_MARKERS: tuple[tuple[str, str], ...] = (
    # the longer phrase stands first: what it matched is taken out before the shorter ones look
    ("", r"\b(?:without|no) (?:repetitions?|repeats|duplicates?)\b"),  # how rows are listed, not a negation
    ("ge", r"\bat least\b|\bor (?:more|higher|above|over|later|greater|larger)\b"),
    ("ge", r"\b(?:no|not) (?:less|fewer|lower) than\b|\ba minimum of\b|>=|≥"),
    ("ge", rf"至少|不少于|不低于|不小于|大于(?:或)?等于|大于或等于|起码|{_NEAR_NUMBER}及?以上"),
    ("le", r"\bat most\b|\bor (?:less|fewer|lower|below|earlier|under)\b"),
    ("le", r"\b(?:no|not) (?:more|greater|higher) than\b|\bup to\b|\ba maximum of\b|<=|≤"),
    ("le", rf"至多|不超过|不多于|不高于|不大于|小于(?:或)?等于|小于或等于|{_NEAR_NUMBER}及?以[下内]"),
    ("le", r"最多(?=\s*[\d一二两三四五六七八九十])"),
    ("gt", r"\b(?:more|greater|larger|higher|bigger|longer|older) than\b"),
    ("gt", r"\bover (?=\S*\d)|\babove\b|\bexceed(?:s|ed|ing)?\b|>|大于|超过|多于|高于|超出"),
    ("lt", r"\b(?:less|fewer|smaller|lower|shorter|younger) than\b"),
    ("lt", r"\bunder (?=\S*\d)|\bbelow\b|<|小于|少于|低于|不到|不足|未满"),
    ("after", r"\b(?:after|later than|since)\b|之后|以后|晚于"),
    ("before", r"\b(?:before|earlier than|prior to)\b|之前|以前|早于"),
    ("desc", r"\bdescending\b|\b(?:highest|largest|biggest|most|newest|latest|greatest)(?: \w+)? first\b"),
    ("desc", r"\bhigh(?:est)? to low(?:est)?\b|\b(?:largest|biggest) to smallest\b"),
    ("desc", r"降序|从[大高多]到[小低少]|从新到旧|由[大高多]到[小低少]|倒序"),
    ("asc", r"\bascending\b|\b(?:lowest|smallest|least|oldest|earliest|fewest)(?: \w+)? first\b"),
    ("asc", r"\blow(?:est)? to high(?:est)?\b|\bsmallest to (?:largest|biggest)\b"),
    ("asc", r"升序|从[小低少]到[大高多]|从旧到新|由[小低少]到[大高多]"),
    ("most", r"\b(?:most|highest|largest|biggest|greatest|maximum|longest|latest|newest|top)\b|最[大高多长晚新]"),
    ("most", r"前(?=\s*[\d一二两三四五六七八九十]+\s*[名个位条笔])"),
    ("least", r"\b(?:least|lowest|smallest|fewest|minimum|shortest|earliest|oldest)\b|最[小低少短早旧]"),
    ("not", r"\b(?:not|no|never|without|none|neither|nobody|nor|cannot|except|excluding)\b|n't\b"),
    ("not", r"没有?|不(?!同|过|仅|但|管|论|重复|妨)|从未|未(?!来)|无(?!论)|除(?=了|非)|非(?!常)"),
)
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _MARKERS)

_SEND = (
    r"send|sends|sent|sending|sender|pay|pays|paid|paying|payer|transferred|transferring"
    r"|ships?|shipped|supplies|supplied|refers?|referred"
)
_RECEIVE = r"receive|receives|received|receiving|receiver|recipient|accepts?|accepted"
_HAN_SEND = r"转给|转出|汇给|汇出|付给|支付|发出|发送|寄给|打给|转账给|转账到|付款给|汇款给|转了|转过"
_HAN_RECEIVE = r"收到|收过|收取|接收|获得|得到|转入|汇入|收款"
_LEFT_ROLES = (
    # what stands shortly before a name: the nearest marker decides
    (
        "target",
        re.compile(
            rf"(?:\b(?:{_RECEIVE}) by|\bto|\binto|\btowards?|转给|汇给|付给|寄给|打给|给|到|转入|向|往)$", re.IGNORECASE
        ),
    ),
    ("source", re.compile(r"(?:\bfrom|\bby|\bout of|从|由|来自|自)$", re.IGNORECASE)),
)
_RIGHT_ROLES = (
    (
        "target",
        re.compile(
            rf"^\W*(?:\w+\W+)?(?:{_RECEIVE})\b|^的?(?:从\S{{1,12}}?|\S{{0,4}}?)(?:{_HAN_RECEIVE})", re.IGNORECASE
        ),
    ),
    ("source", re.compile(rf"^\W*(?:\w+\W+)?(?:{_SEND})\b|^的?\S{{0,4}}?(?:{_HAN_SEND}|给|向)", re.IGNORECASE)),
)


_BARRIER = re.compile(
    r"(?:[,.;?!，。；？！]|\b(?:which|who|whom|what|did|do|does|has|have|had|is|are|was|were|and|or|that)|[哪谁和与或])$",
    re.IGNORECASE,
)
"""A word or sign beyond which a marker no longer belongs to the name."""


def plain(text: str) -> str:
    """Full-width forms folded to half-width, white space to single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def quoted(text: str) -> set[str]:
    """What stands in quotes of any kind."""
    return {next(filter(None, match.groups())) for match in _QUOTED.finditer(text)}


def numbers(text: str) -> set[float]:
    """The values of all numbers: digits, English words, Chinese numerals from two on (一 is mostly an article)."""
    folded = plain(text)
    digits = {_value(match[0]) for match in _NUMBER.finditer(folded)}
    return digits | {value for value in (*_english(folded), *_chinese(folded)) if value >= 2}


def ordinals(text: str) -> set[float]:
    """What `second`, `third` and 第二 say: they name and do not count, but who tells two things apart keeps the two."""
    named = {value for word, value in (("second", 2.0), ("third", 3.0)) if re.search(rf"\b{word}\b", text.lower())}
    return named | {float(han_value(match[1])) for match in _HAN_ORDINAL.finditer(text)}


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _english(text: str) -> Iterable[float]:
    total: float | None = None
    for word in [*re.findall(r"[a-z]+", text.lower()), ""]:
        if word in _WORDS:
            total = (total or 0) + _WORDS[word]
        elif word in _SCALES and total is not None:
            total *= _SCALES[word]
        else:
            if total is not None:
                yield float(total)
            total = None
            if word in _DOUBLES:
                yield float(_DOUBLES[word])


def _chinese(text: str) -> Iterable[float]:
    for match in _HAN_NUMBER.finditer(text):
        yield float(han_value(match[0]))


def han_value(text: str) -> int:
    """The value of a Chinese numeral such as 三百二十 or 二〇二四."""
    if not any(sign in _HAN_SCALES for sign in text):
        return int("".join(str(_HAN_DIGITS[sign]) for sign in text))
    total = section = digit = 0
    for sign in text:
        if sign in _HAN_DIGITS:
            digit = _HAN_DIGITS[sign]
        elif _HAN_SCALES[sign] >= 10_000:
            total, section, digit = (total + max(section + digit, 1)) * _HAN_SCALES[sign], 0, 0
        else:
            section, digit = section + max(digit, 1) * _HAN_SCALES[sign], 0
    return total + section + digit


def markers(text: str, literals: Iterable[str] = ()) -> set[str]:
    """Which comparisons, orders, superlatives and negations a text expresses; names and quotes do not count."""
    rest = plain(text)
    for literal in literals:
        rest = rest.replace(literal, " _ ")
    found = set()
    for name, pattern in _COMPILED:
        rest, count = pattern.subn(" ", rest)
        if count and name:
            found.add(name)
    return found


_NEAR = 80
"""Characters around a name that may hold its marker: bounded, so that a rambling reply costs little more."""


def roles(text: str, literal: str) -> set[str]:
    """Whether a name is the `source` or the `target` of what the text tells, as far as its surroundings say."""
    folded, name = plain(text), plain(literal)
    found = set()
    for match in re.finditer(re.escape(name), folded):
        start, end = match.span()
        role = _left_role(folded[max(0, start - _NEAR) : start]) or _right_role(folded[end : end + _NEAR])
        if role:
            found.add(role)
    return found


def _left_role(before: str) -> str | None:
    """The nearest marker within four words (or eight Chinese characters) before the name."""
    text = before.rstrip(" '\"“「《")
    for _ in range(5):
        for role, pattern in _LEFT_ROLES:
            if pattern.search(text):
                return role
        shorter = re.sub(r"(?:[A-Za-z']+|[^\W\da-zA-Z]|\W)\s*$", "", text)
        if shorter == text or _BARRIER.search(text):
            return None
        text = shorter.rstrip(" '\"“「《")
    return None


def _right_role(after: str) -> str | None:
    text = after.lstrip(" '\"”」》")
    return next((role for role, pattern in _RIGHT_ROLES if pattern.search(text)), None)


def orientation(text: str) -> set[str]:
    """`send`, `receive`, both or neither: which side of an exchange the text is told from."""
    found = set()
    if re.search(rf"\b(?:{_SEND})\b|{_HAN_SEND}", text, re.IGNORECASE):
        found.add("send")
    if re.search(rf"\b(?:{_RECEIVE})\b|{_HAN_RECEIVE}", text, re.IGNORECASE):
        found.add("receive")
    return found


def lost(original: str, rephrased: str, *, literals: Iterable[str] = ()) -> str | None:
    """Why `rephrased` does not mean the same as `original`, or None where nothing was lost or added.

    `literals` are names the question hangs on (string constants of the reference answer); only those that occur in the
    original must occur in the rephrasing. Both texts may be in either language.
    """
    if len(rephrased) > 4 * len(original) + 400:
        return f"is no rephrasing: {len(rephrased):,} characters for {len(original):,}"
    before, after = plain(original), plain(rephrased)
    names = {plain(name) for name in literals if plain(name) in before} | {plain(name) for name in quoted(before)}
    missing = sorted(name for name in names if name not in after)
    if missing:
        return f"lost the literal `{missing[0]}`"
    return (
        _numbers_lost(before, after, names)
        or _markers_lost(before, after, names)
        or _direction_lost(before, after, names)
    )


def _numbers_lost(before: str, after: str, names: set[str]) -> str | None:
    outside_before, outside_after = _without(before, names), _without(after, names)
    wanted, have = numbers(outside_before), numbers(outside_after) | ordinals(outside_after)
    for value in sorted(wanted - have):
        return f"lost the number {value:g}"
    added = {_value(match[0]) for match in _NUMBER.finditer(outside_after)} - wanted - {1.0}
    for value in sorted(added):
        return f"added the number {value:g}"
    return None


def _without(text: str, names: set[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " _ ")
    return text


def _markers_lost(before: str, after: str, names: set[str]) -> str | None:
    old, new = markers(before, names), markers(after, names)
    for name in sorted(old - new):
        return f"lost the {_SAID[name]}"
    for name in sorted(new - old):
        return f"added the {_SAID[name]}"
    return None


_SAID = {
    "ge": "comparison `at least`",
    "le": "comparison `at most`",
    "gt": "comparison `more than`",
    "lt": "comparison `less than`",
    "after": "condition `after`",
    "before": "condition `before`",
    "desc": "descending order",
    "asc": "ascending order",
    "most": "superlative `most`",
    "least": "superlative `least`",
    "not": "negation",
}


def _direction_lost(before: str, after: str, names: set[str]) -> str | None:
    confirmed = False
    for name in sorted(names):
        old, new = roles(before, name), roles(after, name)
        if old and new and old.isdisjoint(new):
            return f"turned the direction at `{name}`"
        confirmed = confirmed or bool(old & new)
    old, new = orientation(before), orientation(after)
    if not confirmed and len(old) == 1 and len(new) == 1 and old != new:
        return f"turned the direction: `{old.pop()}` became `{new.pop()}`"
    return None
