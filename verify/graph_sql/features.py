"""The table of features by dialect as Markdown, for the README; a test keeps the two the same.

May be imported by tests and the command line; imports nothing heavy.
Design reason: the parser's own table is the documentation, so what is written is what is done.
"""

from .dialects import DIALECTS, FEATURE_TITLES

_MARKS = {"y": "yes", "s": "—", "u": "not supported"}


def features_table() -> str:
    """One line per feature: taken, a syntax error (—), or parsed and refused as not supported."""
    head = "| | " + " | ".join(one.title for one in DIALECTS.values()) + " |"
    rule = "| --- |" + " --- |" * len(DIALECTS)
    lines = [
        f"| {title} | " + " | ".join(_MARKS[one.features[feature]] for one in DIALECTS.values()) + " |"
        for feature, title in FEATURE_TITLES.items()
    ]
    return "\n".join([head, rule, *(line.replace("`|`", "`\\|`") for line in lines)])
