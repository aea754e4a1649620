"""The commands, each loaded when it is called, and how their errors end."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "demo": "The whole job, at every vendor at once.",
    "providers": "What each vendor can do.",
    "sandbox": "The vendors on this machine, without bills.",
}
"""Each command with its line in the overview; the module beside this one that holds it has its name."""

OK, FAILED, USAGE, CONFIGURATION, RUNNING, UNCERTAIN, PARTLY, INTERRUPTED = 0, 1, 2, 3, 4, 6, 7, 130


class Commands(click.Group):
    """Loads a command's module only when it is asked for, and turns our errors into one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the alphabet."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command, loaded now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"unified_train.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them, so that `--help` stays quick."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an error of ours is one sentence on stderr and an exit code."""
        from unified_train import UnifiedTrainError

        try:
            return super().invoke(ctx)
        except UnifiedTrainError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("interrupted; jobs that were started go on at their vendors", err=True)
            ctx.exit(INTERRUPTED)


def exit_code(error: Exception) -> int:
    """The exit code that says what kind of error it was."""
    from unified_train import errors

    table: list[tuple[type[Exception], int]] = [
        (errors.WaitTimeout, RUNNING),
        (errors.SubmissionUncertain, UNCERTAIN),
        (errors.ConfigurationError, CONFIGURATION),
        (errors.DatasetError, CONFIGURATION),
        (errors.AuthenticationError, CONFIGURATION),
    ]
    return next((code for kind, code in table if isinstance(error, kind)), FAILED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unified-train")
def cli() -> None:
    """Train custom image models at any vendor and generate with them, through one interface.

    Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 credentials or configuration, 4 still running at the deadline,
    6 outcome unknown, 7 partly done, 130 interrupted.
    """
