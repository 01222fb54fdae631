"""Is this recipe ready? Everything that can be known before a token is spent, as a list of findings.

May be imported by the public API and the command line; imports the rooms it looks into.
Design reason: each finding is one value with a section, a status and words, so a person, a program and a test read the
same list. Code of the user's is listed before the first line of it is imported.
"""

import asyncio
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from distill import __version__, plugins
from distill.errors import DistillError, PluginError
from verify.contract import Case, Check, Pool, Status, run_check

if TYPE_CHECKING:
    from distill.recipe import Recipe
    from distill.records import Row
    from distill.sources import BadRecord

FindingStatus = Literal["ok", "fail", "warn", "skip"]

MOST_ROWS = 1000
"""Source rows that are read."""
MOST_GOLDS = 200
"""Reference answers that verifiers are tried on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check."""

    section: str
    status: FindingStatus
    text: str
    detail: tuple[str, ...] = ()
    exit_code: int = 0
    """What the command ends with because of this; 0 unless `status` is `fail`."""


@dataclass(slots=True)
class _Seen:
    """What reading the source brought."""

    rows: list["Row"] = field(default_factory=list)
    bad: list["BadRecord"] = field(default_factory=list)
    more: bool = False


async def findings(recipe: "Recipe", *, online: bool = False) -> AsyncIterator[Finding]:
    """Every finding about a loaded recipe, as it is made; the first ones before any code of the user's is imported.

    `online` also asks the teacher for a few tokens. Raises nothing: what goes wrong is a finding.
    """
    yield _recipe(recipe)
    for one in code(recipe):
        yield one
    seen = _Seen()
    for one in await asyncio.to_thread(lambda: list(_source(recipe, seen))):
        yield one
    yield _prompts(seen)
    yield _strategy(recipe, seen)
    async for one in golds(recipe, seen.rows):
        yield one
    yield await _teacher(recipe, online=online)
    yield _disk()


def check_recipe(recipe: "Recipe", *, online: bool = False) -> list[Finding]:
    """All findings at once, for callers without an event loop."""

    async def gather() -> list[Finding]:
        return [one async for one in findings(recipe, online=online)]

    return asyncio.run(gather())


def _failed(section: str, error: Any) -> Finding:
    detail = [f"{name}: {getattr(error, name)}" for name in ("where", "cause", "help") if getattr(error, name, "")]
    return Finding(section, "fail", str(error), tuple(detail), int(getattr(error, "exit_code", 2)))


# ---------------------------------------------------------------- what the recipe says


def _recipe(recipe: "Recipe") -> Finding:
    names = recipe.environment
    filled = f", from the environment: {', '.join(names)}" if names else ""
    if recipe.unset:
        detail = tuple(f"{one.where}   {one.source}".strip() for one in recipe.unset)
        text = ", ".join(dict.fromkeys(one.message for one in recipe.unset))
        return Finding("recipe", "fail", text, (*detail, "help: put it in .env beside the recipe"), 3)
    return Finding("recipe", "ok", f"{recipe.name}, digest {recipe.digest[:8]}{filled}")


def code(recipe: "Recipe") -> list[Finding]:
    """Code that did not ship with us and that running the recipe would import. Imports none of it."""
    named = plugins.user_code(recipe)
    if not named:
        return [Finding("code", "ok", "none but our own")]
    *first, last = [Finding("code", "warn", f"{use}  at `{place}`") for place, use in named]
    return [*first, replace(last, detail=("it would run with your rights: read it first",))]


# ---------------------------------------------------------------- rows and prompts


def _source(recipe: "Recipe", seen: _Seen) -> Iterator[Finding]:
    from distill import sources

    try:
        for item in islice(sources.read(recipe), MOST_ROWS + 1):
            if len(seen.rows) + len(seen.bad) == MOST_ROWS:
                seen.more = True
                break
            if isinstance(item.row, sources.BadRecord):
                seen.bad.append(item.row)
            else:
                seen.rows.append(item.row)
    except DistillError as error:
        yield _failed("source", error)
        return
    if seen.bad:
        yield _bad_rows(recipe, seen)
    golds = sum(row.answer is not None for row in seen.rows)
    count = f"{len(seen.rows):,} rows" + (" (the first ones)" if seen.more else "")
    status: FindingStatus = "ok" if seen.rows else "fail"
    yield Finding("source", status, f"{count}, {golds:,} with a reference answer", (), 0 if seen.rows else 2)


def _bad_rows(recipe: "Recipe", seen: _Seen) -> Finding:
    share = len(seen.bad) / (len(seen.bad) + len(seen.rows))
    shown = [f"{one.origin}   {one.reason}" + (f"; {one.help}" if one.help else "") for one in seen.bad[:5]]
    text = f"{len(seen.bad)} rows are malformed ({share:.1%}, `limits.bad_rows` tolerates {recipe.limits.bad_rows:.1%})"
    too_many = share > recipe.limits.bad_rows
    return Finding("source", "fail" if too_many else "warn", text, tuple(shown), 2 if too_many else 0)


