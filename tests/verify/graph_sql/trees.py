"""Changing one place of a query's tree: every term and every expression of a query, with the way to replace it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from verify.graph_sql.tree import Column, Edge, GraphTable, Name, ParenPath, Query, Term, Vertex

Terms = tuple[Term, ...]
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class TermSite:
    """A term with its neighbours; `put` gives the query with other terms in its place."""

    term: Term
    at: int
    siblings: Terms
    put: Callable[[Terms], Query]
    """Takes the terms that replace all the siblings."""
    inside: bool
    """Whether it stands in a parenthesized path."""

    def with_term(self, *terms: Term) -> Query:
        return self.put((*self.siblings[: self.at], *terms, *self.siblings[self.at + 1 :]))


@dataclass(frozen=True)
class Site:
    """An expression, where it stands, and the way to put another (or None for a condition) in its place."""

    expression: Any
    place: str
    """`inline`, `path`, `pattern`, `column` or `outer`."""
    put: Callable[[Any], Query]


def with_table(query: Query, at: int, table: GraphTable) -> Query:
    return replace(query, tables=(*query.tables[:at], table, *query.tables[at + 1 :]))


def term_sites(query: Query) -> Iterator[TermSite]:
    for at, table in enumerate(query.tables):
        for number, path in enumerate(table.paths):

            def put(terms: Terms, at: int = at, number: int = number) -> Query:
                table = query.tables[at]
                path = replace(table.paths[number], terms=terms)
                paths = (*table.paths[:number], path, *table.paths[number + 1 :])
                return with_table(query, at, replace(table, paths=paths))

            yield from _sites(path.terms, put, inside=False)


def _sites(terms: Terms, put: Callable[[Terms], Query], *, inside: bool) -> Iterator[TermSite]:
    for at, term in enumerate(terms):
        site = TermSite(term, at, terms, put, inside)
        yield site
        if isinstance(term, ParenPath):

            def put_inner(inner: Terms, site: TermSite = site, term: ParenPath = term) -> Query:
                return site.with_term(replace(term, terms=inner))

            yield from _sites(term.terms, put_inner, inside=True)


def sites(query: Query) -> Iterator[Site]:
    for one in term_sites(query):
        if one.term.where is not None:
            place = "path" if isinstance(one.term, ParenPath) else "inline"
            yield Site(one.term.where, place, lambda new, one=one: one.with_term(replace(one.term, where=new)))
    for at, table in enumerate(query.tables):
        if table.where is not None:
            yield Site(
                table.where, "pattern", lambda new, at=at, table=table: with_table(query, at, replace(table, where=new))
            )
        for number, column in enumerate(table.columns):
            if isinstance(column, Column):
                yield Site(
                    column.expression,
                    "column",
                    lambda new, at=at, table=table, number=number, column=column: with_table(
                        query,
                        at,
                        replace(
                            table,
                            columns=(
                                *table.columns[:number],
                                Column(new, column.name),
                                *table.columns[number + 1 :],
                            ),
                        ),
                    ),
                )
    yield Site(query.outer, "outer", lambda new: replace(query, outer=new))


def changed(root: Any, kinds: Any, change: Change) -> Iterator[Any]:
    """Copies of an expression with one node of these kinds changed; `change` returns None to leave it alone."""
    for at in range(len(list(root.find_all(kinds)))):
        copy = root.copy()
        node = list(copy.find_all(kinds))[at]
        new = change(node)
        if new is None:
            continue
        if node is copy:
            yield new
        elif new is node:
            yield copy
        else:
            node.replace(new)
            yield copy


def everywhere(query: Query, kinds: Any, change: Change, places: str = "") -> Iterator[Query]:
    """The query with one node changed, for every such node."""
    for site in sites(query):
        if places and site.place not in places.split():
            continue
        for new in changed(site.expression, kinds, change):
            yield site.put(new)


def conjuncts(condition: Any) -> list[Any]:
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def variables(query: Query, at: int) -> dict[str, list[Vertex | Edge]]:
    """The declarations of each variable of a GRAPH_TABLE outside quantifiers, by its text."""
    found: dict[str, list[Vertex | Edge]] = {}

    def walk(terms: Terms) -> None:
        for term in terms:
            if isinstance(term, ParenPath):
                walk(term.terms)
            elif term.variable is not None:
                found.setdefault(term.variable.text, []).append(term)

    for path in query.tables[at].paths:
        walk(path.terms)
    return found


def named(text: str) -> Name:
    return Name(text, quoted=not text.isascii() or text.lower() != text)
