"""`reeve trust`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from reeve.cli.alone import FEWEST_TASKS, measured_horizons
from reeve.cli.lengths import BEYOND, BEYOND_WORDS, ends_of, length
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Json
from reeve.cli.output import hanging, minutes, print_json, safe, screen
from reeve.cli.reviewers import reviewers_of
from reeve.cli.status import answered
from reeve.ledger.audits import Results
from reeve.ledger.plain import one_line
from reeve.ledger.tracks import Escapes, Track, tracks
from reeve.units import duration, plural

if TYPE_CHECKING:
    from reeve.stats.horizon import AgentHorizon, Horizon


def trust(*, as_json: Json = False) -> None:
    """Say how reliable each version of an agent is here, at which kind of task, and what it costs."""
    settings = project()
    store = ledger_of(settings)
    results = Results(store)
    found = tracks(store, results)
    reviewers = reviewers_of(settings, store, results)
    horizons = measured_horizons(store, settings.trust.reliability)
    if as_json:
        print_json(
            {
                "tracks": [asdict(each) for each in found],
                "horizons": [asdict(each) for each in horizons.values()],
                "reviewers": asdict(reviewers),
            }
        )
        return
    console = screen()
    if not found:
        console.print(safe("Nothing was attempted yet."))
        return
    for each in found:
        _print(console, each, horizons)
    if not horizons:
        console.print(safe(f"A horizon needs {FEWEST_TASKS} tasks with `human_minutes`.", "dim"))
    for said in reviewers.sentences:
        console.print(safe(f"{said}."))


def _print(console: Console, track: Track, horizons: "Mapping[str, AgentHorizon]") -> None:
    who = track.who
    name = f"{who.agent} {who.version}"
    console.print(safe(f"{name} on {one_line(who.kind)} in {one_line(who.repository)}", "bold"))
    horizon = horizons.get(name)
    for label, said in (
        ("attempts", _attempts(track)),
        ("rates", _rates(track)),
        ("landed", f"{track.landed}{_unseen(track.escapes)}"),
        ("each landed", _costs(track)),
        ("surplus", _surplus(track)),
        (
            "integrity",
            plural(track.integrity_findings, "attempt") + " with a finding" if track.integrity_findings else "",
        ),
        ("canaries", answered(track.canaries) if track.canaries else ""),
        ("horizon", _horizon(horizon) if horizon else ""),
    ):
        if said:
            hanging(console, safe(f"  {label:<12}", "dim"), safe(said))
    console.print()


def _attempts(track: Track) -> str:
    named = (
        ("passed", track.passed),
        ("failed", track.failed),
        ("declined", track.declined),
        ("unverified", track.unverified),
    )
    counts = ", ".join(f"{number} {word}" for word, number in named if number)
    return f"{track.attempts} at {plural(track.tasks, 'task')}{f': {counts}' if counts else ''}"


def _rates(track: Track) -> str:
    said = [f"{rate.name} {rate.share * 100:.0f} % ({plural(rate.tasks, 'task')})" for rate in track.rates]
    if track.pass_1 is not None:
        how = "leaning on the other records" if track.pass_1.pooled else "exact"
        ends = f"{track.pass_1.low * 100:.0f} to {track.pass_1.high * 100:.0f} %"
        said.append(f"one attempt passes {track.pass_1.value * 100:.0f} % ({ends}, {how})")
    return ", ".join(said) or track.no_pass_1


def _unseen(escapes: Escapes) -> str:
    if not escapes.unseen:
        return ""
    known = f", {escapes.unseen} without a look; {escapes.known} of these known to be wrong"
    if escapes.at_most is None:
        return f"{known}; none was audited, so their escape rate is not known"
    audits = f"{plural(escapes.audited, 'uniform audit')} found {escapes.wrong} wrong"
    return f"{known}; {audits}: an escape rate of at most {escapes.at_most * 100:.1f} % (95 %)"


def _costs(track: Track) -> str:
    usd = "" if track.usd_per_landed is None else f"{track.usd_per_landed:.4g} dollars"
    agent = (
        "" if track.agent_minutes_per_landed is None else f"{duration(track.agent_minutes_per_landed * 60.0)} of agents"
    )
    human = "" if track.human_minutes_per_landed is None else f"{minutes(track.human_minutes_per_landed)} min of people"
    return ", ".join(part for part in (human, agent, usd) if part)


def _surplus(track: Track) -> str:
    share = track.surplus_share
    if share is None:
        return ""
    lines = plural(track.surplus_of_lines, "line")
    return f"{share * 100:.0f} % of the {lines} that passed and were measured were not needed by the checks"


def _horizon(found: "AgentHorizon") -> str:
    """Say each horizon with its interval, and on what it rests: it is that of the agent, at whatever kind of task."""
    known = [each for each in found.horizons if each.minutes is not None]
    if not known:
        return found.reason
    said = ", ".join(
        f"p{each.success * 100:g} {length(each.minutes)}{BEYOND * each.beyond}{_ends(each)}" for each in known
    )
    lengths = f"{length(found.shortest_minutes)} to {length(found.longest_minutes)}"
    basis = (
        f"of {plural(found.runs, 'run')} at {plural(found.tasks, 'task')} of {lengths}, of all kinds and repositories"
    )
    beyond = f"{BEYOND} {BEYOND_WORDS}" if any(each.beyond for each in known) else ""
    return "; ".join(part for part in (f"{said} {basis}", beyond, found.reason) if part)


def _ends(at: "Horizon") -> str:
    return f" ({ends_of(at)}, 95 %)" if ends_of(at) else " (no interval)"
