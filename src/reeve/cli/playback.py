"""`reeve playback`."""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from reeve.cli.options import Json

if TYPE_CHECKING:
    from reeve.adapters.playback.seen import Seen

Script = Annotated[
    Path | None,
    typer.Argument(
        metavar="[SCRIPT]",
        help="Scripts, YAML or JSON; without it every prompt carries its own.",
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


def playback(
    script: Script = None,
    *,
    host: Host = "127.0.0.1",
    port: Port = 0,
    key: Key = "",
    log: Log = None,
    as_json: Json = False,
) -> None:
    """Serve a model that says what a script tells it to: for tests, and for trying a configuration without a key."""
    # Imported here, so that the help of all commands needs no HTTP server.
    from reeve.adapters.playback.front import Front
    from reeve.adapters.playback.player import Player
    from reeve.adapters.playback.script import read_scripts
    from reeve.adapters.playback.scripted import Scripted
    from reeve.adapters.playback.server import serve

    source = Scripted(Player(read_scripts(script) if script else None))
    with log.open("a", encoding="ascii", buffering=1) if log else nullcontext() as file:
        serve(Front(source, record=_recording_to(file), key=key), host, port, ready=_say_json if as_json else _say)


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
