"""The words of one language at hand: a lexicon, phrase tables, a random stream, and what each language fills in.

May be imported by `naming` and by what is built on it; imports facts, lexicon and wording.
Design reason: `Speech`, `Naming`, `Expressions` and `Voice` are one object in four layers, each using only those below:
words, names for elements, values and conditions, whole statements. What differs between languages is data (the phrase
tables) and the few methods that this module leaves open.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from distill.teachers.symbolic.facts import Block, Element, Facts, Hop, Match
from distill.teachers.symbolic.lexicon import EdgeWords, Language, Lexicon, Noun
from distill.teachers.symbolic.wording import fill, table
from verify.graph_sql.tree import Expr


class Speech:
    """A language, a lexicon and a random stream."""

    language: ClassVar[Language]
    conditions_follow: ClassVar[bool] = False
    """Whether what is true of a thing is said after its noun."""

    def __init__(self, facts: Facts, lexicon: Lexicon, rng: random.Random) -> None:
        self.lexicon, self.rng = lexicon, rng
        self.phrases = table(f"phrases.{self.language}")
        self.names: dict[Element, str] = {}
        self.first_names: dict[Element, str] = {}
        self.pinned: dict[Element, Expr] = {}
        self.by_role: set[Element] = set()
        self.said: set[Element] = set()
        self.single: set[Element] = set()
        """Elements of a repeated stretch while it is described."""
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

    def aside(self, hop: Hop, scope: Match) -> str:
        """Conditions on an edge whose clause has no noun for it."""
        raise NotImplementedError

    def then(self, parts: Sequence[str]) -> str:
        """Sort keys one after the other."""
        raise NotImplementedError

    def every_edge(self, hop: Hop, match: Match) -> str:
        """All edges like this one, with their conditions and the ends that matter; empty where that cannot be said."""
        raise NotImplementedError

    def edge_called(self, label: str) -> str:
        """An edge by the code of its label, which may be empty."""
        raise NotImplementedError

    def statement(self, text: str) -> str:
        """A condition worded without its owner, as a sentence of its own."""
        raise NotImplementedError

    # ------------------------------------------------ what the layers above fill in

    def block(self, block: Block) -> str:
        """A whole subquery as a noun phrase."""
        raise NotImplementedError

    def existence(self, block: Block) -> str:
        """What a subquery under EXISTS demands."""
        raise NotImplementedError

    def situation(self, match: Match) -> str:
        """All clauses of a match and the conditions between elements, as one statement."""
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
