"""How the listening sockets of an attempt come here: its runner hands them over, through a unix socket of ours.

The sockets belong to the network namespace of the attempt, where there is nothing else; what is accepted on them here
comes from inside, and no byte is relayed in between.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reeve.adapters.gateway.configuration import SOCKET

__all__ = ["HandOver", "connect", "listen", "receive"]

MESSAGE_BYTES = 4096
MESSAGE_SECONDS = 10.0
WAITING = 1024
PEER = struct.Struct("3i")  # process, user, group


@dataclass(frozen=True, slots=True)
class HandOver:
    """The sockets of one attempt, listening: for model calls, and for other hosts."""

    attempt: str
    api: socket.socket
    proxy: socket.socket

    def close(self) -> None:
        """Close both."""
        self.api.close()
        self.proxy.close()


def listen(folder: Path) -> socket.socket:
    """Listen on the unix socket of a folder that nobody else may enter; one that was left behind is replaced."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with suppress(FileNotFoundError):
        (folder / SOCKET).unlink()
    _in(folder, listening.bind)
    listening.listen(WAITING)
    return listening


def connect(folder: Path) -> socket.socket:
    """Connect to the unix socket of a folder, as a runner does; raises OSError while nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _in(folder, connection.connect)
    except OSError:
        connection.close()
        raise
    return connection


def _in(folder: Path, use: Callable[[str], object]) -> None:
    """Use the address of a socket in a folder whose path may be longer than such an address can be."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{descriptor}/{SOCKET}")
    finally:
        os.close(descriptor)


async def receive(connection: socket.socket) -> HandOver:
    """Receive one hand-over; raises ValueError for anything else, and TimeoutError when it does not come."""
    peer = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    if peer[1] != os.getuid():
        raise ValueError("only the user who started the gateway may hand over")
    data, descriptors = b"", list[int]()
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            while not data.endswith(b"\n"):
                await _readable(connection)
                flags = socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
                with suppress(BlockingIOError):
                    piece, found, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 4, flags)
                    descriptors += found
                    data += piece
                    if not piece or len(data) > MESSAGE_BYTES:
                        raise ValueError("expected one line and two sockets")  # noqa: TRY301 - closes what came
        return HandOver(_attempt(data), *_listening(descriptors))
    except BaseException:
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)
        raise


def _attempt(data: bytes) -> str:
    message = json.loads(data)
    attempt = message.get("attempt") if isinstance(message, dict) else None
    if not isinstance(attempt, str):
        raise ValueError('expected {"attempt": ID}')  # noqa: TRY004 - one error for all that is wrong with a message
    return attempt


def _listening(descriptors: list[int]) -> tuple[socket.socket, socket.socket]:
    if len(descriptors) != 2:
        raise ValueError(f"expected two sockets, found {len(descriptors)}")
    for descriptor in descriptors:
        looked_at = socket.socket(fileno=os.dup(descriptor))
        with looked_at:
            accepts = looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if (
                looked_at.type != socket.SOCK_STREAM
                or looked_at.family not in (socket.AF_INET, socket.AF_INET6)
                or not accepts
            ):
                raise ValueError("expected two listening TCP sockets")
    api, proxy = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    for each in (api, proxy):
        each.setblocking(False)
        each.listen(WAITING)  # again: how many may wait is ours to say
    return api, proxy


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(connection)


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
