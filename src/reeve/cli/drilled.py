"""What `reeve drill` prints."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from reeve.cli.output import Column, hanging, listing, safe
from reeve.durable.drilling import Mined
from reeve.ledger.codec import encode
from reeve.policy.drill import AgentDrill, DrillHorizons
from reeve.stats.intervals import Estimate
from reeve.units import duration, plural, short_hash

__all__ = ["Drill", "print_drill", "shape"]

AGENTS = (
    Column("agent", grows=True),
    Column("attempts", right=True),
    Column("passed", right=True),
    Column("failed", right=True),
    Column("declined", right=True),
    Column("unverified", right=True),
    Column("reliability", right=True),
    Column("95 %"),
    Column("median", right=True),
)
REASONS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Drill:
    """Everything that a drill found."""

    repository: str
    mined: Mined
    agents: tuple[AgentDrill, ...]
    horizons: DrillHorizons
    interrupted: bool
    late: bool


def print_drill(console: Console, drill: Drill) -> None:
    """Print the report for a person."""
    mined = drill.mined
    console.print(safe(f"{plural(len(mined.examples), 'task')} of {drill.repository}", "bold"))
    for said in mined.notes:
        hanging(console, safe("  "), safe(said, "dim"))
    for reason, count in list(mined.dropped.items())[:REASONS_SHOWN]:
        hanging(console, safe("  "), safe(f"passed over: {count} {reason}", "dim"))
    if drill.agents:
        console.print()
        listing(console, AGENTS, [_agent_row(each) for each in drill.agents])
        _print_horizons(console, drill.horizons)
    if drill.late:
        console.print(safe("The time was over before all was done; `reeve drill` again goes on from there.", "yellow"))
    if drill.interrupted:
        console.print(safe("Stopped. What was done is kept; `reeve drill` goes on from there.", "yellow"))


def _agent_row(agent: AgentDrill) -> list[Text]:
    counts = (agent.attempts, agent.passed, agent.failed, agent.declined, agent.unverified)
    took = "" if agent.median_seconds is None else duration(agent.median_seconds)
    share = "" if agent.share is None else f"{agent.share.value:.0%}"
    return [
        safe(f"{agent.agent} {short_hash(agent.version)}"),
        *map(safe, counts),
        safe(share),
        _range(agent.share),
        safe(took),
    ]


def _range(share: Estimate | None) -> Text:
    return safe("" if share is None else f"{share.low:.0%} to {share.high:.0%}", "dim")


def _print_horizons(console: Console, found: DrillHorizons) -> None:
    if found.reason:
        hanging(console, safe("horizon: ", "dim"), safe(f"refused: {found.reason}", "dim"))
    for each in found.agents:
        half = each.horizon(0.5)
        said = each.reason or f"half of the tasks of {half.minutes:.3g} estimated minutes"
        hanging(console, safe("horizon: ", "dim"), safe(f"{each.agent}: {said}", "dim"))


def shape(drill: Drill) -> dict[str, Any]:
    """Return the documented JSON of a drill."""
    mined = drill.mined
    return {
        "repository": drill.repository,
        "tasks": [
            {
                "id": each.task.id,
                "kind": each.task.known_answer,
                "base": each.task.base,
                "source": each.task.source,
                "required": list(each.task.checks.required),
                "human_minutes": each.task.human_minutes,
            }
            for each in mined.examples
        ],
        "dropped": dict(mined.dropped),
        "notes": list(mined.notes),
        "agents": [encode(each) for each in drill.agents],
        "horizons": {
            "agents": [encode(each) for each in drill.horizons.agents],
            "reason": drill.horizons.reason or None,
        },
        "late": drill.late,
        "interrupted": drill.interrupted,
    }
