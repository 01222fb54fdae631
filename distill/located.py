"""YAML text in which every key and value knows its place, read as something a stranger wrote.

May be imported by `recipe`, `check` and the command line; imports only errors.
Design reason: a person can fix only what is pointed at, so values come with positions, and everything YAML 1.1 does
that surprises people (`no` is false, `1e3` is text, a later duplicate wins, aliases that multiply) is either read the
plain way or is a located problem.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from distill.errors import Problem, RecipeError

MOST_BYTES = 256 * 1024
"""Largest recipe that is read. The pure parser reads about 100 KB a second."""
MOST_VALUES = 20_000
"""Most values after aliases are expanded."""
DEEPEST = 40
"""Deepest nesting of mappings and lists."""

Place = tuple[str | int, ...]
"""Keys and indices from the top to a value."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a key or a value stands; lines and columns from 1."""

    line: int
    column: int
    length: int


@dataclass(slots=True)
class Document:
    """A mapping read from text, with the spans of its keys and values."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    keys: dict[Place, Span] = field(default_factory=dict)
    values: dict[Place, Span] = field(default_factory=dict)
    flags: dict[Place, str] = field(default_factory=dict)
    """Values that a flag set: what to show instead of a position."""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: Place, message: str, *, help: str = "", key: bool = False) -> Problem:
        """A problem at `place`: under its key when `key`, else under its value, else at the nearest place above it."""
        flag = self._flag(place)
        if flag:
            return Problem(message, file=flag, help=help)
        span = (self.keys if key else self.values).get(place) or self._nearest(place)
        if span is None:
            return Problem(message, file=self.file, help=help)
        source = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        return Problem(message, self.file, span.line, span.column, span.length, source, help)

    def _flag(self, place: Place) -> str:
        """The flag that set `place`, something above it, or something below that made it."""
        for at, flag in self.flags.items():
            if place[: len(at)] == at or (place and at[: len(place)] == place and place not in self.keys):
                return flag
        return ""

    def _nearest(self, place: Place) -> Span | None:
        for size in range(len(place), 0, -1):
            span = self.keys.get(place[:size]) or self.values.get(place[:size])
            if span is not None:
                return span
        return None


# ---------------------------------------------------------------- reading


class _Loader(yaml.SafeLoader):
    """Scalars as people read them: only true and false are booleans, dates and `0777` stay text, `1e3` is a number."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own hook


_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, [*"-+0123456789"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, [*"-+.0123456789"])


def read(path: Path) -> Document:
    """The document in the file at `path`. Raises RecipeError when it cannot be read, is too large, or is not YAML."""
    shown = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise RecipeError([Problem(f"cannot read the recipe: {(error.strerror or 'error').lower()}", shown)]) from None
    if len(data) > MOST_BYTES:
        raise RecipeError([Problem(f"a recipe is at most {MOST_BYTES // 1024} KB; this file is larger", shown)])
    try:
        return parse(data.decode("utf-8-sig"), file=shown)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = "not UTF-8 text"
        raise RecipeError([Problem(message, shown, line, 1, help="save the file as UTF-8")]) from None


def parse(text: str, *, file: str) -> Document:
    """The document in `text`. Raises RecipeError when it is not one YAML mapping; lesser problems are collected."""
    document = Document(file, lines=text.splitlines())
    node = _compose(text, document)
    if not isinstance(node, yaml.MappingNode):
        what = "empty" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "text"
        message = f"a recipe is a mapping of keys to values; this file is {what}"
        raise RecipeError([Problem(message, file, help="start from a shipped one: distill init")])
    document.data = _Builder(document).build(node, ())
    return document


def parse_value(text: str, *, flag: str) -> Any:
    """One YAML value from the command line; raises RecipeError that names the flag."""
    document = Document(flag)  # without its lines: `flag` says as much of the value as may be shown
    try:
        node = _compose(text, document)
        value = _Builder(document).build(node, ()) if node is not None else None
    except RecipeError as error:
        document.problems = error.problems
    if document.problems:
        raise RecipeError([Problem(document.problems[0].message, flag)])
    return value


