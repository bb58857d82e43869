"""What the ledger says, put together for reading: one task, one attempt, the whole fleet.

Everything here is derived from facts at the moment of asking. Functions that answer for the whole fleet read only
the kinds of facts that they need, and decode only the newest of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

from reeve.errors import InputError
from reeve.ledger.codec import decode
from reeve.ledger.seeded import KIND as SEEDED
from reeve.ledger.seeded import closed, is_seeded
from reeve.ledger.status import current, status_of
from reeve.ports import Fact, Store
from reeve.records import (
    Action,
    Attempt,
    Decision,
    Deferral,
    Draw,
    Ending,
    Environment,
    Landing,
    LandingOutcome,
    Order,
    Outcome,
    Question,
    Review,
    ReviewKind,
    Seeded,
    Selection,
    Status,
    Task,
    Verdict,
    Word,
)
from reeve.stats.pass_at_k import Tally

__all__ = [
    "VIEW_KINDS",
    "AttemptView",
    "FirstRound",
    "Judged",
    "Overview",
    "Summary",
    "TaskView",
    "attempt_view",
    "counts",
    "deferral_of",
    "find",
    "first_round",
    "first_rounds",
    "judged_first",
    "overview",
    "summaries",
    "task_view",
    "task_views",
    "view_of",
]

Record = TypeVar("Record")

STATUS_KINDS = ("task", "order", "question", "word", "attempt", "verdict", "decision", "landing", "review")
VIEW_KINDS = (*STATUS_KINDS, "selection", "environment", "draw", "deferral", SEEDED)
"""The kinds of facts that a view, a row and a status are derived from."""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt from its order on; `attempt` is None while it is live. Verdicts are oldest first."""

    order: Order
    attempt: Attempt | None
    verdicts: tuple[Verdict, ...]
    started_utc: float
    questions: tuple[Question, ...] = ()  # that it asked
    words: tuple[Word, ...] = ()  # that were said to it

    @property
    def waits_for(self) -> Question | None:
        """Return the oldest question that it waits for; None: it waits for nothing, or has ended."""
        answered = {word.answers for word in self.words}
        waiting = (question for question in self.questions if question.id not in answered)
        return next(waiting, None) if self.live else None

    @property
    def id(self) -> str:
        """Return the id of the attempt."""
        return self.order.attempt

    @property
    def live(self) -> bool:
        """It was ordered and has not ended."""
        return self.attempt is None

    @property
    def declined(self) -> bool:
        """It ended by declining."""
        return self.attempt is not None and self.attempt.ending is Ending.DECLINED

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict on the attempt's own base, which is what a selection rests on."""
        return next((verdict for verdict in self.verdicts if verdict.id == self.id), None)


