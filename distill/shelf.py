"""Recipes that ship with this distribution, and how a name or a path becomes a recipe's file.

May be imported by recipe and the command line; imports errors and the verdict contract.
Design reason: a checkout and an installed wheel keep recipes in different places, and only this file knows both.
"""

from pathlib import Path

from distill.errors import UsageError
from verify.contract import did_you_mean


def home() -> Path:
    """The directory of the shipped recipes: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped" / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Name to path of every recipe that ships with us, such as `graph_sql`, `custom/verifier`."""
    root = home()
    paths = sorted(root.rglob("*.yaml"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe: a path, a directory that holds `recipe.yaml`, or the name of a shipped one.

    Raises UsageError when there is none.
    """
    path = Path(name)
    if path.is_dir() and (path / "recipe.yaml").is_file():
        return path / "recipe.yaml"
    if path.exists() and not path.is_dir():
        return path
    known = shipped_recipes()
    found = known.get(str(name).removesuffix(".yaml").removeprefix("recipes/"))
    if found is not None:
        return found
    if path.is_dir():
        raise UsageError(f"no `recipe.yaml` in `{name}`", help=f"make one: distill init {name}")
    what = "file" if path.suffix in (".yaml", ".yml") else "recipe"
    raise UsageError(f"no {what} `{name}`", help=did_you_mean(str(name), list(known)))
