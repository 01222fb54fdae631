"""How varied the symbolic teacher's thinking is over the default recipe's rows, and how fast it and `trace` are.

`python -m tests.benchmarks.variety` runs the recipe in a temporary directory and prints the table; with `--write` it
goes to `variety.md` beside this file. Times are CPU time of one core, everything else is the same on every machine.
"""

import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from distill import engine
from distill.recipe import load_recipe
from distill.records import Request, Row
from distill.teachers.symbolic import SymbolicTeacher, thinking
from distill.teachers.symbolic.wording import fill, table
from verify.contract import Case
from verify.graph_sql import trace
from verify.think import language, normalise

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "graph_sql"
LANGUAGES = ("en", "zh")
WINDOW = 20_000
"""Tokens over which distinct-n is taken: it falls with the length of a text, so it is compared at one length."""
TIMED = 400

_TOKENS = re.compile(r"`[^`\n]*`|[A-Za-z]+(?:'[a-z]+)?|[\u4e00-\u9fff]")
_STRIPPED = re.compile(r"`[^`\n]*`|'[^'\n]*'|“[^”\n]*”|[\d\W_]")


@dataclass
class Corpus:
    """The texts of one language, and which sentence plans they were made with."""

    texts: list[str] = field(default_factory=list)
    plans: Counter[str] = field(default_factory=Counter)


def tokens(text: str) -> list[str]:
    """Words, Chinese characters, and a piece of code as one token that is always the same."""
    return ["`" if one.startswith("`") else one.lower() for one in _TOKENS.findall(text)]


def grams(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Every `size` tokens in a row."""
    return zip(*(words[start:] for start in range(size)), strict=False)


def distinct(texts: Sequence[str], size: int) -> float:
    """Different n-grams by all n-grams of the first `WINDOW` tokens."""
    words = [word for text in texts for word in tokens(text)][:WINDOW]
    found = list(grams(words, size))
    return len(set(found)) / max(1, len(found))


def repetition(text: str) -> float:
    """The share of a text's trigrams that came before in the same text."""
    found = list(grams(tokens(text), 3))
    return 1 - len(set(found)) / len(found) if found else 0.0


def equal(texts: Sequence[str]) -> float:
    """The share of texts that equal another one without punctuation, code, literals and numbers."""
    counts = Counter(_STRIPPED.sub("", text).lower() for text in texts)
    return sum(count - 1 for count in counts.values()) / max(1, len(texts))


def coverage(corpus: Corpus, said: str) -> tuple[int, int]:
    """How many of the sentence plans of a language were used, and how many there are."""
    known = {plan for plans in table(f"thinking.{said}").values() for plan in plans}
    return len(known & corpus.plans.keys()), len(known)


def collect(directory: Path) -> dict[str, Corpus]:
    """The thinking of every curated row of the default recipe."""
    used: Counter[str] = Counter()
    plain = fill

    def counting(template: str, *arguments: Any, **options: Any) -> str:
        used[template] += 1
        return plain(template, *arguments, **options)

    vars(thinking)["fill"] = counting
    try:
        result = asyncio.run(engine.run(load_recipe(ROOT / "recipes" / "graph_sql.yaml"), run_dir=directory))
    finally:
        vars(thinking)["fill"] = plain
    found = {said: Corpus(plans=used) for said in LANGUAGES}
    for file in sorted((result.run_dir / "data").glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            text = normalise({"content": orjson.loads(line)["completion"]}).thinking or ""
            found[language(text)].texts.append(text)
    return found


def shown(corpora: dict[str, Corpus]) -> list[str]:
    """The table, a column for each language."""
    rows: list[tuple[str, list[str]]] = [("texts", [str(len(one.texts)) for one in corpora.values()])]
    for size in (1, 2, 3, 4):
        rows.append((f"distinct-{size}", [f"{distinct(one.texts, size):.3f}" for one in corpora.values()]))
    repeated = [statistics.fmean(map(repetition, one.texts)) for one in corpora.values()]
    rows.append(("trigram repetition inside a text", [f"{share:.1%}" for share in repeated]))
    rows.append(
        ("equal to another, bare of code and literals", [f"{equal(one.texts):.1%}" for one in corpora.values()])
    )
    covered = [coverage(one, said) for said, one in corpora.items()]
    rows.append(("sentence plans used", [f"{used} of {known}" for used, known in covered]))
    lengths = [sorted(map(len, one.texts)) for one in corpora.values()]
    for name, part in (("shortest", 0.0), ("a quarter below", 0.25), ("median", 0.5), ("a quarter above", 0.75)):
        rows.append((f"characters, {name}", [str(one[int(part * (len(one) - 1))]) for one in lengths]))
    rows.append(("characters, longest", [str(one[-1]) for one in lengths]))
    heading = ["| | English | Chinese |", "|---|---:|---:|"]
    return [*heading, *(f"| {name} | {' | '.join(values)} |" for name, values in rows)]


def examples() -> list[Row]:
    """The worked examples of the reference, in both languages."""
    from distill.sources.documents import documents

    found = []
    for record in documents(path=SAMPLES / "reference.md"):
        facts = getattr(record, "fields", None)
        if facts:
            for said in LANGUAGES:
                meta = {"graph": facts["graph"], "language": said}
                found.append(Row.make(facts["question"], facts["answer"], meta=meta, origin="reference.md"))
    return found


def speed() -> list[str]:
    """Texts a minute on one core: writing, checking with `trace`, and both."""
    teacher = SymbolicTeacher(database=Path("{graph}.sql"))
    teacher.base = SAMPLES
    rows = examples()
    requests = [Request("explain", row, [], sample=number) for number in range(8) for row in rows]
    asyncio.run(_answered(teacher, requests[: len(rows)]))
    started = time.process_time()
    replies = asyncio.run(_answered(teacher, requests[len(rows) : len(rows) + TIMED]))
    written = time.process_time() - started
    started = time.process_time()
    for request, message in zip(requests[len(rows) :], replies, strict=False):
        case = Case("", "", message["reasoning_content"], message["content"], question=request.row.question)
        assert trace(case, database=SAMPLES / f"{request.row.meta['graph']}.sql")
    checked = time.process_time() - started
    pace = {"written": written, "checked by `trace`": checked, "both": written + checked}
    lines = ["| texts a minute on one core | |", "|---|---:|"]
    return lines + [f"| {name} | {60 * TIMED / spent:,.0f} |" for name, spent in pace.items()]


async def _answered(teacher: SymbolicTeacher, requests: Sequence[Request]) -> list[dict[str, Any]]:
    return [dict((await teacher.attempt(request)).message) for request in requests]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        lines = shown(collect(Path(directory) / "graph_sql"))
    note = (
        "Thinking of the symbolic teacher over the default recipe's curated rows: `python -m tests.benchmarks.variety`."
    )
    window = (
        f"Distinct-n is taken over {WINDOW:,} tokens, a piece of code counting as one token that is always the same."
    )
    text = "\n".join(["# Variety", "", note, window, "", *lines, "", *speed(), ""])
    print(text)
    if "--write" in sys.argv:
        Path(__file__).with_name("variety.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
