"""What the verifier `trace` knows of a query and of its graph: hops, labels, comparisons, outputs, literals.

May be imported by `trace` only; imports the tree and the parser.
Design reason: the thinking is text, so what is stated formally in it and what stands in the query are read by the same
expressions and compared as the same small values.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from .catalog import Catalog
from .errors import GraphSqlError
from .parse import parse_query
from .tree import (
    AllProperties,
    Direction,
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
    Quantifier,
    Query,
    Term,
    Vertex,
    elements,
)

Bounds = tuple[int, int | None] | None
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A vertex as far as it is known: folded variable, folded labels in order of their names."""

    variable: str = ""
    labels: Names = ()


@dataclass(frozen=True, slots=True)
class Hop:
    """An edge from `source` to `target`; the order means nothing where `open`."""

    variable: str
    labels: Names
    source: End
    target: End
    open: bool
    arrow: Direction
    bounds: Bounds
    outer: tuple[End, End] = (End(), End())
    """The vertices before and after a repeated group, where the edge is all there is in it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`variable.property operator value`, all folded; the variable is empty where none is written."""

    variable: str
    name: str
    operator: str
    value: str


@dataclass(slots=True)
class Facts:
    """One query in small values; all names folded, `shown` leads back to how they are written."""

    text: str
    graphs: set[str] = field(default_factory=set)
    hops: list[Hop] = field(default_factory=list)
    vertex_labels: dict[str, set[Names]] = field(default_factory=dict)
    """Variable of any element to the label alternatives written on it."""
    written: list[dict[str, set[Names]]] = field(default_factory=list)
    """The same, one for each GRAPH_TABLE."""
    labels: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    """Every `qualifier.name` of the whole query."""
    outputs: list[set[tuple[str, str]]] = field(default_factory=list)
    """`variable.property` inside COLUMNS, one set for each GRAPH_TABLE."""
    plain: set[tuple[str, str]] = field(default_factory=set)
    """Those of them that are passed on as they are."""
    computed: set[tuple[str, str]] = field(default_factory=set)
    """Those of them that stand inside an expression."""
    starred: set[str] = field(default_factory=set)
    """Variables that come out with all their properties."""
    named: list[tuple[str, str]] = field(default_factory=list)
    """Names of computed outputs with their expression, without blanks."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Output names of COLUMNS to the property they rename."""
    required: set[str] = field(default_factory=set)
    """Properties in conditions and outputs of the graph."""
    comparisons: set[Comparison] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)
    """Text constants of conditions."""
    numbers: set[str] = field(default_factory=set)
    """Numbers of conditions."""
    bounds: set[tuple[int, int | None]] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    """Plain tables in FROM."""
    aggregates: set[str] = field(default_factory=set)
    shown: dict[str, str] = field(default_factory=dict)


def fold(name: str) -> str:
    """The identity of a name here: quotes and case do not count, since prose has neither."""
    return name.strip('"').casefold()


# ---------------------------------------------------------------- comparisons and properties, in any text

_NAME = r'(?:"[^"\n]+"|[^\W\d][\w$#]*)'
_VALUE = rf"(?:(?:DATE|TIMESTAMP)\s*)?'(?:[^'\n]|'')*'|-?\d+(?:\.\d+)?(?![\w.]*\w)|(?:{_NAME}\s*\.\s*)?{_NAME}(?!\s*\()"
_LEFT = rf"(?:(?P<var>{_NAME})\s*\.\s*)?(?P<name>{_NAME}|(?:COUNT|SUM|AVG|MIN|MAX)\s*\([^()\n]*\))"
_AGAIN = _LEFT.replace("var", "var2").replace("name", "name2")
_WORD = r"(?P<word>(?:NOT\s+)?(?:LIKE|IN|BETWEEN)|IS\s+(?:NOT\s+)?NULL)"
_BOUND = r"(?:DATE\s*)?(?:'[^']*'|-?\d[\d.]*)"
COMPARISON = re.compile(
    rf"{_LEFT}\s*(?P<op><=|>=|<>|!=|≠|≤|≥|=|(?<!-)<(?!-)|(?<!-)>)\s*(?P<value>{_VALUE})|{_AGAIN}\s+{_WORD}"
    rf"(?P<rest>(?:\s+'(?:[^'\n]|'')*'|\s*\((?:'[^']*'|[\d., \-])*\)|\s+{_BOUND}\s+AND\s+{_BOUND})?)"
)
PAIR = re.compile(rf"(?<![\w.\"])(?P<var>{_NAME})\.(?P<name>{_NAME})(?!\s*\()")
_SIGNS = {"!=": "<>", "≠": "<>", "≤": "<=", "≥": ">="}


