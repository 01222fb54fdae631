"""The parser of scripts: CREATE TABLE, CREATE VIEW, INSERT through sqlglot, CREATE PROPERTY GRAPH on its own.

May be imported by `load`; imports sqlglot.
Design reason: a statement of a script is data for the catalog and for the loader, and nothing else is let in, so that a
script of a stranger can do no more than fill its own tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from .catalog import Catalog, ForeignKey, Graph, Table, TableColumn
from .cursor import Cursor, parse_expression, tokenize
from .dialects import DIALECTS, Dialect
from .errors import GraphBindingError
from .graph_ddl import parse_graph

T = TokenType
MAX_SCRIPT = 20_000_000
"""Longest script in characters."""

_IGNORED = frozenset({"COMMIT", "ANALYZE", "COMMENT"})


@dataclass(slots=True)
class Script:
    """A script that was read: its catalog, and the statements that fill the tables, in order."""

    tables: dict[str, Table] = field(default_factory=dict)
    graphs: dict[str, Graph] = field(default_factory=dict)
    inserts: list[exp.Insert] = field(default_factory=list)

    def catalog(self) -> Catalog:
        """What was declared."""
        return Catalog(self.tables, self.graphs)


def parse_script(text: str, *, dialect: str = "oracle") -> Script:
    """Read a script; raises GraphSyntaxError or GraphBindingError with the place in the script."""
    rules = DIALECTS[dialect]
    script = Script()
    for tokens in _statements(tokenize(text, rules, limit=MAX_SCRIPT)):
        _read_statement(Cursor(tokens, text, rules), script)
    return script


def _statements(tokens: list[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for token in tokens:
        if token.token_type is T.SEMICOLON:
            if statement:
                yield statement
            statement = []
        elif not (token.token_type is T.SLASH and not statement):  # SQL*Plus runs the buffer at a lone slash
            statement.append(token)
    if statement:
        yield statement


def _read_statement(at: Cursor, script: Script) -> None:
    if at.word() in _IGNORED:
        return
    if at.words("DROP", "PROPERTY", "GRAPH"):
        _drop_graph(at, script)
    elif at.words("ALTER", "PROPERTY", "GRAPH"):
        _alter_graph(at, script)
    elif at.word() == "CREATE" and _is_graph(at):
        graph = parse_graph(at, script.tables, script.graphs)
        if graph is not None:
            script.graphs[graph.name] = graph
    else:
        _read_table_statement(at, script)


def _is_graph(at: Cursor) -> bool:
    return any(at.words(*words, "PROPERTY", "GRAPH") for words in (("CREATE",), ("CREATE", "OR", "REPLACE")))


def _drop_graph(at: Cursor, script: Script) -> None:
    at.index += 3
    at.take_words("IF", "EXISTS")
    name = at.name("the name of a graph")
    script.graphs.pop(at.dialect.fold(name.text, name.quoted), None)


def _alter_graph(at: Cursor, script: Script) -> None:
    """ALTER PROPERTY GRAPH … RENAME TO, and what changes nothing here: a new owner, COMPILE."""
    start = at.offset()
    at.require("alter_graph", start)
    at.index += 3
    name = at.name("the name of a graph")
    graph = script.graphs.get(at.dialect.fold(name.text, name.quoted))
    if graph is None:
        at.refuse(f"no graph `{name.text}` to alter", name.offset, kind=GraphBindingError)
    if at.take_words("RENAME", "TO"):
        new = at.name("the new name")
        folded = at.dialect.fold(new.text, new.quoted)
        del script.graphs[graph.name]
        script.graphs[folded] = replace(graph, name=folded, shown=new.text)
    elif not (at.take_words("OWNER", "TO") and at.name("a role")) and not at.take_words("COMPILE"):
        at.refuse_here("expected RENAME TO, OWNER TO or COMPILE", hint="declare the graph again with its new tables")


def _read_table_statement(at: Cursor, script: Script) -> None:
    start = at.offset()
    parsed = parse_expression(at, at.tokens, statement=True)
    if isinstance(parsed, exp.Insert):
        script.inserts.append(_checked_insert(parsed, at, script))
    elif isinstance(parsed, exp.MultitableInserts):
        script.inserts += [_checked_insert(one, at, script) for one in parsed.find_all(exp.Insert)]
    elif isinstance(parsed, exp.Alter) and parsed.find(exp.PrimaryKey, exp.ForeignKey):
        _add_keys(parsed, at, script)
    elif isinstance(parsed, exp.Create) and parsed.kind == "INDEX":
        return  # an index changes no row
    elif isinstance(parsed, exp.Create) and parsed.kind == "TABLE" and isinstance(parsed.this, exp.Schema):
        table = _table(parsed, at.dialect)
        script.tables[table.name] = table
    elif isinstance(parsed, exp.Create) and parsed.kind == "VIEW" and isinstance(parsed.expression, exp.Query):
        view = _view(parsed, at.dialect)
        script.tables[view.name] = view
    else:
        hint = "CREATE TABLE, ALTER TABLE … ADD key, CREATE VIEW, INSERT … VALUES and CREATE PROPERTY GRAPH are"
        at.refuse("this statement is not taken in a script", start, hint=hint)


def _checked_insert(insert: exp.Insert, at: Cursor, script: Script) -> exp.Insert:
    target = insert.find(exp.Table)
    name = fold(target.this if target is not None else None, at.dialect)
    if name not in script.tables:
        at.refuse(f"no table `{name}` to insert into", at.offset(), kind=GraphBindingError)
    if not isinstance(insert.expression, exp.Values):
        at.refuse("INSERT takes VALUES only", at.offset())
    return insert


def fold(node: object, rules: Dialect) -> str:
    """The folded name of a sqlglot identifier."""
    if isinstance(node, exp.Identifier):
        return rules.fold(node.name, bool(node.args.get("quoted")))
    return rules.fold(node.name) if isinstance(node, exp.Expr) else ""


def _table(create: exp.Create, rules: Dialect) -> Table:
    schema = create.this
    columns: dict[str, TableColumn] = {}
    primary: tuple[str, ...] = ()
    foreign: list[ForeignKey] = []
    for part in schema.expressions:
        if isinstance(part, exp.ColumnDef):
            column = _column(part, rules)
            columns[column.name] = column
            if part.find(exp.PrimaryKeyColumnConstraint):
                primary = (column.name,)
            foreign += [_reference((column.name,), one, rules) for one in part.find_all(exp.Reference)]
        else:
            primary = _primary_key(part, rules) or primary
            foreign += _foreign_keys(part, rules)
    name = schema.this.this
    return Table(fold(name, rules), name.name, columns, primary, tuple(foreign))


def _primary_key(part: exp.Expr, rules: Dialect) -> tuple[str, ...]:
    key = part.find(exp.PrimaryKey)
    return tuple(fold(_bare(one), rules) for one in key.expressions) if key is not None else ()


def _foreign_keys(part: exp.Expr, rules: Dialect) -> list[ForeignKey]:
    return [
        _reference(tuple(fold(one, rules) for one in key.expressions), key.args["reference"], rules)
        for key in part.find_all(exp.ForeignKey)
    ]


def _add_keys(alter: exp.Alter, at: Cursor, script: Script) -> None:
    """ALTER TABLE … ADD PRIMARY KEY or FOREIGN KEY, as scripts write that create the tables first."""
    name = fold(alter.this.this, at.dialect)
    table = script.tables.get(name)
    if table is None:
        at.refuse(f"no table `{alter.this.name}` to alter", at.offset(), kind=GraphBindingError)
    primary = _primary_key(alter, at.dialect) or table.primary_key
    foreign = (*table.foreign_keys, *_foreign_keys(alter, at.dialect))
    script.tables[name] = replace(table, primary_key=primary, foreign_keys=foreign)


def _bare(node: exp.Expr) -> exp.Expr:
    """The identifier inside `id`, or inside `id ASC`, as a key may be written."""
    return node if isinstance(node, exp.Identifier) else node.find(exp.Identifier) or node


def _column(part: exp.ColumnDef, rules: Dialect) -> TableColumn:
    kind = part.args.get("kind")
    if not isinstance(kind, exp.DataType):
        kind = exp.DataType.build("VARCHAR")
    nullable = part.find(exp.NotNullColumnConstraint, exp.PrimaryKeyColumnConstraint) is None
    declared = kind.sql(rules.reader)
    return TableColumn(fold(part.this, rules), part.name, "INTEGER" if declared == "INT" else declared, kind, nullable)


def _reference(own: tuple[str, ...], reference: exp.Expr, rules: Dialect) -> ForeignKey:
    target = reference.this
    if isinstance(target, exp.Schema):
        return ForeignKey(own, fold(target.this.this, rules), tuple(fold(one, rules) for one in target.expressions))
    return ForeignKey(own, fold(target.this, rules), ())


def _view(create: exp.Create, rules: Dialect) -> Table:
    target = create.this.this if isinstance(create.this, exp.Schema) else create.this
    query = create.expression
    named = create.this.expressions if isinstance(create.this, exp.Schema) else []
    names = [exp.to_identifier(one.name) for one in named] or [
        exp.to_identifier(one.alias_or_name) for one in query.selects
    ]
    columns = {
        fold(one, rules): TableColumn(fold(one, rules), one.name, "", exp.DataType.build("VARCHAR")) for one in names
    }
    return Table(fold(target.this, rules), target.name, columns, query=query)
