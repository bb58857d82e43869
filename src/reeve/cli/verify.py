"""`reeve verify`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reeve import flow
from reeve.cli.chosen import tasks_of
from reeve.cli.explained import print_verdict
from reeve.cli.opened import project
from reeve.cli.options import Json, SandboxName
from reeve.cli.output import STYLES, print_json, safe, screen
from reeve.cli.start import open_world
from reeve.errors import InputError, PatchError
from reeve.ledger.codec import encode
from reeve.records import Outcome, Verdict

EXIT = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNVERIFIED: 3}

PatchFile = Annotated[
    str, typer.Option("--patch", metavar="FILE", help="A git diff against the base of the task; - reads it from stdin.")
]


def verify(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task, or the file that holds it.", show_default=False)],
    *,
    patch: PatchFile,
    sandbox: SandboxName = None,
    as_json: Json = False,
) -> None:
    """Give the verdict on any patch, from anyone, without running an agent.

    Exits with 0 for passed, 1 for failed, 3 for unverified, 2 for a patch that cannot be used.
    """
    settings = project()
    content = _read(patch)
    found = tasks_of([task], settings).tasks
    if len(found) != 1:
        raise InputError(f"{task!r} holds {len(found)} tasks; name one of {', '.join(item.id for item in found[:8])}")
    try:
        verdict = flow.verify(open_world(settings, sandbox=sandbox), found[0], content)
    except PatchError as error:
        raise InputError(f"verifying {patch!r}: {error}") from error  # as a verdict, `failed` would look the same
    if as_json:
        print_json(as_shape(verdict))
    else:
        console = screen()
        console.print(
            safe(found[0].id, "bold").append("  ").append_text(safe(verdict.outcome, STYLES[verdict.outcome]))
        )
        print_verdict(console, verdict)
    raise typer.Exit(EXIT[verdict.outcome])


def as_shape(verdict: Verdict) -> dict[str, object]:
    """Return the documented JSON of a verdict; null stands for what was not measured."""
    surplus, strength = verdict.surplus, verdict.strength
    return {
        "id": verdict.id,
        "task": verdict.task,
        "verdict": verdict.outcome,
        "reason": verdict.reason,
        "confidence": verdict.confidence,
        "checks": [encode(check) for check in verdict.checks],
        "lines": verdict.lines,
        "strength": None if strength is None else encode(strength) | {"share": strength.share},
        "surplus": {
            "lines": None if surplus is None else surplus.lines,
            "needed_lines": verdict.needed_lines,
            "kinds": {} if surplus is None else dict(surplus.kinds),
            "files": [] if surplus is None else list(surplus.files),
            "complete": surplus is not None and surplus.complete,
        },
        "cpu_seconds": verdict.cpu_seconds,
    }


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"reading the patch {name!r}: {error.strerror}") from error
