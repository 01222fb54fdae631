"""Queries that list the rows of one match: vertices, hops, paths, repeated edges.

May be imported by `shapes`; imports columns, conditions, pattern.
Design reason: each kind is one function that is given a sampler and may give up with None, which costs a tenth of a
millisecond, so no function tries to be clever about what a graph offers.
"""

from distill.sources.graph_sql import conditions
from distill.sources.graph_sql.columns import anchor, outputs
from distill.sources.graph_sql.pattern import Pattern, Ref, Sampler


def listed(sampler: Sampler, pattern: Pattern, count: int, *, distinct: bool = False, order: float = 0.25) -> str:
    """A SELECT of `count` outputs, sometimes ordered by the first of them."""
    columns = outputs(sampler, pattern, count)
    head = "SELECT DISTINCT" if distinct else "SELECT"
    sorted_by = columns.names[: sampler.rng.choice((1, 1, 2))]
    tail = f" ORDER BY {', '.join(sorted_by)}" if sampler.rng.random() < order else ""
    return f"{head} {', '.join(columns.names)} FROM {pattern.table(columns.texts)}{tail}"


def vertices(sampler: Sampler) -> str | None:
    """Single vertices with their properties."""
    pattern = sampler.single()
    sampler.conditions(pattern, sampler.rng.choice((0, 1, 1, 1, 2)))
    return listed(sampler, pattern, sampler.rng.choice((1, 2, 2, 3)))


def hop(sampler: Sampler) -> str | None:
    """One edge between two vertices."""
    pattern = sampler.path(1)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((0, 1, 1, 1, 2)))
    return listed(sampler, pattern, sampler.rng.choice((1, 2, 2, 3)))


def either(sampler: Sampler) -> str | None:
    """An edge taken in either direction."""
    pattern = sampler.path(sampler.rng.choice((1, 1, 2)))
    if pattern is None or not sampler.either_way(pattern):
        return None
    anchor(sampler, sampler.rng.choice(pattern.vertices))
    return listed(sampler, pattern, 2)


def short(sampler: Sampler) -> str | None:
    """An edge without a label."""
    pattern = sampler.path(1)
    if pattern is None:
        return None
    anchor(sampler, sampler.rng.choice(pattern.vertices))
    pattern.edges[0].stated = []
    columns = outputs(sampler, pattern, 2, among=pattern.vertices)
    return f"SELECT {', '.join(columns.names)} FROM {pattern.table(columns.texts)}"


def labels(sampler: Sampler) -> str | None:
    """Elements under either of two labels."""
    pattern = sampler.path(1) if sampler.rng.random() < 0.8 else sampler.single()
    if pattern is None or not sampler.alternatives(pattern):
        return None
    free = [one for one in pattern.elements() if len(one.stated) == 1]
    if free:
        anchor(sampler, sampler.rng.choice(free))
    return listed(sampler, pattern, 2)


def hops(sampler: Sampler) -> str | None:
    """Two edges in a row."""
    pattern = sampler.path(2)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 1, 2)))
    return listed(sampler, pattern, sampler.rng.choice((1, 2, 2, 3)), distinct=sampler.rng.random() < 0.25)


def long(sampler: Sampler) -> str | None:
    """Three or four edges in a row."""
    pattern = sampler.path(sampler.rng.choice((3, 3, 4)))
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 2, 2, 3)))
    if sampler.rng.random() < 0.3:
        sampler.either_way(pattern)
    if sampler.rng.random() < 0.25:
        sampler.apart(pattern)
    return listed(sampler, pattern, sampler.rng.choice((2, 2, 3)), distinct=sampler.rng.random() < 0.3)


def paths(sampler: Sampler) -> str | None:
    """A path, and another that meets it."""
    pattern = sampler.fork(1)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 1, 2)))
    return listed(sampler, pattern, sampler.rng.choice((2, 2, 3)))


def many_paths(sampler: Sampler) -> str | None:
    """A longer path, and another that meets it."""
    pattern = sampler.fork(2)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 2, 2)))
    if sampler.rng.random() < 0.4:
        sampler.apart(pattern)
    return listed(sampler, pattern, sampler.rng.choice((2, 3)), distinct=sampler.rng.random() < 0.3)


def loop(sampler: Sampler) -> str | None:
    """An edge back to its vertex, or two edges there and back."""
    pattern = sampler.loop()
    if pattern is None:
        return None
    if sampler.rng.random() < 0.5:
        sampler.conditions(pattern, 1)
    return listed(sampler, pattern, 2)


def parallel(sampler: Sampler) -> str | None:
    """Two edges between the same vertices, told apart by their key or by EDGE_EQUAL."""
    pattern = sampler.parallel()
    if pattern is None:
        return None
    first, second = pattern.edges
    key = next((ref for ref in pattern.properties(first) if ref.prop.key), None)
    if key is not None:
        pattern.where.append(f"{key.text} < {Ref(second, key.prop).text}")
    else:
        first.used = second.used = True
        pattern.where.append(f"NOT EDGE_EQUAL({first.variable}, {second.variable})")
    return listed(sampler, pattern, 3)


