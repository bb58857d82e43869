"""How an attempt ended, from what the sandbox saw; says nothing about whether its result holds."""

import signal

from reeve.records import Declined, Ending, SandboxResult
from reeve.units import duration

__all__ = ["ending_of"]

SHELL_STATUSES = {
    126: "the command could not be executed",
    127: "the command was not found",
}
REASON_CHARACTERS = 200


def ending_of(result: SandboxResult, declined: Declined | None = None, refused: str = "") -> tuple[Ending, str]:
    """Return the ending and its reason in one sentence; `declined` is what the agent said for delivering nothing.

    `refused` is why the gateway refused it a request over budget. The sandbox's own ending stands, but for four: a run
    that ended by itself after it declined is that, whatever its status; another one with a status other than 0
    crashed, or ran into its budget where it was refused: some give up before anybody ends them for that. One that is
    said to have finished without a status was lost by the sandbox.
    """
    took = duration(result.wall_seconds)
    if result.ending not in (Ending.FINISHED, Ending.CRASHED):
        return result.ending, result.reason or f"{result.ending.value} after {took}"
    if result.status is None:
        return Ending.SANDBOX_FAILED, result.reason or "the sandbox ended without the agent's exit status"
    if declined is not None and not _signal(result.status):
        return Ending.DECLINED, f"the agent declines: {declined.why}: {_first_words(declined.text)}"
    if result.status == 0:
        return Ending.FINISHED, f"the agent ended by itself after {took}"
    if refused and not _signal(result.status):
        return Ending.BUDGET_LIMIT, refused
    return Ending.CRASHED, f"the agent {_what(result.status)} after {took}"


def _first_words(text: str) -> str:
    line = " ".join(text.split())
    return line[:REASON_CHARACTERS].rstrip() or "it gives no reason"


def _signal(status: int) -> int:
    """The signal that ended a run, or 0; a shell reports a child that a signal ended as 128 + its number."""
    if status < 0:
        return -status
    return status - 128 if 128 < status < 128 + signal.NSIG else 0


def _what(status: int) -> str:
    if number := _signal(status):
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"was ended by {name}"
    words = f" ({SHELL_STATUSES[status]})" if status in SHELL_STATUSES else ""
    return f"ended with status {status}{words}"
