"""A teacher: `attempt` makes one attempt at one request. Retries, limits and the ledger are not its business."""

import re

from distill import AttemptFailed, Reply, Request


class Adder:
    """Answers questions that hold two numbers."""

    def __init__(self, *, polite: bool = False) -> None:
        self.polite = polite

    @property
    def identity(self) -> str:
        """Part of every request's key: change it when the answers would change."""
        return f"adder/1 polite={self.polite}"

    async def attempt(self, request: Request) -> Reply:
        numbers = [int(text) for text in re.findall(r"\d+", str(request.messages[-1]["content"]))]
        if len(numbers) != 2:
            raise AttemptFailed("request", "this teacher adds exactly two numbers")
        opening = "With pleasure. " if self.polite else ""
        thinking = f"{opening}I add {numbers[1]} to {numbers[0]} and get {sum(numbers)}."
        return Reply({"role": "assistant", "reasoning_content": thinking, "content": str(sum(numbers))})

    async def close(self) -> None:
        """Nothing to let go of."""
