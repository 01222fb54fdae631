"""How a row becomes a question for the teacher, and how a reply becomes a trace. Also how a prompt is rendered.

May be imported by the engine, `rephrase`, `check` and the plug-in table; imports records and `verify`.
Design reason: a strategy is two pure functions, `messages(row)` and `trace(row, reply)`. All asking is the engine's, so
a strategy can be replayed over the ledger as often as one likes without a teacher. Prompts are files beside this one.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from distill.records import Message, Reply, Row, Task, Trace
from verify.think import Thought, language, normalise

if TYPE_CHECKING:
    from jinja2 import Template as JinjaTemplate

    from verify.graph_sql import Database


@runtime_checkable
class Strategy(Protocol):
    """What the engine needs of a strategy; a user's class needs `messages` and `trace`, `task` defaults to `answer`."""

    def messages(self, row: Row) -> Sequence[Message] | None:
        """What to ask the teacher about this row; None when nobody is asked."""
        ...

    def trace(self, row: Row, reply: Reply | None) -> Trace:
        """The training data that a reply holds. Pure: the same reply always gives the same trace."""
        ...


class Distil:
    """Ask the teacher what the student will be asked; its thinking and answer become the trace."""

    task: Task = "answer"

    def __init__(self, *, system: str = "") -> None:
        self._system = system

    def messages(self, row: Row) -> list[Message]:
        """The student's prompt as it is, after the recipe's system message if there is one."""
        system = [{"role": "system", "content": self._system}] if self._system else []
        return [*system, {"role": "user", "content": row.prompt}]

    def trace(self, row: Row, reply: Reply | None) -> Trace:
        """Thinking from wherever the server put it, and the answer."""
        return _trace(_reply(reply), normalise(_reply(reply).message))


class Explain:
    """Show the teacher question and reference answer; it writes thinking that leads there *and its own answer*.

    What is verified later is that own answer; the reference is never pasted in.
    """

    task: Task = "explain"

    def __init__(self, *, template: Path | None = None) -> None:
        self._template = template

    def messages(self, row: Row) -> list[Message]:
        """One user message with the task, the reference answer and the explanation, in the question's language."""
        text = render(
            self._template or shipped("explain"),
            prompt=row.prompt,
            answer=row.answer or "",
            reasoning=row.reasoning or "",
            language=language_of(row),
            code="graph" in row.meta,
        )
        return [{"role": "user", "content": text}]

    def trace(self, row: Row, reply: Reply | None) -> Trace:
        """The `<think>` block written as text; a server's own reasoning field only where there is none.

        A reasoning teacher's private thinking has seen the reference and talks about it, so it is the second choice.
        """
        whole = _reply(reply)
        written = normalise({"content": whole.message.get("content")})
        return _trace(whole, written if written.thinking else normalise(whole.message))


class Template:
    """Rows that bring their own reasoning: no teacher is asked, the columns become the trace."""

    task: Task = "answer"

    def messages(self, row: Row) -> None:
        """Nothing is asked."""
        return None

    def trace(self, row: Row, reply: Reply | None) -> Trace:
        """The row's reasoning and answer; thinking tags inside the columns are read as such."""
        thought = normalise({"reasoning_content": row.reasoning, "content": row.answer or ""})
        return Trace(thought.thinking, thought.answer, thought.closed)


def _reply(reply: Reply | None) -> Reply:
    if reply is None:
        raise ValueError("this strategy needs a reply")
    return reply


def _trace(reply: Reply, thought: Thought) -> Trace:
    return Trace(thought.thinking, thought.answer, thought.closed and not reply.truncated)


# ---------------------------------------------------------------- prompts


def language_of(row: Row) -> str:
    """As the row says, else as its question is written: `en`, `zh`, another, or empty where it has no words."""
    said = row.meta.get("language")
    return str(said) if said else language(row.question)


def plain_prompt(question: str, meta: Mapping[str, Any]) -> str:
    """The question is the prompt."""
    return question


def graph_sql_prompt(
    question: str, meta: Mapping[str, Any], *, database: Path, dialect: str = "Oracle", template: Path | None = None
) -> str:
    """The graph's schema, then the question: a bare question cannot determine a query.

    `database` is the script that creates the graph; `template` replaces the shipped `prompts/graph_sql.md.j2` and gets
    `schema`, `question`, `language`, `dialect` and `meta`.
    """
    schema = _schema(str(database), database.stat().st_mtime_ns)
    return render(
        template or shipped("graph_sql"),
        schema=schema,
        question=question,
        language=str(meta.get("language") or language(question)),
        dialect=dialect,
        meta=meta,
    )


@lru_cache(maxsize=64)
def _schema(path: str, stamp: int) -> str:
    from verify.graph_sql import load

    database: Database = load(Path(path))
    return database.describe()


def shipped(name: str) -> Path:
    """The prompt file of that name that ships with the package."""
    return Path(__file__).parent / "prompts" / f"{name}.md.j2"


def render(template: Path, **facts: Any) -> str:
    """A prompt file filled in: Jinja in its sandbox, unknown names are errors, nothing is escaped (it is text)."""
    return _template(str(template), template.stat().st_mtime_ns).render(**facts).strip()


@lru_cache(maxsize=64)
def _template(path: str, stamp: int) -> "JinjaTemplate":
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False)
    return environment.from_string(Path(path).read_text(encoding="utf-8"))
