"""Errors as a person meets them: one form for all of them, and the exit code.

May be imported by the command line only; imports errors.
Design reason: rendering is a pure function from an exception to text, so that every text is pinned by a golden file.
Model output and strangers' recipes end up in these texts, so control characters are shown, never sent to a terminal.
"""

import re
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.errors import Problem, RecipeError

_RED, _YELLOW, _BLUE, _BOLD, _OFF = "\033[31;1m", "\033[33;1m", "\033[34;1m", "\033[1m", "\033[0m"
_WIDEST = 110
"""Columns of a source line that are shown; longer ones are cut around the problem."""

_KINDS = {"ContractError": "plugin"}
"""Names for errors of `verify`, by class name: importing them here would cost every `--help` their imports."""


def render_error(error: Any, *, color: bool = False) -> str:
    """The text of any exception that carries `where, cause, help`, without a final line break."""
    if isinstance(error, RecipeError):
        return _render_problems(error.problems, color=color)
    lines = [_title("error", _kind(error), str(error), color=color)]
    lines += _facts(error, color=color)
    return "\n".join(lines)


def render_warning(warning: Any, *, color: bool = False) -> str:
    """The text of a `Warned` event, in the same form."""
    return "\n".join(
        [_title("warning", warning.kind, warning.message, color=color, paint=_YELLOW), *_facts(warning, color=color)]
    )


def render_stopped(stopped: Any, *, color: bool = False) -> str:
    """Why a run ended early although it ended well, as a warning."""
    title = _title("warning", stopped.kind, str(stopped), color=color, paint=_YELLOW)
    return "\n".join([title, *_facts(stopped, color=color)])


def error_object(error: BaseException, *, state: str = "") -> dict[str, Any]:
    """An exception as `--json` prints it: always the same keys, and `problems` with all of a recipe's."""
    if not is_for_people(error):
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        return {"kind": "internal", "message": what, "where": "", "cause": "", "help": "", "state": state}
    said = {name: str(getattr(error, name, "")) for name in ("where", "cause", "help", "state")}
    several = error.problems if isinstance(error, RecipeError) else []
    problems = {"problems": [{"message": p.message, "where": p.where, "help": p.help} for p in several]}
    return {"kind": _kind(error), "message": str(error), **said, **(problems if several else {})}


def _kind(error: Any) -> str:
    return getattr(error, "kind", "") or _KINDS.get(type(error).__name__, "verify")


def exit_code(error: BaseException) -> int:
    """What the process ends with: the error's own code, or 2 for one that nobody foresaw."""
    return int(getattr(error, "exit_code", 2))


def is_for_people(error: BaseException) -> bool:
    """Whether the exception carries what `render_error` shows."""
    return all(hasattr(error, name) for name in ("where", "cause", "help", "exit_code"))


def write_log(error: BaseException, path: Path, *, redact: Callable[[str], str] = str) -> Path | None:
    """Append the traceback to the file at `path`; None when it cannot be written."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(redact("".join(traceback.format_exception(error))) + "\n")
    except OSError:
        return None
    return path


def render_unexpected(
    error: BaseException, log: Path | None, *, redact: Callable[[str], str] = str, color: bool = False
) -> str:
    """The text for an exception that nobody foresaw; without a log it holds the traceback itself."""
    what = redact(f"{type(error).__name__}: {error}".rstrip(": "))
    lines = [_title("error", "internal", what, color=color)]
    lines.append(_fact("cause", "a defect in distill or in a plug-in, not something you typed", color=color))
    if log is not None:
        lines.append(_fact("state", f"the traceback is in {log}", color=color))
    lines.append(_fact("help", "`distill check` prints the versions that a report of this should name", color=color))
    if log is None:
        lines.append(redact("".join(traceback.format_exception(error))).rstrip())
    return "\n".join(lines)


# ---------------------------------------------------------------- parts


def _render_problems(problems: list[Problem], *, color: bool) -> str:
    blocks = ["\n".join(_problem(one, color=color)) for one in problems]
    if len(problems) > 1:
        files = {one.file for one in problems}
        blocks.append(f"{len(problems)} problems in {files.pop() if len(files) == 1 else 'the recipe'}")
    return "\n\n".join(blocks)


def _problem(problem: Problem, *, color: bool) -> list[str]:
    lines = [_title("error", "recipe", problem.message, color=color)]
    if problem.where:
        lines.append(f"  {_paint('-->', _BLUE, color)} {visible(problem.where)}")
    if problem.source.strip():
        lines += _excerpt(problem, color=color)
    if problem.help:
        lines.append(_fact("help", problem.help, color=color))
    return lines


def _excerpt(problem: Problem, *, color: bool) -> list[str]:
    number = str(problem.line)
    gutter = " " * (len(number) + 1)
    start = problem.column - 1
    skip = max(0, start - 40) if len(problem.source) > _WIDEST else 0
    source = problem.source[skip : skip + _WIDEST]
    marked = source[start - skip : start - skip + problem.length] or " "
    indent, carets = " " * _width(source[: start - skip]), "^" * max(_width(marked), 1)
    bar = _paint("|", _BLUE, color)
    return [
        f" {gutter}{bar}",
        f" {_paint(number, _BLUE, color)} {bar} {visible(source)}",
        f" {gutter}{bar} {indent}{_paint(carets, _RED, color)}",
    ]


def _facts(error: Any, *, color: bool) -> list[str]:
    lines = []
    if getattr(error, "where", ""):
        lines += [f"  {_paint('-->', _BLUE, color)} {visible(line)}" for line in str(error.where).splitlines()]
    for name in ("cause", "state", "help"):
        text = getattr(error, name, "")
        if text:
            lines.append(_fact(name, str(text), color=color))
    return lines


def _fact(name: str, text: str, *, color: bool) -> str:
    first, *rest = [visible(line) for line in text.splitlines()] or [""]
    indent = " " * (len(name) + 7)
    label = _paint(f"{name}:", _BOLD, color)
    return "\n".join([f"   {_paint('=', _BLUE, color)} {label} {first}", *(indent + line for line in rest)])


def _title(level: str, kind: str, message: str, *, color: bool, paint: str = _RED) -> str:
    return f"{_paint(f'{level}[{kind}]', paint, color)}: {visible(' '.join(message.split()))}"


def _paint(text: str, code: str, color: bool) -> str:
    return f"{code}{text}{_OFF}" if color else text


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """`text` with control and direction characters written as escapes, and a tab as one space."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text).replace("\t", " ")


def _width(text: str) -> int:
    """Terminal columns: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in visible(text))
