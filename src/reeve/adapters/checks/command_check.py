"""A shell command that must end with status 0: the weakest evidence, run in a tree of its own."""

from dataclasses import dataclass

from reeve.adapters.checks.clean import CleanTree
from reeve.records import CommandCheck, Ending, SandboxResult, TestOutcome

__all__ = ["CommandRun", "run_command"]


@dataclass(frozen=True, slots=True)
class CommandRun:
    """What one command gave; `error` stands for one that did not end by itself."""

    outcome: TestOutcome
    message: str
    result: SandboxResult
    log: str


def run_command(clean: CleanTree, check: CommandCheck) -> CommandRun:
    """Run a command check once."""
    seconds = check.timeout_seconds or clean.limits.check_seconds
    path = {"PATH": "/env/bin:/usr/local/bin:/usr/bin:/bin"}
    with clean.run(("/bin/sh", "-c", check.command), seconds=seconds, env=path) as done:
        result = done.result
        if result.status == 0:
            return CommandRun(TestOutcome.PASSED, "", result, done.log)
        lines = [line for line in done.log.splitlines() if line.strip()]
        if result.ending in (Ending.FINISHED, Ending.CRASHED):
            said = "\n".join([*lines[-15:], f"ended with status {result.status}"])
            return CommandRun(TestOutcome.FAILED, said, result, done.log)
        return CommandRun(TestOutcome.ERROR, "\n".join([*lines[-15:], result.reason]), result, done.log)
