"""Pieces of a query as SQL text, for quoting inside a sentence: elements, hops, conditions, columns.

May be imported by `thinking`; imports facts and sqlglot.
Design reason: a thought quotes small pieces of the pattern, which the writer of whole queries has no reason to offer.
"""

import re
from collections.abc import Sequence

from sqlglot import exp

from distill.teachers.symbolic.facts import Element, Hop, Match, fold
from verify.graph_sql.tree import Expr, GraphTable, Query
from verify.graph_sql.write import write_table

_ARROWS: dict[str, tuple[str, str]] = {"right": ("-[", "]->"), "left": ("<-[", "]-"), "any": ("-[", "]-")}


def expression(node: Expr) -> str:
    """An expression in Oracle's spelling, dates as `DATE '…'` and element predicates as they are written."""
    copied = node.copy()
    for one in list(copied.find_all(exp.DateStrToDate, exp.Anonymous)):
        text = _special(one)
        if text and one is copied:
            return text
        if text:
            one.replace(exp.Var(this=text))
    return _usual(str(copied.sql(dialect="oracle")))


_USUAL = (
    (re.compile(r"\bNOT ([\w.\"]+) IN \("), r"\1 NOT IN ("),
    (re.compile(r"\bNOT ([\w.\"]+) IS NULL\b"), r"\1 IS NOT NULL"),
    (re.compile(r"\bEXISTS\("), "EXISTS ("),
)


def _usual(text: str) -> str:
    """`x NOT IN (…)` where sqlglot writes `NOT x IN (…)`, and the like; text constants are left alone."""
    parts = text.split("'")
    for pattern, better in _USUAL:
        parts[::2] = [pattern.sub(better, part) for part in parts[::2]]
    return "'".join(parts)


def _special(node: Expr) -> str:
    if isinstance(node, exp.DateStrToDate):
        return f"DATE {node.this.sql(dialect='oracle')}"
    if isinstance(node, exp.Anonymous) and str(node.this).startswith("IS "):
        first, *rest = (argument.name for argument in node.expressions)
        return f"{first} {node.this} {'|'.join(rest)}"
    return ""


def vertex(element: Element) -> str:
    """`(a IS account)`, without its condition."""
    label = f"IS {'|'.join(element.labels)}" if element.stated else ""
    return f"({' '.join(part for part in (element.variable, label) if part)})"


def hop(one: Hop) -> str:
    """`(a IS account)-[t IS transfer]->{1,3}(b IS account)`, without conditions."""
    inside = " ".join(part for part in (one.edge.variable, _label(one.edge)) if part)
    left, right = _ARROWS[one.direction]
    arrow = f"{left}{inside}{right}{quantifier(one)}"
    if one.stretch:
        arrow = f"({_stretch(one.stretch)}){quantifier(one)}"
    return f"{vertex(one.left)} {arrow} {vertex(one.right)}"


def _stretch(hops: Sequence[Hop]) -> str:
    first, *rest = (hop(part) for part in hops)
    return first + "".join(text.partition(") ")[2] and f" {text.partition(') ')[2]}" for text in rest)


def _label(edge: Element) -> str:
    return f"IS {'|'.join(edge.labels)}" if edge.stated else ""


def quantifier(one: Hop) -> str:
    """`{1,3}`, or nothing."""
    if one.bounds is None:
        return ""
    low, high = one.bounds
    if low == high:
        return f"{{{low}}}"
    return f"{{{low},{'' if high is None else high}}}"


def columns(match: Match) -> list[str]:
    """The entries of COLUMNS."""
    found = []
    for key, node in match.outputs.items():
        plain = isinstance(node, exp.Column) and fold(node.name) == key
        found.append(expression(node) if plain else f"{expression(node)} AS {match.names[key]}")
    return found


def statement(query: Query) -> str:
    """The whole query from its tree, each clause and each GRAPH_TABLE on lines of its own."""
    outer = query.outer.copy()
    for node in list(outer.find_all(exp.DateStrToDate)):
        node.replace(exp.Var(this=_special(node)))
    # longest first: `…__1` is also the beginning of `…__10`
    tables = {one.placeholder: one for one in sorted(query.tables, key=lambda one: -len(one.placeholder))}
    lines = _compact(outer.sql(dialect="oracle", pretty=True, max_text_width=100).splitlines())
    return _usual("\n".join(_with_tables(line, tables) for line in lines))


_OPENERS = ("SELECT", "SELECT DISTINCT", "WHERE", "GROUP BY", "HAVING", "ORDER BY")


def _compact(lines: list[str]) -> list[str]:
    """A clause and its items on one line where they fit and nothing inside has lines of its own."""
    found: list[str] = []
    index = 0
    while index < len(lines):
        line, end = lines[index], index + 1
        indent = _indent(line)
        if line.strip() in _OPENERS:
            while end < len(lines) and _indent(lines[end]) > indent:
                end += 1
            inner = [one.strip() for one in lines[index + 1 : end]]
            joined = " ".join([line, *inner])
            if len(joined) <= _WIDTH and not any(one.endswith("(") for one in inner):
                found.append(joined)
                index = end
                continue
        found.append(line)
        index += 1
    return found


_WIDTH = 110


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _with_tables(line: str, tables: dict[str, GraphTable]) -> str:
    indent = " " * _indent(line)
    for placeholder, table in tables.items():
        if placeholder in line:
            line = line.replace(placeholder, write_table(table))
    return line.replace("\n", f"\n{indent}")


def conjunction(conditions: Sequence[Expr]) -> str:
    """Conditions joined by AND, alternatives in parentheses."""
    several = len(conditions) > 1
    parts = [expression(one) for one in conditions]
    wrapped = [
        f"({text})" if several and isinstance(one, exp.Or) else text
        for one, text in zip(conditions, parts, strict=True)
    ]
    return " AND ".join(wrapped)
