"""The root of the command line: its table of commands, its help, and how errors become text and an exit code.

May be imported by the package only; a command's module is imported when the command is used.
Design reason: `distill --help` must feel instant, so the group knows its commands as strings, and a command imports the
engine inside its function.
"""

import io
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from distill import __version__
from distill.cli.command import global_options, write_block
from distill.cli.errors import exit_code, is_for_people, render_error, render_unexpected, write_log
from distill.cli.session import Session
from distill.errors import Stopped, UsageError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("distill.cli.init:init", "Start from a working recipe: copy it with its inputs."),
    "list": ("distill.cli.list:list_", "What is there: recipes, plug-ins with their options, runs."),
    "check": ("distill.cli.check:check", "Is this recipe ready? Without a recipe: is this machine?"),
    "preview": ("distill.cli.preview:preview", "A few rows through the whole pipeline, to read."),
    "run": ("distill.cli.run:run", "Make the dataset, or continue it."),
    "show": ("distill.cli.show:show", "What happened: a run, a row, why rows were left out."),
    "recheck": ("distill.cli.recheck:recheck", "New verifiers or curation over a run, without the teacher."),
    "report": ("distill.cli.report:report", "One self-contained HTML file about a run."),
    "schema": ("distill.cli.schema:schema", "The JSON schema of recipes, for editors."),
}
"""Commands in the order of use: where their code is, and what `--help` says of them."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now. Raises UsageError with the nearest name."""
        if cmd_name not in COMMANDS:
            from verify.contract import did_you_mean

            raise UsageError(f"no command `{cmd_name}`", help=did_you_mean(cmd_name, list(COMMANDS)))
        import importlib

        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


class _Root(LazyGroup):
    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_block(formatter, "Examples", _EXAMPLES)
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl([record for p in self.get_params(ctx) if (record := p.get_help_record(ctx))])
        formatter.write_paragraph()
        write_block(formatter, "Exit codes", _EXIT_CODES)
        formatter.write_paragraph()
        write_block(formatter, "With --json, stdout is one object", _JSON)
        formatter.write_paragraph()
        write_block(formatter, "Environment", _ENVIRONMENT)


_EXAMPLES = """
distill run graph_sql                   no key, no GPU: the embedded teacher
distill init mine && cd mine            your own recipe, to edit
distill check recipe.yaml --online      is it ready?
distill preview recipe.yaml -n 3        what will rows look like?
distill show last --dropped             why rows were left out
"""
_EXIT_CODES = """
0    done
1    finished, but below what the recipe accepts
2    usage or recipe
3    environment: a key, an endpoint, an extra, a permission
4    stopped early; the same command continues
130  Ctrl-C; the same command continues
"""
_JSON = """
{"format": 1, …}                               what the command found or made
{"format": 1, "error": {…}, "exit_code": 2}    why it could not: kind, message, where, cause, help, state
"""
_ENVIRONMENT = """
DISTILL_RUNS               where runs live (./runs)
DISTILL_<COMMAND>_<FLAG>   any flag, such as DISTILL_RUN_CONCURRENCY=8
NO_COLOR                   no colours
"""


def _print_version(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    if given and not ctx.resilient_parsing:
        click.echo(f"distill {__version__}")
        ctx.exit()


_SETTINGS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "DISTILL", "terminal_width": 96}


@click.group(cls=_Root, context_settings=_SETTINGS, params=global_options(), no_args_is_help=True)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="The version."
)
def cli() -> None:
    """Distil reasoning into small models: from questions and documents to verified data."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point: runs one command and ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no Chinese still gets the rest
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; every error is shown on stderr, none is raised."""
    typed = sys.argv[1:] if arguments is None else list(arguments)
    current = Session(arguments=tuple(typed))
    current.json = "--json" in typed  # also where the command line cannot be parsed
    try:
        code = cli.main(args=typed, prog_name="distill", standalone_mode=False, obj=current)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        current.failed(Stopped("interrupted", limit="interrupt"), exit_code=130)
        return 130
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message())
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except click.ClickException as error:
        return _fail(_as_usage_error(error), current)
    except Exception as error:
        return _fail(error, current)


def _fail(error: Exception, current: Session) -> int:
    state = ""
    if is_for_people(error):
        text = current.redact(render_error(error, color=current.color))
    else:
        log = write_log(error, current.log, redact=current.redact)
        text = render_unexpected(error, log, redact=current.redact, color=current.color)
        state = f"the traceback is in {log}" if log else ""
    click.echo(text, err=True)
    if current.debug:
        import traceback

        click.echo(current.redact("".join(traceback.format_exception(error))), err=True)
    current.failed(error, exit_code=exit_code(error), state=state)
    return exit_code(error)


def _as_usage_error(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "distill"
    see = f"{command} -h"
    if isinstance(error, click.NoSuchOption):
        near = f"did you mean `{error.possibilities[0]}`? " if error.possibilities else ""
        return UsageError(f"`{command}` has no option `{error.option_name}`", help=f"{near}all of them: {see}")
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], help=see)