def _compose(text: str, document: Document) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise RecipeError([_syntax(error, document)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError([Problem("not YAML: a control character", document.file, line, 1)]) from None
    except RecursionError:
        raise RecipeError([Problem("nested too deeply", document.file)]) from None


def _syntax(error: yaml.MarkedYAMLError, document: Document) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    source = document.lines[line - 1] if 0 < line <= len(document.lines) else ""
    help = "YAML is indented with spaces, not tabs" if "\t" in source[:column] else ""
    what = error.problem or error.context or "cannot be read"
    if "'\\t'" in what:
        what = "a tab cannot stand here"
    return Problem(f"not YAML: {what}", document.file, line, column, 1, source, help)


_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "bool", "int", "float", "map", "seq"))


class _Builder:
    """Turns composed nodes into plain values and notes where each stands."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def build(self, node: yaml.Node, place: Place) -> Any:
        self.count += 1
        if self.count > MOST_VALUES or len(place) > DEEPEST:
            raise RecipeError([self._at(node, "too many values, or nested too deeply; are aliases multiplying?")])
        self.document.values[place] = _span(node)
        if node.tag not in _TAGS:
            self.document.problems.append(self._at(node, f"the tag `{node.tag}` is not allowed in a recipe"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.document.problems.append(self._at(key_node, "a key must be plain text"))
                continue
            key = str(key_node.value)
            if key in result:
                first = self.document.keys[(*place, key)].line
                self.document.problems.append(self._at(key_node, f"`{key}` is there twice; first in line {first}"))
                continue
            self.document.keys[(*place, key)] = _span(key_node)
            result[key] = self.build(value_node, (*place, key))
        return result

    def _scalar(self, node: yaml.Node) -> Any:
        text, kind = str(node.value), node.tag.removeprefix("tag:yaml.org,2002:")
        try:
            match kind:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text.replace("_", ""), 16 if "x" in text else 10)
                case "float":
                    return float(text.replace("_", ""))
        except ValueError as error:
            self.document.problems.append(self._at(node, f"not a number: {error}"))
        return None

    def _at(self, node: yaml.Node, message: str) -> Problem:
        span, lines = _span(node), self.document.lines
        source = lines[span.line - 1] if span.line <= len(lines) else ""
        return Problem(message, self.document.file, span.line, span.column, span.length, source)


def _span(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Span(start.line + 1, start.column + 1, max(length, 1))


# ---------------------------------------------------------------- changing and walking


def assign(document: Document, path: str, value: Any, *, flag: str) -> None:
    """Set `a.b.0.c` in the data as a flag says. A list of one stands for its element, so `source.path` works for both.

    Raises RecipeError naming the flag when the path crosses something that holds no keys.
    """
    steps = path.split(".")
    holder: Any = document.data
    place: list[str | int] = []
    for step in steps[:-1]:
        holder = _enter(holder, step, place, flag=flag)
    last = _index(holder, steps[-1], place, flag=flag)
    if isinstance(last, str) and isinstance(holder, list):
        holder = holder[0]
        place.append(0)
    holder[last] = value
    document.flags[(*place, last)] = flag


def _enter(holder: Any, step: str, place: list[str | int], *, flag: str) -> Any:
    key = _index(holder, step, place, flag=flag)
    if isinstance(key, str) and isinstance(holder, list):
        holder = holder[0]
        place.append(0)
    place.append(key)
    if isinstance(holder, dict) and holder.get(str(key)) is None:
        holder[str(key)] = {}
    inner = holder[key]
    if not isinstance(inner, dict | list):
        raise RecipeError([Problem(f"`{'.'.join(map(str, place))}` holds a value, not keys", flag)])
    return inner


def _index(holder: Any, step: str, place: list[str | int], *, flag: str) -> str | int:
    if isinstance(holder, dict):
        return step
    here = ".".join(map(str, place))
    if step.isdecimal():
        if int(step) < len(holder):
            return int(step)
        raise RecipeError([Problem(f"`{here}` has {len(holder)} entries, counted from 0", flag)])
    if len(holder) == 1 and isinstance(holder[0], dict):
        return step
    raise RecipeError([Problem(f"`{here}` is a list: say which entry, such as `{here}.0.{step}`", flag)])


def follow(data: Any, location: tuple[str | int, ...]) -> Place:
    """The part of a validator's location that exists in `data`: union tags and indices of one-or-list are skipped."""
    place: list[str | int] = []
    for step in location:
        if (isinstance(data, Mapping) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        ):
            data = data[step]  # type: ignore[index]
            place.append(step)
    return tuple(place)


def texts(data: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text value in `data` with its place."""
    if isinstance(data, str):
        yield place, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from texts(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from texts(value, (*place, index))
