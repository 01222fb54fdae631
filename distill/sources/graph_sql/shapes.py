"""The kinds of queries: what stands around a pattern, from a plain list to joins, subqueries and WITH.

May be imported by `source`; imports pattern, columns and conditions.
Design reason: one small function per kind, each given a sampler and free to give up with None, so that a kind is added
by writing one function and naming it in `KINDS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from distill.sources.graph_sql import conditions
from distill.sources.graph_sql.columns import Columns, anchor, outputs, pinned
from distill.sources.graph_sql.pattern import Element, Pattern, Ref, Sampler
from distill.sources.graph_sql.spelling import identifier, literal

Difficulty = Literal["easy", "medium", "hard"]
Shape = Callable[[Sampler], str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of query, how often it is drawn, and the function that writes one."""

    category: str
    weight: int
    write: Shape


def draw(difficulty: Difficulty, rng: Random) -> Kind:
    """A kind of this difficulty, by weight."""
    kinds = KINDS[difficulty]
    return rng.choices(kinds, [one.weight for one in kinds])[0]


# ---------------------------------------------------------------- one match, row by row


def _listed(sampler: Sampler, pattern: Pattern, count: int, *, distinct: bool = False, order: float = 0.25) -> str:
    """A SELECT of `count` outputs, sometimes ordered by the first of them."""
    columns = outputs(sampler, pattern, count)
    head = "SELECT DISTINCT" if distinct else "SELECT"
    sorted_by = columns.names[: sampler.rng.choice((1, 1, 2))]
    tail = f" ORDER BY {', '.join(sorted_by)}" if sampler.rng.random() < order else ""
    return f"{head} {', '.join(columns.names)} FROM {pattern.table(columns.texts)}{tail}"


def _vertices(sampler: Sampler) -> str | None:
    pattern = sampler.single()
    sampler.conditions(pattern, sampler.rng.choice((0, 1, 1, 1, 2)))
    return _listed(sampler, pattern, sampler.rng.choice((1, 2, 2, 3)))


def _hop(sampler: Sampler) -> str | None:
    pattern = sampler.path(1)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((0, 1, 1, 1, 2)))
    return _listed(sampler, pattern, sampler.rng.choice((1, 2, 2, 3)))


def _either(sampler: Sampler) -> str | None:
    pattern = sampler.path(sampler.rng.choice((1, 1, 2)))
    if pattern is None or not sampler.either_way(pattern):
        return None
    anchor(sampler, sampler.rng.choice(pattern.vertices))
    return _listed(sampler, pattern, 2)


def _short(sampler: Sampler) -> str | None:
    """An edge without a label."""
    pattern = sampler.path(1)
    if pattern is None:
        return None
    anchor(sampler, sampler.rng.choice(pattern.vertices))
    pattern.edges[0].stated = []
    columns = outputs(sampler, pattern, 2, among=pattern.vertices)
    return f"SELECT {', '.join(columns.names)} FROM {pattern.table(columns.texts)}"


def _labels(sampler: Sampler) -> str | None:
    pattern = sampler.path(1) if sampler.rng.random() < 0.8 else sampler.single()
    if pattern is None or not sampler.alternatives(pattern):
        return None
    free = [one for one in pattern.elements() if len(one.stated) == 1]
    if free:
        anchor(sampler, sampler.rng.choice(free))
    return _listed(sampler, pattern, 2)


def _hops(sampler: Sampler) -> str | None:
    pattern = sampler.path(2)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 1, 2)))
    return _listed(sampler, pattern, sampler.rng.choice((1, 2, 2, 3)), distinct=sampler.rng.random() < 0.25)


def _long(sampler: Sampler) -> str | None:
    pattern = sampler.path(sampler.rng.choice((3, 3, 4)))
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 2, 2, 3)))
    if sampler.rng.random() < 0.3:
        sampler.either_way(pattern)
    if sampler.rng.random() < 0.25:
        sampler.apart(pattern)
    return _listed(sampler, pattern, sampler.rng.choice((2, 2, 3)), distinct=sampler.rng.random() < 0.3)


def _paths(sampler: Sampler) -> str | None:
    pattern = sampler.fork(1)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 1, 2)))
    return _listed(sampler, pattern, sampler.rng.choice((2, 2, 3)))


