"""How long an agent may be left alone here: horizons from the record of one's own ledger, and check-ins from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reeve.policy.drill import FEWEST_SPREAD, FEWEST_TASKS
from reeve.units import plural

if TYPE_CHECKING:
    from reeve.stats.horizon import AgentHorizon

__all__ = ["TIERS_SECONDS", "Horizons", "Length", "check_in_seconds", "horizons_of"]

TIERS_SECONDS = (1.0, 60.0, 3600.0, 18_000.0)
"""A person looks every second, minute, hour or five hours; the step to the next is earned and withdrawn by evidence."""

RESAMPLES = 1000
SEED = 42


@dataclass(frozen=True, slots=True)
class Length:
    """One judged attempt at a task that takes a person so many minutes."""

    agent: str
    task: str
    family: str  # tasks that are alike in other ways than their length
    human_minutes: float
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Horizons:
    """The horizon of each agent that has one; `reason` says why there are none at all."""

    agents: "tuple[AgentHorizon, ...]" = ()
    reason: str = ""

    def of(self, agent: str) -> "AgentHorizon | None":
        """Return that of an agent; None: it has no judged attempt at a task with a length, or there are too few."""
        return next((each for each in self.agents if each.agent == agent), None)


def horizons_of(lengths: Sequence[Length], reliability: float | None = None) -> Horizons:
    """Estimate horizons at 50, 80 and 95 %, and at `reliability` if one is asked for; assumptions as in `horizons`.

    Refused, with the reason, below FEWEST_TASKS tasks or FEWEST_SPREAD times from the shortest to the longest.
    """
    minutes = {each.task: each.human_minutes for each in lengths}
    if len(minutes) < FEWEST_TASKS:
        return Horizons(reason=f"{plural(len(minutes), 'task')} with a length; a horizon needs {FEWEST_TASKS}")
    low, high = min(minutes.values()), max(minutes.values())
    if high < FEWEST_SPREAD * low:
        return Horizons(
            reason=f"all tasks take {low:g} to {high:g} minutes; a horizon needs {FEWEST_SPREAD:g} times between them"
        )
    # NumPy takes a tenth of a second to import.
    from reeve.stats.horizon import LEVELS, horizons
    from reeve.stats.runs import Runs

    runs = Runs.of(
        [each.agent for each in lengths],
        [each.task for each in lengths],
        [each.family for each in lengths],
        [each.human_minutes for each in lengths],
        [float(each.succeeded) for each in lengths],
    )
    levels = sorted({*LEVELS, *([] if reliability is None else [reliability])})
    return Horizons(horizons(runs, resamples=RESAMPLES, seed=SEED, levels=levels).agents)


def check_in_seconds(low_minutes: float | None) -> float | None:
    """Return the longest stretch of work before a person looks: the largest tier that the lower bound allows.

    `low_minutes` is the lower end of the horizon at the reliability that the owner asks for, in human minutes, taken
    as minutes of work; None: there is no bound, and nothing is said.

    >>> check_in_seconds(22.0), check_in_seconds(75.0), check_in_seconds(0.001), check_in_seconds(None)
    (60.0, 3600.0, 1.0, None)
    """
    if low_minutes is None:
        return None
    return max((tier for tier in TIERS_SECONDS if tier <= low_minutes * 60.0), default=TIERS_SECONDS[0])
