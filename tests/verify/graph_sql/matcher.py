"""A second opinion: matches patterns by walking a graph in memory, edge by edge, with no SQL and no table in sight.

Slow and plain on purpose. It shares no code with what it checks; a pattern is its own small description, rendered to
text for the product and walked here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    table: str
    id: int
    labels: frozenset[str]
    p: int | None


@dataclass(frozen=True)
class Arc:
    table: str
    id: int
    labels: frozenset[str]
    source: Node
    target: Node
    p: int | None


@dataclass(frozen=True)
class Graph:
    nodes: tuple[Node, ...]
    arcs: tuple[Arc, ...]


@dataclass(frozen=True)
class Test:
    """`left.p operator right`, where right is a number or another variable's p."""

    left: str
    operator: str
    right: int | str

    def text(self) -> str:
        if self.operator == "IS NULL":
            return f"{self.left}.p IS NULL"
        right = f"{self.right}.p" if isinstance(self.right, str) else str(self.right)
        return f"{self.left}.p {self.operator} {right}"


@dataclass(frozen=True)
class Element:
    """A vertex (`direction` empty) or an edge (`right`, `left`, `any`)."""

    variable: str = ""
    labels: tuple[str, ...] = ()
    where: Test | None = None
    direction: str = ""
    quantifier: tuple[int, int] | None = None

    def text(self) -> str:
        inside = " ".join(
            [
                self.variable,
                f"IS {'|'.join(self.labels)}" if self.labels else "",
                f"WHERE {self.where.text()}" if self.where else "",
            ]
        ).strip()
        if not self.direction:
            return f"({inside})"
        left, right = {"right": ("-[", "]->"), "left": ("<-[", "]-"), "any": ("-[", "]-")}[self.direction]
        return f"{left}{inside}{right}{bounds(self.quantifier)}"


@dataclass(frozen=True)
class Group:
    """A parenthesized path with a quantifier."""

    terms: tuple[Element, ...]
    where: Test | None
    quantifier: tuple[int, int]

    def text(self) -> str:
        where = f" WHERE {self.where.text()}" if self.where else ""
        return f"({' '.join(term.text() for term in self.terms)}{where}){bounds(self.quantifier)}"


def bounds(quantifier: tuple[int, int] | None) -> str:
    return f"{{{quantifier[0]},{quantifier[1]}}}" if quantifier else ""


@dataclass
class Match:
    singles: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, list[Any]] = field(default_factory=dict)
    tests: list[tuple[Test, dict[str, Any]]] = field(default_factory=list)
    path: list[Any] = field(default_factory=list)

    def copy(self) -> "Match":
        groups = {name: list(bound) for name, bound in self.groups.items()}
        return Match(dict(self.singles), groups, list(self.tests), list(self.path))


Term = Element | Group


def matches(graph: Graph, paths: list[list[Term]], where: Test | None) -> Iterator[Match]:
    """Every match of the pattern, as often as it occurs."""
    found: Iterator[Match] = iter([Match(groups={name: [] for path in paths for name in group_names(path)})])
    for path in paths:
        found = on_path(graph, path, found)
    for match in found:
        tests = match.tests + ([(where, {})] if where else [])
        if all(holds(test, match.singles | local) for test, local in tests):
            yield match


def group_names(path: list[Term]) -> list[str]:
    names: list[str] = []
    for term in path:
        if isinstance(term, Group):
            names += [one.variable for one in term.terms if one.variable]
        elif term.quantifier and term.variable:
            names.append(term.variable)
    return list(dict.fromkeys(names))


def on_path(graph: Graph, path: list[Term], before: Iterator[Match]) -> Iterator[Match]:
    for match in before:
        match.path = []
        for node in graph.nodes:
            start = match.copy()
            start.path = [node]
            for end, done, _ in walk(graph, path, node, start, None):
                assert end is done.path[-1]
                yield done


def walk(graph: Graph, terms: Any, at: Node, match: Match, local: Any) -> Iterator[tuple[Node, Match, Any]]:
    """From a vertex along the terms. `local` has the bindings of the running iteration, None outside quantifiers."""
    if not terms:
        yield at, match, local
        return
    first, rest = terms[0], terms[1:]
    for node, after, inner in step(graph, first, at, match, local):
        yield from walk(graph, rest, node, after, inner)


def step(graph: Graph, term: Term, at: Node, match: Match, local: Any) -> Iterator[tuple[Node, Match, Any]]:
    if isinstance(term, Group) or term.quantifier is not None:
        low, high = term.quantifier  # type: ignore[misc]
        body = (
            term.terms
            if isinstance(term, Group)
            else (Element(term.variable, term.labels, term.where, term.direction),)
        )
        outer = term.where if isinstance(term, Group) else None
        for count in range(low, high + 1):
            for node, after in repeat(graph, body, outer, count, at, match):
                yield node, after, local
    elif term.direction:
        for arc, node in around(graph, at, term.direction):
            bound = bind(term, arc, match, local)
            if bound:
                bound[0].path += [arc, node]
                yield node, *bound
    else:
        bound = bind(term, at, match, local)
        if bound:
            yield at, *bound


def repeat(
    graph: Graph, body: Any, where: Test | None, count: int, at: Node, match: Match
) -> Iterator[tuple[Node, Match]]:
    if count == 0:
        yield at, match
        return
    for node, after, local in walk(graph, body, at, match, {}):
        done = after.copy()
        for name, element in local.items():
            done.groups[name].append(element)
        # tests of this iteration see its own bindings
        done.tests = [(test, local if seen is PENDING else seen) for test, seen in done.tests]
        if where:
            done.tests.append((where, local))
        yield from repeat(graph, body, where, count - 1, node, done)


PENDING: dict[str, Any] = {"": "belongs to the iteration that is running"}


def around(graph: Graph, at: Node, direction: str) -> Iterator[tuple[Arc, Node]]:
    for arc in graph.arcs:
        if arc.source == at and direction in ("right", "any"):
            yield arc, arc.target
        if arc.target == at and (direction == "left" or (direction == "any" and arc.source != arc.target)):
            yield arc, arc.source


def bind(term: Element, element: Any, match: Match, local: Any) -> tuple[Match, Any] | None:
    if term.labels and not element.labels & set(term.labels):
        return None
    names = match.singles if local is None else local
    if names.get(term.variable, element) != element:
        return None
    after = match.copy()
    inner = None if local is None else dict(local)
    if term.variable:
        (after.singles if inner is None else inner)[term.variable] = element
    if term.where:
        after.tests.append((term.where, {} if local is None else PENDING))
    return after, inner


def holds(test: Test, names: dict[str, Any]) -> bool:
    left = names[test.left].p
    if test.operator == "IS NULL":
        return left is None
    right = names[test.right].p if isinstance(test.right, str) else test.right
    if left is None or right is None:
        return False
    return {"=": left == right, "<": left < right, ">": left > right, "<>": left != right}[test.operator]
