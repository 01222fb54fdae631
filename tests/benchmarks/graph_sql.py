"""CPU time of checking, running and comparing the samples' golds. Aims: check 1 ms, query 5 ms, comparison 60 ms."""

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlglot import exp

from verify.graph_sql import load

SAMPLES = Path(__file__).parents[2] / "samples" / "graph_sql"
STEP = 6
"""Every so many of the golds."""


def milliseconds(work: Callable[[], Any]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def row(name: str, aim: str, times: list[float]) -> str:
    ordered = sorted(times)
    late = ordered[int(len(ordered) * 0.9)]
    return f"| {name:<28} | {aim:>5} | {statistics.median(times):8.2f} | {late:8.2f} | {ordered[-1]:8.2f} |"


def main() -> None:
    found = re.findall(
        r"```sql graph=(\w+)\n(.*?)```", (SAMPLES / "reference.md").read_text(encoding="utf-8"), re.DOTALL
    )
    databases = {graph: load(SAMPLES / f"{graph}.sql") for graph, _ in found}
    golds = [(databases[graph], text) for graph, text in found[::STEP]]
    for db, text in golds:
        db.check(text)  # what is imported and compiled once is not counted
    print(f"| {'ms of CPU':<28} |   aim |   median |      90% |      max |")
    print(f"|{'-' * 30}|------:|---------:|---------:|---------:|")
    print(row("parse", "", [milliseconds(lambda db=db, text=text: db.parse(text)) for db, text in golds]))
    print(row("check", "1", [milliseconds(lambda db=db, text=text: db.check(text)) for db, text in golds]))
    print(row("query, first time", "5", [milliseconds(lambda db=db, text=text: db.query(text)) for db, text in golds]))
    print(row("query, known text", "5", [milliseconds(lambda db=db, text=text: db.query(text)) for db, text in golds]))
    first, cached = comparisons(golds)
    print(row("comparison, makes databases", "", first))
    print(row("comparison, cached", "60", cached))


def comparisons(golds: list[tuple[Any, str]]) -> tuple[list[float], list[float]]:
    """Of equal queries in another text, which is the slow case: every generated database is asked."""
    first: list[float] = []
    cached: list[float] = []
    for db, text in golds:
        for times, condition in ((first, "1 = 1"), (cached, "2 = 2")):
            other = db.parse(text)
            table = other.tables[0]
            always = exp.condition(condition)
            where = always if table.where is None else exp.and_(table.where.copy(), always)
            changed = replace(other, tables=(replace(table, where=where), *other.tables[1:])).sql()
            times.append(milliseconds(lambda db=db, text=text, changed=changed: db.compare(text, changed)))
    return first, cached


if __name__ == "__main__":
    main()
