"""How an attempt ended, from what the sandbox saw; says nothing about whether its result holds."""

import signal

from reeve.records import Ending, SandboxResult
from reeve.units import duration

__all__ = ["ending_of"]

SHELL_STATUSES = {
    126: "the command could not be executed",
    127: "the command was not found",
}


def ending_of(result: SandboxResult) -> tuple[Ending, str]:
    """Return the ending and its reason in one sentence.

    The sandbox's own ending stands, but for two: a run that ended by itself with a status other than 0 crashed,
    and one that is said to have finished without a status was lost by the sandbox.
    """
    took = duration(result.wall_seconds)
    if result.ending not in (Ending.FINISHED, Ending.CRASHED):
        return result.ending, result.reason or f"{result.ending.value} after {took}"
    if result.status is None:
        return Ending.SANDBOX_FAILED, result.reason or "the sandbox ended without the agent's exit status"
    if result.status == 0:
        return Ending.FINISHED, f"the agent ended by itself after {took}"
    return Ending.CRASHED, f"the agent {_what(result.status)} after {took}"


def _what(status: int) -> str:
    # A shell reports a child that a signal ended as 128 + its number.
    if status < 0 or 128 < status < 128 + signal.NSIG:
        number = -status if status < 0 else status - 128
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"was ended by {name}"
    words = f" ({SHELL_STATUSES[status]})" if status in SHELL_STATUSES else ""
    return f"ended with status {status}{words}"
