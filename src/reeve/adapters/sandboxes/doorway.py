"""The way out of a sandbox, from the runner's side: listening sockets that a gateway outside is given.

A part of the runner, and loaded only by a run that has a door; so it imports as little as that. Nothing of the host
is mounted for it, and no byte goes through the runner: the sockets were opened in the network namespace of the
sandbox, where a socket stays whoever holds it, and the gateway accepts on them itself. The runner keeps them too:
when a gateway goes away, connections wait in the backlog until the next one is given the same sockets.
"""

from __future__ import annotations

import _json
import _socket
import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_BACKLOG = 512
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # of a network interface


def raise_loopback() -> None:
    """Bring up the loopback interface of a fresh network namespace; raises OSError."""
    with_name = b"lo".ljust(16, b"\0")
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        found = fcntl.ioctl(control.fileno(), _GET_FLAGS, with_name + bytes(24))
        flags = int.from_bytes(found[16:18], sys.byteorder) | _UP
        fcntl.ioctl(control.fileno(), _SET_FLAGS, with_name + flags.to_bytes(2, sys.byteorder) + bytes(22))
    finally:
        control.close()


class Doorway:
    """Holds the listening sockets of one run, and hands them to whichever gateway is there."""

    def __init__(self, door: Mapping[str, Any]) -> None:
        self.hello = b'{"attempt": %s}\n' % _json.encode_basestring_ascii(door["attempt"]).encode()
        folder, self.name = os.path.split(door["socket"])
        # By an open folder: its path may be longer than a socket's may be, and may be hidden by what is mounted later.
        self.folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.gateway: _socket.socket | None = None
        if door["private"]:
            raise_loopback()
        self.listening = [self.listen(port) for port in door["ports"]]

    @staticmethod
    def listen(port: int) -> _socket.socket:
        """Listen on the loopback address of the namespace that this process is in."""
        made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        made.listen(_BACKLOG)
        return made

    def tend(self) -> None:
        """Hand the sockets over if no gateway has them; never waits and never fails: the next look tries again."""
        if self.gateway is None:
            self.offer()
            return
        try:
            said = self.gateway.recv(256)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said.startswith(b"ok"):  # it has gone, or does not know this attempt yet
            self.gateway.close()
            self.gateway = None

    def offer(self) -> None:
        """Connect to the gateway and give it the sockets."""
        gateway = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
        sockets = b"".join(each.fileno().to_bytes(4, sys.byteorder) for each in self.listening)
        try:
            gateway.connect(f"/proc/self/fd/{self.folder}/{self.name}")
            gateway.sendmsg([self.hello], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, sockets)])
        except OSError:
            gateway.close()
            return
        self.gateway = gateway
