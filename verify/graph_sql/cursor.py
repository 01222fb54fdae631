"""A place in a list of tokens, with the small questions a recursive descent asks and the errors it gives.

May be imported by the two parsers of this package; imports sqlglot.
Design reason: tokens come from sqlglot's tokenizer of the dialect, so strings, quoted names and comments are its
business; everything above tokens is ours, and so is the position in every error.
"""

import unicodedata
from typing import Any, NoReturn

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as Reader
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from .dialects import FEATURE_TITLES, RESERVED, Dialect
from .errors import GraphBindingError, GraphSqlError, GraphSyntaxError, place
from .tree import Name

MAX_TEXT = 40_000
"""Longest query in characters: sqlglot takes seconds for 20,000 ANDs."""
MAX_DEPTH = 60
"""Deepest nesting of brackets: sqlglot's compiled parser recurses on the C stack."""
MAX_CHAIN = 1_500
"""Most operators in one query: a chain of them becomes a tree of that depth."""

_STRINGS = frozenset({TokenType.STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING})
_OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_CHAINED = frozenset({TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.CASE, TokenType.UNION, TokenType.SELECT})
_FULL_WIDTH = {
    "（": "(",
    "）": ")",
    "，": ",",
    "；": ";",
    "：": ":",
    "—": "-",
    "→": "->",
    "。": ".",
    "’": "'",
    "“": '"',
}


def tokenize(text: str, dialect: Dialect, *, limit: int = MAX_TEXT) -> list[Token]:
    """Tokens of a text; raises GraphSyntaxError for one that is too long, too deep or does not tokenize."""
    if len(text) > limit:
        raise GraphSyntaxError(f"the text has {len(text):,} characters, {limit:,} are the most")
    if not text.isprintable() and any(unicodedata.category(sign) in ("Cs", "Cc") for sign in set(text) - set("\t\r\n")):
        raise GraphSyntaxError("the text has control characters or broken Unicode")
    try:
        tokens = list(Reader.get_or_raise(dialect.reader).tokenize(text))
    except (TokenError, RecursionError) as error:
        hint = "a quote or a comment is not closed" if "'" in text or '"' in text or "/*" in text else ""
        raise GraphSyntaxError("the text cannot be split into tokens", hint=hint, cause=str(error)) from None
    _check_shape(tokens, text, bounded=limit == MAX_TEXT)
    return tokens


def _check_shape(tokens: list[Token], text: str, *, bounded: bool) -> None:
    depth = chained = 0
    for token in tokens:
        kind = token.token_type
        if kind in _OPEN:
            depth += 1
        elif kind in _CLOSE:
            depth -= 1
        elif kind in _CHAINED or (kind not in (TokenType.COMMA, TokenType.VAR) and len(token.text) <= 2):
            chained += 1
        if depth > MAX_DEPTH:
            raise GraphSyntaxError(f"brackets are nested deeper than {MAX_DEPTH}", **place(text, token.start))
        if bounded and chained > MAX_CHAIN:
            raise GraphSyntaxError(f"more than {MAX_CHAIN:,} operators", **place(text, token.start))


