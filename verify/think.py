"""Reasoning as text: find it, wherever a server or a model left it; render it, one way; and the `think` verifier.

Lives here: `normalise`, `find`, `strip`, `render`, `language`, and what makes a trace unfit to learn from. Text in,
plain values out. May be imported by everybody; imports only the contract.
Design reason: teachers put their reasoning in a dozen places, and a place that is not read is reasoning lost without a
word. So there is one normaliser, and everything that writes or reads a `<think>` block goes through this file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .contract import Case, Status, Verdict, verifier


@dataclass(frozen=True, slots=True)
class Thought:
    """A message taken apart."""

    thinking: str | None
    """The reasoning without its tags, or None where there is none."""
    answer: str
    """What is left when the reasoning is taken away."""
    closed: bool = True
    """False when the reasoning never ended: the answer is then empty, and the reply was cut."""


@dataclass(slots=True)
class Block:
    """One stretch of inline reasoning in a text, tags included in `start` and `end`."""

    start: int
    end: int = -1
    """-1 while it is not closed."""
    pieces: list[str] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Whether its closing tag was found."""
        return self.end >= 0

    @property
    def text(self) -> str:
        """What stands between the tags, without tags nested in it."""
        return "".join(self.pieces).strip()


# ---------------------------------------------------------------- inline tags

_NAMES = "think|thinking|thought|seed:think"
_TOKEN = re.compile(
    rf"""^[ \t>]*(?P<fence>`{{3,}}|~{{3,}})(?=(?P<info>[^\n]*))
    |(?P<open><(?:{_NAMES})>|\[THINK\]|◁think▷|<\|START_THINKING\|>)
    |(?P<close></(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>)""",
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_Tag = tuple[int, int, bool]
"""Start, end, and whether it opens."""


def _tags(text: str, *, in_code: bool = False) -> Iterator[_Tag]:
    """The tags of `text` in order. In fenced or inline code a tag is text, unless `in_code`."""
    fence = ""
    for match in _TOKEN.finditer(text):
        if mark := match["fence"]:
            info = match["info"].strip()
            if not fence:
                fence = "" if mark[0] == "`" and "`" in info else mark  # ```so``` is inline code
            elif mark.startswith(fence) and (not info or _TOKEN.match(info)):
                fence = ""
        elif in_code or not (fence or _quoted(text, *match.span())):
            yield match.start(), match.end(), match["open"] is not None


def _quoted(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start] == "`" and text[end : end + 1] == "`"


def find(text: str) -> list[Block]:
    """The reasoning blocks of `text`, in order. A closing tag without an opening one ends a block that began earlier.

    A fence left open inside the reasoning does not swallow its end: when no end is found outside code, code counts.
    """
    blocks = _blocks(text, _tags(text))
    if blocks and not blocks[-1].closed:
        again = _blocks(text, _tags(text, in_code=True))
        blocks = again if again[-1].closed else blocks
    return blocks


def _blocks(text: str, tags: Iterable[_Tag]) -> list[Block]:
    blocks: list[Block] = []
    cursor, inside = 0, False
    for start, end, opens in tags:
        if opens and not inside:
            blocks.append(Block(start))
        else:  # inside, or at a closing tag too many: what stands before it belongs to the block it closes
            if not blocks:
                blocks.append(Block(0))
            blocks[-1].pieces.append(text[cursor:start])
            if not opens:
                blocks[-1].end = end
        cursor, inside = end, opens
    if inside:
        blocks[-1].end = -1
        blocks[-1].pieces.append(text[cursor:])
    return blocks


def _split(text: str) -> Thought:
    """`text` taken apart by its inline blocks."""
    outside, thoughts, cursor = [], [], 0
    for block in find(text):
        thoughts.append(block.text)
        if not block.closed:
            return Thought(_joined(thoughts) or None, "", False)
        outside.append(text[cursor : block.start])
        cursor = block.end
    outside.append(text[cursor:])
    return Thought(_joined(thoughts) or None, _clean(_joined(outside)))


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(stripped for part in parts if (stripped := part.strip()))


_END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<|return|>", "<｜end▁of▁sentence｜>", "</s>")
_WRAPPERS = (("<answer>", "</answer>"), ("<|START_RESPONSE|>", "<|END_RESPONSE|>"))


def _clean(answer: str) -> str:
    """The answer without end-of-text tokens that a server failed to strip, and without a tag around all of it."""
    end = len(answer)
    while end:
        token = next((token for token in _END_TOKENS if answer.endswith(token, 0, end)), None)
        if token is None and not answer[end - 1].isspace():
            break
        end -= len(token) if token else 1
    answer = answer[:end].lstrip()
    for opening, closing in _WRAPPERS:
        if answer.startswith(opening):
            return answer.removeprefix(opening).removesuffix(closing).strip()
    return answer


# ---------------------------------------------------------------- harmony channels

_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?P<name>\w+)[^<\n]{0,200}(?:<\|constrain\|>[^<\n]{0,100})?<\|message\|>"
    r"|(?P<end><\|(?:end|return|call|start)\|>)"
)


