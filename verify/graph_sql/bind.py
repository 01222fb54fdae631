"""Binding: which graph, variables, labels and properties a GRAPH_TABLE means, or why it means nothing.

May be imported by `database` and by writers of questions; imports sqlglot.
Design reason: everything that can be wrong with names is found here, before any SQL is made, so that an error speaks of
the pattern and never of the tables behind it. Conditions are in `bind_expressions`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from sqlglot import exp

from .catalog import Catalog, ElementTable, Graph
from .dialects import DIALECTS, Dialect
from .errors import GraphBindingError, GraphSqlError, place
from .search import search_of
from .suggest import did_you_mean
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
    Query,
    Term,
    Vertex,
)

Kind = Literal["vertex", "edge"]
OUTSIDE = 0
"""The scope of variables outside every quantifier; each quantified part of a pattern has a scope of its own, from 1."""


@dataclass(slots=True)
class Variable:
    """A vertex, edge or iterator variable. `tables` are the element tables that fit all its declarations."""

    name: str
    declared: Name
    kind: Kind
    scope: int
    tables: list[ElementTable]
    labels: list[Label] = field(default_factory=list)
    iterator: bool = False

    @property
    def shown(self) -> str:
        """The name as written."""
        return self.declared.text

    @property
    def group(self) -> bool:
        """Whether it stands for many elements when seen from outside its quantifier."""
        return self.scope != OUTSIDE


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the pattern and the scope it is evaluated in; `owner` is the variable whose WHERE it is."""

    expression: Expr
    scope: int
    owner: str | None = None


@dataclass(slots=True)
class Bound:
    """A GRAPH_TABLE with everything it names found."""

    table: GraphTable
    graph: Graph
    dialect: Dialect
    text: str
    variables: dict[str, Variable] = field(default_factory=dict)
    scopes: dict[int, int] = field(default_factory=dict)
    """Scope of a quantified term by the offset where the term stands."""
    around: frozenset[str] = frozenset()
    """Tables and aliases of the outer query, which a lateral reference may name."""
    columns: list[Column] = field(default_factory=list)
    """The columns that come out, with every `v.*` expanded."""
    adapted: dict[int, tuple[Expr, Expr]] = field(default_factory=dict, repr=False)
    """Expressions with the dialect's meaning made explicit, by the identity of the expression as written."""
    optional: set[int] = field(default_factory=set)
    """Where the terms stand that have the quantifier `?`: they occur once or not at all, and make no group."""
    lateral: bool = False
    """Whether an expression reads a column of the outer query."""
    cannot_run: str = ""
    """Why it cannot be executed here although it is right; empty where it can."""

    def fold(self, name: Name) -> str:
        """The identity of a name in this dialect."""
        return self.dialect.fold(name.text, name.quoted)

    def refuse(
        self, message: str, at: int, *, hint: str = "", kind: type[GraphSqlError] = GraphBindingError
    ) -> NoReturn:
        """Raise a binding error at an offset of the query."""
        raise kind(message, hint=hint, **place(self.text, at))

    def path_variables(self) -> dict[str, str]:
        """Path variables: folded name to the name as written."""
        return {self.fold(path.variable): path.variable.text for path in self.table.paths if path.variable is not None}

    def scope_of(self, term: Edge | ParenPath) -> int:
        """The scope inside a term: its own when it is quantified."""
        return self.scopes.get(term.offset, OUTSIDE)


def bind_query(query: Query, catalog: Catalog) -> list[Bound]:
    """Every GRAPH_TABLE of a query, bound; raises GraphBindingError."""
    rules = DIALECTS[query.dialect]
    around = frozenset(rules.fold(node.alias_or_name) for node in query.outer.find_all(exp.Table, exp.Subquery))
    return [bind_table(table, catalog, text=query.text, dialect=query.dialect, around=around) for table in query.tables]


def bind_table(
    table: GraphTable, catalog: Catalog, *, text: str, dialect: str, around: frozenset[str] = frozenset()
) -> Bound:
    """One GRAPH_TABLE, bound; raises GraphBindingError with place and hint."""
    from .bind_expressions import bind_expressions

    rules = DIALECTS[dialect]
    bound = Bound(table, _graph(table, catalog, text, rules), rules, text, around=around)
    for path in table.paths:
        _declare_terms(bound, path.terms, OUTSIDE)
        _check_search(bound, path)
    _declare_iterators(bound)
    if table.algorithm:
        bound.cannot_run = "algorithms of DBMS_OGA are not executed here"
    if table.as_of:
        bound.cannot_run = "AS OF reads the past, which the embedded database does not have"
    bind_expressions(bound)
    return bound


