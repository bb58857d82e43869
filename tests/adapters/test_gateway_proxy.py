"""Other hosts: only those that the owner lists, only public addresses, and so many bytes and no more."""

import asyncio
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from gateways import Attempt, Site, eventually, site

from reeve.adapters.gateway.addresses import _is_own, dialler, no_public_address
from reeve.adapters.gateway.exchange import Refused
from reeve.records import Request, RequestOutcome

PROGRAM = str(Path(__file__).with_name("gateway_program.py"))
OPEN, CLOSED = "open.test:443", "closed.test:443"
MB = 2**20
PRIVATE = {
    "loopback": ["127.0.0.1"],
    "other-loopback": ["127.8.9.10"],
    "unspecified": ["0.0.0.0"],
    "class-a": ["10.1.2.3"],
    "class-b": ["172.16.0.1"],
    "class-c": ["192.168.1.1"],
    "shared": ["100.64.0.1"],
    "link-local": ["169.254.1.1"],
    "metadata": ["169.254.169.254"],
    "metadata-azure": ["168.63.129.16"],
    "metadata-alibaba": ["100.100.100.200"],
    "multicast": ["224.0.0.1"],
    "broadcast": ["255.255.255.255"],
    "loopback6": ["::1"],
    "unspecified6": ["::"],
    "link-local6": ["fe80::1%eth0"],
    "unique-local6": ["fd00:ec2::254"],
    "mapped": ["::ffff:127.0.0.1"],
    "mapped-metadata": ["::ffff:a9fe:a9fe"],
    "compatible": ["::127.0.0.1"],
    "translated": ["64:ff9b::7f00:1"],
    "translated-local": ["64:ff9b:1::7f00:1"],
    "sixtofour": ["2002:7f00:1::1"],
    "teredo": ["2001:0:7f00:1::1"],
    "one-bad-of-two": ["8.8.8.8", "127.0.0.1"],
    "no-address-at-all": ["localhost"],
}


