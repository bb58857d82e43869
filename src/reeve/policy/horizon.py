"""What records say about how long agents may be left alone: horizons, their trend over dates of release, check-ins.

From anybody's run records: `horizon_report(read_runs(path))`. From reeve's own ledger, one row for each attempt that
was judged, where an agent is an exact version, as trust is never inherited:

    rows = [AttemptRow(agent="claude@2.1", task="fix-1", human_minutes=30.0, success=1.0, family="repo/tests"), ...]
    found = estimate(rows, levels=(0.5, 0.8, 0.95))      # -> Estimates(agents={name: AgentHorizon}, notes)
    check_in(found.agents["claude@2.1"], 0.95).seconds   # -> how long before a person looks

Both are pure: equal rows give equal numbers. An agent without rows is not in `agents`; for it, `check_in(None, 0.95)`.
The reliability that an owner asks for must be one of the levels that were estimated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from reeve.policy.release_dates import known_releases
from reeve.policy.run_records import RunRecords
from reeve.stats.horizon import LEVELS, PENALTY, PUBLISHED_SEED, AgentHorizon, Horizons, horizons
from reeve.stats.plateau import Plateau, plateau
from reeve.stats.points import RESAMPLES, affordable_resamples
from reeve.stats.runs import Runs
from reeve.stats.trend import Trend, trend
from reeve.units import plural

__all__ = [
    "TIERS_SECONDS",
    "AttemptRow",
    "CheckIn",
    "Estimates",
    "HorizonReport",
    "check_in",
    "estimate",
    "horizon_report",
]

TIERS_SECONDS = (1.0, 60.0, 3600.0, 18000.0)
"""The steps of autonomy: a person looks every second, every minute, every hour, every five hours."""

PERSON = "human"
"""The name under which the public records hold people's own runs: fitted like an agent, but no part of a trend."""


@dataclass(frozen=True, slots=True)
class HorizonReport:
    """All that `reeve horizon` says. `notes` are the rules that were applied, with counts."""

    horizons: Horizons
    trend: Trend
    plateau: Plateau
    released: Mapping[str, date]
    notes: tuple[str, ...]


