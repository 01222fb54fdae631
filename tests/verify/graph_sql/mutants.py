"""Near-misses: the mistakes that writers of GRAPH_TABLE make, made on the tree of a right query.

Each kind is a function from a query to queries that are wrong in one place. Some of them come out refused by the binder
and some mean the same as before; both are sorted out by the test, not here.
"""

import datetime
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sqlglot import exp

from verify.graph_sql.catalog import Catalog, ElementTable, Graph
from verify.graph_sql.dialects import DIALECTS
from verify.graph_sql.tree import Column, Edge, LabelName, LabelOr, Name, ParenPath, Quantifier, Query, Vertex

from .trees import conjuncts, everywhere, sites, term_sites, variables, with_table

Kind = Callable[[Query, Catalog], Iterator[Query]]
KINDS: dict[str, Kind] = {}

_ORDER = {exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT}
_TURN = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE}


def kind(title: str) -> Callable[[Kind], Kind]:
    def keep(function: Kind) -> Kind:
        KINDS[title] = function
        return function

    return keep


def node_kind(title: str, kinds: Any, change: Callable[[Any], Any], places: str = "") -> None:
    """A kind that changes one node of an expression."""
    KINDS[title] = lambda query, catalog: everywhere(query, kinds, change, places)


def graph_of(query: Query, at: int, catalog: Catalog) -> Graph:
    name = query.tables[at].graph
    return catalog.graphs[DIALECTS[query.dialect].fold(name.text, name.quoted)]


def written(shown: str) -> Name:
    plain = shown.isidentifier() and (not shown.isascii() or shown == shown.lower())
    return Name(shown, quoted=not plain)


# ---------------------------------------------------------------- patterns


def _edges(query: Query, change: Callable[[Edge], Edge | None]) -> Iterator[Query]:
    for site in term_sites(query):
        if isinstance(site.term, Edge) and (new := change(site.term)) is not None:
            yield site.with_term(new)


@kind("direction turned round")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    turned = {"right": "left", "left": "right"}
    return _edges(
        query, lambda edge: replace(edge, direction=turned[edge.direction]) if edge.direction in turned else None
    )


@kind("any direction for one")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _edges(query, lambda edge: replace(edge, direction="any") if edge.direction != "any" else None)


@kind("one direction for any")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _edges(query, lambda edge: replace(edge, direction="right") if edge.direction == "any" else None)


@kind("label left out")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        if not isinstance(site.term, ParenPath) and site.term.label is not None:
            yield site.with_term(replace(site.term, label=None))


@kind("another label")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for graph in catalog.graphs.values():
        for site in term_sites(query):
            if isinstance(site.term, ParenPath) or not isinstance(site.term.label, LabelName):
                continue
            for shown in graph.labels("vertex" if isinstance(site.term, Vertex) else "edge").values():
                if shown != site.term.label.name.text:
                    yield site.with_term(replace(site.term, label=LabelName(written(shown))))


@kind("label alternative dropped")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        if not isinstance(site.term, ParenPath) and isinstance(site.term.label, LabelOr):
            for part in site.term.label.parts:
                rest = tuple(one for one in site.term.label.parts if one is not part)
                yield site.with_term(replace(site.term, label=rest[0] if len(rest) == 1 else LabelOr(rest)))


@kind("one hop more")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        if isinstance(site.term, Edge) and site.term.quantifier is None:
            between = replace(site.term, variable=None, where=None)
            yield site.with_term(between, Vertex(), site.term)


@kind("one hop less")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        if isinstance(site.term, Edge) and 0 < site.at < len(site.siblings) - 1 and len(site.siblings) > 3:
            yield site.put((*site.siblings[: site.at], *site.siblings[site.at + 2 :]))
            yield site.put((*site.siblings[: site.at - 1], *site.siblings[site.at + 1 :]))