def _prompts(seen: _Seen) -> Finding:
    if not seen.rows:
        return Finding("prompt", "skip", "no rows to render")
    lengths = sorted(len(row.prompt) for row in seen.rows)
    median = lengths[len(lengths) // 2]
    return Finding("prompt", "ok", f"{median:,} characters in the middle, longest {lengths[-1]:,}")


def _strategy(recipe: "Recipe", seen: _Seen) -> Finding:
    name = recipe.strategy.use
    try:
        strategy = plugins.build("strategy", recipe.strategy, base=recipe.base, where="strategy")
        if not seen.rows:
            return Finding("strategy", "skip", f"{name}: no rows to try it on")
        messages = strategy.messages(seen.rows[0])
    except DistillError as error:
        return _failed("strategy", error)
    except Exception as error:  # a user's strategy may raise anything
        return _failed("strategy", PluginError(f"{name} failed", cause=f"{type(error).__name__}: {error}"))
    if not messages:
        return Finding("strategy", "ok", f"{name}: asks nobody")
    size = sum(len(str(one.get("content", ""))) for one in messages)
    return Finding("strategy", "ok", f"{name}: the first row asks with {size:,} characters")


# ---------------------------------------------------------------- verifiers against the reference answers


async def golds(recipe: "Recipe", rows: Sequence["Row"]) -> AsyncIterator[Finding]:
    """Each verifier tried on the reference answers: one that rejects its own references is a broken recipe.

    Those that judge the thinking, which references do not have, are left out.
    """
    if not recipe.verify:
        yield Finding("verifiers", "warn", "none: every finished answer is kept")
        return
    known = [row for row in rows if row.answer is not None][:MOST_GOLDS]
    from verify.pool import Pool as Workers

    with Workers() as pool:
        for index, section in enumerate(recipe.verify):
            try:
                one = plugins.build("verifier", section, base=recipe.base, where=f"verify.{index}")
            except DistillError as error:
                yield _failed("verifiers", error)
                continue
            yield await _tried(one, known, pool=pool)


async def _tried(one: Check, rows: Sequence["Row"], *, pool: Pool) -> Finding:
    if one.tag.of_thinking:
        return Finding("verifiers", "skip", f"{one.name}: judges thinking, which references do not have")
    cases = [(row, case) for row in rows if one.applies(case := _case(row))]
    if not cases:
        return Finding("verifiers", "skip", f"{one.name}: no reference answer it applies to")
    verdicts = await asyncio.gather(*(run_check(one, case, pool=pool) for _, case in cases))
    refused = [
        f"{row.origin or row.id}: {verdict.reason}"
        for (row, _), verdict in zip(cases, verdicts, strict=True)
        if verdict.status in (Status.FAIL, Status.ERROR)
    ]
    accepted = sum(verdict.status is Status.PASS for verdict in verdicts)
    if not refused and not accepted:
        return Finding("verifiers", "skip", f"{one.name}: cannot judge a reference answer alone")
    if not refused:
        return Finding("verifiers", "ok", f"{one.name} accepts {accepted}/{len(cases)} reference answers")
    text = f"{one.name} rejects {len(refused)} of {len(cases)} reference answers"
    return Finding("verifiers", "fail" if one.required else "warn", text, tuple(refused[:3]), int(one.required))


def _case(row: "Row") -> Case:
    """The reference answer as if the teacher had given it."""
    answer = row.answer or ""
    return Case(
        prompt=row.prompt,
        completion=answer,
        thinking=row.reasoning,
        answer=answer,
        gold=row.answer,
        question=row.question,
        category=row.category,
        meta=row.meta,
    )


# ---------------------------------------------------------------- the teacher and the machine


async def _teacher(recipe: "Recipe", *, online: bool) -> Finding:
    if recipe.unset:
        return Finding("teacher", "skip", "a value it needs is not set")
    try:
        teacher = plugins.build("teacher", recipe.teacher, base=recipe.base, where="teacher")
    except DistillError as error:
        return _failed("teacher", error)
    try:
        probe = getattr(teacher, "probe", None)
        if probe is None:
            return Finding("teacher", "ok", f"{teacher.identity}: nothing to reach over a network")
        if not online:
            return Finding("teacher", "skip", f"{teacher.identity}: not asked; `--online` does")
        return _probed(await probe())
    except Exception as error:  # whatever a teacher raises means that it is not ready
        return _failed("teacher", error)
    finally:
        await teacher.close()


def _probed(probe: Any) -> Finding:
    thinking = {"separate": "in a field of its own", "inline": "inside the text"}.get(probe.thinking, "not seen yet")
    return Finding("teacher", "ok", f"{probe.model} answered in {probe.seconds:.1f} s, thinking {thinking}")


def _disk() -> Finding:
    from distill.engine import runs_home

    home = runs_home().resolve()
    there = next(path for path in (home, *home.parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:,.1f} GB free where runs go, {runs_home()}"
    if free < 1e8:
        return Finding("disk", "fail", text, ("a run keeps every reply: about 10 KB a row",), 3)
    return Finding("disk", "ok", text)


def environment() -> list[Finding]:
    """The machine, for reports of defects: Python, platform, our version, what is installed beside it."""
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    old = sys.version_info < (3, 11)
    return [
        Finding("distill", "ok", __version__),
        Finding("python", "fail" if old else "ok", python, (), 3 if old else 0),
        _installed(),
        _disk(),
    ]


_PACKAGES = ("aiohttp", "click", "duckdb", "jinja2", "orjson", "pydantic", "PyYAML", "rich", "sqlglot")


def _installed() -> Finding:
    versions = {name: _version(name) for name in _PACKAGES}
    absent = [name for name, version in versions.items() if not version]
    if absent:
        return Finding("packages", "fail", f"missing: {', '.join(absent)}", (), 3)
    return Finding("packages", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
