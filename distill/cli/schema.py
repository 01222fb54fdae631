"""`distill schema`: the JSON schema of recipes.

Imported by the root when the command is used.
Design reason: the schema is made from the models that validate, so an editor never disagrees with `distill check`.
"""

import click

from distill.cli.command import Command

_EXAMPLES = """
distill schema > recipe.schema.json
echo '# yaml-language-server: $schema=recipe.schema.json'     first line of a recipe, for editors
"""


@click.command(cls=Command, examples=_EXAMPLES)
def schema() -> None:
    """Print the JSON schema of recipes, for editors and other tools."""
    import orjson

    from distill.recipe import recipe_schema

    click.echo(orjson.dumps(recipe_schema(), option=orjson.OPT_INDENT_2))