def _quantifiers(query: Query, change: Callable[[Quantifier], Quantifier | None]) -> Iterator[Query]:
    for site in term_sites(query):
        quantifier = None if isinstance(site.term, Vertex) else site.term.quantifier
        if quantifier is not None and (new := change(quantifier)) is not None and new.min <= (new.max or 0):
            yield site.with_term(replace(site.term, quantifier=new))


@kind("quantifier: upper bound +1")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _quantifiers(query, lambda one: replace(one, max=(one.max or 0) + 1))


@kind("quantifier: upper bound -1")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _quantifiers(query, lambda one: replace(one, max=(one.max or 0) - 1))


@kind("quantifier: lower bound -1")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _quantifiers(query, lambda one: replace(one, min=one.min - 1) if one.min else None)


@kind("quantifier: lower bound +1")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _quantifiers(query, lambda one: replace(one, min=one.min + 1))


@kind("quantifier left out")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in term_sites(query):
        if isinstance(site.term, Edge) and site.term.quantifier is not None:
            yield site.with_term(replace(site.term, quantifier=None))


@kind("a path pattern left out")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at, table in enumerate(query.tables):
        for number in range(len(table.paths) if len(table.paths) > 1 else 0):
            yield with_table(query, at, replace(table, paths=table.paths[:number] + table.paths[number + 1 :]))


@kind("a repeated variable made two")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at in range(len(query.tables)):
        repeated = {name for name, found in variables(query, at).items() if len(found) > 1}
        for site in term_sites(query):
            variable = None if isinstance(site.term, ParenPath) else site.term.variable
            if variable is not None and variable.text in repeated:
                yield site.with_term(replace(site.term, variable=None, where=None))


# ---------------------------------------------------------------- conditions


@kind("a condition left out")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in sites(query):
        if site.place not in ("outer", "column"):
            yield site.put(None)


@kind("a condition on the other element")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    every = [site for site in term_sites(query) if not isinstance(site.term, ParenPath)]
    for site in every:
        for number, other in enumerate(site.siblings):
            moves = isinstance(other, Vertex | Edge) and other.variable is not None and other is not site.term
            if site.term.where is None or not moves or type(other) is not type(site.term):
                continue
            where = _renamed(site.term.where, site.term.variable, other.variable)
            terms = list(site.siblings)
            terms[site.at] = replace(site.term, where=other.where)
            terms[number] = replace(other, where=where)
            yield site.put(tuple(terms))


def _renamed(expression: Any, old: Name, new: Name) -> Any:
    copy = expression.copy()
    for column in copy.find_all(exp.Column):
        if column.table == old.text:
            column.set("table", exp.to_identifier(new.text, quoted=new.quoted))
    return copy


def _operator(change: dict[type, type]) -> Callable[[Any], Any]:
    return lambda node: change[type(node)](this=node.this.copy(), expression=node.expression.copy())


node_kind("off by one: < for <=, > for >=", (exp.GT, exp.GTE, exp.LT, exp.LTE), _operator(_ORDER))
node_kind("less for greater", (exp.GT, exp.GTE, exp.LT, exp.LTE), _operator(_TURN))
node_kind("= for <>", (exp.EQ, exp.NEQ), _operator({exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}))
node_kind("equality for order", (exp.GT, exp.GTE, exp.LT, exp.LTE), lambda node: exp.EQ(**node.args))
node_kind("AND for OR", (exp.And, exp.Or), _operator({exp.And: exp.Or, exp.Or: exp.And}))
node_kind("left part of AND or OR dropped", (exp.And, exp.Or), lambda node: node.expression.copy())
node_kind("right part of AND or OR dropped", (exp.And, exp.Or), lambda node: node.this.copy())
node_kind("NOT dropped", exp.Not, lambda node: node.this.copy())
node_kind("IS NULL for IS NOT NULL", exp.Is, lambda node: exp.Not(this=node.copy()))
node_kind("IN for NOT IN", exp.In, lambda node: exp.Not(this=node.copy()))
node_kind("EXISTS for NOT EXISTS", exp.Exists, lambda node: exp.Not(this=node.copy()))


