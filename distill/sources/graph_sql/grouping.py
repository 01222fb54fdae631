"""Queries that count, sum up, group and rank what one match gives.

May be imported by `shapes` and `larger`; imports columns and pattern.
Design reason: an order that cuts rows off always ends with everything that is shown, so that the rows are determined
and can be judged.
"""

from distill.sources.graph_sql.columns import Columns, outputs, pinned
from distill.sources.graph_sql.pattern import Pattern, Ref, Sampler


def measurable(pattern: Pattern) -> list[Ref]:
    """The numbers that can be measured: no keys, nothing that a condition fixes."""
    elements = [*pattern.vertices, *pattern.single_edges]
    refs = [ref for element in elements if len(element.stated) == 1 for ref in pattern.properties(element)]
    return [ref for ref in refs if ref.prop.kind == "number" and not (ref.prop.key or pinned(ref, pattern))]


def _measured(sampler: Sampler, pattern: Pattern, columns: Columns | None = None) -> tuple[Columns, str]:
    """An aggregate over a column, which is added; COUNT(*) where nothing can be measured."""
    rng = sampler.rng
    columns = columns or Columns(rng)
    numbers = measurable(pattern)
    if not numbers or rng.random() < 0.4:
        if not columns.names:
            columns.more(sampler, pattern, 1)
        return columns, f"COUNT(*) AS {columns.free(rng.choice(('n', 'cnt', 'how_many', 'num')))}"
    ref = rng.choice(numbers)
    functions = [("MAX", "highest"), ("MIN", "lowest")]
    if ref.prop.additive:
        functions += [("SUM", "total"), ("AVG", "average")]
    function, word = rng.choice(functions)
    return columns, f"{function}({columns.add(ref)}) AS {columns.free(word)}"


def total(sampler: Sampler) -> str | None:
    """One row: a count, a sum or an average over all matches."""
    pattern = sampler.path(sampler.rng.choice((1, 1, 2))) if sampler.rng.random() < 0.8 else sampler.single()
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 1, 2)))
    if len(pattern.elements()) == 1 and any(" = " in one for one in pattern.elements()[0].conditions + pattern.where):
        return None
    columns, measure = _measured(sampler, pattern)
    return f"SELECT {measure} FROM {pattern.table(columns.texts)}"


def top(sampler: Sampler) -> str | None:
    """The highest by a number; everything shown is a key of the order, so that the rows are determined."""
    pattern = sampler.path(1) if sampler.rng.random() < 0.7 else sampler.single()
    if pattern is None:
        return None
    numbers = [ref for ref in measurable(pattern) if not ref.prop.nulls and not ref.prop.key]
    if not numbers:
        return None
    if sampler.rng.random() < 0.4:
        sampler.conditions(pattern, 1)
    measure = sampler.rng.choice(numbers)
    columns = Columns(sampler.rng)
    name = columns.add(measure)
    columns.more(sampler, pattern, 1, without=[measure])
    rest = columns.names[1:]
    if not rest:
        return None
    direction = " DESC" if sampler.rng.random() < 0.75 else ""
    count = sampler.rng.choice((1, 2, 3, 3, 5))
    shown = ", ".join([*rest, name])
    return (
        f"SELECT {shown} FROM {pattern.table(columns.texts)} "
        f"ORDER BY {', '.join([f'{name}{direction}', *rest])} FETCH FIRST {count} ROWS ONLY"
    )


def grouped(sampler: Sampler) -> str | None:
    """An aggregate for every value of a vertex's properties."""
    return _group(sampler, sampler.path(1), having=0.0, top=0.0)


def having(sampler: Sampler) -> str | None:
    """Groups that are large enough."""
    return _group(sampler, sampler.path(sampler.rng.choice((1, 2))), having=1.0, top=0.2)


def ranked(sampler: Sampler) -> str | None:
    """The groups that come first."""
    return _group(sampler, sampler.path(sampler.rng.choice((1, 2))), having=0.1, top=1.0)


def _group(sampler: Sampler, pattern: Pattern | None, *, having: float, top: float) -> str | None:
    """GROUP BY one vertex; the order of a ranking ends with the keys of the group, so that it is determined."""
    if pattern is None:
        return None
    rng = sampler.rng
    grouped = rng.choice(pattern.vertices)
    if rng.random() < 0.5:
        sampler.conditions(pattern, 1, among=[one for one in pattern.elements() if one is not grouped])
    columns = outputs(sampler, pattern, rng.choice((1, 1, 2)), among=[grouped])
    keys = list(columns.names)
    columns, measure = _measured(sampler, pattern, columns)
    value, _, name = measure.rpartition(" AS ")
    text = f"SELECT {', '.join([*keys, measure])} FROM {pattern.table(columns.texts)} GROUP BY {', '.join(keys)}"
    if rng.random() < having:
        text += f" HAVING COUNT(*) {rng.choice(('>= 2', '> 1', '>= 3', '= 1', '= 2'))}"
    if rng.random() < top:
        if "(*)" not in value and any(ref.prop.nulls for ref in measurable(pattern)):
            return None
        return (
            f"{text} ORDER BY {', '.join([f'{name} DESC', *keys])} FETCH FIRST {rng.choice((1, 2, 3, 3, 5))} ROWS ONLY"
        )
    return text + (f" ORDER BY {', '.join(keys)}" if rng.random() < 0.25 else "")
