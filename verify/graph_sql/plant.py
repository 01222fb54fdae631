"""Matches planted into generated rows: walks that fit a gold's pattern, with one condition at its boundary each.

May be imported by `generate`; imports sqlglot for the conditions of patterns.
Design reason: random rows seldom meet three conditions at once, and only a match that meets all but one of them, or
that is one step too long, shows that a query is wrong there.
"""

import datetime
import decimal
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from .bind import OUTSIDE, Bound
from .bind_expressions import identifier_name
from .catalog import Catalog, ElementTable, End, Table
from .errors import GraphCannotRun
from .expand import Assignment, Placed, Slot, assignments
from .tree import Edge, Expr, ParenPath, Term, Vertex

Rows = dict[str, list[tuple[Any, ...]]]
Cells = dict[str, Any]
Place = tuple[int, str]
"""A column of the row in a slot: the slot's index and the column."""

PLANTED = 10
"""Walks planted per pattern and database."""
_OWN_NAMES = 4
"""The first walks of them, whose vertices have names of their own."""
_FAN = 4
"""The walk that has three twins which share one vertex, for groups of more than two."""
_DISTORTED = 6
"""From this walk on one edge is turned round, led elsewhere, or made to end where it begins."""
_MOST_SHAPES = 60


def plant(
    catalog: Catalog,
    rows: Rows,
    bounds: Sequence[Bound],
    *,
    rng: random.Random,
    convert: "Convert",
    lonely: int | None = None,
) -> None:
    """Add walks for every pattern to the rows of a database, in place.

    `convert` turns the value of a literal into the type of a column, or gives None. With `lonely`, nothing is added
    and the vertices that the conditions name are left with that many edges, which shows paths that may be empty.
    """
    recent: dict[str, list[Cells]] = {}
    for bound in bounds:
        shapes = _shapes(bound, catalog)
        if lonely is not None:
            for shape in shapes[:1]:
                _Planter(catalog, rows, bound, rng, convert, 0, recent).leave_alone(shape, lonely)
            continue
        for number in range(PLANTED if shapes else 0):
            # the first two walks are the shortest and the longest, on rows of their own
            shape = shapes[0] if number == 0 else shapes[-1] if number == 1 else rng.choice(shapes)
            _Planter(catalog, rows, bound, rng, convert, number, recent).walk(shape)


Convert = Callable[[Table, str, Any], Any]


def _shapes(bound: Bound, catalog: Catalog) -> list[Assignment]:
    """The pattern as flat joins, quantifiers one step shorter and longer included."""
    table = replace(bound.table, paths=tuple(replace(path, terms=_wider(path.terms)) for path in bound.table.paths))
    try:
        every = list(itertools.islice(assignments(replace(bound, table=table)), _MOST_SHAPES))
    except GraphCannotRun:
        return []
    base = {name for name, one in catalog.tables.items() if one.query is None}
    return [one for one in every if all(element.table in base for element in one.tables.values())]


