"""The record of every agent: what each version of it did, at each kind of task, in each repository.

Rates rest on the first round of each task, whose size was fixed before anything was known; counts of money, minutes
and lines on all attempts. An escape rate is wrong / landed without a look, estimated from uniform audits of what landed
so; how many escapes are known is shown beside it and is no rate. Tasks with a known answer are counted apart.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reeve.ledger.audits import Results
from reeve.ledger.drill import drill_results
from reeve.ledger.known import AgentAnswers, known_answers
from reeve.ledger.rates import Rate, pass_rates
from reeve.ledger.seeded import answered
from reeve.ledger.views import AttemptView, TaskView, task_views
from reeve.ports import Store
from reeve.records import Action, Judged, LandingOutcome, Order, Outcome, ReviewKind, Verdict
from reeve.stats.partial import PooledRate, partially_pooled
from reeve.stats.pass_at_k import Tally
from reeve.stats.risk import Refused, upper_bound

__all__ = [
    "Escapes",
    "Run",
    "Tallies",
    "Track",
    "Who",
    "first_round_of",
    "landing_of",
    "passed_of",
    "runs",
    "runs_of",
    "tallies",
    "touches",
    "tracks",
]


@dataclass(frozen=True, slots=True, order=True)
class Who:
    """Whose record it is."""

    agent: str
    version: str
    kind: str  # of task
    repository: str


@dataclass(frozen=True, slots=True)
class Escapes:
    """What landed without a look: `known` to be wrong by whatever way, and what uniform audits of it found.

    `at_most` bounds the escape rate from above, exactly, at one look; None: nothing was audited.
    """

    unseen: int = 0
    known: int = 0
    audited: int = 0
    wrong: int = 0
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One record. None: nothing is known, or nothing has landed to share it out over.

    `pass_1` is pass@1 with its interval, partially pooled over all records of the ledger (`partially_pooled` says what
    that assumes), or the reason why there is none. Of `surplus_share` the lines are those of results that passed.
    """

    who: Who
    tasks: int
    attempts: int
    passed: int
    failed: int
    declined: int
    unverified: int
    rates: tuple[Rate, ...]
    pass_1: PooledRate | None
    no_pass_1: str
    landed: int
    escapes: Escapes
    usd_per_landed: float | None
    agent_minutes_per_landed: float | None
    human_minutes_per_landed: float | None
    surplus_share: float | None
    surplus_of_lines: int  # of results that passed and whose surplus was measured
    integrity_findings: int  # attempts whose patch does something to its own examination
    canaries: AgentAnswers | None  # of this version, at whatever task


@dataclass(frozen=True, slots=True)
class Run:
    """One judged attempt of a first round at a task whose length is estimated: what a horizon is made of."""

    agent: str
    version: str
    task: str
    repository: str
    human_minutes: float
    succeeded: bool  # it passed, and nobody found it wrong


@dataclass
class _Count:
    """What is added up for one record."""

    seen: Counter[str] = field(default_factory=Counter)
    tasks: int = 0
    tallies: Counter[Tally] = field(default_factory=Counter)
    usd: float = 0.0
    priced: bool = False  # at least one said what it cost
    wall_seconds: float = 0.0
    human_minutes: float = 0.0
    lines: int = 0
    surplus_lines: int = 0


def tracks(store: Store, results: Results, views: Iterable[TaskView] | None = None) -> tuple[Track, ...]:
    """Put together the records of all agents, by name, version, kind and repository.

    `views` are those of all tasks, for whoever has them already or cannot hold them all at once.
    """
    counts: defaultdict[Who, _Count] = defaultdict(_Count)
    for view in task_views(store) if views is None else views:
        if view.seeded is None:
            _count(view, counts)
    for each in answered(store):  # a look at these is part of what landing takes, and all that counts of them
        who = Who(each.seeded.agent.name, each.seeded.agent.version, each.seeded.task.kind, each.seeded.base.repo)
        if who in counts:
            counts[who].human_minutes += each.review.minutes
    pooled = partially_pooled({who: _all(count.tallies) for who, count in counts.items()}) if counts else {}
    known = {(each.agent, each.version): each for each in known_answers(store).agents}
    escapes = _escapes(results)
    return tuple(
        _track(who, counts[who], pooled[who], escapes.get(who, Escapes()), known.get((who.agent, who.version)))
        for who in sorted(counts)
    )


