"""What each dialect takes, as data: one table of features, read by the parser and the binder.

May be imported by everything in this package; imports nothing heavy.
Design reason: a dialect is a column in a table, so a new rule is a new line and never an `if` on a name. The entries
come from each system's documentation, and for PostgreSQL from runs of 19 beta 2, the last that had SQL/PGQ.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

_PLAIN = re.compile(r"[^\W\d][\w$#]*")
DialectName: TypeAlias = Literal["oracle", "postgres", "googlesql", "duckpgq", "standard"]

# y: taken. s: a syntax error. u: parsed, then refused as not supported, which is the binding stage.
_TABLE = """
feature              standard oracle postgres googlesql duckpgq | what it is
columns_optional     y s s y y | leaving COLUMNS out
return_clause        s s s y s | RETURN
as_before_alias      y s y y y | AS before the alias of the table
alias_columns        y s y s y | a column list behind the alias
as_of                s y s s s | AS OF behind the graph
algorithm            s y s s s | an algorithm of DBMS_OGA in place of the graph
no_variable          y y y y s | an element without a variable
edge_left_or_right   y y s s y | `<-[ ]->`
edge_undirected      y s s s s | `~[ ]~`, `<~[ ]~`, `~[ ]~>`, `<->`
abbreviated          y y y y s | an abbreviated edge
open_path            y y u y s | a path that starts or ends with an edge, or two edges in a row
adjacent_vertices    y s u y s | two vertices in a row
several_paths        y y u y y | several path patterns
repeated_label       y y u y y | a variable declared again with another label
paren_path           y s u y s | a parenthesized path without a quantifier
paren_quantified     y y u y s | a parenthesized path with a quantifier
colon_label          y s s y y | `:label`
label_or             y y y y s | `|` between labels
label_and            y s s y s | `&` between labels
label_not            y s s y s | `!` before a label
label_any            y s s y s | `%` as a label
label_group          y s s y s | parentheses around labels
property_map         s s s y s | a property map `{key: value}`
outer_reference      y y u y y | another element's property in an inline WHERE
subquery             y u u y u | a subquery inside GRAPH_TABLE
lateral              y u y y u | a column of the outer query inside GRAPH_TABLE
column_unnamed       s s s s y | an expression in COLUMNS without AS
alias_without_as     s s s s y | an alias in COLUMNS without AS
star                 y y u y y | `variable.*` in COLUMNS
bare_star            s s s s y | `*` in COLUMNS
group_aggregate      y y u y s | an aggregate over a group variable
rows_per             y y s s s | ONE ROW PER
rows_path            y y s s s | IN behind ONE ROW PER
path_variable        y y s y y | a path variable
quantifier           y y u y y | a quantifier
zero_quantifier      y y u y y | a quantifier that begins at 0
unbounded            y s s y y | a quantifier without an upper bound
question             y s s s y | the quantifier `?`
nested_quantifier    u u u u u | a quantifier inside a quantifier
path_mode            y s s y u | WALK, TRAIL, ACYCLIC, SIMPLE
any_shortest         y s s y y | ANY SHORTEST
path_search          y s s y u | ANY, ALL SHORTEST, SHORTEST k
keep                 y s s s s | KEEP behind the path patterns
cheapest             s s s y s | ANY CHEAPEST, CHEAPEST k
path_length          y s s y y | PATH_LENGTH
element_functions    y y s y s | VERTEX_ID, EDGE_ID, VERTEX_EQUAL, EDGE_EQUAL
is_source_of         y y s y s | IS SOURCE OF, IS DESTINATION OF
is_labeled           y y s y s | IS LABELED
property_exists      y y s y s | PROPERTY_EXISTS
row_numbers          y y s s s | MATCHNUM, ELEMENT_NUMBER
binding_count        y y s s s | BINDING_COUNT
limit                s s y y y | LIMIT
double_colon         s s y s y | `::`
ilike                s s y s y | ILIKE
distinct_on          s s y s y | DISTINCT ON
alias_reuse          s s s s y | an alias of the select list in its own SELECT or WHERE
node_tables          y s y y s | NODE TABLES, RELATIONSHIP TABLES
no_tables            y s y s s | a graph without tables
or_replace           s y s y y | CREATE OR REPLACE PROPERTY GRAPH
if_not_exists        s y s y y | CREATE PROPERTY GRAPH IF NOT EXISTS
element_key          y y y y s | KEY of an element table
end_by_foreign_key   y y y s y | SOURCE and DESTINATION by foreign key
end_without_columns  s y s y s | REFERENCES without columns
default_label        y y y y s | DEFAULT LABEL
several_labels       y y y y s | several labels on a table
properties_first     s s s s y | PROPERTIES before LABEL
properties_are       y y s y y | PROPERTIES ARE ALL COLUMNS
properties_except    y y s y y | EXCEPT behind ALL COLUMNS
computed_property    y y y y s | a computed property
alter_graph          s y y s s | ALTER PROPERTY GRAPH
options              s y s y s | OPTIONS of a graph
label_differs        u y u u u | one label with different properties on two tables
"""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. `reader` is sqlglot's name for it; `features` maps a feature to `y`, `s` or `u`."""

    name: DialectName
    title: str
    reader: str
    folding: Literal["upper", "lower", "none"]
    """What an unquoted identifier becomes; `none` compares without regard to case, quoted or not."""
    narrow_properties: bool
    """True where a property is readable only through a label that the expression names."""
    whole_division: bool
    """True where `/` between whole numbers gives a whole number."""
    features: Mapping[str, str]

    def fold(self, text: str, quoted: bool = False) -> str:
        """The identity of a name: two names are the same when their folded texts are equal."""
        if self.folding == "none":
            return text.lower()
        if quoted:
            return text
        return text.upper() if self.folding == "upper" else text.lower()

    def spell(self, name: str, shown: str) -> str:
        """How a query writes a name that is `name` folded and `shown` as declared: in quotes only where needed."""
        plain = _PLAIN.fullmatch(shown) and shown.upper() not in RESERVED
        if plain and self.fold(shown) == name:
            return shown
        mark = "`" if self.reader == "bigquery" else '"'
        text = shown if self.folding == "none" else name
        return mark + text.replace(mark, mark * 2) + mark

    def spell_all(self, names: Mapping[str, str]) -> list[str]:
        """`spell` for folded names and the names as declared."""
        return [self.spell(name, shown) for name, shown in names.items()]

    def takes(self, feature: str) -> bool:
        """Whether the feature can be used at all."""
        return self.features[feature] == "y"


