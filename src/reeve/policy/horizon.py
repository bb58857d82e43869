"""What run records say about how long agents may be left alone: horizons, and their trend over dates of release."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from reeve.policy.release_dates import known_releases
from reeve.policy.run_records import RunRecords
from reeve.stats.horizon import PENALTY, PUBLISHED_SEED, RESAMPLES, Horizons, horizons
from reeve.stats.plateau import Plateau, plateau
from reeve.stats.runs import Runs
from reeve.stats.trend import Trend, trend
from reeve.units import plural

__all__ = ["HorizonReport", "horizon_report"]

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
    resamples: int = RESAMPLES,
    seed: int = PUBLISHED_SEED,
    progress: Callable[[int], None] = lambda _: None,
) -> HorizonReport:
    """Estimate all of it from the runs of one file; as `horizons` and `trend`, which say what they assume."""
    found = horizons(records.runs, penalty=penalty, resamples=resamples, seed=seed, progress=progress)
    public = known_releases(agent for agent in records.runs.agents if agent not in records.released)
    released = {agent: day for agent, day in {**public, **records.released}.items() if agent != PERSON}
    notes = list(records.notes)
    if found.as_counts and resamples:
        notes.append(f"{plural(len(records.runs), 'run')}: resamples are drawn as counts, not in the published order")
    if public:
        notes.append(f"release dates of {plural(len(public), 'agent')} are those of the public models of that name")
    growth = trend(found, released, seed=seed)
    return HorizonReport(found, growth, plateau(_suites(records), released, seed=seed), released, tuple(notes))


def _suites(records: RunRecords) -> dict[str, Runs]:
    """Divide the runs by the suite of their task; tasks of no suite belong to none."""
    suite = np.array([records.suites.get(task, "") for task in records.runs.tasks])[records.runs.task]
    return {name: records.runs.part(suite == name) for name in sorted(set(records.suites.values()))}
