"""Speaks of a query's parts in one language: values, conditions, vertices, hops. English and Chinese fill the gaps.

May be imported by `english`, `chinese`, `questions` and `thinking`; imports facts, lexicon and wording.
Design reason: the recursion over expressions is the same in every language; what differs is data (the phrase tables)
and a handful of methods (lists, noun phrases with conditions, quotation marks).
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal

from sqlglot import exp

from verify.graph_sql.tree import Expr

from .facts import Block, Element, Facts, Hop, InnerRef, Match, NamedRef, PropertyRef, Scope, Source, function_name
from .lexicon import EdgeWords, Language, Lexicon, Noun
from .wording import fill, table

Scheme = Literal["roles", "letters", "ordinals"]

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


class Voice:
    """One way of speaking about one query: a language, a lexicon, a random stream, and names for the elements."""

    language: ClassVar[Language]

    def __init__(self, facts: Facts, lexicon: Lexicon, rng: random.Random) -> None:
        self.lexicon, self.rng = lexicon, rng
        self.phrases = table(f"phrases.{self.language}")
        self.names: dict[Element, str] = {}
        self.first_names: dict[Element, str] = {}
        self.pinned: dict[Element, Expr] = {}
        self.by_role: set[Element] = set()
        self.said: set[Element] = set()
        self.alone = len(facts.matches) == 1
        everything = [one for match in facts.matches for one in (*match.vertices, *match.edges) if not one.group]
        self.totals = Counter(self.noun(one).singular for one in everything)
        """How many elements share a noun, in all matches together."""
        self.used: Counter[str] = Counter()

    # ------------------------------------------------ what the languages fill in

    def listing(self, parts: Sequence[str], *, last: str = "and") -> str:
        """Parts as one list with the language's comma and conjunction."""
        raise NotImplementedError

    def quote(self, text: str) -> str:
        """A text constant in the language's quotation marks."""
        raise NotImplementedError

    def number(self, text: str) -> str:
        """A number, spaced as the language does."""
        raise NotImplementedError

    def with_conditions(self, name: str, conditions: Sequence[str]) -> str:
        """A noun phrase with what is true of it; the name may hold the mark `@` where conditions go."""
        raise NotImplementedError

    def code(self, text: str) -> str:
        """A piece of SQL or an identifier inside a sentence."""
        raise NotImplementedError

    def clean(self, text: str) -> str:
        """Blanks, capitals and full stops as they belong."""
        raise NotImplementedError

    # ------------------------------------------------ choosing words

    def say(self, key: str, **slots: str) -> str:
        """One of the phrases under `key`, filled."""
        return fill(self.rng.choice(self.phrases[key]), slots, rng=self.rng)

    def noun(self, element: Element) -> Noun:
        """The noun for an element."""
        if element.kind == "edge":
            return self.lexicon.edge(element.labels).noun
        return self.lexicon.vertex(element.labels)

    def words(self, hop: Hop) -> EdgeWords:
        """The words for the edge of a hop."""
        return self.lexicon.edge(hop.edge.labels)

    def indefinite(self, noun: Noun, **more: str) -> str:
        """A noun with its article or counting word."""
        return self.say("naming.an", a=self.article(noun.singular), n=noun.singular, m=noun.measure, **more)

    def article(self, noun: str) -> str:
        """`a` or `an` where the language has articles."""
        return ""

    # ------------------------------------------------ names of elements

    def name_all(self, match: Match, scheme: Scheme) -> None:
        """Give every element of a match a name, in one of three schemes."""
        self._name_vertices(match, scheme)
        self._name_edges(match)
        for element in match.elements.values():
            if element.part:
                self.names[element] = self.say(f"value.step_{element.part}")

    def _name_vertices(self, match: Match, scheme: Scheme) -> None:
        free: list[Element] = []
        for element in match.vertices:
            pin = self._pin(element)
            if pin is not None:
                kind, column, literal = pin
                self.pinned[element] = column
                self.names[element] = self.say(
                    f"naming.{kind}", n=self.noun(element).singular, v=self.value(literal, match)
                )
                self.first_names[element] = self.names[element]
            else:
                free.append(element)
        roles = self._roles(match, free) if self.alone else {}
        everywhere = scheme == "roles" and self._tell_apart(roles, free)
        for element in free:
            noun = self.noun(element)
            single = sum(self.noun(one).singular == noun.singular for one in free) == 1
            if self.totals[noun.singular] == 1:
                self.names[element] = self.say("naming.only", n=noun.singular)
                self.first_names[element] = self.indefinite(noun)
            elif element in roles and (everywhere or (single and self.rng.random() < 0.8)):
                self._call(element, roles[element])
                self.by_role.add(element)
            else:
                self._number(element, noun, scheme)

    def _call(self, element: Element, name: str) -> None:
        self.names[element] = self.first_names[element] = name

    def _number(self, element: Element, noun: Noun, scheme: Scheme) -> None:
        index = self.used[noun.singular]
        self.used[noun.singular] += 1
        key = "ordinal" if scheme == "ordinals" and index < len(self.phrases["numbers"]) else "letters"
        x = self.phrases["numbers"][index] if key == "ordinal" else chr(ord("A") + index)
        article = self.article(x if key == "ordinal" else noun.singular)
        slots = {"n": noun.singular, "m": noun.measure, "x": x, "a": article}
        self.names[element] = self.say(f"naming.{key}", **slots)
        self.first_names[element] = self.say(f"naming.first_{key}", **slots)

    def _pin(self, element: Element) -> tuple[str, Expr, Expr] | None:
        for condition in element.conditions:
            if isinstance(condition, exp.EQ) and isinstance(condition.this, exp.Column):
                kind = self.lexicon.naming(condition.this.name)
                if kind and isinstance(condition.expression, exp.Literal):
                    return kind, condition, condition.expression
        return None

    def _roles(self, match: Match, free: Sequence[Element]) -> dict[Element, str]:
        """Names by what an element is to its only edge."""
        found: dict[Element, str] = {}
        for element in free:
            touching = [hop for hop in match.hops if element in (hop.left, hop.right)]
            if len(touching) == 1 and touching[0].left is not touching[0].right:
                name = self._role(element, touching[0])
                if name:
                    found[element] = name
        return found

    def _role(self, element: Element, hop: Hop) -> str:
        noun = self.noun(element).singular
        if hop.bounds is not None:
            return self.say("naming.started" if element is hop.left else "naming.reached", n=noun)
        if hop.direction == "any":
            return self.say("naming.other", n=noun) if element is hop.right else ""
        roles = self.words(hop).roles
        return self.definite(roles[element is hop.target].replace("{n}", noun)) if len(roles) == 2 else ""

    def definite(self, noun: str) -> str:
        """A noun with its definite article where the language has one."""
        return noun

    def _tell_apart(self, roles: dict[Element, str], free: Sequence[Element]) -> bool:
        nouns = [self.noun(element).singular for element in free]
        needed = [element for element in free if nouns.count(self.noun(element).singular) > 1]
        names = [roles.get(element, "") for element in needed]
        return "" not in names and len(set(names)) == len(names)

    def _name_edges(self, match: Match) -> None:
        for edge in match.edges:
            noun = self.noun(edge)
            if edge.group:
                continue
            numbered = self.totals[noun.singular] > 1
            x = self.phrases["numbers"][self.used[f"edge {noun.singular}"] % len(self.phrases["numbers"])]
            self.used[f"edge {noun.singular}"] += 1
            key = "naming.edge_ordinal" if numbered else "naming.edge"
            self.names[edge] = self.say(key, n=noun.singular, m=noun.measure, x=x)

    def name(self, element: Element) -> str:
        """How an element is referred to."""
        if element not in self.names:
            noun = self.noun(element)
            shared = self.totals[noun.singular] > 0
            key = "naming.only" if element.kind != "row" else "naming.row_shared" if shared else "naming.row"
            self.names[element] = self.say(key, n=noun.singular, m=noun.measure)
        return self.names[element]

    def introduce(self, element: Element, scope: Scope) -> str:
        """The first mention of an element with its own conditions, later its name."""
        if element in self.said:
            return self.name(element)
        self.said.add(element)
        first = self.first_names.get(element, self.name(element))
        return self.with_conditions(first, self.own_conditions(element, scope))

    def own_conditions(self, element: Element, scope: Scope) -> list[str]:
        """The conditions on one element, worded without it; the one its name already says is left out."""
        rest = [one for one in element.conditions if one is not self.pinned.get(element)]
        return [self.condition(one, scope, about=element) for one in rest]

    def edge_phrase(self, hop: Hop, scope: Scope) -> str:
        """The first mention of an edge with its conditions."""
        if hop.edge in self.said:
            return self.name(hop.edge)
        self.said.add(hop.edge)
        noun = self.words(hop).noun
        first = self.name(hop.edge) if self.totals[noun.singular] > 1 else self.indefinite(noun)
        return self.with_conditions(first, self.own_conditions(hop.edge, scope))

    # ------------------------------------------------ hops

    def clause(self, hop: Hop, scope: Match) -> str:
        """A hop as a statement."""
        if hop.bounds is not None:
            return self._chain(hop, scope)
        words = self.words(hop)
        source, target = (hop.source, hop.target)
        if hop.direction == "any":
            template = self._either(words)
        elif words.passive and (target in self.said) > (source in self.said):
            template = self.rng.choice(words.passive)
        elif words.passive and source not in self.said and self.rng.random() < 0.25:
            template = self.rng.choice(words.passive)
        else:
            template = self.rng.choice(words.clause)
        slots = self._in_order(template, hop, scope)
        text = fill(template, slots, rng=self.rng)
        if "{e}" not in template and hop.edge.conditions:
            text += self.aside(hop, scope)
        return text

    def _either(self, words: EdgeWords) -> str:
        return self.rng.choice(words.either or table(f"phrases.{self.language}")["chain.either"])

    def _in_order(self, template: str, hop: Hop, scope: Match) -> dict[str, str]:
        """Slots filled in the order in which they stand, since a first mention differs from later ones."""
        makers: dict[str, Callable[[], str]] = {
            "s": lambda: self.introduce(hop.source, scope),
            "t": lambda: self.introduce(hop.target, scope),
            "e": lambda: self.edge_phrase(hop, scope),
        }
        present = sorted(
            (key for key in makers if f"{{{key}}}" in template), key=lambda key: template.index(f"{{{key}}}")
        )
        return {key: makers[key]() for key in present}

    def aside(self, hop: Hop, scope: Match) -> str:
        """Conditions on an edge whose clause has no noun for it."""
        raise NotImplementedError

    def count(self, bounds: tuple[int, int | None]) -> str:
        """How often something repeats."""
        low, high = bounds
        if high is None:
            return self.say("chain.open", a=str(low))
        if low == high:
            return self.say("chain.exact", a=str(low))
        return self.say("chain.upto" if low == 0 else "chain.range", a=str(low), b=str(high))

    def _chain(self, hop: Hop, scope: Match) -> str:
        assert hop.bounds is not None
        slots = {"k": self.count(hop.bounds)}
        if hop.stretch:
            inner = self.listing([self.clause(one, scope) for one in hop.stretch])
            extra = [self.condition(one, scope) for one in hop.conditions]
            start, end = self.introduce(hop.source, scope), self.introduce(hop.target, scope)
            return self.say("chain.stretch", s=start, t=end, c=self.listing([inner, *extra]), **slots)
        noun = self.words(hop).noun
        conditions = [self.condition(one, scope, about=hop.edge) for one in hop.edge.conditions]
        conditions += [self.condition(one, scope) for one in hop.conditions]
        each = self.say("link.each", c=self.listing(conditions), n=noun.singular, m=noun.measure) if conditions else ""
        template = self.rng.choice(self.phrases["chain.either" if hop.direction == "any" else "chain.clause"])
        ends = self._in_order(template, hop, scope)
        noun_form = noun.singular if hop.bounds == (1, 1) else noun.plural
        return fill(template, {**slots, **ends, "n": noun_form, "m": noun.measure, "each": each}, rng=self.rng)

    # ------------------------------------------------ values

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
        if ref.element.group:
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
        """The property behind an argument when it belongs to the only edge of its noun."""
        inner = argument.expressions[0] if isinstance(argument, exp.Distinct) else argument
        ref = self._property(inner, scope) if inner is not None else None
        if ref is None or ref.element.kind != "edge" or self.totals[self.noun(ref.element).singular] != 1:
            return None
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

    def then(self, parts: Sequence[str]) -> str:
        """Sort keys one after the other."""
        raise NotImplementedError

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

    def _in_case(self, subject: str, block: Block) -> tuple[str, dict[str, str]]:
        """Membership in what a plain match gives: a case whose output equals the subject."""
        match = block.match
        if match is None or block.group or block.distinct or block.fetch or block.where or len(block.items) != 1:
            return "in_query", {"a": subject, "b": self.block(block)}
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
                return self._in_case(subject, self._nested(node, scope))
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
            noun = self.noun(first).singular
            return _PREDICATES[name], {"a": self.name(first), "b": self.name(elements[1]), "n": noun}
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

    # ------------------------------------------------ outputs, scopes and blocks

    def grouped_outputs(self, block: Block) -> str:
        """Outputs of a grouped block; keys that come first are not said again."""
        items = [item for _, item in block.items]
        keys = [one.sql() for one in block.group]
        rest = items[len(keys) :]
        if [one.sql() for one in items[: len(keys)]] != keys or not rest:
            return self.outputs(items, block)
        return self.say("value.keyed", r=self.outputs(rest, block))

    def outputs(self, items: Iterable[Expr], scope: Scope, *, about: Element | None = None) -> str:
        """Outputs as a list; neighbours that belong to one element share its name."""
        groups: list[tuple[Element | None, list[str]]] = []
        for node in items:
            ref = self._property(node, scope)
            if ref is None or ref.element.group:
                groups.append((None, [self.value(node, scope, about=about)]))
            elif groups and groups[-1][0] is ref.element:
                groups[-1][1].append(self.property(ref))
            else:
                groups.append((ref.element, [self.property(ref)]))
        return self.listing([self._owned(element, shown, about) for element, shown in groups])

    def _property(self, node: Expr, scope: Scope) -> PropertyRef | None:
        ref = scope.look_up(node) if isinstance(node, exp.Column) else None
        while isinstance(ref, InnerRef):
            inner, scope = ref.expression, ref.scope
            ref = scope.look_up(inner) if isinstance(inner, exp.Column) else None
        return ref if isinstance(ref, PropertyRef) else None

    def _owned(self, element: Element | None, shown: list[str], about: Element | None) -> str:
        if element is None:
            return shown[0]
        if element is about:
            return self.listing([self.say("value.property_short", p=one) for one in shown])
        return self.say("value.property", p=self.properties(shown), e=self.name(element))

    def properties(self, shown: Sequence[str]) -> str:
        """Several properties of one thing."""
        return self.listing(shown)

    def situation(self, match: Match) -> str:
        """All clauses of a match and the conditions between elements, as one statement."""
        parts = self.clauses(match)
        mentioned = [element for hop in match.hops for element in (hop.left, hop.right)]
        lonely = [element for element in match.vertices if element not in mentioned]
        parts = [self.introduce(element, match) for element in lonely] + parts
        return self.chained([*parts, *(self.condition(one, match) for one in match.cross)])

    def clauses(self, match: Match) -> list[str]:
        """One statement for each hop."""
        return [self.clause(hop, match) for hop in match.hops]

    def chained(self, parts: Sequence[str]) -> str:
        """Statements as one sentence."""
        return self.listing(parts)

    def existence(self, block: Block) -> str:
        """What a subquery under EXISTS demands."""
        self._name_sources(block)
        parts = [self.situation(source.match) for source in block.sources if source.match is not None]
        return self.chained([*parts, *(self.condition(one, block) for one in block.where)])

    def _name_sources(self, block: Block) -> None:
        for source in block.sources:
            if source.match is not None and not any(one in self.names for one in source.match.elements.values()):
                self.name_all(source.match, self.rng.choice(("roles", "letters", "ordinals")))

    def extent(self, source: Source) -> str:
        """What the rows of a FROM item stand for, as a noun phrase."""
        if source.match is not None:
            return self.scope(source.match)
        if source.row is not None:
            noun = self.noun(source.row)
            return self.say("scope.thing", n=noun.singular, ns=noun.plural, m=noun.measure)
        return self._inner(source)

    def _inner(self, source: Source) -> str:
        """A subquery or named result; a subquery that only passes rows on is what its own rows stand for."""
        inner = source.block
        if inner is None or source.kind == "named":
            return self.code(source.title or source.name)
        shaped = inner.group or inner.distinct or inner.fetch or inner.where or inner.having or inner.operands
        return self.block(inner) if shaped else self.listing([self.extent(one) for one in inner.sources])

    def scope(self, match: Match) -> str:
        """What the rows of a match stand for, as a noun phrase."""
        case = self.thing(match) or self.say("scope.case", c=self.situation(match))
        if match.rows is not None and match.rows.kind == "step":
            return case + self.say("scope.steps")
        if match.rows is not None and match.rows.kind == "vertex":
            return case + self.say("scope.stops")
        return case

    def thing(self, match: Match) -> str:
        """A single vertex, or a single hop whose edge has a noun, as a noun phrase; empty for anything else."""
        if not match.hops and len(match.vertices) == 1:
            return self.every(match.vertices[0], match)
        if match.rows is not None or len(match.hops) != 1 or match.hops[0].bounds is not None or match.hops[0].direction == "any" or match.cross:
            return ""
        words = self.words(match.hops[0])
        return self.every_edge(match.hops[0], match) if words.np and self.rng.random() < 0.6 else ""

    def every(self, element: Element, match: Match) -> str:
        """All elements like this one, with their conditions."""
        self.said.add(element)
        if element in self.pinned:
            return self.with_conditions(self.name(element), self.own_conditions(element, match))
        noun = self.noun(element)
        thing = self.say("scope.thing", n=noun.singular, ns=noun.plural, m=noun.measure)
        return self.with_conditions(thing, self.own_conditions(element, match))

    def every_edge(self, hop: Hop, match: Match) -> str:
        """All edges like this one, with their conditions and the ends that matter."""
        raise NotImplementedError

    def telling_ends(self, hop: Hop) -> list[Element] | None:
        """The ends that say more than the edge does by itself; None where one has no name but a number."""
        ends = (hop.source, hop.target)
        clear = [self.totals[self.noun(end).singular] == 1 or end in self.pinned or end in self.by_role for end in ends]
        if not all(clear) or ends[0] is ends[1]:
            return None
        return [end for end in ends if self._tells(end, hop)]

    def _tells(self, end: Element, hop: Hop) -> bool:
        sides = [table.source if end is hop.source else table.destination for table in hop.edge.tables]
        possible = {side.vertex for side in sides if side is not None}
        return bool(end.conditions) or bool(possible - {table.name for table in end.tables})

    def block(self, block: Block) -> str:
        """A whole subquery as a noun phrase."""
        if block.operands:
            key = block.operation.lower().replace(" ", "_")
            first, second = (self.block(side) for side in block.operands[:2])
            return self.say(f"block.{key}" if f"block.{key}" in self.phrases else "block.union_all", a=first, b=second)
        self._name_sources(block)
        extent = self.listing([self.extent(source) for source in block.sources])
        outputs = self.grouped_outputs(block) if block.group else self.outputs([item for _, item in block.items], block)
        text = self._of(block, outputs, extent)
        return text + self._limits(block)

    def _of(self, block: Block, outputs: str, extent: str) -> str:
        if block.group:
            return self.say("block.grouped", o=outputs, s=extent, k=self.outputs(block.group, block))
        only = block.sources[0]
        if len(block.sources) == 1 and only.kind == "named":
            return self.say("block.from_named", o=outputs, n=self.code(only.title or only.name))
        return self.say("block.of", o=outputs, s=extent)

    def _limits(self, block: Block) -> str:
        text = "".join(self.say("block.kept", c=self.condition(one, block)) for one in (*block.where, *block.having))
        if block.distinct:
            text += self.say("block.distinct")
        if block.fetch and block.order:
            text += self.say("block.ranked", n=block.fetch, o=self.order(block.order, block))
        elif block.fetch:
            text += self.say("block.first", n=block.fetch)
        return text
