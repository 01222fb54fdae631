"""What a validator found, in words for a person who has never heard of it, at its place in the file.

May be imported by recipe and plugins; imports located, errors and the verdict contract.
Design reason: one wording for our own models and for the options of every plug-in, so that a typo reads the same
wherever it is made.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from distill import located
from distill.errors import Problem
from distill.located import Document, Place
from verify.contract import did_you_mean


def problems(
    document: Document,
    data: Any,
    error: ValidationError,
    *,
    model: type[BaseModel],
    ignore: Collection[Place] = (),
    missing: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Every error of `data` against `model`, located in `document`, one per place.

    Places in `ignore` are left out. `missing` gives a help line for keys that are not there.
    """
    found: dict[tuple[Any, ...], Problem] = {}
    for detail in error.errors(include_url=False):
        place = located.follow(data, detail["loc"])
        absent = str(detail["loc"][-1]) if detail["type"] == "missing" else ""
        if place not in ignore:
            help = (missing or {}).get(absent, "")
            found.setdefault((place, absent), _problem(document, detail, place, model=model, help=help))
    return list(found.values())


def _problem(document: Document, detail: Any, place: Place, *, model: type[BaseModel], help: str) -> Problem:
    if detail["type"] == "extra_forbidden":
        return _unknown_key(document, place, _model_at(model, place[:-1]))
    if detail["type"] == "missing":
        inside = f" in {_dotted(place)}" if place else ""
        return document.problem(place, f"`{detail['loc'][-1]}` is missing{inside}", help=help, key=True)
    said, hint = say(detail)
    if not place:
        return document.problem(place, said, help=hint)
    # what a model says of several of its keys names them itself
    message = f"{said} (in {_dotted(place)})" if said.startswith("`") else f"{_dotted(place)} {said}"
    return document.problem(place, message, help=hint, key=detail["loc"][-1] == "[key]")


def _unknown_key(document: Document, place: Place, model: type[BaseModel]) -> Problem:
    inside = f" in {_dotted(place[:-1])}" if place[:-1] else ""
    help = did_you_mean(str(place[-1]), list(model.model_fields)).replace("known here:", "keys here:")
    return document.problem(place, f"unknown key `{place[-1]}`{inside}", help=help, key=True)


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model that describes what stands at `place`."""
    for step in place:
        field = model.model_fields.get(str(step))
        model = (_inner_model(field.annotation) if field else None) or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_inner_model, get_args(annotation)) if found), None)


def _dotted(place: Place) -> str:
    return f"`{'.'.join(map(str, place))}`"


_SAYS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "list": "must be a list",
    "dict": "must be a mapping of keys to values",
    "model": "must be a mapping of keys to values",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be {:g} or more"),
    "less_than_equal": ("le", "must be {:g} or less"),
    "greater_than": ("gt", "must be more than {:g}"),
    "less_than": ("lt", "must be less than {:g}"),
}


def say(detail: Any) -> tuple[str, str]:
    """One pydantic error as a predicate ("must be a whole number") and a help line, which may be empty."""
    kind, context = str(detail["type"]), detail.get("ctx", {})
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = re.match(r"did you mean `[^`]*`\?", did_you_mean(str(detail["input"]), choices))
        return "must be " + " or ".join(f"`{one}`" for one in choices), near[0] if near else ""
    if kind == "value_error":
        return str(context["error"]), ""
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        return text.format(context[key]), ""
    if kind in ("string_too_short", "too_short"):
        return "must not be empty", ""
    if kind == "string_pattern_mismatch":
        return f"must match `{context['pattern']}`", ""
    message = str(detail["msg"])
    return _SAYS.get(kind.partition("_")[0], message[:1].lower() + message[1:]), ""
