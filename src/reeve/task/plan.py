"""Which attempts come next."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reeve.errors import InputError
from reeve.records import AgentSpec, Attempt, Base, Ending, Landing, LandingOutcome, Order, Policy, Task

__all__ = ["FREE_SANDBOX_FAILURES", "History", "attempts_left", "plan"]

FREE_SANDBOX_FAILURES = 3
"""So many attempts that the sandbox lost do not count; without an end to it a broken machine would try for ever."""


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one task, over all its versions."""

    orders: tuple[Order, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    landings: tuple[Landing, ...] = ()
    words: tuple[str, ...] = ()  # with which people sent results of the present version back, oldest first


def attempts_left(task: Task, history: History) -> int:
    """Count the attempts that this version of a task may still have; one under way is counted as used.

    Not counted are those that a person interrupted and the first FREE_SANDBOX_FAILURES that the sandbox lost;
    every landing that failed on a moved head allows one more, and whoever sends a result back allows all of them anew.
    """
    mine = {order.attempt for order in history.orders if order.digest == task.digest}
    allowed = task.attempts * (1 + len(history.words)) + _granted(history, mine)
    return max(0, allowed - _counted(mine, history))


def plan(
    task: Task,
    history: History,
    policy: Policy,
    base: Base,
    agents: Mapping[str, AgentSpec],
    *,
    round_: int,
    rules: Sequence[str] = (),
) -> tuple[Order, ...]:
    """Return the orders of a round; none if the task's attempts are used up or another round is still under way.

    Attempt numbers go on over versions, so that no id is used twice. Every order keeps the rules it was given: an
    attempt that is started again is told the same.
    """
    mine = {order.attempt for order in history.orders if order.digest == task.digest}
    if mine - {attempt.id for attempt in history.attempts}:
        return ()
    counted = _counted(mine, history)
    size = min(policy.parallel_attempts, attempts_left(task, history))
    number = 1 + max((int(order.attempt.rpartition(".")[2]) for order in history.orders), default=0)
    return tuple(
        Order(
            attempt=f"{task.id}.{number + index}",
            task=task.id,
            digest=task.digest,
            round=round_,
            index=index,
            of=size,
            agent=_agent(task, counted + index, agents),
            base=base,
            seed=_seed(task, number + index),
            policy=policy.version,
            rules=tuple(rules),
            words=history.words,
        )
        for index in range(size)
    )


def _counted(mine: set[str], history: History) -> int:
    ended = {attempt.id: attempt.ending for attempt in history.attempts}
    endings = [ended.get(attempt) for attempt in mine]
    lost = endings.count(Ending.SANDBOX_FAILED)
    interrupted = endings.count(Ending.INTERRUPTED)
    return len(endings) - interrupted - min(lost, FREE_SANDBOX_FAILURES)


def _granted(history: History, attempts: set[str]) -> int:
    return sum(
        landing.attempt in attempts and landing.outcome is not LandingOutcome.LANDED for landing in history.landings
    )


def _agent(task: Task, position: int, agents: Mapping[str, AgentSpec]) -> AgentSpec:
    name = task.agents[position % len(task.agents)]
    if name not in agents:
        raise InputError(f"task {task.id!r} names the agent {name!r}; known are {', '.join(sorted(agents))}")
    return agents[name]


def _seed(task: Task, number: int) -> int:
    """A number of 63 bits (it must fit a signed column) that depends on nothing but task and attempt."""
    content = f"{task.id}\0{task.digest}\0{number}".encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1