def horizon_report(
    records: RunRecords,
    *,
    penalty: float = PENALTY,
    resamples: int | None = None,
    seed: int = PUBLISHED_SEED,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> HorizonReport:
    """Estimate all of it from the runs of one file; as `horizons` and `trend`, which say what they assume.

    `resamples` None: as many as take some seconds, which is 1000 unless the table is very large. `progress` is told how
    many are done, and of how many.
    """
    drawn = affordable_resamples(records.runs) if resamples is None else resamples
    found = horizons(
        records.runs, penalty=penalty, resamples=drawn, seed=seed, progress=lambda done: progress(done, drawn)
    )
    public = known_releases(agent for agent in records.runs.agents if agent not in records.released)
    released = {agent: day for agent, day in {**public, **records.released}.items() if agent != PERSON}
    notes = list(records.notes)
    if drawn and not found.as_published:
        notes.append(f"{plural(len(records.runs), 'run')}: {plural(drawn, 'resample')}, with random numbers of our own")
    if public:
        notes.append(f"release dates of {plural(len(public), 'agent')} are those of the public models of that name")
    growth = trend(found, released, seed=seed)
    return HorizonReport(found, growth, plateau(_suites(records), released, seed=seed), released, tuple(notes))


def _suites(records: RunRecords) -> dict[str, Runs]:
    """Divide the runs by the suite of their task; tasks of no suite belong to none."""
    suite = np.array([records.suites.get(task, "") for task in records.runs.tasks])[records.runs.task]
    return {name: records.runs.part(suite == name) for name in sorted(set(records.suites.values()))}


# ---------------------------------------------------------------- from the ledger


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt that was judged. `agent` names an exact version; `success` is 1, 0, or the part that succeeded.

    `human_minutes` is the expected time of a person for the task (above 0), None where nobody estimated it. `family`
    holds tasks that resemble each other and succeed or fail together; empty: the task is its own. `chain_steps` is
    the number of actions that the task needs, `files_touched` that of files that its reference changes: both known
    before the attempt and the same for every attempt at the task, None where not known.
    """

    agent: str
    task: str
    human_minutes: float | None
    success: float
    family: str = ""
    chain_steps: float | None = None
    files_touched: float | None = None


@dataclass(frozen=True, slots=True)
class Estimates:
    """Horizons by agent. `notes` are the rules that were applied, with counts."""

    agents: Mapping[str, AgentHorizon]
    notes: tuple[str, ...]


def estimate(
    rows: Iterable[AttemptRow],
    *,
    levels: Sequence[float] = LEVELS,
    penalty: float = PENALTY,
    resamples: int = RESAMPLES,
    seed: int = PUBLISHED_SEED,
) -> Estimates:
    """Estimate horizons as `horizons` does, which says what it assumes; no row, no agent.

    Attempts at tasks without human minutes are left out, and counted in the notes. Raises ValueError for minutes that
    are not above 0, for a success that is not from 0 to 1, and for a task of two families.

    >>> rows = [AttemptRow("a@1", f"t{m}", m, float(m < 10)) for m in (1, 2, 4, 8, 16, 32)]
    >>> round(estimate(rows, resamples=10).agents["a@1"].horizon(0.5).minutes, 2)
    11.31
    """
    given = list(rows)
    known = [(row, row.human_minutes) for row in given if row.human_minutes is not None]
    notes = []
    if len(known) < len(given):
        notes.append(f"{plural(len(given) - len(known), 'attempt')} at tasks without human minutes left out")
    if not known:
        return Estimates({}, tuple(notes))
    runs = Runs.of(
        [row.agent for row, _ in known],
        [row.task for row, _ in known],
        [row.family or row.task for row, _ in known],
        [minutes for _, minutes in known],
        [row.success for row, _ in known],
    )
    found = horizons(runs, penalty=penalty, resamples=resamples, seed=seed, levels=levels)
    return Estimates({each.agent: each for each in found.agents}, tuple(notes))


# ---------------------------------------------------------------- check-ins


@dataclass(frozen=True, slots=True)
class CheckIn:
    """How long an agent may work before a person looks; `reason` says which number decided.

    `tier_seconds` is the highest step of autonomy that lies within `seconds`.
    """

    seconds: float
    tier_seconds: float
    reason: str


def check_in(agent: AgentHorizon | None, reliability: float, *, cap_seconds: float = TIERS_SECONDS[-1]) -> CheckIn:
    """Give the check-in interval: the lower end of the horizon at the reliability asked for, and never more than a cap.

    The end is that of the interval of 95 %: in one case of forty the horizon is shorter. It is never above the longest
    task that was tried, and the interval never below a second, which is also what an agent gets of which nothing is
    known. `cap_seconds` is the tier that the owner allows. Raises KeyError for a level that was not estimated,
    ValueError for a cap that is no tier.

    >>> check_in(None, 0.95).seconds
    1.0
    """
    least = TIERS_SECONDS[0]
    if cap_seconds not in TIERS_SECONDS:
        raise ValueError(f"a cap is one of {TIERS_SECONDS} seconds, not {cap_seconds!r}")
    if agent is None:
        return CheckIn(least, least, "nothing is known of this agent yet")
    low, name = agent.horizon(reliability).low_minutes, f"p{reliability * 100:g}"
    if low is None:
        return CheckIn(least, least, f"{name} has no lower end: {agent.reason or 'too few families of tasks'}")
    bounds = (
        (cap_seconds, "the most that is allowed"),
        (agent.longest_minutes * 60.0, "the longest task that was tried"),
        (low * 60.0, f"the lower end of {name}"),
    )
    seconds, reason = min(bounds, key=lambda bound: bound[0])
    if seconds < least:
        return CheckIn(least, least, f"{reason} is below a second")
    return CheckIn(seconds, max(tier for tier in TIERS_SECONDS if tier <= seconds), reason)
