"""A source: any function with keyword-only options that yields one mapping per row."""

from collections.abc import Iterator
from pathlib import Path


def sums(*, path: Path, most: int = 100) -> Iterator[dict[str, str]]:
    """One question for each line of two numbers. `prompt` and `answer` are the names that need no mapping."""
    for line in path.read_text(encoding="utf-8").splitlines()[:most]:
        left, right = line.split()
        yield {"prompt": f"What is {left} + {right}?", "answer": str(int(left) + int(right)), "category": "sums"}
