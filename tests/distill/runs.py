"""Small runs for tests: a deterministic teacher in a user's file, a recipe as a mapping, what a run left."""

import json
from pathlib import Path
from typing import Any

TEACHER = '''
"""A teacher that answers at once: the sum in the question, wrong for the first `wrong` samples of every third row."""
from distill import AttemptFailed, Reply, Usage


class Adder:
    def __init__(self, *, wrong: int = 0, log: str = "", fail: str = "", cut: bool = False):
        self.wrong, self.log, self.fail, self.cut = wrong, log, fail, cut
        self.identity = "adder"

    async def attempt(self, request):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{request.task} {request.row.id} {request.sample}\\n")
        question = request.row.question
        if self.fail and self.fail in question:
            raise AttemptFailed("request", "too long for me")
        left, right = (int(part) for part in question.removesuffix("?").split("+"))
        off = 1 if request.sample < self.wrong and left % 3 == 0 else 0
        message = {"reasoning_content": f"I add {left} and {right}.", "content": str(left + right + off)}
        return Reply(message, "length" if self.cut else "stop", Usage(10, 20, 15, 0.001), "adder")

    async def close(self):
        pass
'''


def write_sums(path: Path, count: int, *, start: int = 0) -> Path:
    """A JSONL file of `count` additions with their golds."""
    rows = ({"question": f"{n}+{n + 1}?", "answer": str(2 * n + 1), "kind": "sum"} for n in range(start, start + count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def recipe(directory: Path, *, rows: int = 30, **sections: Any) -> dict[str, Any]:
    """A recipe over `rows` additions in `directory`, answered by the adder; `sections` replaces its sections."""
    (directory / "adder.py").write_text(TEACHER, encoding="utf-8")
    write_sums(directory / "sums.jsonl", rows)
    plain: dict[str, Any] = {
        "name": "sums",
        "source": {"use": "files", "path": "sums.jsonl"},
        "teacher": {"use": "./adder.py:Adder"},
        "samples": {"accept": 1, "max": 3},
        "verify": [{"use": "think", "required": True}, {"use": "exact", "required": True}],
    }
    return {**plain, **sections}


def snapshot(run_dir: Path) -> dict[str, bytes]:
    """Everything in a run directory that must be the same for the same ledger, by its path."""
    names = ("data", "provenance")
    files = [file for name in names for file in sorted((run_dir / name).glob("*.jsonl"))]
    files += [run_dir / "rejected.jsonl", run_dir / "README.md"]
    return {str(file.relative_to(run_dir)): file.read_bytes() for file in files if file.is_file()}


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def data(run_dir: Path) -> list[dict[str, Any]]:
    """All lines of the dataset, over all splits."""
    return [line for file in sorted((run_dir / "data").glob("*.jsonl")) for line in lines(file)]
