"""How long an agent may be left alone: horizons from the ledger, and the check-ins that follow from them."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from reeve.ledger.tracks import runs
from reeve.ports import Store
from reeve.records import AgentSpec
from reeve.settings import MEASURED, Settings

if TYPE_CHECKING:
    from reeve.stats.horizon import AgentHorizon

__all__ = ["FEWEST_TASKS", "UNKNOWN_SECONDS", "check_ins", "every_seconds", "measured_horizons"]

UNKNOWN_SECONDS = 3600.0
"""Between check-ins of an agent whose horizon is not known: nothing it makes lands without a look then anyway."""

FEWEST_TASKS = 10
"""With a length; below, an interval of a horizon would rest on hardly anything."""


def measured_horizons(store: Store, reliability: float) -> "Mapping[str, AgentHorizon]":
    """Estimate the horizon of every agent with enough tasks of known length, by ``name version``."""
    found = runs(store)
    if len({run.task for run in found}) < FEWEST_TASKS:
        return {}
    # NumPy takes a tenth of a second to import.
    from reeve.policy.horizon import AttemptRow, estimate
    from reeve.stats.horizon import LEVELS

    rows = [
        AttemptRow(f"{run.agent} {run.version}", run.task, run.human_minutes, float(run.succeeded)) for run in found
    ]
    levels = sorted({*LEVELS, reliability})
    return {name: each for name, each in estimate(rows, levels=levels).agents.items() if each.tasks >= FEWEST_TASKS}


def check_ins(store: Store, reliability: float) -> dict[str, tuple[float, str]]:
    """Give the check-in interval of every agent with a horizon, in seconds, with the number that decided."""
    horizons = measured_horizons(store, reliability)
    if not horizons:
        return {}
    from reeve.policy.horizon import check_in

    found = {name: check_in(each, reliability) for name, each in horizons.items()}
    bounded = (name for name, each in horizons.items() if each.horizon(reliability).low_minutes is not None)
    return {name: (found[name].seconds, found[name].reason) for name in bounded}


def every_seconds(settings: Settings, store: Store) -> Callable[[AgentSpec], float | None]:
    """Say for an agent how much it may work between check-ins; the ledger is read when the first attempt starts."""
    fixed = settings.check_in.every_seconds

    @cache
    def measured() -> dict[str, tuple[float, str]]:
        return check_ins(store, settings.trust.reliability)

    def seconds(agent: AgentSpec) -> float | None:
        if fixed != MEASURED:
            return fixed
        return measured().get(f"{agent.name} {agent.version}", (UNKNOWN_SECONDS, ""))[0]

    return seconds
