"""The recipe: what a person writes, validated, with every problem pointed at in the file.

Lives here: the models, `${ENV}`, `--set`, the digest and the JSON schema. Positions come from `located`.
May be imported by every module that is handed a recipe; imports plugins, located and errors. Loading imports built-in
plug-ins to check their options, never code of the user's.
Design reason: what was written and what it means are both kept, so a secret can be used without ever being serialised.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from distill import located, plugins, secret, wording
from distill.errors import PluginError, Problem, RecipeError, SetupError
from distill.located import Document, Place
from distill.secret import VARIABLE
from distill.shelf import find_recipe

# ---------------------------------------------------------------- the models


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _named(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


class Plugin(_Model):
    """A plug-in and its options: every key beside the known ones is an option of the plug-in."""

    model_config = ConfigDict(extra="allow")

    use: str = Field(min_length=1)
    """A name from `distill list`, `package.module:attr`, or `./file.py:attr` relative to the recipe."""

    @property
    def options(self) -> dict[str, Any]:
        """The plug-in's own options."""
        return dict(self.model_extra or {})

    def __repr__(self) -> str:
        """Without the options: they may hold a key."""
        return f"{type(self).__name__}(use={self.use!r})"

    __str__ = __repr__


PluginOrName = Annotated[Plugin, BeforeValidator(_named)]


class SourceConfig(Plugin):
    """Where rows come from."""

    fields: dict[Literal["prompt", "answer", "reasoning", "category"], str] = Field(default_factory=dict)
    """Our name of a field to the source's own column: `{prompt: question, answer: sql}`."""
    on_bad_row: Literal["skip", "stop"] = "skip"
    """`skip` counts malformed rows and goes on within `limits.bad_rows`; `stop` ends at the first."""
    prompt: PluginOrName = Plugin(use="plain")
    """How a question becomes the prompt that the student sees."""


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", value):
        raise ValueError("must be a language code such as `en` or `zh`")
    return value


def _plain_name(value: str) -> str:
    if not re.fullmatch(r"\w[\w.\-]{0,99}", value):
        raise ValueError("must be a plain name of letters, digits, `_`, `-` and `.`: it names the run directory")
    return value


Language = Annotated[str, AfterValidator(_language)]


class Rephrase(_Model):
    """More phrasings of every question, in one or several languages."""

    languages: Annotated[list[Language], BeforeValidator(_listed)] = Field(min_length=1)
    """Language codes such as `en`, `zh`."""
    per_language: int = Field(default=4, ge=1, le=64)
    """Phrasings of a question in each language; the original is the first in its own."""


class Samples(_Model):
    """How often a row is asked."""

    accept: int = Field(default=1, ge=1)
    """Stop a row when this many samples were accepted."""
    max: int = Field(default=4, ge=1)
    """Ask a row at most this often."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.accept > self.max:
            raise ValueError(f"`accept` is {self.accept}, but at most `max` = {self.max} samples are asked")
        return self


class TeacherConfig(Plugin):
    """Who answers."""


class VerifyConfig(Plugin):
    """One check of every answer."""

    required: bool = False
    """A row is kept only when every required check passes; the others only score."""
    when: dict[str, Annotated[list[Any], BeforeValidator(_listed)]] = Field(default_factory=dict)
    """Apply only to rows whose category or meta has one of these values."""
    name: str | None = None
    """What verdicts are called; needed when a verifier is used twice."""

    @property
    def check_name(self) -> str:
        """`name`, or the last part of `use`."""
        return self.name or self.use.rpartition(":")[2] or self.use


class Dedup(_Model):
    """Which rows count as the same."""

    exact: bool = True
    """Leave out rows whose prompt and completion equal an earlier row's, white space aside."""


class Split(_Model):
    """Held-out shares. A question and its rephrasings always go to the same split."""

    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.1, ge=0, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _leaves_training(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("`validation` and `test` together leave nothing to train on")
        return self


class CurateConfig(_Model):
    """What of the accepted rows becomes the dataset: a view that `distill recheck` recomputes."""

    dedup: Dedup = Dedup()
    split: Split = Split()


class Output(_Model):
    """The form of the dataset."""

    format: Literal["prompt_completion"] = "prompt_completion"


def _concurrency(value: Any) -> Any:
    good = value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65536)
    if not good:
        raise ValueError("must be `auto` or a whole number from 1")
    return value


