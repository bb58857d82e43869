"""A deck that is really served on loopback, and a ledger behind it that a test writes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from reeve.adapters.stores.sqlite import SqliteStore
from reeve.cli.serve import access_of, deck_of, listen
from reeve.settings import read_settings
from reeve.web.deck import deck
from stories import Story

BEGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Served:
    """Where the deck is, and what it shows."""

    story: Story
    base: str
    token: str
    password: str | None = None

    @property
    def entrance(self) -> str:
        """The address that `reeve serve` prints."""
        return f"{self.base}/?token={self.token}"

    def client(self, *, known: bool = True, **options) -> httpx.Client:
        """A program that shows the token, or (`known=False`) nobody."""
        headers = {"authorization": f"Bearer {self.token}"} if known else {}
        return httpx.Client(base_url=self.base, headers=headers | options.pop("headers", {}), timeout=30, **options)


@contextmanager
def serving(folder: Path, *, password: str | None = None, proxy_header: str | None = None) -> Iterator[Served]:
    """Serve the project in a folder until the block ends."""
    settings = read_settings(folder, {"HOME": str(folder)})
    store = SqliteStore(settings.state)
    listening = listen("127.0.0.1", 0)
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    access = access_of([base.removeprefix("http://")], password, proxy_header)
    config = uvicorn.Config(deck(deck_of(settings, access, None)), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        _until_it_answers(base)
        yield Served(Story(store), base, access.token, password)
    finally:
        server.should_exit = True
        thread.join(BEGIN_SECONDS)
        store.close()


def _until_it_answers(base: str) -> None:
    until = time.monotonic() + BEGIN_SECONDS
    while True:
        try:
            httpx.get(base, timeout=5)
        except (OSError, httpx.TransportError):
            assert time.monotonic() < until, "the deck does not answer"
        else:
            return