def _check_search(bound: Bound, path: PathPattern) -> None:
    """Refuse a path pattern with endlessly many matches, and say of what is endless to compute that it cannot run."""
    search = search_of(path.prefix)
    endless = list(unbounded(path.terms))
    if endless and not search.finite:
        hint = "put ANY SHORTEST before the path pattern, or give an upper bound such as {1,5}"
        bound.refuse("a quantifier without an upper bound has endlessly many matches", endless[0].offset, hint=hint)
    if search.selector == "cheapest":
        bound.cannot_run = "CHEAPEST is not executed here"
    elif search.selective and len(bound.table.paths) > 1:
        bound.cannot_run = "path search beside another path pattern is not executed here"
    elif endless and search.mode == "WALK" and (search.count > 1 or search.selector.startswith("shortest")):
        bound.cannot_run = "more than one path of a quantifier without an upper bound is not executed here"


def unbounded(terms: tuple[Term, ...]) -> Iterator[Edge | ParenPath]:
    """The quantified parts of a path that have no upper bound."""
    for term in terms:
        if isinstance(term, Vertex):
            continue
        if term.quantifier is not None and term.quantifier.max is None:
            yield term
        if isinstance(term, ParenPath):
            yield from unbounded(term.terms)


def _quantified(terms: tuple[Term, ...]) -> Iterator[Term]:
    for term in terms:
        if not isinstance(term, Vertex) and term.quantifier is not None:
            yield term
        if isinstance(term, ParenPath):
            yield from _quantified(term.terms)


def _graph(table: GraphTable, catalog: Catalog, text: str, rules: Dialect) -> Graph:
    name = table.graph
    graph = catalog.graphs.get(rules.fold(name.text, name.quoted))
    if graph is None:
        names = [rules.spell(one.name, one.shown) for one in catalog.graphs.values()]
        hint = did_you_mean(name.text, names, "the graphs are")
        if rules.fold(name.text, name.quoted) in catalog.tables:
            hint = f"`{name.text}` is a table; {hint}"
        raise GraphBindingError(f"no graph `{name.text}`", hint=hint, **place(text, name.offset))
    return graph


# ---------------------------------------------------------------- variables


def _declare_terms(bound: Bound, terms: tuple[Term, ...], scope: int) -> None:
    rules = bound.dialect
    _check_open(bound, terms)
    for term in terms:
        if isinstance(term, Vertex):
            _declare(bound, term, "vertex", scope)
            continue
        inner = scope
        if term.quantifier is not None:
            nested = term.quantifier.question and isinstance(term, ParenPath) and any(_quantified(term.terms))
            if scope != OUTSIDE or nested:
                bound.refuse(f"{rules.title} does not take a quantifier inside a quantifier", term.offset)
            if term.quantifier.question:
                bound.optional.add(term.offset)
            else:
                inner = len(bound.scopes) + 1
                bound.scopes[term.offset] = inner
        if isinstance(term, Edge):
            _declare(bound, term, "edge", inner)
        else:
            _declare_terms(bound, term.terms, inner)


def _check_open(bound: Bound, terms: tuple[Term, ...]) -> None:
    """Where the dialect wants every edge between two vertices, say so."""
    if bound.dialect.takes("open_path"):
        return
    for before, term, after in zip((None, *terms), terms, (*terms[1:], None), strict=False):
        if isinstance(term, Edge) and not (isinstance(before, Vertex) and isinstance(after, Vertex)):
            bound.refuse("an edge must stand between two vertices", term.offset, hint="write (a) -[e]-> (b)")


def _declare(bound: Bound, element: Vertex | Edge, kind: Kind, scope: int) -> None:
    tables = fitting(bound, element.label, kind)
    if element.variable is None:
        return
    name = bound.fold(element.variable)
    shown = element.variable.text
    known = bound.variables.get(name)
    labels = [element.label] if element.label is not None else []
    if known is None:
        bound.variables[name] = Variable(name, element.variable, kind, scope, tables, labels)
        return
    at = element.variable.offset
    if known.kind != kind:
        bound.refuse(f"`{shown}` is declared as a vertex and as an edge", at, hint="use another name")
    if known.scope != scope:
        hint = "a variable inside a quantifier cannot be declared again outside it"
        bound.refuse(f"`{shown}` is a group variable", at, hint=hint)
    if labels and known.labels and labels != known.labels and not bound.dialect.takes("repeated_label"):
        bound.refuse(f"`{shown}` is declared again with another label", at)
    known.tables = [table for table in known.tables if table in tables]
    known.labels += labels


