"""The verdict contract: what a verifier gets, what it answers, and the one place where verifiers are run.

Lives here: `Case`, `Verdict`, `Status`, the `@verifier` tag, resolving plug-ins by name, and `check()`.
May be imported by everybody; imports nothing of ours outside `verify`.
Design reason: a verifier that broke is not a wrong answer, so the status has four values and only this module decides
how an exception, a timeout or a missing gold becomes one of them.
"""

import asyncio
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args, get_type_hints, overload

from pydantic import TypeAdapter, ValidationError


class Status(StrEnum):
    """What a verifier can say. `error` and `skip` are never read as right or wrong."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to be judged, with everything a verifier may look at."""

    prompt: str
    """What the student sees."""
    completion: str
    """The whole completion as it will be written, `<think>` block included."""
    thinking: str | None
    """The reasoning alone, or None where the reply had none."""
    answer: str
    """The answer alone, without the reasoning."""
    gold: str | None = None
    """The reference answer, or None."""
    question: str = ""
    """The bare question where the prompt holds more than that; empty means: the prompt."""
    category: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = True
    """False when the reply was cut: by length, by a broken stream, or inside the thinking."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one verifier says of one case. Truthy only when it passed."""

    status: Status
    reason: str = ""
    score: float | None = None
    """A number in the verifier's own scale, or None: not every verifier has one."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Small JSON values that let a person see why, such as two result tables."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", Status(self.status))
        if not isinstance(self.reason, str):
            raise TypeError(f"a verdict's reason is text, not {type(self.reason).__name__}")
        if self.score is not None and (isinstance(self.score, bool) or not isinstance(self.score, int | float)):
            raise TypeError(f"a verdict's score is a number or None, not {type(self.score).__name__}")
        if not isinstance(self.evidence, Mapping):
            raise TypeError(f"a verdict's evidence is a mapping, not {type(self.evidence).__name__}")

    def __bool__(self) -> bool:
        return self.status is Status.PASS

    def to_json(self) -> dict[str, Any]:
        """A plain mapping; `from_json` reads it back. Empty fields are left out."""
        full = {
            "status": self.status.value,
            "reason": self.reason,
            "score": self.score,
            "evidence": dict(self.evidence),
        }
        return {key: value for key, value in full.items() if key == "status" or value not in ("", None, {})}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Verdict":
        """The verdict that `to_json` wrote; raises ValueError on an unknown status."""
        return cls(Status(data["status"]), data.get("reason", ""), data.get("score"), data.get("evidence", {}))


class ContractError(Exception):
    """A plug-in that cannot be found, read or called as the recipe says. Carries what a display needs."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", cause: str = "", help: str = "") -> None:
        super().__init__(message)
        self.where, self.cause, self.help = where, cause, help


@dataclass(frozen=True, slots=True)
class Tag:
    """What `@verifier` writes on a function."""

    isolated: bool
    needs_gold: bool
    timeout: float
    of_thinking: bool = False


VerifierFunction = Callable[..., Verdict]
F = TypeVar("F", bound=VerifierFunction)


@overload
def verifier(function: F) -> F: ...


@overload
def verifier(
    *, isolated: bool = True, needs_gold: bool = False, timeout: float = 10.0, of_thinking: bool = False
) -> Callable[[F], F]: ...


def verifier(
    function: Any = None,
    *,
    isolated: bool = True,
    needs_gold: bool = False,
    timeout: float = 10.0,
    of_thinking: bool = False,
) -> Any:
    """Tag a function `(case, *, options) -> Verdict` as a verifier; the function itself is returned unchanged.

    `isolated` runs it in a worker process with a memory limit and a hard kill after `timeout` seconds (the default,
    since most verifiers execute something a model wrote); `needs_gold` answers `skip` for rows without a reference;
    `of_thinking` says that it judges the thinking, which references have not, so it is not tried on them.
    """

    def tag(target: Any) -> Any:
        target.__verifier__ = Tag(isolated, needs_gold, timeout, of_thinking)
        return target

    return tag if function is None else tag(function)


BUILT_IN = {
    "think": "verify.think:think",
    "exact": "verify.text:exact",
    "graph_sql": "verify.graph_sql:graph_sql",
    "trace": "verify.graph_sql:trace",
}
"""Verifiers known by a bare name in a recipe."""


# ---------------------------------------------------------------- plug-ins: a string becomes a callable


def is_user_code(spec: str) -> bool:
    """Whether resolving `spec` imports code that did not ship with this distribution."""
    module = spec.rpartition(":")[0]
    return module.endswith(".py") or (bool(module) and module.split(".")[0] not in ("verify", "distill", "train"))


