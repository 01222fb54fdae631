"""The kinds of queries that are drawn, by difficulty and weight.

May be imported by `source`; imports the modules with the kinds.
Design reason: a kind is added by writing one function and naming it in `KINDS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from distill.sources.graph_sql import grouping, larger, matches
from distill.sources.graph_sql.pattern import Sampler

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


KINDS: Mapping[Difficulty, tuple[Kind, ...]] = {
    "easy": (
        Kind("Vertices", 4, matches.vertices),
        Kind("One hop", 7, matches.hop),
        Kind("Either direction", 2, matches.either),
        Kind("Edges without a label", 1, matches.short),
        Kind("Totals", 2, grouping.total),
    ),
    "medium": (
        Kind("Several hops", 5, matches.hops),
        Kind("Label alternatives", 3, matches.labels),
        Kind("Grouping", 4, grouping.grouped),
        Kind("Highest and lowest", 3, grouping.top),
        Kind("Several paths", 3, matches.paths),
        Kind("Loops", 2, matches.loop),
        Kind("Repeated edges", 4, matches.repeated),
        Kind("Comparisons", 2, matches.comparison),
        Kind("Computed columns", 2, matches.expression),
    ),
    "hard": (
        Kind("Long paths", 3, matches.long),
        Kind("Several paths", 3, matches.many_paths),
        Kind("Aggregates along a path", 4, matches.path_aggregate),
        Kind("Groups with a condition", 2, grouping.having),
        Kind("Ranked groups", 3, grouping.ranked),
        Kind("Joins", 4, larger.join),
        Kind("Membership", 3, larger.membership),
        Kind("Existence", 3, larger.existence),
        Kind("Two graph tables", 2, larger.two_tables),
        Kind("Parallel edges", 1, matches.parallel),
        Kind("Named results", 2, larger.named),
        Kind("Steps of a path", 1, matches.steps),
    ),
}
"""What is drawn, by difficulty."""
