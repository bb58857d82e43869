"""From the spec to the end of the attempt."""

import asyncio
import logging
import os
import sys

from .asking import Unanswered
from .events import Events
from .loop import Outcome, attempt
from .spec import Spec, load

__all__ = ["made", "main"]


def main(path: str, work: str, out: str, mail: str) -> int:
    """Make one attempt. Exit 0 if it came to an end of its own, 1 if it could not go on, 2 for a wrong spec."""
    events = Events(os.dup(1))
    os.dup2(2, 1)  # whatever a library prints is not an event
    logging.disable()  # what stops the work is said in one; the rest is for those who wrote the libraries
    try:
        spec = load(path, work, out, mail)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"model: {path}: {error}\n")
        return 2
    _at_home(spec)
    return made(spec, events)


def made(spec: Spec, events: Events) -> int:
    """Make one attempt, and say how it ended; returns the exit status."""
    try:
        outcome = asyncio.run(attempt(spec, events))
    except Unanswered as problem:
        outcome, status = Outcome(ok=False, why="error", text=f"The work could not go on: {problem}"), 1
    except Exception as error:  # a defect of ours or of a library: the trajectory must say so
        problem_text = f"The work could not go on: {type(error).__name__}: {error}"
        outcome, status = Outcome(ok=False, why="error", text=problem_text), 1
    else:
        status = 0
    if outcome.why != "declined":
        events.emit("result", outcome.text, ok=outcome.ok, why=outcome.why)
    return status


def _at_home(spec: Spec) -> None:
    """Go to the tree, with a home folder that can be written."""
    os.chdir(spec.work)
    home = spec.out / "home"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["HOME"] = str(home)
