"""The deck as an application: pages for a person, an API for programs, one stream for both."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from reeve.errors import InputError, ReeveError
from reeve.ports import Fact
from reeve.settings import Settings
from reeve.web.deck import api, api_figures, house, pages, trusting
from reeve.web.deck.acts import Acts, Desk
from reeve.web.deck.computed import Computed
from reeve.web.deck.guard import Access, Guard
from reeve.web.deck.reading import Reading
from reeve.web.deck.stream import Stream
from reeve.web.deck.utf8 import utf8
from reeve.web.figures import AttemptPages, House

__all__ = ["Deck", "deck"]

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Deck:
    """What a deck is made of; `last` and `after` are those of `Stream`, `active` says whether a run is at work."""

    settings: Settings
    reading: Reading
    acts: Acts
    access: Access
    last: Callable[[], int]
    after: Callable[[int], Sequence[Fact]]
    active: Callable[[], bool]
    computed: Computed
    attempts: AttemptPages
    house: House


def deck(of: Deck) -> Guard:
    """Make the application; it answers nobody who does not fit `of.access`."""
    desk = Desk()

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        yield
        of.computed.close()
        desk.close()

    app = FastAPI(
        title="reeve",
        description="What a fleet of agents does, and what a person decides about it.",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=living,
    )
    app.state.deck, app.state.desk = of, desk
    app.state.stream = Stream(of.last, of.after, lambda: (desk.state, of.computed.changes))
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.include_router(api.router, prefix="/api/v1")
    app.include_router(api_figures.router, prefix="/api/v1")
    for each in (pages, trusting, house):
        app.include_router(each.router, include_in_schema=False)
    app.add_exception_handler(ReeveError, _refused)
    app.add_exception_handler(HTTPException, _not_there)
    app.add_exception_handler(RequestValidationError, _not_understood)
    return Guard(app, of.access)


def _refused(request: Request, error: Exception) -> Response:
    return _say(request, 404 if isinstance(error, InputError) else 500, str(error))


def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    said = str(error.detail) if isinstance(error, HTTPException) else str(error)
    answer = _say(request, status, said)
    answer.headers.update(headers)
    return answer


def _not_understood(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    named = [f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in found]
    return _say(request, 422, "; ".join(named) or "not understood")


def _say(request: Request, status: int, said: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": utf8(said)}, status)
    return HTMLResponse(pages.render(request, "problem.html.j2", status=status, said=said), status)
