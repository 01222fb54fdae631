"""Questions and queries from a schema alone: any property graph in, worded GRAPH_TABLE queries out.

May be imported through the plug-in table; importing it loads no parser and no database.
Design reason: a query is sampled around a walk through the real rows, its witness, so its conditions hold somewhere and
its answer is not empty by construction; running it only confirms that. `data` holds the rows, `pattern` and
`conditions` sample, `matches`, `grouping` and `larger` put a SELECT around (`shapes` lists them), `columns` names what
comes out, `spelling` writes text, `source` runs, words and leaves out duplicates, `schemas` makes up graphs.
"""

from distill.sources.graph_sql.source import graph_sql

__all__ = ["graph_sql"]
