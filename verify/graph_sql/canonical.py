"""One text for queries that differ only in names, order and layout, so that duplicates can be found.

May be imported by `tree`; imports sqlglot.
Design reason: only changes that cannot alter a row are made: variables are renamed in order, conditions of single
elements move behind the pattern, commutative parts are sorted, short edges are written out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from sqlglot import exp

from .dialects import DIALECTS, Dialect
from .search import search_of
from .tree import (
    AllProperties,
    Column,
    Edge,
    Expr,
    GraphTable,
    Label,
    LabelAnd,
    LabelName,
    LabelNot,
    LabelOr,
    Name,
    ParenPath,
    PathPattern,
    Query,
    Term,
    Vertex,
)
from .write import label_text, write_query


def canonical(query: Query) -> str:
    """The canonical text of a query. Equal texts mean equal rows; unequal texts say nothing."""
    rules = DIALECTS[query.dialect]
    tables = tuple(_Canonical(rules).table(table) for table in query.tables)
    outer = query.outer.copy()
    for node in outer.find_all(exp.Identifier):
        _fold(node, rules)
    return " ".join(write_query(replace(query, outer=outer, tables=tables)).split())


def _fold(node: exp.Identifier, rules: Dialect) -> None:
    if node.name.startswith("graph_table__"):
        return
    node.set("this", rules.fold(node.name, bool(node.args.get("quoted"))).lower())


@dataclass(slots=True)
class _Canonical:
    rules: Dialect
    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def table(self, table: GraphTable) -> GraphTable:
        paths = tuple(sorted(table.paths, key=_shape)) if table.rows is None else table.paths
        for path in paths:
            if path.variable is not None:
                self._declare(path.variable, "p")
            self._declare_terms(path.terms)
        if table.rows is not None:
            for iterator in table.rows.iterators:
                self._declare(iterator, "i")
        moved: list[Expr] = []
        renamed = tuple(self._path(path, moved) for path in paths)
        if table.where is not None:
            moved += _conjuncts(self._expression(table.where))
        where = exp.and_(*_sorted(moved), copy=False) if moved else None
        rows = table.rows
        if rows is not None:
            path_name = self._name(rows.path) if rows.path is not None else None
            rows = replace(rows, iterators=tuple(self._name(one) for one in rows.iterators), path=path_name)
        columns = tuple(self._column(one) for one in table.columns)
        graph = self._folded(table.graph)
        return replace(table, graph=graph, paths=renamed, where=where, rows=rows, columns=columns)

    # ---------------------------------------------------------------- names

    def _declare_terms(self, terms: tuple[Term, ...]) -> None:
        for term in terms:
            if isinstance(term, ParenPath):
                self._declare_terms(term.terms)
            elif term.variable is not None:
                self._declare(term.variable, "v" if isinstance(term, Vertex) else "e")

    def _declare(self, name: Name, letter: str) -> None:
        folded = self.rules.fold(name.text, name.quoted)
        if folded not in self.names:
            self.counts[letter] = self.counts.get(letter, 0) + 1
            self.names[folded] = f"{letter}{self.counts[letter]}"

    def _name(self, name: Name) -> Name:
        folded = self.rules.fold(name.text, name.quoted)
        return Name(self.names.get(folded, folded.lower()))

    def _folded(self, name: Name) -> Name:
        folded = self.rules.fold(name.text, name.quoted)
        return Name(folded.lower() if not name.quoted else folded, name.quoted)

    # ---------------------------------------------------------------- parts

    def _path(self, path: PathPattern, moved: list[Expr]) -> PathPattern:
        variable = self._name(path.variable) if path.variable is not None else None
        # a search asks inline conditions before it chooses, and the one behind the patterns after
        target = None if search_of(path.prefix).selective else moved
        return replace(path, terms=tuple(self._term(term, target) for term in path.terms), variable=variable)

    def _term(self, term: Term, moved: list[Expr] | None) -> Term:
        """`moved` takes the conditions of elements outside quantifiers; inside one they stay where they are."""
        if isinstance(term, ParenPath):
            terms = tuple(self._term(one, None) for one in term.terms)
            return replace(term, terms=terms, where=self._condition(term.where))
        where = self._condition(term.where)
        single = isinstance(term, Vertex) or term.quantifier is None
        if where is not None and moved is not None and single:
            moved += _conjuncts(where)
            where = None
        variable = self._name(term.variable) if term.variable is not None else None
        label = self._label(term.label) if term.label is not None else None
        if isinstance(term, Edge):
            return replace(term, variable=variable, label=label, where=where, abbreviated=False)
        return replace(term, variable=variable, label=label, where=where)

    def _label(self, label: Label) -> Label:
        match label:
            case LabelName(name):
                return LabelName(self._folded(name))
            case LabelOr(parts):
                return LabelOr(tuple(sorted((self._label(part) for part in parts), key=label_text)))
            case LabelAnd(parts):
                return LabelAnd(tuple(sorted((self._label(part) for part in parts), key=label_text)))
            case LabelNot(part):
                return LabelNot(self._label(part))
        return label

    def _column(self, column: Column | AllProperties) -> Column | AllProperties:
        if isinstance(column, AllProperties):
            return AllProperties(self._name(column.variable))
        return Column(self._expression(column.expression), self._folded(column.name))

    def _condition(self, where: Expr | None) -> Expr | None:
        return exp.and_(*_sorted(_conjuncts(self._expression(where))), copy=False) if where is not None else None

    def _expression(self, node: Expr) -> Expr:
        copy = node.copy()
        for one in list(copy.find_all(exp.Column)):
            owner = one.args.get("table")
            if isinstance(owner, exp.Identifier):
                self._rename(owner, self._name)
                self._rename(one.this, self._folded)
            else:
                self._rename(one.this, self._name)
        for pair in list(copy.find_all(exp.Or, exp.EQ, exp.NEQ)):
            left, right = pair.left, pair.right
            if left.sql() > right.sql():
                pair.set("this", right)
                pair.set("expression", left)
        return copy

    def _rename(self, node: Expr, rename: Callable[[Name], Name]) -> None:
        if isinstance(node, exp.Identifier):
            name = rename(Name(node.name, bool(node.args.get("quoted"))))
            node.set("this", name.text)
            node.set("quoted", name.quoted)


def _conjuncts(node: Expr) -> list[Expr]:
    return [one.copy() for one in _and_parts(node)]


def _and_parts(node: Expr) -> Iterator[Expr]:
    if isinstance(node, exp.Paren) and isinstance(node.this, exp.And):
        yield from _and_parts(node.this)
    elif isinstance(node, exp.And):
        yield from _and_parts(node.left)
        yield from _and_parts(node.right)
    else:
        yield node


def _sorted(parts: list[Expr]) -> list[Expr]:
    by_text = {part.sql(): part for part in parts}
    return [by_text[text] for text in sorted(by_text)]


def _shape(path: PathPattern) -> str:
    """A path without its names, to sort path patterns by."""
    return "".join(_term_shape(term) for term in path.terms)


def _term_shape(term: Term) -> str:
    if isinstance(term, ParenPath):
        return f"({''.join(_term_shape(one) for one in term.terms)}){term.quantifier}"
    kind = "v" if isinstance(term, Vertex) else f"{term.direction}{term.quantifier}"
    label = label_text(term.label).lower() if term.label is not None else ""
    return f"[{kind} {label}]"