def _declare_iterators(bound: Bound) -> None:
    rows = bound.table.rows
    if rows is None or not rows.iterators:
        return
    if len(bound.table.paths) > 1 and rows.path is None:
        at = rows.iterators[0].offset
        bound.refuse("ONE ROW PER needs one path pattern", at, hint="name a path variable and write IN path")
    if rows.path is not None:
        paths = bound.path_variables()
        if bound.fold(rows.path) not in paths:
            hint = did_you_mean(rows.path.text, paths.values(), "the path variables are")
            bound.refuse(f"no path variable `{rows.path.text}`", rows.path.offset, hint=hint)
    kinds: tuple[Kind, ...] = ("vertex",) if rows.kind == "vertex" else ("vertex", "edge", "vertex")
    for name, kind in zip(rows.iterators, kinds, strict=True):
        folded = bound.fold(name)
        if folded in bound.variables:
            bound.refuse(f"iterator `{name.text}` is already a variable", name.offset, hint="use another name")
        tables = list(bound.graph.elements(kind).values())
        bound.variables[folded] = Variable(folded, name, kind, OUTSIDE, tables, iterator=True)


# ---------------------------------------------------------------- labels


def fitting(bound: Bound, label: Label | None, kind: Kind) -> list[ElementTable]:
    """The element tables that satisfy a label expression; refuses labels the graph does not have."""
    tables = list(bound.graph.elements(kind).values())
    if label is None:
        return tables
    for name in label_names(label):
        check_label(bound, name, kind)
    return [table for table in tables if _satisfies(label, table, bound.fold)]


def check_label(bound: Bound, name: Name, kind: Kind) -> None:
    """Refuse a label that no table of this kind has, saying what it may have been meant to be."""
    labels = bound.graph.labels(kind)
    folded = bound.fold(name)
    if folded in labels:
        return
    graph = bound.graph
    other: Kind = "edge" if kind == "vertex" else "vertex"
    of_kind = f"graph `{graph.shown}` has {'vertex' if kind == 'vertex' else 'edge'} labels"
    rules = bound.dialect
    hint = did_you_mean(name.text, rules.spell_all(labels), of_kind)
    if folded in graph.labels(other):
        hint = f"`{name.text}` is a label of {'edges' if other == 'edge' else 'vertices'}; {hint}"
    elif folded in graph.elements(kind):
        own = ", ".join(rules.spell(one.name, one.shown) for one in graph.elements(kind)[folded].labels.values())
        hint = f"`{name.text}` is the name of a table, its label is {own}; {hint}"
    bound.refuse(f"no {kind} label `{name.text}`", name.offset, hint=hint)


def label_names(label: Label) -> Iterator[Name]:
    """Every label that a label expression names."""
    match label:
        case LabelName(name):
            yield name
        case LabelOr(parts) | LabelAnd(parts):
            for part in parts:
                yield from label_names(part)
        case LabelNot(part):
            yield from label_names(part)


def _satisfies(label: Label, table: ElementTable, fold: Callable[[Name], str]) -> bool:
    match label:
        case LabelName(name):
            return fold(name) in table.labels
        case LabelOr(parts):
            return any(_satisfies(part, table, fold) for part in parts)
        case LabelAnd(parts):
            return all(_satisfies(part, table, fold) for part in parts)
        case LabelNot(part):
            return not _satisfies(part, table, fold)
        case LabelAny():
            return bool(table.labels)


def readable(bound: Bound, variable: Variable) -> Mapping[str, str]:
    """The properties that may be read of a variable: folded name to the name as written."""
    if not bound.dialect.narrow_properties or not variable.labels:
        return {one.name: one.shown for table in variable.tables for one in table.properties.values()}
    names = {bound.fold(name) for label in variable.labels for name in label_names(label)}
    return {
        prop: table.properties[prop].shown
        for table in bound.graph.elements(variable.kind).values()
        for label in table.labels.values()
        if label.name in names
        for prop in label.properties
    }


def expand_columns(bound: Bound) -> list[Column]:
    """The columns that come out: every `v.*` becomes the variable's properties, no COLUMNS at all everything."""
    columns: list[Column] = []
    for one in bound.table.columns or _everything(bound):
        if isinstance(one, Column):
            columns.append(one)
        else:
            columns += _expand_star(bound, one)
    return columns


def _everything(bound: Bound) -> tuple[AllProperties, ...]:
    names = [variable for variable in bound.variables.values() if not variable.group]
    return tuple(AllProperties(variable.declared) for variable in names)


def _expand_star(bound: Bound, star: AllProperties) -> list[Column]:
    from .bind_expressions import find_variable, property_column

    variable = find_variable(bound, star.variable)
    if variable.group:
        bound.refuse(f"`{variable.shown}` is a group variable", star.variable.offset, hint="use an aggregate")
    names = readable(bound, variable).items()
    return [
        Column(property_column(star.variable, shown, quoted=bound.dialect.spell(name, shown) != shown))
        for name, shown in names
    ]
