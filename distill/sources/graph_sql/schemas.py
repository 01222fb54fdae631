"""Made-up property graphs: scripts with tables, rows and CREATE PROPERTY GRAPH, and the words to speak of them.

May be imported by `source`; imports spelling and the vocabulary beside this file.
Design reason: a student that sees few graphs learns their names by heart. So domain, edges, properties, naming style,
keys and rows are all drawn, from a stream that depends on nothing but the seed and the schema's number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from distill.sources.graph_sql.naming import STYLES, Style, plain
from distill.sources.graph_sql.spelling import literal

_HEAD = "# What the names of made-up graphs are called in English and Chinese; written by the source `graph_sql`.\n"


def write_schemas(directory: Path, count: int, *, seed: int) -> list[Path]:
    """The scripts of `count` made-up graphs in `directory`; only what is missing is written.

    Raises OSError where nothing can be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lexicon = directory / "lexicon.yaml"
    text = lexicon.read_text(encoding="utf-8") if lexicon.exists() else ""
    known = {line.partition(":")[0].strip("\"'") for line in text.splitlines() if line[:1] not in ("", " ", "#")}
    paths, missing = [], {}
    for maker in (_Maker(seed, number) for number in range(count)):
        path = directory / f"{maker.name}.sql"
        paths.append(path)
        if path.exists() and maker.name in known:
            continue
        script, words = maker.make()
        if not path.exists():
            path.write_text(script, encoding="utf-8")
        if maker.name not in known:
            missing[maker.name] = _copied(words)
    if missing:
        added = yaml.safe_dump(missing, allow_unicode=True, sort_keys=False, width=1000)
        lexicon.write_text((text or _HEAD).rstrip("\n") + "\n\n" + added, encoding="utf-8")
    return paths


@lru_cache(maxsize=1)
def vocabulary() -> Mapping[str, Any]:
    """The words and values that schemas are made of."""
    data: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8"))
    return data


# ---------------------------------------------------------------- drawing a schema


@dataclass(slots=True)
class _Column:
    name: str
    """As SQL writes it."""
    type: str
    values: list[Any] = field(default_factory=list)
    words: Mapping[str, str] = field(default_factory=dict)
    says_which: str = ""
    """`key` or `name` where it tells which element is meant."""


@dataclass(slots=True)
class _Table:
    name: str
    label: str
    words: Mapping[str, Any]
    columns: list[_Column]
    key: list[_Column]
    shown: list[_Column]
    """The columns that become properties."""
    ends: list[tuple[_Column, "_Table"]] = field(default_factory=list)
    shared: str = ""
    """A second label, with the properties in `common`."""
    common: list[_Column] = field(default_factory=list)


