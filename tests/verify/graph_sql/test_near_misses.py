"""Every kind of near-miss, made on the trees of the samples' golds, is told from the gold; rewritings never are."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from verify.graph_sql import GraphCannotRun, GraphSqlError, judge, load

from .mutants import KINDS
from .rewritings import REWRITINGS
from .same_meaning import checked_by_hand, digest, same_meaning

SAMPLES = Path(__file__).parents[3] / "samples" / "graph_sql"
TABLE = Path(__file__).with_name("near_misses.md")
ENOUGH = 0.99
"""Share of the near-misses of all golds that must be told from the gold."""
ENOUGH_OF_SOME = 0.98
"""The same for the few golds of the suite, where one miss weighs more."""
SUITE_STEP = 17
"""The suite takes every so many of the golds, `make soak` all of them."""


def golds() -> list[tuple[str, str]]:
    text = (SAMPLES / "reference.md").read_text(encoding="utf-8")
    return re.findall(r"```sql graph=(\w+)\n(.*?)```", text, re.DOTALL)


@lru_cache
def database(graph: str) -> Any:
    return load(SAMPLES / f"{graph}.sql")


def changed(chosen: list[tuple[str, str]], kinds: dict[str, Callable[..., Any]]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Kind, database, prepared gold and prepared change, for all that the dialect takes and that can run here."""
    for graph, text in chosen:
        db = database(graph)
        gold = db.prepare(text)
        for kind, make in kinds.items():
            for sql in dict.fromkeys(one.sql() for one in make(gold.query, db.catalog)):
                try:
                    db.check(sql)
                    yield kind, db, gold, db.prepare(sql)
                except (GraphSqlError, GraphCannotRun):
                    continue


def judged(chosen: list[tuple[str, str]]) -> tuple[dict[str, Counter[str]], list[str]]:
    """What became of the near-misses by kind, and those that were missed."""
    by_hand = checked_by_hand()
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    missed: list[str] = []
    for kind, db, gold, mutant in changed(chosen, KINDS):
        if same_meaning(db, kind, gold, mutant):
            found[kind]["same"] += 1
            continue
        try:
            compared = db.compare(gold.query.text, mutant.query.text)
        except GraphCannotRun:
            continue
        if compared.verdict != "equal":
            found[kind]["own rows" if compared.seed is None else "generated"] += 1
            continue
        name = digest(kind, gold.query.text, mutant.query.text)
        if name in by_hand:
            found[kind]["same"] += 1
        else:
            found[kind]["missed"] += 1
            missed.append(f"{name} {kind}\n{gold.query.text}\n{mutant.query.text}")
    return found, missed


def table(found: dict[str, Counter[str]]) -> str:
    names = ("own rows", "generated", "missed", "same")
    lines = [
        "# Near-misses of the samples' golds",
        "",
        "Written by `make soak`. Told from the gold by the script's own rows or by generated ones, or missed; the last",
        "column counts the changes that mean the same, by the rules and the list beside this file.",
        "",
        "| kind | own rows | generated | missed | mean the same |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {kind} | {' | '.join(str(one[name]) for name in names)} |" for kind, one in found.items() if one.total()
    ]
    total = sum(found.values(), Counter[str]())
    lines.append(
        f"| **all {sum(1 for one in found.values() if one.total())} kinds** | "
        f"{' | '.join(f'**{total[name]}**' for name in names)} |"
    )
    return "\n".join(lines) + "\n"


def share_told(found: dict[str, Counter[str]]) -> float:
    total = sum(found.values(), Counter[str]())
    told = total["own rows"] + total["generated"]
    return told / (told + total["missed"])


def test_near_misses_are_told_from_some_golds() -> None:
    found, missed = judged(golds()[::SUITE_STEP])
    assert sum(1 for one in found.values() if one["own rows"] + one["generated"]) >= 30
    assert share_told(found) >= ENOUGH_OF_SOME, "\n\n".join(missed)


def test_there_are_enough_kinds_and_rewritings() -> None:
    assert len(KINDS) >= 30
    assert len(REWRITINGS) >= 15


def test_rewritings_are_never_called_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_same_text", lambda *_: False)  # rows decide, however alike the texts are
    assert rewritten(golds()[3 :: SUITE_STEP + 5]) >= 40


def rewritten(chosen: list[tuple[str, str]]) -> int:
    """How many rewritings were compared, and all of them equal."""
    count = 0
    for kind, db, gold, other in changed(chosen, REWRITINGS):
        compared = db.compare(gold.query.text, other.query.text)
        shown = f"{kind}: {compared.reason}\n{gold.query.text}\n{other.query.text}"
        assert compared.verdict == "equal", shown
        count += 1
    return count


@pytest.mark.soak
def test_near_misses_are_told_from_all_golds(soak_table: Callable[[str, int, str], None]) -> None:
    found, missed = judged(golds())
    TABLE.write_text(table(found), encoding="utf-8")
    share = share_told(found)
    soak_table("near-misses told from the golds", sum(one.total() for one in found.values()), f"{share:.1%} told")
    assert share >= ENOUGH, "\n\n".join(missed)


@pytest.mark.soak
def test_rewritings_of_all_golds(monkeypatch: pytest.MonkeyPatch, soak_table: Callable[[str, int, str], None]) -> None:
    monkeypatch.setattr(judge, "_same_text", lambda *_: False)
    soak_table("rewritings of the golds", rewritten(golds()), "all equal")
