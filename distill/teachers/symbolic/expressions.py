"""Says what expressions mean: values as noun phrases, conditions as statements.

May be imported by `voice`; imports naming, facts and sqlglot.
Design reason: the recursion over expressions is the same in every language, and what it has no words for becomes a
piece of code in the sentence: correct, if less pretty, and never a guess.
"""

from collections.abc import Iterable, Sequence

from sqlglot import exp

from distill.teachers.symbolic.facts import Block, Element, InnerRef, NamedRef, PropertyRef, Scope, fold, function_name
from distill.teachers.symbolic.naming import Naming
from verify.graph_sql.tree import Expr

_COMPARISONS: dict[type[Expr], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.LT: "lt",
    exp.LTE: "le",
}
_ARITHMETIC: dict[type[Expr], str] = {exp.Mul: "times", exp.Add: "plus", exp.Sub: "minus", exp.Div: "divided"}
_AGGREGATES: dict[type[Expr], str] = {exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max"}
_PREDICATES = {
    "IS SOURCE OF": "source",
    "IS NOT SOURCE OF": "not_source",
    "IS DESTINATION OF": "destination",
    "IS NOT DESTINATION OF": "not_destination",
    "VERTEX_EQUAL": "same",
    "EDGE_EQUAL": "same",
}
_OPPOSITE = {"same": "not_same", "in": "not_in", "missing": "present", "like": "not_like"}


class Expressions(Naming):
    """Words values and conditions."""

    def value(self, node: Expr, scope: Scope, *, about: Element | None = None) -> str:
        """An expression as a noun phrase; `about` leaves the owner of its properties unsaid."""
        if isinstance(node, exp.Paren):
            return self.value(node.this, scope, about=about)
        if isinstance(node, exp.Column):
            return self._column(node, scope, about)
        if isinstance(node, exp.Literal):
            return self.quote(node.this) if node.is_string else self.number(node.this)
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
            return self.number(f"-{node.this.this}")
        if isinstance(node, exp.DateStrToDate | exp.Cast) and isinstance(node.this, exp.Literal):
            return self.number(node.this.this)
        if isinstance(node, exp.Coalesce) and len(node.expressions) == 1:
            first = self.value(node.this, scope, about=about)
            return self.say("value.fallback", a=first, b=self.value(node.expressions[0], scope, about=about))
        if isinstance(node, exp.Case) and node.this is None:
            return self._case(node, scope, about)
        key = _ARITHMETIC.get(type(node))
        if key is not None:
            sides = (self.value(side, scope, about=about) for side in (node.this, node.expression))
            return self.say(f"value.{key}", **dict(zip("ab", sides, strict=True)))
        return self._computed(node, scope, about)

    def _column(self, node: exp.Column, scope: Scope, about: Element | None) -> str:
        ref = scope.look_up(node)
        if isinstance(ref, InnerRef):
            return self.value(ref.expression, ref.scope, about=about)
        if isinstance(ref, NamedRef):
            return self.say("value.named", p=self.code(ref.name), e=self.code(ref.source))
        if not isinstance(ref, PropertyRef):
            return self._code(node)
        shown = self.property(ref)
        if ref.element is about:
            return self.say("value.property_short", p=shown)
        if ref.element.group and ref.element not in self.single:
            noun = self.noun(ref.element)
            return self.say("value.group_property", p=shown, n=noun.plural)
        return self.say("value.property", p=shown, e=self.name(ref.element))

    def property(self, ref: PropertyRef) -> str:
        """What a property is called."""
        return self.lexicon.property(ref.name, ref.element.labels)

    def _case(self, node: exp.Case, scope: Scope, about: Element | None) -> str:
        cases = [
            self.say(
                "value.case_one",
                a=self.value(branch.args["true"], scope, about=about),
                c=self.condition(branch.this, scope, about=about),
            )
            for branch in node.args["ifs"]
        ]
        default = node.args.get("default")
        if default is None:
            return self.say("value.case_open", cases=self.listing(cases))
        return self.say("value.case", cases=self.listing(cases), b=self.value(default, scope, about=about))

    def _computed(self, node: Expr, scope: Scope, about: Element | None) -> str:
        if isinstance(node, exp.Window):
            return self._rank(node, scope)
        if isinstance(node, exp.Count | exp.GroupConcat) or type(node) in _AGGREGATES:
            return self._aggregate(node, scope)
        name = function_name(node)
        if name == "BINDING_COUNT":
            element = scope.element(node.expressions[0].name)
            return self.say("value.group_count", n=self.noun(element).plural) if element else self._code(node)
        if name == "ELEMENT_NUMBER":
            return self.say("value.position")
        if name == "MATCHNUM":
            return self.say("value.match_number")
        if name in ("VERTEX_ID", "EDGE_ID"):
            element = scope.element(node.expressions[0].name)
            return self.say("value.vertex_id", e=self.name(element)) if element else self._code(node)
        return self._code(node)

    def _code(self, node: Expr) -> str:
        return self.say("value.code", a=self.code(node.sql(dialect="oracle")))

    def _aggregate(self, node: Expr, scope: Scope) -> str:
        argument = node.this
        group = self._group_of(argument, scope)
        if group is not None:
            return self._group_aggregate(node, group)
        edge = self._edge_of(argument, scope)
        if edge is not None:
            return self._edge_aggregate(node, edge)
        if isinstance(node, exp.Count):
            if argument is None or isinstance(argument, exp.Star):
                return self.say("value.count_rows", n=self.counted(scope))
            if isinstance(argument, exp.Distinct):
                return self.say("value.count_distinct", a=self.value(argument.expressions[0], scope))
            return self.say("value.count", a=self.value(argument, scope))
        if isinstance(node, exp.GroupConcat):
            return self.say("value.list", a=self.value(argument, scope), b=self._separator(node))
        return self.say(f"value.{_AGGREGATES[type(node)]}", a=self.value(argument, scope))

    def _separator(self, node: Expr) -> str:
        separator = node.args.get("separator")
        return self.quote(separator.this if isinstance(separator, exp.Literal) else ",")

    def _group_of(self, argument: Expr | None, scope: Scope) -> PropertyRef | None:
        inner = argument.expressions[0] if isinstance(argument, exp.Distinct) else argument
        ref = scope.look_up(inner) if isinstance(inner, exp.Column) else None
        return ref if isinstance(ref, PropertyRef) and ref.element.group else None

    def _edge_of(self, argument: Expr | None, scope: Scope) -> PropertyRef | None:
        """The property behind an argument when it belongs to the only element of its noun."""
        inner = argument.expressions[0] if isinstance(argument, exp.Distinct) else argument
        ref = self._property(inner, scope) if inner is not None else None
        if ref is None or ref.element.kind == "row" or self.totals[self.noun(ref.element).singular] != 1:
            return None
        if ref.element.kind == "vertex":
            return None if ref.element in self.by_role or ref.element in self.pinned else ref
        return ref if self.lexicon.edge(ref.element.labels).known else None

    def _edge_aggregate(self, node: Expr, edge: PropertyRef) -> str:
        slots = {"n": self.noun(edge.element).plural, "p": self.property(edge)}
        if isinstance(node, exp.Count):
            return self.say(f"value.edge_count{'_distinct' if isinstance(node.this, exp.Distinct) else ''}", **slots)
        if isinstance(node, exp.GroupConcat):
            return self.say("value.list", a=self.say("value.group_property", **slots), b=self._separator(node))
        return self.say(f"value.edge_{_AGGREGATES[type(node)]}", **slots)

    def _group_aggregate(self, node: Expr, group: PropertyRef) -> str:
        noun, shown = self.noun(group.element), self.property(group)
        if isinstance(node, exp.Count):
            return self.say("value.group_count", n=noun.plural)
        key = "list" if isinstance(node, exp.GroupConcat) else _AGGREGATES[type(node)]
        separator = self._separator(node) if key == "list" else ""
        return self.say(f"value.group_{key}", n=noun.plural, p=shown, b=separator, m=noun.measure)

    def counted(self, scope: Scope) -> str:
        """What `COUNT(*)` counts: the edge when the match is a single hop with a noun, else cases."""
        match = scope.match if isinstance(scope, Block) else None
        if match is not None and len(match.hops) == 1 and match.hops[0].bounds is None:
            words = self.words(match.hops[0])
            if words.np and words.known:
                return self.say("counted.things", n=words.noun.plural)
        if match is not None and not match.hops and len(match.vertices) == 1:
            return self.say("counted.things", n=self.noun(match.vertices[0]).plural)
        return self.say("counted.cases")

    def _rank(self, node: exp.Window, scope: Scope) -> str:
        order = node.args.get("order")
        keys = self.order([(one.this, bool(one.args.get("desc"))) for one in order.expressions], scope) if order else ""
        partition = [self.value(one, scope) for one in node.args.get("partition_by") or []]
        if not partition:
            return self.say("value.rank_all", o=keys)
        return self.say("value.rank", p=self.listing(partition), o=keys)

    def order(self, keys: Sequence[tuple[Expr, bool]], scope: Scope) -> str:
        """Sort keys as a list."""
        shown = []
        for node, descending in keys:
            text = self.value(node, scope)
            shown.append(self.say("link.descending", a=text) if descending else text)
        return self.then(shown)

    def _property(self, node: Expr, scope: Scope) -> PropertyRef | None:
        ref = scope.look_up(node) if isinstance(node, exp.Column) else None
        while isinstance(ref, InnerRef):
            inner, scope = ref.expression, ref.scope
            ref = scope.look_up(inner) if isinstance(inner, exp.Column) else None
        return ref if isinstance(ref, PropertyRef) else None

    def only_properties(self, items: Iterable[Expr], scope: Scope) -> bool:
        """Whether outputs are nothing but properties."""
        return all(self._property(node, scope) is not None for node in items)

    def identify(self, *sides: tuple[Expr, Scope]) -> bool:
        """Call a matched vertex by the name of the table row whose key it equals; False where that is not so."""
        refs = [ref for ref in (self._property(node, scope) for node, scope in sides) if ref is not None]
        rows = [ref for ref in refs if ref.element.kind == "row"]
        found = [ref for ref in refs if ref.element.kind == "vertex" and not ref.element.group]
        if len(rows) != 1 or len(found) != 1:
            return False
        row, vertex = rows[0], found[0]
        tables = {fold(table.table) for table in vertex.element.tables}
        keys = all(self.lexicon.naming(ref.name) == "key" for ref in refs)
        if not keys or tables != {fold(row.element.labels[0])} or vertex.element.conditions:
            return False
        self.names[vertex.element] = self.first_names[vertex.element] = self.name(row.element)
        self.said.add(vertex.element)
        return True

    # ------------------------------------------------ conditions

    def condition(self, node: Expr, scope: Scope, *, about: Element | None = None) -> str:
        """A condition as a statement; `about` leaves out whose property it is."""
        if isinstance(node, exp.Paren):
            return self.condition(node.this, scope, about=about)
        if isinstance(node, exp.And | exp.Or):
            sides = [self.condition(side, scope, about=about) for side in (node.this, node.expression)]
            key = "and" if isinstance(node, exp.And) else "or"
            return self.say(f"link.{key}" if about is None else f"link.{key}_whose").join(sides)
        if isinstance(node, exp.Not):
            return self._negated(node.this, scope, about)
        if type(node) in _COMPARISONS:
            return self._comparison(node, scope, about)
        key, slots = self._simple(node, scope, about)
        return self.say(f"own.{key}", **slots)

    def _in_case(self, node: exp.In, subject: str, scope: Scope) -> tuple[str, dict[str, str]]:
        """Membership in what a plain match gives: a case whose output equals the subject, or in which it takes part."""
        block = self._nested(node, scope)
        match = block.match
        if match is None or block.group or block.distinct or block.fetch or block.where or len(block.items) != 1:
            return "in_query", {"a": subject, "b": self.block(block)}
        if self.identify((node.this, scope), (block.items[0][1], block)):
            return "exists", {"a": self.situation(match)}
        situation = self.situation(match)
        return "in_case", {"a": subject, "o": self.value(block.items[0][1], block), "c": situation}

    def _negated(self, node: Expr, scope: Scope, about: Element | None) -> str:
        if isinstance(node, exp.Paren):
            return self._negated(node.this, scope, about)
        if isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query") is not None):
            key, slots = self._simple(node, scope, about)
            return self.say(f"own.not_{key}", **slots)
        key, slots = self._simple(node, scope, about)
        if key in _OPPOSITE:
            return self.say(f"own.{_OPPOSITE[key]}", **slots)
        return self.say("own.not", a=self.condition(node, scope, about=about))

    def _comparison(self, node: Expr, scope: Scope, about: Element | None) -> str:
        key = _COMPARISONS[type(node)]
        if key == "eq" and self._is_window(node.this, scope) and node.expression.sql() == "1":
            return self._top(node.this, scope)
        left = self.value(node.this, scope, about=about)
        right = self.value(node.expression, scope, about=about)
        if not isinstance(node.expression, exp.Literal):
            key = {"ne": "differs", "eq": "eq_value"}.get(key, key)
        elif key == "eq" and node.expression.is_string:
            key = "eq_text"
        if isinstance(node.expression, exp.DateStrToDate) and key in ("gt", "ge", "lt", "le"):
            key += "_date"
        return self.say(f"own.{key}", a=left, b=right)

    def _window(self, node: Expr, scope: Scope) -> tuple[exp.Window, Scope] | None:
        ref = scope.look_up(node) if isinstance(node, exp.Column) else None
        if isinstance(ref, InnerRef) and isinstance(ref.expression, exp.Window):
            return ref.expression, ref.scope
        return None

    def _is_window(self, node: Expr, scope: Scope) -> bool:
        return self._window(node, scope) is not None

    def _top(self, node: Expr, scope: Scope) -> str:
        found = self._window(node, scope)
        assert found is not None
        window, inner = found
        order = window.args["order"].expressions if window.args.get("order") else []
        keys = self.order([(one.this, bool(one.args.get("desc"))) for one in order], inner)
        partition = [self.value(one, inner) for one in window.args.get("partition_by") or []]
        return self.say("own.top", p=self.listing(partition), o=keys)

    def _simple(self, node: Expr, scope: Scope, about: Element | None) -> tuple[str, dict[str, str]]:
        """The key of the phrase for a predicate, and its slots."""
        if isinstance(node, exp.Exists):
            return "exists", {"a": self.existence(self._nested(node, scope))}
        if isinstance(node, exp.Anonymous):
            return self._predicate(node, scope)
        if not isinstance(node, exp.Between | exp.In | exp.Is | exp.Like):
            return "code", {"a": self.code(node.sql(dialect="oracle"))}
        subject = self.value(node.this, scope, about=about)
        if isinstance(node, exp.Between):
            ends = (self.value(node.args[end], scope, about=about) for end in ("low", "high"))
            return "between", {"a": subject, **dict(zip("bc", ends, strict=True))}
        if isinstance(node, exp.In):
            if node.args.get("query") is not None:
                return self._in_case(node, subject, scope)
            values = [self.value(one, scope) for one in node.expressions]
            return "in", {"a": subject, "b": self.listing(values, last="or")}
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return "missing", {"a": subject}
        if isinstance(node, exp.Like) and isinstance(node.expression, exp.Literal):
            return self._like(subject, node.expression.this)
        return "code", {"a": self.code(node.sql(dialect="oracle"))}

    def _like(self, subject: str, pattern: str) -> tuple[str, dict[str, str]]:
        core = pattern.strip("%")
        kinds = {f"{core}%": "begins", f"%{core}": "ends", f"%{core}%": "contains"}
        key = kinds.get(pattern, "like") if not set(core) & set("%_") else "like"
        return key, {"a": subject, "b": self.quote(core if key != "like" else pattern)}

    def _predicate(self, node: Expr, scope: Scope) -> tuple[str, dict[str, str]]:
        name = function_name(node)
        elements = [scope.element(argument.name) for argument in node.expressions]
        first = elements[0]
        if first is None:
            return "code", {"a": self.code(node.sql(dialect="oracle"))}
        if name in _PREDICATES and len(elements) == 2 and elements[1] is not None:
            kind = self.noun(first)
            names = {"a": self.name(first), "b": self.name(elements[1])}
            return _PREDICATES[name], {**names, "n": kind.singular, "m": kind.measure}
        if name.endswith("LABELED"):
            noun = self.lexicon.vertex([argument.name for argument in node.expressions[1:]]).singular
            key = "not_labeled" if "NOT" in name else "labeled"
            return key, {"a": self.name(first), "b": noun}
        if name == "PROPERTY_EXISTS":
            shown = self.lexicon.property(node.expressions[1].name, first.labels)
            return "has_property", {"a": self.name(first), "b": shown}
        return "code", {"a": self.code(node.sql(dialect="oracle"))}

    def _nested(self, node: Expr, scope: Scope) -> Block:
        assert isinstance(scope, Block)
        query = node.args.get("query") or node.this
        inner = query.this if isinstance(query, exp.Subquery) else query
        return scope.nested[id(inner)]
