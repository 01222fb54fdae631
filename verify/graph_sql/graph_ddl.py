"""The parser and checker of CREATE PROPERTY GRAPH: tokens in, a `Graph` of the catalog out.

May be imported by `ddl`; imports sqlglot through `cursor`.
Design reason: the rules a definition must satisfy (keys, references by alias, labels that agree) are checked where the
clause that breaks them is read, so that the error stands at its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from .adapt import adapt
from .catalog import ElementLabel, ElementTable, End, Graph, Property, Table, TableColumn
from .cursor import Cursor, parse_expression
from .errors import GraphBindingError
from .suggest import did_you_mean
from .tree import Name

T = TokenType


def parse_graph(at: Cursor, tables: Mapping[str, Table], graphs: Mapping[str, Graph]) -> Graph | None:
    """Read one CREATE PROPERTY GRAPH statement; None where IF NOT EXISTS finds the graph in `graphs`.

    Raises GraphSyntaxError or GraphBindingError.
    """
    return _GraphParser(at, tables, graphs).read()


@dataclass(frozen=True, slots=True)
class _Listed:
    """One label clause as read: its properties are resolved once the table's columns are known."""

    name: Name
    properties: Mapping[str, Property]


class _GraphParser:
    def __init__(self, at: Cursor, tables: Mapping[str, Table], graphs: Mapping[str, Graph]) -> None:
        self.at, self.tables, self.graphs = at, tables, graphs
        self.vertices: dict[str, ElementTable] = {}
        self.edges: dict[str, ElementTable] = {}

    def read(self) -> Graph | None:
        at = self.at
        at.index += 1
        replaces = self._gate("or_replace", "OR", "REPLACE")
        at.index += 2
        lenient = self._gate("if_not_exists", "IF", "NOT", "EXISTS")
        name = self._dotted("the name of the graph")
        known = self._fold(name) in self.graphs
        if self._fold(name) in self.tables or (known and not (replaces or lenient)):
            self._refuse(f"`{name.text}` is already the name of a {'graph' if known else 'table'}", name)
        if self._section("VERTEX", "NODE"):
            self._tables("vertex")
        elif at.peek() is not None:
            at.refuse_here("expected VERTEX TABLES")
        else:
            at.require("no_tables", name.offset)
        if self._section("EDGE", "RELATIONSHIP"):
            self._tables("edge")
        self._check_labels(name)
        if not self._mixed_types():
            self._check_types(name)
        if at.peek() is not None:
            at.refuse_here("expected the end of CREATE PROPERTY GRAPH")
        if known and lenient and not replaces:
            return None
        return Graph(self._fold(name), name.text, self.vertices, self.edges, self.tables, at.dialect)

    def _mixed_types(self) -> bool:
        """Step over OPTIONS ( … ); whether they allow a property to have several types."""
        at = self.at
        if not self._gate("options", "OPTIONS"):
            return False
        at.expect(T.L_PAREN, "`(`")
        close = at.span_to_close()
        words = " ".join(token.text.upper() for token in at.tokens[at.index : close])
        at.index = close + 1
        return "ALLOW MIXED PROPERTY TYPES" in words

    def _check_types(self, name: Name) -> None:
        """A property has one kind of type in the whole graph; the length of a text or a number does not count."""
        kinds: dict[str, tuple[str, str]] = {}
        for element in (*self.vertices.values(), *self.edges.values()):
            columns = self.tables[element.table].columns
            for one in element.properties.values():
                if one.column is None or not columns[one.column].type:
                    continue
                kind = _family(columns[one.column].kind)
                other, known = kinds.setdefault(one.name, (element.shown, kind))
                if known != kind:
                    hint = f"it is {known} on `{other}` and {kind} on `{element.shown}`"
                    self._refuse(f"property `{one.shown}` has two types", name, hint=hint)

    def _gate(self, feature: str, *words: str) -> bool:
        """Step over words that stand here, if the dialect takes what they mean."""
        start = self.at.offset()
        if not self.at.take_words(*words):
            return False
        self.at.require(feature, start)
        return True

    def _section(self, word: str, other: str) -> bool:
        return self.at.take_words(word, "TABLES") or self._gate("node_tables", other, "TABLES")

    def _check_labels(self, name: Name) -> None:
        """Where the dialect demands it, a label shows the same properties on every table."""
        for tables in (self.vertices, self.edges):
            shown: dict[str, tuple[str, frozenset[str]]] = {}
            for table in tables.values():
                for label in table.labels.values():
                    properties = frozenset(label.properties)
                    other, known = shown.setdefault(label.name, (table.shown, properties))
                    if known != properties:
                        hint = f"label `{label.shown}` of `{other}` and of `{table.shown}` differ"
                        self.at.require("label_differs", name.offset, hint=hint)

    def _fold(self, name: Name) -> str:
        return self.at.dialect.fold(name.text, name.quoted)

    def _spelled(self, known: Mapping[str, Table | TableColumn | ElementTable]) -> list[str]:
        return [self.at.dialect.spell(one.name, one.shown) for one in known.values()]

    def _reference(self, vertex: ElementTable) -> str:
        """A vertex table with its key as REFERENCES names it."""
        rules, columns = self.at.dialect, self.tables[vertex.table].columns
        key = ", ".join(rules.spell(name, columns[name].shown) for name in vertex.key)
        return f"{rules.spell(vertex.name, vertex.shown)} ({key})"

    def _dotted(self, what: str) -> Name:
        name = self.at.name(what)
        while self.at.take(T.DOT):
            name = self.at.name(what)
        return name

    def _refuse(self, message: str, name: Name, *, hint: str = "") -> None:
        self.at.refuse(message, name.offset, hint=hint, kind=GraphBindingError)

    # ---------------------------------------------------------------- element tables

    def _tables(self, kind: Literal["vertex", "edge"]) -> None:
        self.at.expect(T.L_PAREN, "`(`")
        while True:
            self._table(kind)
            if not self.at.take(T.COMMA):
                break
        self.at.expect(T.R_PAREN, "`,` or `)` in the list of tables")

    def _table(self, kind: Literal["vertex", "edge"]) -> None:
        at = self.at
        name = self._dotted("a table")
        table = self.tables.get(self._fold(name))
        if table is None:
            shown = self._spelled(self.tables)
            self._refuse(f"no table `{name.text}`", name, hint=did_you_mean(name.text, shown, "the script has"))
        assert table is not None
        alias = at.name("an alias") if at.take(T.ALIAS) else name
        folded = self._fold(alias)
        if folded in self.vertices or folded in self.edges:
            self._refuse(f"`{alias.text}` is declared twice in the graph", alias, hint="give one of them an alias")
        key = self._key(table, alias)
        source, destination = (
            (self._end(table, "SOURCE"), self._end(table, "DESTINATION")) if kind == "edge" else (None, None)
        )
        listed = self._labels(table, alias)
        element = _element(folded, alias, kind, table, key, source, destination, listed, self.at)
        (self.vertices if kind == "vertex" else self.edges)[folded] = element

    def _key(self, table: Table, alias: Name) -> tuple[str, ...]:
        if self._gate("element_key", "KEY"):
            return self._column_list(table)
        if not table.primary_key:
            self._refuse(f"`{alias.text}` has neither KEY (…) nor a primary key", alias)
        return table.primary_key

    def _column_list(self, table: Table) -> tuple[str, ...]:
        at = self.at
        at.expect(T.L_PAREN, "`(`")
        columns = [self._column_of(table)]
        while at.take(T.COMMA):
            columns.append(self._column_of(table))
        at.expect(T.R_PAREN, "`)`")
        return tuple(columns)

    def _column_of(self, table: Table) -> str:
        name = self.at.name("a column")
        folded = self._fold(name)
        if folded not in table.columns:
            shown = self._spelled(table.columns)
            hint = did_you_mean(name.text, shown, f"`{table.shown}` has")
            self._refuse(f"no column `{name.text}` in `{table.shown}`", name, hint=hint)
        return folded

    def _end(self, table: Table, word: str) -> End:
        at = self.at
        at.expect_words(word, hint=f"an edge table needs {word} KEY (…) REFERENCES vertex_table (…)")
        if not at.take_words("KEY"):
            at.require("end_by_foreign_key", at.offset(), hint=f"write {word} KEY (…) REFERENCES …")
            return self._end_by_foreign_key(table, word)
        own = self._column_list(table)
        at.expect_words("REFERENCES")
        vertex, name = self._vertex_reference()
        if at.kind() is T.L_PAREN:
            columns = self._column_list(self.tables[vertex.table])
        else:
            at.require("end_without_columns", name.offset, hint=f"write {self._reference(vertex)}")
            columns = vertex.key
        if len(columns) != len(own):
            self._refuse(f"{word} KEY has {len(own)} columns and REFERENCES {len(columns)}", name)
        return End(vertex.name, own, columns)

    def _vertex_reference(self) -> tuple[ElementTable, Name]:
        name = self.at.name("a vertex table")
        vertex = self.vertices.get(self._fold(name))
        if vertex is None:
            shown = self._spelled(self.vertices)
            hint = did_you_mean(name.text, shown, "the graph has") + "; an alias is what counts"
            self._refuse(f"no vertex table `{name.text}`", name, hint=hint)
        assert vertex is not None
        return vertex, name

    def _end_by_foreign_key(self, table: Table, word: str) -> End:
        vertex, name = self._vertex_reference()
        target = self.tables[vertex.table]
        fitting = [one for one in table.foreign_keys if one.table == vertex.table]
        if len(fitting) != 1:
            what = "no foreign key" if not fitting else "more than one foreign key"
            self._refuse(
                f"`{table.shown}` has {what} to `{name.text}`", name, hint=f"write {word} KEY (…) REFERENCES …"
            )
        return End(vertex.name, fitting[0].columns, fitting[0].referenced or target.primary_key)

    # ---------------------------------------------------------------- labels and properties

    def _labels(self, table: Table, alias: Name) -> list[_Listed]:
        at = self.at
        if at.words("PROPERTIES") or at.words("NO", "PROPERTIES"):
            return [self._unlabelled(table, alias)]
        listed: list[_Listed] = []
        while True:
            start = at.offset()
            if self._gate("default_label", "DEFAULT", "LABEL"):
                name = alias
            elif at.take_words("LABEL"):
                name = at.name("a label")
            else:
                break
            if any(self._fold(one.name) == self._fold(name) for one in listed):
                self._refuse(f"label `{name.text}` is given twice", name)
            if listed:
                at.require("several_labels", start)
            listed.append(_Listed(name, self._properties(table)))
        return listed or [_Listed(alias, _all_columns(table, frozenset()))]

    def _unlabelled(self, table: Table, alias: Name) -> _Listed:
        """Properties without a label in front: of the default label, or of one that follows."""
        properties = self._properties(table)
        start = self.at.offset()
        if not self.at.take_words("LABEL"):
            return _Listed(alias, properties)
        self.at.require("properties_first", start, hint="write LABEL name PROPERTIES (…)")
        return _Listed(self.at.name("a label"), properties)

    def _properties(self, table: Table) -> Mapping[str, Property]:
        at = self.at
        if at.take_words("NO", "PROPERTIES"):
            return {}
        if not at.take_words("PROPERTIES"):
            return _all_columns(table, frozenset())
        self._gate("properties_are", "ARE")
        if at.take_words("ALL", "COLUMNS"):
            left_out = frozenset(self._column_list(table)) if self._gate("properties_except", "EXCEPT") else frozenset()
            return _all_columns(table, left_out)
        return self._property_list(table)

    def _property_list(self, table: Table) -> dict[str, Property]:
        at = self.at
        at.expect(T.L_PAREN, "`(` behind PROPERTIES")
        close = at.span_to_close()
        found: dict[str, Property] = {}
        while True:
            name, one = self._property(table, close)
            if one.name in found:
                self._refuse(f"property `{one.shown}` is given twice", name)
            found[one.name] = one
            if at.index == close:
                break
            at.expect(T.COMMA, "`,` or `)` in the list of properties")
        at.index += 1
        return found

    def _property(self, table: Table, close: int) -> tuple[Name, Property]:
        at = self.at
        end = _item_end(at, close)
        tokens = at.tokens[at.index : end]
        start = at.offset()
        alias: Name | None = None
        if len(tokens) > 2 and tokens[-2].token_type is T.ALIAS:
            at.index = end - 1
            alias = at.name("the name of a property")
            tokens = tokens[:-2]
        if not tokens:
            at.refuse_here("expected a property")
        expression = parse_expression(at, tokens)
        at.index = end
        written = expression.name
        self._check_columns(expression, table, start)
        if isinstance(expression, exp.Column):
            column = table.columns[expression.name]
            name = alias or Name(written, tokens[0].token_type is T.IDENTIFIER, start)
            return name, Property(self._fold(name), name.text, column.type, _column_node(column.name))
        at.require("computed_property", start)
        if alias is None:
            at.refuse("a computed property needs AS name", start)
        return alias, Property(self._fold(alias), alias.text, "", adapt(expression, at.dialect))

    def _check_columns(self, expression: exp.Expr, table: Table, start: int) -> None:
        for node in list(expression.find_all(exp.Column)):
            folded = self.at.dialect.fold(node.name, bool(node.this.args.get("quoted")))
            if folded not in table.columns or node.table:
                shown = self._spelled(table.columns)
                offset = node.this.meta.get("start", start)
                hint = did_you_mean(node.name, shown, f"`{table.shown}` has")
                self.at.refuse(f"no column `{node.name}` in `{table.shown}`", offset, hint=hint, kind=GraphBindingError)
            node.this.set("this", folded)
            node.this.set("quoted", True)


