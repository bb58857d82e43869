"""The one way out of a sandbox: a door leads to the gateway and nowhere else, whoever is the gateway just then."""

import json
import os
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from shops import PYTHON, make_shop
from test_sandbox_contract import detached

from reeve.adapters.sandboxes.none import NoSandbox
from reeve.records import Door, Ending

PATIENCE_SECONDS = 60.0
SAY = """
import socket
s = socket.create_connection(("127.0.0.1", %d))
s.sendall(b"knock")
print(s.makefile().readline(), end="")
"""


class Gateway:
    """The host's end, by hand: a socket in a folder, and what runners hand over to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "gateway.sock"
        self.path.unlink(missing_ok=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.settimeout(PATIENCE_SECONDS)
        there = os.open(folder, os.O_PATH)
        self.server.bind(f"/proc/self/fd/{there}/gateway.sock")  # the path may be longer than a socket's may be
        os.close(there)
        self.server.listen()
        self.sockets = [self.server]

    def gone(self) -> None:
        """Let go of everything, as when its process is killed."""
        for each in self.sockets:
            each.close()

    def handed_over(self) -> tuple[socket.socket, dict, list[socket.socket]]:
        runner = self.server.accept()[0]
        runner.settimeout(PATIENCE_SECONDS)
        message, descriptors, _, _ = socket.recv_fds(runner, 4096, 2)
        listening = [socket.socket(fileno=each) for each in descriptors]
        for each in listening:
            each.settimeout(PATIENCE_SECONDS)
        self.sockets += [runner, *listening]
        return runner, json.loads(message), listening


def answer(listening: socket.socket, word: str) -> bytes:
    """Accept one connection and answer it; returns what was said."""
    connection = listening.accept()[0]
    said = connection.recv(100)
    connection.sendall(f"{word}\n".encode())
    connection.close()
    return said


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(params=["bubblewrap-overlay", "bubblewrap-copy", "none-copy"])
def place(request, tmp_path):
    walls, kind = request.param.split("-")
    shop = make_shop(kind, tmp_path)
    if walls == "none":
        shop.sandbox = NoSandbox()
    return shop


@pytest.fixture
def gateway(tmp_path):
    folder = tmp_path / ("deep" * 30)
    made = Gateway(folder)
    yield made
    made.gone()


def door(place, gateway: Gateway) -> Door:
    made = Door("d.1", "d", str(gateway.path), "token")
    return replace(made, api_port=free_port(), proxy_port=free_port()) if place.sandbox.name == "none" else made


def test_a_door_leads_to_the_gateway(place, gateway):
    way = door(place, gateway)
    run, folder = detached(place, f"{PYTHON} -c '{SAY % way.api_port}'; {PYTHON} -c '{SAY % way.proxy_port}'")
    place.sandbox.ensure(replace(run, door=way), folder)
    runner, message, (api, proxy) = gateway.handed_over()
    runner.sendall(b"ok\n")
    assert message == {"attempt": "d.1"}
    assert answer(api, "models") == b"knock"
    assert answer(proxy, "hosts") == b"knock"
    result = place.sandbox.wait(folder, stop=lambda: False)
    assert (result.ending, Path(run.stdout).read_text()) == (Ending.FINISHED, "models\nhosts\n")
    with suppress(ConnectionResetError):  # it ended before it read that it is known
        assert runner.recv(10) == b""  # whoever waits for the end of the attempt sees it


def test_when_the_gateway_goes_away_connections_wait_for_the_next_one(place, gateway):
    way = door(place, gateway)
    run, folder = detached(place, f"{PYTHON} -c '{SAY % way.api_port}'")
    gateway.server.close()
    gateway.path.unlink()
    place.sandbox.ensure(replace(run, door=way), folder)
    first = Gateway(gateway.path.parent)
    first.handed_over()
    first.gone()
    second = Gateway(gateway.path.parent)
    _, _, (api, _) = second.handed_over()
    assert answer(api, "late") == b"knock"
    assert place.sandbox.wait(folder, stop=lambda: False).ending is Ending.FINISHED
    assert Path(run.stdout).read_text() == "late\n"
    second.gone()


def test_a_gateway_that_does_not_know_the_attempt_yet_is_asked_again(place, gateway):
    run, folder = detached(place, "sleep 600")
    place.sandbox.ensure(replace(run, door=door(place, gateway)), folder)
    runner, _, _ = gateway.handed_over()
    runner.sendall(b'{"error": "no such attempt"}\n')
    runner, message, _ = gateway.handed_over()
    runner.sendall(b"ok\n")
    assert message == {"attempt": "d.1"}
    assert place.sandbox.wait(folder, stop=lambda: True).ending is Ending.INTERRUPTED


@pytest.mark.parametrize("place", ["bubblewrap-overlay", "bubblewrap-copy"], indirect=True)
def test_behind_a_door_there_is_nothing_but_the_gateway(place, gateway):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        probe = f"""
import os, socket
for address in (("127.0.0.1", {port}), ("192.0.2.1", 80), ("169.254.169.254", 80)):
    try: socket.create_connection(address, 5); print("connected")
    except OSError as error: print(type(error).__name__)
print(sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys/class/net") else "no interface shown")
print(len([line for line in open("/proc/net/dev") if ":" in line]))
"""
        run, folder = detached(place, f"{PYTHON} -c '{probe}'")
        place.sandbox.ensure(replace(run, door=door(place, gateway)), folder)
        place.sandbox.wait(folder, stop=lambda: False)
        said = Path(run.stdout).read_text().split()
    assert said[:3] == ["ConnectionRefusedError", "OSError", "OSError"]
    assert said[-1] == "1"


def test_a_port_that_is_taken_is_said(tmp_path):
    place = make_shop("copy", tmp_path)
    place.sandbox = NoSandbox()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "gateway").mkdir()
        way = Door(
            "d.1", "d", str(tmp_path / "gateway" / "gateway.sock"), "token", api_port=port, proxy_port=free_port()
        )
        run, folder = detached(place, "true")
        place.sandbox.ensure(replace(run, door=way), folder)
        result = place.sandbox.wait(folder, stop=lambda: False)
    assert result.ending is Ending.SANDBOX_FAILED
    assert str(port) in result.reason


def test_the_clock_stands_still_while_an_attempt_rests(place):
    run, folder = detached(place, "sleep 1.5; echo done", seconds=0.7)
    folder.mkdir(exist_ok=True)
    (folder / "resting").touch()
    place.sandbox.ensure(run, folder)
    result = place.sandbox.wait(folder, stop=lambda: False)
    assert (result.ending, Path(run.stdout).read_text()) == (Ending.FINISHED, "done\n")
    assert result.wall_seconds < 1.5
