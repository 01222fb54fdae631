"""Binding of what stands in WHERE and COLUMNS: variables, properties, aggregates, element functions, conditions.

May be imported by `bind` and the lowering; imports sqlglot.
Design reason: a variable inside its quantifier is one element and outside it is many, so every expression is checked
together with the scope in which it stands.
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from .bind import OUTSIDE, Bound, Condition, Kind, Variable, check_label, expand_columns, readable
from .errors import GraphBindingError, place
from .suggest import did_you_mean
from .tree import Edge, Expr, Name, ParenPath, Term

AGGREGATES = (exp.AggFunc, exp.JSONArrayAgg, exp.JSONObjectAgg, exp.GroupConcat)
"""sqlglot's classes of aggregate functions."""

FUNCTIONS: dict[str, tuple[str, tuple[Kind | None, ...]]] = {
    "VERTEX_ID": ("element_functions", ("vertex",)),
    "EDGE_ID": ("element_functions", ("edge",)),
    "VERTEX_EQUAL": ("element_functions", ("vertex", "vertex")),
    "EDGE_EQUAL": ("element_functions", ("edge", "edge")),
    "PROPERTY_EXISTS": ("property_exists", (None,)),
    "BINDING_COUNT": ("binding_count", (None,)),
    "MATCHNUM": ("row_numbers", ()),
    "PATH_LENGTH": ("path_length", ()),
    "ELEMENT_NUMBER": ("row_numbers", (None,)),
    "IS SOURCE OF": ("is_source_of", ("vertex", "edge")),
    "IS NOT SOURCE OF": ("is_source_of", ("vertex", "edge")),
    "IS DESTINATION OF": ("is_source_of", ("vertex", "edge")),
    "IS NOT DESTINATION OF": ("is_source_of", ("vertex", "edge")),
    "IS LABELED": ("is_labeled", (None,)),
    "IS NOT LABELED": ("is_labeled", (None,)),
}
"""Element functions and predicates: the feature that gates them, and the kinds of elements they take (None: any)."""


def bind_expressions(bound: Bound) -> None:
    """Check every expression of a GRAPH_TABLE and fill its columns; raises GraphBindingError."""
    for condition in conditions(bound):
        _check_boolean(bound, condition.expression)
        _Checker(bound, condition.scope, owner=condition.owner).check(condition.expression)
    bound.columns = expand_columns(bound)
    seen: set[str] = set()
    for column in bound.columns:
        _Checker(bound, OUTSIDE, in_columns=True).check(column.expression)
        folded = bound.fold(column.name)
        if folded in seen:
            at = column.alias.offset if column.alias else offset_of(column.expression)
            bound.refuse(
                f"column `{column.name.text}` comes out twice", at, hint="give one of them another name with AS"
            )
        seen.add(folded)


def conditions(bound: Bound) -> Iterator[Condition]:
    """Every condition of the pattern with its scope, the WHERE behind the patterns last."""
    for path in bound.table.paths:
        yield from _conditions(bound, path.terms, OUTSIDE)
    if bound.table.where is not None:
        yield Condition(bound.table.where, OUTSIDE)


def _conditions(bound: Bound, terms: tuple[Term, ...], scope: int) -> Iterator[Condition]:
    for term in terms:
        inner = scope
        if isinstance(term, Edge | ParenPath):
            inner = bound.scope_of(term) or scope
        if isinstance(term, ParenPath):
            yield from _conditions(bound, term.terms, inner)
        if term.where is not None:
            owner = "" if isinstance(term, ParenPath) else bound.fold(term.variable) if term.variable else ""
            yield Condition(term.where, inner, owner)


def is_aggregate(node: Expr) -> bool:
    """Whether a node is an aggregate, or an aggregate with its FILTER or WITHIN GROUP around it."""
    if isinstance(node, exp.Filter | exp.WithinGroup):
        return is_aggregate(node.this)
    return isinstance(node, AGGREGATES)


def function_name(node: Expr) -> str:
    """The name of an element function or predicate, empty for any other node."""
    if not isinstance(node, exp.Anonymous):
        return ""
    name = str(node.this).upper()
    return name if name in FUNCTIONS else ""