class Server:
    """A host elsewhere: keeps what it is sent, answers each connection with a greeting, and ends when the other does."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.received: list[bytearray] = []
        self.ended = threading.Semaphore(0)
        self.greeting = b"hello "
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.received.append(bytearray())
            threading.Thread(target=self._hear, args=(connection, self.received[-1]), daemon=True).start()

    def _hear(self, connection: socket.socket, into: bytearray) -> None:
        with connection:
            try:
                connection.sendall(self.greeting)
                while piece := connection.recv(1 << 16):
                    into += piece
                connection.sendall(b"goodbye")
            except OSError:
                pass
        self.ended.release()

    @property
    def bytes(self) -> int:
        return sum(map(len, self.received))

    def close(self) -> None:
        self._listening.close()


@contextmanager
def proxied(folder: Path, **options: object) -> Iterator[tuple[Site, Server]]:
    server = Server()
    told = {"reachable": {"open.test": server.port, "second.test": server.port, "closed.test": 1}, "addresses": PRIVATE}
    command = (sys.executable, "-P", PROGRAM, json.dumps(told))
    with site(folder, command=command, **options) as found:
        yield found, server
    server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with proxied(tmp_path_factory.mktemp("proxy")) as found:
        yield found


def tunnel(attempt: Attempt, target: str = OPEN, *, head: bytes | None = None) -> tuple[socket.socket, bytes]:
    """Ask for a tunnel; returns the connection and the first line of the answer."""
    connection = attempt.connect("proxy")
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode() if head is None else head)
    answer = b""
    while b"\r\n\r\n" not in answer and (piece := connection.recv(1)):
        answer += piece
    return connection, answer.split(b"\r\n")[0]


def refusal(attempt: Attempt, head: bytes) -> tuple[int, str]:
    """Send a head and return what is answered, which must be the end of the connection."""
    connection, line = tunnel(attempt, head=head)
    with connection:
        body = b""
        while piece := connection.recv(4096):
            body += piece
    return int(line.split()[1]), body.decode()


def said(connection: socket.socket) -> bytes:
    with connection:
        content = b""
        while piece := connection.recv(4096):
            content += piece
        return content


# ---------------------------------------------------------------- a tunnel


def test_bytes_go_both_ways_to_a_listed_host_and_are_counted(shared):
    found, server = shared
    attempt = found.attempt("both.1", hosts=(OPEN,))
    connection, line = tunnel(attempt)
    assert line == b"HTTP/1.1 200 Connection established"
    connection.sendall(b"\x16\x03\x01 whatever" * 100)
    connection.shutdown(socket.SHUT_WR)
    assert said(connection) == b"hello goodbye", "one side may end before the other"
    (fact,) = found.settled(1, "both.1")
    assert (fact.outcome, fact.host, fact.method, fact.status) == (RequestOutcome.ANSWERED, OPEN, "CONNECT", 200)
    head = len(f"CONNECT {OPEN} HTTP/1.1\r\nHost: {OPEN}\r\n\r\n")
    assert (fact.bytes_sent, fact.bytes_received) == (head + 1200, 13)
    assert (fact.provider, fact.tokens, fact.usd) == ("", 0, 0.0)
    assert server.received[-1] == b"\x16\x03\x01 whatever" * 100


def test_a_head_that_comes_byte_by_byte_is_one_and_what_follows_it_is_carried(shared):
    found, server = shared
    attempt = found.attempt("slow.1", hosts=(OPEN,))
    connection = attempt.connect("proxy")
    for byte in b"CONNECT open.test:443 HTTP/1.0\r\n\r\n":
        connection.sendall(bytes([byte]))
    connection.sendall(b"early")
    connection.shutdown(socket.SHUT_WR)
    assert said(connection).endswith(b"\r\n\r\nhello goodbye")
    found.settled(1, "slow.1")
    assert server.received[-1] == b"early"


def test_a_second_request_in_a_tunnel_is_only_bytes(shared):
    found, server = shared
    attempt = found.attempt("smuggle.1", hosts=(OPEN,))
    head = b"CONNECT open.test:443 HTTP/1.1\r\nHost: evil.test:80\r\nContent-Length: 0\r\n\r\nCONNECT evil.test:80 HTTP/1.1\r\n\r\n"
    connection, line = tunnel(attempt, head=head)
    assert line.endswith(b"established")
    connection.shutdown(socket.SHUT_WR)
    said(connection)
    (fact,) = found.settled(1, "smuggle.1")
    assert fact.host == OPEN
    assert server.received[-1] == b"CONNECT evil.test:80 HTTP/1.1\r\n\r\n"


def test_whoever_goes_away_ends_the_tunnel(shared):
    found, server = shared
    connection, _ = tunnel(found.attempt("gone.1", hosts=(OPEN,)))
    connection.sendall(b"x" * 1000)
    eventually(lambda: len(server.received[-1]) == 1000)
    connection.close()
    assert server.ended.acquire(timeout=30)
    assert found.settled(1, "gone.1")[0].bytes_sent > 1000


def test_an_attempt_that_is_closed_ends_its_tunnels_and_they_are_facts_by_then(shared):
    found, _ = shared
    connection, _ = tunnel(found.attempt("closing.1", hosts=(OPEN,)))
    found.gateway.close("closing.1")
    (fact,) = found.requests("closing.1")
    assert (fact.outcome, fact.reason) == (RequestOutcome.CANCELLED, "the attempt ended")
    connection.close()


def test_a_host_that_does_not_answer_is_said_so(shared):
    found, _ = shared
    status, words = refusal(found.attempt("silent.1", hosts=(CLOSED,)), b"CONNECT closed.test:443 HTTP/1.1\r\n\r\n")
    assert (status, words) == (502, f"{found.settled(1, 'silent.1')[0].reason}\n")
    assert found.requests("silent.1")[0].outcome is RequestOutcome.UNREACHABLE
    status, words = refusal(
        found.attempt("nowhere.1", hosts=("nowhere.test:443",)), b"CONNECT nowhere.test:443 HTTP/1.1\r\n\r\n"
    )
    assert (status, words.startswith("nowhere.test has no address")) == (502, True)


# ---------------------------------------------------------------- what is not passed


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"CONNECT evil.test:443 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT open.test:80 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT a.open.test:443 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT open.test.:443 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT open.test.evil.test:443 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT open.test:0443 HTTP/1.1\r\n\r\n", 200),
        (b"CONNECT OPEN.test:443 HTTP/1.1\r\n\r\n", 200),
        (b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT open.test HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT open.test:443:80 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT user@open.test:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT open.test\x00.evil.test:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT open.test:443\tHTTP/1.1\r\n\r\n", 400),
        (b"CONNECT  open.test:443 HTTP/1.1\r\n\r\n", 400),
        (b" CONNECT open.test:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT open.test:443 HTTP/2.0\r\n\r\n", 400),
        (b"CONNECT open.test:443\nHost: x HTTP/1.1\r\n\r\n", 400),
        (b"connect open.test:443 HTTP/1.1\r\n\r\n", 400),
        ("CONNECT \uff4fpen.test:443 HTTP/1.1\r\n\r\n".encode(), 400),
        (b"GET http://open.test/ HTTP/1.1\r\nHost: open.test\r\n\r\n", 405),
        (b"POST https://open.test:443/ HTTP/1.1\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"CONNECT open.test:443 HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 400),
        (b"CONNECT open.test:443 HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 400),
    ],
)
def test_only_the_exact_name_of_a_listed_host_opens_a_tunnel(shared, head, status):
    found, server = shared
    name = f"exact-{abs(hash(head))}.1"
    attempt = found.attempt(name, hosts=(OPEN,))
    before = len(server.received)
    connection, line = tunnel(attempt, head=head)
    assert int(line.split()[1]) == status
    connection.close()
    (fact,) = found.settled(1, name)
    assert len(fact.host) <= 300
    assert "\x00" not in fact.host
    if status != 200:
        assert (fact.outcome, fact.status) == (RequestOutcome.REFUSED, status)
        assert len(server.received) == before


def test_a_head_without_end_is_refused_and_whoever_still_sends_it_can_read_that(shared):
    found, _ = shared
    head = b"CONNECT open.test:443 HTTP/1.1\r\nX: " + b"y" * 16_000_000
    status, words = refusal(found.attempt("endless.1", hosts=(OPEN,)), head)
    assert (status, words) == (400, "expected CONNECT name:port HTTP/1.1\n")


def test_a_host_of_another_attempt_is_no_host_of_this_one(shared):
    found, _ = shared
    found.attempt("has.1", hosts=(OPEN,))
    status, words = refusal(found.attempt("hasnot.1"), b"CONNECT open.test:443 HTTP/1.1\r\n\r\n")
    assert (status, words) == (403, "open.test:443 is not listed in [network] hosts of reeve.toml\n")


def test_nothing_and_half_a_head_are_no_request(shared):
    found, _ = shared
    attempt = found.attempt("half.1", hosts=(OPEN,))
    for half in (b"", b"CONNECT open.test:443 HT"):
        connection = attempt.connect("proxy")
        connection.sendall(half)
        connection.shutdown(socket.SHUT_WR)
        assert said(connection) == b""
    found.gateway.close("half.1")
    assert found.requests("half.1") == []


def test_a_listed_name_that_leads_to_no_public_address_is_refused_after_it_was_looked_up(shared):
    found, _ = shared
    attempt = found.attempt("private.1", hosts=tuple(f"{name}:443" for name in PRIVATE))
    for name, addresses in PRIVATE.items():
        status, words = refusal(attempt, f"CONNECT {name}:443 HTTP/1.1\r\n\r\n".encode())
        assert status == 403, name
        assert words.startswith(f"{name} has the address {addresses[-1]}, and it is"), words
    found.gateway.close("private.1")
    assert {each.outcome for each in found.requests("private.1")} == {RequestOutcome.REFUSED}


def test_public_addresses_may_be_reached_and_those_of_this_machine_are_known():
    assert [no_public_address(each) for each in ("8.8.8.8", "2606:4700:4700::1111")] == ["", ""]
    assert [_is_own(ipaddress.ip_address(each)) for each in ("127.0.0.1", "8.8.8.8")] == [True, False]


def test_what_was_looked_up_and_checked_is_what_is_connected_to_even_if_the_name_leads_elsewhere_meanwhile():
    lookups, connected = [], []

    async def rebinding(host, port):
        lookups.append((host, port))
        return ["8.8.8.8"] if len(lookups) == 1 else ["127.0.0.1"]

    async def connect(host, port):
        connected.append((host, port))
        raise ConnectionRefusedError

    with pytest.raises(OSError, match="does not answer"):
        asyncio.run(dialler(rebinding, connect)("rebinding.test", 443))
    assert (lookups, connected) == ([("rebinding.test", 443)], [("8.8.8.8", 443)])
    with pytest.raises(Refused, match="has the address"):
        asyncio.run(dialler(rebinding, connect)("rebinding.test", 443))
    assert connected == [("8.8.8.8", 443)]


# ---------------------------------------------------------------- how much


def send_until_cut(connection: socket.socket, count: int) -> None:
    try:
        connection.sendall(b"x" * count)
        connection.shutdown(socket.SHUT_WR)
        said(connection)
    except OSError:
        pass
    connection.close()


def test_what_an_attempt_may_send_is_all_that_arrives(tmp_path):
    with proxied(tmp_path, attempt_mb=1.0) as (found, server):
        attempt = found.attempt("a.1", hosts=(OPEN, "second.test:443"))
        send_until_cut(tunnel(attempt)[0], 3 * MB)
        (fact,) = found.settled(1)
        assert fact.outcome is RequestOutcome.CUT_OFF
        assert "used up" in fact.reason
        assert MB - 65536 - 100 < server.bytes <= fact.bytes_sent <= MB
        left = MB - fact.bytes_sent
        send_until_cut(tunnel(attempt, "second.test:443")[0], left + 1)
        assert sum(each.bytes_sent for each in found.settled(2)) <= MB, "on another host it is the same megabyte"
        send_until_cut(tunnel(found.attempt("a.2", hosts=(OPEN,)))[0], 1000)
        assert found.settled(3)[-1].outcome is RequestOutcome.ANSWERED, "another attempt has its own"


def test_what_a_host_may_be_sent_is_one_number_for_the_fleet(tmp_path):
    with proxied(tmp_path, host_mb=1.0) as (found, server), ThreadPoolExecutor() as pool:
        attempts = [found.attempt(f"{name}.1", hosts=(OPEN,)) for name in "abcd"]
        tunnels = [tunnel(attempt)[0] for attempt in attempts]
        list(pool.map(lambda connection: send_until_cut(connection, MB), tunnels))
        facts = found.settled(4)
        assert RequestOutcome.CUT_OFF in {each.outcome for each in facts}
        assert server.bytes <= sum(each.bytes_sent for each in facts) <= MB


def test_parallel_tunnels_of_an_attempt_share_what_it_may_send(tmp_path):
    with proxied(tmp_path, attempt_mb=1.0) as (found, server), ThreadPoolExecutor(16) as pool:
        attempt = found.attempt("a.1", hosts=(OPEN,))
        tunnels = [tunnel(attempt)[0] for _ in range(16)]
        list(pool.map(lambda connection: send_until_cut(connection, MB // 4), tunnels))
        facts = found.settled(16)
        assert server.bytes <= sum(each.bytes_sent for each in facts) <= MB


def test_who_is_sent_to_may_answer_as_much_as_it_likes(tmp_path):
    with proxied(tmp_path, attempt_mb=0.01) as (found, server):
        server.greeting = b"y" * 3 * MB
        connection, _ = tunnel(found.attempt("a.1", hosts=(OPEN,)))
        connection.shutdown(socket.SHUT_WR)
        assert len(said(connection)) == 3 * MB + len(b"goodbye")
        assert found.settled(1)[0].bytes_received == 3 * MB + len(b"goodbye")


def test_whoever_kills_the_gateway_gets_no_byte_back(tmp_path):
    with proxied(tmp_path, attempt_mb=1.0, host_mb=1.0) as (found, server):
        attempt = found.attempt("a.1", hosts=(OPEN,))
        connection, _ = tunnel(attempt)
        connection.sendall(b"x" * 900_000)
        eventually(lambda: server.bytes == 900_000)
        os.kill(found.gateway.pid, signal.SIGKILL)
        connection.close()
        found.gateway.open(attempt.door)
        (lost,) = found.settled(1)
        assert (lost.outcome, lost.bytes_sent >= 900_000) == (RequestOutcome.LOST, True)
        again = found.attempt("a.1", hosts=(OPEN,))
        send_until_cut(tunnel(again)[0], 200_000)
        assert sent(found.settled(2)) <= MB
        other = found.attempt("b.1", hosts=(OPEN,))
        send_until_cut(tunnel(other)[0], 200_000)
        assert sent(found.settled(3)) <= MB, "nor at the host"
        assert server.bytes <= MB


def sent(facts: list[Request]) -> int:
    return sum(each.bytes_sent for each in facts)
