"""A shell command with its expected result: the weakest evidence, run in a tree of its own."""

import math
import re
from dataclasses import dataclass

from reeve.adapters.checks.clean import CleanTree
from reeve.records import CommandCheck, Ending, SandboxResult, TestOutcome

__all__ = ["CommandRun", "number_in", "run_command"]

LINE = 2000  # characters of a line that are looked at: a pattern may be slow on what a checked program prints


@dataclass(frozen=True, slots=True)
class CommandRun:
    """What one command gave; `error` stands for one that did not end by itself. `number` None: none was read."""

    outcome: TestOutcome
    message: str
    result: SandboxResult
    log: str
    number: float | None = None


def run_command(clean: CleanTree, check: CommandCheck) -> CommandRun:
    """Run a command check once. What compares with the base is left to the verdict, which knows both numbers."""
    seconds = check.timeout_seconds or clean.limits.check_seconds
    path = {"PATH": "/env/bin:/usr/local/bin:/usr/bin:/bin"}
    with clean.run(("/bin/sh", "-c", check.command), seconds=seconds, env=path) as done:
        result = done.result
        lines = [line for line in done.log.splitlines() if line.strip()][-15:]
        if result.ending not in (Ending.FINISHED, Ending.CRASHED):
            return CommandRun(TestOutcome.ERROR, "\n".join([*lines, result.reason]), result, done.log)
        number = number_in(done.log, check.reads) if check.reads is not None else None
        wrong = _wrong(check, result.status, number)
        outcome = TestOutcome.FAILED if wrong else TestOutcome.PASSED
        return CommandRun(outcome, "\n".join([*lines, wrong]) if wrong else "", result, done.log, number)


def number_in(log: str, pattern: str) -> float | None:
    """Read the last number that the one group of a pattern finds in an output; None: there is none."""
    compiled = re.compile(pattern)
    for line in reversed(log.splitlines()):
        for found in reversed(list(compiled.finditer(line[:LINE]))):
            try:
                number = float(found[1].replace(",", "").replace("_", ""))
            except (ValueError, AttributeError):  # no number, or the group took no part in the match
                continue
            if math.isfinite(number):
                return number
    return None


def _wrong(check: CommandCheck, status: int | None, number: float | None) -> str:
    """Say what is not as expected; an empty string: nothing."""
    if status != check.status:
        wanted = f", not {check.status}" if check.status else ""
        return f"ended with status {status}{wanted}"
    if check.reads is None:
        return ""
    if number is None:
        return f"its output has no number that {check.reads!r} finds"
    if check.at_least is not None and number < check.at_least:
        return f"gave {number:g}, less than {check.at_least:g}"
    if check.at_most is not None and number > check.at_most:
        return f"gave {number:g}, more than {check.at_most:g}"
    return ""
