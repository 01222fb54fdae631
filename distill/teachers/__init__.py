"""Who answers: the `Teacher` protocol and the one way in which an attempt fails.

May be imported by every module of `distill`; imports only records and errors. The teachers themselves are modules
beside this one and are found by name through `plugins`.
Design reason: a teacher makes one attempt and says what its failure means (retry, slow down, give up on everything);
`pace` alone decides what to do about it. So a new teacher cannot stack retries on retries, and every teacher obeys the
same limits.
"""

from typing import Literal, Protocol

from distill.errors import TeacherError
from distill.records import Reply, Request

Kind = Literal["connection", "timeout", "throttled", "server", "body", "request", "refused", "absent"]
"""What went wrong with an attempt.

`connection`: nothing came back. `timeout`: nothing came back in time. `throttled`: asked to slow down. `server`: the
server broke. `body`: what came back is not a completion. `request`: this request is unacceptable, others may not be.
`refused`: we are not let in. `absent`: a scripted teacher has no reply to this request.
"""


class AttemptFailed(Exception):  # noqa: N818 - reads as what happened
    """One attempt brought no reply. It never occupies a sample."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        retry: bool = False,
        fatal: bool = False,
        congested: bool = False,
        after: float | None = None,
        where: str = "",
        cause: str = "",
        help: str = "",
    ) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message
        self.retry = retry
        """Another attempt at the same request may succeed."""
        self.fatal = fatal
        """No other request would fare better: the run has to stop."""
        self.congested = congested
        """The teacher has more to do than it can take: ask for less at a time."""
        self.after = after
        """Seconds the server asked us to wait, or None."""
        self.where, self.cause, self.help = where, cause, help
        self.tries = 1
        """How many attempts were made in all; `pace` counts them."""
        self.seconds = 0.0
        """How long all of them took, the waiting between them included."""

    def __str__(self) -> str:
        detail = [self.cause] if self.cause else []
        if self.tries > 1:
            detail.append(f"{self.tries} tries in {self.seconds:.0f} s")
        return f"{self.message} ({', '.join(detail)})" if detail else self.message


def teacher_error(failure: AttemptFailed) -> TeacherError:
    """The same failure as an error that stops the run."""
    if failure.kind == "connection":
        return TeacherError(str(failure), where=failure.where, help=failure.help)
    return TeacherError(failure.message, where=failure.where, cause=failure.cause, help=failure.help)


class Teacher(Protocol):
    """Something that answers requests.

    A teacher whose answer depends on more than the messages (the row's reference answer, the language) also has
    `def reads(self, request: Request) -> Any`: what that is, as JSON. It goes into the key of every request, so that a
    reply is found again exactly where the teacher would give it again.
    """

    @property
    def identity(self) -> str:
        """The model: part of every request key. Never endpoint, key, retries or number of samples."""
        ...

    async def attempt(self, request: Request) -> Reply:
        """Answer with exactly one attempt; raises AttemptFailed."""
        ...

    async def close(self) -> None:
        """Let go of connections; the teacher is not used afterwards."""
        ...
