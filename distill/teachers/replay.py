"""A teacher that reads its replies from a file: for tests of recipes and pipelines, and for replies made elsewhere.

May be imported by plugins only when a recipe names it; imports records, errors, teachers.
Design reason: the fake ships with the product, so that a user's own test runs the whole engine, offline and with the
same result every time, by changing one line of the recipe.

One JSON object per line. Which request a line answers:

    question | prompt | id    the row's bare question, its prompt, or its id; a line with none of them answers any row
    task                      `answer`, `explain`, `rephrase` …; left out: any
    language                  `en`, `zh` … where the request asks for one; left out: any
    sample                    0, 1 … ; left out: lines for the same request are its samples in the order of the file

What it answers:

    content, reasoning        the text and, apart from it, the thinking
    message                   instead of these: the whole assistant message as a server sends it
    finish                    the finish reason, `stop` if left out
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from distill.errors import SetupError, UsageError
from distill.records import Reply, Request, Usage
from distill.teachers import AttemptFailed


class Line(BaseModel):
    """One scripted reply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str | None = None
    prompt: str | None = None
    id: str | None = None
    task: str | None = None
    language: str | None = None
    sample: int | None = None
    content: str | None = None
    reasoning: str | None = None
    message: dict[str, Any] | None = None
    finish: str | None = "stop"

    @model_validator(mode="after")
    def _answers_something(self) -> "Line":
        if (self.message is None) == (self.content is None and self.reasoning is None):
            raise ValueError("a line needs either `content` (with or without `reasoning`) or a whole `message`")
        return self

    @property
    def place(self) -> tuple[str, str]:
        """By what it is found: the name of a field of the row, and its text."""
        for name in ("id", "prompt", "question"):
            text: str | None = getattr(self, name)
            if text is not None:
                return name, text.strip()
        return "any", ""

    def fits(self, request: Request) -> bool:
        """Whether task and language are the request's, as far as they are stated."""
        return self.task in (None, request.task) and self.language in (None, request.language)

    def reply(self) -> Reply:
        """The reply as a server would have sent it."""
        if self.message is not None:
            return Reply(self.message, self.finish, Usage(usd=0.0), "replay")
        parts = {"role": "assistant", "content": self.content, "reasoning": self.reasoning}
        return Reply(
            {name: part for name, part in parts.items() if part is not None}, self.finish, Usage(usd=0.0), "replay"
        )


class ReplayTeacher:
    """Answers from the JSON lines in `path`.

    `strict`: every sample needs a line of its own. Otherwise the last one is served again when more are asked for.
    """

    def __init__(self, *, path: Path, strict: bool = True) -> None:
        self._path, self._strict = Path(path), strict
        try:
            content = self._path.read_bytes()
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise SetupError(f"cannot read `{self._path.name}`", where=str(path), cause=cause.lower()) from None
        self.identity = f"replay:{hashlib.blake2b(content, digest_size=6).hexdigest()}"
        """Holds the file's digest: a changed file must not be mixed with replies of the old one."""
        self._lines: dict[tuple[str, str], list[Line]] = {}
        for line in _lines(content, str(path)):
            self._lines.setdefault(line.place, []).append(line)

    async def attempt(self, request: Request) -> Reply:
        """The scripted reply; raises AttemptFailed, not to be retried, when there is none."""
        found = [line for line in self._candidates(request) if line.fits(request)]
        named = [line for line in found if line.sample == request.sample]
        in_order = [line for line in found if line.sample is None]
        if named:
            return named[0].reply()
        if request.sample < len(in_order):
            return in_order[request.sample].reply()
        if found and not self._strict:
            return found[-1].reply()
        wanted = f"`{request.task}` number {request.sample} of `{_short(request.row.question)}`"
        raise AttemptFailed("absent", f"no reply to {wanted} in `{self._path.name}`", where=str(self._path))

    def reads(self, request: Request) -> list[str]:
        """How the row is named here, and the language: lines are found by nothing else of a request but its task."""
        return [*self._place(request), request.language]

    def _candidates(self, request: Request) -> list[Line]:
        """Lines for this row."""
        return self._lines.get(self._place(request), [])

    def _place(self, request: Request) -> tuple[str, str]:
        """The most specific way in which a line names the row; any row where none does."""
        row = request.row
        ways = (("id", row.id), ("prompt", row.prompt.strip()), ("question", row.question.strip()))
        return next((way for way in ways if way in self._lines), ("any", ""))

    async def close(self) -> None:
        """Nothing is open."""


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _lines(content: bytes, path: str) -> Iterator[Line]:
    """Every line that is not blank. Raises UsageError that names the first one that cannot be used."""
    for number, text in enumerate(content.split(b"\n"), start=1):
        if not text.strip():
            continue
        try:
            yield Line.model_validate(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            raise UsageError("a scripted reply is not JSON", where=f"{path}:{number}", cause=error.msg) from None
        except ValidationError as error:
            first = error.errors()[0]
            cause = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
            help = f"keys here: {', '.join(Line.model_fields)}"
            raise UsageError(
                "a scripted reply cannot be used", where=f"{path}:{number}", cause=cause, help=help
            ) from None