def resolve(spec: str, *, base: Path | None = None) -> Any:
    """The object named by `pkg.module:attr` or `./file.py:attr` (relative to `base`).

    Raises ContractError when the module, the file or the attribute is not there, or when importing it fails.
    """
    module_name, _, attribute = spec.rpartition(":")
    if not module_name or not attribute:
        raise ContractError(f"`{spec}` is not of the form `package.module:name` or `./file.py:name`")
    module = _load_file((base or Path()) / module_name) if module_name.endswith(".py") else _import(module_name, spec)
    try:
        return getattr(module, attribute)
    except AttributeError:
        names = [name for name in vars(module) if not name.startswith("_")]
        raise ContractError(
            f"`{module_name}` has no `{attribute}`", where=spec, help=did_you_mean(attribute, names)
        ) from None


def _import(module_name: str, spec: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise ContractError(
            f"cannot import `{module_name}`", where=spec, cause=f"{type(error).__name__}: {error}"
        ) from error


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise ContractError(
            f"no file `{path.name}`", where=str(path), help="paths in `use:` are relative to the recipe"
        )
    return _load_source(str(path.resolve()), path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _load_source(path: str, stamp: int) -> Any:
    """Cached by path and time stamp, so that an edited plug-in is read again within one process."""
    name = f"_distill_plugin_{hashlib.blake2b(f'{path}:{stamp}'.encode(), digest_size=8).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ContractError(
            f"`{Path(path).name}` failed while being imported", where=path, cause=f"{type(error).__name__}: {error}"
        ) from error
    return module


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """A help line that names the nearest of `names` and lists them; empty when there are none."""
    if not names:
        return ""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    listed = ", ".join(sorted(names)[:12]) + (", …" if len(names) > 12 else "")
    return (f"did you mean `{near[0]}`? " if near else "") + f"known here: {listed}"


# ---------------------------------------------------------------- options: a plug-in's keyword-only signature


def option_types(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Keyword-only options of a plug-in: name to (annotation, default); `inspect.Parameter.empty` means required."""
    target = function.__init__ if inspect.isclass(function) else function
    hints = get_type_hints(target)
    parameters = inspect.signature(target).parameters.values()
    return {p.name: (hints.get(p.name, Any), p.default) for p in parameters if p.kind is p.KEYWORD_ONLY}


def bind_options(function: Callable[..., Any], options: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """Options validated against the plug-in's signature and converted to its types.

    Options annotated `Path` stay text: they are templates that `Check` or the caller fills per row.
    Raises ContractError for an unknown, missing or ill-typed option.
    """
    known = option_types(function)
    name = getattr(function, "__name__", str(function))
    for key in options:
        if key not in known:
            raise ContractError(
                f"unknown option `{key}` for `{name}`", where=where, help=did_you_mean(key, list(known))
            )
    bound: dict[str, Any] = {}
    for key, (annotation, default) in known.items():
        if key in options:
            bound[key] = _convert(key, options[key], annotation, name=name, where=where)
        elif default is inspect.Parameter.empty:
            raise ContractError(f"`{name}` needs the option `{key}`", where=where)
    return bound


def _convert(key: str, value: Any, annotation: Any, *, name: str, where: str) -> Any:
    wanted = str if is_path(annotation) else annotation
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        detail = error.errors()[0]["msg"]
        raise ContractError(f"option `{key}` of `{name}`: {detail}", where=where, cause=f"got {value!r}") from None


def is_path(annotation: Any) -> bool:
    """Whether an option is a path: `Path` or `Path | None`."""
    return annotation is Path or Path in get_args(annotation)


_PLAIN_NAME = re.compile(r"[^\W.][\w.\- ]*")


def fill_path(template: str, meta: Mapping[str, Any], *, base: Path | None = None) -> Path:
    """The path that `template` names for a row: `{key}` filled from `meta`, relative to `base`.

    A value comes from data, so only a plain file name is let in: raises ContractError for a missing key or for a
    value with a separator, a leading dot or control characters.
    """

    def fill(match: re.Match[str]) -> str:
        value = str(meta.get(match[1], ""))
        if not _PLAIN_NAME.fullmatch(value):
            what = f"`{value!r}` is not a plain name" if value else f"the row's meta has no `{match[1]}`"
            raise ContractError(f"cannot fill `{template}`: {what}", where=template)
        return value

    return (base or Path()) / re.sub(r"\{(\w+)\}", fill, template)


def fill_options(
    function: Callable[..., Any], options: Mapping[str, Any], meta: Mapping[str, Any], *, base: Path | None = None
) -> dict[str, Any]:
    """Bound options with every `Path` template turned into the path for this row. Raises as `fill_path` does."""
    known = option_types(function)
    return {
        key: fill_path(value, meta, base=base) if isinstance(value, str) and is_path(known[key][0]) else value
        for key, value in options.items()
    }


@lru_cache(maxsize=256)
def source_digest(function: Callable[..., Any]) -> str:
    """A digest of the code a plug-in's result depends on: its file, or for our own verifiers the whole package.

    Cached per function: a loaded function does not change, an edited file is loaded as another one.
    """
    file = Path(inspect.getfile(function))
    root = Path(__file__).parent
    paths = sorted(root.rglob("*.py")) if file.is_relative_to(root) else [file]
    return _digest_files(tuple((str(path), path.stat().st_mtime_ns) for path in paths))


@lru_cache(maxsize=1024)
def _digest_files(files: tuple[tuple[str, int], ...]) -> str:
    state = hashlib.blake2b(digest_size=12)
    for path, _stamp in files:
        state.update(Path(path).read_bytes())
        state.update(b"\0")
    return state.hexdigest()


# ---------------------------------------------------------------- checks: a verifier with its options, run on a case


class Pool(Protocol):
    """What `check` needs of `verify.pool.Pool`; a protocol so that this module does not import processes."""

    async def run(self, spec: str, args: Sequence[Any], options: Mapping[str, Any], *, timeout: float) -> Any:
        """Call the object named by `spec` in a worker; raises TimeoutError, or WorkerDied, or what the call raised."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """One verifier as a recipe uses it: resolved, its options validated, ready to run on any number of cases."""

    name: str
    spec: str
    function: VerifierFunction
    options: Mapping[str, Any]
    required: bool = False
    when: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    base: Path | None = None

    @classmethod
    def build(
        cls,
        use: str,
        options: Mapping[str, Any] | None = None,
        *,
        required: bool = False,
        when: Mapping[str, Any] | None = None,
        base: Path | None = None,
        name: str = "",
    ) -> "Check":
        """Resolve `use` (a built-in name, `pkg.module:attr` or `./file.py:attr`) and validate its options."""
        spec = BUILT_IN.get(use, use)
        if ":" not in spec:
            raise ContractError(f"no verifier `{use}`", help=did_you_mean(use, list(BUILT_IN)))
        if spec.partition(":")[0].endswith(".py"):
            spec = str((base or Path()).resolve() / spec)
        function = resolve(spec)
        bound = bind_options(function, options or {}, where=use)
        wanted = {key: value if isinstance(value, list) else [value] for key, value in (when or {}).items()}
        return cls(name or _short_name(use), spec, function, bound, required, wanted, base)

    @property
    def tag(self) -> Tag:
        """How to run it; a function without the decorator gets the safe defaults."""
        return getattr(self.function, "__verifier__", Tag(True, False, 10.0))

    def applies(self, case: Case) -> bool:
        """Whether `when` matches this case's category and meta. A check that does not apply is not run at all."""
        facts = {**case.meta, "category": case.category}
        return all(facts.get(key) in values for key, values in self.when.items())

    def digest(self, case: Case) -> str:
        """Identity of this check on this case: code, options and the content of every file an option names.

        Where a row lacks what a path needs, the path as written stands for it; running the check then says so.
        """
        try:
            filled = fill_options(self.function, self.options, case.meta, base=self.base)
        except ContractError:
            filled = dict(self.options)
        shown = {key: _content(value) if isinstance(value, Path) else value for key, value in filled.items()}
        text = json.dumps([_short_name(self.spec), source_digest(self.function), shown], sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _short_name(use: str) -> str:
    return use.rpartition(":")[2] or use


def _content(path: Path) -> str:
    return _digest_files(((str(path), path.stat().st_mtime_ns),)) if path.is_file() else "missing"


LONG = 20_000
"""Characters of a completion from which a verifier without a worker runs in a thread: `think` takes 0.6 µs a character
(measured), and the event loop must not wait 40 ms for one trace."""


async def check(case: Case, checks: Sequence[Check], *, pool: Pool) -> dict[str, Verdict]:
    """Run every check that applies, in order, and return name to verdict. Never raises for what a verifier does."""
    return {one.name: await run_check(one, case, pool=pool) for one in checks if one.applies(case)}


async def run_check(one: Check, case: Case, *, pool: Pool) -> Verdict:
    """One verdict. An exception, a timeout or a dead worker is `error`; no gold where one is needed is `skip`."""
    if one.tag.needs_gold and case.gold is None:
        return Verdict(Status.SKIP, "no reference answer")
    try:
        options = fill_options(one.function, one.options, case.meta, base=one.base)
        if one.tag.isolated:
            verdict = await pool.run(one.spec, [case], options, timeout=one.tag.timeout)
        elif len(case.completion) > LONG:
            verdict = await asyncio.to_thread(one.function, case, **options)
        else:
            verdict = one.function(case, **options)
    except TimeoutError:
        return Verdict(Status.ERROR, f"timeout: no verdict within {one.tag.timeout:g} s")
    except (Exception, SystemExit) as error:  # code that is not ours: whatever it raises is its error, not the row's
        return Verdict(Status.ERROR, f"{type(error).__name__}: {error}")
    return _checked(one.name, verdict)


def _checked(name: str, value: Any) -> Verdict:
    """The verdict as it can be stored: a value of another kind, or evidence that JSON cannot hold, is an error."""
    if not isinstance(value, Verdict):
        return Verdict(Status.ERROR, f"`{name}` returned {type(value).__name__}, not a Verdict")
    try:
        json.dumps(value.to_json(), default=str).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return Verdict(Status.ERROR, f"the verdict of `{name}` cannot be stored: {error}")
    return value