class Cursor:
    """Reads tokens from left to right. Words are compared without regard to case; quoted names are never words."""

    def __init__(self, tokens: list[Token], text: str, dialect: Dialect, *, index: int = 0) -> None:
        self.tokens, self.text, self.dialect, self.index = tokens, text, dialect, index

    def peek(self, ahead: int = 0) -> Token | None:
        """The token `ahead` of the place, None behind the end."""
        at = self.index + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def kind(self, ahead: int = 0) -> TokenType | None:
        """Its type."""
        token = self.peek(ahead)
        return token.token_type if token is not None else None

    def word(self, ahead: int = 0) -> str:
        """Its text in upper case when it is a bare word, else an empty string."""
        token = self.peek(ahead)
        if token is None or token.token_type in _STRINGS or token.token_type is TokenType.IDENTIFIER:
            return ""
        return token.text.upper() if token.text[:1].isalpha() or token.text[:1] == "_" else ""

    def words(self, *wanted: str) -> bool:
        """Whether these words stand here."""
        return all(self.word(ahead) == one for ahead, one in enumerate(wanted))

    def take(self, *kinds: TokenType) -> bool:
        """Step over these tokens if they all stand here."""
        if all(self.kind(ahead) is one for ahead, one in enumerate(kinds)):
            self.index += len(kinds)
            return True
        return False

    def take_words(self, *wanted: str) -> bool:
        """Step over these words if they all stand here."""
        if self.words(*wanted):
            self.index += len(wanted)
            return True
        return False

    def expect(self, kind: TokenType, what: str, *, hint: str = "") -> Token:
        """Step over a token of this type, or refuse, saying what was expected."""
        token = self.peek()
        if token is None or token.token_type is not kind:
            self.refuse_here(f"expected {what}", hint=hint)
        self.index += 1
        return token

    def expect_words(self, *wanted: str, hint: str = "") -> None:
        """Step over these words, or refuse."""
        if not self.take_words(*wanted):
            self.refuse_here(f"expected {' '.join(wanted)}", hint=hint)

    def offset(self) -> int:
        """Where the next token begins in the text; the end of the text behind the last."""
        token = self.peek()
        return token.start if token is not None else len(self.text)

    def is_name(self, ahead: int = 0) -> bool:
        """Whether a name can stand here: a quoted identifier, or a word that is not reserved."""
        if self.kind(ahead) is TokenType.IDENTIFIER:
            return True
        word = self.word(ahead)
        return bool(word) and word not in RESERVED and " " not in word

    def name(self, what: str, *, hint: str = "") -> Name:
        """Read a name, or refuse, saying what it should name."""
        token = self.peek()
        if token is None or not self.is_name():
            word = self.word()
            reason = f"`{word}` is a reserved word" if word in RESERVED else ""
            self.refuse_here(f"expected {what}", hint=hint or reason)
        self.index += 1
        self._refuse_full_width(token)
        return Name(token.text, token.token_type is TokenType.IDENTIFIER, token.start)

    def _refuse_full_width(self, token: Token) -> None:
        if token.token_type is TokenType.IDENTIFIER:
            return
        for sign, plain in _FULL_WIDTH.items():
            if sign in token.text:
                at = token.start + token.text.index(sign)
                self.refuse(f"`{sign}` is full-width punctuation", at, hint=f"write `{plain}`")

    def span_to_close(self) -> int:
        """The index of the bracket that closes the one just stepped over; refuses an unclosed one."""
        depth, at = 1, self.index
        while at < len(self.tokens):
            kind = self.tokens[at].token_type
            depth += (kind in _OPEN) - (kind in _CLOSE)
            if depth == 0:
                return at
            at += 1
        opened = self.tokens[self.index - 1]
        self.refuse(f"`{opened.text}` is never closed", opened.start, hint=self.trap_hint())

    def require(self, feature: str, at: int, *, hint: str = "") -> None:
        """Refuse a feature that the dialect does not take, at the stage where the dialect itself refuses it."""
        mark = self.dialect.features[feature]
        if mark == "y":
            return
        message = f"{self.dialect.title} does not take {FEATURE_TITLES[feature]}"
        kind = GraphSyntaxError if mark == "s" else GraphBindingError
        raise kind(message, hint=hint, **place(self.text, at))

    def refuse(
        self, message: str, at: int, *, hint: str = "", kind: type[GraphSqlError] = GraphSyntaxError
    ) -> NoReturn:
        """Raise an error at an offset."""
        raise kind(message, hint=hint, **place(self.text, at))

    def refuse_here(self, message: str, *, hint: str = "") -> NoReturn:
        """Raise a syntax error that also says what stands here instead."""
        token = self.peek()
        found = f"found `{token.text}`" if token is not None else "found the end of the text"
        if token is not None:
            self._refuse_full_width(token)
        at = self.offset()
        self.refuse(f"{message}, {found}", at, hint=hint or self.trap_hint())

    def trap_hint(self) -> str:
        """Explains what is easily overlooked in the whole text: an arrow that began a comment, full-width signs."""
        covered = 0
        for token in [*self.tokens, None]:
            end = token.start if token is not None else len(self.text)
            gap = self.text[covered:end]
            at = gap.find("--")
            touching = self.text[covered + at - 1 : covered + at] in (")", "]", "<")
            if at >= 0 and (gap[at + 2 : at + 3] in (">", "(", "[") or touching):
                return "`--` begins a comment in SQL, so the rest of that line is gone; write `->`, `<-` or `-`"
            if token is None or token.token_type is TokenType.IDENTIFIER or token.token_type in _STRINGS:
                covered = end if token is None else token.end + 1
                continue
            for sign, plain in _FULL_WIDTH.items():
                if sign in token.text:
                    return f"`{sign}` is full-width punctuation, write `{plain}`"
            covered = token.end + 1
        return ""


_CONDITION: Any = exp.Condition


def parse_expression(cursor: Cursor, tokens: list[Token], *, statement: bool = False) -> exp.Expr:
    """A slice of tokens as a sqlglot condition, or as a whole statement.

    sqlglot's own error becomes a GraphSyntaxError at its place.
    """
    reader = Reader.get_or_raise(cursor.dialect.reader)
    start = tokens[0].start if tokens else cursor.offset()
    try:
        parser = reader.parser()
        parsed = parser.parse(tokens, cursor.text) if statement else parser.parse_into(_CONDITION, tokens, cursor.text)
    except RecursionError:
        raise GraphSyntaxError("the expression is nested too deeply", **place(cursor.text, start)) from None
    except (ParseError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise _from_sqlglot(error, cursor, start) from None
    if len(parsed) != 1 or parsed[0] is None:
        cursor.refuse("expected an expression", start)
    return parsed[0]


def _from_sqlglot(error: Exception, cursor: Cursor, start: int) -> GraphSyntaxError:
    details = error.errors if isinstance(error, ParseError) else []
    for detail in _deepest(details):
        message = str(detail.get("description") or "not an expression").rstrip(".")
        line, column = detail.get("line"), detail.get("col")
        if isinstance(line, int) and isinstance(column, int):
            # sqlglot counts to the last character of the token it stopped at
            shift = len(str(detail.get("highlight") or "x")) - 1
            return GraphSyntaxError(message, line=line, column=max(1, column - shift), hint=cursor.trap_hint())
        return GraphSyntaxError(message, hint=cursor.trap_hint(), **place(cursor.text, start))
    return GraphSyntaxError("not an expression", cause=str(error)[:200], **place(cursor.text, start))


def _deepest(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [detail for detail in details if detail.get("line")] or details
