"""What `reeve drill` prints."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from reeve.cli.output import Column, hanging, listing, safe
from reeve.durable.drilling import Mined
from reeve.ledger.codec import encode
from reeve.ledger.plain import one_line
from reeve.policy.drill import AgentDrill, DrillHorizons
from reeve.policy.suite import Bound, LetPass, Suite
from reeve.records import WrongPatch
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
KINDS = (
    Column("wrong patches", grows=True),
    Column("tried", right=True),
    Column("let pass", right=True),
    Column("share", right=True),
    Column("95 %"),
)
REASONS_SHOWN = 12
FILES_SHOWN = 10
PLACES_SHOWN = 3
PLACE_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Drill:
    """Everything that a drill found."""

    repository: str
    mined: Mined
    agents: tuple[AgentDrill, ...]
    horizons: DrillHorizons
    suite: Suite
    interrupted: bool
    late: bool
    exported: str = ""  # the file of rows; "": none was asked for
    clone: str = ""  # the repository beside it


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
    if drill.suite.all is not None:
        _print_suite(console, drill.suite, drill.suite.all)
    if drill.exported:
        console.print()
        hanging(console, safe("rows: "), safe(f"{drill.exported}, with the bases in {drill.clone}"))
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


def _print_suite(console: Console, suite: Suite, whole: LetPass) -> None:
    console.print()
    rows = [*suite.by_kind.items(), *([("all", whole)] if len(suite.by_kind) > 1 else [])]
    listing(console, KINDS, [_kind_row(kind, found) for kind, found in rows])
    if suite.files:
        console.print()
        console.print(safe("Where more checks would gain most", "bold"))
    for each in suite.files[:FILES_SHOWN]:
        lines = ", ".join(map(_place, each.places[:PLACES_SHOWN]))
        more = f" and {len(each.places) - PLACES_SHOWN} more" if len(each.places) > PLACES_SHOWN else ""
        counts = f"{each.let_pass} of {each.tried} let pass; {each.share_after:.0%} of all would be without them"
        said = f"{counts}: line {lines}{more}"
        hanging(console, safe(f"  {each.path}: "), safe(said, "dim"))
    if suite.bounds:
        console.print()
    for bound in suite.bounds:
        hanging(console, safe(f"{bound.agent}: "), safe(bound_sentence(bound), "green" if bound.holds else "yellow"))


def _place(one: WrongPatch) -> str:
    return f"{one.line} ({one_line(one.was, PLACE_WIDTH)} -> {one_line(one.now, PLACE_WIDTH)})"


def bound_sentence(bound: Bound) -> str:
    """Say in one sentence how much may ever land unseen on these tests alone."""
    odds = f"up to {bound.failing:.0%} of its attempts fail and up to {bound.let_pass:.0%} of wrong ones are let pass"
    if bound.holds:
        may = f"at {bound.accepted:.0%} accepted, all that passes may land unseen"
    else:
        # An agent of which nothing shows that it ever succeeds: no tests are good enough for what it delivers.
        need = f"until they let at most {bound.most_let_pass:.1%} pass" if bound.most_let_pass else "whatever they find"
        may = f"at {bound.accepted:.0%} accepted, nothing may land unseen on these tests alone {need}"
    return f"of what passes up to {bound.escape:.0%} may be wrong ({odds}), so {may}"


def _kind_row(kind: str, found: LetPass) -> list[Text]:
    return [safe(kind), safe(found.tried), safe(found.let_pass), safe(f"{found.share.value:.0%}"), _range(found.share)]


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
        "suite": _suite_shape(drill.suite),
        "exported": {"rows": drill.exported, "repository": drill.clone} if drill.exported else None,
        "late": drill.late,
        "interrupted": drill.interrupted,
    }


def _suite_shape(suite: Suite) -> dict[str, Any]:
    return {
        "all": None if suite.all is None else encode(suite.all),
        "by_kind": encode(suite.by_kind),
        "files": [encode(each) for each in suite.files],
        "bounds": [encode(each) | {"holds": each.holds, "sentence": bound_sentence(each)} for each in suite.bounds],
    }
