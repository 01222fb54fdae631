"""The recursive descent over the inside of GRAPH_TABLE ( … ): patterns, labels, quantifiers, rows, columns.

May be imported by `parse`; imports sqlglot through `cursor`.
Design reason: one method per rule of the grammar, and every refusal says at its place what the dialect takes instead,
since the reader of the message is often the model that wrote the query.
"""

from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from .cursor import Cursor, parse_expression
from .errors import GraphBindingError
from .predicates import fuse_predicates
from .search import MODES, WORDS, read_search
from .tree import (
    AllProperties,
    Column,
    Direction,
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
    Quantifier,
    Rows,
    Term,
    Vertex,
)

T = TokenType
_TILDES = (T.TILDE, T.RLIKE)
_FOREIGN = {
    "RETURN": "write COLUMNS ( expression AS name, … ) instead of RETURN",
    "OPTIONAL": "there is no OPTIONAL MATCH: use an outer join of two GRAPH_TABLEs",
    "MATCH": "there is one MATCH: separate several path patterns by commas",
    "SELECT": "write COLUMNS ( expression AS name, … ) instead of SELECT",
    "LIMIT": "put it behind the outer query",
    "ORDER BY": "put ORDER BY behind the outer query",
    "GROUP BY": "put GROUP BY behind the outer query",
    "WITH": "there is no WITH inside GRAPH_TABLE",
}

_CLAUSES = (
    ("COLUMNS",),
    ("ONE", "ROW", "PER"),
    ("RETURN",),
    ("OPTIONAL",),
    ("MATCH",),
    ("ORDER BY",),
    ("GROUP BY",),
    ("LIMIT",),
)
"""What ends the WHERE behind the patterns: the clauses that follow, and those that writers put there by mistake."""


def parse_graph_table(cursor: Cursor, placeholder: str) -> GraphTable:
    """Read `GRAPH_TABLE ( … )` with the cursor on its first word; leaves the cursor behind the closing parenthesis."""
    return _GraphTableParser(cursor).read(placeholder)


