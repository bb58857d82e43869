"""What a person decides: accept, reject, revert, audit. Each is a fact with the minutes it took and who it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reeve.durable.locks import landing_lock
from reeve.durable.steps import Past, ground, past, seeded_of
from reeve.durable.trust import draw_for
from reeve.durable.world import World
from reeve.errors import InputError, RepositoryError
from reeve.landing.land import land
from reeve.ledger.seeded import truth_of
from reeve.ledger.views import task_view
from reeve.ports import LandingLock
from reeve.records import (
    Action,
    Attempt,
    Landing,
    LandingOutcome,
    Outcome,
    Review,
    ReviewKind,
    Task,
    Verdict,
    Whose,
)
from reeve.units import short_hash

__all__ = ["Minutes", "accept", "again", "audit", "reject", "revert"]


@dataclass(frozen=True, slots=True)
class Minutes:
    """How long a person took; `measured` is false where they said so themselves."""

    minutes: float
    measured: bool
    reviewer: str = ""  # who it was; "": not known


def accept(world: World, id_: str, spent: Minutes) -> Landing | Review:
    """Record that a person agrees, and land the result if it has not landed.

    Accepting what has landed is a review of it and returns the Review. What is known to fail is never landed, and
    nothing of an item of known truth, right or wrong: that is a Review too.
    """
    task, now = _task(world, id_)
    if (landed := _landed(now)) is not None:
        return _review(world, task, landed.attempt, ReviewKind.ACCEPT, "", spent, commit=landed.commit)
    attempt, verdict = _result(world, task, now, id_)
    if verdict.outcome is Outcome.FAILED:
        raise InputError(f"{attempt.id} failed its checks and cannot be accepted: {verdict.reason}")
    said = _review(world, task, attempt.id, ReviewKind.ACCEPT, "", spent)
    if seeded_of(world, task) is not None:
        return said
    with landing_lock(world.state, attempt.base.repo) as lock:
        enough = (Outcome.PASSED, Outcome.UNVERIFIED)
        landing = land(
            task, attempt, verdict, lock=lock, ground=replace(ground(world, task, attempt, now.round), enough=enough)
        )
    before = sum(landing.attempt == attempt.id for landing in now.landings)
    key = f"{attempt.id}+{before}" if before else attempt.id
    return world.journal.add("landing", key, task.id, landing)


def reject(world: World, id_: str, reason: str, spent: Minutes, rule_for: Whose | None = None) -> Review:
    """Record that a person does not want a result, and for whom the reason is a rule; raises InputError if it landed.

    The rule itself stands in a file of theirs, which they may edit: what an attempt was given is kept in its order.
    """
    task, now = _task(world, id_)
    if _landed(now) is not None:
        raise InputError(f"{task.id} has landed; `reeve revert {task.id} -m WHY` takes it back")
    last = now.decisions[-1].attempt if now.decisions else None
    attempt = id_ if "." in id_ else last
    return _review(world, task, attempt, ReviewKind.REJECT, reason, spent, rule_for=rule_for)


def again(world: World, id_: str, reason: str, spent: Minutes) -> Review:
    """Send a result back: the next run makes attempts anew, which are told the reason.

    Raises InputError if it has landed, if it is under way, if a person has turned it down for good, or without a
    reason where there is a result: what failed may simply be tried once more.
    """
    task, now = _task(world, id_)
    if _landed(now) is not None:
        raise InputError(f"{task.id} has landed; `reeve revert {task.id} -m WHY` takes it back")
    if now.anew or not now.decisions or {order.attempt for order in now.orders} - {each.id for each in now.attempts}:
        raise InputError(f"{task.id} is to be attempted already; `reeve tell` speaks to an attempt while it runs")
    if any(review.kind is ReviewKind.REJECT for review in _reviews(world, task)[-1:]):
        raise InputError(f"{task.id} is rejected; edit the task to have it attempted anew")
    if not reason.strip() and now.decisions[-1].action is not Action.GIVE_UP:
        raise InputError(f"{task.id} has not failed, so say why: `reeve again {task.id} -m WHY` tells the next attempt")
    attempt = id_ if "." in id_ else now.decisions[-1].attempt
    return _review(world, task, attempt, ReviewKind.AGAIN, reason.strip(), spent)


def audit(world: World, id_: str, reason: str, spent: Minutes, *, ok: bool) -> Review:
    """Record what an audit of a landed result found; raises InputError if it has not landed, or is taken back.

    What is wrong is an escape if nobody had accepted it before it landed. It stays on the branch until it is reverted.
    """
    task, now = _task(world, id_)
    landing = _landed(now)
    if landing is None:
        raise InputError(f"{task.id} has not landed; `reeve accept {task.id}` or `reeve reject {task.id}` decides")
    before = _reviews(world, task)
    if any(review.kind is ReviewKind.REVERT for review in before):
        raise InputError(f"{task.id} is reverted already")
    kind = ReviewKind.ACCEPT if ok else ReviewKind.WRONG
    escape = not ok and _escapes(before)
    return _review(world, task, landing.attempt, kind, reason, spent, commit=landing.commit, escape=escape)


def _escapes(before: Sequence[Review]) -> bool:
    """Nobody had accepted it before it landed, and it is not known to be an escape yet."""
    accepted = any(review.kind is ReviewKind.ACCEPT and review.commit is None for review in before)
    return not accepted and not any(review.escape for review in before)


def revert(world: World, id_: str, reason: str, spent: Minutes) -> Review:
    """Take a landed commit back with a commit on the head of the branch.

    It is an escape if nobody had accepted it before it landed. Raises RepositoryError if a later landing
    changed the same lines.
    """
    task, now = _task(world, id_)
    landing = _landed(now)
    if landing is None or landing.commit is None:
        raise InputError(f"{task.id} has not landed, so there is nothing to take back")
    if any(review.kind is ReviewKind.REVERT for review in _reviews(world, task)):
        raise InputError(f"{task.id} is reverted already")
    attempt = world.journal.find(Attempt, "attempt", landing.attempt)
    if attempt is None:
        raise InputError(f"{task.id}: the ledger does not hold its attempt {landing.attempt}")
    with landing_lock(world.state, attempt.base.repo) as lock:
        commit = _revert(world, task, landing, landing.commit, attempt.base.repo, reason, lock)
    escape = _escapes(_reviews(world, task))
    return _review(world, task, attempt.id, ReviewKind.REVERT, reason, spent, commit=commit, escape=escape)


def _revert(world: World, task: Task, landing: Landing, commit: str, repo: str, reason: str, lock: LandingLock) -> str:
    line = f"Reverts: {commit}"
    if (found := world.repository.landed(repo, landing.branch, line)) is not None:
        return found
    head = world.repository.head(repo, landing.branch)
    if head is None:
        raise RepositoryError(f"reverting {task.id}: there is no branch {landing.branch} in {repo}")
    trees = [world.objects.import_base(Path(repo), each).tree for each in (commit, head, landing.head)]
    merged, conflicts = world.objects.merge(trees[0], trees[1], trees[2])
    if merged is None:
        raise RepositoryError(
            f"reverting {task.id}: what landed later changed the same lines of {', '.join(conflicts[:5])}; "
            f"revert that first, or take {short_hash(commit)} back by hand"
        )
    message = f"Revert {task.id}: {reason}\n\nTask: {task.id}\n{line}\n"
    made = world.repository.commit(repo, merged, head, message)
    if not world.repository.advance(lock, landing.branch, made, head):
        raise RepositoryError(f"reverting {task.id}: {landing.branch} moved meanwhile; try again")
    return made


def _task(world: World, id_: str) -> tuple[Task, Past]:
    """Find a task by its id or that of one of its attempts."""
    name = id_.split(".", 1)[0].split("@", 1)[0]
    facts = world.journal.store.facts(kind="task", task=name)
    if not facts:
        raise InputError(f"the ledger has no task {name!r}; `reeve status` lists them")
    task = world.journal.find(Task, "task", facts[-1].key)
    if task is None:
        raise InputError(f"the ledger has no task {name!r}")
    if task.known_answer is not None:
        raise InputError(f"{task.id} was made to see what an agent does with it; nobody has to decide about it")
    if seeded_of(world, task) is not None and (closed := task_view(world.journal.store, task.id)).closed:
        raise InputError(f"{task.id} is answered, and nobody has to decide about it: {closed.reason}")
    return task, past(world, task)


def _landed(now: Past) -> Landing | None:
    return next((landing for landing in reversed(now.landings) if landing.outcome is LandingOutcome.LANDED), None)


def _result(world: World, task: Task, now: Past, id_: str) -> tuple[Attempt, Verdict]:
    """The attempt that is meant, by its own id, or else the one that the last decision asks about."""
    named = id_ if "." in id_ else now.decisions[-1].attempt if now.decisions else None
    attempt = next((attempt for attempt in now.attempts if attempt.id == named), None)
    verdict = world.journal.find(Verdict, "verdict", attempt.id) if attempt else None
    if attempt is None or verdict is None:
        raise InputError(f"{id_} has no result that could be accepted; `reeve show {task.id}` says why")
    if verdict.tree == verdict.base_tree:
        raise InputError(f"{attempt.id} changes nothing, so there is nothing to land; `reeve reject` closes it")
    return attempt, verdict


def _reviews(world: World, task: Task) -> list[Review]:
    since = world.journal.store.facts(kind="task", task=task.id)[-1].seq
    return list(world.journal.all(Review, "review", task.id, after=since))


def _review(
    world: World,
    task: Task,
    attempt: str | None,
    kind: ReviewKind,
    reason: str,
    spent: Minutes,
    *,
    commit: str | None = None,
    escape: bool = False,
    rule_for: Whose | None = None,
) -> Review:
    for decision in past(world, task).decisions:  # a draw is made before anything is known, also after a crash
        if decision.action is Action.ASK or commit is not None:
            draw_for(world, task, decision)
    number = len(world.journal.store.facts(kind="review", task=task.id)) + 1
    seeded = seeded_of(world, task)
    review = Review(
        task=task.id,
        attempt=attempt,
        kind=kind,
        reason=reason,
        minutes=spent.minutes,
        measured=spent.measured,
        at_utc=world.clock.now(),
        commit=commit,
        escape=escape,
        rule_for=rule_for,
        reviewer=spent.reviewer,
        told="" if seeded is None else f"nothing was landed: {truth_of(seeded)}",
    )
    return world.journal.add("review", f"{task.id}#{number}", task.id, review)