@kind("each pair once or twice, a self-loop let in")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in sites(query):
        if site.place != "pattern":
            continue
        for part in conjuncts(site.expression):
            names = {column.table or column.name for column in part.find_all(exp.Column)}
            rest = [one.copy() for one in conjuncts(site.expression) if one is not part]
            if len(names) == 2:
                yield site.put(exp.and_(*rest) if rest else None)


def _literal(step: int) -> Callable[[Any], Any]:
    def change(node: Any) -> Any:
        if isinstance(node.parent, exp.DateStrToDate):
            day = datetime.date.fromisoformat(node.name) + datetime.timedelta(days=step)
            return exp.Literal.string(day.isoformat())
        if node.is_string or isinstance(node.parent, exp.Select):
            return None
        if "." in node.name:
            digits = len(node.name.split(".")[1])
            return exp.Literal.number(f"{float(node.name) + step * 10.0**-digits:.{digits}f}")
        new = int(node.name) + step
        return exp.Literal.number(new) if new >= 0 else None

    return change


node_kind("literal +1", exp.Literal, _literal(1))
node_kind("literal -1", exp.Literal, _literal(-1))
node_kind(
    "another text",
    exp.Literal,
    lambda node: (
        exp.Literal.string(node.name + "x")
        if node.is_string and not isinstance(node.parent, exp.DateStrToDate | exp.GroupConcat)
        else None
    ),
)


@kind("a member of IN left out")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for site in sites(query):
        for number, node in enumerate(site.expression.find_all(exp.In)):
            for at in range(len(node.expressions)):
                copy = site.expression.copy()
                list(copy.find_all(exp.In))[number].expressions.pop(at)
                yield site.put(copy)


node_kind(
    "BETWEEN without its lower bound",
    exp.Between,
    lambda node: exp.And(
        this=exp.GT(this=node.this.copy(), expression=node.args["low"].copy()),
        expression=exp.LTE(this=node.this.copy(), expression=node.args["high"].copy()),
    ),
)
node_kind(
    "BETWEEN without its upper bound",
    exp.Between,
    lambda node: exp.And(
        this=exp.GTE(this=node.this.copy(), expression=node.args["low"].copy()),
        expression=exp.LT(this=node.this.copy(), expression=node.args["high"].copy()),
    ),
)
node_kind(
    "LIKE: the other end open",
    exp.Like,
    lambda node: exp.Like(this=node.this.copy(), expression=exp.Literal.string(f"%{node.expression.name.strip('%')}%")),
)
node_kind(
    "LIKE: nothing open",
    exp.Like,
    lambda node: exp.Like(this=node.this.copy(), expression=exp.Literal.string(node.expression.name.strip("%"))),
)
node_kind("COALESCE dropped", exp.Coalesce, lambda node: node.this.copy())


# ---------------------------------------------------------------- properties and columns


def _tables(query: Query, at: int, name: str, catalog: Catalog) -> list[ElementTable]:
    declared = variables(query, at).get(name, [])
    graph = graph_of(query, at, catalog)
    fold = DIALECTS[query.dialect].fold
    tables: list[ElementTable] = []
    for one in declared:
        labels = [one.label] if isinstance(one.label, LabelName) else []
        for label in labels:
            tables += graph.with_label(
                "vertex" if isinstance(one, Vertex) else "edge", fold(label.name.text, label.name.quoted)
            )
    return tables


def _other_properties(query: Query, catalog: Catalog, places: str) -> Iterator[Query]:
    """Another property of the same element and of a type of the same family."""
    for at in range(len(query.tables)):
        inside = set(variables(query, at))
        shown: dict[str, list[tuple[str, str]]] = {
            name: [
                (one.shown, one.type)
                for table in _tables(query, at, name, catalog)
                for one in table.properties.values()
            ]
            for name in inside
        }

        def change(node: Any, number: int, shown: dict[str, list[tuple[str, str]]] = shown) -> Any:
            options = [one for one, _ in dict.fromkeys(shown.get(node.table, [])) if one.lower() != node.name.lower()]
            if number >= len(options):
                return None
            name = written(options[number])
            new = node.copy()
            new.set("this", exp.to_identifier(name.text, quoted=name.quoted))
            return new

        for number in range(4):
            yield from everywhere(query, exp.Column, lambda node, n=number, c=change: c(node, n), places)