@lru_cache(maxsize=512)
def comparisons(text: str) -> tuple[tuple[int, int, Comparison], ...]:
    """Every formal comparison in a text with where it begins and ends."""
    return tuple(_comparisons(text))


def _comparisons(text: str) -> Iterator[tuple[int, int, Comparison]]:
    for match in _found(text):
        if match["op"]:
            left, sign, value = (match["var"], match["name"]), _SIGNS.get(match["op"], match["op"]), match["value"]
        else:
            left, value = (match["var2"], match["name2"]), match["rest"]
            sign = " ".join(match["word"].upper().split())
            if not value and "NULL" not in sign:
                continue
        if value.strip().upper() == "NULL":
            continue
        name = re.sub(r"\s", "", left[1])
        yield *match.span(), Comparison(fold(left[0] or ""), fold(name), sign, _value(value))


_SIGN = re.compile(r"[<>=≠≤≥]|\b(?:LIKE|IN|BETWEEN|IS)\b")


def _found(text: str) -> Iterator[re.Match[str]]:
    """The matches of `COMPARISON`, looked for around operators only: that is three times as fast."""
    last = 0
    for sign in _SIGN.finditer(text):
        match = COMPARISON.search(text, max(last, sign.start() - 80), sign.start() + 160)
        if match is not None and match.start() <= sign.start() and sign.start() >= last:
            last = match.end()
            yield match


def _value(text: str) -> str:
    if "'" in text:
        return re.sub(r"\s+", " ", re.sub(r"(?i)\b(?:DATE|TIMESTAMP)\s*", "", text)).strip()
    return re.sub(r"\s|\"", "", text).casefold()


# ---------------------------------------------------------------- the query


@lru_cache(maxsize=4096)
def facts_of(sql: str, dialect: str) -> Facts:
    """The facts of a query; raises GraphSqlError for one that cannot be read."""
    query = parse_query(sql, dialect=dialect)
    facts = Facts(sql)
    for table in query.tables:
        _read_table(table, facts)
    _read_outer(query, facts)
    facts.pairs = {(fold(one["var"]), fold(one["name"])) for one in PAIR.finditer(sql)}
    facts.comparisons = {_unaliased(one, facts) for _, _, one in comparisons(sql)}
    facts.variables |= {variable for variable, _ in facts.pairs}
    return facts


def _read_table(table: GraphTable, facts: Facts) -> None:
    facts.graphs.add(_shown(table.graph, facts))
    facts.written.append({})
    for path in table.paths:
        for element in elements(path.terms):
            _read_element(element, facts)
        facts.hops += hops(path.terms)
        _read_conditions(_wheres(path.terms), facts)
    _read_conditions([table.where] if table.where is not None else [], facts)
    for iterator in table.rows.iterators if table.rows else ():
        facts.variables.add(fold(iterator.text))
    outputs: set[tuple[str, str]] = set()
    for column in table.columns:
        if isinstance(column, AllProperties):
            facts.starred.add(fold(column.variable.text))
            continue
        for one in column.expression.find_all(exp.Column):
            if one.table:
                outputs.add((fold(one.table), fold(one.name)))
                kind = facts.plain if one is column.expression else facts.computed
                kind.add((fold(one.table), fold(one.name)))
                facts.required.add(_shown(Name(one.name), facts))
        if column.alias is not None and isinstance(column.expression, exp.Column):
            facts.aliases[fold(column.alias.text)] = fold(column.expression.name)
        elif column.alias is not None and (column.expression.find(exp.Column) or column.expression.is_string):
            written = re.sub(r"\s", "", column.expression.sql(dialect="oracle")).casefold()
            constant = f"{written}as{fold(column.alias.text)}" if column.expression.is_string else written
            facts.named.append((_shown(column.alias, facts), constant))
        if not isinstance(column.expression, exp.Literal):
            numbers = [one for one in column.expression.find_all(exp.Literal) if not one.is_string]
            facts.numbers.update(one.this for one in numbers)
        _read_aggregates(column.expression, facts)
    facts.outputs.append(outputs)


def _read_element(element: Vertex | Edge, facts: Facts) -> None:
    names = label_names(element.label)
    for name in names:
        facts.labels.add(_shown(name, facts))
    if element.variable is not None:
        variable = fold(element.variable.text)
        facts.variables.add(variable)
        if names:
            for known in (facts.vertex_labels, facts.written[-1]):
                known.setdefault(variable, set()).add(_folded(names))
    if isinstance(element, Edge) and element.quantifier is not None:
        facts.bounds.add((element.quantifier.min, element.quantifier.max))


