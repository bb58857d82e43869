"""The command line: one module per command, imported only when it is asked for, so that each starts quickly."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NoReturn

import typer

from reeve.errors import ReeveError, SandboxError

__all__ = ["COMMANDS", "app_of", "main"]

MAIN_PATH = "The main path"
LOOK = "Look closer"
MEASURE = "Measure"
STEER = "Steer what runs"
DECIDE = "Decide"
MACHINE = "Set-up and machine"

COMMANDS = {
    "init": MAIN_PATH,
    "run": MAIN_PATH,
    "status": MAIN_PATH,
    "inbox": MAIN_PATH,
    "report": MAIN_PATH,
    "show": LOOK,
    "log": LOOK,
    "diff": LOOK,
    "verify": LOOK,
    "serve": LOOK,
    "policy": MEASURE,
    "trust": MEASURE,
    "drill": MEASURE,
    "horizon": MEASURE,
    "tell": STEER,
    "go": STEER,
    "allow": STEER,
    "deny": STEER,
    "stop": STEER,
    "accept": DECIDE,
    "again": DECIDE,
    "reject": DECIDE,
    "revert": DECIDE,
    "audit": DECIDE,
    "defer": DECIDE,
    "agents": MACHINE,
    "doctor": MACHINE,
    "playback": MACHINE,
    "version": MACHINE,
}
"""Every command with its group in the help; the module `reeve.cli.<name>` holds it as a function of that name."""

HELP = """Run a fleet of agents on your backlog, prove every result independently, land what passes.

Begin with `reeve init`, put tasks into backlog/, then `reeve run`, `reeve status`, `reeve inbox`, `reeve report`.
"""

EXIT_CODES = (
    "Exit codes: 0 done; 1 something failed or was given up; 2 bad input, nothing was started; "
    "3 something needs a person; 4 the machine cannot; 130 interrupted."
)


def app_of(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Make the program from its commands; importing only those named."""
    app = typer.Typer(
        name="reeve",
        help=HELP,
        epilog=EXIT_CODES,
        no_args_is_help=False,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="rich",
    )
    app.callback(invoke_without_command=True)(_no_command)
    for name in names:
        app.command(name, rich_help_panel=COMMANDS[name])(getattr(import_module(f"reeve.cli.{name}"), name))
    return app


def _no_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and exit with its code; an error of the person or the machine is one line, no traceback."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    wanted = [argv[0]] if argv and argv[0] in COMMANDS else list(COMMANDS)
    try:
        app_of(wanted)(argv, prog_name="reeve")
    except ReeveError as error:
        _complain(str(error))
        sys.exit(4 if isinstance(error, SandboxError) else error.exit_code)
    except OSError as error:
        _complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        sys.exit(4)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _complain(message: str) -> None:
    from reeve.ledger.plain import plain

    sys.stderr.write(f"reeve: {plain(message)}\n")


if __name__ == "__main__":
    main()