@kind("another property in COLUMNS")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _other_properties(query, catalog, "column")


@kind("another property in a condition")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    return _other_properties(query, catalog, "inline path pattern")


@kind("another element in COLUMNS")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    yield from _other_elements(query, "column")


@kind("another element in a condition")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    yield from _other_elements(query, "pattern")


def _other_elements(query: Query, places: str) -> Iterator[Query]:
    for at in range(len(query.tables)):
        names = {
            name: declared[0].variable
            for name, declared in variables(query, at).items()
            if declared[0].variable is not None
        }
        for name, variable in names.items():

            def change(node: Any, name: str = name, variable: Name = variable, names: Any = names) -> Any:
                if not node.table or node.table == name or node.table not in names:
                    return None
                new = node.copy()
                new.set("table", exp.to_identifier(variable.text, quoted=variable.quoted))
                return new

            yield from everywhere(query, exp.Column, change, places)


@kind("two columns taken for each other")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at, table in enumerate(query.tables):
        for one, other in itertools.pairwise(range(len(table.columns))):
            first, second = table.columns[one], table.columns[other]
            if isinstance(first, Column) and isinstance(second, Column):
                columns = list(table.columns)
                columns[one], columns[other] = (
                    Column(second.expression, first.name),
                    Column(first.expression, second.name),
                )
                yield with_table(query, at, replace(table, columns=tuple(columns)))


# ---------------------------------------------------------------- computing

node_kind(
    "another operator", (exp.Add, exp.Sub, exp.Mul), _operator({exp.Add: exp.Sub, exp.Sub: exp.Add, exp.Mul: exp.Add})
)


def _swap_case(node: Any) -> Any:
    new = node.copy()
    if new.args.get("default") is None:
        return None
    first, default = new.args["ifs"][0].args["true"], new.args["default"]
    new.args["ifs"][0].set("true", default.copy())
    new.set("default", first.copy())
    return new


node_kind("CASE: the branches taken for each other", exp.Case, _swap_case)
node_kind(
    "source for destination",
    exp.Anonymous,
    lambda node: (
        exp.Anonymous(
            this=node.this.replace("SOURCE", "#").replace("DESTINATION", "SOURCE").replace("#", "DESTINATION"),
            expressions=[one.copy() for one in node.expressions],
        )
        if " OF" in str(node.this)
        else None
    ),
)

_AGGREGATES: dict[type, list[type]] = {
    exp.Sum: [exp.Max, exp.Avg, exp.Count],
    exp.Avg: [exp.Sum, exp.Max],
    exp.Min: [exp.Max],
    exp.Max: [exp.Min],
}


def _aggregate(number: int) -> Callable[[Any], Any]:
    def change(node: Any) -> Any:
        others = _AGGREGATES[type(node)]
        return others[number](this=node.this.copy()) if number < len(others) else None

    return change


for _number, _title in enumerate(
    ["MAX for SUM, SUM for AVG, MAX for MIN", "AVG for SUM, MAX for AVG", "COUNT for SUM"]
):
    node_kind(f"another aggregate: {_title}", tuple(_AGGREGATES), _aggregate(_number))


def _toggle_distinct(node: Any) -> Any:
    if isinstance(node.this, exp.Star):
        return None
    new = node.copy()
    inner = new.this
    new.set("this", inner.expressions[0] if isinstance(inner, exp.Distinct) else exp.Distinct(expressions=[inner]))
    return new


node_kind("DISTINCT inside an aggregate added or dropped", (exp.Count, exp.Sum, exp.Avg), _toggle_distinct)


