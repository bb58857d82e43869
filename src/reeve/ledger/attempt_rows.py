"""One attempt in one row: what stands behind every figure about agents, to be shown where somebody asks for it.

Each figure of `Track` and of the audits is a count over rows that fit a condition; `FIGURES` names the conditions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reeve.ledger.tracks import first_round_of, landing_of, passed_of, touches
from reeve.ledger.views import AttemptView, TaskView
from reeve.records import Draw, Judged, Outcome

__all__ = ["FIGURES", "AttemptPage", "AttemptRow", "RowsWanted", "rows_of", "stream_of"]

FIGURES: Mapping[str, str] = {
    "attempts": "all attempts",
    "passed": "that passed",
    "failed": "that failed",
    "declined": "that declined",
    "unverified": "that nothing could prove",
    "judged": "of first rounds, that were judged: what rates rest on",
    "timed": "of first rounds, judged, at tasks of known length: what horizons rest on",
    "landed": "that landed",
    "unseen": "that landed without a look",
    "escapes": "that landed without a look and are known to be wrong",
    "decided": "that a task came down to: minutes of people are counted there",
    "surplus": "that passed with lines that no check needs",
    "integrity": "whose patch does something to its own examination",
    "audits": "audited by the uniform stream",
    "unseen-audits": "that landed without a look, audited by the uniform stream: what escape rates rest on",
    "suspicious": "drawn for an audit by suspicion",
    "before": "looked at before they could land",
    "wrong": "that a person found wrong",
    "waiting": "drawn by the uniform stream, and waiting for an answer",
}
"""What rows can be asked for, in words that go on from "attempts"."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt. `minutes` are those of people on its task, where the task came down to it; None: not known."""

    task: str
    attempt: str
    agent: str
    version: str
    kind: str  # of task
    repository: str
    configuration: str  # of its cell; "": nothing was drawn for it
    first: bool  # of the first round
    outcome: str  # passed, failed, declined, unverified; "": not judged yet
    landed: bool
    unseen: bool
    escape: bool
    decided: bool
    minutes: float
    usd: float | None
    surplus_lines: int
    integrity: bool
    stream: str  # of audits: uniform, suspicion, before; "": none
    looked_at_before: bool
    found: str  # right, wrong; "": nobody has said
    confidence: float | None
    human_minutes: float | None  # that a person would need
    at_utc: float  # ordered


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """Which rows: a name of `FIGURES`, and whose; "": of all."""

    of: str = "attempts"
    agent: str = ""
    version: str = ""
    kind: str = ""
    repository: str = ""
    configuration: str = ""


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """Some rows, the newest first; `more` is the `before` of the next page, None on the last."""

    rows: tuple[AttemptRow, ...]
    total: int
    more: int | None


def rows_of(view: TaskView, judged: Mapping[str, Judged]) -> Iterator[AttemptRow]:
    """Give the rows of one task; `judged` is what was drawn for attempts, and found. None where its truth is known."""
    if view.seeded is not None:
        return
    first = {item.id for item in first_round_of(view)}
    landed, unseen = landing_of(view)
    draws = {draw.attempt: draw for draw in view.draws}
    for item in view.attempts:
        chosen = view.chosen is not None and view.chosen.id == item.id
        draw, verdict, agent = draws.get(item.id), item.verdict, item.order.agent
        known = judged.get(item.id)
        passed = verdict is not None and verdict.outcome is Outcome.PASSED
        yield AttemptRow(
            task=view.id,
            attempt=item.id,
            agent=agent.name,
            version=agent.version,
            kind=view.task.kind,
            repository=item.order.base.repo,
            configuration=draw.cell.configuration if draw else "",
            first=item.id in first and passed_of(item) is not None,
            outcome=_outcome(item),
            landed=chosen and landed,
            unseen=chosen and unseen,
            escape=chosen and unseen and any(review.escape for review in view.reviews),
            decided=chosen,
            minutes=view.spent_minutes if chosen else 0.0,
            usd=item.attempt.usd if item.attempt else None,
            surplus_lines=verdict.surplus.lines if passed and verdict and verdict.surplus else 0,
            integrity=verdict is not None and touches(verdict),
            stream=stream_of(draw) if draw else "",
            looked_at_before=draw is not None and not draw.unseen,
            found="" if known is None or known.wrong is None else "wrong" if known.wrong else "right",
            confidence=draw.confidence if draw else verdict.confidence if verdict else None,
            human_minutes=view.task.human_minutes,
            at_utc=item.started_utc,
        )


def _outcome(item: AttemptView) -> str:
    return "declined" if item.declined else str(item.verdict.outcome) if item.verdict else ""


def stream_of(draw: Draw) -> str:
    """Name the stream of audits that a result belongs to; "": it landed without a look and is not drawn."""
    if draw.uniform:
        return "uniform"
    return "before" if not draw.unseen else "suspicion" if draw.audited else ""
