"""Writes a query's tree back as text in its own dialect; parsing that text gives an equal tree.

May be imported by `tree` and by writers of queries; imports sqlglot.
Design reason: one writer with one layout, so that text made from trees reads alike and can be compared.
"""

import re

from sqlglot import exp

from .dialects import DIALECTS, RESERVED
from .tree import (
    AllProperties,
    Column,
    Edge,
    Expr,
    GraphTable,
    Label,
    LabelAnd,
    LabelAny,
    LabelName,
    LabelNot,
    LabelOr,
    Name,
    ParenPath,
    PathPattern,
    Quantifier,
    Query,
    Rows,
    Term,
    Vertex,
)

_PLAIN = re.compile(r"[^\W\d][\w$#]*")
_ARROWS = {"right": ("-[", "]->"), "left": ("<-[", "]-"), "any": ("-[", "]-"), "undirected": ("~[", "]~")}
_SHORT = {"right": "->", "left": "<-", "any": "-", "undirected": "~"}


def write_query(query: Query) -> str:
    """The whole query, each GRAPH_TABLE on lines of its own."""
    reader = DIALECTS[query.dialect].reader
    outer = query.outer.copy()
    by_name = {table.placeholder: table for table in query.tables}
    for node in list(outer.find_all(exp.Table)):
        if node.name in by_name:
            node.set("this", exp.Var(this=write_table(by_name[node.name], reader)))
    return _dates(outer, reader).sql(dialect=reader)


def _dates(node: Expr, reader: str) -> Expr:
    """`DATE '…'` is written as such, which sqlglot would turn into a call in Oracle's dialect. Works in place."""
    if reader != "oracle":
        return node
    for one in list(node.find_all(exp.DateStrToDate)):
        text = exp.Var(this=f"DATE {one.this.sql(dialect=reader)}")
        if one is node:
            return text
        one.replace(text)
    return node


def write_table(table: GraphTable, reader: str = "oracle") -> str:
    """One `GRAPH_TABLE ( … )` without its alias; `reader` is sqlglot's name of the dialect."""
    writer = _Writer(reader)
    graph = ".".join(writer.name(one) for one in (table.schema, table.graph) if one is not None)
    lines = [f"GRAPH_TABLE ({table.algorithm or graph}{' ' + table.as_of if table.as_of else ''}"]
    paths = [writer.path(path) for path in table.paths]
    lines.append("  MATCH " + ",\n        ".join(paths))
    if table.where is not None:
        lines.append(f"  WHERE {writer.expression(table.where)}")
    if table.rows is not None:
        lines.append(f"  {writer.rows(table.rows)}")
    if table.columns:
        lines.append(f"  COLUMNS ({', '.join(writer.column(one) for one in table.columns)})")
    return "\n".join(lines) + "\n)"


def label_text(label: Label) -> str:
    """A label expression as it is written."""
    return _Writer("").label(label)


class _Writer:
    def __init__(self, reader: str) -> None:
        self.reader = reader

    def name(self, name: Name) -> str:
        plain = _PLAIN.fullmatch(name.text) and name.text.upper() not in RESERVED
        if plain and not name.quoted:
            return name.text
        mark = "`" if self.reader == "bigquery" else '"'
        return mark + name.text.replace(mark, mark * 2) + mark

    def path(self, path: PathPattern) -> str:
        head = f"{self.name(path.variable)} = " if path.variable is not None else ""
        head += f"{path.prefix} " if path.prefix else ""
        return head + self.terms(path.terms)

    def terms(self, terms: tuple[Term, ...]) -> str:
        return " ".join(self.term(term) for term in terms)

    def term(self, term: Term) -> str:
        if isinstance(term, Vertex):
            return f"({self.filler(term)})"
        tail = self.quantifier(term.quantifier) if term.quantifier is not None else ""
        if isinstance(term, ParenPath):
            where = f" WHERE {self.expression(term.where)}" if term.where is not None else ""
            return f"({self.terms(term.terms)}{where}){tail}"
        if term.abbreviated:
            return _SHORT[term.direction] + tail
        left, right = _ARROWS[term.direction]
        return f"{left}{self.filler(term)}{right}{tail}"

    def filler(self, element: Vertex | Edge) -> str:
        parts = [self.name(element.variable)] if element.variable is not None else []
        if element.label is not None:
            parts.append(f"IS {self.label(element.label)}")
        if element.where is not None:
            parts.append(f"WHERE {self.expression(element.where)}")
        return " ".join(parts)

    def label(self, label: Label) -> str:
        match label:
            case LabelName(name):
                return self.name(name)
            case LabelOr(parts):
                return "|".join(self.label(part) for part in parts)
            case LabelAnd(parts):
                return "&".join(self.inner_label(part) for part in parts)
            case LabelNot(part):
                return f"!{self.inner_label(part)}"
            case LabelAny():
                return "%"

    def inner_label(self, label: Label) -> str:
        text = self.label(label)
        return f"({text})" if isinstance(label, LabelOr | LabelAnd) else text

    def quantifier(self, quantifier: Quantifier) -> str:
        if quantifier.question:
            return "?"
        if quantifier.max is None:
            return "*" if quantifier.min == 0 else "+" if quantifier.min == 1 else f"{{{quantifier.min},}}"
        if quantifier.min == quantifier.max:
            return f"{{{quantifier.min}}}"
        return f"{{{quantifier.min},{quantifier.max}}}"

    def rows(self, rows: Rows) -> str:
        names = f" ({', '.join(self.name(name) for name in rows.iterators)})" if rows.iterators else ""
        tail = f" IN {self.name(rows.path)}" if rows.path is not None else ""
        return f"ONE ROW PER {rows.kind.upper()}{names}{tail}"

    def column(self, column: Column | AllProperties) -> str:
        if isinstance(column, AllProperties):
            return f"{self.name(column.variable)}.*"
        alias = f" AS {self.name(column.alias)}" if column.alias is not None else ""
        return self.expression(column.expression) + alias

    def expression(self, node: Expr) -> str:
        """An expression with its predicates written as SQL has them."""
        copy = node.copy()
        for one in list(copy.find_all(exp.Anonymous)):
            text = self.predicate(one)
            if text and one is copy:
                return text
            if text:
                one.replace(exp.Var(this=text))
        return _dates(copy, self.reader).sql(dialect=self.reader)

    def predicate(self, node: exp.Anonymous) -> str:
        name = str(node.this)
        if not name.startswith("IS "):
            return ""
        first, *rest = [one.sql(dialect=self.reader) for one in node.expressions]
        return f"{first} {name} {'|'.join(rest)}"