def runs(store: Store) -> tuple[Run, ...]:
    """List the attempts that say how long a task an agent can do."""
    return tuple(run for view in task_views(store) for run in runs_of(view))


def runs_of(view: TaskView) -> Iterator[Run]:
    """List those of one task; none where its truth is known."""
    minutes = view.task.human_minutes if view.seeded is None else None
    wrong = {review.attempt for review in view.reviews if review.kind is not ReviewKind.ACCEPT}
    for item in first_round_of(view):
        if minutes is None or minutes <= 0 or (passed := passed_of(item)) is None:
            continue
        agent = item.order.agent
        succeeded = passed and item.id not in wrong
        yield Run(agent.name, agent.version, view.id, item.order.base.repo, minutes, succeeded)


# ---------------------------------------------------------------- counting


def _count(view: TaskView, counts: Mapping[Who, _Count]) -> None:
    for who in {_who(view, item.order) for item in view.attempts}:
        counts[who].tasks += 1
    for item in view.attempts:
        count = counts[_who(view, item.order)]
        count.seen["attempts"] += 1
        if item.attempt is not None:
            count.wall_seconds += item.attempt.wall_seconds
        if item.attempt is not None and item.attempt.usd is not None:
            count.usd, count.priced = count.usd + item.attempt.usd, True
        _judged(item, count)
    for who, some in _by_who(view, first_round_of(view)):
        judged = [passed for item in some if (passed := passed_of(item)) is not None]
        if judged:
            counts[who].tallies[Tally(len(judged), sum(judged))] += 1
    _decided(view, counts)


def _judged(item: AttemptView, count: _Count) -> None:
    if item.declined:
        count.seen["declined"] += 1
    elif item.verdict is not None:
        count.seen[str(item.verdict.outcome)] += 1
    verdict = item.verdict
    count.seen["integrity"] += verdict is not None and touches(verdict)
    if verdict is not None and verdict.outcome is Outcome.PASSED and verdict.surplus is not None:
        count.lines += verdict.lines
        count.surplus_lines += verdict.surplus.lines


def touches(verdict: Verdict) -> bool:
    """Say whether a patch does something to its own examination."""
    return any(check.name == "integrity" and check.outcome is not Outcome.PASSED for check in verdict.checks)


def _decided(view: TaskView, counts: Mapping[Who, _Count]) -> None:
    """Count what landed, and the minutes of people, for the attempt that the task came down to."""
    if view.chosen is None:
        return
    count = counts[_who(view, view.chosen.order)]
    count.human_minutes += view.spent_minutes
    landed, unseen = landing_of(view)
    count.seen["landed"] += landed
    count.seen["unseen"] += unseen
    count.seen["escapes"] += unseen and any(item.escape for item in view.reviews)


def landing_of(view: TaskView) -> tuple[bool, bool]:
    """Say whether a task has ever landed, and whether that was without a look."""
    landed = next((item for item in view.landings if item.outcome is LandingOutcome.LANDED), None)
    if landed is None:
        return False, False
    automatic = any(item.action is Action.LAND and item.attempt == landed.attempt for item in view.decisions)
    accepted = any(item.kind is ReviewKind.ACCEPT and item.commit is None for item in view.reviews)
    return True, automatic and not accepted


def _who(view: TaskView, order: Order) -> Who:
    return Who(order.agent.name, order.agent.version, view.task.kind, order.base.repo)


def _by_who(view: TaskView, items: Iterable[AttemptView]) -> Iterator[tuple[Who, list[AttemptView]]]:
    found: defaultdict[Who, list[AttemptView]] = defaultdict(list)
    for item in items:
        found[_who(view, item.order)].append(item)
    yield from found.items()


