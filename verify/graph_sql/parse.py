"""The parser of queries: finds every GRAPH_TABLE in a query, reads its inside, and leaves the rest to sqlglot.

May be imported by everything in this package; imports sqlglot.
Design reason: the inside is read by recursive descent over the tokens of sqlglot's own tokenizer, expressions go back
to sqlglot as slices of tokens, and in the outer query a placeholder table stands for each GRAPH_TABLE. Nothing
graph-like ever enters sqlglot, compiled or not.
"""

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from .cursor import Cursor, parse_expression, tokenize
from .dialects import DIALECTS, Dialect
from .pattern import parse_graph_table
from .tree import GraphTable, Name, Query

T = TokenType
PLACEHOLDER = "graph_table__"
"""Prefix of the placeholder tables in an outer query."""


def parse_query(text: str, *, dialect: str = "oracle") -> Query:
    """The tree of one SELECT; raises GraphSyntaxError, or GraphBindingError where the dialect itself says so."""
    rules = DIALECTS[dialect]
    tokens = _one_statement(tokenize(text, rules), text, rules)
    outer_tokens, tables = _cut_out(tokens, text, rules)
    _check_aliases(outer_tokens, text, rules)
    cursor = Cursor(outer_tokens, text, rules)
    outer = parse_expression(cursor, outer_tokens, statement=True)
    _check_outer(outer, cursor)
    return Query(text, dialect, outer, tuple(_with_alias(table, outer) for table in tables))


def _one_statement(tokens: list[Token], text: str, rules: Dialect) -> list[Token]:
    while tokens and tokens[-1].token_type is T.SEMICOLON:
        tokens = tokens[:-1]
    cursor = Cursor(tokens, text, rules)
    if not tokens:
        cursor.refuse("there is no query", 0)
    if text.lstrip().startswith("```"):
        cursor.refuse("the text begins with a Markdown fence", 0, hint="give the SQL alone")
    if cursor.kind() not in (T.SELECT, T.WITH, T.L_PAREN):
        cursor.refuse_here("expected a query that begins with SELECT or WITH")
    for token in tokens:
        if token.token_type is T.SEMICOLON:
            cursor.refuse("more than one statement", token.start, hint="one SELECT is taken at a time")
        if token.token_type is T.DCOLON:
            cursor.require("double_colon", token.start, hint="write CAST(value AS type)")
    return tokens


def _cut_out(tokens: list[Token], text: str, rules: Dialect) -> tuple[list[Token], list[GraphTable]]:
    """The outer tokens with a placeholder for each GRAPH_TABLE, and the trees of what was cut out."""
    cursor = Cursor(tokens, text, rules)
    outer: list[Token] = []
    tables: list[GraphTable] = []
    while (token := cursor.peek()) is not None:
        if cursor.word() == "GRAPH_TABLE" and cursor.kind(1) is T.L_PAREN:
            placeholder = f"{PLACEHOLDER}{len(tables)}"
            tables.append(parse_graph_table(cursor, placeholder))
            outer.append(Token(T.VAR, placeholder, token.line, token.col, token.start, token.end))
        else:
            if cursor.words("GRAPH", "TABLE") and cursor.kind(2) is T.L_PAREN:
                cursor.refuse("GRAPH_TABLE is written with an underscore", token.start)
            if cursor.word() == "MATCH" and cursor.kind(1) is T.L_PAREN and rules.reader == "oracle":
                cursor.refuse_here(
                    "MATCH stands outside GRAPH_TABLE", hint="write GRAPH_TABLE ( graph MATCH … COLUMNS (…) )"
                )
            outer.append(token)
            cursor.index += 1
    return outer, tables


def _check_aliases(tokens: list[Token], text: str, rules: Dialect) -> None:
    cursor = Cursor(tokens, text, rules)
    for at, token in enumerate(tokens):
        if token.token_type is not T.VAR or not token.text.startswith(PLACEHOLDER):
            continue
        cursor.index = at + 1
        if cursor.kind() is T.ALIAS:
            cursor.require("as_before_alias", cursor.offset(), hint="leave AS out before a table alias")
            cursor.index += 1
        if cursor.is_name() and cursor.kind(1) is T.L_PAREN and cursor.word() not in _FOLLOWERS:
            cursor.require("alias_columns", cursor.offset())


_FOLLOWERS = frozenset({"USING", "JOIN", "CROSS", "LATERAL", "PIVOT", "UNPIVOT", "SAMPLE", "MATCH_RECOGNIZE"})

_NO_PLACE = (exp.Into, exp.DML, exp.DDL, exp.Command, exp.Lock)
_TABLE_KINDS = (exp.Identifier,)


def _check_outer(outer: exp.Expr, cursor: Cursor) -> None:
    """Refuse what sqlglot lets pass and what is no plain query."""
    if not isinstance(outer, exp.Query):
        cursor.refuse("the text is not a query", 0)
    for node in outer.walk():
        if isinstance(node, _NO_PLACE) and not isinstance(node, exp.Query):
            cursor.refuse(f"{node.key.upper()} has no place in a query", 0, hint="only one SELECT is taken")
        if isinstance(node, exp.Table) and not isinstance(node.this, _TABLE_KINDS):
            cursor.refuse("only tables, graph tables and subqueries can stand in FROM", _offset_of(node))
        if isinstance(node, exp.Is):
            check_is(node, cursor)
        if isinstance(node, exp.ILike):
            cursor.require("ilike", _offset_of(node), hint="compare UPPER of both sides")
        if isinstance(node, exp.Distinct) and node.args.get("on") is not None:
            cursor.require("distinct_on", _offset_of(node))
        if isinstance(node, exp.Limit) and not cursor.dialect.takes("limit"):
            cursor.require("limit", _offset_of(node), hint="write FETCH FIRST n ROWS ONLY")


def check_is(node: exp.Is, cursor: Cursor) -> None:
    """sqlglot takes any expression behind IS: only NULL, TRUE, FALSE and JSON tests are SQL."""
    if not isinstance(node.expression, (exp.Null, exp.Boolean, exp.JSON)):
        cursor.refuse("IS must be followed by NULL, TRUE or FALSE", _offset_of(node.expression))


def _offset_of(node: exp.Expr) -> int:
    starts = [
        start for one in node.find_all(exp.Identifier, exp.Literal) if (start := one.meta.get("start")) is not None
    ]
    return min(starts, default=-1)


def _with_alias(table: GraphTable, outer: exp.Expr) -> GraphTable:
    for node in outer.find_all(exp.Table):
        if node.name == table.placeholder and node.alias:
            identifier = node.args["alias"].this
            alias = Name(identifier.this, bool(identifier.args.get("quoted")), identifier.meta.get("start", -1))
            return _replace_alias(table, alias)
    return table


def _replace_alias(table: GraphTable, alias: Name) -> GraphTable:
    from dataclasses import replace

    return replace(table, alias=alias)