class _Maker:
    """Draws one schema; its name is known before anything else is drawn."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = Random(f"{seed}:schema:{number}")
        domains = list(vocabulary()["domains"])
        self.domain_key = domains[(number + self.rng.randrange(len(domains))) % len(domains)]
        self.domain = vocabulary()["domains"][self.domain_key]
        self.style: Style = self.rng.choice(STYLES)
        self.taken: set[str] = set()
        """Names of tables and labels, folded."""
        self.meant: dict[str, str] = {}
        """What a property is, by folded name: it must be the same wherever the name occurs."""
        self.tongue = "zh" if self.style.chinese or self.rng.random() < 0.15 else "en"

        self.name = self._name(seed, number)

    def _name(self, seed: int, number: int) -> str:
        """A name that no other number of this seed has; it is that of the file and of the graph."""
        endings = vocabulary()["endings"]["zh" if self.style.chinese else "en"]
        turn, place = divmod(number, len(endings))
        base = self.domain["graph"]["zh"] if self.style.chinese else self.domain_key
        return f"{base}_{endings[place]}{turn or ''}{f'_s{seed}' if seed else ''}"

    def make(self) -> tuple[str, dict[str, Any]]:
        """The script and the words, in an order that the random stream depends on."""
        vertices = {key: self._vertex(key) for key in self.domain["vertices"]}
        self._share(vertices)
        edges = [self._edge(key, vertices) for key in self._chosen_edges()]
        used = {id(table) for edge in edges for _, table in edge.ends}
        tables = [table for table in vertices.values() if id(table) in used or self.rng.random() < 0.5]
        return _script(self.name, tables, edges), self._words(tables, edges)

    def _chosen_edges(self) -> list[str]:
        """At least two edges, one of them between vertices of one kind where the domain has one."""
        keys = list(self.domain["edges"])
        count = self.rng.randint(2, len(keys))
        chosen = self.rng.sample(keys, count)
        again = [key for key in keys if self.domain["edges"][key]["from"] == self.domain["edges"][key]["to"]]
        if not set(again) & set(chosen):
            chosen[0] = self.rng.choice(again)
        return [key for key in keys if key in chosen]

    # ------------------------------------------------ tables

    def _vertex(self, key: str) -> _Table:
        entry = self.domain["vertices"][key]
        count = self.rng.randint(7, 13)
        own = self._key(key, entry["zh"], count)
        self._fitting([own])
        props = self._fitting(self._props(entry["props"], count, least=2))
        columns = [own, *props]
        label = self.style.label(key, entry["zh"])
        words = {"en": list(entry["en"]), "zh": entry["zh"], "measure": entry["measure"]}
        return _Table(self._table(key, entry["zh"]), label, words, columns, [own], columns)

    def _table(self, key: str, chinese: str) -> str:
        """The name of a table, another one where two abbreviations agree."""
        for spelled in (key, f"{key}_tab"):
            name = self.style.table(spelled, chinese)
            if plain(name).upper() not in self.taken:
                break
        self.taken.add(plain(name).upper())
        return name

    def _fitting(self, columns: Sequence[_Column]) -> list[_Column]:
        """The columns whose names do not stand for something else elsewhere."""
        words = [one.words["en"] for one in columns]
        known = [self.meant.setdefault(plain(one.name).upper(), said) for one, said in zip(columns, words, strict=True)]
        return [one for one, said, meant in zip(columns, words, known, strict=True) if said == meant]

    def _key(self, key: str, chinese: str, count: int) -> _Column:
        rng = self.rng
        wanted, shown = rng.choice((("id", "编号"), ("id", "编号"), (f"{key}_id", f"{chinese}编号"), ("code", "代码")))
        words = {"en": "code", "zh": "代码"} if wanted == "code" else {"en": "id", "zh": "编号"}
        name = self.style.column(wanted, shown)
        if wanted == "code":
            letter = key[:1].upper()
            return _Column(name, "VARCHAR(20)", [f"{letter}{index:02}" for index in range(1, count + 1)], words, "key")
        start = rng.choice((1, 1, 11, 101, 501, 1001))
        return _Column(name, "INTEGER", list(range(start, start + count)), words, "key")

    def _props(self, keys: Sequence[str], count: int, *, least: int) -> list[_Column]:
        """Some of the properties, the first of them always; columns that would share a name are left out."""
        some = self.rng.sample(list(keys[1:]), self.rng.randint(min(least, len(keys)) - 1, len(keys) - 1))
        made: list[_Column] = []
        for key in keys:
            if key == keys[0] or key in some:
                column = self._prop(key, count)
                if plain(column.name).upper() not in {plain(one.name).upper() for one in made}:
                    made.append(column)
        return made

    def _prop(self, key: str, count: int) -> _Column:
        entry = vocabulary()["properties"][key]
        values = self._values(entry, count)
        if entry.get("unique") and self.rng.random() < 0.5:
            values[count // 2] = values[0]  # namesakes
        nulls = entry.get("nulls", 0)
        values = [None if self.rng.random() < nulls else value for value in values]
        kind = {"whole": "INTEGER", "money": "NUMERIC(10, 2)", "date": "DATE"}.get(entry["kind"], "VARCHAR(60)")
        words = {"en": entry["en"], "zh": entry["zh"]}
        says_which = "name" if entry.get("unique") else ""
        return _Column(self.style.column(key, entry["zh"]), kind, values, words, says_which)

    def _values(self, entry: Mapping[str, Any], count: int) -> list[Any]:
        rng, kind = self.rng, entry["kind"]
        if kind == "whole":
            return [rng.randrange(entry["from"], entry["to"] + 1, entry.get("step", 1)) for _ in range(count)]
        if kind == "money":
            cents = (0, 0, 50, 25, 99)
            amounts = [rng.randrange(entry["from"], entry["to"]) * 100 + rng.choice(cents) for _ in range(count)]
            return [Decimal(amount) / 100 for amount in amounts]
        if kind == "date":
            return [date(2022, 1, 1) + timedelta(days=rng.randrange(1300)) for _ in range(count)]
        pool = entry[f"{self.tongue}_values"] if kind == "choice" else vocabulary()["values"][self.tongue][kind]
        return rng.sample(pool, count) if entry.get("unique") else [rng.choice(pool) for _ in range(count)]

    def _share(self, vertices: Mapping[str, _Table]) -> None:
        """Give two kinds of vertices a second label with the properties that both have."""
        for key, entry in self.domain.get("shared", {}).items():
            first, second = (vertices[one] for one in entry["of"])
            types = {column.name: column.type for column in second.columns}
            common = [column.name for column in first.columns if types.get(column.name) == column.type]
            if not common or self.rng.random() < 0.3:
                continue
            for table in (first, second):
                table.shared = self.style.label(key, entry["zh"])
                table.common = [column for column in table.columns if column.name in common]

    def _edge(self, key: str, vertices: Mapping[str, _Table]) -> _Table:
        entry = self.domain["edges"][key]
        source, target = vertices[entry["from"]], vertices[entry["to"]]
        pairs = self._pairs(source, target)
        own = self.rng.random() < 0.6
        if not own:
            pairs = list(dict.fromkeys(pairs))
        ends = self._end_columns(entry, source, target, pairs)
        props = self._fitting(self._props(entry["props"], len(pairs), least=1))
        taken = {plain(one.name).upper() for one in ends}
        props = [one for one in props if plain(one.name).upper() not in taken]
        key_column = self._edge_key(len(pairs))
        columns = [key_column, *ends, *props] if own else [*ends, *props]
        shown = [key_column, *props] if own and self.rng.random() < 0.7 else props
        words = {"en": entry["en"], "zh": entry["zh"]}
        table = self._table(self.rng.choice((key, key, f"{key}_log")), entry["zh"]["noun"])
        joined = [(ends[0], source), (ends[1], target)]
        label = self.style.label(key, entry["zh"]["noun"])
        return _Table(table, label, words, columns, [key_column] if own else ends, shown, joined)

    def _edge_key(self, count: int) -> _Column:
        start = self.rng.choice((1, 1, 1, 201))
        name = self.style.column(*self.rng.choice((("id", "编号"), ("id", "编号"), ("seq", "序号"))))
        return _Column(name, "INTEGER", list(range(start, start + count)), {"en": "id", "zh": "编号"}, "key")

    def _pairs(self, source: _Table, target: _Table) -> list[tuple[Any, Any]]:
        """Ends of edges: parallel ones, loops where possible, and at least one vertex of each side left alone."""
        rng = self.rng
        starts, ends = source.key[0].values[:-1], target.key[0].values[:-1]
        pairs = [(rng.choice(starts), rng.choice(ends)) for _ in range(rng.randint(9, 18))]
        pairs += rng.sample(pairs, 2)
        if source is target:
            loop = rng.choice(starts)
            pairs.append((loop, loop))
        return pairs

    def _end_columns(
        self, entry: Mapping[str, Any], source: _Table, target: _Table, pairs: Sequence[tuple[Any, Any]]
    ) -> list[_Column]:
        names = [(f"from_{entry['from']}", "起点"), (f"to_{entry['to']}", "终点")]
        if source is not target and self.rng.random() < 0.7:
            kinds = self.domain["vertices"]
            names = [(f"{entry[side]}_ref", f"{kinds[entry[side]]['zh']}号") for side in ("from", "to")]
        elif self.rng.random() < 0.3:
            names = [("src", "来源"), ("dst", "去向")]
        types = (source.key[0].type, target.key[0].type)
        return [
            _Column(self.style.column(*name), kind, [pair[side] for pair in pairs])
            for side, (name, kind) in enumerate(zip(names, types, strict=True))
        ]

    # ------------------------------------------------ words

    def _words(self, tables: Sequence[_Table], edges: Sequence[_Table]) -> dict[str, Any]:
        columns = [column for table in (*tables, *edges) for column in table.shown]
        nouns = {plain(name): table.words for table in tables for name in (table.label, table.name)}
        for key, entry in self.domain.get("shared", {}).items():
            label = self.style.label(key, entry["zh"])
            if any(table.shared == label for table in tables):
                nouns[plain(label)] = {"en": list(entry["en"]), "zh": entry["zh"], "measure": entry["measure"]}
        return {
            "graph": self.domain["graph"],
            "names": {plain(one.name): one.says_which for table in tables for one in table.shown if one.says_which},
            "vertices": nouns,
            "edges": {plain(edge.label): edge.words for edge in edges},
            "properties": {plain(column.name): column.words for column in columns},
        }


def _copied(value: Any) -> Any:
    """A deep copy without shared parts, which YAML would write as references that a longer file repeats."""
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- writing a script


def _script(name: str, tables: Sequence[_Table], edges: Sequence[_Table]) -> str:
    parts = [f"-- A made-up property graph, written by the source `graph_sql`: {name}."]
    for table in (*tables, *edges):
        parts += [_create(table), _insert(table)]
    vertices = ",\n".join(_vertex_clause(table) for table in tables)
    listed = ",\n".join(_edge_clause(edge) for edge in edges)
    parts.append(f"CREATE PROPERTY GRAPH {name}\n  VERTEX TABLES (\n{vertices}\n  )\n  EDGE TABLES (\n{listed}\n  );")
    return "\n\n".join(parts) + "\n"


def _create(table: _Table) -> str:
    lines = []
    for column in table.columns:
        missing = any(value is None for value in column.values)
        key = " PRIMARY KEY" if table.key == [column] else ""
        lines.append(f"  {column.name} {column.type}{key or ('' if missing else ' NOT NULL')}")
    if len(table.key) > 1:
        lines.append(f"  PRIMARY KEY ({_names(table.key)})")
    listed = ",\n".join(lines)
    return f"CREATE TABLE {table.name} (\n{listed}\n);"


def _insert(table: _Table) -> str:
    rows = zip(*(column.values for column in table.columns), strict=True)
    lines = ["  (" + ", ".join("NULL" if value is None else literal(value) for value in row) + ")" for row in rows]
    listed = ",\n".join(lines)
    return f"INSERT INTO {table.name} ({_names(table.columns)}) VALUES\n{listed};"


def _names(columns: Sequence[_Column]) -> str:
    return ", ".join(column.name for column in columns)


def _labels(table: _Table) -> str:
    text = f"\n      LABEL {table.label} PROPERTIES ({_names(table.shown)})" if table.shown else ""
    text = text or f"\n      LABEL {table.label} NO PROPERTIES"
    return text + (f"\n      LABEL {table.shared} PROPERTIES ({_names(table.common)})" if table.shared else "")


def _vertex_clause(table: _Table) -> str:
    return f"    {table.name} KEY ({_names(table.key)}){_labels(table)}"


def _edge_clause(edge: _Table) -> str:
    (source, start), (target, end) = edge.ends
    return (
        f"    {edge.name} KEY ({_names(edge.key)})\n"
        f"      SOURCE KEY ({source.name}) REFERENCES {start.name} ({_names(start.key)})\n"
        f"      DESTINATION KEY ({target.name}) REFERENCES {end.name} ({_names(end.key)}){_labels(edge)}"
    )