def _harmony(text: str) -> Thought | None:
    """Harmony's channels taken apart, raw or with the special tokens stripped by the server; None for other text."""
    if "<|channel|>" in text or text.startswith("analysis<|message|>"):
        return _channels(text if text.startswith("<|") else "<|channel|>" + text)
    if text.startswith("analysis") and "assistantfinal" in text:
        thinking, _, answer = text.removeprefix("analysis").partition("assistantfinal")
        return Thought(thinking.strip() or None, answer.strip())
    return None


def _channels(text: str) -> Thought:
    said: dict[str, list[str]] = {"analysis": [], "final": []}
    name, cursor, ended = "", 0, True
    for match in _CHANNEL.finditer(text):
        said.setdefault(name, []).append(text[cursor : match.start()])
        name, cursor, ended = match["name"] or "", match.end(), match["end"] is not None
    said.setdefault(name, []).append(text[cursor:])
    closed = ended or name != "analysis"
    return Thought(_joined(said["analysis"]) or None, _clean(_joined(said["final"])) if closed else "", closed)


# ---------------------------------------------------------------- messages

_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
_THINKING_PARTS = ("thinking", "reasoning", "summary_text", "reasoning_text")


def normalise(message: Mapping[str, Any]) -> Thought:
    """Take an assistant message apart, wherever its reasoning is; what is not text is ignored, never guessed at.

    Read are the fields of `_FIELDS`, content parts, harmony channels and inline tags. A field wins over an inline
    block, which is then a duplicate and removed. Signatures and encrypted reasoning are not text.
    """
    parts_thinking, content = _content(message.get("content"))
    inline = _harmony(content.lstrip()) or _split(content)
    fields = (_text(message.get(name)).strip() for name in _FIELDS)
    told = next(filter(None, fields), "") or parts_thinking
    return _merge(told, inline) if told else inline


def _merge(told: str, inline: Thought) -> Thought:
    """A field and the content. A server that split wrongly leaves tags, or even the whole answer, in the field."""
    apart = _split(told) if find(told) else Thought(told, "")
    if inline.answer or not inline.closed:
        thinking = _joined([apart.thinking or "", apart.answer])
        return Thought(thinking or inline.thinking, inline.answer, inline.closed)
    return Thought(apart.thinking or inline.thinking, apart.answer, apart.closed)


def _content(content: Any) -> tuple[str, str]:
    """(reasoning, text) of a message's content: a string, None, or a list of parts."""
    if isinstance(content, str):
        return "", content
    thinking: list[str] = []
    text: list[str] = []
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        if kind in _THINKING_PARTS:
            thinking.append(_text(part))
        elif kind in ("text", "output_text"):
            text.append(_text(part))
    return _joined(thinking), "".join(text)