_FAMILIES = {
    "text": ("CHAR", "TEXT", "NAME", "CLOB"),
    "number": ("INT", "DECIMAL", "FLOAT", "DOUBLE", "NUMERIC", "REAL", "NUMBER"),
    "time": ("DATE", "TIME"),
}


def _family(kind: exp.DataType) -> str:
    """The kind of a type in words; a type of its own where it is none of the usual."""
    name = kind.this.name if hasattr(kind.this, "name") else str(kind.this)
    return next((family for family, parts in _FAMILIES.items() if any(part in name for part in parts)), name.lower())


def _item_end(at: Cursor, close: int) -> int:
    depth, index = 0, at.index
    while index < close:
        kind = at.tokens[index].token_type
        depth += (kind is T.L_PAREN) - (kind is T.R_PAREN)
        if depth == 0 and kind is T.COMMA:
            return index
        index += 1
    return close


def _column_node(name: str) -> exp.Column:
    return exp.Column(this=exp.Identifier(this=name, quoted=True))


def _all_columns(table: Table, left_out: frozenset[str]) -> dict[str, Property]:
    return {
        one.name: Property(one.name, one.shown, one.type, _column_node(one.name))
        for one in table.columns.values()
        if one.name not in left_out
    }


def _element(
    folded: str,
    alias: Name,
    kind: Literal["vertex", "edge"],
    table: Table,
    key: tuple[str, ...],
    source: End | None,
    destination: End | None,
    listed: list[_Listed],
    at: Cursor,
) -> ElementTable:
    """The element table from its clauses; a property given under two labels must be the same expression."""
    properties: dict[str, Property] = {}
    labels: dict[str, ElementLabel] = {}
    for one in listed:
        name = at.dialect.fold(one.name.text, one.name.quoted)
        labels[name] = ElementLabel(name, one.name.text, tuple(one.properties))
        for known in one.properties.values():
            other = properties.setdefault(known.name, known)
            if other.expression != known.expression:
                message = f"property `{known.shown}` of `{alias.text}` has two different expressions"
                at.refuse(message, one.name.offset, kind=GraphBindingError)
    return ElementTable(folded, alias.text, kind, table.name, key, labels, properties, source, destination)