def reference(node: Expr) -> Name:
    """The bare name that an argument of an element function is; an empty one for anything else."""
    if isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
        return identifier_name(node.this)
    return Name("")


def identifier_name(node: Expr) -> Name:
    """A sqlglot identifier as a name of the tree."""
    return Name(node.name, bool(node.args.get("quoted")), node.meta.get("start", -1))


def property_column(variable: Name, shown: str, *, quoted: bool) -> exp.Column:
    """The expression `variable.property` for a property's name as written."""
    return exp.Column(
        this=exp.Identifier(this=shown, quoted=quoted),
        table=exp.Identifier(this=variable.text, quoted=variable.quoted),
    )


def offset_of(node: Expr) -> int:
    """The first place that a node of a query is known to stand at, -1 for none."""
    found = [one.meta["start"] for one in node.find_all(exp.Identifier, exp.Literal) if "start" in one.meta]
    return min(found, default=-1)


def variables_of(node: Expr, bound: Bound) -> list[Variable]:
    """Every variable that an expression names."""
    columns = node.find_all(exp.Column)
    names = [identifier_name(one.args["table"]) if one.table else reference(one) for one in columns]
    return [bound.variables[bound.fold(name)] for name in names if name.text and bound.fold(name) in bound.variables]


def find_variable(bound: Bound, name: Name) -> Variable:
    """The variable of that name; refuses an unknown one with the known ones."""
    variable = bound.variables.get(bound.fold(name))
    if variable is None:
        known = [one.shown for one in bound.variables.values()]
        hint = did_you_mean(name.text, known, "the pattern has")
        bound.refuse(f"no variable `{name.text}`", name.offset, hint=hint)
    return variable


def _check_boolean(bound: Bound, condition: Expr) -> None:
    """A condition must be a predicate: DuckDB would take a number, Oracle does not."""
    node = condition.unnest()
    if isinstance(node, exp.Literal | exp.Binary) and not isinstance(node, exp.Predicate | exp.Connector | exp.Dot):
        bound.refuse("the condition is not a comparison", offset_of(node), hint="compare it with something")
    if isinstance(node, exp.Column) and node.table:
        variable = bound.variables.get(bound.fold(identifier_name(node.args["table"])))
        types = _types(bound, variable, node) if variable else set()
        if types and not any(one.upper().startswith("BOOL") for one in types if one):
            bound.refuse(f"`{node.name}` is not a condition", offset_of(node), hint="compare it with something")


def _types(bound: Bound, variable: Variable, node: exp.Column) -> set[str]:
    name = bound.fold(identifier_name(node.this))
    return {table.properties[name].type for table in variable.tables if name in table.properties} - {""}


_GENERATED = re.compile(r"[vewVEW]\d+|[gswGSW]")
"""Aliases that lowering gives to tables, which would hide an outer one of that name."""
_JSON = "dots behind a property read JSON, which is not executed here"


def _owners(node: exp.Dot) -> Iterator[exp.Column]:
    """The name a chain of dots begins with, as a column of its own."""
    first = next(iter(node.find_all(exp.Identifier, bfs=False)), None)
    if first is not None and first.find_ancestor(exp.Func) is None:
        yield exp.Column(this=first.copy())