def _shown(name: Name, facts: Facts) -> str:
    folded = fold(name.text)
    facts.shown.setdefault(folded, name.text)
    return folded


def label_names(label: Label | None) -> list[Name]:
    """The names in a label expression."""
    if isinstance(label, LabelName):
        return [label.name]
    if isinstance(label, (LabelOr, LabelAnd)):
        return [name for part in label.parts for name in label_names(part)]
    return label_names(label.part) if isinstance(label, LabelNot) else []


def _folded(names: Sequence[Name]) -> Names:
    return tuple(sorted({fold(name.text) for name in names}))


def _wheres(terms: tuple[Term, ...]) -> list[Expr]:
    found = [term.where for term in terms if term.where is not None]
    return found + [one for term in terms if isinstance(term, ParenPath) for one in _wheres(term.terms)]


def _read_conditions(conditions: Sequence[Expr], facts: Facts, *, graph: bool = True) -> None:
    for condition in conditions:
        for literal in condition.find_all(exp.Literal):
            if isinstance(literal.parent, exp.Select):
                continue
            (facts.strings if literal.is_string else facts.numbers).add(literal.this)
        for column in condition.find_all(exp.Column) if graph else ():
            if column.table:
                facts.required.add(_shown(Name(column.name), facts))
        _read_aggregates(condition, facts)


_AGGREGATES = {exp.Count: "COUNT", exp.Sum: "SUM", exp.Avg: "AVG", exp.Min: "MIN", exp.Max: "MAX"}


def _read_aggregates(node: Expr, facts: Facts) -> None:
    facts.aggregates |= {_AGGREGATES[type(one)] for one in node.find_all(*_AGGREGATES)}


def _read_outer(query: Query, facts: Facts) -> None:
    named = {fold(one.alias) for one in query.outer.find_all(exp.CTE)}
    for table in query.outer.find_all(exp.Table):
        name = fold(table.name)
        if name not in named and not any(name == fold(one.placeholder) for one in query.tables):
            facts.tables.add(_shown(Name(table.name), facts))
    clauses = [one.this for one in query.outer.find_all(exp.Where, exp.Having)]
    _read_conditions(clauses, facts, graph=False)
    for select in query.outer.find_all(exp.Select):
        for item in select.expressions:
            _read_aggregates(item, facts)


def _unaliased(one: Comparison, facts: Facts) -> Comparison:
    return Comparison(one.variable, facts.aliases.get(one.name, one.name), one.operator, one.value)


def is_stated(one: Comparison, facts: Facts) -> bool:
    """Whether a comparison of the thinking is in the query; a variable that the query does not have counts for any."""
    variable = one.variable if one.variable in facts.variables else ""
    name = facts.aliases.get(one.name, one.name)
    return any(
        (other.name, other.operator) == (name, one.operator)
        and (not variable or not other.variable or variable == other.variable)
        and _same_value(one.value, other.value, facts)
        for other in facts.comparisons
    )


def _same_value(said: str, value: str, facts: Facts) -> bool:
    if said == value or _number(said) == _number(value) is not None:
        return True
    variable, _, name = said.rpartition(".")
    bare = "'" not in value and _number(value) is None and value.rpartition(".")[2]
    return variable not in facts.variables and name == bare


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# ---------------------------------------------------------------- patterns


def hops(terms: tuple[Term, ...]) -> list[Hop]:
    """The edges of a path with what stands beside them, parentheses read as if they were written out once."""
    flat = list(_flat(terms, None))
    places = [index for index, (term, _) in enumerate(flat) if isinstance(term, Edge)]
    return [_hop(flat, index) for index in places]


def _hop(flat: Sequence[tuple[Vertex | Edge, Bounds]], index: int) -> Hop:
    term, bounds = flat[index]
    assert isinstance(term, Edge)
    ends = [(_end(flat, index - 1), _end(flat, index - 2)), (_end(flat, index + 1), _end(flat, index + 2))]
    # `(a) ((x)-[e]->(y)){2} (b)`: the repeated edge may also be said to lead from a to b
    (left, outer_left), (right, outer_right) = [(near, far if bounds else End()) for near, far in ends]
    source, target, starts, stops = left, right, outer_left, outer_right
    if term.direction == "left":
        source, target, starts, stops = right, left, outer_right, outer_left
    own = (term.quantifier.min, term.quantifier.max) if term.quantifier else bounds
    variable = fold(term.variable.text) if term.variable else ""
    labels = _folded(label_names(term.label))
    return Hop(variable, labels, source, target, term.direction == "any", term.direction, own, (starts, stops))


