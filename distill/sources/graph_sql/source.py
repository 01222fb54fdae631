"""The source itself: goes round the graphs, draws a query, runs it, words it, and leaves out what it had before.

May be imported by the package's face; imports the rest of this package and everything heavy inside functions.
Design reason: every query has a random stream of its own, named after the seed, the script, the graph and its number
there. So the same seed gives the same rows on any machine, a larger `count` only appends, and nothing is kept but the
fingerprints of what was written.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from distill.errors import SourceError
from distill.sources import BadRecord, Record
from distill.sources.files import expand

if TYPE_CHECKING:
    from distill.sources.graph_sql.data import Data
    from distill.teachers.symbolic.facts import Block, Facts
    from verify.graph_sql.database import Database

Difficulty = Literal["easy", "medium", "hard"]
Language = Literal["en", "zh"]

MOST_ROWS = 50
"""Rows of an answer; a query that returns more says little that a person could check."""
_TRIES = 80
"""Draws for one query before it is given up."""
_FAILURES = 2
"""Queries given up in a row before a difficulty counts as exhausted for a graph."""
_TRIES_OF_A_KIND = 8
"""Draws of one kind of query before another kind is tried, so that the rarer ones get their share."""
_AT_ONCE = 4
"""Queries of one script before the next one has its turn."""
_OPEN = 32
"""Databases that stay open. With more scripts than these, the later turns are longer, since each has to open one."""


def graph_sql(
    *,
    database: Path | None = None,
    count: int = 300,
    seed: int = 0,
    difficulty: Sequence[Difficulty] = ("easy", "medium", "hard"),
    languages: Sequence[Language] = ("en", "zh"),
    schemas: int | None = None,
    directory: Path | None = None,
) -> Iterator[Record | BadRecord]:
    """`count` different questions with their GRAPH_TABLE queries over the graphs of scripts, in Oracle's dialect.

    `database` is a script, a directory of scripts or a glob. `schemas` makes up so many more graphs as scripts in
    `directory`, with a `lexicon.yaml` that says how to speak of them; what is there already is left as it is. Every
    answer has between 1 and 50 rows. Columns: `graph` (the script's name without its ending), `question`, `answer`,
    `category`, `difficulty`. Fewer than `count` come out where the graphs give no more; a BadRecord says so.
    Raises SourceError for a script that cannot be loaded or holds no graph, and where there is no script at all.
    """
    if count < 1 or not difficulty or not languages:
        raise SourceError("`count` must be 1 or more, `difficulty` and `languages` name at least one")
    scripts = _scripts(database, schemas, directory, seed)
    rounds = [_Round(path, seed, tuple(difficulty), tuple(languages)) for path in scripts]
    given = 0
    for record in islice(_take_turns(rounds), count):
        given += 1
        yield record
    if given < count:
        yield BadRecord(
            f"the graphs gave {given} different queries, not {count}",
            ", ".join(path.name for path in scripts[:3]),
            "ask for fewer, or give more graphs or more rows",
        )


def _scripts(database: Path | None, schemas: int | None, directory: Path | None, seed: int) -> list[Path]:
    if database is None and not schemas:
        raise SourceError("no graph to ask about", help="say `database: PATH.sql`, or `schemas: 20` and `directory:`")
    made: list[Path] = []
    if schemas:
        if directory is None:
            raise SourceError("no place for the made-up schemas", help="say `directory: schemas` beside `schemas`")
        from distill.sources.graph_sql.schemas import write_schemas

        made = write_schemas(directory, schemas, seed=seed)
    known = {path.resolve() for path in made}
    given = expand(database, (".sql",)) if database is not None else []
    return [*(path for path in given if path.resolve() not in known), *made]


def _take_turns(rounds: "list[_Round]") -> Iterator[Record]:
    """A few queries of each script in turn, until none has any left."""
    longest = 1 if len(rounds) <= _OPEN else 4
    for turn in count_from(0):
        for one in list(rounds):
            for _ in range(_AT_ONCE * min(2**turn, longest)):
                record = one.next()
                if record is None:
                    rounds.remove(one)
                    break
                yield record
        if not rounds:
            return


@dataclass(slots=True)
class _Round:
    """One script, and how far it has been asked."""

    path: Path
    seed: int
    difficulties: tuple[Difficulty, ...]
    languages: tuple[Language, ...]
    number: int = 0
    """Draws so far, those without a query among them."""
    given: int = 0
    failed: dict[Difficulty, int] = field(default_factory=dict)
    """How often in a row nothing new was found, by difficulty."""
    known: set[bytes] = field(default_factory=set)
    """Fingerprints of the canonical forms that were given."""

    def next(self) -> Record | None:
        """The next query of this script; None where all difficulties are exhausted."""
        while min(self.failed.get(one, 0) for one in self.difficulties) < _FAILURES:
            number = self.number
            self.number += 1
            language = self.languages[number % len(self.languages)]
            difficulty = self.difficulties[number // len(self.languages) % len(self.difficulties)]
            if self.failed.get(difficulty, 0) >= _FAILURES:
                continue
            found = self._draw(number, difficulty, language)
            self.failed[difficulty] = 0 if found is not None else self.failed.get(difficulty, 0) + 1
            if found is not None:
                self.given += 1
                return Record(found, f"{self.path.name} (generated {self.given})")
        return None

    def _draw(self, number: int, difficulty: Difficulty, language: Language) -> dict[str, Any] | None:
        from distill.sources.graph_sql.pattern import Sampler
        from distill.sources.graph_sql.shapes import draw

        opened = open_script(self.path)
        for attempt in range(_TRIES):
            rng = Random(f"{self.seed}:{self.path.stem}:{number}:{attempt}")
            if attempt % _TRIES_OF_A_KIND == 0:
                kind = draw(difficulty, rng)
            data = rng.choice(opened.graphs)
            sql = kind.write(Sampler(data, rng))
            facts = self._accepted(sql, opened.database) if sql else None
            question = self._question(facts, language, rng) if facts is not None else ""
            if facts is not None and question:
                return _fields(self.path.stem, question, facts, kind.category, difficulty)
        return None

    def _question(self, facts: "Facts", language: Language, rng: Random) -> str:
        """The question in `language`; empty where the writer has no words in one of the languages that are wanted."""
        try:
            texts = {one: worded(facts, one, rng, beside=self.path.parent) for one in self.languages}
        except LookupError:
            return ""
        return texts[language]

    def _accepted(self, sql: str, database: "Database") -> "Facts | None":
        """What a query says, if it is a new one and its answer is neither empty nor long."""
        from distill.teachers.symbolic.reading import read_facts
        from verify.graph_sql.errors import GraphSqlError

        try:
            facts = read_facts(sql, database.catalog)
            mark = _fingerprint(facts.query.canonical())
            if mark in self.known:
                return None
            rows = database.run_tree(facts.query).rows
        except GraphSqlError:
            return None
        if not 1 <= len(rows) <= MOST_ROWS or _says_nothing(rows, facts.block):
            return None
        self.known.add(mark)
        return facts


def _says_nothing(rows: "list[tuple[Any, ...]]", block: "Block") -> bool:
    """Whether a result holds nothing but NULL and 0, or a single row where rows are grouped or put in order."""
    if all(cell in (None, 0) for row in rows for cell in row):
        return True
    return len(rows) == 1 and bool(block.group or (block.order and not block.fetch))


_COLUMN_NAME = re.compile(r' AS ("[^"]+"|\w+)')


def _fingerprint(canonical: str) -> bytes:
    """A mark of a canonical form that does not see what its columns are called."""
    for number, name in enumerate(dict.fromkeys(_COLUMN_NAME.findall(canonical))):
        canonical = re.sub(rf"(?<![\w.'\"]){re.escape(name)}(?!\w)", f"column{number}", canonical)
    return hashlib.blake2b(canonical.encode(), digest_size=8).digest()


def _fields(graph: str, question: str, facts: "Facts", category: str, difficulty: Difficulty) -> dict[str, Any]:
    from distill.teachers.symbolic.code import statement

    return {
        "graph": graph,
        "question": question,
        "answer": statement(facts.query),
        "category": category,
        "difficulty": difficulty,
    }


def worded(facts: "Facts", language: Language, rng: Random, *, beside: Path) -> str:
    """The question that a query answers, in the words of the lexicon beside its script."""
    from distill.teachers.symbolic.chinese import Chinese
    from distill.teachers.symbolic.english import English
    from distill.teachers.symbolic.lexicon import load_lexicon
    from distill.teachers.symbolic.questions import Questions

    graph = facts.matches[0].graph.shown if facts.matches else ""
    lexicon = load_lexicon(graph, language, beside=beside)
    voice = Chinese(facts, lexicon, rng) if language == "zh" else English(facts, lexicon, rng)
    return Questions(voice, turn=rng.randrange(1000)).write(facts.block)


# ---------------------------------------------------------------- opened scripts


@dataclass(frozen=True, slots=True)
class Opened:
    """A loaded script and the rows of its graphs."""

    database: "Database"
    graphs: "tuple[Data, ...]"


def open_script(path: Path) -> Opened:
    """The loaded script, kept until the file changes. Raises SourceError where it cannot be used."""
    return _open(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=_OPEN)
def _open(path: str, stamp: int) -> Opened:
    from distill.sources.graph_sql.data import read_graph
    from verify.graph_sql import load
    from verify.graph_sql.errors import GraphSqlError

    try:
        database = load(Path(path))
    except GraphSqlError as error:
        raise SourceError(f"cannot load `{Path(path).name}`", where=path, cause=str(error)) from error
    read = (read_graph(database, graph) for graph in database.graphs.values())
    graphs = tuple(data for data in read if any(data.vertices.values()))
    if not graphs:
        raise SourceError(
            f"no property graph with rows in `{Path(path).name}`", where=path, help="see CREATE PROPERTY GRAPH"
        )
    return Opened(database, graphs)
