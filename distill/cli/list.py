"""`distill list`: recipes, plug-ins with their options, runs.

Imported by the root when the command is used.
Design reason: options are read from signatures, so the list cannot differ from what a recipe may say.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import click

from distill.cli.command import Command
from distill.cli.session import Session, runs, session
from distill.errors import DistillError

_EXAMPLES = """
distill list                    everything
distill list verifiers          what can be checked, with options and defaults
distill list recipes -q         names only, for scripts
"""
_KINDS = {
    "sources": "source",
    "prompts": "prompt",
    "strategies": "strategy",
    "teachers": "teacher",
    "verifiers": "verifier",
}
_WHAT = ["recipes", *_KINDS, "runs"]


@click.command("list", cls=Command, examples=_EXAMPLES)
@click.argument("what", required=False, type=click.Choice(_WHAT))
@session
def list_(current: Session, what: str | None) -> None:
    """Show what is there. Plug-ins come with their options and defaults, read from their code."""
    found = {one: list(_entries(one)) for one in ([what] if what else _WHAT)}
    current.object(found)
    for title, entries in found.items():
        if current.verbosity < 0:
            current.answer("\n".join(str(entry["name"]) for entry in entries))
            continue
        current.answer(f"{title}" + ("" if entries else "  none"))
        width = max([len(str(entry["name"])) for entry in entries], default=0)
        for entry in entries:
            current.answer(f"  {entry['name']:<{width}}  {entry['about']}")
            for option, text in entry.get("options", {}).items():
                current.answer(f"  {'':<{width}}    {option}: {text}")


def _entries(what: str) -> Iterator[dict[str, Any]]:
    if what == "recipes":
        return _recipes()
    if what == "runs":
        return iter([{"name": run.name, "about": str(run)} for run in runs()])
    return _plugins(what)


def _recipes() -> Iterator[dict[str, Any]]:
    from distill import located
    from distill.shelf import shipped_recipes

    for name, path in shipped_recipes().items():
        yield {"name": name, "about": str(located.read(path).data.get("description", ""))}


def _plugins(what: str) -> Iterator[dict[str, Any]]:
    from distill import plugins

    kind: Any = _KINDS[what]
    for name in plugins.names(kind):
        if not plugins.is_shipped(kind, name):
            yield {"name": name, "about": f"installed: {plugins.locate(kind, name)}"}
            continue
        try:
            function = plugins.load(kind, name)
        except DistillError as error:
            yield {"name": name, "about": f"not available: {error.cause or error}"}
            continue
        about = (inspect.getdoc(function) or "").partition("\n")[0]
        yield {"name": name, "about": about, "options": _options(function)}


def _options(function: Callable[..., Any]) -> dict[str, str]:
    from verify.contract import option_types

    return {
        option: _type_name(annotation) + ("" if default is inspect.Parameter.empty else f" = {default!r}")
        for option, (annotation, default) in option_types(function).items()
    }


def _type_name(annotation: Any) -> str:
    """`Path`, `int | None`, `auto | jsonl | csv`: the annotation without module names."""
    if get_origin(annotation) is Literal:
        return " | ".join(str(choice) for choice in get_args(annotation))
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)
