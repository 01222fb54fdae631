"""Several wordings of one question, in several languages, each a row of its own.

May be imported by the engine only. Design reason: a rephrasing is asked like any other request, so it is in the ledger,
under the budget and in the replay; it is used only when `meaning.lost` finds nothing missing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from distill import meaning
from distill.errors import together
from distill.recipe import Rephrase
from distill.records import Reply, Request, Row
from distill.sources import Prompt, variant
from distill.strategies import language_of, render, shipped
from distill.teachers import AttemptFailed
from verify.think import normalise

Asking = Callable[[Request], Awaitable[Reply]]
Sampling = Mapping[str, Any]
Refused = Callable[[Row, str, str], None]
"""Told the row, the refused text and the reason."""


async def variants(
    row: Row, config: Rephrase, *, ask: Asking, sampling: Sampling, prompt: Prompt, refused: Refused
) -> list[Row]:
    """The row itself and its rephrasings: `per_language` wordings for every language of the recipe.

    The original is the first wording in its own language; in a language that the recipe does not name it stays out.
    Raises what `ask` raises; a wording that is refused is asked again under the next sample index.
    """
    own = language_of(row)
    if not own:  # a question without words, such as `4 + 5?`, reads as any language
        own = config.languages[0]
    found = await together(
        [
            _in_language(
                row,
                language,
                config.per_language - (language == own),
                ask=ask,
                sampling=sampling,
                prompt=prompt,
                refused=refused,
            )
            for language in config.languages
        ]
    )
    rows = [row] if own in config.languages else []
    return rows + [one for several in found for one in several]


async def _in_language(
    row: Row, language: str, wanted: int, *, ask: Asking, sampling: Sampling, prompt: Prompt, refused: Refused
) -> list[Row]:
    """Asks for as many as are missing at a time, up to twice the number wanted: refused ones are made up for."""
    texts: list[str] = []
    index, most = 0, 2 * wanted
    while len(texts) < wanted and index < most:
        batch = range(index, min(index + wanted - len(texts), most))
        replies = await together([_wording(_request(row, language, sample, sampling), ask) for sample in batch])
        index = batch.stop
        for reply in replies:
            _take(reply, row, texts, refused)
    return [_variant(row, text, language, prompt) for text in texts]


async def _wording(request: Request, ask: Asking) -> Reply | None:
    """A reply, or None where the teacher had none: one wording less is no reason to lose the row."""
    try:
        return await ask(request)
    except AttemptFailed:
        return None


def _request(row: Row, language: str, sample: int, sampling: Sampling) -> Request:
    text = render(shipped("rephrase"), question=row.question, language=language, number=sample)
    return Request("rephrase", row, [{"role": "user", "content": text}], sampling, sample, language)


def _take(reply: Reply | None, row: Row, texts: list[str], refused: Refused) -> None:
    text = normalise(reply.message).answer.strip() if reply else ""
    if reply is None or reply.truncated or not text:
        reason: str | None = "no whole reply"
    elif text in texts or text == row.question:
        reason = "the same wording again"
    else:
        reason = meaning.lost(row.question, text, literals=literals(row.answer or ""))
    if reason:
        refused(row, text, reason)
    else:
        texts.append(text)


def _variant(row: Row, text: str, language: str, prompt: Prompt) -> Row:
    meta = {**row.meta, "language": language}
    meta.pop("question", None)
    mapped = {"answer": row.answer, "reasoning": row.reasoning, "category": row.category}
    return replace(variant(text, meta, mapped=mapped, prompt=prompt, origin=row.origin), group=row.group)


@lru_cache(maxsize=1024)
def literals(answer: str) -> frozenset[str]:
    """The string constants of a reference answer that is SQL; empty for any other text."""
    if "'" not in answer:
        return frozenset()
    from sqlglot.errors import SqlglotError
    from sqlglot.tokenizer_core import TokenType
    from sqlglot.tokens import Tokenizer

    try:
        tokens = Tokenizer().tokenize(answer)
    except SqlglotError:
        return frozenset()
    return frozenset(token.text for token in tokens if token.token_type is TokenType.STRING and token.text)
