"""What the names of a graph are called in a language: nouns, clauses and roles from a `lexicon.yaml` beside the graph.

May be imported by the modules of this package; imports nothing of ours.
Design reason: a schema's identifiers are not words. A small file, written once by somebody who knows the graph, turns
generated questions from code into language; what it does not name is spoken of by its identifier, never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun of either language. In Chinese `plural` equals `singular` and `measure` is the counting word."""

    singular: str
    plural: str
    measure: str = "个"


@dataclass(frozen=True, slots=True)
class EdgeWords:
    """How an edge is spoken of. Clauses hold `{s}`, `{t}` and mostly `{e}`; an empty tuple: no such clause is known."""

    noun: Noun
    clause: tuple[str, ...]
    passive: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Names of source and target, `{n}` is the vertex noun."""
    np: tuple[str, ...] = ()
    """How source and target hang on the noun, as in "from {s}", "to {t}"."""
    known: bool = True
    """Whether the lexicon names it; False for the generic words of an identifier."""


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C where PyYAML was built with it: a large lexicon is read several times faster."""

_FIELDS = ("clause", "passive", "either", "roles", "np")

_GENERIC: Mapping[Language, Mapping[str, Any]] = {
    "en": {
        "clause": ["{e} runs from {s} to {t}", "{e} leads from {s} to {t}"],
        "passive": ["{t} is reached from {s} by {e}"],
        "either": ["{e} joins {s} and {t} in either direction"],
        "np": ["from {s}", "to {t}"],
    },
    "zh": {
        "clause": ["{e}从{s}指向{t}", "从{s}有{e}指向{t}"],
        "passive": ["{t}可由{s}经{e}到达"],
        "either": ["{s}与{t}之间有{e}（不论方向）"],
        "np": ["从{s}出发", "指向{t}"],
    },
}


class Lexicon:
    """The words for one graph in one language."""

    def __init__(self, graph: str, language: Language, entries: Mapping[str, Any]) -> None:
        folded = {str(key).upper(): value for key, value in entries.items()}
        self.language = language
        self._entry: Mapping[str, Any] = folded.get(graph.upper()) or {}
        self.graph = str((self._entry.get("graph") or {}).get(language, graph))
        """What the whole graph is called."""

    def _find(self, section: str, name: str) -> Any:
        entries = self._entry.get(section) or {}
        wanted = name.replace('"', "").upper()
        return next((value for key, value in entries.items() if str(key).upper() == wanted), None)

    def vertex(self, labels: Sequence[str]) -> Noun:
        """The noun for vertices with any of these labels."""
        anything = Noun("vertex", "vertices") if self.language == "en" else Noun("顶点", "顶点")
        nouns = [self._vertex(label) for label in labels] or [anything]
        return self._either(nouns)

    def _vertex(self, label: str) -> Noun:
        entry = self._find("vertices", label)
        if not isinstance(entry, Mapping) or self.language not in entry:
            return Noun(f"`{label}` vertex", f"`{label}` vertices") if self.language == "en" else _code(label)
        return _noun(entry[self.language], entry.get("measure", "个"))

    def _either(self, nouns: Sequence[Noun]) -> Noun:
        if len(nouns) == 1:
            return nouns[0]
        link = " or " if self.language == "en" else "或"
        plurals = list(dict.fromkeys(noun.plural for noun in nouns))
        return Noun(link.join(dict.fromkeys(noun.singular for noun in nouns)), link.join(plurals), nouns[0].measure)

    def edge(self, labels: Sequence[str]) -> EdgeWords:
        """The words for edges with any of these labels; clauses are the generic ones unless all labels agree."""
        if not labels:
            return self._generic(Noun("edge", "edges") if self.language == "en" else Noun("边", "边", "条"))
        words = [self._edge(label) for label in labels]
        if len(words) == 1:
            return words[0]
        noun = self._either([one.noun for one in words])
        same = all((one.clause, one.passive) == (words[0].clause, words[0].passive) for one in words)
        if not same:
            return self._generic(noun)
        first = words[0]
        return EdgeWords(noun, first.clause, first.passive, first.either, first.roles, first.np)

    def _edge(self, label: str) -> EdgeWords:
        entry = (self._find("edges", label) or {}).get(self.language)
        if entry is None:
            english = Noun(f"`{label}` edge", f"`{label}` edges")
            return self._generic(english if self.language == "en" else _code(label, "边", measure="条"))
        clause, passive, either, roles, np = (tuple(entry.get(key, ())) for key in _FIELDS)
        either = either or tuple(_GENERIC[self.language]["either"])
        return EdgeWords(_noun(entry["noun"], entry.get("measure", "条")), clause, passive, either, roles, np)

    def _generic(self, noun: Noun) -> EdgeWords:
        words = _GENERIC[self.language]
        clause, passive, either, roles, np = (tuple(words.get(key, ())) for key in _FIELDS)
        return EdgeWords(noun, clause, passive, either, roles, np, known=False)

    def property(self, name: str, labels: Sequence[str] = ()) -> str:
        """What a property is called; its identifier in backticks where nobody said."""
        for key in (*(f"{label}.{name}" for label in labels), name):
            entry = self._find("properties", key)
            if isinstance(entry, Mapping) and self.language in entry:
                return str(entry[self.language])
        return f"`{name}`" if self.language == "en" else f" `{name}` "

    def naming(self, name: str) -> str:
        """`key` or `name` when a property says which element is meant, else empty."""
        return str(self._find("names", name) or "")


def _code(label: str, kind: str = "", *, measure: str = "个") -> Noun:
    """An identifier as a Chinese noun, with blanks around."""
    return Noun(f" `{label}` {kind}", f" `{label}` {kind}", measure)


def _noun(entry: Any, measure: str) -> Noun:
    forms = [entry] if isinstance(entry, str) else list(entry)
    return Noun(str(forms[0]), str(forms[-1]), measure)


def load_lexicon(graph: str, language: Language, *, beside: Path) -> Lexicon:
    """The words for a graph from `lexicon.yaml` in the directory of its script; an empty lexicon without one."""
    path = beside / "lexicon.yaml"
    entries = _entries(str(path), path.stat().st_mtime_ns) if path.is_file() else {}
    return Lexicon(graph, language, entries)


@lru_cache(maxsize=64)
def _entries(path: str, stamp: int) -> Mapping[str, Any]:
    data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_LOADER)
    return data if isinstance(data, Mapping) else {}
