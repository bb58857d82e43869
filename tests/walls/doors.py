"""What stands behind the doors of an expedition: a provider, a host that may be reached, and the gateway between."""

import json
import os
import socketserver
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
ENOUGH_ANSWERS = 25
ATTEMPT_MB, HOST_MB = 0.5, 0.75
LISTED = ("listed.example:443", "meta.example:443", "home.example:443", "six.example:443", "mapped.example:443", "many.example:443",
          "private.example:443", "own.example:443", "carried.example:443", "rebinding.example:443")  # fmt: skip
PUBLIC = "2e00::1"  # of the internet by its form, and given to nobody: whoever connects meets no one


def names(own):
    """What the owner's hosts turn out to be: for each the answers of its lookups, one after the other."""
    return {
        "meta.example": [["169.254.169.254"]], "home.example": [["127.0.0.1"]], "six.example": [["::1"]],
        "mapped.example": [["::ffff:127.0.0.1"]], "many.example": [[PUBLIC, "127.0.0.1"]], "private.example": [["10.0.0.1"]],
        "own.example": [own], "carried.example": [["64:ff9b::7f00:1"]],
        "rebinding.example": [[PUBLIC], ["127.0.0.1"], ["::1"]],
    }  # fmt: skip


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """Whoever goes away half-way is no news."""


class Provider:
    """Answers by the name of the model, and keeps of every request what it saw."""

    def __init__(self, key, canary):
        self.seen, self.key, self.canary = [], key, canary
        self.lock = threading.Lock()
        self.polite, self.polite_meanwhile, self.held, self.done = 0, 0, False, False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, content = outer.answer(self.command, self.path, list(self.headers.items()), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "PROPFIND"):
            setattr(Handler, f"do_{method}", Handler.one)
        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, method, path, headers, body):
        try:
            model = json.loads(body)["model"]
        except (ValueError, KeyError):
            model = ""
        with self.lock:
            self.seen.append({"method": method, "path": path, "headers": headers, "bytes": len(body), "model": model})
            word = self._word(model)
        if model == "redirect":
            return 302, {"Location": f"http://{self.canary}/stolen"}, b""
        if model.startswith("leaks-"):
            said = {
                "X-Key": self.key,
                "Location": f"http://{self.canary}/?key={self.key}",
                "Set-Cookie": f"k={self.key}",
            }
            return int(model[6:]), said, json.dumps({"error": {"message": f"wrong key {self.key}"}}).encode()
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        return 200, {"Content-Type": "application/json"}, json.dumps({"word": word, "usage": usage}).encode()

    def _word(self, model):
        """Carry word between the one who exhausts and the one who goes on."""
        if model == "polite":
            self.polite += 1
            self.polite_meanwhile += self.held and not self.done
        self.held |= model == "greedy-holds"
        if self.polite_meanwhile >= ENOUGH_ANSWERS and model == "greedy-waits":
            self.done = True
        if self.done:
            return "enough"
        return "there" if self.polite else "nobody"


class Elsewhere:
    """A host that the owner lists: counts what comes to it."""

    def __init__(self):
        self.received = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                while data := self.request.recv(1 << 16):
                    outer.received += len(data)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A connection that is cut off is what is wanted."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


class Behind:
    """Everything behind the doors of one expedition."""

    def __init__(self, folder, keys, canary, own):
        self.folder, self.place = folder, folder / "run" / "names.json"
        self.provider, self.other, self.elsewhere = Provider(keys[0], canary), Provider(keys[1], canary), Elsewhere()
        listed = {"name": "listed.example", "port": self.elsewhere.server.server_address[1]}
        self.place.write_text(json.dumps({"names": names(own), "elsewhere": listed}))
        for name, key in zip(("key", "key2"), keys, strict=True):
            (folder / "run" / name).write_text(key)

    def settings(self, settings):
        """The owner's: two providers, of which the agents may call one; hosts; and little that may be sent there."""
        from reeve.records import Api
        from reeve.settings import Network, ProviderSource

        run = self.folder / "run"
        providers = {
            "model": ProviderSource("model", Api.OPENAI, self.provider.url, key_file=run / "key"),
            "other": ProviderSource("other", Api.ANTHROPIC, self.other.url, key_file=run / "key2"),
        }
        return replace(settings, providers=providers, network=Network(LISTED, ATTEMPT_MB, HOST_MB))

    def world(self, world, settings, token_of):
        """The real world, with a gateway that knows our names, and tokens that another attempt could know at best."""
        from reeve.adapters.gateway.process import GatewayProcess
        from reeve.cli.doors import keys_of

        network, open_door = settings.network, world.door
        gateway = GatewayProcess(
            settings.state / "gateway", settings.state, keys_of(settings, os.environ).providers, run="expedition",
            attempt_mb=network.attempt_mb, host_mb=network.host_mb,
            command=(sys.executable, "-P", str(HERE / "resolving.py"), str(self.place)),
        )  # fmt: skip

        def door(task, order):
            made = open_door(task, order)
            return None if made is None else replace(made, token=token_of(order.attempt))

        return replace(world, gateway=gateway, door=door)

    def seen(self):
        """What came through the doors."""
        notes = (self.folder / "run" / "gateway-notes").read_text().splitlines()
        return {
            "provider": self.provider.seen, "other": self.other.seen, "elsewhere_bytes": self.elsewhere.received,
            "provider_url": self.provider.url, "polite_meanwhile": self.provider.polite_meanwhile,
            "starts": [int(line.split()[1]) for line in notes if line.startswith("started ")],
            "peak_mb": [int(line.split()[1]) for line in notes if line.startswith("peak ")],
            "lookups": [line.split()[1] for line in notes if line.startswith("lookup ")],
        }  # fmt: skip