def _flat(terms: tuple[Term, ...], bounds: Bounds) -> Iterator[tuple[Vertex | Edge, Bounds]]:
    for term in terms:
        if isinstance(term, ParenPath):
            own = _bounds(term.quantifier) or bounds
            yield from _flat(term.terms, own)
        else:
            yield term, bounds


def _bounds(quantifier: Quantifier | None) -> Bounds:
    return (quantifier.min, quantifier.max) if quantifier else None


def _end(flat: Sequence[tuple[Vertex | Edge, Bounds]], index: int) -> End:
    term = flat[index][0] if 0 <= index < len(flat) else None
    if not isinstance(term, Vertex):
        return End()
    return End(fold(term.variable.text) if term.variable else "", _folded(label_names(term.label)))


def matches(said: Hop, facts: Facts) -> list[Hop]:
    """The hops of the query that a hop of the thinking can be."""
    return [hop for hop in facts.hops if _fits(said, hop, facts)]


def _fits(said: Hop, hop: Hop, facts: Facts) -> bool:
    if (said.labels and said.labels != hop.labels) or said.open != hop.open:
        return False
    if said.variable in facts.variables and said.variable != hop.variable and said.variable:
        return False
    if said.bounds is not None and said.bounds != hop.bounds:
        return False
    if (
        hop.outer != (End(), End())
        and _same(said.source, hop.outer[0], facts)
        and _same(said.target, hop.outer[1], facts)
    ):
        return True
    straight = _same(said.source, hop.source, facts) and _same(said.target, hop.target, facts)
    crossed = said.open and _same(said.source, hop.target, facts) and _same(said.target, hop.source, facts)
    return straight or crossed


def _same(said: End, end: End, facts: Facts) -> bool:
    if said.variable in facts.variables and said.variable and said.variable != end.variable:
        return False
    known = {end.labels} | facts.vertex_labels.get(end.variable, set())
    return not said.labels or said.labels in known


@lru_cache(maxsize=8192)
def read_pattern(text: str, dialect: str) -> tuple[Hop, ...]:
    """The hops of a pattern fragment by the real parser; empty for what it does not read."""
    text = re.sub(r"(?<=[(\[\w])\s*:\s*(?=[\w\"])", " IS ", text)
    try:
        query = parse_query(f"SELECT * FROM GRAPH_TABLE (g MATCH {text} COLUMNS (1 AS one))", dialect=dialect)
    except GraphSqlError:
        return ()
    return tuple(hop for table in query.tables for path in table.paths for hop in hops(path.terms))


# ---------------------------------------------------------------- the schema


@dataclass(frozen=True, slots=True)
class Schema:
    """The names of a script, folded, and between which labels its edges run."""

    names: frozenset[str]
    labels: frozenset[str]
    properties: frozenset[str]
    ends: dict[str, frozenset[tuple[str, str]]]
    owned: dict[str, frozenset[str]]
    """Label to the properties of the tables that carry it."""


def schema_of(catalog: Catalog) -> Schema:
    """The names that a catalog declares."""
    labels, properties, others = set(), set(), set()
    ends: dict[str, set[tuple[str, str]]] = {}
    owned: dict[str, set[str]] = {}
    for graph in catalog.graphs.values():
        others.add(fold(graph.shown))
        for element in (*graph.vertices.values(), *graph.edges.values()):
            others |= {fold(element.shown), fold(element.table)}
            labels |= {fold(one.shown) for one in element.labels.values()}
            own = {fold(one.shown) for one in element.properties.values()}
            properties |= own
            for label in element.labels.values():
                owned.setdefault(fold(label.shown), set()).update(own)
        for edge in graph.edges.values():
            if edge.source is None or edge.destination is None:
                continue
            starts, stops = (graph.vertices[end.vertex].labels.values() for end in (edge.source, edge.destination))
            pairs = {(fold(a.shown), fold(b.shown)) for a in starts for b in stops}
            for label in edge.labels.values():
                ends.setdefault(fold(label.shown), set()).update(pairs)
    for table in catalog.tables.values():
        others |= {fold(table.shown), *(fold(column.shown) for column in table.columns.values())}
    return Schema(
        frozenset(labels | properties | others),
        frozenset(labels),
        frozenset(properties),
        {label: frozenset(pairs) for label, pairs in ends.items()},
        {label: frozenset(names) for label, names in owned.items()},
    )
