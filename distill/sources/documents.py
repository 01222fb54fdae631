"""Documents with worked examples: Markdown headings, a question, fenced code, an explanation.

Imported by the plug-in table only. Design reason: structure, not a model, says what an example is, so that reading a
reference costs nothing and every row can name the line it came from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from distill.errors import SourceError
from distill.sources import BadRecord, Record
from distill.sources.files import expand


@dataclass(slots=True)
class _Section:
    """What stands between one heading and the next."""

    titles: list[str]
    line: int
    before: list[str] = field(default_factory=list)
    code: str | None = None
    info: str = ""
    after: list[str] = field(default_factory=list)


def documents(*, path: Path, level: int = 3) -> Iterator[Record | BadRecord]:
    """Worked examples of a Markdown file, or of all of a directory's (`README.md` left out).

    An example is a section under a heading of `level` with a fenced block: the text before it is the question, the
    block the answer, the text after it the reasoning; the heading above names the category. `key=value` pairs behind
    the fence's language become columns. Sections without code are documentation and yield nothing.
    """
    for file in expand(path, (".md", ".markdown")):
        if file.suffix.lower() not in (".md", ".markdown"):
            raise SourceError(f"cannot read `{file.name}` as a document", where=str(file), help="read here: Markdown")
        if file.name != "README.md" or file == path:
            yield from _examples(file, level)


def _examples(file: Path, level: int) -> Iterator[Record | BadRecord]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield BadRecord(f"not UTF-8: {error.reason} at byte {error.start}", file.name, "save the file as UTF-8")
        return
    for section in _sections(text):
        if len(section.titles) == level and section.code is not None:
            yield _record(section, file.name)


def _sections(text: str) -> Iterator[_Section]:
    lines = text.splitlines()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    section = _Section([], 1)
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0:
            yield section
            depth = int(token.tag[1:])
            above = (section.titles + [""] * depth)[: depth - 1]
            section = _Section([*above, tokens[index + 1].content], _line(token))
        elif token.level == 0 and token.map and token.nesting >= 0:
            _add(section, token, lines)
    yield section


def _add(section: _Section, token: Token, lines: list[str]) -> None:
    if token.type == "fence" and section.code is None:
        section.code, section.info = token.content.strip(), token.info
        return
    first, last = token.map or (0, 0)
    text = "\n".join(lines[first:last]).strip()
    block = _unwrapped(text) if token.type == "paragraph_open" else text
    (section.before if section.code is None else section.after).append(block)


def _unwrapped(text: str) -> str:
    """A paragraph as one line: where the author broke it means nothing. Chinese is joined without a blank."""
    return re.sub(
        r"[ \t]*\n[ \t]*", " ", re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])", "", text)
    )


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def _record(section: _Section, name: str) -> Record | BadRecord:
    origin = f"{name}:{section.line} ({section.titles[-1]})"
    question = "\n\n".join(text for text in section.before if text)
    if not question:
        return BadRecord("a worked example needs its question before the code", origin)
    if not section.code:
        return BadRecord("the code block of this example is empty", origin)
    pairs = dict(word.split("=", 1) for word in section.info.split() if "=" in word)
    return Record(
        {
            **pairs,
            "question": question,
            "answer": section.code,
            "reasoning": "\n\n".join(text for text in section.after if text),
            "category": section.titles[-2] if len(section.titles) > 1 else "",
        },
        origin,
    )
