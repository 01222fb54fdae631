"""Twenty rows per language of a run of the default recipe, as a page for people to judge.

    distill run graph_sql --out RUN && python tests/benchmarks/rows.py RUN > samples/graph_sql/rows.md

Rows are taken from all categories in turn, in each by the hash of their id: nobody chose them.
"""

import hashlib
import itertools
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

EACH = 20


def rows_of(run: Path) -> list[dict[str, Any]]:
    """Lines of `data/` with those of `provenance/` beside them."""
    found = []
    for file in sorted((run / "data").glob("*.jsonl")):
        beside = (run / "provenance" / file.name).read_text(encoding="utf-8").splitlines()
        for line, other in zip(file.read_text(encoding="utf-8").splitlines(), beside, strict=True):
            found.append({**json.loads(other), **json.loads(line)})
    return found


def chosen(rows: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """One row of each category in turn, until there are enough."""
    piles: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: hashlib.blake2b(row["id"].encode()).digest()):
        if row["language"] == language:
            piles[row.get("category", "")].append(row)
    turns = itertools.zip_longest(*(piles[name] for name in sorted(piles)))
    return [row for turn in turns for row in turn if row is not None][:EACH]


def main() -> None:
    rows = rows_of(Path(sys.argv[1]))
    print(f"# Rows to judge\n\nTwenty of {len(rows):,} rows per language, by hash, over all topics;", end=" ")
    print("the prompt also holds the graph's schema.\nWritten by `tests/benchmarks/rows.py`.")
    for language, title in (("en", "English"), ("zh", "Chinese")):
        print(f"\n## {title}")
        for number, row in enumerate(chosen(rows, language), 1):
            print(f"\n### {title} {number}: {row.get('category', '')}\n\n**{row['question']}**\n")
            print(row["completion"].replace("<think>", "`<think>`").replace("</think>", "`</think>`"))


if __name__ == "__main__":
    main()
