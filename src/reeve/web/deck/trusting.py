"""The page on trust: how far each version of an agent can be left alone, the rows behind each figure, and plots."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from reeve.ledger.attempt_rows import FIGURES, RowsWanted
from reeve.web.deck.pages import render

__all__ = ["router"]

ROWS = 50
KINDS = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv; charset=utf-8"}

router = APIRouter(default_response_class=HTMLResponse)

Name = Annotated[str, Query(max_length=2_000)]


@router.get("/trust")
def trust(request: Request) -> Response:
    """How reliable each version of an agent is, what may land without a look, and what it costs people."""
    known = request.app.state.deck.computed.look()
    return HTMLResponse(render(request, "trust.html.j2", known=known))


@router.get("/trust/rows")
def rows(
    request: Request,
    of: Annotated[str, Query(max_length=40)] = "attempts",
    agent: Name = "",
    version: Name = "",
    kind: Name = "",
    repository: Name = "",
    configuration: Name = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Response:
    """List the attempts behind one figure."""
    deck = request.app.state.deck
    wanted = RowsWanted(of, agent, version, kind, repository, configuration)
    page = deck.attempts.page(wanted, before=before, at_most=ROWS)
    whose = {name: getattr(wanted, name) for name in RowsWanted.__slots__ if name != "of" and getattr(wanted, name)}
    return HTMLResponse(
        render(
            request,
            "rows.html.j2",
            known=deck.computed.look(),
            page=page,
            what=FIGURES[of],
            whose=whose,
            query=urlencode({"of": of, **whose}, errors="backslashreplace"),
        )
    )


@router.get("/trust/plot/{name}.{ending}")
def plot(request: Request, name: str, ending: str, dark: bool = False) -> Response:
    """One plot, as a picture or as the numbers that it draws."""
    found = request.app.state.deck.computed.look().plots.get(name)
    if found is None or ending not in KINDS:
        raise HTTPException(404, "there is no such plot, or it is not drawn yet")
    if not found.svg:
        raise HTTPException(404, f"there is no such plot yet: {found.reason}")
    content = {"svg": found.svg_dark if dark else found.svg, "png": found.png, "csv": found.csv}[ending]
    where = {"content-disposition": f'inline; filename="{name}.{ending}"'}
    return Response(content, media_type=KINDS[ending], headers=where)