class Limits(_Model):
    """Where a run stops, and what counts as a good one."""

    rows: int | None = Field(default=None, ge=1)
    """Rows taken from the source."""
    usd: float | None = Field(default=None, gt=0)
    """Money spent, by the teacher's `price`."""
    tokens: int | None = Field(default=None, gt=0)
    """Tokens in and out."""
    minutes: float | None = Field(default=None, gt=0)
    concurrency: Annotated[int | Literal["auto"], BeforeValidator(_concurrency)] = "auto"
    """Requests in flight; `auto` finds what the endpoint can take."""
    bad_rows: float = Field(default=0.05, ge=0, le=1)
    """Share of malformed source rows that is tolerated."""
    min_kept: float = Field(default=0.2, ge=0, le=1)
    """Share of rows kept below which the run ends with exit code 1."""


class Recipe(_Model):
    """A whole recipe. Made by `load_recipe`."""

    name: Annotated[str, AfterValidator(_plain_name)]
    """Also the name of the run directory."""
    description: str = ""
    source: Annotated[list[Annotated[SourceConfig, BeforeValidator(_named)]], BeforeValidator(_listed)] = Field(
        min_length=1
    )
    """One source, or a list."""
    rephrase: Rephrase | None = None
    strategy: PluginOrName = Plugin(use="distil")
    """How a row becomes a question to the teacher, and its reply a trace."""
    samples: Samples = Samples()
    teacher: Annotated[TeacherConfig, BeforeValidator(_named)]
    verify: Annotated[list[Annotated[VerifyConfig, BeforeValidator(_named)]], BeforeValidator(_listed)] = Field(
        default_factory=list
    )
    """Checks in the order they run: cheap first."""
    curate: CurateConfig = CurateConfig()
    output: Output = Output()
    limits: Limits = Limits()

    _base: Path = PrivateAttr(default_factory=Path)
    _path: Path | None = PrivateAttr(default=None)
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)
    _environment: dict[str, str] = PrivateAttr(default_factory=dict)
    _secrets: dict[str, str] = PrivateAttr(default_factory=dict)
    _unset: tuple[Problem, ...] = PrivateAttr(default=())

    @property
    def base(self) -> Path:
        """The directory that relative paths start from."""
        return self._base

    @property
    def path(self) -> Path | None:
        """The file it was read from; None for a mapping."""
        return self._path

    def resolved(self) -> dict[str, Any]:
        """The whole recipe with its defaults as plain data; values from the environment stay `${NAME}`."""
        plain = self.model_dump(mode="json")
        restored: dict[str, Any] = _as_written(plain, self._written)
        return restored

    @property
    def digest(self) -> str:
        """24 hex digits that change when the recipe means something else."""
        import orjson

        text = orjson.dumps(self.resolved(), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(text, digest_size=12).hexdigest()

    @property
    def environment(self) -> list[str]:
        """Names of the environment variables that were filled in."""
        return sorted(self._environment)

    @property
    def unset(self) -> tuple[Problem, ...]:
        """Variables that the recipe names and that are not set; only where loading was told not to need them."""
        return self._unset

    def redact(self, text: str) -> str:
        """`text` with every secret, from the environment or written in the recipe, replaced by its `${NAME}`."""
        return secret.redact(text, self._secrets)

    def __repr__(self) -> str:
        """Name and digest only: options may hold a key."""
        return f"Recipe({self.name!r}, digest={self.digest!r})"

    __str__ = __repr__


def _as_written(plain: Any, written: Any) -> Any:
    """`plain` (validated, with defaults) with every value that was written as `${NAME}` put back as written."""
    if isinstance(written, str) and VARIABLE.search(written):
        return written
    if isinstance(plain, list):
        items = written if isinstance(written, list) else [written]
        return [_as_written(one, items[index]) if index < len(items) else one for index, one in enumerate(plain)]
    if isinstance(plain, dict):
        known = written if isinstance(written, dict) else {"use": written}
        return {key: _as_written(value, known.get(key)) for key, value in plain.items()}
    return plain


# ---------------------------------------------------------------- loading


def load_recipe(
    recipe: str | Path | Mapping[str, Any],
    *,
    set: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    need_env: bool = True,
    base: Path | None = None,
) -> Recipe:
    """Read and validate a recipe: a path, the name of a shipped one, or a mapping.

    `set` overrides keys by dotted path (`{"limits.rows": 20}`). `env` replaces `os.environ` for `${NAME}`; with
    `need_env=False` names that are not set stay as written. `base` is where relative paths start: the recipe's own
    directory if not given.
    Raises RecipeError with all problems at once, or SetupError when a variable is not set.
    """
    document, path = _open(recipe)
    for key, value in (set or {}).items():
        located.assign(document, key, value, flag=f"--set {secret.mask_flag(key, str(value))}")
    named = secret.take_out(document.data)
    written = document.data
    filled, used, unset = _fill(document, {**(os.environ if env is None else env), **named})
    problems = [*document.problems, *_too_large(document, filled)]
    problems = problems or [*_validate(document, filled, unset), *_plugin_problems(document, filled)]
    if problems:
        in_order = sorted(problems, key=lambda one: (not one.line, one.line, one.column))
        raise RecipeError([_redacted(one, used, named) for one in in_order])
    absent = tuple(_redacted(_unset_problem(document, place, name), used, named) for place, name in unset.items())
    if absent and need_env:
        raise _unset_error(absent)
    try:
        result = Recipe.model_validate(filled)
    except ValidationError:  # only a value that is not set can still be wrong here, such as `rows: ${ROWS}`
        raise _unset_error(absent) from None
    result._base, result._path = base or (path.parent if path else Path.cwd()), path
    result._environment = {name: value for name, value in used.items() if name not in named}
    result._written, result._secrets, result._unset = written, used, absent
    return result


def _open(recipe: str | Path | Mapping[str, Any]) -> tuple[Document, Path | None]:
    if isinstance(recipe, Mapping):
        return Document("", data=_copied(recipe)), None
    path = find_recipe(recipe)
    try:
        return located.read(path), path
    except RecipeError as error:  # nobody knows what is a secret in it, but what looks like one is not shown
        raise RecipeError([_redacted(one, {}, {}) for one in error.problems]) from None


def _copied(data: Any) -> Any:
    """Plain containers, so that `--set` never changes what the caller holds."""
    if isinstance(data, Mapping):
        return {str(key): _copied(value) for key, value in data.items()}
    return [_copied(one) for one in data] if isinstance(data, list | tuple) else data


def _too_large(document: Document, data: Any, place: Place = ()) -> Iterator[Problem]:
    """Whole numbers that JSON readers and databases cannot hold; said before anything is asked."""
    if isinstance(data, dict | list):
        pairs = data.items() if isinstance(data, dict) else enumerate(data)
        for key, value in pairs:
            yield from _too_large(document, value, (*place, key))
    elif isinstance(data, int) and not -(2**63) <= data < 2**63:
        name = ".".join(map(str, place))
        yield document.problem(place, f"`{name}` is too large a number", help="it must fit into 64 bits")


def _validate(document: Document, data: dict[str, Any], unset: Collection[Place]) -> list[Problem]:
    """Problems of the data against the models; those of a value whose variable is not set are not its fault."""
    try:
        Recipe.model_validate(data)
    except ValidationError as error:
        return wording.problems(document, data, error, model=Recipe, ignore=unset, missing=_MISSING_HELP)
    return []


_MISSING_HELP = {
    "name": "the name of the run directory, such as `name: mine`",
    "source": "where rows come from, such as `source: {use: files, path: questions.jsonl}`",
    "teacher": "who answers, such as `teacher: {use: openai, model: …, base_url: …}`",
    "use": "a name from `distill list`, or `./file.py:name`",
}


# ---------------------------------------------------------------- plug-ins at load


def _written_plugins(data: Mapping[str, Any]) -> Iterator[tuple[plugins.Kind, Place, Plugin]]:
    """Every plug-in that is written in the data and that is itself well-formed, whatever is wrong around it."""
    sources, checks = _places(data, "source"), _places(data, "verify")
    found: list[tuple[plugins.Kind, type[Plugin], Place]] = []
    for place in sources:
        found += [("source", SourceConfig, place), ("prompt", Plugin, (*place, "prompt"))]
    found += [("verifier", VerifyConfig, place) for place in checks]
    found += [("strategy", Plugin, ("strategy",)), ("teacher", TeacherConfig, ("teacher",))]
    for kind, model, place in found:
        if located.follow(data, place) == place:
            with suppress(ValidationError):
                yield kind, place, model.model_validate(_named(_at(data, place)))


def _places(data: Mapping[str, Any], name: str) -> list[Place]:
    """Places of the entries under `name`, which is one or a list."""
    written = data.get(name)
    return [(name, index) for index in range(len(written))] if isinstance(written, list) else [(name,)]


def _at(data: Any, place: Place) -> Any:
    for step in place:
        data = data[step]
    return data


def _plugin_problems(document: Document, data: Mapping[str, Any]) -> Iterator[Problem]:
    checks: set[str] = set()
    for kind, place, section in _written_plugins(data):
        if isinstance(section, VerifyConfig):
            if section.check_name in checks:
                help = "give one of them a `name` of its own"
                yield document.problem((*place, "use"), f"two checks are called `{section.check_name}`", help=help)
            checks.add(section.check_name)
        yield from _option_problems(document, place, kind, section)


def _option_problems(document: Document, place: Place, kind: plugins.Kind, section: Plugin) -> Iterator[Problem]:
    try:
        plugins.locate(kind, section.use)
    except PluginError as error:
        yield document.problem((*place, "use"), str(error), help=error.help)
        return
    if not plugins.is_shipped(kind, section.use):
        return
    function, keys = plugins.load(kind, section.use), type(section).model_fields
    for found in plugins.option_problems(function, section.options, name=section.use, keys=keys):
        option = located.follow(document.data, (*place, *found.location))
        inner = ".".join(map(str, option[len(place) :]))
        message = found.message.replace(f"`{found.location[0]}`", f"`{inner}`", 1) if inner else found.message
        yield document.problem(option, message, help=found.help, key=found.unknown or not found.location)


# ---------------------------------------------------------------- the environment


def _fill(document: Document, env: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], dict[Place, str]]:
    """The data with `${NAME}` filled, the values used by name, and the places of names that are not set."""
    used: dict[str, str] = {}
    unset: dict[Place, str] = {}
    for place, text in located.texts(document.data):
        for name in VARIABLE.findall(text):
            if env.get(name):
                used[name] = env[name]
            else:
                unset.setdefault(place, name)
    filled: dict[str, Any] = _replaced(document.data, used)
    return filled, used, unset