class _GraphTableParser:
    def __init__(self, cursor: Cursor) -> None:
        self.at = cursor

    def read(self, placeholder: str) -> GraphTable:
        at = self.at
        start = at.offset()
        at.index += 2
        close = at.span_to_close()
        algorithm, (schema, graph) = self._algorithm()
        as_of = self._as_of()
        at.expect_words("MATCH", hint=self._foreign())
        paths = self._kept(self._paths())
        where = self._where_until_clause(close)
        rows = self._rows() if at.words("ONE", "ROW", "PER") else None
        columns = self._columns()
        if at.index != close:
            at.refuse_here("expected the end of GRAPH_TABLE", hint=self._foreign())
        at.index += 1
        return GraphTable(
            graph,
            paths,
            columns,
            where,
            rows,
            schema=schema,
            as_of=as_of,
            algorithm=algorithm,
            placeholder=placeholder,
            offset=start,
            end=at.tokens[close].end + 1,
        )

    def _foreign(self) -> str:
        return _FOREIGN.get(self.at.word(), "")

    def _algorithm(self) -> tuple[str, tuple[Name | None, Name]]:
        """The call of an algorithm around the graph as written, and the graph; mostly there is the graph alone."""
        at = self.at
        start = at.offset()
        if at.word() != "DBMS_OGA" or at.kind(1) is not T.DOT:
            return "", self._graph_name()
        at.require("algorithm", start)
        at.index += 2
        at.name("an algorithm")
        at.expect(T.L_PAREN, "`(` behind the algorithm")
        close = at.span_to_close()
        graph = self._graph_name()
        at.index = close + 1
        return at.text[start : at.tokens[close].end + 1], graph

    def _graph_name(self) -> tuple[Name | None, Name]:
        at = self.at
        if at.word() == "MATCH":
            at.refuse_here("expected the name of a graph")
        name = at.name("the name of a graph")
        if at.take(T.DOT):
            return name, at.name("the name of a graph")
        return None, name

    def _as_of(self) -> str:
        at = self.at
        if not (at.kind() is T.ALIAS and at.word(1) == "OF"):
            return ""
        start = at.offset()
        at.require("as_of", start)
        while at.peek() is not None and at.word() != "MATCH":
            at.index += 1
        return at.text[start : at.tokens[at.index - 1].end + 1]

    # ---------------------------------------------------------------- paths

    def _paths(self) -> tuple[PathPattern, ...]:
        at = self.at
        paths = [self._path()]
        while at.kind() is T.COMMA:
            at.require("several_paths", at.offset(), hint="join two GRAPH_TABLEs instead")
            at.index += 1
            paths.append(self._path())
        return tuple(paths)

    def _kept(self, paths: tuple[PathPattern, ...]) -> tuple[PathPattern, ...]:
        """`KEEP prefix` behind the patterns is that prefix before each of them."""
        at = self.at
        start = at.offset()
        if not at.take_words("KEEP"):
            return paths
        at.require("keep", start)
        if any(path.prefix for path in paths):
            at.refuse("KEEP stands behind a path pattern that has a prefix", start, hint="leave one of them out")
        prefix = self._prefix()
        if not prefix:
            at.refuse_here("expected a path search such as ANY SHORTEST behind KEEP")
        return tuple(replace(path, prefix=prefix) for path in paths)

    def _path(self) -> PathPattern:
        at = self.at
        variable = None
        if at.is_name() and at.kind(1) is T.EQ:
            at.require("path_variable", at.offset())
            variable = at.name("a path variable")
            at.index += 1
        prefix = self._prefix()
        terms = self._terms()
        if not terms:
            at.refuse_here("expected a path pattern such as (a) -[e]-> (b)", hint=self._foreign())
        return PathPattern(terms, variable, prefix)

    def _prefix(self) -> str:
        at = self.at
        start = at.offset()
        words: list[str] = []
        while at.word() in WORDS or (words and at.kind() is T.NUMBER):
            token = at.peek()
            assert token is not None
            words.append(token.text.upper())
            at.index += 1
        if words:
            self._check_prefix(words, start)
        return " ".join(words)

    def _check_prefix(self, words: list[str], start: int) -> None:
        at = self.at
        if "CHEAPEST" in words:
            at.require("cheapest", start)
        modes = all(word in (*MODES, "PATH", "PATHS") for word in words)
        feature = "any_shortest" if words == ["ANY", "SHORTEST"] else "path_mode" if modes else "path_search"
        at.require(feature, start)
        if read_search(words) is None:
            at.refuse(f"`{' '.join(words)}` is no path search", start, hint="write ANY SHORTEST, ALL SHORTEST or TRAIL")

    def _terms(self) -> tuple[Term, ...]:
        terms: list[Term] = []
        while (term := self._term(terms)) is not None:
            terms.append(term)
        return tuple(terms)

    def _term(self, before: list[Term]) -> Term | None:
        at = self.at
        kind = at.kind()
        if kind is T.L_PAREN:
            return self._paren_path() if self._opens_path() else self._vertex(before)
        if kind in (T.DASH, T.ARROW, T.LT, T.LR_ARROW, T.DARROW, T.TILDE, T.RLIKE):
            return self._edge()
        return None

    def _opens_path(self) -> bool:
        return self.at.kind(1) in (T.L_PAREN, T.DASH, T.ARROW, T.LT, T.LR_ARROW)

    def _vertex(self, before: list[Term]) -> Vertex:
        at = self.at
        start = at.offset()
        at.index += 1
        close = at.span_to_close()
        variable, label, where = self._element(close, "vertex")
        at.index = close + 1
        if before and isinstance(before[-1], Vertex):
            at.require("adjacent_vertices", start, hint="put an edge such as -[e]-> between two vertices")
        if self._quantifier_here():
            at.refuse_here("a vertex takes no quantifier", hint="put it behind the edge or a parenthesized path")
        return Vertex(variable, label, where, start)

    def _element(self, close: int, what: str) -> tuple[Name | None, Label | None, Expr | None]:
        """The inside of an element, up to the token index of its closing bracket."""
        at = self.at
        variable = self._variable(what)
        label = self._label_clause()
        where = self._where(close) if at.kind() is T.WHERE else self._property_map(variable)
        if at.index != close:
            self._refuse_element_rest(what)
        return variable, label, where

    def _variable(self, what: str) -> Name | None:
        at = self.at
        if at.is_name():
            return at.name(f"a {what} variable")
        at.require("no_variable", at.offset(), hint=f"give every {what} a variable")
        return None

    def _label_clause(self) -> Label | None:
        at = self.at
        if at.kind() is T.COLON:
            hint = "write `IS label`"
            at.require("colon_label", at.offset(), hint=hint)
            at.index += 1
            return self._label()
        if at.kind() is T.IS:
            at.index += 1
            return self._label()
        return None

    def _property_map(self, variable: Name | None) -> Expr | None:
        """`{key: value, …}` as the condition it means, where the dialect has it."""
        at = self.at
        if at.kind() is not T.L_BRACE or not at.dialect.takes("property_map"):
            return None
        start = at.offset()
        if variable is None:
            at.refuse("a property map needs a variable here", start, hint="write (v {key: value})")
        at.index += 1
        close = at.span_to_close()
        tests: list[Expr] = []
        while at.index < close:
            key = at.name("a property")
            at.expect(T.COLON, "`:` behind the property")
            end = self._item_end(close)
            value = self._expression(at.tokens[at.index : end])
            tests.append(exp.EQ(this=_property_node(variable, key), expression=value))
            at.index = end + (end < close)
        if not tests:
            at.refuse("the property map is empty", start)
        at.index = close + 1
        return exp.and_(*tests, copy=False)

    def _refuse_element_rest(self, what: str) -> None:
        at = self.at
        hint = ""
        if at.kind() is T.L_BRACE:
            at.require("property_map", at.offset(), hint="a property map is Cypher: write WHERE variable.key = value")
        elif at.kind() is T.IS:
            hint = "the order is variable, IS label, WHERE condition"
        elif at.kind() is T.STAR:
            hint = "a quantifier is written in braces behind the edge, such as {1,3}"
        elif at.is_name():
            hint = "a label follows IS, a condition follows WHERE"
        at.refuse_here(f"expected IS, WHERE or the end of the {what}", hint=hint)

    # ---------------------------------------------------------------- edges

    def _edge(self) -> Edge:
        at = self.at
        start = at.offset()
        if at.kind() in _TILDES or (at.kind() is T.LT and at.kind(1) in _TILDES) or at.kind() is T.LR_ARROW:
            return self._undirected(start)
        if at.kind() is T.DARROW:
            at.refuse_here("expected an edge", hint="an edge is written -[e]->, <-[e]- or -[e]-")
        left = at.take(T.LT)
        if left and at.kind() is not T.DASH:
            at.refuse_here("expected `-` behind `<`")
        if not left and at.take(T.ARROW):
            return self._abbreviated("right", start)
        at.expect(T.DASH, "an edge")
        if at.kind() is T.L_BRACKET:
            return self._full_edge(left, start)
        if left:
            return self._abbreviated("left", start)
        if at.take(T.GT):
            return self._abbreviated("right", start)
        return self._abbreviated("any", start)

    def _undirected(self, start: int) -> Edge:
        """An edge with tildes, or `<->`; all edges have a direction, so only what else it allows can match."""
        at = self.at
        at.require("edge_undirected", start, hint="write -[e]- for an edge of any direction")
        if at.take(T.LR_ARROW):
            return self._abbreviated("any", start)
        left = at.take(T.LT)
        at.index += 1
        variable, label, where, full = None, None, None, at.take(T.L_BRACKET)
        if full:
            close = at.span_to_close()
            variable, label, where = self._element(close, "edge")
            at.index = close + 1
            if at.kind() not in _TILDES:
                at.refuse_here("expected `~` behind the edge")
            at.index += 1
        right = not left and at.take(T.GT)
        direction: Direction = "left" if left else "right" if right else "undirected"
        return Edge(direction, variable, label, where, self._quantifier(), not full, start)

    def _abbreviated(self, direction: Direction, start: int) -> Edge:
        self.at.require("abbreviated", start, hint="write the edge with a variable, such as -[e]->")
        return Edge(direction, None, None, None, self._quantifier(), True, start)

    def _full_edge(self, left: bool, start: int) -> Edge:
        at = self.at
        at.index += 1
        close = at.span_to_close()
        variable, label, where = self._element(close, "edge")
        at.index = close + 1
        right = self._edge_end()
        if left and right:
            at.require("edge_left_or_right", start, hint="write -[e]- for an edge of any direction")
        direction: Direction = "any" if left == right else "left" if left else "right"
        return Edge(direction, variable, label, where, self._quantifier(), False, start)

    def _edge_end(self) -> bool:
        """Step over `->` or `-` behind a bracket; True for `->`."""
        at = self.at
        if at.take(T.ARROW):
            return True
        at.expect(T.DASH, "`->` or `-` behind the edge")
        return at.take(T.GT)

    # ---------------------------------------------------------------- quantifiers and parentheses

    def _quantifier_here(self) -> bool:
        return self.at.kind() in (T.L_BRACE, T.STAR, T.PLUS, T.PLACEHOLDER)

    def _quantifier(self) -> Quantifier | None:
        at = self.at
        if not self._quantifier_here():
            return None
        start = at.offset()
        if at.take(T.L_BRACE):
            quantifier = self._braces(start)
        else:
            token = at.peek()
            assert token is not None
            question = token.text == "?"
            hint = "give an upper bound, such as {1,5}"
            at.require("question" if question else "unbounded", start, hint="write {0,1}" if question else hint)
            at.index += 1
            quantifier = Quantifier(0, 1, True) if question else Quantifier(0 if token.text == "*" else 1, None)
        at.require("quantifier", start)
        if quantifier.min == 0:
            at.require("zero_quantifier", start)
        return quantifier

    def _braces(self, start: int) -> Quantifier:
        at = self.at
        low = self._count()
        if at.take(T.R_BRACE):
            low = self._need(low, start)
            high: int | None = low
        else:
            at.expect(T.COMMA, "`,` or `}` in the quantifier")
            high = self._count()
            at.expect(T.R_BRACE, "`}`")
            if high is None:
                self._need(low, start)
                at.require("unbounded", start, hint=f"give an upper bound, such as {{{low},5}}")
        if high is not None and (high < 1 or high < (low or 0)):
            at.refuse("the upper bound of a quantifier is at least 1 and at least the lower bound", start)
        return Quantifier(low or 0, high)

    def _count(self) -> int | None:
        at = self.at
        token = at.peek()
        if token is None or token.token_type is not T.NUMBER:
            return None
        if not token.text.isdigit() or len(token.text) > 6:
            at.refuse_here("expected a whole number in the quantifier")
        at.index += 1
        return int(token.text)

    def _need(self, count: int | None, start: int) -> int:
        if count is None:
            self.at.refuse("a quantifier needs a number", start, hint="write {n}, {n,m} or {,m}")
        return count

    def _paren_path(self) -> ParenPath:
        at = self.at
        start = at.offset()
        at.index += 1
        close = at.span_to_close()
        terms = self._terms()
        where = self._where(close) if at.kind() is T.WHERE else None
        if at.index != close:
            at.refuse_here("expected the end of the parenthesized path")
        at.index = close + 1
        quantifier = self._quantifier()
        hint = "" if quantifier else "leave the parentheses out or put a quantifier such as {1,3} behind them"
        at.require("paren_quantified" if quantifier else "paren_path", start, hint=hint)
        return ParenPath(terms, where, quantifier, start)

    # ---------------------------------------------------------------- labels

    def _label(self) -> Label:
        at = self.at
        parts = [self._label_and()]
        while at.kind() is T.PIPE:
            at.require("label_or", at.offset())
            at.index += 1
            parts.append(self._label_and())
        if at.kind() in (T.DPIPE, T.OR):
            at.refuse_here("expected a label expression", hint="alternatives are written `IS a|b`")
        return parts[0] if len(parts) == 1 else LabelOr(tuple(parts))

    def _label_and(self) -> Label:
        at = self.at
        parts = [self._label_factor()]
        while at.kind() is T.AMP:
            at.require("label_and", at.offset(), hint="declare the variable twice, once with each label")
            at.index += 1
            parts.append(self._label_factor())
        return parts[0] if len(parts) == 1 else LabelAnd(tuple(parts))

    def _label_factor(self) -> Label:
        at = self.at
        start = at.offset()
        if at.kind() is T.NOT and at.word() != "NOT":
            at.require("label_not", start)
            at.index += 1
            return LabelNot(self._label_factor())
        if at.kind() is T.MOD:
            at.require("label_any", start)
            at.index += 1
            return LabelAny()
        if at.kind() is T.L_PAREN:
            at.require("label_group", start, hint="write the alternatives without parentheses, `IS a|b`")
            at.index += 1
            inner = self._label()
            at.expect(T.R_PAREN, "`)` behind the labels")
            return inner
        return LabelName(at.name("a label"))

    # ---------------------------------------------------------------- conditions

    def _where(self, close: int) -> Expr:
        """The condition behind WHERE, up to the token index `close`."""
        at = self.at
        at.index += 1
        tokens = at.tokens[at.index : close]
        if not tokens:
            at.refuse_here("expected a condition behind WHERE")
        at.index = close
        return self._expression(tokens)

    def _where_until_clause(self, close: int) -> Expr | None:
        at = self.at
        if at.kind() is not T.WHERE:
            return None
        return self._where(self._clause_index(close))

    def _clause_index(self, close: int) -> int:
        """Index of the token where COLUMNS or ONE ROW PER begins; GRAPH_TABLE's end when neither comes."""
        at = Cursor(self.at.tokens, self.at.text, self.at.dialect, index=self.at.index + 1)
        while at.index < close:
            kind = at.kind()
            if kind in (T.L_PAREN, T.L_BRACKET, T.L_BRACE):
                at.index += 1
                at.index = at.span_to_close()
            elif at.kind(-1) is not T.DOT and any(at.words(*words) for words in _CLAUSES):
                return at.index
            at.index += 1
        return close

    def _expression(self, tokens: list[Token]) -> Expr:
        """A slice of tokens as an expression, with what may not stand inside GRAPH_TABLE refused."""
        at = self.at
        for token in tokens:
            if token.token_type is T.SELECT:
                at.require("subquery", token.start, hint="put the subquery into the outer query")
            if token.token_type is T.VAR and token.text.upper() == "GRAPH_TABLE":
                at.refuse("a GRAPH_TABLE cannot stand inside another", token.start)
        parsed = _with_listagg(parse_expression(at, fuse_predicates(at, tokens)))
        for node in parsed.walk():
            if isinstance(node, exp.Is) and not isinstance(node.expression, (exp.Null, exp.Boolean, exp.JSON)):
                at.refuse(
                    "IS must be followed by NULL, TRUE or FALSE",
                    tokens[0].start,
                    hint="a label stands behind the variable: (v IS label WHERE …)",
                )
            if isinstance(node, exp.Window):
                at.refuse("a window function cannot stand inside GRAPH_TABLE", tokens[0].start, kind=GraphBindingError)
        return parsed

    # ---------------------------------------------------------------- rows and columns

    def _rows(self) -> Rows:
        at = self.at
        start = at.offset()
        at.require("rows_per", start)
        at.index += 3
        if at.take_words("MATCH"):
            return Rows("match")
        if at.take_words("VERTEX"):
            iterators, kind = self._iterators(1), "vertex"
        elif at.take_words("STEP"):
            iterators, kind = self._iterators(3), "step"
        else:
            at.refuse_here(
                "expected MATCH, VERTEX or STEP", hint="ONE ROW PER VERTEX (v) or ONE ROW PER STEP (v1, e, v2)"
            )
        path = None
        if at.kind() is T.IN:
            at.require("rows_path", at.offset())
            at.index += 1
            path = at.name("a path variable")
        return Rows("vertex" if kind == "vertex" else "step", iterators, path)

    def _iterators(self, count: int) -> tuple[Name, ...]:
        at = self.at
        form = "(v)" if count == 1 else "(v1, e, v2)"
        at.expect(T.L_PAREN, f"`{form}`")
        names = [at.name("an iterator variable")]
        while at.take(T.COMMA):
            names.append(at.name("an iterator variable"))
        if len(names) != count:
            at.refuse(f"expected {form}", names[0].offset)
        at.expect(T.R_PAREN, "`)`")
        return tuple(names)

    def _columns(self) -> tuple[Column | AllProperties, ...]:
        at = self.at
        if at.word() == "RETURN" and at.dialect.takes("return_clause"):
            return self._return()
        if at.word() != "COLUMNS":
            if at.kind() is T.R_PAREN and at.dialect.takes("columns_optional"):
                return ()
            at.refuse_here("expected COLUMNS ( … )", hint=self._foreign() or "every GRAPH_TABLE ends with COLUMNS (…)")
        at.index += 1
        at.expect(T.L_PAREN, "`(` behind COLUMNS")
        close = at.span_to_close()
        columns = self._column_list(close)
        at.index += 1
        return columns

    def _column_list(self, close: int) -> tuple[Column | AllProperties, ...]:
        at = self.at
        columns: list[Column | AllProperties] = []
        while True:
            columns.append(self._column(self._item_end(close)))
            if at.index == close:
                return tuple(columns)
            at.index += 1

    def _return(self) -> tuple[Column | AllProperties, ...]:
        """RETURN with plain items, which says the same as COLUMNS."""
        at = self.at
        at.index += 1
        at_end = Cursor(at.tokens, at.text, at.dialect, index=at.index)
        close = at_end.span_to_close()
        for token in at.tokens[at.index : close]:
            if token.token_type in (T.DISTINCT, T.ORDER_BY, T.GROUP_BY, T.LIMIT, T.OFFSET):
                at.refuse("only expressions are taken behind RETURN", token.start, hint="put it into the outer query")
        return self._column_list(close)

    def _item_end(self, close: int) -> int:
        depth, index = 0, self.at.index
        while index < close:
            kind = self.at.tokens[index].token_type
            depth += (kind in (T.L_PAREN, T.L_BRACKET, T.L_BRACE)) - (kind in (T.R_PAREN, T.R_BRACKET, T.R_BRACE))
            if depth == 0 and kind is T.COMMA:
                return index
            index += 1
        return close

    def _column(self, end: int) -> Column | AllProperties:
        at = self.at
        tokens = at.tokens[at.index : end]
        if not tokens:
            at.refuse_here("expected an expression in COLUMNS")
        if at.kind() is T.STAR and len(tokens) == 1:
            at.require("bare_star", at.offset(), hint="write variable.* or name the properties")
        if len(tokens) == 3 and at.is_name() and at.kind(1) is T.DOT and at.kind(2) is T.STAR:
            at.require("star", at.offset(), hint="name the properties")
            variable = at.name("a variable")
            at.index = end
            return AllProperties(variable)
        return self._named_column(tokens, end)

    def _named_column(self, tokens: list[Token], end: int) -> Column:
        at = self.at
        alias = None
        if len(tokens) > 2 and tokens[-2].token_type is T.ALIAS:
            at.index = end - 1
            alias = at.name("a column name", hint="a column name is an identifier, not a string")
            tokens = tokens[:-2]
        elif self._has_bare_alias(tokens):
            at.require("alias_without_as", tokens[-1].start, hint=f"write `AS {tokens[-1].text}`")
            alias = Name(tokens[-1].text, tokens[-1].token_type is T.IDENTIFIER, tokens[-1].start)
            tokens = tokens[:-1]
        at.index = end
        column = Column(self._expression(tokens), alias)
        if alias is None and not isinstance(column.expression, exp.Column):
            at.require("column_unnamed", tokens[0].start, hint="write `expression AS name`")
        return column

    def _has_bare_alias(self, tokens: list[Token]) -> bool:
        if len(tokens) < 2:
            return False
        joined = tokens[-2].token_type in (T.VAR, T.IDENTIFIER, T.R_PAREN, T.NUMBER, T.STRING)
        return joined and tokens[-1].token_type in (T.VAR, T.IDENTIFIER)


def _property_node(variable: Name, key: Name) -> exp.Column:
    owner = exp.Identifier(this=variable.text, quoted=variable.quoted)
    this = exp.Identifier(this=key.text, quoted=key.quoted)
    for node, name in ((owner, variable), (this, key)):
        node.meta["start"] = name.offset
    return exp.Column(this=this, table=owner)


def _with_listagg(node: Expr) -> Expr:
    """LISTAGG as the aggregate it is, where sqlglot's reader of the dialect knows it by another name only."""
    for one in list(node.find_all(exp.Anonymous)):
        if str(one.this).upper() != "LISTAGG" or not 1 <= len(one.expressions) <= 2:
            continue
        whole: Expr = one
        value: Expr = one.expressions[0]
        if isinstance(one.parent, exp.WithinGroup):
            whole = one.parent
            value = exp.Order(this=value, expressions=whole.expression.expressions)
        made = exp.GroupConcat(this=value, separator=(*one.expressions[1:], None)[0])
        if whole is node:
            return made
        whole.replace(made)
    return node