@dataclass(frozen=True, slots=True)
class TaskView:
    """Everything the ledger holds on one task, since its newest version; each row oldest first."""

    task: Task
    status: Status
    reason: str
    proof: tuple[Fact, ...]
    attempts: tuple[AttemptView, ...]
    selections: tuple[Selection, ...]
    decisions: tuple[Decision, ...]
    landings: tuple[Landing, ...]
    reviews: tuple[Review, ...]
    environment: Environment | None  # the newest; None: not made yet
    verdicts: tuple[Verdict, ...] = ()  # of no attempt: on the untouched base, and on patches from elsewhere
    draws: tuple[Draw, ...] = ()
    seeded: Seeded | None = None  # its truth is known; only to be told of what `answered` says
    deferrals: tuple[Deferral, ...] = ()
    deferral: Deferral | None = None  # nothing has happened since; whether its time has come is for others to say

    @property
    def answered(self) -> bool:
        """Say whether its truth was known, and a person has said something of it, so that it may be told."""
        return self.seeded is not None and bool(self.reviews)

    @property
    def closed(self) -> bool:
        """Say whether its truth was known, and a person has answered it or none is asked."""
        given_up = any(decision.action is Action.GIVE_UP for decision in self.decisions)
        return self.answered or (self.seeded is not None and given_up)

    @property
    def audit(self) -> Draw | None:
        """Return the draw by which a person is to look at what landed without a look; None: not drawn, or done."""
        landing = self.landing
        for draw in self.draws:
            if landing is not None and draw.attempt == landing.attempt and draw.unseen and draw.audited:
                done = any(review.attempt == draw.attempt for review in self.reviews)
                return None if done else draw
        return None

    @property
    def found_wrong(self) -> Review | None:
        """Return the audit that found what has landed to be wrong; None: none did, or it is taken back."""
        last = self.reviews[-1] if self.reviews else None
        return last if last is not None and last.kind is ReviewKind.WRONG and self.landing is not None else None

    @property
    def id(self) -> str:
        """Return the id of the task."""
        return self.task.id

    @property
    def landing(self) -> Landing | None:
        """Return the landing that holds now."""
        if self.status is not Status.LANDED:
            return None
        return next((item for item in reversed(self.landings) if item.outcome is LandingOutcome.LANDED), None)

    @property
    def chosen(self) -> AttemptView | None:
        """Return the attempt that matters most: the landed one, else that of the newest decision or selection."""
        landed = [item.attempt for item in reversed(self.landings) if item.outcome is LandingOutcome.LANDED]
        decided = [item.attempt for item in reversed(self.decisions) if item.attempt]
        selected = [item.chosen for item in reversed(self.selections) if item.chosen]
        ids = [*landed, *decided, *selected]
        return next((item for wanted in ids for item in self.attempts if item.id == wanted), None)

    @property
    def spent_minutes(self) -> float:
        """Return the minutes that people spent on deciding about it."""
        return _minutes(self.reviews, self.deferrals)

    @property
    def deferred_minutes(self) -> float:
        """Return those of them that no decision counts yet: the task was looked at and put off."""
        return _minutes((), self.deferrals, after=len(self.reviews))

    def attempt(self, wanted: str) -> AttemptView | None:
        """Return one attempt by its id."""
        return next((item for item in self.attempts if item.id == wanted), None)


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of `reeve status`."""

    id: str
    status: Status
    attempts: int
    landed: str | None  # commit
    reason: str
    human_minutes: float  # that people spent on it


@dataclass(frozen=True, slots=True)
class Judged:
    """How many judged attempts of the first round of a task passed, were wrong, or declined."""

    passed: int
    wrong: int
    declined: int


@dataclass(frozen=True, slots=True)
class FirstRound:
    """What the judged attempts of all first rounds gave; `wrong` failed, and did not decline."""

    tallies: Mapping[Tally, int] = field(default_factory=dict)  # -> tasks that have it
    passed: int = 0
    wrong: int = 0
    declined: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """All tasks at one look: `rows` of some or all of them, and numbers of all."""

    rows: tuple[Summary, ...]
    counts: Mapping[Status, int]
    first: FirstRound
    audits: int  # of what landed without a look, that wait for a person
    working: tuple[str, ...]  # tasks

    @property
    def tasks(self) -> int:
        """Return how many tasks there are, shown or not."""
        return sum(self.counts.values())


def overview(store: Store) -> Overview:
    """Put together what `reeve status` says, from the facts of every task."""
    views = task_views(store)
    return Overview(
        rows=summaries(store),
        counts=counts(views),
        first=first_round(store),
        audits=sum(view.audit is not None for view in views),
        working=tuple(view.id for view in views if view.status is Status.WORKING),
    )


def summaries(store: Store) -> tuple[Summary, ...]:
    """Summarise every task of the ledger, in the order in which the tasks came.

    Here as in `task_views` and `first_round`, tasks with a known answer are left out: they are no work of anybody.
    Items of known truth are left out once they are answered, and of `first_round` always.
    """
    return tuple(_summary(task, facts) for task, facts in _by_task(store, (*STATUS_KINDS, "deferral", SEEDED)).items())


def counts(items: Iterable[Summary | TaskView]) -> dict[Status, int]:
    """Count tasks by status, in the order of Status; a status without a task is left out."""
    found = Counter(item.status for item in items)
    return {status: found[status] for status in Status if found[status]}


def task_views(store: Store) -> tuple[TaskView, ...]:
    """View every task of the ledger, in the order in which the tasks came."""
    return tuple(map(view_of, _by_task(store, VIEW_KINDS).values()))


def task_view(store: Store, task: str) -> TaskView:
    """View one task; raises InputError for one that the ledger does not know, naming the nearest that it does."""
    facts = current(store.facts(task=task))
    if not any(fact.kind == "task" for fact in facts):
        known = sorted({fact.task for fact in store.facts(kind="task")})
        raise InputError(f"no task {task!r} in the ledger{_nearest(task, known)}")
    return view_of(facts)


def attempt_view(store: Store, attempt: str) -> tuple[TaskView, AttemptView]:
    """View one attempt with its task; raises InputError if there is none of that id."""
    view = task_view(store, attempt.partition(".")[0])
    found = view.attempt(attempt)
    if found is None:
        ids = [item.id for item in view.attempts]
        has = f"it has {', '.join(ids)}" if ids else "it has none yet"
        raise InputError(f"no attempt {attempt!r} of task {view.id!r}: {has}")
    return view, found


def find(store: Store, wanted: str) -> TaskView | tuple[TaskView, AttemptView] | Verdict:
    """Find what an id names: a task (``fix-it``), an attempt (``fix-it.1``), or a verdict (``patch:…``, ``…@head``)."""
    if ":" in wanted or "@" in wanted:
        return _verdict(store, wanted)
    if "." in wanted:
        return attempt_view(store, wanted)
    return task_view(store, wanted)


def first_round(store: Store) -> FirstRound:
    """Count the judged attempts of each task's first round, the one whose size was fixed before anything was known.

    Later rounds exist only where the first one failed, so counting them would make every estimate too low. An attempt
    that declined counts as judged and not passed, as a wrong one does, and is counted apart. Tasks of which nothing
    passed, failed or was declined are left out: nothing is known about them.
    """
    facts = _by_task(store, ("task", "order", "verdict", SEEDED)).values()
    return first_rounds(Counter(found for each in facts if (found := judged_first(each)) is not None))


def judged_first(facts: Sequence[Fact]) -> Judged | None:
    """Count the judged attempts of the first round of a task; None: nothing is known, or its truth was known before."""
    if is_seeded(facts):
        return None
    orders = [fact for fact in facts if fact.kind == "order"]
    first = {fact.key for fact in orders if fact.body["round"] == orders[0].body["round"]}
    own = [fact.body for fact in facts if fact.kind == "verdict" and fact.key in first]
    outcomes = Counter(str(verdict["outcome"]) for verdict in own)
    passed, wrong, declined = outcomes[Outcome.PASSED], outcomes[Outcome.FAILED], sum(map(_declined, own))
    return Judged(passed, wrong, declined) if passed or wrong or declined else None


def first_rounds(tasks: Mapping[Judged, int]) -> FirstRound:
    """Add up the first rounds of tasks; the mapping says how many tasks went the same way."""
    tallies: Counter[Tally] = Counter()
    passed = wrong = declined = 0
    for each, number in tasks.items():
        tallies[Tally(each.passed + each.wrong + each.declined, each.passed)] += number
        passed, wrong, declined = (
            passed + each.passed * number,
            wrong + each.wrong * number,
            declined + each.declined * number,
        )
    return FirstRound(tallies, passed, wrong, declined)


def _declined(verdict: Mapping[str, Any]) -> bool:
    return any(check["name"] == "declined" for check in verdict["checks"])


def _by_task(store: Store, kinds: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    for kind in kinds:
        for fact in store.facts(kind=kind):
            facts[fact.task].append(fact)
    newest = {task: current(rows) for task, rows in facts.items()}
    ours = (item for item in newest.items() if item[1][0].kind == "task")
    return {task: rows for task, rows in ours if not (rows[0].body.get("known_answer") or closed(rows))}


def _summary(task: str, facts: tuple[Fact, ...]) -> Summary:
    derived = status_of(facts)
    landing = derived.proof[0] if derived.status is Status.LANDED else None
    return Summary(
        id=task,
        status=derived.status,
        attempts=sum(fact.kind == "order" for fact in facts),
        landed=decode(Landing, landing.body).commit if landing else None,
        reason=derived.reason,
        human_minutes=_minutes(_decoded(Review, "review", facts), _decoded(Deferral, "deferral", facts)),
    )


def view_of(facts: Sequence[Fact]) -> TaskView:
    """View one task from its facts since its newest version."""
    derived = status_of(facts)
    attempts = {fact.key: decode(Attempt, fact.body) for fact in facts if fact.kind == "attempt"}
    verdicts = _decoded(Verdict, "verdict", facts)
    ordered = {fact.key for fact in facts if fact.kind == "order"}
    environments = _decoded(Environment, "environment", facts)
    questions, words = _decoded(Question, "question", facts), _decoded(Word, "word", facts)
    return TaskView(
        task=decode(Task, next(fact for fact in facts if fact.kind == "task").body),
        status=derived.status,
        reason=derived.reason,
        proof=derived.proof,
        attempts=tuple(
            AttemptView(
                order=decode(Order, fact.body),
                attempt=attempts.get(fact.key),
                verdicts=tuple(verdict for verdict in verdicts if verdict.attempt == fact.key),
                started_utc=fact.at_utc,
                questions=tuple(question for question in questions if question.attempt == fact.key),
                words=tuple(word for word in words if word.attempt == fact.key),
            )
            for fact in facts
            if fact.kind == "order"
        ),
        selections=_decoded(Selection, "selection", facts),
        decisions=_decoded(Decision, "decision", facts),
        landings=_decoded(Landing, "landing", facts),
        reviews=_decoded(Review, "review", facts),
        environment=environments[-1] if environments else None,
        verdicts=tuple(verdict for verdict in verdicts if verdict.attempt not in ordered),
        draws=_decoded(Draw, "draw", facts),
        seeded=next(iter(_decoded(Seeded, SEEDED, facts)), None),
        deferrals=_decoded(Deferral, "deferral", facts),
        deferral=deferral_of(facts),
    )


def deferral_of(facts: Sequence[Fact]) -> Deferral | None:
    """Return the deferral after which nothing has happened to a task; None: there is none, or it was taken back."""
    newest = max((fact for fact in facts if fact.kind in VIEW_KINDS), key=lambda fact: fact.seq, default=None)
    found = decode(Deferral, newest.body) if newest is not None and newest.kind == "deferral" else None
    return None if found is None or found.until_utc <= found.at_utc else found


def _minutes(reviews: Sequence[Review], deferrals: Sequence[Deferral], after: int | None = None) -> float:
    """Add up minutes; those of a deferral are in the review that followed it, so only later ones count beside it."""
    after = len(reviews) if after is None else after
    spent = sum(review.minutes for review in reviews)
    return float(spent + sum(each.minutes for each in deferrals if each.reviews >= after))


def _decoded(record: type[Record], kind: str, facts: Iterable[Fact]) -> tuple[Record, ...]:
    return tuple(decode(record, fact.body) for fact in facts if fact.kind == kind)


def _verdict(store: Store, wanted: str) -> Verdict:
    facts = [fact for fact in store.facts(kind="verdict") if fact.key == wanted]
    if not facts:
        raise InputError(f"no verdict {wanted!r} in the ledger; `reeve show TASK` lists those of a task")
    return decode(Verdict, facts[-1].body)


def _nearest(wanted: str, known: Sequence[str]) -> str:
    near = get_close_matches(wanted, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return "; `reeve status` lists the tasks" if known else ", which is empty: `reeve run` attempts a backlog"
