"""One lazy table of plug-ins: (kind, name) to `module:attr`, entry points, and building one from a recipe's section.

May be imported by recipe, check, engine and the command line; imports errors and the verdict contract.
Design reason: a name costs nothing until a recipe uses it, and options are the keyword-only signature of the callable,
so a typo in an option of the smallest user function is found like a typo in ours.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from distill.errors import PluginError, boundary
from verify.contract import (
    BUILT_IN,
    Check,
    ContractError,
    bind_options,
    did_you_mean,
    fill_options,
    is_path,
    is_user_code,
    option_types,
    resolve,
)

if TYPE_CHECKING:
    from distill.recipe import Recipe

Kind = Literal["source", "prompt", "strategy", "teacher", "verifier"]
"""What a plug-in can be. Entry points of the group `distill.<kind>` add names."""

TABLE: dict[tuple[Kind, str], str] = {
    ("source", "files"): "distill.sources.files:files",
    ("source", "documents"): "distill.sources.documents:documents",
    ("source", "graph_sql"): "distill.sources.graph_sql:graph_sql",
    ("prompt", "plain"): "distill.strategies:plain_prompt",
    ("prompt", "graph_sql"): "distill.strategies:graph_sql_prompt",
    ("strategy", "distil"): "distill.strategies:Distil",
    ("strategy", "explain"): "distill.strategies:Explain",
    ("strategy", "template"): "distill.strategies:Template",
    ("teacher", "openai"): "distill.teachers.openai:OpenAITeacher",
    ("teacher", "symbolic"): "distill.teachers.symbolic:SymbolicTeacher",
    ("teacher", "replay"): "distill.teachers.replay:ReplayTeacher",
    **{("verifier", name): spec for name, spec in BUILT_IN.items()},
}
"""The plug-ins that ship with this distribution."""


class Section(Protocol):
    """What `build` needs of a recipe's section: `use` and the options beside it."""

    @property
    def use(self) -> str:
        """The plug-in's name or `module:attr`."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """Every key that the section itself does not know."""
        ...


def names(kind: Kind) -> list[str]:
    """Names known for `kind`: the built-in ones, then those of installed entry points."""
    built_in = [name for of, name in TABLE if of == kind]
    return built_in + sorted(set(_entry_points(kind)) - set(built_in))


def _entry_points(kind: Kind) -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=f"distill.{kind}")}


def locate(kind: Kind, use: str) -> str:
    """The `module:attr` that `use` names. Raises PluginError with the nearest names when there is none."""
    if ":" in use:
        return use
    spec = TABLE.get((kind, use)) or _entry_points(kind).get(use)
    if spec is None:
        raise PluginError(
            f"no {kind} `{use}`",
            help=did_you_mean(use, names(kind)) + "; your own: `./file.py:name` or `package.module:name`",
        )
    return spec


def load(kind: Kind, use: str, *, base: Path | None = None) -> Any:
    """The function or class that `use` names, imported. Raises PluginError when it is not there or importing fails."""
    try:
        return resolve(locate(kind, use), base=base)
    except ContractError as error:
        raise PluginError(str(error), where=error.where, cause=error.cause, help=error.help) from error


def is_shipped(kind: Kind, use: str) -> bool:
    """Whether `use` names code of this distribution, which loading a recipe may import."""
    if ":" not in use:
        return (kind, use) in TABLE
    return not use.rpartition(":")[0].endswith(".py") and not is_user_code(use)


def sections(recipe: "Recipe") -> Iterator[tuple[Kind, tuple[str | int, ...], Section]]:
    """Every plug-in of a recipe: its kind, its place in the recipe and its section."""
    for index, source in enumerate(recipe.source):
        yield "source", ("source", index), source
        yield "prompt", ("source", index, "prompt"), source.prompt
    yield "strategy", ("strategy",), recipe.strategy
    yield "teacher", ("teacher",), recipe.teacher
    for index, check in enumerate(recipe.verify):
        yield "verifier", ("verify", index), check


def user_code(recipe: "Recipe") -> list[tuple[str, str]]:
    """Code that running `recipe` would import and that did not ship with us: its place in the recipe and its `use`."""
    return [
        (".".join(map(str, place)), section.use)
        for kind, place, section in sections(recipe)
        if not is_shipped(kind, section.use)
    ]


# ---------------------------------------------------------------- options


@dataclass(frozen=True, slots=True)
class OptionProblem:
    """One option that does not fit a plug-in's signature."""

    location: tuple[str | int, ...]
    """From the section: the option, then keys inside its value. Empty when an option is missing."""
    message: str
    help: str = ""
    unknown: bool = False
    """The key itself is wrong, not its value."""