def _text(value: Any) -> str:
    """The text of a reasoning field: a string, a mapping with a text in it, or a list of such."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        found = (_text(value.get(key)) for key in ("text", "thinking", "summary", "content"))
        return next((text for text in found if text.strip()), "")
    if not isinstance(value, list):
        return ""
    whole = [item for item in value if not (isinstance(item, Mapping) and "summary" in str(item.get("type")))]
    return "".join(map(_text, whole)) or _joined(map(_text, value))


def render(thinking: str | None, answer: str) -> str:
    """What a student learns: one `<think>` block, an empty line, the answer; the answer alone without thinking."""
    return answer if thinking is None else f"<think>\n{thinking}\n</think>\n\n{answer}"


def strip(text: str) -> str:
    """`text` without its reasoning; empty when the reasoning never ended."""
    return _split(text).answer


# ---------------------------------------------------------------- language

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SCRIPTS = {
    "han": re.compile(r"[\u3400-\u9fff\uf900-\ufaff]"),
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "en": re.compile(r"(?<!\w)[A-Za-z]?[a-z]++(?![\w(])"),
}
_WEIGHTS = {"zh": 0.6, "ja": 0.5, "ko": 0.4, "ru": 0.18, "ar": 0.22, "en": 1.0}
"""About how many words one character makes; Latin script is counted in words."""


def _shares(text: str) -> dict[str, float]:
    """How much of the prose is in which script, in words. Code, capitals and names with `_` say nothing."""
    prose = _CODE.sub(" ", text)
    counts = {name: len(pattern.findall(prose)) for name, pattern in _SCRIPTS.items()}
    han, kana = counts.pop("han"), counts.pop("kana")
    japanese = kana * 8 > han
    counts["ja"], counts["zh"] = (han + kana, 0) if japanese else (0, han)
    return {name: count * _WEIGHTS[name] for name, count in counts.items() if count}


def language(text: str) -> str:
    """The language most of the prose is in, told by its script: `zh`, `ja`, `ko`, `ru`, `ar`, else `en` for Latin
    letters; empty where there is no prose.
    """
    shares = _shares(text)
    return max(shares, key=lambda name: shares[name]) if shares else ""


def _strays(thinking: str, question: str) -> str:
    """Why the thinking is not in the question's language; empty when it is, or when that cannot be told."""
    wanted = language(question)
    shares = _shares(thinking)
    total = sum(shares.values())
    if not wanted or total < 5 or shares.get(wanted, 0.0) >= total / 3:
        return ""
    return f"the thinking is in `{language(thinking)}`, the question in `{wanted}`"


# ---------------------------------------------------------------- loops

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_RUN = re.compile(r"([^\s\-=_*#.|+~])\1{399}")
_GRAM, _TIMES = 20, 20
"""The same 20 words 20 times is the published filter for repetition."""
_BASE, _MASK = 1_000_003, (1 << 64) - 1
_BASE_OUT = pow(_BASE, _GRAM, 1 << 64)


def repetition(text: str) -> str:
    """What `text` repeats like a model that is caught in a loop; empty when it does not. Linear in the text.

    A loop is a passage that comes five times or more in direct succession, over 60 words at least, the same 20 words
    20 times anywhere, or one character 400 times. Numbers alone, as in a matrix, may repeat longer.
    """
    if run := _RUN.search(text):
        return run[1] * 5
    words = _WORD.findall(text)
    last: dict[int, tuple[int, int]] = {}
    run_length = period = 0
    for place, gram in enumerate(_grams(words)):
        before, times = last.get(gram, (-1, 0))
        last[gram] = (place, times + 1)
        if before < 0:
            run_length = 0
            continue
        run_length, period = (run_length + 1 if place - before == period else 1), place - before
        tandem = run_length in (max(4 * period, 40), max(4 * period, 500))
        if tandem or times + 1 == _TIMES:
            passage = words[place : place + min(period, _GRAM)]
            if run_length >= 500 or not all(word.isdigit() for word in passage):
                return " ".join(passage)
    return ""


def _grams(words: list[str]) -> Iterator[int]:
    """A rolling hash of every `_GRAM` words in a row."""
    keys = list(map(hash, words))
    gram = 0
    for place, key in enumerate(keys):
        gram = (gram * _BASE + key) & _MASK
        if place >= _GRAM:
            gram = (gram - keys[place - _GRAM] * _BASE_OUT) & _MASK
        if place >= _GRAM - 1:
            yield gram


# ---------------------------------------------------------------- leaks

