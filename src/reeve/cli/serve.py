"""`reeve serve`."""

import secrets
import socket
import sys
import time
import webbrowser
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reeve.cli.active import run_is_active
from reeve.cli.decided import reviewer, said, spent
from reeve.cli.defer import told
from reeve.cli.later import until
from reeve.cli.opened import project
from reeve.cli.options import Json, SandboxName
from reeve.cli.output import print_json, safe, screen
from reeve.cli.start import open_store, open_world
from reeve.durable import deferring, reviews, stopping, talking
from reeve.errors import InputError
from reeve.ledger.views import task_view
from reeve.records import Status, WordKind
from reeve.settings import Settings

if TYPE_CHECKING:
    from reeve.durable.world import World
    from reeve.ports import Store
    from reeve.web.deck import Deck
    from reeve.web.deck.guard import Access

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 7333
SHORTEST_PASSWORD = 12
NEXT = "the next `reeve run` attempts it again"

Port = Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Where to listen; 0: any free port.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Any but loopback needs a password or a proxy.")]
Name = Annotated[
    list[str] | None,
    typer.Option(
        "--name", metavar="NAME", help="A name under which a proxy serves it; may be repeated.", show_default=False
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Who has the password in it may come in.", show_default=False),
]
ProxyHeader = Annotated[
    str | None,
    typer.Option(metavar="HEADER", help="Whom your own proxy sets this header for may come in.", show_default=False),
]
Open = Annotated[bool, typer.Option("--open", help="Open it in your browser.")]


def serve(
    *,
    port: Port = PORT,
    host: Host = "127.0.0.1",
    name: Name = None,
    password_file: PasswordFile = None,
    proxy_header: ProxyHeader = None,
    sandbox: SandboxName = None,
    open_it: Open = False,
    as_json: Json = False,
) -> None:
    """Serve the deck: the fleet, the inbox and every result in a browser, beside a run or without one."""
    import uvicorn

    from reeve.web.deck import deck

    settings = project()
    password = _password(password_file)
    if host not in LOOPBACK and password is None and not proxy_header:
        raise InputError(
            f"serving on {host}: others could reach it, so it needs --password-file, or --proxy-header with a proxy of "
            "yours that checks who comes"
        )
    listening = listen(host, port)
    at = listening.getsockname()[1]
    names = [f"{each}:{at}" for each in dict.fromkeys([*LOOPBACK[:2], "[::1]", host])] + (name or [])
    access = access_of(names, password, proxy_header)
    address = f"http://{'127.0.0.1' if host in LOOPBACK else host}:{at}/?token={access.token}"
    application = deck(deck_of(settings, access, sandbox))
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
    _told(settings, address, as_json=as_json)
    sys.stdout.flush()  # whoever reads it from a pipe waits for it, and nothing follows
    if open_it:
        webbrowser.open(address)
    server.run(sockets=[listening])


def _told(settings: Settings, address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"address": address})
        return
    console = screen()
    console.print(safe(f"The deck of {settings.root.name}: {address}"), soft_wrap=True)
    console.print(
        safe("The address holds the key to it: whoever has it can decide in your name. Ctrl-C ends it.", "dim")
    )


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"reading the password from {str(file)!r}: {error}") from error
    if len(found) < SHORTEST_PASSWORD:
        raise InputError(f"the password in {str(file)!r} has {len(found)} characters; at least {SHORTEST_PASSWORD}")
    return found


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; raises InputError with what to do where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(f"listening on {host}:{port}: {error.strerror}; `--port 0` takes a free one") from error
    return listening


def access_of(names: list[str], password: str | None, proxy_header: str | None) -> "Access":
    """Say who may come in, with a token that nobody guesses."""
    from reeve.web.deck.guard import Access

    return Access(frozenset(names), secrets.token_urlsafe(32), password, proxy_header)


