"""The teacher itself: takes a request, reads the row's reference query, answers in the row's language.

May be imported by the package's face; imports everything of this package lazily, since the parser is heavy.
Design reason: all randomness comes from a stream seeded with the row's id and the sample's index, so the same request
gets the same bytes on any machine, and caches hold only what can be made again.
"""

import hashlib
import random
import re
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from distill.records import Reply, Request, Row, Usage
from distill.teachers import AttemptFailed
from distill.teachers.symbolic.lexicon import Language, load_lexicon
from verify.contract import ContractError, fill_path
from verify.think import language

if TYPE_CHECKING:
    from distill.teachers.symbolic.facts import Facts
    from distill.teachers.symbolic.voice import Voice
    from verify.graph_sql.catalog import Catalog

VERSION = 3
"""Part of the identity: raised whenever the texts change."""

_MOST_ROWS = 512
"""How many rows' wordings are remembered between requests."""
_TRIES = 12
"""How often a wording that exists already is replaced by another try before giving up."""

_FENCED = re.compile(r"```(?:\w+)?[^\n]*\n(.*?)```", re.DOTALL)


class SymbolicTeacher:
    """A deterministic, free writer of questions and of thinking, from a query's syntax tree and its graph's schema.

    `database` is the script with the graph, as a path template filled from the row's meta; a `lexicon.yaml` beside it
    says what the names mean in words. `length` says how much the thinking adds to what the query needs. It is labelled
    as what it is in the provenance of every row.
    """

    def __init__(self, *, database: Path, seed: int = 0, length: Literal["short", "normal", "long"] = "normal") -> None:
        self._template, self._seed, self._length = str(database), seed, length
        self.base: Path | None = None
        """What `database` is relative to: the recipe's directory, set by whoever builds the teacher."""
        self._wordings: OrderedDict[tuple[str, str], list[str]] = OrderedDict()

    @property
    def identity(self) -> str:
        """`symbolic/<version>` with a digest of what else decides the texts: lexicon, seed and length."""
        folder = ((self.base or Path()) / self._template).parent
        lexicon = folder / "lexicon.yaml"
        known = "{" not in str(folder) and lexicon.is_file()
        words = _digest(str(lexicon), lexicon.stat().st_mtime_ns) if known else ""
        digest = hashlib.blake2b(f"{words}:{self._seed}:{self._length}".encode(), digest_size=4).hexdigest()
        return f"symbolic/{VERSION}+{digest}"

    def reads(self, request: Request) -> list[str | None]:
        """What an answer depends on beside the messages: the row, its query, and the script that defines its graph."""
        row = request.row
        try:
            path = self._path(row)
            return [row.id, row.answer, _digest(str(path), path.stat().st_mtime_ns)]
        except (ContractError, OSError):  # `attempt` says it to a person
            return [row.id, row.answer, None]

    async def attempt(self, request: Request) -> Reply:
        """Answer a `rephrase` or `explain` request; raises AttemptFailed for another task or an unreadable query."""
        facts = self._facts(request.row)
        if request.task == "rephrase":
            said = request.language or _language(request.row)
            content = self._rephrase(request.row, _supported(said), request.sample, facts)
            return self._reply({"role": "assistant", "content": content})
        if request.task == "explain":
            thinking, answer = self._explain(request.row, request.sample, facts)
            return self._reply({"role": "assistant", "reasoning_content": thinking, "content": answer})
        raise AttemptFailed(
            "request",
            f"the symbolic teacher cannot do the task `{request.task}`",
            help="use `strategy: {use: explain}`, or a teacher that is a language model",
        )

    async def close(self) -> None:
        """Nothing is held open."""

    def _reply(self, message: dict[str, str]) -> Reply:
        return Reply(message, usage=Usage(usd=0.0), model=f"symbolic/{VERSION}")

    def _facts(self, row: Row) -> "Facts":
        if not row.answer:
            raise AttemptFailed("request", "the symbolic teacher needs a reference query", where=row.origin)
        from verify.graph_sql.errors import GraphSqlError

        fenced = _FENCED.search(row.answer)
        try:
            path = self._path(row)
            return _read(fenced[1] if fenced else row.answer, str(path), path.stat().st_mtime_ns)
        except (GraphSqlError, ContractError, OSError) as error:
            raise AttemptFailed(
                "request", "cannot read the reference query", where=row.origin, cause=str(error)
            ) from error

    def _path(self, row: Row) -> Path:
        return fill_path(self._template, row.meta, base=self.base)

    def _voice(self, facts: "Facts", row: Row, said: Language, stream: str) -> "Voice":
        from distill.teachers.symbolic.chinese import Chinese
        from distill.teachers.symbolic.english import English

        rng = random.Random(f"{self._seed}:{row.id}:{said}:{stream}")
        graph = facts.matches[0].graph.shown if facts.matches else ""
        lexicon = load_lexicon(graph, said, beside=self._path(row).parent)
        return Chinese(facts, lexicon, rng) if said == "zh" else English(facts, lexicon, rng)

    def _rephrase(self, row: Row, said: Language, sample: int, facts: "Facts") -> str:
        """The wording number `sample`: unlike the question and those before it as long as there are any."""
        key = (row.id, said)
        texts = self._wordings.setdefault(key, [])
        self._wordings.move_to_end(key)
        if len(self._wordings) > _MOST_ROWS:
            self._wordings.popitem(last=False)
        while len(texts) <= sample:
            texts.append(self._another(row, said, facts, texts))
        return texts[sample]

    def _another(self, row: Row, said: Language, facts: "Facts", texts: list[str]) -> str:
        from distill.teachers.symbolic.questions import Questions

        start = int(hashlib.blake2b(row.id.encode(), digest_size=2).hexdigest(), 16)
        text = ""
        for attempt in range(_TRIES):
            voice = self._voice(facts, row, said, f"rephrase:{len(texts)}:{attempt}")
            text = Questions(voice, turn=start + len(texts) + attempt).write(facts.block)
            if text not in texts and text != row.question:
                break
        return text

    def _explain(self, row: Row, sample: int, facts: "Facts") -> tuple[str, str]:
        from distill.teachers.symbolic.code import statement
        from distill.teachers.symbolic.thinking import Thinking

        voice = self._voice(facts, row, _language(row), f"explain:{sample}")
        return Thinking(facts, voice, length=self._length).write(), f"```sql\n{statement(facts.query)}\n```"


def _supported(said: str) -> Language:
    if said not in get_args(Language):
        raise AttemptFailed(
            "request",
            f"the symbolic teacher does not write `{said}`",
            help="it writes `en` and `zh`; take those in `rephrase: {languages: […]}`, or another teacher",
        )
    return cast(Language, said)


def _language(row: Row) -> Language:
    said = row.meta.get("language")
    return cast(Language, said if said in get_args(Language) else language(row.question))


@lru_cache(maxsize=64)
def _digest(path: str, stamp: int) -> str:
    return hashlib.blake2b(Path(path).read_bytes()).hexdigest()


@lru_cache(maxsize=2048)
def _read(sql: str, path: str, stamp: int) -> "Facts":
    from distill.teachers.symbolic.reading import read_facts

    return read_facts(sql, _catalog(path, stamp))


@lru_cache(maxsize=64)
def _catalog(path: str, stamp: int) -> "Catalog":
    from verify.graph_sql.ddl import parse_script

    return parse_script(Path(path).read_text(encoding="utf-8")).catalog()
