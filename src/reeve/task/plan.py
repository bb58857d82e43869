"""Which attempts come next."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reeve.errors import InputError
from reeve.records import AgentSpec, Attempt, Base, Ending, Landing, LandingOutcome, Order, Policy, Task
from reeve.stats.allocation import Candidate, Stakes
from reeve.stats.allocation import plan as worth_making

__all__ = ["FREE_SANDBOX_FAILURES", "Further", "History", "attempts_left", "further", "not_worth", "plan"]

FREE_SANDBOX_FAILURES = 3
"""So many attempts that the sandbox lost do not count; without an end to it a broken machine would try for ever."""


NOT_COUNTED = (Ending.INTERRUPTED, Ending.SANDBOX_FAILED)


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


@dataclass(frozen=True, slots=True)
class Further:
    """The agents of the attempts that are worth making if those before them fail, in order; and why no more are."""

    agents: tuple[str, ...]
    stopped: str


def further(task: Task, history: History, policy: Policy) -> Further | None:
    """Say which attempts at a task are worth what they cost, counting the cost of a wrong result that passes.

    Assumptions as in `allocation.plan`; what failed at this task counts against its agent, and half against the others.
    The first attempt is always made, as it was asked for. None: of some agent of the task too little is known, and the
    owner's order and number of attempts hold.
    """
    beliefs = {belief.agent: belief for belief in policy.beliefs}
    if task.known_answer is not None or any(name not in beliefs for name in task.agents):
        return None
    failures = _failures(task, history)
    stakes = Stakes(policy.landed_usd, policy.escape_usd, policy.false_pass_rate)
    candidates = []
    for name in dict.fromkeys(task.agents):
        belief, own = beliefs[name], failures[name]
        unsolved = belief.unsolved + own + stakes.shared * (failures.total() - own)
        candidates.append(Candidate(name, belief.solved, unsolved, belief.cost_usd))
    found = worth_making(candidates, stakes, attempts_left(task, history))
    agents = tuple(step.agent for step in found.steps)
    if not agents and not failures:
        agents = (max(candidates, key=lambda each: each.solved / (each.solved + each.unsolved)).agent,)
    return Further(agents, found.stopped)


def not_worth(task: Task, history: History, policy: Policy) -> str:
    """Say why no further attempt is worth what it costs; an empty string: one is, or nothing is known."""
    found = further(task, history, policy)
    return found.stopped if found is not None and not found.agents else ""


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
    worth = further(task, history, policy)
    names = worth.agents if worth is not None else _in_turn(task, counted)
    size = min(policy.parallel_attempts, attempts_left(task, history), len(names))
    number = 1 + max((int(order.attempt.rpartition(".")[2]) for order in history.orders), default=0)
    return tuple(
        Order(
            attempt=f"{task.id}.{number + index}",
            task=task.id,
            digest=task.digest,
            round=round_,
            index=index,
            of=size,
            agent=_agent(task, names[index], agents),
            base=base,
            seed=_seed(task, number + index),
            policy=policy.version,
            rules=tuple(rules),
            words=tuple(word for word in history.words if word),  # who tries once more need not say why
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


def _in_turn(task: Task, counted: int) -> tuple[str, ...]:
    """Name the agents of the attempts that follow: those of the task, one after the other, round and round."""
    return tuple(task.agents[(counted + index) % len(task.agents)] for index in range(task.attempts + len(task.agents)))


def _failures(task: Task, history: History) -> Counter[str]:
    """Count by agent the attempts at this version of the task that ended, count, and did not pass."""
    mine = {order.attempt for order in history.orders if order.digest == task.digest}
    passed = {landing.attempt for landing in history.landings}
    ended = (attempt for attempt in history.attempts if attempt.id in mine - passed)
    return Counter(attempt.agent.name for attempt in ended if attempt.ending not in NOT_COUNTED)


def _agent(task: Task, name: str, agents: Mapping[str, AgentSpec]) -> AgentSpec:
    if name not in agents:
        raise InputError(f"task {task.id!r} names the agent {name!r}; known are {', '.join(sorted(agents))}")
    return agents[name]


def _seed(task: Task, number: int) -> int:
    """A number of 63 bits (it must fit a signed column) that depends on nothing but task and attempt."""
    content = f"{task.id}\0{task.digest}\0{number}".encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1
