"""The command line: `distill COMMAND …`. Parse, call, exit code; no work is done here.

May be imported by nobody but the entry point and tests.
Design reason: a command's module becomes an attribute of this package under the command's name, `list` among them, so
this file holds names to import and no code that such a name could shadow.
"""

from distill.cli.root import COMMANDS, main, run_command

__all__ = ["COMMANDS", "main", "run_command"]