class _Checker:
    """Walks one expression. `scope` says which variables are single; iterators are seen in COLUMNS only."""

    def __init__(self, bound: Bound, scope: int, *, owner: str | None = None, in_columns: bool = False) -> None:
        self.bound, self.scope, self.owner, self.in_columns = bound, scope, owner, in_columns

    def check(self, node: Expr, aggregate: Expr | None = None) -> None:
        name = function_name(node)
        if isinstance(node, exp.Query):
            self.bound.cannot_run = "a subquery inside GRAPH_TABLE is not executed here"
        elif name:
            self._function(node, name, aggregate)
        elif isinstance(node, exp.Column):
            self._column(node, aggregate)
        elif isinstance(node, exp.Dot) and any(variables_of(one, self.bound) for one in _owners(node)):
            self.bound.cannot_run = _JSON
        elif is_aggregate(node):
            self._aggregate(node, aggregate)
        else:
            for child in node.iter_expressions():
                self.check(child, aggregate)

    def _aggregate(self, node: Expr, outer: Expr | None) -> None:
        if outer is not None:
            self.bound.refuse("an aggregate cannot stand inside an aggregate", offset_of(node))
        at = offset_of(node)
        if not self.bound.dialect.takes("group_aggregate"):
            self.bound.refuse(f"{self.bound.dialect.title} does not take an aggregate inside GRAPH_TABLE", at)
        scopes = {one.scope for one in variables_of(node, self.bound) if one.group and one.scope != self.scope}
        if not scopes:
            hint = "only variables inside a quantifier can be aggregated here; aggregate in the outer query"
            self.bound.refuse("an aggregate inside GRAPH_TABLE needs a group variable", at, hint=hint)
        if len(scopes) > 1:
            self.bound.refuse("an aggregate ranges over the variables of one quantifier", at)
        for child in node.iter_expressions():
            self._inside(child, node)

    def _inside(self, node: Expr, aggregate: Expr) -> None:
        """Below the aggregate's own wrappers, such as the function inside FILTER."""
        if is_aggregate(node) and isinstance(aggregate, exp.Filter | exp.WithinGroup) and node is aggregate.this:
            for child in node.iter_expressions():
                self._inside(child, node)
        else:
            self.check(node, aggregate)

    def _single(self, variable: Variable, at: int, aggregate: Expr | None) -> None:
        if variable.iterator and not self.in_columns:
            self.bound.refuse(f"iterator `{variable.shown}` is visible in COLUMNS only", at)
        if variable.group and variable.scope != self.scope and aggregate is None:
            hint = (
                f"it stands for many elements here: use an aggregate such as COUNT or LISTAGG over `{variable.shown}`"
            )
            self.bound.refuse(f"`{variable.shown}` is a group variable", at, hint=hint)
        if self.owner is not None and variable.name != self.owner and not self.bound.dialect.takes("outer_reference"):
            hint = "move the condition to the WHERE behind the pattern"
            self.bound.refuse(f"`{variable.shown}` cannot be read in another element's WHERE", at, hint=hint)

    def _column(self, node: exp.Column, aggregate: Expr | None) -> None:
        bound = self.bound
        if node.args.get("db") is not None:
            bound.cannot_run = _JSON
            return
        if isinstance(node.this, exp.Star) or not isinstance(node.this, exp.Identifier):
            bound.refuse("`*` cannot stand here", offset_of(node), hint="name a property or use BINDING_COUNT(v)")
        if not node.table:
            self._bare(node)
            return
        owner = identifier_name(node.args["table"])
        if bound.fold(owner) not in bound.variables and bound.fold(owner) in bound.around:
            self._lateral(owner)
            return
        variable = find_variable(bound, owner)
        self._single(variable, offset_of(node), aggregate)
        self._property(variable, identifier_name(node.this))

    def _lateral(self, owner: Name) -> None:
        if not self.bound.dialect.takes("lateral"):
            hint = "put the column into COLUMNS and compare it in the outer query"
            self.bound.refuse(f"`{owner.text}` of the outer query cannot be read here", owner.offset, hint=hint)
        if _GENERATED.fullmatch(owner.text):
            self.bound.cannot_run = "a lateral reference to a name that is also a generated one is not executed here"
        self.bound.lateral = True

    def _bare(self, node: exp.Column) -> None:
        """A name without a variable before it: a path as a value, or a mistake."""
        bound = self.bound
        name = identifier_name(node.this)
        if bound.fold(name) in bound.path_variables() and bound.dialect.takes("path_length"):
            bound.cannot_run = "a path as a value is not executed here"
            return
        if bound.fold(name) in bound.variables:
            hint = f"name a property, such as {name.text}.{self._some_property(name)}, or use VERTEX_ID or EDGE_ID"
            bound.refuse(f"`{name.text}` is an element and no value", name.offset, hint=hint)
        holders = [one.shown for one in bound.variables.values() if bound.fold(name) in readable(bound, one)]
        hint = f"write {holders[0]}.{name.text}" if holders else "write variable.property"
        bound.refuse(f"`{name.text}` stands without a variable", name.offset, hint=hint)

    def _some_property(self, name: Name) -> str:
        properties = readable(self.bound, self.bound.variables[self.bound.fold(name)])
        return next(iter(self.bound.dialect.spell_all(properties)), "property")

    def _property(self, variable: Variable, name: Name) -> None:
        bound = self.bound
        properties = readable(bound, variable)
        folded = bound.fold(name)
        if (
            folded in properties
            or bound.table.algorithm
            or (not variable.tables and folded in bound.graph.properties(variable.kind))
        ):
            return
        spell = bound.dialect.spell
        labels = sorted({spell(one.name, one.shown) for table in variable.tables for one in table.labels.values()})
        lead = f"`{variable.shown}` ({', '.join(labels[:4])}) has"
        hint = did_you_mean(name.text, bound.dialect.spell_all(properties), lead)
        others = [
            one.shown for one in bound.variables.values() if one is not variable and folded in readable(bound, one)
        ]
        if others:
            hint += f"; `{name.text}` is a property of `{others[0]}`"
        bound.refuse(f"no property `{name.text}` on `{variable.shown}`", name.offset, hint=hint)

    # ---------------------------------------------------------------- element functions

    def _function(self, node: Expr, name: str, aggregate: Expr | None) -> None:
        bound = self.bound
        feature, kinds = FUNCTIONS[name]
        arguments = node.expressions
        at = offset_of(node)
        mark = bound.dialect.features[feature]
        if mark != "y":
            raise GraphBindingError(f"{bound.dialect.title} has no {name}", **place(bound.text, at))
        wanted = len(kinds) + (name in ("PROPERTY_EXISTS", "PATH_LENGTH"))
        if len(arguments) != wanted and not name.endswith("LABELED"):
            bound.refuse(f"{name} takes {wanted} arguments", at)
        for argument, kind in zip(arguments, kinds, strict=False):
            self._element(argument, kind, name, aggregate)
        if name.endswith("LABELED"):
            self._labeled(arguments)
        if name == "PATH_LENGTH":
            self._path_variable(reference(arguments[0]), at)
        if name in ("MATCHNUM", "ELEMENT_NUMBER"):
            self._row_number(name, arguments, at)

    def _element(self, argument: Expr, kind: Kind | None, name: str, aggregate: Expr | None) -> None:
        bound = self.bound
        target = reference(argument)
        if not target.text:
            bound.refuse(f"{name} takes variables, not expressions", offset_of(argument))
        variable = find_variable(bound, target)
        if kind is not None and variable.kind != kind:
            bound.refuse(f"{name} takes a {kind} variable here, `{target.text}` is the other kind", target.offset)
        static = name in ("BINDING_COUNT", "PROPERTY_EXISTS") or name.endswith("LABELED")
        self._single(variable, target.offset, argument if static and name == "BINDING_COUNT" else aggregate)

    def _path_variable(self, name: Name, at: int) -> None:
        paths = self.bound.path_variables()
        if self.bound.fold(name) not in paths:
            hint = did_you_mean(name.text, paths.values(), "the path variables are")
            self.bound.refuse(f"no path variable `{name.text}`", at, hint=hint)

    def _labeled(self, arguments: list[Expr]) -> None:
        variable = find_variable(self.bound, reference(arguments[0]))
        for argument in arguments[1:]:
            check_label(self.bound, reference(argument), variable.kind)

    def _row_number(self, name: str, arguments: list[Expr], at: int) -> None:
        if not self.in_columns:
            self.bound.refuse(f"{name} can stand in COLUMNS only", at)
        if arguments and not find_variable(self.bound, reference(arguments[0])).iterator:
            self.bound.refuse(
                f"{name} takes an iterator variable", at, hint="declare it with ONE ROW PER VERTEX or STEP"
            )
