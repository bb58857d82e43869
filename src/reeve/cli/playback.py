"""`reeve playback`."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from reeve.cli.options import Json
from reeve.errors import InputError

if TYPE_CHECKING:
    from reeve.adapters.playback.messages import Source
    from reeve.adapters.playback.seen import Seen

Script = Annotated[
    Path | None,
    typer.Argument(
        metavar="[SCRIPT]",
        help="Scripts (YAML or JSON) or a recording; without it every prompt carries a script.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0: a free one.")]
Key = Annotated[str, typer.Option("--key", help="Demand this API key and refuse any other.", show_default=False)]
Log = Annotated[
    Path | None,
    typer.Option("--log", dir_okay=False, help="Append one line of JSON for each request.", show_default=False),
]
Record = Annotated[
    str | None,
    typer.Option("--record", metavar="URL", help="Pass requests on to this address, and record.", show_default=False),
]
To = Annotated[
    Path | None, typer.Option("--to", dir_okay=False, help="Where the recording is appended.", show_default=False)
]


class Pace(StrEnum):
    """How quickly a recording is played."""

    AT_ONCE = "at-once"
    REAL = "real"


PaceOfAnswers = Annotated[Pace, typer.Option("--pace", help="Play a recording at once, or as it came.")]


def playback(
    script: Script = None,
    *,
    host: Host = "127.0.0.1",
    port: Port = 0,
    key: Key = "",
    log: Log = None,
    pace: PaceOfAnswers = Pace.AT_ONCE,
    record: Record = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Serve a model that says what a script tells it to: for tests, and for trying a configuration without a key.

    With --record, pass everything on to a real model and write it down, to be played later.
    """
    # Imported here, so that the help of all commands needs no HTTP server.
    from reeve.adapters.playback.front import Front
    from reeve.adapters.playback.recorder import recorder
    from reeve.adapters.playback.server import serve

    say = _say_json if as_json else _say
    if record is not None:
        if to is None or script or key or log:
            raise InputError("--record URL needs --to FILE, and goes with --host and --port alone")
        if not record.startswith(("http://", "https://")):
            raise InputError(f"--record: must be an address that begins with http:// or https://, found {record!r}")
        with _private(to) as file:
            serve(recorder(record, file.write), host, port, ready=say)
        return
    if to is not None:
        raise InputError("--to FILE needs --record URL")
    source = _source(script, pace)
    with log.open("a", encoding="ascii", buffering=1) if log else nullcontext() as file:
        serve(nullcontext(Front(source, record=_recording_to(file), key=key)), host, port, ready=say)


def _source(script: Path | None, pace: Pace) -> "Source":
    from reeve.adapters.playback.player import Player
    from reeve.adapters.playback.recording import Recorded, is_recording, read_recording
    from reeve.adapters.playback.script import read_scripts
    from reeve.adapters.playback.scripted import Scripted

    if script is not None and is_recording(script):
        return Recorded(read_recording(script), real_pace=pace is Pace.REAL)
    if pace is Pace.REAL:
        raise InputError("--pace real is for a recording; a script says its waits itself")
    return Scripted(Player(read_scripts(script) if script else None))


def _private(path: Path) -> TextIO:
    """Open a file for what was said to a model: for nobody else to read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="ascii", buffering=1)


def _recording_to(file: TextIO | None) -> "Callable[[Seen], None]":
    def record(seen: "Seen") -> None:
        if file is not None:
            file.write(seen.line)

    return record


def _say(address: str) -> None:
    sys.stdout.write(f"playback listens at {address}\n")
    sys.stdout.flush()


def _say_json(address: str) -> None:
    sys.stdout.write(json.dumps({"address": address}) + "\n")
    sys.stdout.flush()
