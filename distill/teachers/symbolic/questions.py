"""Writes a question that says what a query answers: every literal, number, comparison and direction of it.

May be imported by `teacher`; imports facts, voice and wording.
Design reason: a question is built from the query's facts alone, so it can be written in either language and cannot ask
for something else; templates only decide the register (terse, polite, business, a task).
"""

from distill.teachers.symbolic.facts import Block, Source
from distill.teachers.symbolic.naming import Scheme
from distill.teachers.symbolic.voice import Voice
from distill.teachers.symbolic.wording import fill, table

SCHEMES: tuple[Scheme, ...] = ("roles", "letters", "ordinals")


class Questions:
    """Writes one question with one voice. `turn` walks through the registers, so that neighbours differ."""

    def __init__(self, voice: Voice, *, turn: int) -> None:
        self.voice, self.turn = voice, turn
        self.templates = table(f"questions.{voice.language}")

    def write(self, block: Block) -> str:
        """The question that a query's outermost block answers."""
        for match in block.matches():
            self.voice.name_all(match, SCHEMES[self.turn % len(SCHEMES)])
        text = self._simple(block) if block.match is not None else self._nested(block)
        return self.voice.clean(text)

    def _main(self, key: str, **slots: str) -> str:
        choices = self.templates[key]
        shown = slots.get("o") or slots.get("p") or ""
        slots["be"] = "are" if " and " in shown else "is"
        return fill(choices[self.turn % len(choices)], {"g": self.voice.lexicon.graph, **slots}, rng=self.voice.rng)

    def _say(self, key: str, **slots: str) -> str:
        return fill(self.voice.rng.choice(self.templates[key]), slots, rng=self.voice.rng)

    def _join(self, sentences: list[str]) -> str:
        return ("" if self.voice.language == "zh" else " ").join(sentence for sentence in sentences if sentence)

    def _simple(self, block: Block) -> str:
        """A SELECT over one match."""
        match, voice = block.match, self.voice
        assert match is not None
        items = [item for _, item in block.items]
        if len(match.elements) == 1 and match.vertices and not block.group:
            vertex = match.vertices[0]
            extent, shown = voice.every(vertex, match), voice.outputs(items, block, about=vertex)
            if voice.only_properties(items, block):
                main = self._main("about", s=extent, p=shown)
            else:
                main = self._main("plain", s=extent, o=voice.statement(shown))
        else:
            thing = voice.thing(match)
            if not block.group and not thing and match.rows is None:
                situation = voice.situation(match)
                main = self._main("situated", c=situation, o=voice.outputs(items, block))
                return self._join([main, *self._after(block)])
            extent = thing or voice.scope(match)
            if block.group:
                keys = voice.outputs(block.group, block)
                main = self._main("grouped", s=extent, o=voice.grouped_outputs(block), k=keys)
            else:
                main = self._main("plain", s=extent, o=voice.outputs(items, block))
        return self._join([main, *self._after(block)])

    def _after(self, block: Block) -> list[str]:
        """What follows the main sentence of a SELECT over one match."""
        kept = [self._say("keep", c=self.voice.condition(one, block)) for one in block.where]
        once = [self._say("once")] if block.match is not None and block.match.once else []
        return [*kept, *once, *self._limits(block)]

    def _limits(self, block: Block) -> list[str]:
        """HAVING, DISTINCT, ORDER BY and FETCH FIRST as sentences."""
        voice = self.voice
        sentences = [self._say("having", c=voice.condition(one, block)) for one in block.having]
        if block.distinct:
            sentences.append(self._say("distinct"))
        if block.order:
            keys = voice.order(block.order, block)
            ranked = block.order[0][1]
            key = "order" if not block.fetch else "top" if ranked else "first"
            sentences.append(self._say(key, k=keys, n=block.fetch))
        elif block.fetch:
            sentences.append(self._say("few", n=block.fetch))
        if block.ties:
            sentences.append(self._say("ties"))
        return sentences

    def _nested(self, block: Block) -> str:
        """Anything with several sources, subqueries or WITH clauses, described in the order of its parts."""
        steps, outputs = self.plan(block)
        return self._join([self._main("nested", d=steps, o=outputs), *self._limits(block)])

    def plan(self, block: Block) -> tuple[str, str]:
        """The steps to a nested block's rows as sentences, and its outputs; its matches must have names already."""
        voice = self.voice
        if block.operands:
            return self._join(self._named(block)), voice.block(block)
        steps = [*self._named(block), *self._sources(block)]
        steps += [self._say("shown.where", c=voice.condition(one, block)) for one in block.where]
        steps += [self._say("once") for source in block.sources if source.match is not None and source.match.once]
        if block.group:
            steps.append(self._say("shown.group", k=voice.outputs(block.group, block)))
        steps += [self._say("shown.other", c=voice.code(clause)) for clause in block.foreign]
        return self._join(steps), voice.outputs([item for _, item in block.items], block)

    def _named(self, block: Block) -> list[str]:
        return [self._say("shown.with_named", a=name, b=self.voice.block(inner)) for name, inner in block.named.items()]

    def _sources(self, block: Block) -> list[str]:
        return [self._source(source, block) for source in block.sources]

    def _source(self, source: Source, block: Block) -> str:
        extent = self.voice.extent(source)
        if not source.join:
            return self._say("shown.from", a=extent)
        key = source.join if source.join in ("left", "cross") else "join"
        conditions = [self.voice.condition(one, block) for one in source.on]
        return self._say(f"shown.{key}", a=extent, c=self.voice.listing(conditions))
