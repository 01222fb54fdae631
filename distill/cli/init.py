"""`distill init`: copy a working recipe with its inputs.

Imported by the root when the command is used.
Design reason: the recipe's text is edited at the positions of its values, never written anew, so its comments survive;
and values are taken for paths by looking for the file, so no code of a recipe has to be imported to copy it.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distill.cli.command import Command
from distill.cli.session import Session, session
from distill.errors import UsageError

if TYPE_CHECKING:
    from distill.located import Document, Place

_EXAMPLES = """
distill init mine                            the graph_sql recipe, with the documents and graphs it reads
distill init mine --from graph_sql_openai    the same with a model of yours
distill init mine --from custom/verifier     a small one that shows a plug-in of your own
"""
_CHECKS = '''"""Checks of your own. Name one in recipe.yaml under `verify:`, such as `use: ./checks.py:row_limit`."""

from distill import Case, Verdict, verifier


@verifier
def row_limit(case: Case, *, most: int = 100) -> Verdict:
    """The answer has at most `most` lines. Replace this by what matters in your domain."""
    lines = len(case.answer.splitlines())
    return Verdict("pass" if lines <= most else "fail", reason=f"{lines} lines, limit {most}")
'''
_ENV = """# Copy to .env and fill in. `distill` reads .env beside the recipe; keys never reach a run directory.
TEACHER_API_KEY=
"""


_EXPLAIN = ("lexicon.yaml", "README.md", "LICENSE")
"""What belongs to a family of inputs: the words the symbolic teacher uses for them, their origin, their licence."""


@dataclass(frozen=True, slots=True)
class _Input:
    """A value of the recipe that names files, and where they go."""

    place: "Place"
    written: str
    rewritten: str
    files: tuple[tuple[Path, Path], ...]
    """From, and to relative to the new directory."""


@click.command(cls=Command, examples=_EXAMPLES)
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "origin",
    default="graph_sql",
    show_default=True,
    envvar="DISTILL_INIT_FROM",
    metavar="RECIPE",
    help="What to start from.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are already there.")
@session
def init(current: Session, directory: Path, origin: str, force: bool) -> None:
    """Copy a recipe and the files it names into DIRECTORY, with an example check and a place for keys."""
    from distill import located
    from distill.shelf import find_recipe

    path = find_recipe(origin)
    document = located.read(path)
    inputs = list(_inputs(document, path.parent))
    texts = {
        Path("recipe.yaml"): _rewritten(path, document, inputs, name=_name(directory)),
        Path("checks.py"): _CHECKS,
        Path(".env.example"): _ENV,
    }
    copies = {target: source for one in inputs for source, target in one.files}
    _refuse_overwriting(directory, [*texts, *copies], force=force)
    for target, source in copies.items():
        (directory / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, directory / target)
    for target, text in texts.items():
        (directory / target).parent.mkdir(parents=True, exist_ok=True)
        (directory / target).write_text(text, encoding="utf-8")
    _say(current, directory, [*texts, *sorted(copies)])


def _say(current: Session, directory: Path, created: list[Path]) -> None:
    current.object({"directory": str(directory), "created": [str(path) for path in created]})
    current.answer(f"created in {directory}: " + "  ".join(str(path) for path in created))
    step = "" if directory.resolve() == Path.cwd() else f"cd {directory} && "
    current.note(f"next  {step}distill check recipe.yaml\n      {step}distill run recipe.yaml")


def _name(directory: Path) -> str:
    """A plain name for the recipe: the directory's."""
    return re.sub(r"[^\w.\-]+", "_", directory.resolve().name).strip("._-") or "mine"


def _refuse_overwriting(directory: Path, targets: list[Path], *, force: bool) -> None:
    there = [str(directory / target) for target in targets if (directory / target).exists()]
    if there and not force:
        shown = ", ".join(there[:5]) + (", …" if len(there) > 5 else "")
        raise UsageError(f"already there: {shown}", help="another directory, or --force to overwrite them")


# ---------------------------------------------------------------- which values name files


def _inputs(document: "Document", base: Path) -> Iterator[_Input]:
    from distill.located import texts

    for place, text in texts(document.data):
        if place[0] in ("name", "description") or "\n" in text or not text.strip() or "${" in text:
            continue
        files = _files(text.rpartition(":")[0] if place[-1] == "use" else text, base)
        if files:
            moved = _inside(text)
            targets = tuple((file, Path(_inside(os.path.relpath(file, base)))) for file in files)
            yield _Input(place, text, moved, targets)


def _files(text: str, base: Path) -> list[Path]:
    """The files that a value names: itself, or with `{name}` every file it may mean and what explains those.

    Nothing else comes along, and nothing hidden: the directory may be anybody's home.
    """
    pattern = re.sub(r"\{\w+\}", "*", text)
    if not pattern or Path(pattern).is_absolute():
        return []
    folder, name = (base / pattern).parent, Path(pattern).name
    found = sorted(folder.glob(name)) if "*" in name else [folder / name]
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    beside = [folder / name for name in _EXPLAIN if (folder / name).is_file()] if files and "*" in name else []
    return files + beside


def _inside(text: str) -> str:
    """The path without leading `../`: everything lands below the new directory."""
    return re.sub(r"^(\.\./)+", "", text.replace("\\", "/"))


def _rewritten(path: Path, document: "Document", inputs: list[_Input], *, name: str) -> str:
    """The recipe's text with its comments, only the paths and the name changed."""
    lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    changes = [(document.values[one.place], one.rewritten) for one in inputs if one.rewritten != one.written]
    changes.append((document.values[("name",)], name))
    for span, text in sorted(changes, key=lambda change: (change[0].line, change[0].column), reverse=True):
        line, start = lines[span.line - 1], span.column - 1
        quoted = f'"{text}"' if re.search(r"[{}\[\],#:]", text) else text
        lines[span.line - 1] = line[:start] + quoted + line[start + span.length :]
    return "".join(lines)
