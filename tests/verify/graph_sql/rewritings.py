"""Other ways to write the same query, made on its tree: none of them may ever be called different."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sqlglot import exp

from verify.graph_sql.catalog import Catalog
from verify.graph_sql.tree import Column, Edge, Name, ParenPath, PathPattern, Quantifier, Query, Term, Vertex

from .trees import conjuncts, everywhere, sites, term_sites, with_table

Rewriting = Callable[[Query, Catalog], Iterator[Query]]
REWRITINGS: dict[str, Rewriting] = {}


def rewriting(title: str) -> Callable[[Rewriting], Rewriting]:
    def keep(function: Rewriting) -> Rewriting:
        REWRITINGS[title] = function
        return function

    return keep


def node_rewriting(title: str, kinds: Any, change: Callable[[Any], Any]) -> None:
    REWRITINGS[title] = lambda query, catalog: everywhere(query, kinds, change)


def turned(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    other = {"right": "left", "left": "right", "any": "any"}
    return tuple(
        replace(term, terms=turned(term.terms))
        if isinstance(term, ParenPath)
        else replace(term, direction=other[term.direction])
        if isinstance(term, Edge)
        else term
        for term in reversed(terms)
    )


def ordered(query: Query, at: int) -> bool:
    """Whether the order of the path can be seen in its rows."""
    listed = [one.expression for one in query.tables[at].columns if isinstance(one, Column)]
    return query.tables[at].rows is not None or any(one.find(exp.GroupConcat) for one in listed)


@rewriting("the path read from its other end")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at, table in enumerate(query.tables):
        if not ordered(query, at):
            paths = tuple(replace(path, terms=turned(path.terms)) for path in table.paths)
            yield with_table(query, at, replace(table, paths=paths))


@rewriting("path patterns in another order")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at, table in enumerate(query.tables):
        if len(table.paths) > 1:
            yield with_table(query, at, replace(table, paths=tuple(reversed(table.paths))))


@rewriting("a path split at a vertex")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at, table in enumerate(query.tables):
        for number, path in enumerate(table.paths):
            for cut in range(2, len(path.terms) - 2):
                vertex = path.terms[cut]
                if table.rows is not None or not isinstance(vertex, Vertex) or ordered(query, at):
                    continue
                variable = vertex.variable or Name("cut")
                first = PathPattern((*path.terms[:cut], replace(vertex, variable=variable)))
                second = PathPattern((Vertex(variable), *path.terms[cut + 1 :]))
                paths = (*table.paths[:number], first, second, *table.paths[number + 1 :])
                yield with_table(query, at, replace(table, paths=paths))


@rewriting("an inline WHERE moved behind the pattern")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at, table in enumerate(query.tables):
        paths, moved = [], [] if table.where is None else [table.where.copy()]
        for path in table.paths:
            terms = []
            for term in path.terms:
                plain = isinstance(term, Vertex) or (isinstance(term, Edge) and term.quantifier is None)
                if plain and term.where is not None:
                    moved.append(term.where.copy())
                    terms.append(replace(term, where=None))
                else:
                    terms.append(term)
            paths.append(replace(path, terms=tuple(terms)))
        if moved:
            yield with_table(query, at, replace(table, paths=tuple(paths), where=exp.and_(*moved)))


@rewriting("a condition of one element moved into it")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        table = next((one for one in query.tables if any(site.siblings is path.terms for path in one.paths)), None)
        term = site.term
        if table is None or table.where is None or isinstance(term, ParenPath) or term.variable is None:
            continue
        if isinstance(term, Edge) and term.quantifier is not None:
            continue
        parts = conjuncts(table.where)
        own = [one for one in parts if {column.table for column in one.find_all(exp.Column)} == {term.variable.text}]
        if own and not any(one.find(exp.Anonymous, exp.AggFunc) for one in own):
            rest = [one.copy() for one in parts if one not in own]
            where = exp.and_(*([term.where.copy()] if term.where is not None else []), *(one.copy() for one in own))
            moved = site.with_term(replace(term, where=where))
            at = query.tables.index(table)
            yield with_table(moved, at, replace(moved.tables[at], where=exp.and_(*rest) if rest else None))


@rewriting("variables renamed")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    names = {
        site.term.variable.text
        for site in term_sites(query)
        if not isinstance(site.term, ParenPath) and site.term.variable is not None
    }
    yield _renamed(query, {name: f"v_{number}" for number, name in enumerate(sorted(names))})


def _renamed(query: Query, names: dict[str, str]) -> Query:
    def name(one: Name | None) -> Name | None:
        return Name(names[one.text]) if one is not None and one.text in names else one

    def expression(node: Any) -> Any:
        node = node.copy()
        for column in node.find_all(exp.Column):
            if column.table in names:
                column.set("table", exp.to_identifier(names[column.table]))
            elif not column.table and column.name in names:
                column.set("this", exp.to_identifier(names[column.name]))
        return node

    def term(one: Term) -> Term:
        where = expression(one.where) if one.where is not None else None
        if isinstance(one, ParenPath):
            return replace(one, terms=tuple(map(term, one.terms)), where=where)
        return replace(one, variable=name(one.variable), where=where)

    tables = tuple(
        replace(
            table,
            paths=tuple(replace(path, terms=tuple(map(term, path.terms))) for path in table.paths),
            where=expression(table.where) if table.where is not None else None,
            columns=tuple(
                Column(expression(one.expression), one.name)
                if isinstance(one, Column)
                else replace(one, variable=name(one.variable) or one.variable)
                for one in table.columns
            ),
        )
        for table in query.tables
    )
    return replace(query, tables=tables)


@rewriting("an edge or vertex given a name it does not need")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        if isinstance(site.term, Vertex | Edge) and site.term.variable is None:
            extra = {"abbreviated": False} if isinstance(site.term, Edge) else {}
            yield site.with_term(replace(site.term, variable=Name("unused"), **extra))


@rewriting("{n} written out")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        term = site.term
        fixed = isinstance(term, Edge) and term.quantifier is not None and term.quantifier.min == term.quantifier.max
        if fixed and term.variable is None and query.tables[0].rows is None and term.where is None:
            steps: list[Term] = [replace(term, quantifier=None)]
            for _step in range(1, term.quantifier.min):
                steps += [Vertex(), replace(term, quantifier=None)]
            yield site.with_term(*steps)


@rewriting("an edge in parentheses {1}")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        free = isinstance(site.term, Edge) and site.term.variable is None and site.term.quantifier is None
        if free and not site.inside and query.tables[0].rows is None:
            yield site.with_term(replace(site.term, quantifier=Quantifier(1, 1), abbreviated=False))


_TURN = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.EQ, exp.NEQ: exp.NEQ}
_NOT = {exp.GT: exp.LTE, exp.LT: exp.GTE, exp.GTE: exp.LT, exp.LTE: exp.GT, exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}


def _sides(node: Any) -> Any:
    return _TURN[type(node)](this=node.right.copy(), expression=node.left.copy())


def _negated(node: Any) -> Any:
    return exp.Not(this=exp.Paren(this=_NOT[type(node)](this=node.left.copy(), expression=node.right.copy())))


node_rewriting("a comparison from the other side", tuple(_TURN), _sides)
node_rewriting("a comparison as NOT of its opposite", tuple(_NOT), _negated)
node_rewriting(
    "AND and OR turned round",
    (exp.And, exp.Or),
    lambda node: type(node)(this=exp.Paren(this=node.right.copy()), expression=exp.Paren(this=node.left.copy())),
)
node_rewriting(
    "NOT NOT",
    (exp.GT, exp.LT, exp.EQ),
    lambda node: exp.Not(this=exp.Paren(this=exp.Not(this=exp.Paren(this=node.copy())))),
)
node_rewriting(
    "BETWEEN as two comparisons",
    exp.Between,
    lambda node: exp.And(
        this=exp.GTE(this=node.this.copy(), expression=node.args["low"].copy()),
        expression=exp.LTE(this=node.this.copy(), expression=node.args["high"].copy()),
    ),
)
node_rewriting(
    "IN as OR",
    exp.In,
    lambda node: (
        exp.Paren(this=exp.or_(*(exp.EQ(this=node.this.copy(), expression=one.copy()) for one in node.expressions)))
        if node.expressions
        else None
    ),
)
node_rewriting(
    "COUNT(1) for COUNT(*)",
    exp.Count,
    lambda node: exp.Count(this=exp.Literal.number(1)) if isinstance(node.this, exp.Star) else None,
)
node_rewriting(
    "COALESCE as CASE",
    exp.Coalesce,
    lambda node: exp.Case(
        ifs=[exp.If(this=exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null())), true=node.this.copy())],
        default=node.expressions[0].copy(),
    ),
)


@rewriting("a condition that is always true")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in sites(query):
        if site.place in ("inline", "pattern", "path"):
            yield site.put(exp.and_(site.expression.copy(), exp.condition("1 = 1")))


@rewriting("inside a WITH clause")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for node in query.outer.find_all(exp.Table):
        graph = any(node.name == table.placeholder for table in query.tables)
        if graph and not node.alias and query.outer.args.get("with_") is None and len(query.tables) == 1:
            outer = query.outer.copy()
            placed = next(one for one in outer.find_all(exp.Table) if one.name == node.name)
            placed.replace(exp.Subquery(this=exp.select("*").from_(placed.copy())))
            yield replace(query, outer=outer)


@rewriting("DISTINCT as GROUP BY")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    outer = query.outer
    plain = isinstance(outer, exp.Select) and outer.args.get("distinct") and not outer.args.get("group")
    if plain and all(isinstance(one, exp.Column) for one in outer.selects):
        copy = outer.copy()
        copy.set("distinct", None)
        copy.set("group", exp.Group(expressions=[one.copy() for one in copy.selects]))
        yield replace(query, outer=copy)
