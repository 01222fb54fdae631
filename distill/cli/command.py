"""What every command has: examples before everything else in its help, and the global flags.

May be imported by the commands and the root; imports the session.
Design reason: `distill --json run …` and `distill run … --json` mean the same, so one list of flags serves both.
"""

from typing import Any

import click

from distill.cli.session import Session


class Command(click.Command):
    """A command with the global flags and with examples before everything else in its help."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params += global_options()

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples, then what it does, then usage and options."""
        write_block(formatter, "Examples", self.examples)
        self.format_help_text(ctx, formatter)
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)


def write_block(formatter: click.HelpFormatter, title: str, text: str) -> None:
    """A titled block of lines as they are, without wrapping."""
    lines = "".join(f"  {line}\n" for line in text.strip("\n").splitlines())
    formatter.write(f"{title}:\n{lines}")


def global_options() -> list[click.Parameter]:
    """The flags that mean the same before and after every command."""

    def put(name: str, value: Any) -> Any:
        def callback(ctx: click.Context, param: click.Parameter, given: Any) -> None:
            if given:
                setattr(ctx.ensure_object(Session), name, value)

        return callback

    def verbosity(ctx: click.Context, param: click.Parameter, given: int) -> None:
        if given:
            ctx.ensure_object(Session).verbosity = given

    def flag(name: str, help: str, callback: Any, **kwargs: Any) -> click.Option:
        return click.Option([*name.split()], help=help, expose_value=False, callback=callback, **kwargs)

    return [
        flag("--json", "One JSON object on stdout, an error too.", put("json", True), is_flag=True),
        flag("-v --verbose", "Say more.", verbosity, count=True),
        flag("-q --quiet", "Say only what failed.", put("verbosity", -1), is_flag=True),
        flag("--no-color", "No colours (also NO_COLOR).", put("no_color", True), is_flag=True),
        flag("--debug", "Show tracebacks.", put("debug", True), is_flag=True),
    ]
