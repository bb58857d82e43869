"""The API about trust, policy, drills and agents: what the pages of these names show, as JSON."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request

from reeve.ledger.attempt_rows import AttemptPage, RowsWanted
from reeve.web.deck.api import NEWEST, RESPONSES
from reeve.web.deck.computed import Known
from reeve.web.deck.utf8 import Utf8Router
from reeve.web.figures import AgentHealth, DrillFigures, PolicyFigures, TrustFigures

__all__ = ["router"]

router = Utf8Router(responses=RESPONSES)

Name = Annotated[str, Query(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class State:
    """How new figures are: they know the facts up to `seq`; null: there are none yet."""

    seq: int | None
    at_utc: float | None
    computing: bool  # newer ones are under way
    problem: str  # why the last computation came to nothing


@dataclass(frozen=True, slots=True)
class TrustNow:
    """What is known of all agents."""

    state: State
    trust: TrustFigures | None


@dataclass(frozen=True, slots=True)
class PolicyNow:
    """What may land without a look."""

    state: State
    policy: PolicyFigures | None


@dataclass(frozen=True, slots=True)
class DrillNow:
    """What agents and tests were tried on."""

    state: State
    drill: DrillFigures | None


@router.get("/trust")
def trust(request: Request) -> TrustNow:
    """Say how reliable each version of an agent is; where facts have come since, it is computed anew from now on."""
    known = request.app.state.deck.computed.look()
    return TrustNow(_state(known), known.figures.trust if known.figures else None)


@router.get("/trust/rows")
def rows(
    request: Request,
    of: Annotated[str, Query(max_length=40)] = "attempts",
    agent: Name = "",
    version: Name = "",
    kind: Name = "",
    repository: Name = "",
    configuration: Name = "",
    before: Annotated[int, Query(ge=0, le=NEWEST, description="the `more` of the page before")] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> AttemptPage:
    """List the attempts behind one figure."""
    wanted = RowsWanted(of, agent, version, kind, repository, configuration)
    found: AttemptPage = request.app.state.deck.attempts.page(wanted, before=before, at_most=limit)
    return found


@router.get("/policy")
def policy(request: Request) -> PolicyNow:
    """Say what may land without a look, of whom, and what is missing for more."""
    known = request.app.state.deck.computed.look()
    return PolicyNow(_state(known), known.figures.trust.policy if known.figures else None)


@router.get("/drill")
def drill(request: Request) -> DrillNow:
    """Say what was mined, how agents did at it, and what the tests here let pass."""
    known = request.app.state.deck.computed.look()
    return DrillNow(_state(known), known.figures.drill if known.figures else None)


@router.get("/agents")
def agents(request: Request) -> tuple[AgentHealth, ...]:
    """List the agents with their exact versions, and whether they can start here."""
    found: tuple[AgentHealth, ...] = request.app.state.deck.house.agents()
    return found


def _state(known: Known) -> State:
    found = known.figures
    return State(found.seq if found else None, found.at_utc if found else None, known.computing, known.problem)
