"""`distill check`: is this recipe, or this machine, ready?

Imported by the root when the command is used.
Design reason: findings are shown as they are made, so code of others is named on the screen before it is imported.
"""

import asyncio
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from distill.cli.command import Command
from distill.cli.session import Session, load, session

if TYPE_CHECKING:
    from distill.readiness import Finding
    from distill.recipe import Recipe

_EXAMPLES = """
distill check recipe.yaml               offline: schema, source, prompts, verifiers against the golds
distill check recipe.yaml --online      and the teacher answers a few tokens
distill check recipe.yaml --list-code   which code of others it would run; runs none of it
distill check                           this machine, for reports of defects
"""


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("recipe", required=False)
@click.option("--online", is_flag=True, help="Also ask the teacher for a few tokens.")
@click.option("--list-code", is_flag=True, help="List the code that the recipe names, import nothing, stop.")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
@session
def check(current: Session, recipe: str | None, online: bool, list_code: bool, set: tuple[str, ...]) -> int:
    """Say whether RECIPE is ready to run, without spending anything. Without RECIPE: about this machine."""
    from distill import readiness

    if recipe is None:
        return _report(current, readiness.environment())
    loaded = load(current, recipe, set=set, need_env=False)
    if list_code:
        return _report(current, readiness.code(loaded))
    return asyncio.run(_all(current, loaded, online=online))


async def _all(current: Session, recipe: "Recipe", *, online: bool) -> int:
    from distill.readiness import findings

    found = []
    async for one in findings(recipe, online=online):
        _show(current, one)
        found.append(one)
    return _end(current, found)


def _report(current: Session, found: "list[Finding]") -> int:
    for one in found:
        _show(current, one)
    return _end(current, found)


def _show(current: Session, finding: "Finding") -> None:
    from distill.cli.errors import visible

    colors = {"ok": "green", "fail": "red", "warn": "yellow", "skip": "bright_black"}
    status = f"{finding.status:<4}"
    shown = click.style(status, fg=colors[finding.status]) if current.color else status
    text = current.redact(visible(finding.text))
    if current.verbosity >= 0 or finding.status == "fail":
        current.answer(f"{finding.section:<10}  {shown}  {text}")
        for line in finding.detail:
            current.answer(f"{'':<18}{current.redact(visible(line))}")


def _end(current: Session, found: "list[Finding]") -> int:
    code = max((one.exit_code for one in found), default=0)
    current.object({"ready": code == 0, "findings": [asdict(one) for one in found]})
    counts = Counter(one.status for one in found)
    if counts["fail"]:
        current.note(f"not ready: {counts['fail']} of {len(found)} findings failed")
    return code
