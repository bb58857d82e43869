"""One attempt, top to bottom: start the agent, open a session, let it work, and say how that ended."""

from __future__ import annotations

import _ctypes
import os
import sys

from .events import Events
from .mail import Mail
from .plain_json import loads
from .process import Broken, Process
from .session import Session
from .spec import load
from .untrusted import cut, mapping, text
from .wire import Wire
from .work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import Spec

__all__ = ["main"]

_SET_DUMPABLE = 4
DECLINES = ("impossible", "already-done", "needs-decision")


def main(arguments: list[str]) -> int:
    """Run one attempt. 0: the agent says that it is done; 1: it could not; 2: a wrong call or spec."""
    try:
        spec = load(arguments)
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"acp: what to do cannot be read: {error!r}\n")
        return 2
    keep_others_out()
    events = Events(1, spec.output_bytes)
    try:
        said = attempt(spec, events)
    except Broken as broken:
        events.emit("result", str(broken), ok=False)
        return 1
    for why, reasons in declined(said):
        events.emit("declined", reasons, why=why)
    events.emit("result", said, ok=True)
    return 0


def attempt(spec: Spec, events: Events) -> str:
    """Have the agent do its work; returns its last message. Raises Broken; the agent is gone in any case."""
    make_home(spec)
    os.chdir(spec.work)
    process = Process(spec.command, {**os.environ, "HOME": spec.home}, f"{spec.out}/stderr.log")
    wire = Wire(process, f"{spec.out}/frames.jsonl", lambda said: events.emit("text", said))
    try:
        session = Session(spec, wire, events)
        session.open()
        return Work(spec, session, Mail(spec.mail), events).run()
    finally:
        events.pause()
        wire.end()


def make_home(spec: Spec) -> None:
    """Make the agent a home of its own, with its settings."""
    os.makedirs(spec.home, exist_ok=True)
    for name, content in spec.files.items():
        path = f"{spec.home}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)


def keep_others_out() -> None:
    """Let no process of our user, such as the agent, look into this one or write into what it has open."""
    _call("prctl", _SET_DUMPABLE, 0, 0, 0, 0)


def declined(said: str) -> list[tuple[str, str]]:
    """Find the line by which the agent declines its task, as its instruction shows it; the last one counts."""
    found = []
    for line in said.splitlines():
        bare = line.strip().strip("`").strip()
        if not bare.startswith('{"'):
            continue
        try:
            word = mapping(loads(bare))
        except ValueError:
            continue
        if word.get("kind") == "declined" and word.get("why") in DECLINES:
            found.append((text(word["why"]), cut(text(word.get("text")), 8_000)))
    return found[-1:]


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001
    _type_ = "l"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int


def _call(name: str, *args: int) -> None:
    """Call a function of libc, without the ctypes package: its import costs as much as all of ours."""
    libc = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is the program itself
    _Function(_ctypes.dlsym(libc, name))(*map(_Int, args))
