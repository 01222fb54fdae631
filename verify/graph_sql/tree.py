"""The tree of a query with GRAPH_TABLE: plain frozen dataclasses, expressions inside are sqlglot expressions.

May be imported by everything in this package and by writers of questions; imports sqlglot only.
Design reason: sqlglot's classes cannot be subclassed when they are compiled, and a pattern is easier to read, compare
and rewrite as a value of its own than as a foreign node.

Conventions inside expressions: a property is `exp.Column(table=variable, this=property)`. Element functions are
`exp.Anonymous` under their upper-case name (`VERTEX_ID`, `VERTEX_EQUAL`, `PROPERTY_EXISTS`, `BINDING_COUNT`,
`MATCHNUM`, `ELEMENT_NUMBER`, …). The predicates are `exp.Anonymous` too, under names no user can write: `IS SOURCE OF`,
`IS NOT SOURCE OF`, `IS DESTINATION OF`, `IS NOT DESTINATION OF` (vertex, edge), `IS LABELED` and `IS NOT LABELED`
(element, label, further alternatives…). Their arguments are `exp.Column` without a table.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sqlglot import exp

Expr: TypeAlias = exp.Expr
"""Any sqlglot expression."""

Direction: TypeAlias = Literal["right", "left", "any", "undirected"]
"""`undirected` is `~[ ]~`, which matches nothing here: every edge of a property graph over tables has a direction."""


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier as written. Whether two names are the same is the dialect's business: see `Dialect.fold`."""

    text: str
    quoted: bool = False
    offset: int = field(default=-1, compare=False)
    """Where it stands in the query's text, -1 for a name that was made up."""


@dataclass(frozen=True, slots=True)
class LabelName:
    """One label."""

    name: Name


@dataclass(frozen=True, slots=True)
class LabelOr:
    """`a | b | …`, at least two parts."""

    parts: tuple["Label", ...]


@dataclass(frozen=True, slots=True)
class LabelAnd:
    """`a & b & …`, at least two parts."""

    parts: tuple["Label", ...]


@dataclass(frozen=True, slots=True)
class LabelNot:
    """`! a`."""

    part: "Label"


@dataclass(frozen=True, slots=True)
class LabelAny:
    """`%`: any element that has a label."""


Label: TypeAlias = LabelName | LabelOr | LabelAnd | LabelNot | LabelAny


@dataclass(frozen=True, slots=True)
class Quantifier:
    """How often: `{min,max}`; `max` is None for `{n,}`, `*` and `+`. `question` marks `?`, which makes no group."""

    min: int
    max: int | None
    question: bool = False


@dataclass(frozen=True, slots=True)
class Vertex:
    """`(variable IS label WHERE where)`, every part optional."""

    variable: Name | None = None
    label: Label | None = None
    where: Expr | None = None
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Edge:
    """`-[variable IS label WHERE where]->` in one of three directions, or abbreviated as `->`, `<-`, `-`."""

    direction: Direction
    variable: Name | None = None
    label: Label | None = None
    where: Expr | None = None
    quantifier: Quantifier | None = None
    abbreviated: bool = False
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class ParenPath:
    """`( terms WHERE where ) quantifier`."""

    terms: tuple["Term", ...]
    where: Expr | None = None
    quantifier: Quantifier | None = None
    offset: int = field(default=-1, compare=False)


Term: TypeAlias = Vertex | Edge | ParenPath


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One path of a MATCH clause: `variable = prefix terms`; `prefix` such as `ANY SHORTEST` or `TRAIL`."""

    terms: tuple[Term, ...]
    variable: Name | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """`ONE ROW PER MATCH | VERTEX (v) | STEP (v1, e, v2) [IN path]`; None in a GraphTable means the default, match."""

    kind: Literal["match", "vertex", "step"]
    iterators: tuple[Name, ...] = ()
    path: Name | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One entry of COLUMNS. `alias` is None where a property keeps its own name."""

    expression: Expr
    alias: Name | None = None

    @property
    def name(self) -> Name:
        """The name of the column that comes out."""
        if self.alias is not None:
            return self.alias
        identifier = self.expression.this if isinstance(self.expression, exp.Column) else None
        if isinstance(identifier, exp.Identifier):
            return Name(identifier.this, bool(identifier.args.get("quoted")))
        return Name(self.expression.sql())


@dataclass(frozen=True, slots=True)
class AllProperties:
    """`v.*` in COLUMNS."""

    variable: Name


@dataclass(frozen=True, slots=True)
class GraphTable:
    """`GRAPH_TABLE (graph MATCH paths WHERE where rows COLUMNS (columns)) alias`."""

    graph: Name
    paths: tuple[PathPattern, ...]
    columns: tuple[Column | AllProperties, ...]
    where: Expr | None = None
    rows: Rows | None = None
    schema: Name | None = None
    as_of: str = ""
    """Oracle's `AS OF …` as written."""
    algorithm: str = ""
    """Oracle's call of an algorithm around the graph as written; its outputs are known to the database only."""
    alias: Name | None = None
    """The alias in the outer query, for information: the outer query's tree holds it too."""
    placeholder: str = field(default="", compare=False)
    """The name of the table that stands for it in the outer query's tree."""
    offset: int = field(default=-1, compare=False)
    end: int = field(default=-1, compare=False)
    """Offset behind the closing parenthesis."""


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query: the outer SELECT with one placeholder table for every GRAPH_TABLE."""

    text: str
    dialect: str
    outer: Expr
    tables: tuple[GraphTable, ...]

    def sql(self) -> str:
        """The query written back in its own dialect; parsing that gives an equal tree."""
        from .write import write_query

        return write_query(self)

    def canonical(self) -> str:
        """A text that is the same for queries that differ only in names of variables, order and layout."""
        from .canonical import canonical

        return canonical(self)


def elements(terms: tuple[Term, ...]) -> Iterator[Vertex | Edge]:
    """Every vertex and edge of a path in the order it is written, those inside parentheses included."""
    for term in terms:
        if isinstance(term, ParenPath):
            yield from elements(term.terms)
        else:
            yield term