def _many_paths(sampler: Sampler) -> str | None:
    pattern = sampler.fork(2)
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 2, 2)))
    if sampler.rng.random() < 0.4:
        sampler.apart(pattern)
    return _listed(sampler, pattern, sampler.rng.choice((2, 3)), distinct=sampler.rng.random() < 0.3)


def _loop(sampler: Sampler) -> str | None:
    pattern = sampler.loop()
    if pattern is None:
        return None
    if sampler.rng.random() < 0.5:
        sampler.conditions(pattern, 1)
    return _listed(sampler, pattern, 2)


def _parallel(sampler: Sampler) -> str | None:
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
    return _listed(sampler, pattern, 3)


def _comparison(sampler: Sampler) -> str | None:
    pattern = sampler.path(sampler.rng.choice((1, 2)))
    if pattern is None or not sampler.comparison(pattern):
        return None
    if sampler.rng.random() < 0.5:
        sampler.conditions(pattern, 1)
    return _listed(sampler, pattern, sampler.rng.choice((2, 3)))


def _expression(sampler: Sampler) -> str | None:
    pattern = sampler.path(1) if sampler.rng.random() < 0.7 else sampler.single()
    if pattern is None:
        return None
    sampler.conditions(pattern, 1)
    columns = outputs(sampler, pattern, 1)
    if not columns.computed(sampler, pattern):
        return None
    return f"SELECT {', '.join(columns.names)} FROM {pattern.table(columns.texts)}"


def _top(sampler: Sampler) -> str | None:
    """The highest by a number; everything shown is a key of the order, so that the rows are determined."""
    pattern = sampler.path(1) if sampler.rng.random() < 0.7 else sampler.single()
    if pattern is None:
        return None
    numbers = [ref for ref in _numbers(pattern) if not ref.prop.nulls and not ref.prop.key]
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


def _numbers(pattern: Pattern) -> list[Ref]:
    elements = [*pattern.vertices, *pattern.single_edges]
    refs = [ref for element in elements if len(element.stated) == 1 for ref in pattern.properties(element)]
    return [ref for ref in refs if ref.prop.kind == "number" and not (ref.prop.key or pinned(ref, pattern))]


# ---------------------------------------------------------------- repetition


def _repeated(sampler: Sampler) -> str | None:
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


def _path_aggregate(sampler: Sampler) -> str | None:
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


# ---------------------------------------------------------------- aggregation around a match


def _total(sampler: Sampler) -> str | None:
    """One row: a count, a sum or an average over all matches."""
    pattern = sampler.path(sampler.rng.choice((1, 1, 2))) if sampler.rng.random() < 0.8 else sampler.single()
    if pattern is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((1, 1, 2)))
    if len(pattern.elements()) == 1 and any(" = " in one for one in pattern.elements()[0].conditions + pattern.where):
        return None
    columns, measure = _measured(sampler, pattern)
    return f"SELECT {measure} FROM {pattern.table(columns.texts)}"


def _measured(sampler: Sampler, pattern: Pattern, columns: Columns | None = None) -> tuple[Columns, str]:
    """An aggregate over a column, which is added; COUNT(*) where nothing can be measured."""
    rng = sampler.rng
    columns = columns or Columns(rng)
    numbers = _numbers(pattern)
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


def _grouped(sampler: Sampler) -> str | None:
    return _group(sampler, sampler.path(1), having=0.0, top=0.0)


def _having(sampler: Sampler) -> str | None:
    return _group(sampler, sampler.path(sampler.rng.choice((1, 2))), having=1.0, top=0.2)


def _ranked(sampler: Sampler) -> str | None:
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
        if "(*)" not in value and any(ref.prop.nulls for ref in _numbers(pattern)):
            return None
        return (
            f"{text} ORDER BY {', '.join([f'{name} DESC', *keys])} FETCH FIRST {rng.choice((1, 2, 3, 3, 5))} ROWS ONLY"
        )
    return text + (f" ORDER BY {', '.join(keys)}" if rng.random() < 0.25 else "")


# ---------------------------------------------------------------- larger queries


