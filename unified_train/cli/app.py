"""The commands, each loaded when it is called, and how their errors end."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
import warnings
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

COMMANDS = {
    "compare": "The same training and pictures at several vendors, and a report of it.",
    "config": "What is configured, and where each value comes from.",
    "dataset": "Training images: check, prepare, show.",
    "demo": "The whole job, at every vendor at once.",
    "doctor": "Whether everything is in order, and what to do if not.",
    "generate": "Pictures of a trained model.",
    "jobs": "All that was submitted from here: list, show, wait, cancel, reconcile, export.",
    "models": "What was trained, at each vendor.",
    "plan": "What a recipe would do, before anything is sent.",
    "providers": "What each vendor can do.",
    "recipe": "Recipe files: check, schema.",
    "sandbox": "The vendors on this machine, without bills.",
    "train": "One training, as a recipe has it.",
    "wait": "Wait for jobs, as `jobs wait`.",
}
"""Each command with its line in the overview; the module beside this one that holds it has its name."""

OK, FAILED, USAGE, CONFIGURATION, RUNNING, BLOCKED, UNCERTAIN, PARTLY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130


class Verbs(click.Group):
    """Names the nearest command where there is none of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant by the first word."""
        if self.get_command(ctx, args[0]) is None and args[0].isidentifier():
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


class Commands(Verbs):
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
            with _plain_warnings():
                return super().invoke(ctx)
        except UnifiedTrainError as error:
            if ctx.params.get("debug"):
                _print_traceback(error)
            click.echo(f"error: {sentence(error)}", err=True)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("interrupted; jobs that were started go on at their vendors", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if not ctx.params.get("debug") or isinstance(error, (click.ClickException, click.exceptions.Exit)):
                raise
            _print_traceback(error)
            ctx.exit(FAILED)


def remark(line: str) -> None:
    """Print a line to standard error, above the bars that may be there: click would write past them, into theirs."""
    sys.stderr.write(f"{line}\n")


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings of ours as sentences, without the line of code that they come from."""
    from unified_train import UnifiedTrainWarning

    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(  # noqa: PLR0917 - the signature of what it stands for
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, UnifiedTrainWarning):
                remark(f"warning: {message}")
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def _print_traceback(error: Exception) -> None:
    from unified_train import redact

    click.echo(redact.text("".join(traceback.format_exception(error))), err=True, nl=False)


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


def sentence(error: Exception) -> str:
    """What an error says, and what to do where it is the vendor's or the network's word, which tells no remedy."""
    from unified_train import errors

    doctor = "`unified-train doctor` tells more"
    # Not "repeat the command": what fails may be the waiting for a training that was paid for.
    started = "`unified-train jobs list` shows what was started"
    table: list[tuple[type[Exception], str]] = [
        (errors.AuthenticationError, f"check the credentials; {doctor}"),
        (errors.PermissionDenied, f"check what the credentials allow; {doctor}"),
        (errors.InsufficientFunds, f"see to the account at the vendor, then try again; {started}"),
        (errors.QuotaExceeded, "see to the account at the vendor: waiting does not help"),
        (errors.RateLimited, f"try again later; {started}"),
        (errors.ProviderUnavailable, f"try again later; {started}"),
        (errors.TransportError, f"check the network and the address; {doctor}"),
    ]
    told = str(error).rstrip(".")
    remedy = next((remedy for kind, remedy in table if isinstance(error, kind)), None)
    return f"{told}; {remedy}" if remedy and ";" not in told else str(error)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unified-train")
@click.option("--profile", metavar="NAME", help="Profile of the configuration to use, as UNIFIED_TRAIN_PROFILE.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration file in the place of the project's, as UNIFIED_TRAIN_CONFIG.",
)
@click.option("--debug", is_flag=True, help="Show where an error comes from, without secrets.")
@click.pass_context
def cli(ctx: click.Context, profile: str | None, config_file: Path | None, debug: bool) -> None:  # noqa: ARG001 - see invoke
    """Train custom image models at any vendor and generate with them, through one interface.

    Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 credentials or configuration, 4 still running at the deadline,
    5 blocked by budget or plan, 6 outcome unknown, 7 partly done, 130 interrupted.
    """
    # By way of the environment they reach every client that a command makes.
    if profile is not None:
        ctx.with_resource(_variable("UNIFIED_TRAIN_PROFILE", profile))
    if config_file is not None:
        ctx.with_resource(_variable("UNIFIED_TRAIN_CONFIG", str(config_file.absolute())))


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({} if before is None else {name: before})
