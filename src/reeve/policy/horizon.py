"""What records say about how long agents may be left alone: horizons, their trend over dates of release, check-ins.

From anybody's run records: `horizon_report(read_runs(path))`. From reeve's own ledger, one row for each attempt that
was judged, where an agent is an exact version, as trust is never inherited:

    rows = [AttemptRow(agent="claude@2.1", task="fix-1", human_minutes=30.0, success=1.0, family="repo/tests"), ...]
    found = estimate(rows, levels=(0.5, 0.8, 0.95))      # -> Estimates(agents={name: AgentHorizon}, axes, notes)
    check_in(found.agents["claude@2.1"], 0.95).seconds   # -> how long before a person looks

Both are pure: equal rows give equal numbers. An agent without rows is not in `agents`; for it, `check_in(None, 0.95)`.
The reliability that an owner asks for must be one of the levels that were estimated.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import inf

import numpy as np

from reeve.errors import InputError
from reeve.policy.release_dates import known_releases
from reeve.policy.run_records import CHAIN, FILES, RunRecords
from reeve.stats.axes import Axes, axes
from reeve.stats.horizon import LEVELS, PENALTY, PUBLISHED_SEED, AgentHorizon, Horizons, horizons
from reeve.stats.logistic import NotConverged
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

THIS_FILE = "the runs"
"""The suite of a file that names none, next to others."""

PERSON = "human"
"""The name under which the public records hold people's own runs: fitted like an agent, but no part of a trend."""


@dataclass(frozen=True, slots=True)
class HorizonReport:
    """All that `reeve horizon` says. `notes` are the rules that were applied, with counts.

    `axes` is None unless it was asked for.
    """

    horizons: Horizons
    trend: Trend
    plateau: Plateau
    axes: Axes | None
    released: Mapping[str, date]
    notes: tuple[str, ...]


def horizon_report(
    records: RunRecords,
    *,
    penalty: float = PENALTY,
    resamples: int | None = None,
    seed: int = PUBLISHED_SEED,
    by_chain: bool = False,
    suites: Mapping[str, RunRecords] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> HorizonReport:
    """Estimate all of it from the runs of one file; `horizons`, `trend`, `plateau` and `axes` say what they assume.

    `resamples` None: as many as take some seconds, which is 1000 unless the table is very large. `suites` are records
    of other benchmarks, for the plateau alone. `progress` is told how many resamples are done, and of how many. Raises
    InputError where success by chain is asked for and cannot be told, and where a curve has no optimum.
    """
    if by_chain:
        _need_chains(records)
    runs, others = records.runs, suites or {}
    drawn = affordable_resamples(runs) if resamples is None else resamples
    told = partial(_told, progress, drawn)
    both = None
    try:
        found = horizons(runs, penalty=penalty, resamples=drawn, seed=seed, progress=told)
        if by_chain:
            sizes = (records.chain_steps, records.files_touched)
            both = axes(runs, *sizes, penalty=penalty, resamples=drawn, seed=seed, progress=told)
    except NotConverged as error:
        raise InputError(f"estimating curves: {error}; a larger penalty than {penalty:g} gives each one") from None
    released, public = _released(runs.agents, [records, *others.values()])
    growth = trend(found, released, seed=seed)
    stalled = plateau(_suites(records, others), released, seed=seed)
    notes = (*records.notes, *_rules(found, both, drawn, public))
    return HorizonReport(found, growth, stalled, both, released, notes)


def _told(progress: Callable[[int, int], None], total: int, done: int) -> None:
    progress(done, total)


def _need_chains(records: RunRecords) -> None:
    if not records.chain_steps:
        raise InputError(f"success by chain: no run has {CHAIN}, the number of actions that its task needs")
    if records.files_touched and not set(records.chain_steps) & set(records.files_touched):
        raise InputError(f"success by chain: no task has both {CHAIN} and {FILES}")


def _released(agents: Iterable[str], files: Sequence[RunRecords]) -> tuple[dict[str, date], int]:
    """Give dates of release, and how many agents of the runs have theirs by name alone; people have none."""
    said: dict[str, date] = {}
    for each in files:
        for agent, day in each.released.items():
            if said.setdefault(agent, day) != day:
                raise InputError(f"{agent!r} was released on {said[agent]} in one file and on {day} in another")
    public = known_releases(sorted({*agents, *(name for each in files for name in each.runs.agents)} - set(said)))
    return {agent: day for agent, day in {**public, **said}.items() if agent != PERSON}, len(public)


def _rules(found: Horizons, both: Axes | None, drawn: int, public: int) -> Iterator[str]:
    """Say which rules were applied."""
    if drawn and not found.as_published:
        yield f"a large table: {plural(drawn, 'resample')}, with random numbers of our own"
    if public:
        yield f"release dates of {plural(public, 'agent')} are those of the public models of that name"
    if both is not None and both.left_out:
        yield f"{plural(both.left_out, 'run')} at tasks without {CHAIN} or {FILES} left out of success by chain"


def _suites(records: RunRecords, others: Mapping[str, RunRecords]) -> dict[str, Runs]:
    """Divide the runs by the suite of their task; tasks of no suite belong to none.

    Beside other files, a file that names no suite is one.
    """
    found: dict[str, Runs] = {}
    if records.suites:
        suite = np.array([records.suites.get(task, "") for task in records.runs.tasks])[records.runs.task]
        found = {name: records.runs.part(suite == name) for name in sorted(set(records.suites.values()))}
    elif others:
        found = {THIS_FILE: records.runs}
    return found | {name: each.runs for name, each in others.items()}


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
    """Horizons by agent. `notes` are the rules that were applied, with counts.

    `axes` is success over complexity and chain, by agent; None where no task has a known chain.
    """

    agents: Mapping[str, AgentHorizon]
    axes: Axes | None
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

    Attempts at tasks without human minutes are left out, and counted in the notes. Raises ValueError for minutes,
    steps or files that are not above 0, for a success that is not from 0 to 1, and for a task of two families or sizes.

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
        return Estimates({}, None, tuple(notes))
    runs = Runs.of(
        [row.agent for row, _ in known],
        [row.task for row, _ in known],
        [row.family or row.task for row, _ in known],
        [minutes for _, minutes in known],
        [row.success for row, _ in known],
    )
    chains = _one_each((row.task, row.chain_steps) for row, _ in known)
    files = _one_each((row.task, row.files_touched) for row, _ in known)
    both = None
    if chains.keys() & (files or chains).keys():
        both = axes(runs, chains, files, levels=levels, penalty=penalty, resamples=resamples, seed=seed)
    found = horizons(runs, penalty=penalty, resamples=resamples, seed=seed, levels=levels)
    return Estimates({each.agent: each for each in found.agents}, both, tuple(notes))


def _one_each(sizes: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Give the size of each task that has one; what differs between attempts was not known before them."""
    found: dict[str, float] = {}
    for task, size in sizes:
        if size is None:
            continue
        if not 0 < size < inf:
            raise ValueError(f"a size of a task is above 0 and finite, not {size!r}")
        if found.setdefault(task, size) != size:
            raise ValueError(
                f"{task!r} has two sizes, {found[task]!r} and {size!r}: it must be known before an attempt"
            )
    return found


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