def _columns() -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    lines = [line.partition("|") for line in _TABLE.strip().splitlines()]
    names = lines[0][0].split()[1:]
    by_dialect: dict[str, dict[str, str]] = {name: {} for name in names}
    titles: dict[str, str] = {}
    for left, _, title in lines[1:]:
        feature, *marks = left.split()
        titles[feature] = title.strip()
        for name, mark in zip(names, marks, strict=True):
            by_dialect[name][feature] = mark
    return by_dialect, titles


_FEATURES, FEATURE_TITLES = _columns()
"""`FEATURE_TITLES` says in words what each feature is."""

DIALECTS: Mapping[str, Dialect] = {
    one.name: one
    for one in (
        Dialect("oracle", "Oracle", "oracle", "upper", False, False, _FEATURES["oracle"]),
        Dialect("postgres", "PostgreSQL", "postgres", "lower", True, True, _FEATURES["postgres"]),
        Dialect("googlesql", "GoogleSQL", "bigquery", "none", False, False, _FEATURES["googlesql"]),
        Dialect("duckpgq", "DuckPGQ", "duckdb", "none", False, False, _FEATURES["duckpgq"]),
        Dialect("standard", "SQL:2023", "postgres", "upper", False, False, _FEATURES["standard"]),
    )
}
assert tuple(DIALECTS) == get_args(DialectName)

_RESERVED = """
ALL ALTER AND ANY AS ASC BETWEEN BY CASE CHECK CREATE DEFAULT DELETE DESC DISTINCT DROP ELSE EXISTS FOR FROM
GRANT GROUP HAVING IN INSERT INTERSECT INTO IS LIKE MINUS NOT NULL OF ON OR ORDER SELECT SET TABLE THEN TO UNION
UNIQUE UPDATE VALUES WHERE WITH
"""
RESERVED = frozenset(_RESERVED.split())
"""Words that cannot be names unless they are quoted, common to all dialects here."""
