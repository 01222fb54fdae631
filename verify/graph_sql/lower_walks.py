"""Recursive queries for the quantified parts of a path that are not unrolled, and the choice a path search makes.

May be imported by `lower`; imports sqlglot.
Design reason: a part without an upper bound has no flat join, and a long one too many. One iteration still is a flat
join, so its rows become a table of steps, and walks are chained from them. Vertices and edges are told apart by their
element table and key written as JSON: both sides of every comparison come from the same columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .adapt import adapt
from .bind import Bound
from .bind_expressions import conditions, is_aggregate, variables_of
from .catalog import ElementTable
from .errors import GraphCannotRun
from .expand import Assignment, Slot, Walk
from .lower_expressions import alias_of, group_leaves, is_mixed, quote, text_literal
from .search import Search, search_of
from .tree import Edge, Expr, ParenPath, PathPattern, Term, Vertex

MAX_WALKS = 100_000
"""Most walks of one length: their number may double with every step, and a result has 10,000 rows at most."""
_LISTS = "CAST([] AS VARCHAR[])"


@dataclass(slots=True)
class Plan:
    """A walk to be computed for a whole GRAPH_TABLE; `leaves` are the values of one step that aggregates read."""

    walk: Walk
    leaves: list[Expr] = field(default_factory=list)

    @property
    def alias(self) -> str:
        """The alias of its rows: `sid` and `tid` are the ends, `n` the iterations, `es`, `vs`, `gs` what was passed."""
        return f"w{self.walk.scope}"

    @property
    def name(self) -> str:
        """The name of the recursive query."""
        return f"graph_walk__{self.walk.scope}"

    @property
    def steps(self) -> str:
        """The name of the table of its single iterations."""
        return f"graph_step__{self.walk.scope}"


def why_no_walk(bound: Bound, scopes: frozenset[int]) -> str:
    """Why the quantifiers of these scopes cannot become walks, empty where they can."""
    if bound.table.rows is not None and bound.table.rows.iterators:
        return "ONE ROW PER over so long a path is not executed here"
    if bound.lateral:
        return "a column of the outer query beside so long a quantifier is not executed here"
    for one in conditions(bound):
        read = {variable.scope for variable in variables_of(one.expression, bound)}
        if one.scope in scopes and read - {one.scope}:
            return "a condition on another element inside so long a quantifier is not executed here"
    leaves = [leaf for scope in scopes for leaf in leaves_of(bound, scope)]
    if any(is_mixed(leaf, bound) for leaf in leaves):
        return "comparing elements inside and outside so long a quantifier is not executed here"
    return ""


def leaves_of(bound: Bound, scope: int) -> list[Expr]:
    """What aggregates outside a quantifier read of each of its iterations, every expression once."""
    found: list[Expr] = []
    outside = [one.expression for one in conditions(bound) if one.scope != scope]
    for expression in (*outside, *(one.expression for one in bound.columns)):
        for node in _aggregates(adapt(expression.copy(), bound.dialect)):
            found += [leaf for leaf in group_leaves(node, bound, scope) if leaf not in found]
    return found


def _aggregates(node: Expr) -> Iterator[Expr]:
    if is_aggregate(node):
        yield node
        return
    for child in node.iter_expressions():
        yield from _aggregates(child)


def start_of(walk: Walk) -> Vertex | None:
    """The vertex pattern right before a walk, whose labels and own condition narrow where it can begin."""
    return _before(walk.path.terms, walk.term)


def _before(terms: tuple[Term, ...], wanted: Edge | ParenPath) -> Vertex | None:
    for before, term in zip((None, *terms), terms, strict=False):
        if term is wanted:
            return before if isinstance(before, Vertex) else None
    return None


# ---------------------------------------------------------------- elements as text


def element_key(slot: Slot, table: ElementTable) -> str:
    """An element told apart from every other of its graph."""
    keys = "".join(f", {alias_of(slot)}.{quote(column)}" for column in table.key)
    return f"CAST(json_array({text_literal(table.name)}{keys}) AS VARCHAR)"


def edges_of(assignment: Assignment, chain: list[Slot | Walk], plans: dict[int, Plan]) -> str:
    """The list of the edges of a path, in path order."""
    parts: list[str] = []
    for one in chain:
        if isinstance(one, Walk):
            parts.append(f"{plans[one.scope].alias}.es")
        elif one.kind == "edge":
            parts.append(f"[{element_key(one, assignment.tables[one.root().index])}]")
    return _joined(parts)


def vertices_of(assignment: Assignment, chain: list[Slot | Walk], plans: dict[int, Plan]) -> str:
    """The list of the vertices of a path, in path order; a walk brings its own last vertex."""
    parts: list[str] = []
    for before, one in zip((None, *chain), chain, strict=False):
        if isinstance(one, Walk):
            parts.append(f"{plans[one.scope].alias}.vs")
        elif one.kind == "vertex" and not isinstance(before, Walk):
            parts.append(f"[{element_key(one, assignment.tables[one.root().index])}]")
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    return f"({' || '.join(parts)})" if parts else _LISTS


def path_length(chain: list[Slot | Walk], plans: dict[int, Plan]) -> str:
    """The number of edges of a path."""
    fixed = sum(not isinstance(one, Walk) and one.kind == "edge" for one in chain)
    walked = [f"len({plans[one.scope].alias}.es)" for one in chain if isinstance(one, Walk)]
    return f"CAST({' + '.join([str(fixed), *walked])} AS BIGINT)"


def no_repeats(mode: str, edges: str, vertices: str) -> list[str]:
    """The conditions of TRAIL, ACYCLIC and SIMPLE on the elements of a whole path; none for WALK."""
    if mode == "TRAIL":
        return [_distinct(edges)]
    if mode == "ACYCLIC":
        return [_distinct(vertices)]
    if mode == "SIMPLE":
        ends = (f"list_slice({vertices}, 2, len({vertices}))", f"list_slice({vertices}, 1, len({vertices}) - 1)")
        return [_distinct(one) for one in ends]
    return []


def _distinct(listed: str) -> str:
    return f"len(list_distinct({listed})) = len({listed})"


# ---------------------------------------------------------------- the recursive queries


def queries_of(plan: Plan, starts: str, steps: str, path: PathPattern) -> list[str]:
    """The common table expressions of a walk, from a query of where it begins and one of its single iterations.

    Raises GraphCannotRun where the search has endlessly many walks to choose from.
    """
    search, quantifier = search_of(path.prefix), plan.walk.quantifier
    queries = [f"{plan.steps} AS MATERIALIZED ({steps})"]
    if search.mode == "WALK" and search.selector == "any" and search.count == 1:
        return [*queries, _nearest(plan, plan.name, starts)]
    if search.mode == "WALK" and search.selector == "all shortest" and quantifier.min <= 1:
        return [*queries, _nearest(plan, f"{plan.name}_near", starts), _all_nearest(plan, starts)]
    if quantifier.max is None and search.mode == "WALK":
        raise GraphCannotRun("this path search over a quantifier without an upper bound is not executed here")
    return [*queries, _every(plan, starts, search)]


def _seed(plan: Plan, starts: str, *more: str) -> str:
    listed = ", ".join(["sid", "sid AS tid", "0 AS n", *more])
    nothing = f"(SELECT list(g) FROM {plan.steps} WHERE FALSE)"
    return f"SELECT {listed}, {_LISTS} AS es, {_LISTS} AS vs, {nothing} AS gs FROM ({starts})"


def _longer(plan: Plan, *more: str) -> str:
    listed = ", ".join(["w.sid", "s.tid", "w.n + 1", *more])
    return (
        f"SELECT {listed}, w.es || s.es, w.vs || s.vs, list_append(w.gs, s.g) "
        f"FROM {{name}} AS w JOIN {plan.steps} AS s ON w.tid = s.sid"
    )


def _bounded(plan: Plan) -> list[str]:
    most = plan.walk.quantifier.max
    return [f"w.n < {most}"] if most is not None else []


def _where(tests: list[str]) -> str:
    return f" WHERE {' AND '.join(tests)}" if tests else ""


def _few(longer: str) -> str:
    """A recursive step that gives up where it makes more walks than can be of use."""
    counted = longer.replace(" FROM ", ", count(*) OVER () AS many FROM ", 1)
    enough = f"CASE WHEN many > {MAX_WALKS} THEN error('the pattern has too many paths') ELSE TRUE END"
    return f"SELECT * EXCLUDE many FROM ({counted}) WHERE {enough}"


def _every(plan: Plan, starts: str, search: Search) -> str:
    """Every walk; one that repeats what the mode forbids is not continued."""
    tests = _bounded(plan)
    if search.mode == "TRAIL":
        tests.append(_distinct("(w.es || s.es)"))
    if search.mode == "ACYCLIC":
        tests.append(_distinct("([w.sid] || w.vs || s.vs)"))
    if search.mode == "SIMPLE":
        tests.append(_distinct("(w.vs || s.vs)"))
    longer = _longer(plan).format(name=plan.name) + _where(tests)
    return f"{plan.name}(sid, tid, n, es, vs, gs) AS ({_seed(plan, starts)} UNION ALL {_few(longer)})"


def _nearest(plan: Plan, name: str, starts: str) -> str:
    """One shortest walk for each pair of ends, by breadth-first search; `m` is n up to the lower bound."""
    least = plan.walk.quantifier.min
    m = f"least(w.n + 1, {least})"
    known = f"NOT EXISTS (FROM recurring.{name} AS r WHERE r.sid = w.sid AND r.tid = s.tid AND r.m = {m})"
    longer = _longer(plan, m).format(name=name) + _where([*_bounded(plan), known])
    return f"{name}(sid, tid, n, m, es, vs, gs) USING KEY (sid, tid, m) AS ({_seed(plan, starts, '0')} UNION {longer})"


def _all_nearest(plan: Plan, starts: str) -> str:
    """All shortest walks: a walk is continued only to where it is among the shortest."""
    near, least = f"{plan.name}_near", plan.walk.quantifier.min
    joined = f" JOIN {near} AS d ON d.sid = w.sid AND d.tid = s.tid AND d.m = {least} AND d.n = w.n + 1"
    longer = _longer(plan).format(name=plan.name) + joined + _where(_bounded(plan))
    return f"{plan.name}(sid, tid, n, es, vs, gs) AS ({_seed(plan, starts)} UNION ALL {_few(longer)})"


# ---------------------------------------------------------------- the choice


def chosen(body: str, search: Search, columns: str) -> str:
    """The rows of the paths that a search keeps; the condition behind the patterns is asked of those only."""
    window = "OVER (PARTITION BY path__from, path__to ORDER BY path__length"
    if search.selector in ("all shortest", "shortest groups"):
        ranked = f"dense_rank() {window}) <= {search.count}"
    else:
        ranked = f"row_number() {window}, path__edges) <= {search.count}"
    return f"SELECT {columns} FROM (SELECT * FROM ({body}) QUALIFY {ranked}) WHERE path__kept"
