"""The plug-ins of million.py: a source of numbered rows, and a teacher that answers at once."""

from collections.abc import Iterator

from distill import Reply, Request


def numbered(*, rows: int) -> Iterator[dict[str, str]]:
    for number in range(rows):
        yield {"prompt": f"What comes after {number}?", "answer": str(number + 1)}


class Successor:
    """Adds one."""

    identity = "successor/1"

    async def attempt(self, request: Request) -> Reply:
        answer = request.row.answer
        return Reply({"role": "assistant", "reasoning_content": f"One more is {answer}.", "content": answer})

    async def close(self) -> None:
        pass