def deck_of(settings: Settings, access: "Access", sandbox: str | None) -> "Deck":
    """Put a deck together from what a project has; reads its ledger first where that is new."""
    from reeve.adapters.stores.attempt_rows import AttemptRows
    from reeve.adapters.stores.index import LedgerIndex
    from reeve.adapters.trees.objects import GitObjects
    from reeve.cli.figures import OwnHouse, computing
    from reeve.web.deck import Deck
    from reeve.web.deck.computed import Computed
    from reeve.web.deck.reading import Reading
    from reeve.web.deck.spending import Spending

    store = open_store(settings)
    rows, spending = LedgerIndex(store), Spending(store, settings.state, settings.budgets)
    console = screen(stderr=True)
    with console.status("reading the ledger") as shown:
        rows.catch_up(lambda done, of: shown.update(f"reading the ledger: {done} of {of} facts"))
    return Deck(
        settings=settings,
        reading=Reading(store, rows, GitObjects(settings.state / "objects.git"), settings.state, spending),
        acts=Deeds(settings, store, sandbox),
        access=access,
        last=store.last,
        after=lambda seq: store.facts(after=seq),
        active=lambda: run_is_active(settings.state),
        computed=Computed(store.last, computing(settings)),
        attempts=AttemptRows(store.folder),
        house=OwnHouse(settings),
    )


class Deeds:
    """Port Acts: what the commands of the same names do."""

    def __init__(self, settings: Settings, store: "Store", sandbox: str | None) -> None:
        self._settings = settings
        self._store = store
        self._sandbox = sandbox

    @cached_property
    def _proving(self) -> "World":
        return open_world(self._settings, sandbox=self._sandbox)

    @cached_property
    def _speaking(self) -> "World":
        return open_world(self._settings, sandbox="none")  # nothing is run for it

    def accept(self, wanted: str, minutes: float | None) -> str:
        """Land a result."""
        took = spent(self._store, wanted, minutes)
        return said(reviews.accept(self._proving, wanted, took), took)

    def reject(self, wanted: str, why: str, minutes: float | None) -> str:
        """Turn a result down."""
        took = spent(self._store, wanted, minutes)
        return said(reviews.reject(self._speaking, wanted, why, took), took)

    def again(self, wanted: str, why: str, minutes: float | None) -> str:
        """Send a result back."""
        took = spent(self._store, wanted, minutes)
        review = reviews.again(self._speaking, wanted, why, took)
        result = said(review, took)
        over = review.told or run_is_active(self._settings.state)
        return result if over else f"{result}; {NEXT}"

    def retry(self, wanted: str, why: str) -> str:
        """Have what failed attempted once more; on the list of all tasks, nobody takes a minute for it."""
        if (status := task_view(self._store, wanted).status) is not Status.FAILED:
            raise InputError(f"trying {wanted!r} once more: it has not failed, it is {status}")
        took = spent(self._store, wanted, None, unseen=0.0)
        return f"{said(reviews.again(self._speaking, wanted, why, took), took)}; {NEXT}"

    def defer(self, wanted: str, how_long: str, why: str) -> str:
        """Put off what needs a person."""
        now = time.time()
        return told(deferring.defer(self._speaking.journal, wanted, until(how_long, now), now, why, reviewer()))

    def bring_back(self, wanted: str) -> str:
        """Take back what was put off."""
        return told(deferring.bring_back(self._speaking.journal, wanted, time.time(), reviewer()))

    def revert(self, wanted: str, why: str, minutes: float | None) -> str:
        """Take back what landed."""
        took = spent(self._store, wanted, minutes)
        return said(reviews.revert(self._speaking, wanted, why, took), took)

    def audit(self, wanted: str, why: str, minutes: float | None, *, ok: bool) -> str:
        """Say whether a result that has landed is right."""
        took = spent(self._store, wanted, minutes)
        return said(reviews.audit(self._speaking, wanted, why, took, ok=ok), took)

    def say(self, attempt: str, kind: WordKind, text: str) -> str:
        """Say a word to a running attempt."""
        word = talking.tell(self._speaking, attempt, kind, text)
        return f"{attempt}: {word.kind}{f': {word.text}' if word.text else ''}"

    def stop(self, attempt: str, why: str) -> str:
        """End an attempt."""
        return f"{attempt}: {stopping.stop(self._speaking, attempt, why)}; what it left is proved as it stands"
