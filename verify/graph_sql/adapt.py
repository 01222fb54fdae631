"""Oracle's meaning of expressions where DuckDB's differs: empty strings, concatenation, dates, ROWNUM, WITH TIES.

May be imported by `outer`, `load` and the lowering; imports sqlglot.
Design reason: sqlglot translates names of functions; what remains is meaning, kept here as one small rewrite per class
of node, applied before anything is lowered.
"""

from collections.abc import Callable

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as Reader
from sqlglot.time import format_time

from .dialects import Dialect
from .errors import GraphCannotRun
from .tree import Expr

TEXT_MACRO = (
    "CREATE MACRO oracle_text(x) AS CASE WHEN typeof(x) LIKE 'DECIMAL%' OR typeof(x) IN ('DOUBLE', 'FLOAT') "
    "THEN CASE WHEN contains(CAST(x AS VARCHAR), '.') THEN rtrim(rtrim(CAST(x AS VARCHAR), '0'), '.') "
    "ELSE CAST(x AS VARCHAR) END ELSE CAST(x AS VARCHAR) END"
)
"""Numbers become text without the zeros of their scale, as TO_CHAR and || do in Oracle."""


def adapt(node: Expr, rules: Dialect) -> Expr:
    """The expression or query with Oracle's meaning made explicit; unchanged for other dialects. Works in place."""
    if rules.reader != "oracle":
        return node
    found = [one for one in node.walk() if type(one) in _REWRITES]
    for one in reversed(found):  # inner nodes first, so that a rewritten outer node keeps its rewritten parts
        replacement = _REWRITES[type(one)](one)
        if one is node:
            node = replacement
        elif replacement is not one:
            one.replace(replacement)
    return node


def _literal(node: Expr) -> Expr:
    return exp.Null() if node.is_string and node.name == "" else node


def _concatenation(node: Expr) -> Expr:
    if isinstance(node.parent, exp.DPipe):
        return node  # the outermost one takes its whole chain
    parts: list[Expr] = []
    _flatten(node, parts)
    texts = [part.copy() if _is_text(part) else call("oracle_text", part.copy()) for part in parts]
    return _empty_is_null(call("concat", *texts))


def _flatten(node: Expr, parts: list[Expr]) -> None:
    if isinstance(node, exp.DPipe):
        _flatten(node.left, parts)
        _flatten(node.right, parts)
    else:
        parts.append(node)


def _is_text(node: Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def call(name: str, *arguments: Expr) -> exp.Anonymous:
    """A call of a DuckDB function that sqlglot leaves as it is."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def _empty_is_null(node: Expr) -> Expr:
    return call("nullif", node, exp.Literal.string(""))


def _text_function(node: Expr) -> Expr:
    return _empty_is_null(node.copy())


def _substring(node: Expr) -> Expr:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.name == "0":
        node.set("start", exp.Literal.number(1))
    return _empty_is_null(node.copy())


def _least_or_greatest(node: Expr) -> Expr:
    """One NULL among the arguments makes the result NULL."""
    parts = [node.this, *node.expressions]
    any_null = exp.or_(*(exp.Is(this=part.copy(), expression=exp.Null()) for part in parts))
    return exp.Case(ifs=[exp.If(this=any_null, true=exp.Null())], default=node.copy())


def _to_char(node: Expr) -> Expr:
    pattern = node.args.get("format")
    if pattern is None:
        return call("oracle_text", node.this.copy())
    if not isinstance(pattern, exp.Literal) or not set("YMDHQW") & set(pattern.name.upper()):
        raise GraphCannotRun("TO_CHAR with this format is not executed here")
    reader = Reader.get_or_raise("oracle")
    known = format_time(pattern.name.upper(), reader.TIME_MAPPING, reader.TIME_TRIE) or ""
    return call("strftime", node.this.copy(), exp.Literal.string(known))


def _division(node: Expr) -> Expr:
    """Division by zero is an error, where DuckDB has infinity."""
    divisor = node.expression
    if isinstance(divisor, exp.Literal) and divisor.name.strip("0.") != "":
        return node
    zero = exp.EQ(this=divisor.copy(), expression=exp.Literal.number(0))
    error = call("error", exp.Literal.string("the divisor is zero"))
    return exp.Paren(this=exp.Case(ifs=[exp.If(this=zero, true=error)], default=node.copy()))


_UNITS = {"DD": "day", "DDD": "day", "MM": "month", "MON": "month", "MONTH": "month", "YYYY": "year", "YEAR": "year"}


def _truncate_date(node: Expr) -> Expr:
    unit = node.args.get("unit")
    name = unit.name.upper() if unit is not None else "DD"
    return call("date_trunc", exp.Literal.string(_UNITS.get(name, name.lower())), node.this.copy())


def _timestamp(node: Expr) -> Expr:
    """`TIMESTAMP '…'` is a literal: no format is needed."""
    if isinstance(node.this, exp.Literal) and "%f" in node.args["format"].name:
        return exp.Cast(this=node.this.copy(), to=exp.DataType.build("TIMESTAMP"))
    return node


def _anonymous(node: Expr) -> Expr:
    name = str(node.this).upper()
    if name == "LNNVL" and len(node.expressions) == 1:
        return call("coalesce", exp.Not(this=exp.Paren(this=node.expressions[0].copy())), exp.true())
    return node


def _cast(node: Expr) -> Expr:
    """`NUMBER` without precision holds any number; DuckDB's DECIMAL without one has three places."""
    kind = node.args["to"]
    if kind.is_type("DECIMAL") and not kind.expressions:
        node.set("to", exp.DataType.build("DOUBLE"))
    return node


_REWRITES: dict[type[Expr], Callable[[Expr], Expr]] = {
    exp.Literal: _literal,
    exp.DPipe: _concatenation,
    exp.Substring: _substring,
    exp.Trim: _text_function,
    exp.Replace: _text_function,
    exp.RegexpReplace: _text_function,
    exp.Greatest: _least_or_greatest,
    exp.Least: _least_or_greatest,
    exp.ToChar: _to_char,
    exp.DateTrunc: _truncate_date,
    exp.TimestampTrunc: _truncate_date,
    exp.StrToTime: _timestamp,
    exp.Anonymous: _anonymous,
    exp.Cast: _cast,
    exp.Div: _division,
}
