"""The records that flow through a run: `Row`, `Request`, `Reply`, `Trace`, `Sample`, `Settled`, and their identities.

May be imported by every module of `distill`; imports nothing of ours but the verdict contract.
Design reason: identity is content. A row or a request that says the same has the same id in every file format, in any
order and on any machine, so nothing is asked, or paid for, twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from verify.contract import Verdict

Message = Mapping[str, Any]
"""One chat message as an OpenAI-compatible endpoint takes it: `role`, `content`."""

Task = Literal["answer", "explain", "rephrase", "question", "translate", "compress", "judge"]

Outcome = Literal["kept", "dropped", "failed"]
"""`kept`: enough samples accepted. `dropped`: answered, none accepted. `failed`: no reply after all attempts."""


def content_id(*parts: Any) -> str:
    """24 hex digits (96 bits) of the canonical JSON of `parts`: about 1e-11 odds of one collision in 10^9 rows."""
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def canonical(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`facts` as every container can say them: scalars as text, empty values left out.

    A CSV cell `3` and a JSON number 3 are the same content, so they must give the same row id.
    """
    text = {key: value if isinstance(value, dict | list) else _text(value) for key, value in facts.items()}
    return {key: value for key, value in text.items() if value not in ("", None)}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, default=str).decode()


@dataclass(frozen=True, slots=True)
class Row:
    """One question on its way to becoming a training example."""

    id: str
    """`content_id` of the fields that were mapped: not of how the prompt is rendered, of `group` or of `origin`."""
    group: str
    """Id of the source question: rephrasings share it, and splits never divide it."""
    prompt: str
    """What the student will see."""
    answer: str | None = None
    """The reference answer (gold)."""
    reasoning: str | None = None
    """Reasoning or explanation that came with the row."""
    category: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Everything else that was mapped. `question` holds the bare question where the prompt says more."""
    origin: str = ""
    """Where it came from, for people: `file:line`. Not part of the identity."""

    @classmethod
    def make(
        cls,
        prompt: str,
        answer: str | None = None,
        *,
        reasoning: str | None = None,
        category: str | None = None,
        meta: Mapping[str, Any] | None = None,
        group: str = "",
        origin: str = "",
    ) -> "Row":
        """A row with its id computed; `group` defaults to that id.

        Where `meta` holds the bare question, that counts and not the prompt made from it: another prompt template is
        no other row.
        """
        facts = dict(meta or {})
        mapped = canonical(facts)
        question = mapped.pop("question", prompt)
        identity = content_id(question, answer, reasoning, category, mapped)
        return cls(identity, group or identity, prompt, answer, reasoning, category, facts, origin)

    @property
    def question(self) -> str:
        """The bare question: `meta["question"]`, or the prompt where there is no other."""
        return str(self.meta.get("question") or self.prompt)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply cost. Tokens as the server counted them; `usd` is None when the price is unknown."""

    input_tokens: int = 0
    output_tokens: int = 0
    """All output, reasoning included."""
    reasoning_tokens: int = 0
    usd: float | None = None

    def __add__(self, other: "Usage") -> "Usage":
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            usd,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask a teacher. HTTP teachers read `messages`; the symbolic one reads `task`, `row`, `language`."""

    task: Task
    row: Row
    messages: Sequence[Message]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 0
    """Which of several answers to the same messages this one is, from 0."""
    language: str = ""
    """`en` or `zh` where the task asks for a language; the messages say it too."""

    def key(self, identity: str, reads: Any = None) -> str:
        """What the ledger files the reply under, beside the sample index.

        `identity` is the teacher's: its model, never its endpoint, key, retries or number of samples. `reads` is what
        its answer depends on beside the messages; None for a language model, which has nothing else.
        """
        asked = (self.task, self.messages, self.sampling, identity)
        return content_id(*asked) if reads is None else content_id(*asked, reads)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply of a teacher, as it came: the normaliser can be improved later without paying again."""

    message: Mapping[str, Any]
    """The assistant message as the server sent it, reasoning fields included."""
    finish: str | None = "stop"
    """The server's finish reason; None where the stream ended without one."""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    seconds: float = 0.0

    @property
    def truncated(self) -> bool:
        """Whether the server cut it, by length or by ending without a finish reason."""
        return self.finish in (None, "length", "max_tokens")

    def dumps(self) -> bytes:
        """JSON bytes for the ledger."""
        return orjson.dumps(self)

    @classmethod
    def loads(cls, data: bytes) -> "Reply":
        """The reply that `dumps` wrote."""
        fields = orjson.loads(data)
        return cls(**{**fields, "usage": Usage(**fields["usage"])})


@dataclass(frozen=True, slots=True)
class Trace:
    """A reply as training data: thinking, then the answer."""

    thinking: str | None
    answer: str
    finished: bool = True
    """False when the reply was cut, or its thinking never closed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer to a row with everything known about it. `reply` is None for strategies that ask nobody."""

    index: int
    key: str
    trace: Trace
    reply: Reply | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    accepted: bool = False
    reason: str = ""
    """Why it was not accepted: the check that said so, then its words."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A row at the end of its life, with all its samples in index order."""

    row: Row
    position: tuple[int, int]
    """Index in the source, then index among the row's variants: the order in which data is written."""
    outcome: Outcome
    samples: Sequence[Sample] = ()
    reason: str = ""

    @property
    def accepted(self) -> list[Sample]:
        """The accepted samples, lowest index first."""
        return [sample for sample in self.samples if sample.accepted]
