"""How names, values and elements are written in Oracle's dialect: the one place here that makes text of SQL.

May be imported by everything in this package; imports the rules of the dialect only.
Design reason: whatever is sampled passes through these few functions, so a quote or a reserved word is handled once.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from verify.graph_sql.dialects import DIALECTS, RESERVED

_PLAIN = re.compile(r"[^\W\d][\w$#]*")
_ARROWS = {"right": ("-[", "]->"), "left": ("<-[", "]-"), "any": ("-[", "]-")}
_SHORT = {"right": "->", "left": "<-", "any": "-"}


def identifier(name: str, shown: str) -> str:
    """A name as a query has to write it: as declared where that folds to it, in quotes otherwise."""
    plain = _PLAIN.fullmatch(shown) and shown.upper() not in RESERVED
    if plain and DIALECTS["oracle"].fold(shown) == name:
        return shown
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as a constant; numbers without needless zeros, dates with their keyword."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime | date):
        return f"DATE '{value:%Y-%m-%d}'"
    if isinstance(value, Decimal | float):
        text = f"{Decimal(str(value)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def element(variable: str, label: str, where: str) -> str:
    """What stands inside the brackets of a vertex or an edge."""
    parts = (variable, f"IS {label}" if label else "", f"WHERE {where}" if where else "")
    return " ".join(part for part in parts if part)


def vertex(variable: str, label: str, where: str = "") -> str:
    """`(a IS account WHERE …)`."""
    return f"({element(variable, label, where)})"


def edge(direction: str, inside: str, quantifier: str = "") -> str:
    """`-[t IS transfer]->{1,3}`; nothing inside gives the short form."""
    if not inside:
        return _SHORT[direction] + quantifier
    left, right = _ARROWS[direction]
    return f"{left}{inside}{right}{quantifier}"


def graph_table(graph: str, paths: list[str], where: str, columns: list[str]) -> str:
    """One GRAPH_TABLE without an alias."""
    condition = f" WHERE {where}" if where else ""
    return f"GRAPH_TABLE ({graph} MATCH {', '.join(paths)}{condition} COLUMNS ({', '.join(columns)}))"