def option_problems(
    function: Callable[..., Any], options: Mapping[str, Any], *, name: str, keys: Collection[str] = ()
) -> list[OptionProblem]:
    """Everything that is wrong with `options` for the plug-in called `name`, not only the first thing.

    `keys` are those that the section itself knows: a mistyped option may be one of them.
    """
    known = option_types(function)
    help_keys = [*known, *(key for key in keys if key != "use")]
    found = [
        OptionProblem((key,), f"unknown option `{key}` for `{name}`", did_you_mean(key, help_keys), unknown=True)
        for key in options
        if key not in known
    ]
    for key, (annotation, default) in known.items():
        if key in options:
            found += _value_problems(key, options[key], annotation)
        elif default is inspect.Parameter.empty:
            found.append(OptionProblem((), f"`{name}` needs the option `{key}`"))
    return found


def _value_problems(key: str, value: Any, annotation: Any) -> list[OptionProblem]:
    from pydantic import TypeAdapter, ValidationError

    from distill.wording import say

    try:
        TypeAdapter(str if is_path(annotation) else annotation).validate_python(value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [OptionProblem((key, *d["loc"]), f"`{key}` {say(d)[0]}", say(d)[1]) for d in details]
    return []


# ---------------------------------------------------------------- building


def build(kind: Kind, section: Section, *, base: Path, where: str = "") -> Any:
    """The plug-in of a section, resolved, with its options bound.

    source: a function without arguments that returns an iterable of records. prompt: a function `(question, meta) ->
    str` whose path options are filled from the row. strategy, teacher: an instance; a teacher that has a `base` is told
    the recipe's directory. verifier: a `verify.contract.Check`. Relative paths start at `base`.
    Raises PluginError naming `where` (a place in the recipe) when it cannot be found, imported or called.
    """
    try:
        if kind == "verifier":
            return _build_check(section, base)
        function = load(kind, section.use, base=base)
        bound = bind_options(function, section.options, where=where or section.use)
        return _finish(kind, function, bound, base.resolve())
    except ContractError as error:
        place = error.where or where
        raise PluginError(str(error), where=place, cause=error.cause, help=error.help) from error


def _finish(kind: Kind, function: Callable[..., Any], bound: dict[str, Any], base: Path) -> Any:
    if kind == "source":
        return functools.partial(function, **_absolute(function, bound, base))
    if kind == "prompt":
        return functools.partial(_prompt, function, bound, base)
    with boundary(f"the {kind} `{function.__name__}`"):
        made = function(**_absolute(function, bound, base))
    if kind == "teacher" and hasattr(made, "base"):
        made.base = base
    return made


def _prompt(function: Callable[..., str], bound: Mapping[str, Any], base: Path, question: str, meta: Any) -> str:
    return function(question, meta, **fill_options(function, bound, meta, base=base))


def _absolute(function: Callable[..., Any], bound: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Path options made absolute; those with a `{name}` to fill per row stay templates."""
    known = option_types(function)
    return {
        key: base / value if isinstance(value, str) and is_path(known[key][0]) and "{" not in value else value
        for key, value in bound.items()
    }


def _build_check(section: Any, base: Path) -> Check:
    return Check.build(
        locate("verifier", section.use),
        section.options,
        required=section.required,
        when=section.when,
        base=base,
        name=section.check_name,
    )
