"""A strategy: two pure functions. `messages(row)` is what to ask, `trace(row, reply)` is what the reply teaches."""

from distill import Reply, Row, Trace


class LastLine:
    """Ask for work first and the answer in a last line of its own; everything above that line is the thinking."""

    def __init__(self, *, marker: str = "Answer:") -> None:
        self.marker = marker

    def messages(self, row: Row) -> list[dict[str, str]]:
        task = f"{row.prompt}\n\nWork it out step by step. End with one line: {self.marker} <the answer alone>"
        return [{"role": "user", "content": task}]

    def trace(self, row: Row, reply: Reply | None) -> Trace:
        assert reply is not None
        work, found, answer = str(reply.message.get("content", "")).rpartition(self.marker)
        return Trace(work.strip() or None, answer.strip(), finished=bool(found) and not reply.truncated)