def _wider(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(term if isinstance(term, Vertex) else _widened(term) for term in terms)


def _widened(term: Edge | ParenPath) -> Edge | ParenPath:
    quantifier = term.quantifier
    if isinstance(term, ParenPath):
        term = replace(term, terms=_wider(term.terms))
    if quantifier is None or quantifier.max is None:
        return term
    return replace(term, quantifier=replace(quantifier, min=max(0, quantifier.min - 1), max=quantifier.max + 1))


@dataclass(slots=True)
class _Planter:
    catalog: Catalog
    rows: Rows
    bound: Bound
    rng: random.Random
    convert: Convert
    number: int
    """Which walk this is: chooses the condition that is tried at its boundary."""
    recent: dict[str, list[Cells]]
    """Vertices of other walks by table, also of those for other patterns of the query, which new walks share."""
    wanted: dict[Place, Any] = field(default_factory=dict)
    made: dict[int, Cells] = field(default_factory=dict)
    models: dict[str, Cells] = field(default_factory=dict)
    """Rows that all edges of a walk are copies of, by table, where they are to be alike."""

    def walk(self, shape: Assignment) -> None:
        """Plant one walk, every other time with a twin that looks the same."""
        self._wish(shape)
        for slot in shape.branch.roots():
            if slot.kind == "vertex":
                self._vertex(slot, shape.tables[slot.index])
        links = list(self._links(shape))
        ends = [(self.made[left], self.made[right]) for _, left, right in links]
        if self.number >= _DISTORTED and ends:
            self._distort(shape, links, ends)
        for (at, _, _), (source, destination) in zip(links, ends, strict=True):
            self._edge(at, shape.tables[at], source, destination)
        fan = self.rng.choice(sorted(self.made)) if self.number == _FAN and self.made else None
        for _ in range(1 - self.number % 2 if fan is None else 3):
            self._twin(shape, links, kept=fan)

    def _distort(
        self, shape: Assignment, links: Sequence[tuple[int, int, int]], ends: list[tuple[Cells, Cells]]
    ) -> None:
        """Lead one edge of the walk the wrong way; `ends` is changed in place."""
        chosen = self.rng.randrange(len(ends))
        at, _, right = links[chosen]
        source, destination = ends[chosen]
        element = shape.tables[at]
        assert element.source is not None and element.destination is not None
        if element.source.vertex == element.destination.vertex and self.rng.random() < 0.6:
            ends[chosen] = self.rng.choice([(destination, source), (source, source)])
            return
        table = self.catalog.tables[shape.tables[right].table]
        other = self._other_key(table, dict(destination), {})
        self._put(table, other)
        ends[chosen] = (source, other)

    def leave_alone(self, shape: Assignment, most: int) -> None:
        """Take the edges away from the vertices that the conditions name, all but `most` of each table."""
        self._wish(shape)
        for slot in shape.branch.roots():
            wanted = {name: value for (at, name), value in self.wanted.items() if at == slot.index}
            element = shape.tables[slot.index]
            if slot.kind != "vertex" or not wanted:
                continue
            for row in self._cells(self.catalog.tables[element.table]):
                if all(row[name] == value for name, value in wanted.items()):
                    self._isolate(element, row, most)

    def _isolate(self, vertex: ElementTable, row: Cells, most: int) -> None:
        for edge in self.bound.graph.edges.values():
            ends = [end for end in (edge.source, edge.destination) if end is not None and end.vertex == vertex.name]
            table = self.catalog.tables[edge.table]
            if table.query is not None or edge.table in {one.table for one in self.bound.graph.vertices.values()}:
                continue
            touching = [
                number
                for number, cells in enumerate(self._cells(table))
                if any(_reference(end, row) == {name: cells[name] for name in end.key} for end in ends)
            ]
            gone = set(touching[most:])
            self.rows[table.name] = [one for number, one in enumerate(self.rows[table.name]) if number not in gone]

    def _links(self, shape: Assignment) -> Iterator[tuple[int, int, int]]:
        """Every edge with the slots of its source and its destination."""
        for use, orientation in zip(shape.branch.uses, shape.orientations, strict=True):
            left, right = use.left.root().index, use.right.root().index
            turned = orientation == "left" or (orientation == "both" and self.rng.random() < 0.5)
            if left in self.made and right in self.made:
                yield (use.edge.root().index, *((right, left) if turned else (left, right)))

    def _twin(self, shape: Assignment, links: Sequence[tuple[int, int, int]], *, kept: int | None) -> None:
        """The same walk through some rows that differ from the first ones in nothing but their keys.

        With `kept`, all rows but that slot's are others.
        """
        for at, cells in list(self.made.items()):
            table = self.catalog.tables[shape.tables[at].table]
            fixed = any((at, name) in self.wanted for name in table.primary_key)
            if at == kept or fixed or shape.tables[at].kind == "edge":
                continue
            if kept is not None or self.rng.random() < 0.6:
                self.made[at] = self._other_key(table, dict(cells), {})
                self._put(table, self.made[at])
        for at, left, right in links:
            self._edge(at, shape.tables[at], self.made[left], self.made[right], like=self.made.get(at))

    # ---------------------------------------------------------------- rows

    def _model(self, table: Table) -> Cells | None:
        rows = self.rows.get(table.name)
        return dict(zip(table.columns, self.rng.choice(rows), strict=True)) if rows else None

    def _vertex(self, slot: Slot, element: ElementTable) -> None:
        """A row of its own where the key can be made up, else an existing row, with the values that are wanted."""
        table = self.catalog.tables[element.table]
        model = self._model(table)
        if model is None:
            return
        values = {name: value for (at, name), value in self.wanted.items() if at == slot.index}
        key = {name: value for name, value in values.items() if name in table.primary_key}
        known = [row for row in self._cells(table) if key and all(row[name] == key[name] for name in key)]
        if known:
            model = self.rng.choice(known)
        elif key or self.number < _OWN_NAMES or self.rng.random() < 0.6:
            model = self._fresh(table, model, key)
        elif (shared := self.recent.get(table.name)) and self.rng.random() < 0.6:
            model = dict(self.rng.choice(shared))
        model |= {name: value for name, value in values.items() if name not in table.primary_key}
        self._put(table, model)
        self.made[slot.index] = model
        self.recent.setdefault(table.name, []).append(model)

    def _fresh(self, table: Table, model: Cells, key: Cells) -> Cells:
        """A copy of a row under another primary key, for the first walks with names of its own too."""
        fixed = {*table.primary_key, *(name for one in table.foreign_keys for name in one.columns)}
        for name in sorted(set(table.columns) - fixed) if self.number < _OWN_NAMES else ():
            if isinstance(model[name], str):
                model[name] = f"{model[name]}{self.rng.randint(2, 99)}"
        return self._other_key(table, model, key)

    def _other_key(self, table: Table, model: Cells, key: Cells) -> Cells:
        for name in table.primary_key:
            if name in key:
                model[name] = key[name]
            elif isinstance(model[name], int):
                model[name] = max(row[name] for row in self._cells(table)) + 1
            elif isinstance(model[name], str) and not any(name in one.columns for one in table.foreign_keys):
                model[name] = f"{model[name]}{self.rng.randint(2, 99)}"
        return model

    def _cells(self, table: Table) -> Iterator[Cells]:
        return (dict(zip(table.columns, row, strict=True)) for row in self.rows[table.name])

    def _edge(
        self, at: int, element: ElementTable, source: Cells, destination: Cells, *, like: Cells | None = None
    ) -> None:
        table = self.catalog.tables[element.table]
        model = like or self._edge_model(table)
        if not model or element.source is None or element.destination is None:
            return
        model = model | _reference(element.source, source) | _reference(element.destination, destination)
        own = set(element.source.key) | set(element.destination.key)
        free = [name for name in table.primary_key if name not in own and isinstance(model[name], int)]
        model |= {name: value for (slot, name), value in self.wanted.items() if slot == at and name not in own}
        parallel = self.rng.random() < 0.3 and free
        for _ in range(2 if parallel else 1):
            unwanted = [name for name in free if (at, name) not in self.wanted]
            model = model | {name: self.rng.randint(10_000, 10_000_000) for name in unwanted}
            self._put(table, model)
        self.made[at] = model

    def _edge_model(self, table: Table) -> Cells:
        """Some row; every third walk has edges that are alike."""
        if self.number % 3 == 0:
            return self.models.setdefault(table.name, self._model(table) or {})
        return self._model(table) or {}

    def _put(self, table: Table, cells: Cells) -> None:
        """Add a row, or replace the one that has the same primary key."""
        row = tuple(cells[name] for name in table.columns)
        at = [list(table.columns).index(name) for name in table.primary_key]
        rows = self.rows[table.name]
        for number, other in enumerate(rows):
            if at and all(other[one] == row[one] for one in at):
                rows[number] = row
                return
        rows.append(row)

    # ---------------------------------------------------------------- conditions

    def _wish(self, shape: Assignment) -> None:
        """Values that meet the conditions; those of the condition whose turn it is stand at its boundary or beyond."""
        atoms = [(atom, placed) for placed in shape.branch.conditions for atom in self._atoms(placed.expression)]
        must = len(atoms)
        atoms += [(atom, Placed(atom, OUTSIDE, 0)) for one in self.bound.columns for atom in _tests(one.expression)]
        turn = self.rng.randrange(len(atoms)) if atoms and self.number > 1 else None
        order = [at for at in range(must) if at != turn] + ([turn] if turn is not None else [])
        for at in order:
            atom, placed = atoms[at]
            self._meet(shape, atom, placed, edge=at == turn)
        if self.number % 3 == 0:
            self._repeat(shape)

    def _repeat(self, shape: Assignment) -> None:
        """Elements of a group get one value in what is aggregated, which DISTINCT inside an aggregate would merge."""
        where = [self.bound.table.where] if self.bound.table.where is not None else []
        nodes = [*where, *(one.expression for one in self.bound.columns)]
        calls = [call for node in nodes for call in node.find_all(exp.AggFunc)]
        for column in [column for call in calls for column in call.find_all(exp.Column)]:
            steps = range(max(shape.branch.counts.values(), default=0))
            found = [self._place(shape, column, Placed(column, OUTSIDE, step)) for step in steps]
            places = [one for one in found if one is not None]
            value = self._sample(*places[0]) if places else None
            if isinstance(value, int | float | decimal.Decimal) and self.rng.random() < 0.5:
                value = decimal.Decimal(self.number // 3)
            for one in places if value is not None else ():
                self._want(*one, value)

    def _atoms(self, node: Expr) -> Iterator[Expr]:
        """The comparisons that together make a condition true: all of an AND, one of an OR."""
        node = node.unnest()
        if isinstance(node, exp.And):
            yield from self._atoms(node.left)
            yield from self._atoms(node.right)
        elif isinstance(node, exp.Or):
            yield from self._atoms(self.rng.choice([node.left, node.right]))
        else:
            yield node

    def _place(self, shape: Assignment, column: Any, placed: Placed) -> tuple[Place, Table] | None:
        """The column of a base table that a property is, in the row of its variable's slot."""
        if not isinstance(column, exp.Column) or not isinstance(column.args.get("table"), exp.Identifier):
            return None
        variable = self.bound.fold(identifier_name(column.args["table"]))
        scope = self.bound.variables[variable].scope if variable in self.bound.variables else OUTSIDE
        slot = shape.branch.named.get((variable, placed.iteration if scope != OUTSIDE else 0))
        if slot is None:
            return None
        element = shape.tables[slot.root().index]
        found = element.properties.get(self.bound.fold(identifier_name(column.this)))
        if found is None or found.column is None:
            return None
        return (slot.root().index, found.column), self.catalog.tables[element.table]

    def _meet(self, shape: Assignment, atom: Expr, placed: Placed, *, edge: bool) -> None:
        negated = isinstance(atom, exp.Not)
        atom = atom.this.unnest() if negated else atom
        if isinstance(atom, exp.Between | exp.In | exp.Like | exp.Is):
            found = self._place(shape, atom.this, placed)
            values = _values(atom) if found else []
            if found and values:
                self._want(*found, self.rng.choice(values if edge else values[:1]))
        elif isinstance(atom, exp.Binary):
            self._compare(shape, atom, placed, edge=edge)

    def _compare(self, shape: Assignment, atom: exp.Binary, placed: Placed, *, edge: bool) -> None:
        left, right = atom.left.unnest(), atom.right.unnest()
        found, other = self._place(shape, left, placed), self._place(shape, right, placed)
        steps = _STEPS.get(type(atom), (0,))
        step = self.rng.choice((-1, 0, 1)) if edge else steps[0]
        if found and other:
            value = self.wanted.get(other[0], self._sample(*other))
            self._want(*other, value)
            self._want(*found, _moved(value, step))
        elif found or other:
            place = found or other
            literal = literal_value(right if found else left)
            assert place is not None
            if literal is not None:
                self._want(*place, _moved(literal, step if found else -step))

    def _sample(self, place: Place, table: Table) -> Any:
        values = [row[place[1]] for row in self._cells(table) if row[place[1]] is not None]
        return self.rng.choice(values) if values else None

    def _want(self, place: Place, table: Table, value: Any) -> None:
        name = place[1]
        if value is None:
            if table.columns[name].nullable and name not in table.primary_key:
                self.wanted[place] = None
        elif (fitting := self.convert(table, name, value)) is not None:
            self.wanted[place] = fitting


_STEPS: Mapping[type, tuple[int, ...]] = {exp.GT: (1,), exp.LT: (-1,), exp.NEQ: (1,)}


def _reference(end: End, vertex: Cells) -> Cells:
    return dict(zip(end.key, (vertex[name] for name in end.columns), strict=True))


def _tests(node: Expr) -> Iterator[Expr]:
    """The comparisons in a column, which need not be true."""
    return (one for one in node.find_all(exp.Predicate) if not isinstance(one, exp.SubqueryPredicate))


def _values(atom: Expr) -> list[Any]:
    """Values for the left side of BETWEEN, IN, LIKE and IS NULL: the first meets it, the others are near."""
    if isinstance(atom, exp.Is):
        return [None]
    if isinstance(atom, exp.Like):
        text = atom.expression.name.replace("_", "a")
        plain = text.replace("%", "")
        return [text.replace("%", "y"), plain, f"x{plain}", f"{plain}x", f"x{plain}x"]
    if isinstance(atom, exp.In):
        members = [literal_value(one) for one in atom.expressions]
        return [one for one in members if one is not None]
    low, high = literal_value(atom.args["low"]), literal_value(atom.args["high"])
    ends = [one for one in (low, high) if one is not None]
    return ends + [_moved(one, step) for one in ends for step in (-1, 1)]


def literal_value(node: Any) -> Any:
    """The value of a literal as text, Decimal or date; None for anything else."""
    if isinstance(node, exp.Neg):
        value = literal_value(node.this)
        return -value if isinstance(value, decimal.Decimal) else None
    if isinstance(node, exp.DateStrToDate | exp.Cast | exp.StrToDate | exp.Date):
        node = node.this
    if not isinstance(node, exp.Literal):
        return None
    if not node.is_string:
        try:
            return decimal.Decimal(node.name)
        except decimal.InvalidOperation:
            return None
    try:
        return datetime.date.fromisoformat(node.name)
    except ValueError:
        return node.name


def _moved(value: Any, step: int) -> Any:
    """The value a little above or below; text has no below."""
    if step == 0 or value is None or isinstance(value, bool):
        return value
    if isinstance(value, datetime.date):
        return value + datetime.timedelta(days=step)
    if isinstance(value, str):
        return f"{value}x" if step > 0 else value[:-1]
    return value + step
