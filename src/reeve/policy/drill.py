"""What a drill says of agents: how often each does again what was done here before, and for how long a task."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from reeve.records import DrillResult, KnownAnswer, Outcome
from reeve.stats.intervals import Estimate, clopper_pearson
from reeve.units import plural

if TYPE_CHECKING:
    from reeve.stats.horizon import AgentHorizon

__all__ = ["CONFIDENCE", "AgentDrill", "DrillHorizons", "agent_drills", "drill_horizons"]

CONFIDENCE = 0.95
FEWEST_TASKS = 10
FEWEST_SPREAD = 4.0
"""The longest task must take so many times as long as the shortest, or there is no curve over lengths to see."""

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class AgentDrill:
    """What one version of an agent did at drill tasks.

    `share` is passed / (passed + failed), an attempt that declined being a failed one, with its exact interval at
    95 % for independent tasks; None: nothing was judged. `unverified` attempts say nothing either way.
    """

    agent: str
    version: str
    attempts: int
    passed: int
    failed: int
    declined: int  # of the failed
    unverified: int
    share: Estimate | None
    by_answer: Mapping[str, Estimate]
    median_seconds: float | None
    usd: float | None  # of all attempts; None: no cost is known


@dataclass(frozen=True, slots=True)
class DrillHorizons:
    """The horizons of all agents over estimated human minutes; none, with the reason, where there is too little."""

    agents: "tuple[AgentHorizon, ...]" = ()
    reason: str = ""


def agent_drills(results: Sequence[DrillResult]) -> tuple[AgentDrill, ...]:
    """Count by agent and version, as another version is another agent."""
    groups: defaultdict[tuple[str, str], list[DrillResult]] = defaultdict(list)
    for result in results:
        groups[result.agent, result.version].append(result)
    return tuple(_agent(*key, groups[key]) for key in sorted(groups))


def _agent(agent: str, version: str, results: Sequence[DrillResult]) -> AgentDrill:
    outcomes = Counter(result.outcome for result in results)
    costs = [result.usd for result in results if result.usd is not None]
    by_answer = {
        str(answer): share
        for answer in KnownAnswer
        if (share := _share([result for result in results if result.answer is answer])) is not None
    }
    return AgentDrill(
        agent,
        version,
        attempts=len(results),
        passed=outcomes[Outcome.PASSED],
        failed=outcomes[Outcome.FAILED],
        declined=sum(result.declined for result in results),
        unverified=outcomes[Outcome.UNVERIFIED],
        share=_share(results),
        by_answer=by_answer,
        median_seconds=median(result.wall_seconds for result in results) if results else None,
        usd=sum(costs) if costs else None,
    )


def _share(results: Sequence[DrillResult]) -> Estimate | None:
    judged = [result.outcome is Outcome.PASSED for result in results if result.outcome is not Outcome.UNVERIFIED]
    return clopper_pearson(sum(judged), len(judged), CONFIDENCE) if judged else None


def drill_horizons(results: Sequence[DrillResult], *, seed: int) -> DrillHorizons:
    """Estimate how long a task each agent can do, over the minutes that were estimated from patch sizes.

    Refused, with the reason, below FEWEST_TASKS tasks or FEWEST_SPREAD times from the shortest to the longest.
    """
    judged = [one for one in results if one.outcome is not Outcome.UNVERIFIED and one.human_minutes is not None]
    minutes = {one.example: one.human_minutes for one in judged if one.human_minutes is not None}
    if len(minutes) < FEWEST_TASKS:
        return DrillHorizons(reason=f"{plural(len(minutes), 'task')} with a length; a horizon needs {FEWEST_TASKS}")
    low, high = min(minutes.values()), max(minutes.values())
    if high < FEWEST_SPREAD * low:
        lengths = f"the tasks are all about as long, {low:g} to {high:g} minutes"
        return DrillHorizons(reason=f"{lengths}; a horizon needs {FEWEST_SPREAD:g} times between them")
    # NumPy takes a tenth of a second to import; the command line imports this module for its names.
    from reeve.stats.horizon import horizons
    from reeve.stats.runs import Runs

    runs = Runs.of(
        [f"{one.agent} {one.version}" for one in judged],
        [one.example for one in judged],
        [one.example for one in judged],
        [minutes[one.example] for one in judged],
        [float(one.outcome is Outcome.PASSED) for one in judged],
    )
    return DrillHorizons(horizons(runs, resamples=RESAMPLES, seed=seed).agents)