_LEAKS = re.compile(
    r"""\b(?:the|this|that)\ GIVEN\ (?:WHICH\ )?(?:answer|solution)s?\b
    |\b(?:the|this|that)\ (?:reference|gold(?:en)?|target|expected|official)\ (?:sql|query)\b
    |(?P<query>\b(?:the|this|that)\ (?:given|provided|supplied)\ (?:sql|query)\b)
    |\banswer\ key\b|\bground[\ -]truth\b
    |\b(?:given|provided|stated|shown|written)\ (?:in|by)\ the\ (?:answer|reference|(?:reference|official)\ \w+)\b
    |\b(?:according\ to|based\ on)\ the\ answer\b(?!\ (?:choices|options|format))
    |\bthe\ (?:WHICH\ )?answer\ (?:is|was|has\ been)\ (?:already\ (?:given|provided|known)|supplied)\b
    |\bthe\ (?:WHICH\ )?answer\ (?:was|has\ been)\ (?:given|provided)\b
    |\bthe\ (?:answer|solution)\ (?:that\ (?:is|was)\ )?(?:given|provided|supplied)(?=\ (?:above|here|to\ me)|[.,;:)]|$)
    |\b(?:i|we)(?:\ was|\ were|\ am|\ are|\ have\ been|'m)\ (?:already\ )?(?:told|given|shown)\ (?:that\ )?FINAL
    |\b(?:i|we)\ already\ (?:know|have)\ FINAL
    |\bback(?:wards?)?\ from\ the\ (?:given\ |known\ )?(?:answer|solution)\b
    |参考(?:答案|解答|解法|sql|查询|语句)|(?:标准|官方)(?:答案|解答)
    |(?<![我们要需求])(?:给定|给出|提供|所给|已给|已给出)的(?:正确|最终|标准|参考)?(?:答案|解答)
    |(?P<frage>(?<![我们要需求])(?:给定|给出|提供|所给|已给|已给出)的(?:sql|查询语句))
    |给定答案|所给答案|已给答案|已知的?(?:正确)?答案
    |答案(?:已经|早已|已)(?:给出|给定|提供|告诉|知道|告知|给了)
    |(?:根据|按照|依据|对照|参照|结合)(?:上面的?|上述|这个)?答案(?!选项|格式|要求|的(?:格式|要求|形式|类型))
    |(?:由|从)答案(?:反推|倒推|出发)|(?:预期|目标)的?(?:答案|sql|查询语句)""".replace(
        "GIVEN", r"(?:given|provided|supplied|reference|expected|official|gold(?:en)?|model|target)"
    )
    .replace("FINAL", r"the\ (?:WHICH\ )?(?:answer|solution|sql|query)\b")
    .replace("WHICH", r"(?:correct|final|right|reference|sql)"),
    re.VERBOSE,
)
"""What gives a trace away, in lower case. Every alternative holds one of `_LEAK_KEYS`."""

_LEAK_KEYS = re.compile("answer|solution|truth|sql|query|reference|答案|解答|解法|查询|语句")
_SHOWS_QUERY = re.compile(
    r"\bselect\b|\b(?:given|following|this|above|below) (?:sql|query)\b"
    r"|(?:下面|以下|下列|给定|这条|这个)的?(?:sql|查询)"
)


def leak(thinking: str, question: str = "") -> str:
    """The words, in lower case, by which `thinking` gives away that it saw the answer; empty when it does not.

    What the question itself says is no leak, nor is "the given query" where the question shows one.
    """
    text, asked = thinking.lower(), question.lower()
    for start, end in _near(text):
        for match in _LEAKS.finditer(text, start, end):
            shown = (match["query"] or match["frage"]) and _SHOWS_QUERY.search(asked)
            if not shown and match[0] not in asked:
                return match[0]
    return ""


def _near(text: str) -> Iterator[tuple[int, int]]:
    """The stretches of `text` that could hold a leak: reading only these takes a tenth of the time."""
    start = end = 0
    for match in _LEAK_KEYS.finditer(text):
        if match.start() - 80 > end:
            if end:
                yield start, end
            start = match.start() - 80
        end = match.end() + 80
    if end:
        yield max(start, 0), end


# ---------------------------------------------------------------- the verifier


@verifier(isolated=False, of_thinking=True)
def think(
    case: Case,
    *,
    min_chars: int = 1,
    max_chars: int | None = None,
    language: Literal["question", "any"] = "question",
) -> Verdict:
    """Whether the thinking is fit to learn from: there, whole, in form, free of loops and of hints at the answer.

    Lengths are in characters. `language: any` allows thinking in another language than the question's.
    """
    thinking = (case.thinking or "").strip()
    question = case.question or case.prompt
    reason = _malformed(case, thinking) or _length(len(thinking), min_chars, max_chars)
    if not reason and (words := repetition(thinking)):
        reason = f"loop: repeats `{words[:80]}`"
    if not reason and (words := leak(thinking, question)):
        reason = f"leak: `{words}` gives away that the answer was known"
    if not reason and language == "question":
        reason = _strays(thinking, question)
    return Verdict(Status.FAIL, reason) if reason else Verdict(Status.PASS)


def _malformed(case: Case, thinking: str) -> str:
    if not case.finished:
        return "not finished: the reply was cut"
    if not thinking:
        return "no thinking"
    if any(_tags(thinking)):
        return "nested or unbalanced tags in the thinking"
    if not case.answer.strip():
        return "empty answer"
    if any(_tags(case.answer)):
        return "tags in the answer"
    blocks = find(case.completion)
    return "answer before the thinking" if blocks and case.completion[: blocks[0].start].strip() else ""


def _length(length: int, least: int, most: int | None) -> str:
    if length < least:
        return f"thinking of {length} characters, at least {least} wanted"
    if most is not None and length > most:
        return f"thinking of {length} characters, at most {most} wanted"
    return ""