@kind("COUNT(column) for COUNT(*)")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    names = [column.name for table in query.tables for column in table.columns if isinstance(column, Column)]
    for name in names:
        column = exp.column(exp.to_identifier(name.text, quoted=name.quoted))
        yield from everywhere(
            query,
            exp.Count,
            lambda node, column=column: exp.Count(this=column.copy()) if isinstance(node.this, exp.Star) else None,
            "outer",
        )


# ---------------------------------------------------------------- the outer query


def _selects(query: Query, change: Callable[[exp.Select], bool]) -> Iterator[Query]:
    """The query with one SELECT of the outer query changed in place; `change` says whether it did."""
    for at in range(len(list(query.outer.find_all(exp.Select)))):
        outer = query.outer.copy()
        if change(list(outer.find_all(exp.Select))[at]):
            yield replace(query, outer=outer)


@kind("DISTINCT added or dropped")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    def change(select: exp.Select) -> bool:
        select.set("distinct", None if select.args.get("distinct") else exp.Distinct())
        return True

    return _selects(query, change)


@kind("GROUP BY: a column more")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for name in [one.name for table in query.tables for one in table.columns if isinstance(one, Column)]:

        def change(select: exp.Select, name: Name = name) -> bool:
            group = select.args.get("group")
            if group is None or any(one.name.lower() == name.text.lower() for one in group.expressions):
                return False
            group.append("expressions", exp.column(exp.to_identifier(name.text, quoted=name.quoted)))
            return True

        yield from _selects(query, change)


@kind("GROUP BY: a column less")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for at in range(3):

        def change(select: exp.Select, at: int = at) -> bool:
            group = select.args.get("group")
            if group is None or not at < len(group.expressions) > 1:
                return False
            dropped = group.expressions.pop(at)
            for one in list(select.selects):
                if one.unalias() == dropped:
                    one.replace(exp.alias_(exp.Max(this=dropped.copy()), one.alias_or_name, quoted=dropped.this.quoted))
            order = select.args.get("order")
            return order is None or dropped not in [one.this for one in order.expressions]

        yield from _selects(query, change)


def _drop(part: str) -> Kind:
    def change(select: exp.Select) -> bool:
        had = select.args.get(part) is not None
        select.set(part, None)
        return had

    return lambda query, catalog: _selects(query, change)


KINDS["HAVING left out"] = _drop("having")
KINDS["WHERE of the outer query left out"] = _drop("where")
KINDS["FETCH FIRST left out"] = _drop("limit")
KINDS["ORDER BY left out"] = _drop("order")


@kind("ORDER BY in the other direction")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    def change(node: Any) -> Any:
        new = node.copy()
        new.set("desc", not node.args.get("desc"))
        new.set("nulls_first", None)
        return new

    return everywhere(query, exp.Ordered, change)


@kind("inner for outer join, outer for inner")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    def change(node: Any) -> Any:
        new = node.copy()
        new.set("side", None if node.args.get("side") else "LEFT")
        return new if node.args.get("on") is not None else None

    return everywhere(query, exp.Join, change, "outer")


@kind("another column in a join or subquery")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    for table in query.tables:
        for one in (column for column in table.columns if isinstance(column, Column)):
            name = one.name

            def change(node: Any, name: Name = name, table: Any = table) -> Any:
                owned = table.alias is not None and node.table == table.alias.text
                if not owned or node.name.lower() == name.text.lower():
                    return None
                new = node.copy()
                new.set("this", exp.to_identifier(name.text, quoted=name.quoted))
                return new

            yield from everywhere(query, exp.Column, change, "outer")


@kind("UNION ALL for UNION")
def _(query: Query, catalog: Catalog) -> Iterator[Query]:
    def change(node: Any) -> Any:
        new = node.copy()
        new.set("distinct", not node.args.get("distinct"))
        return new

    return everywhere(query, exp.Union, change, "outer")


_SETS: dict[type, type] = {exp.Except: exp.Intersect, exp.Intersect: exp.Except}
node_kind("INTERSECT for EXCEPT", (exp.Except, exp.Intersect), lambda node: _SETS[type(node)](**node.copy().args))
