"""Turns the element predicates into function calls before sqlglot reads an expression.

May be imported by `pattern`; imports sqlglot's tokens.
Design reason: `v IS SOURCE OF e` and `v IS LABELED l` are no expressions to sqlglot, and its compiled parser cannot be
extended; as tokens of a call under a name with blanks they pass it, keep their positions, and no user can write them.
"""

from sqlglot.tokenizer_core import Token, TokenType

from .cursor import Cursor

T = TokenType


def fuse_predicates(cursor: Cursor, tokens: list[Token]) -> list[Token]:
    """The tokens with each `x IS [NOT] SOURCE OF y`, `… DESTINATION OF y`, `… LABELED l` as a call of that name."""
    if not any(token.token_type is T.IS for token in tokens):
        return tokens
    at = Cursor(tokens, cursor.text, cursor.dialect)
    fused: list[Token] = []
    while (token := at.peek()) is not None:
        call = _predicate(at) if at.is_name() and at.kind(1) is T.IS else None
        if call is None:
            fused.append(token)
            at.index += 1
        else:
            fused.extend(call)
    return fused


def _predicate(at: Cursor) -> list[Token] | None:
    """The call for the predicate at the cursor, which is left behind it; None when there is none."""
    subject, start = at.peek(), at.offset()
    after = 3 if at.word(2) == "NOT" else 2
    kind, of = at.word(after), at.word(after + 1) == "OF"
    negated = "NOT " if after == 3 else ""
    assert subject is not None
    if kind in ("SOURCE", "DESTINATION") and of:
        at.require("is_source_of", start)
        at.index += after + 2
        edge = at.peek()
        at.name("an edge variable")
        assert edge is not None
        return _call(f"IS {negated}{kind} OF", [subject, edge])
    if kind == "LABELED":
        at.require("is_labeled", start)
        at.index += after + 1
        return _call(f"IS {negated}LABELED", [subject, *_labels(at)])
    return None


def _labels(at: Cursor) -> list[Token]:
    labels: list[Token] = []
    while True:
        token = at.peek()
        at.name("a label")
        assert token is not None
        labels.append(token)
        if at.kind() is not T.PIPE:
            return labels
        at.index += 1


def _call(name: str, arguments: list[Token]) -> list[Token]:
    first = arguments[0]
    made = [_like(first, T.VAR, name), _like(first, T.L_PAREN, "(")]
    for index, argument in enumerate(arguments):
        if index:
            made.append(_like(argument, T.COMMA, ","))
        made.append(argument)
    return [*made, _like(arguments[-1], T.R_PAREN, ")")]


def _like(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end)