def first_round_of(view: TaskView) -> list[AttemptView]:
    """List the attempts of the round whose size was fixed before anything was known."""
    return [item for item in view.attempts if item.order.round == view.attempts[0].order.round]


def passed_of(item: AttemptView) -> bool | None:
    """Say whether an attempt passed; None: that is not known. One that declined did not."""
    if item.declined:
        return False
    if item.verdict is None or item.verdict.outcome is Outcome.UNVERIFIED:
        return None
    return item.verdict.outcome is Outcome.PASSED


def _all(tallies: Mapping[Tally, int]) -> Tally:
    attempts = sum(tally.attempts * tasks for tally, tasks in tallies.items())
    return Tally(attempts, sum(tally.passed * tasks for tally, tasks in tallies.items()))


# ---------------------------------------------------------------- records


def _escapes(results: Results) -> dict[Who, Escapes]:
    """Count the uniform audits of what landed without a look."""
    found: defaultdict[Who, Escapes] = defaultdict(Escapes)
    for cell, (judged, _) in results.all().items():
        who = Who(cell.agent, cell.version, cell.kind, cell.repository)
        audits = [each for each in judged if _audited_unseen(each)]
        wrong = sum(each.wrong is True for each in audits)
        before = found[who]
        found[who] = replace(before, audited=before.audited + len(audits), wrong=before.wrong + wrong)
    return found


def _audited_unseen(judged: Judged) -> bool:
    return judged.draw.unseen and judged.draw.uniform and judged.wrong is not None


def _track(
    who: Who, count: _Count, rate: PooledRate | Refused, audits: Escapes, canaries: AgentAnswers | None
) -> Track:
    seen, landed = count.seen, count.seen["landed"]
    bound = upper_bound(audits.wrong, audits.audited, 0.95) if audits.audited else None
    return Track(
        who=who,
        tasks=count.tasks,
        attempts=seen["attempts"],
        passed=seen["passed"],
        failed=seen["failed"],
        declined=seen["declined"],
        unverified=seen["unverified"],
        rates=pass_rates(count.tallies),
        pass_1=None if isinstance(rate, Refused) else rate,
        no_pass_1=rate.reason if isinstance(rate, Refused) else "",
        landed=landed,
        escapes=replace(audits, unseen=seen["unseen"], known=seen["escapes"], at_most=bound),
        usd_per_landed=count.usd / landed if landed and count.priced else None,
        agent_minutes_per_landed=count.wall_seconds / 60.0 / landed if landed else None,
        human_minutes_per_landed=count.human_minutes / landed if landed else None,
        surplus_share=count.surplus_lines / count.lines if count.lines else None,
        surplus_of_lines=count.lines,
        integrity_findings=seen["integrity"],
        canaries=canaries,
    )


# ---------------------------------------------------------------- how chances spread over tasks


@dataclass(frozen=True, slots=True)
class Tallies:
    """What one version of an agent did at each task, and what an attempt of it cost on average (0: not known)."""

    tallies: tuple[Tally, ...]
    usd: float


def tallies(store: Store, agents: Collection[tuple[str, str]]) -> dict[tuple[str, str], Tallies]:
    """Count the judged attempts of some versions of agents by task, in first rounds; drills among them."""
    rows: defaultdict[tuple[str, str], defaultdict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    usd: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for view in task_views(store):
        for item in first_round_of(view) if view.seeded is None else ():
            key = (item.order.agent.name, item.order.agent.version)
            if key in agents and (passed := passed_of(item)) is not None:
                rows[key][view.id].append(passed)
                usd[key] += [] if item.attempt is None or item.attempt.usd is None else [item.attempt.usd]
    for result in drill_results(store):
        key = (result.agent, result.version)
        if key in agents and result.outcome is not Outcome.UNVERIFIED:
            rows[key][result.example].append(result.outcome is Outcome.PASSED)
            usd[key] += [] if result.usd is None else [result.usd]
    return {
        key: Tallies(
            tuple(Tally(len(tries), sum(tries)) for tries in tasks.values()),
            sum(usd[key]) / len(usd[key]) if usd[key] else 0.0,
        )
        for key, tasks in rows.items()
    }