def comparison(sampler: Sampler) -> str | None:
    """Elements of a path compared with each other."""
    pattern = sampler.path(sampler.rng.choice((1, 2)))
    if pattern is None or not sampler.comparison(pattern):
        return None
    if sampler.rng.random() < 0.5:
        sampler.conditions(pattern, 1)
    return listed(sampler, pattern, sampler.rng.choice((2, 3)))


def expression(sampler: Sampler) -> str | None:
    """A column that is computed."""
    pattern = sampler.path(1) if sampler.rng.random() < 0.7 else sampler.single()
    if pattern is None:
        return None
    sampler.conditions(pattern, 1)
    columns = outputs(sampler, pattern, 1)
    if not columns.computed(sampler, pattern):
        return None
    return f"SELECT {', '.join(columns.names)} FROM {pattern.table(columns.texts)}"


def repeated(sampler: Sampler) -> str | None:
    """What can be reached along a repeated edge."""
    pattern = sampler.repeated()
    if pattern is None:
        return None
    start, end = pattern.paths[0][0], pattern.paths[0][-1]
    near, far = (start, end) if sampler.rng.random() < 0.75 else (end, start)
    anchor(sampler, near)
    if sampler.rng.random() < 0.35:
        _repeat_condition(sampler, pattern)
    columns = outputs(sampler, pattern, sampler.rng.choice((1, 1, 2)), among=[far])
    tail = f" ORDER BY {', '.join(columns.names)}" if sampler.rng.random() < 0.3 else ""
    return f"SELECT DISTINCT {', '.join(columns.names)} FROM {pattern.table(columns.texts)}{tail}"


def _repeat_condition(sampler: Sampler, pattern: Pattern) -> None:
    edge = pattern.edges[0]
    for ref in pattern.properties(edge):
        text = conditions.every(ref.prop, [one.values.get(ref.prop.name) for one in edge.trail], sampler.rng)
        if text:
            edge.conditions.append(text.replace("{}", ref.text))
            return


def path_aggregate(sampler: Sampler) -> str | None:
    """Aggregates over the edges of a repeated stretch."""
    pattern = sampler.repeated()
    if pattern is None or pattern.edges[0].bounds is None or pattern.edges[0].bounds[0] == 0:
        return None
    start, edge, end = pattern.paths[0][0], pattern.edges[0], pattern.paths[0][-1]
    anchor(sampler, start)
    if sampler.rng.random() < 0.3:
        anchor(sampler, end)
    columns = outputs(sampler, pattern, 1, among=[end])
    refs = [ref for ref in pattern.properties(edge) if not ref.prop.key]
    made = 0
    for ref in sampler.rng.sample(refs, len(refs)):
        made += columns.aggregate(ref)
        if made == sampler.rng.choice((1, 2)):
            break
    if not made or (edge.bounds and edge.bounds[0] != edge.bounds[1] and sampler.rng.random() < 0.4):
        edge.used = True
        columns.computed_text(f"BINDING_COUNT({edge.variable})", sampler.rng.choice(("hops", "steps", "path_length")))
    tail = f" ORDER BY {', '.join(columns.names)}" if sampler.rng.random() < 0.3 else ""
    return f"SELECT {', '.join(columns.names)} FROM {pattern.table(columns.texts)}{tail}"


def steps(sampler: Sampler) -> str | None:
    """ONE ROW PER STEP along a repeated edge of fixed length."""
    pattern = sampler.repeated()
    if pattern is None or len(pattern.edges[0].trail) < 2 or pattern.edges[0].direction == "any":
        return None
    start, edge, end = pattern.paths[0]
    edge.bounds = (len(edge.trail), len(edge.trail))
    anchor(sampler, start)
    if sampler.rng.random() < 0.5:
        anchor(sampler, end)
    telling = [ref for ref in pattern.properties(start) if ref.prop.key or ref.prop.kind == "text"]
    shown = [ref for ref in pattern.properties(edge)]
    inner = {one.spelled for one in pattern.data.under(end.item.table, end.label)}
    telling = [ref for ref in telling if ref.prop.spelled in inner]
    if not telling or start.item.table is not end.item.table:
        return None
    prop = sampler.rng.choice(telling).prop.spelled
    columns = [f"x.{prop} AS step_from", *(f"s.{ref.prop.spelled}" for ref in shown[:1]), f"y.{prop} AS step_to"]
    for element in (start, edge, end):
        element.variable = {"x": "v1", "y": "v2", "s": "e"}.get(element.variable, element.variable)
        element.conditions = []
    return None if prop.startswith('"') else _per_step(sampler, pattern, columns)


def _per_step(sampler: Sampler, pattern: Pattern, columns: list[str]) -> str:
    anchor(sampler, pattern.paths[0][0])
    text = pattern.table(columns)
    head, _, tail = text.rpartition(" COLUMNS ")
    names = [column.rpartition(" AS ")[2].rpartition(".")[2] for column in columns]
    return f"SELECT {', '.join(names)} FROM {head} ONE ROW PER STEP (x, s, y) COLUMNS {tail}"