@dataclass(slots=True)
class _Outer:
    """A plain table that holds the vertices of one element of a pattern."""

    element: Element
    key: Ref
    table: str
    columns: Mapping[str, str]
    """Property name to column as a query writes it."""


def _outer(sampler: Sampler, pattern: Pattern) -> _Outer | None:
    """A vertex whose own table can be joined by a single key."""
    choices = [(element, ref) for element in pattern.vertices for ref in pattern.properties(element)]
    keyed = [(element, ref) for element, ref in choices if ref.prop.key and len(element.stated) == 1]
    if not keyed:
        return None
    element, key = sampler.rng.choice(keyed)
    owned = element.item.table
    table = pattern.data.tables[owned.table]
    columns = {
        one.name: identifier(one.column, table.columns[one.column].shown)
        for one in owned.properties.values()
        if one.column and ("vertex", owned.name, one.name) in pattern.data.properties
    }
    return _Outer(element, key, identifier(table.name, table.shown), columns)


def _rows_of(sampler: Sampler, outer: _Outer, letter: str) -> str:
    """One or two columns of the plain table, the key or a name first."""
    data, table = sampler.data, outer.element.item.table
    known = [data.properties["vertex", table.name, name] for name in outer.columns]
    telling = [one.name for one in known if one.key or one.kind == "text"]
    first = sampler.rng.choice(telling)
    rest = [name for name in outer.columns if name != first]
    names = [first, *sampler.rng.sample(rest, min(len(rest), sampler.rng.choice((0, 1))))]
    return ", ".join(f"{letter}.{outer.columns[name]}" for name in names)


def _inside(sampler: Sampler) -> tuple[Pattern, _Outer] | None:
    pattern = sampler.path(sampler.rng.choice((1, 1, 2)))
    outer = _outer(sampler, pattern) if pattern is not None else None
    if pattern is None or outer is None:
        return None
    sampler.conditions(pattern, sampler.rng.choice((0, 1, 1)))
    return pattern, outer


def _in(sampler: Sampler) -> str | None:
    found = _inside(sampler)
    if found is None:
        return None
    pattern, outer = found
    columns = Columns(sampler.rng)
    name = columns.add(outer.key)
    negated = "NOT IN" if sampler.rng.random() < 0.3 else "IN"
    return (
        f"SELECT {_rows_of(sampler, outer, 't')} FROM {outer.table} t WHERE t.{outer.columns[outer.key.prop.name]} "
        f"{negated} (SELECT {name} FROM {pattern.table(columns.texts)})"
    )


def _exists(sampler: Sampler) -> str | None:
    found = _inside(sampler)
    if found is None:
        return None
    pattern, outer = found
    columns = Columns(sampler.rng)
    name = columns.add(outer.key)
    negated = "NOT EXISTS" if sampler.rng.random() < 0.4 else "EXISTS"
    return (
        f"SELECT {_rows_of(sampler, outer, 't')} FROM {outer.table} t WHERE {negated} (SELECT 1 FROM "
        f"{pattern.table(columns.texts)} g WHERE g.{name} = t.{outer.columns[outer.key.prop.name]})"
    )


def _join(sampler: Sampler) -> str | None:
    """The plain table of a vertex joined with what a pattern says about it."""
    found = _inside(sampler)
    if found is None:
        return None
    pattern, outer = found
    columns = Columns(sampler.rng)
    name = columns.add(outer.key)
    others = [element for element in pattern.elements() if element is not outer.element and element.bounds is None]
    columns.more(sampler, pattern, sampler.rng.choice((1, 2)), among=others)
    shown = ", ".join(f"g.{one}" for one in columns.names[1:])
    if not shown:
        return None
    kind = "LEFT JOIN" if sampler.rng.random() < 0.35 else "JOIN"
    return (
        f"SELECT {_rows_of(sampler, outer, 't')}, {shown} FROM {outer.table} t {kind} "
        f"{pattern.table(columns.texts)} g ON g.{name} = t.{outer.columns[outer.key.prop.name]}"
    )


