"""Verifiers: tagged functions from a case to a verdict. They run in a worker process with limits of time and memory."""

import re

from distill import Case, Verdict, verifier


@verifier
def brief(case: Case, *, most: int = 200) -> Verdict:
    """The answer alone is not longer than `most` characters."""
    size = len(case.answer)
    return Verdict("pass" if size <= most else "fail", reason=f"{size} characters, limit {most}")


@verifier
def grounded(case: Case) -> Verdict:
    """Every number of the answer was reached in the thinking. Says `skip` where there is no thinking to look at."""
    if case.thinking is None:
        return Verdict("skip", reason="no thinking")
    numbers = re.findall(r"\d+(?:\.\d+)?", case.answer)
    absent = [number for number in numbers if number not in case.thinking]
    share = 1 - len(absent) / len(numbers) if numbers else 1.0
    return Verdict("fail" if absent else "pass", reason=f"not in the thinking: {absent}" if absent else "", score=share)
