"""How many attempts, by which agents, in which order: go on while the next one is worth more than it costs.

An attempt that fails says that the task is hard, for its agent most and for the others too; and each further one is
another chance for a wrong result to pass the checks. It is this last that makes the best number of attempts finite
however cheap they are: Stroebl et al. 2024, Inference Scaling fLaws, arXiv:2411.17501.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from reeve.stats.partial import spread
from reeve.stats.pass_at_k import Tally
from reeve.stats.risk import Refused

__all__ = ["Candidate", "Plan", "Stakes", "Step", "belief", "plan"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that could try: its chance of solving a task of this kind is believed to be Beta(solved, unsolved).

    The two must describe how chances spread over tasks (`belief`), not how well their mean is known: with the counts
    of a whole ledger a failure would say nothing about this task. `cost_usd` is that of one attempt.
    """

    agent: str
    solved: float
    unsolved: float
    cost_usd: float

    def __post_init__(self) -> None:
        if not (self.solved > 0.0 and self.unsolved > 0.0 and isfinite(self.solved + self.unsolved)):
            raise ValueError(f"a belief has two numbers above 0: {self!r}")
        if not 0.0 <= self.cost_usd < float("inf"):
            raise ValueError(f"a cost is at least 0: {self!r}")


@dataclass(frozen=True, slots=True)
class Stakes:
    """What there is to win and to lose, in dollars.

    `value_usd` is that of a solved task, `escape_cost_usd` that of a wrong result that passes. The checks pass a right
    result with the chance `true_pass_rate` and a wrong one with `false_pass_rate`. `shared` is how much of a failure
    of one agent counts as one of each other agent: 0 if they fail independently, 1 if on the same tasks.
    """

    value_usd: float
    escape_cost_usd: float
    false_pass_rate: float
    true_pass_rate: float = 1.0
    shared: float = 0.5

    def __post_init__(self) -> None:
        if not (0.0 <= self.value_usd < float("inf") and 0.0 <= self.escape_cost_usd < float("inf")):
            raise ValueError(f"value and cost are at least 0: {self!r}")
        if not all(0.0 <= rate <= 1.0 for rate in (self.false_pass_rate, self.true_pass_rate, self.shared)):
            raise ValueError(f"rates lie between 0 and 1: {self!r}")


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt: whose, its chance of solving the task if all before it failed, and what it brings if it is made."""

    agent: str
    chance: float
    gain_usd: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The attempts that are worth making, in order, each if those before it did not pass; and why no further one."""

    steps: tuple[Step, ...]
    stopped: str


def plan(candidates: Sequence[Candidate], stakes: Stakes, most_attempts: int) -> Plan:
    """Choose attempts one after the other, each the one that gains most, as long as one gains anything.

    The gain of an attempt that solves the task with chance p is  p Se value - cost - FPR (1 - p) escape cost,  where
    Se and FPR are the pass rates of right and wrong results. An attempt that did not pass counts as failed: by Bayes'
    rule to the part that it was not a right result which the checks turned down.

    Assumes that the beliefs are right and that the checks err independently from one attempt to the next; where the
    same wrong result passes again and again, the true loss of going on is smaller than this. Greedy: the order is the
    best one where all cost the same, and close to it otherwise. Raises ValueError for two candidates of one name and
    for fewer than no attempts.

    >>> fast, strong = Candidate("fast", 1, 1, cost_usd=0.1), Candidate("strong", 3, 1, cost_usd=1.0)
    >>> found = plan([fast, strong], Stakes(value_usd=10, escape_cost_usd=40, false_pass_rate=0.05), most_attempts=5)
    >>> [(step.agent, round(step.chance, 2)) for step in found.steps]
    [('strong', 0.75), ('strong', 0.6), ('strong', 0.5), ('strong', 0.43), ('strong', 0.38)]
    """
    names = [candidate.agent for candidate in candidates]
    if len(set(names)) != len(names):
        raise ValueError(f"each agent stands once among the candidates, not as in {names!r}")
    if most_attempts < 0:
        raise ValueError(f"the most attempts are 0 or more, not {most_attempts!r}")
    if not candidates:
        return Plan((), "no agent could try")
    beliefs = {each.agent: (each.solved, each.unsolved) for each in candidates}
    steps: list[Step] = []
    while len(steps) < most_attempts:
        options = [_step(each, *beliefs[each.agent], stakes) for each in candidates]
        best = max(options, key=lambda step: step.gain_usd)  # the first of equals: the order of the owner
        if best.gain_usd <= 0.0:
            gain = f"{best.gain_usd:.2f} USD"
            return Plan(tuple(steps), f"the next attempt ({best.agent!r}, chance {best.chance:.0%}) gains {gain}")
        steps.append(best)
        beliefs = {name: _after_failure(name, belief, best, stakes) for name, belief in beliefs.items()}
    return Plan(tuple(steps), f"the limit of {most_attempts} attempts")


def belief(agent: str, tallies: Sequence[Tally], cost_usd: float) -> Candidate | Refused:
    """Make a candidate of its record: one tally for each task of this kind that it attempted, some more than once.

    Assumptions and reference are those of `partial.spread`, which estimates how its chances spread over tasks.

    >>> found = belief("fast", [Tally(5, 5), Tally(5, 0), Tally(5, 4), Tally(5, 0)], cost_usd=0.1)
    >>> found.solved + found.unsolved < 5
    True
    """
    found = spread(tallies)
    if isinstance(found, Refused):
        return found
    solved = found.mean * found.concentration
    return Candidate(agent, solved, found.concentration - solved, cost_usd)


def _step(candidate: Candidate, solved: float, unsolved: float, stakes: Stakes) -> Step:
    chance = solved / (solved + unsolved)
    gain = chance * stakes.true_pass_rate * stakes.value_usd - candidate.cost_usd
    return Step(candidate.agent, chance, gain - stakes.false_pass_rate * (1.0 - chance) * stakes.escape_cost_usd)


def _after_failure(name: str, belief: tuple[float, float], step: Step, stakes: Stakes) -> tuple[float, float]:
    """Add the failure to a belief: whole for the agent that failed, in part for the others."""
    solved, unsolved = belief
    turned_down = step.chance * (1.0 - stakes.true_pass_rate)  # right, and not passed
    not_passed = turned_down + (1.0 - step.chance) * (1.0 - stakes.false_pass_rate)
    failed = 1.0 if not not_passed else 1.0 - turned_down / not_passed
    weight = 1.0 if name == step.agent else stakes.shared
    return solved + weight * (1.0 - failed), unsolved + weight * failed
