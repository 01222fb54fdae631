"""The COLUMNS of a GRAPH_TABLE and what they are called.

May be imported by the modules with the kinds of queries; imports pattern and spelling.
Design reason: a name has to be free, readable and sometimes the property's own; one place gives them out, in a habit
that is drawn per query, since a student that always sees one habit learns the habit.
"""

import re
from collections.abc import Sequence
from random import Random

from distill.sources.graph_sql.pattern import Element, Pattern, Ref, Sampler
from distill.sources.graph_sql.spelling import identifier, literal

_PLAIN = re.compile(r"[^\W\d]\w*")


class Columns:
    """Columns in the order in which they were added."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.names: list[str] = []
        self.texts: list[str] = []
        self._habit = rng.choice(("own", "own", "label", "variable"))

    def free(self, wanted: str) -> str:
        """`wanted`, or that with a number, where another column has the name already."""
        taken = {name.upper() for name in self.names}
        if wanted.upper() not in taken:
            return wanted
        return next(f"{wanted}{number}" for number in range(2, 100) if f"{wanted}{number}".upper() not in taken)

    def add(self, ref: Ref) -> str:
        """A column for a property; its name. The same property twice stays one column."""
        for text, known in zip(self.texts, self.names, strict=True):
            if text.removesuffix(f" AS {known}") == ref.text:
                return known
        name = self._name(ref)
        self.names.append(name)
        self.texts.append(ref.text if name == ref.prop.spelled else f"{ref.text} AS {name}")
        return name

    def _name(self, ref: Ref) -> str:
        own, inner = ref.prop.spelled, ref.prop.spelled.strip('"')
        if self._habit == "own" and self.free(own) == own:
            return own
        if not _PLAIN.fullmatch(inner):
            return self.free(f"value_{len(self.names) + 1}")
        short = inner.lower() if own != inner else own
        before = ref.element.label.lower() if self._habit == "label" else ref.element.variable
        name = f"{before}_{short}"
        return self.free(name if identifier(name.upper(), name) == name else f"{ref.element.variable}_{short}")

    def computed_text(self, text: str, wanted: str) -> str:
        """A column for any expression."""
        name = self.free(wanted)
        self.names.append(name)
        self.texts.append(f"{text} AS {name}")
        return name

    def more(
        self,
        sampler: Sampler,
        pattern: Pattern,
        count: int,
        *,
        among: Sequence[Element] | None = None,
        without: Sequence[Ref] = (),
    ) -> None:
        """Up to `count` properties, of different elements as far as there are any."""
        elements = pattern.elements() if among is None else among
        refs = [ref for element in elements if element.bounds is None for ref in pattern.properties(element)]
        taken = {(ref.element, ref.prop.name) for ref in without}
        open_refs = [ref for ref in refs if (ref.element, ref.prop.name) not in taken and not pinned(ref, pattern)]
        open_refs = open_refs or [ref for ref in refs if (ref.element, ref.prop.name) not in taken]
        for _ in range(min(count, len(open_refs))):
            shown = {text.partition(".")[0] for text in self.texts}
            weights = [_weight(ref, shown) for ref in open_refs]
            ref = open_refs.pop(self.rng.choices(range(len(open_refs)), weights)[0])
            self.add(ref)

    def aggregate(self, ref: Ref) -> bool:
        """An aggregate over the property of a repeated edge; False where none makes sense."""
        own = ref.prop.spelled
        if own.startswith('"'):
            return False
        if ref.prop.kind == "number":
            functions = [("MIN", "least"), ("MAX", "most")]
            functions += [("SUM", "total"), ("SUM", "sum"), ("AVG", "mean")] if ref.prop.additive else []
            function, word = self.rng.choice(functions)
            self.computed_text(f"{function}({ref.text})", f"{word}_{own}")
        elif ref.prop.kind == "text":
            separator = literal(self.rng.choice((", ", "; ", " > ")))
            self.computed_text(f"LISTAGG({ref.text}, {separator})", f"{own}_list")
        else:
            function, word = self.rng.choice((("MIN", "first"), ("MAX", "last")))
            self.computed_text(f"{function}({ref.text})", f"{word}_{own}")
        return True

    def computed(self, sampler: Sampler, pattern: Pattern) -> bool:
        """COALESCE, CASE or arithmetic over a property; False where there is none for it."""
        single = [one for one in pattern.elements() if len(one.stated) == 1]
        refs = [
            ref
            for element in single
            for ref in pattern.properties(element)
            if not (ref.prop.key or pinned(ref, pattern))
        ]
        self.rng.shuffle(refs)
        for ref in refs:
            text = self._computed(ref)
            if text:
                self.computed_text(text, self.rng.choice(_WORDS[text.partition("(")[0].partition(" ")[0]]))
                return True
        return False

    def _computed(self, ref: Ref) -> str:
        prop = ref.prop
        if prop.kind == "text":
            return f"COALESCE({ref.text}, '{self.rng.choice(('unknown', 'none', '-'))}')" if prop.nulls else ""
        if prop.kind != "number" or len(prop.values) < 3 or (prop.unique and self.rng.random() < 0.5):
            return ""
        if not prop.additive or self.rng.random() < 0.6:
            bound = literal(prop.values[len(prop.values) // 2])
            high, low = self.rng.choice((("high", "low"), ("large", "small"), ("above", "below")))
            return f"CASE WHEN {ref.text} >= {bound} THEN '{high}' ELSE '{low}' END"
        return f"({ref.text} * {self.rng.choice(('2', '10', '0.1', '1.2'))})"


_WORDS = {
    "COALESCE": ("shown", "label_text", "note"),
    "CASE": ("grade", "size_class", "band"),
    "": ("scaled", "adjusted"),
}


def outputs(sampler: Sampler, pattern: Pattern, count: int, *, among: Sequence[Element] | None = None) -> Columns:
    """Columns for `count` properties, of the given elements or of any."""
    columns = Columns(sampler.rng)
    columns.more(sampler, pattern, count, among=among)
    if not columns.names:
        columns.more(sampler, pattern, count)
    return columns


def pinned(ref: Ref, pattern: Pattern) -> bool:
    """Whether a condition says what the property is, which makes it dull to show or to measure."""
    text = f"{ref.element.variable}.{ref.prop.spelled} "
    return any(one.startswith((f"{text}=", f"{text}IS NULL")) for one in ref.element.conditions + pattern.where)


def _weight(ref: Ref, shown: set[str]) -> float:
    weight = 3.0 if ref.prop.kind == "text" and ref.element.item.table.kind == "vertex" else 1.5
    return weight if ref.element.variable not in shown else weight / 4


def anchor(sampler: Sampler, element: Element) -> bool:
    """Say which vertex is meant, by a key or a name; False where the element has neither."""
    data = sampler.data
    refs = [Ref(element, one) for one in data.under(element.item.table, element.label)]
    known = [ref for ref in refs if element.item.values.get(ref.prop.name) is not None]
    telling = [ref for ref in known if ref.prop.key or (ref.prop.kind == "text" and len(ref.prop.values) > 1)]
    if not telling or element.conditions:
        return False
    ref = sampler.rng.choice(telling)
    element.conditions.append(f"{ref.text} = {literal(element.item.values[ref.prop.name])}")
    return True
