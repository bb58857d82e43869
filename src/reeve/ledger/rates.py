"""How often one attempt passes, and how often several do: different numbers, so both are shown.

An attempt that declines has not passed, as one with a wrong result has not: declining never lowers an agent's rate
below what a wrong result would have made of it. What it did instead is shown apart, because the two cost a person
something very different.
"""

from collections import Counter
from dataclasses import dataclass

from reeve.stats.pass_at_k import Tallies, mean_pass_at_k, mean_pass_hat_k

__all__ = ["Rate", "pass_rates"]


@dataclass(frozen=True, slots=True)
class Rate:
    """One estimate with the number of tasks that it rests on."""

    name: str
    share: float
    tasks: int


def pass_rates(tallies: Tallies) -> tuple[Rate, ...]:
    """Estimate pass@1 over all tasks, and pass@k and pass^k over those that were attempted at least k times.

    k is the commonest number of attempts, the larger one of equals; the number was fixed before a task's first
    attempt, so choosing tasks by it does not choose them by how they went. Nothing is estimated from nothing. A mapping
    says how many tasks have each tally.
    """
    tasks = Counter(tallies)
    if not tasks:
        return ()
    sizes: Counter[int] = Counter()
    for tally, number in tasks.items():
        sizes[tally.attempts] += number
    k = max(sizes, key=lambda size: (sizes[size], size))
    rates = [Rate("pass@1", mean_pass_at_k(tasks, 1), tasks.total())]
    if k > 1:
        enough = Counter({tally: number for tally, number in tasks.items() if tally.attempts >= k})
        rates.append(Rate(f"pass@{k}", mean_pass_at_k(enough, k), enough.total()))
        rates.append(Rate(f"pass^{k}", mean_pass_hat_k(enough, k), enough.total()))
    return tuple(rates)
