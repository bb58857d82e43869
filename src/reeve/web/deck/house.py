"""The pages on drills and settings: what agents and tests were tried on, and what the owner has decided."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from reeve.settings import FILE_NAME, Settings
from reeve.web.deck.pages import render

__all__ = ["router"]

router = APIRouter(default_response_class=HTMLResponse)

DECIDED = (
    "land",
    "branch",
    "sandbox",
    "workers",
    "attempts",
    "parallel_attempts",
    "conflicts_before_ask",
    "canary_rate",
)
TABLES = ("trust", "check_in", "limits", "budgets")


@router.get("/drill")
def drill(request: Request) -> Response:
    """What was mined, how agents did at it, and what the tests here let pass."""
    known = request.app.state.deck.computed.look()
    return HTMLResponse(render(request, "drill.html.j2", known=known))


@router.get("/settings")
def settings(request: Request) -> Response:
    """Agents and their health, providers, budgets, the numbers of the policy, rules; changed in files, not here."""
    deck = request.app.state.deck
    decided: Settings = deck.settings
    return HTMLResponse(
        render(
            request,
            "settings.html.j2",
            file=_shown(decided.file, decided.root) if decided.file else "",
            usual=FILE_NAME,
            agents=deck.house.agents(),
            providers=deck.house.providers(),
            rules=deck.house.rules(),
            groups=list(_groups(decided)),
        )
    )


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _groups(decided: Settings) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the settings by table ("": those of none), under their names in the file; nothing that may be secret."""
    yield "", [(name, _said(getattr(decided, name))) for name in DECIDED]
    for table in TABLES:
        yield table, [(name, _said(value)) for name, value in asdict(getattr(decided, table)).items()]


def _said(value: Any) -> str:
    if value is None:
        return "no limit"
    return f"{value:g}" if isinstance(value, float) else str(value)