def _replaced(data: Any, used: Mapping[str, str]) -> Any:
    if isinstance(data, str):
        return VARIABLE.sub(lambda match: used.get(match[1], match[0]), data)
    if isinstance(data, dict):
        return {key: _replaced(value, used) for key, value in data.items()}
    return [_replaced(one, used) for one in data] if isinstance(data, list) else data


def _unset_problem(document: Document, place: Place, name: str) -> Problem:
    problem = document.problem(place, f"{name} is not set")
    return replace(problem, source=problem.source.strip())


def _unset_error(unset: tuple[Problem, ...]) -> SetupError:
    names = list(dict.fromkeys(one.message.removesuffix(" is not set") for one in unset))
    verb = "is" if len(names) == 1 else "are"
    return SetupError(
        f"{', '.join(names)} {verb} not set",
        where=f"{unset[0].where}   {unset[0].source}".rstrip(),
        help=f"put it in .env beside the recipe, or: export {names[0]}=…\n"
        "no key at hand? distill run graph_sql    uses the embedded teacher",
    )


def _redacted(problem: Problem, used: dict[str, str], written: dict[str, str]) -> Problem:
    """Without secrets; in the line of the file they are masked, so that what points into it still does."""
    return replace(
        problem,
        message=secret.redact(problem.message, used),
        file=secret.redact(problem.file, used),
        help=secret.redact(problem.help, used),
        source=secret.mask(problem.source, written),
    )


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of a recipe, for editors; `distill schema` prints it."""
    schema = Recipe.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "distill recipe"}