def _two_tables(sampler: Sampler) -> str | None:
    """Two GRAPH_TABLEs joined on a vertex that both hold."""
    first = sampler.path(1)
    if first is None:
        return None
    outer = _outer(sampler, first)
    other = sampler.fork(1)
    if outer is None or other is None:
        return None
    same = [one for one in other.vertices if one.item.table is outer.element.item.table]
    second = sampler.path(1) if not same else Pattern(sampler.data, [other.paths[0]])
    meeting = (
        next((one for one in second.vertices if one.item.table is outer.element.item.table), None) if second else None
    )
    if second is None or meeting is None:
        return None
    key = next((ref for ref in second.properties(meeting) if ref.prop.name == outer.key.prop.name), None)
    if key is None:
        return None
    texts, names = [], []
    for pattern, ref, anchored in ((first, outer.key, True), (second, key, False)):
        if anchored or sampler.rng.random() < 0.5:
            sampler.conditions(pattern, 1)
        columns = Columns(sampler.rng)
        columns.add(ref)
        columns.more(sampler, pattern, 1, among=[one for one in pattern.elements() if one is not ref.element])
        texts.append(pattern.table(columns.texts))
        names.append(columns.names)
    if min(map(len, names)) < 2:
        return None
    shown = f"g.{names[0][0]}, g.{names[0][1]}, h.{names[1][1]}"
    if names[0][1] == names[1][1]:
        shown = f"g.{names[0][0]}, g.{names[0][1]} AS first_{names[0][1]}, h.{names[1][1]} AS second_{names[1][1]}"
        if '"' in shown:
            return None
    return f"SELECT {shown} FROM {texts[0]} g JOIN {texts[1]} h ON h.{names[1][0]} = g.{names[0][0]}"


def _with(sampler: Sampler) -> str | None:
    """A named count per vertex, and those above a bound."""
    pattern = sampler.path(1)
    if pattern is None:
        return None
    if sampler.rng.random() < 0.4:
        sampler.conditions(pattern, 1)
    rng = sampler.rng
    columns = outputs(sampler, pattern, 1, among=[rng.choice(pattern.vertices)])
    (key,) = columns.names
    numbers = [ref for ref in _numbers(pattern) if not ref.prop.nulls and ref.prop.additive]
    value, bound = "COUNT(*)", "1"
    if numbers and rng.random() < 0.5:
        ref = rng.choice(numbers)
        value, bound = f"SUM({columns.add(ref)})", literal(rng.choice(ref.prop.values))
    name, total = (
        rng.choice(("per_item", "totals", "summary")),
        columns.free(rng.choice(("total", "amount_total", "n"))),
    )
    return (
        f"WITH {name} AS (SELECT {key}, {value} AS {total} FROM {pattern.table(columns.texts)} GROUP BY {key}) "
        f"SELECT {key}, {total} FROM {name} WHERE {total} > {bound}"
    )


def _steps(sampler: Sampler) -> str | None:
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


KINDS: Mapping[Difficulty, tuple[Kind, ...]] = {
    "easy": (
        Kind("Vertices", 4, _vertices),
        Kind("One hop", 7, _hop),
        Kind("Either direction", 2, _either),
        Kind("Edges without a label", 1, _short),
        Kind("Totals", 2, _total),
    ),
    "medium": (
        Kind("Several hops", 5, _hops),
        Kind("Label alternatives", 3, _labels),
        Kind("Grouping", 4, _grouped),
        Kind("Highest and lowest", 3, _top),
        Kind("Several paths", 3, _paths),
        Kind("Loops", 2, _loop),
        Kind("Repeated edges", 4, _repeated),
        Kind("Comparisons", 2, _comparison),
        Kind("Computed columns", 2, _expression),
    ),
    "hard": (
        Kind("Long paths", 3, _long),
        Kind("Several paths", 3, _many_paths),
        Kind("Aggregates along a path", 4, _path_aggregate),
        Kind("Groups with a condition", 2, _having),
        Kind("Ranked groups", 3, _ranked),
        Kind("Joins", 4, _join),
        Kind("Membership", 3, _in),
        Kind("Existence", 3, _exists),
        Kind("Two graph tables", 2, _two_tables),
        Kind("Parallel edges", 1, _parallel),
        Kind("Named results", 2, _with),
        Kind("Steps of a path", 1, _steps),
    ),
}
"""What is drawn, by difficulty."""
