"""The durable steps of the loop: each finds its record in the ledger, or does the work and stores it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from reeve.attempt.ending import ending_of
from reeve.attempt.make import Site, clear, cut_short, make
from reeve.decision.decide import COUNTS, decide, decide_after_landing, decide_passed
from reeve.decision.drill import decide_drill
from reeve.decision.known import decide_known
from reeve.decision.seeded import decide_seeded
from reeve.decision.trusted import RULE as TRUSTED
from reeve.durable.believing import believe
from reeve.durable.locks import landing_lock, sweeping
from reeve.durable.proof import examine
from reeve.durable.talking import talk_of
from reeve.durable.trust import cell_of_attempt, draw_for, draw_missing, policy_for
from reeve.durable.world import Place, Start, World, go_on_or_stop, memory_held, slot, start_at
from reeve.errors import InputError, LedgerError, ReeveError, RepositoryError
from reeve.landing.land import Ground, land, marker
from reeve.ledger.codec import decode
from reeve.ledger.seeded import KIND as SEEDED
from reeve.ledger.views import summaries
from reeve.ports import Fact
from reeve.records import (
    Action,
    Attempt,
    Base,
    CheckResult,
    Decision,
    Ending,
    KnownAnswer,
    Landing,
    LandingOutcome,
    Order,
    Outcome,
    Patch,
    Policy,
    Review,
    ReviewKind,
    SandboxResult,
    Seeded,
    Selection,
    Status,
    Task,
    Verdict,
)
from reeve.selection.choose import choose
from reeve.task.known import Mixing, drawn, impossible, solved, solved_first
from reeve.task.plan import History, attempts_left, not_worth, plan
from reeve.task.seeded import changes_told, retimed
from reeve.verdict.examined import examined_tree

__all__ = ["TROUBLE", "Past"]

TROUBLE = "trouble"
"""The rule of a decision that rests on an error and on no verdict."""

SUPERSEDED = "it was ended because its task was changed meanwhile"

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Past:
    """What has happened to the present version of a task, in its order."""

    version: str  # key of its `task` fact
    round: int  # the one under way, or the next; never the name of another round, of other versions neither
    orders: tuple[Order, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    landings: tuple[Landing, ...] = ()
    decisions: tuple[Decision, ...] = ()
    anew: bool = False  # a person sent the last result back, and no decision has been made since

    @property
    def failed_landings(self) -> int:
        """How often a result passed and could not land."""
        return sum(landing.outcome is not LandingOutcome.LANDED for landing in self.landings)


# ---------------------------------------------------------------- task


def admit(world: World, task: Task) -> None:
    """Record a task and pin the commit it starts from; raises InputError or RepositoryError if that cannot be."""
    check_agents(world, task)
    versions = world.journal.store.facts(kind="task", task=task.id)
    if not versions or versions[-1].body["digest"] != task.digest:
        world.journal.add("task", f"{task.id}@{len(versions) + 1}", task.id, task)
    _base(world, task, past(world, task))


def check_agents(world: World, task: Task) -> None:
    """Raise InputError if the task names an agent that is not there or cannot run here."""
    for name in task.agents:
        if name not in world.agents:
            known = ", ".join(sorted(world.agents))
            raise InputError(f"no agent is called {name!r}; reeve.toml and the program know: {known}")
        agent = world.agents[name]
        keyless = (world.keyless[each] for each in agent.spec.providers if each in world.keyless)
        if reason := agent.available() or next(keyless, ""):
            raise InputError(f"the agent {name!r} cannot run here: {reason}")


def past(world: World, task: Task) -> Past:
    """Read what has happened to the present version of a task."""
    facts = world.journal.store.facts(task=task.id)
    version = next((fact for fact in reversed(facts) if fact.kind == "task"), None)
    since = version.seq if version else 0
    kinds = {"order": Order, "attempt": Attempt, "landing": Landing, "decision": Decision}
    before = [int(str(fact.body["round"])) for fact in facts if fact.kind in ("order", "decision") and fact.seq < since]
    found: dict[str, list[object]] = {kind: [] for kind in kinds}
    for fact in facts:
        if fact.seq > since and fact.kind in kinds:
            found[fact.kind].append(decode(kinds[fact.kind], fact.body))
    anew = _sent_back([fact for fact in facts if fact.seq > since])
    return _past(version.key if version else "", max(before, default=0), found, anew=anew)


def _sent_back(facts: Sequence[Fact]) -> bool:
    """Say whether the last word about a task is a person's, that it is to be attempted anew."""
    settling = [fact for fact in facts if fact.kind in ("decision", "review")]
    return bool(settling) and settling[-1].kind == "review" and settling[-1].body["kind"] == ReviewKind.AGAIN


def _past(version: str, rounds_before: int, found: dict[str, list[Any]], *, anew: bool) -> Past:
    rounds = [record.round for record in (*found["order"], *found["decision"])]
    round_ = max(rounds, default=rounds_before + 1)
    last = found["decision"][-1] if found["decision"] else None
    if last is not None and last.round == round_ and (anew or _goes_on(last)):
        round_ += 1
    records = {f"{kind}s": tuple(items) for kind, items in found.items()}
    return Past(version, round_, anew=anew, **records)


def _goes_on(decision: Decision) -> bool:
    """A round ended so that another may follow: at once, or when the person runs the task again."""
    asks_for_nothing = decision.action is Action.ASK and decision.attempt is None and decision.rule != TROUBLE
    return decision.action is Action.AGAIN or asks_for_nothing


def is_open(world: World, task: Task) -> bool:
    """Say whether there is something left to do for a task without a person."""
    now = past(world, task)
    landed = any(landing.outcome is LandingOutcome.LANDED for landing in now.landings)
    reviews = world.journal.store.facts(kind="review", task=task.id, after=_since(world, now))
    if landed or (reviews and reviews[-1].body["kind"] != ReviewKind.AGAIN):
        return False
    if not now.decisions or now.anew:
        return True
    last = now.decisions[-1]
    return _goes_on(last) or last.action is Action.LAND or last.rule == TROUBLE


def _since(world: World, now: Past) -> int:
    fact = world.journal.store.fact("task", now.version)
    return fact.seq if fact else 0


def _base(world: World, task: Task, now: Past) -> Base:
    """Pin where a task starts: its own base, or after a landing that failed the head of the integration branch."""
    key = f"{now.version}+{now.failed_landings}" if now.failed_landings else now.version

    def pin() -> Base:
        repo = world.repository_of(task)
        head = world.repository.head(str(repo), world.policy.branch) if now.failed_landings else None
        base = world.objects.import_base(repo, head or task.base)
        if not task.planted:
            return base
        return replace(
            base, tree=world.objects.write(base.tree, {file.path: (file.content, False) for file in task.planted})
        )

    return world.journal.once(Base, "base", key, task.id, pin)


def start(world: World, task: Task) -> Start:
    """Prepare what a round starts from: the base, its environment, and what the checks give on it."""
    now = past(world, task)
    return start_at(world, task, _base(world, task, now), now.round)


def start_fresh(world: World, task: Task) -> Start:
    """Prepare a start at the task's own base as it is now, without beginning the task."""
    base = world.objects.import_base(world.repository_of(task), task.base)
    return start_at(world, task, base, 1)


# ---------------------------------------------------------------- tasks with a known answer


def mixed_in(world: World, tasks: Sequence[Task], mixing: Mixing) -> Sequence[Task]:
    """Return the tasks with a known answer that those of a run bring along, admitted: begun before, or drawn now.

    Each is stored under the version of the task that brought it, so that a run which goes on finds it again.
    """
    found = []
    for task in tasks:
        key = f"{task.id}:{task.digest}"
        made = world.journal.find(Task, "known", key)
        if made is None and drawn(task, world.ledger, mixing.rate) and is_open(world, task):
            made = _made_from(world, task, mixing)
            made = made and world.journal.add("known", key, made.id, made)
        if made is not None and _admitted(world, made):
            found.append(made)
    return found


def _made_from(world: World, task: Task, mixing: Mixing) -> Task | None:
    """Make the task that an open task brings along; None where neither kind can be made of what is there."""
    kinds = (_solved, _impossible) if solved_first(task, world.ledger) else (_impossible, _solved)
    return next((made for make in kinds if (made := make(world, task, mixing)) is not None), None)


def _impossible(world: World, task: Task, mixing: Mixing) -> Task | None:
    base = _base(world, task, past(world, task))

    def read(path: str) -> bytes | None:
        return world.objects.read(base.tree, path)

    made = impossible(task, ledger=world.ledger, commit=base.commit, read=read, invert=mixing.invert)
    return made if made is not None and not world.journal.store.facts(task=made.id) else None


def _solved(world: World, task: Task, _mixing: Mixing) -> Task | None:
    """Make one of a task that has landed and stayed, for which there was none yet."""
    store = world.journal.store
    for row in summaries(store):
        if row.status is not Status.LANDED or row.landed is None:
            continue
        landed = decode(Task, store.facts(kind="task", task=row.id)[-1].body)
        made = solved(landed, task, ledger=world.ledger, commit=row.landed) if landed.checks.required else None
        if made is not None and not store.facts(task=made.id):
            return made
    return None


def _admitted(world: World, made: Task) -> bool:
    """Admit one, or pass it over: it may never stand in the way of the tasks that a person asked for."""
    try:
        admit(world, made)
    except (InputError, RepositoryError):
        return False
    return True


# ---------------------------------------------------------------- items of known truth


def seeded_of(world: World, task: Task) -> Seeded | None:
    """Return what is known of a task, if its truth is."""
    facts = world.journal.store.facts(kind=SEEDED, task=task.id)
    return decode(Seeded, facts[0].body) if facts else None


def delivered(world: World, seeded: Seeded, order: Order) -> Attempt:
    """Deliver the result whose truth is known, in place of an agent: no agent has a part in it.

    Time, memory and cost are those of the attempt it was made of, or of one at the same task; its trajectory is shown
    where the result is its own, with times of today, else the files that were changed.
    """
    like = world.journal.find(Attempt, "attempt", seeded.like)
    begun = world.journal.store.fact("order", seeded.like)
    if like is None or begun is None:
        raise LedgerError(f"delivering {order.attempt}: the ledger lacks the attempt {seeded.like}")
    changes = tuple(world.objects.changes(order.base.tree, seeded.tree))
    store = world.journal.store
    said = store.get(like.trajectory) if like.trajectory else b""
    if seeded.own:
        said = retimed(said, world.clock.now() - begun.at_utc)
    elif said:
        said = changes_told(changes)
    ending, reason = ending_of(SandboxResult(Ending.FINISHED, 0, "", like.wall_seconds, 0.0, 0.0), None)
    return replace(
        like,
        id=order.attempt,
        task=order.task,
        round=order.round,
        agent=order.agent,
        base=order.base,
        ending=ending,
        reason=reason,
        patch=Patch(order.base.tree, seeded.tree, changes),
        trajectory=store.put(said),
        declined=None,
        frames=like.frames if seeded.own else "",
    )


# ---------------------------------------------------------------- attempt


def orders(world: World, task: Task, start: Start) -> Sequence[Order]:
    """Order the attempts of the round; none where no attempt could prove anything."""
    now = past(world, task)
    given = [order for order in now.orders if order.round == start.round]
    if given:
        return given
    if not task.checks.none and not _worth_attempting(task, _before_attempts(world, task, start)):
        return ()
    agents = {name: world.agents[name].spec for name in task.agents}
    history = _history(world, task)
    planned = plan(task, history, world.policy, start.base, agents, round_=start.round, rules=world.rules)
    if (seeded := seeded_of(world, task)) is not None:
        planned = tuple(replace(order, of=1, agent=seeded.agent) for order in planned[:1])
    return [world.journal.add("order", order.attempt, task.id, order) for order in planned]


def _worth_attempting(task: Task, before: Verdict) -> bool:
    """An attempt can show something at this base; where the answer is that all is done, its checks must pass there."""
    if task.known_answer is KnownAnswer.SOLVED:
        return before.already_passing
    return before.outcome is not Outcome.UNVERIFIED


def _history(world: World, task: Task) -> History:
    """All versions of a task: attempt numbers go on over them."""
    journal = world.journal
    return History(
        tuple(journal.all(Order, "order", task.id)),
        tuple(journal.all(Attempt, "attempt", task.id)),
        tuple(journal.all(Landing, "landing", task.id)),
        _words(world, task),
    )


def _words(world: World, task: Task) -> tuple[str, ...]:
    """Return why people sent results of the present version back, oldest first."""
    reviews = world.journal.all(Review, "review", task.id, after=_since(world, past(world, task)))
    return tuple(review.reason for review in reviews if review.kind is ReviewKind.AGAIN)


def attempts(world: World, task: Task, orders: Sequence[Order], start: Start) -> Sequence[Attempt]:
    """Make the attempts of a round side by side; raises Interrupted after storing them if the person stops."""
    done = _side_by_side(orders, lambda order: _attempt(world, task, order, start))
    go_on_or_stop(world)
    return done


def _attempt(world: World, task: Task, order: Order, start: Start) -> Attempt:
    folder = _folder_of(world, order.attempt)
    if (seeded := seeded_of(world, task)) is not None:
        return _kept(world, order, folder, partial(delivered, world, seeded, order))

    def work() -> Attempt:
        # Memory first: who waits for it must not keep a place from others that could go on.
        with memory_held(world, order), slot(world) as place:
            return make(
                task,
                order,
                agent=world.agents[order.agent.name],
                environment=start.environment,
                base=start.measurement,
                door=world.door(task, order),
                site=_site(world, place),
                folder=folder,
            )

    return _kept(world, order, folder, work)


def _folder_of(world: World, attempt: str) -> Path:
    return world.state / "attempts" / attempt


def _site(world: World, place: Place) -> Site:
    return Site(
        world.sandbox,
        world.trees,
        world.journal.store,
        world.clock,
        world.stop.is_set,
        world.gateway,
        talk_of(world, place),
    )


def _kept(world: World, order: Order, folder: Path, work: Callable[[], Attempt]) -> Attempt:
    """Store an attempt with its patch as text, and let its workspace go."""

    def with_diff() -> Attempt:
        made = work()
        diff = world.journal.store.put(world.objects.diff(order.base.tree, made.patch.tree))
        return replace(made, patch=replace(made.patch, diff=diff))

    attempt = world.journal.once(Attempt, "attempt", order.attempt, order.task, with_diff)
    clear(folder, world.trees)  # only now: patch and trajectory are stored
    return attempt


def _side_by_side(items: Sequence[Item], work: Callable[[Item], Result]) -> list[Result]:
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(len(items)) as pool:
        return [future.result() for future in [pool.submit(work, item) for item in items]]


# ---------------------------------------------------------------- verdict


def verdicts(world: World, task: Task, attempts: Sequence[Attempt], start: Start) -> Sequence[Verdict]:
    """Prove every attempt of a round on its own; where there is none, say why there could be none."""
    if not attempts:
        verdict = _before_attempts(world, task, start)
        return [world.journal.once(Verdict, "verdict", verdict.id, task.id, lambda: verdict)]
    return _side_by_side(attempts, lambda attempt: _verdict_of(world, task, attempt, start))


def _before_attempts(world: World, task: Task, start: Start) -> Verdict:
    """Judge the untouched base: says whether an attempt could prove anything."""
    tree = start.base.tree
    return examine(world, task, f"{task.id}.0.{start.round}", "", start, Patch(tree, tree))


def _verdict_of(world: World, task: Task, attempt: Attempt, start: Start) -> Verdict:
    def work() -> Verdict:
        if attempt.ending is Ending.SANDBOX_FAILED:
            tree = attempt.base.tree
            return Verdict(attempt.id, task.id, "", tree, tree, Outcome.UNVERIFIED, attempt.reason)
        if attempt.ending is Ending.DECLINED:
            return _verdict_of_declined(world, task, attempt)
        verdict = examine(world, task, attempt.id, attempt.id, start, attempt.patch)
        if verdict.outcome is not Outcome.PASSED and attempt.ending is not Ending.FINISHED:
            verdict = replace(verdict, reason=f"{verdict.reason}; the attempt ended early: {attempt.reason}")
        return verdict

    return world.journal.once(Verdict, "verdict", attempt.id, task.id, work)


def _verdict_of_declined(world: World, task: Task, attempt: Attempt) -> Verdict:
    """Say what the agent says: it delivers nothing, so nothing is measured. What it left a person may still take."""
    said = attempt.declined
    reasons = said.text.splitlines() if said is not None and said.text.strip() else ["it gives no reason"]
    why = f"the agent says: {said.why}" if said is not None else attempt.reason
    return Verdict(
        attempt.id,
        task.id,
        attempt.id,
        attempt.base.tree,
        examined_tree(world.objects, task, attempt.base.tree, attempt.patch.tree).tree,
        Outcome.UNVERIFIED,
        attempt.reason,
        (CheckResult("declined", Outcome.UNVERIFIED, (why, *reasons)),),
        lines=attempt.patch.lines,
    )


# ---------------------------------------------------------------- selection, decision, landing


def selection(world: World, task: Task, verdicts: Sequence[Verdict], start: Start) -> Selection:
    """Choose among the attempts of a round."""
    key = f"{task.id}#{start.round}"
    return world.journal.once(
        Selection, "selection", key, task.id, lambda: choose(task.id, start.round, verdicts, world.policy)
    )


def decision(world: World, task: Task, selection: Selection, verdicts: Sequence[Verdict]) -> Decision:
    """Decide by the policy of this run; a decision that was made before stays what it was."""

    def work() -> Decision:
        history = _history(world, task)
        left = attempts_left(task, history)
        if task.known_answer is not None:
            mine = [attempt for attempt in history.attempts if attempt.round == selection.round]
            if task.known_answer.drill:
                return decide_drill(task, selection.round, mine, verdicts, left, world.policy)
            return decide_known(task, selection.round, mine, verdicts, left, world.policy)
        found = ordinary(history, left)
        seeded = seeded_of(world, task)
        if seeded is None:
            return found
        return decide_seeded(
            found, next((each.tree for each in verdicts if each.attempt == found.attempt), None), seeded.tree
        )

    def ordinary(history: History, left: int) -> Decision:
        declined = {attempt.id for attempt in history.attempts if attempt.ending is Ending.DECLINED}
        policy, cell = world.policy, None
        if selection.chosen is not None and policy.land == "trusted":
            cell = cell_of_attempt(world, task, selection.chosen)
            policy = policy_for(world, cell)
        return decide(
            task,
            selection,
            verdicts,
            left,
            policy,
            declined=declined,
            cell=cell,
            not_worth=not_worth(task, history, policy),
        )

    return _audited(world, task, f"{task.id}#{selection.round}", work)


def _audited(world: World, task: Task, key: str, work: Callable[[], Decision]) -> Decision:
    """Make a decision, and draw for a result that waits for a person from now on."""
    made = world.journal.once(Decision, "decision", key, task.id, work)
    if made.action is Action.ASK:
        draw_for(world, task, made)
    return made


def landing(world: World, task: Task, decision: Decision) -> Landing | None:
    """Land what was decided; one landing at a time in a repository. None: by now it may not land without a look."""
    attempt = world.journal.find(Attempt, "attempt", decision.attempt or "")
    verdict = world.journal.find(Verdict, "verdict", decision.attempt or "")
    if attempt is None or verdict is None:
        raise LedgerError(f"landing {decision.attempt}: the ledger has no such attempt with a verdict")

    found = world.journal.find(Landing, "landing", attempt.id)
    if found is not None:
        return found
    with landing_lock(world.state, attempt.base.repo) as lock:
        if decision.rule.startswith(TRUSTED) and _withheld(world, task, decision, attempt, verdict):
            return None
        landed = land(task, attempt, verdict, lock=lock, ground=ground(world, task, attempt, decision.round))
    return world.journal.add("landing", attempt.id, task.id, landed)


def _withheld(world: World, task: Task, decision: Decision, attempt: Attempt, verdict: Verdict) -> bool:
    """Trust was taken away while it waited, and it is not on the branch yet. Asked with the landing lock in hand."""
    if _trusted_now(world, task, decision, verdict).action is Action.LAND:
        return False
    sign = marker(attempt.id, world.ledger)
    return world.repository.landed(attempt.base.repo, world.policy.branch, sign) is None


def _trusted_now(world: World, task: Task, decision: Decision, verdict: Verdict) -> Decision:
    """Decide about a result again, on what is known of its cell at this moment."""
    cell = cell_of_attempt(world, task, verdict.attempt)
    counts = {name: decision.numbers[name] for name in COUNTS}
    return decide_passed(task.id, decision.round, verdict, cell, counts, policy_for(world, cell))


def ground(world: World, task: Task, attempt: Attempt, round_: int) -> Ground:
    """Prepare what a landing stands on: the branch, and the way to a verdict on a head that has moved.

    Raises InputError for a task with a known answer or of known truth: nothing of it lands, whoever asks for it.
    """
    if task.known_answer is not None or seeded_of(world, task) is not None:
        raise InputError(f"{task.id} was made to see what an agent does with it; nothing of it can land")

    def verify(at_head: Base, tree: str) -> Verdict:
        def work() -> Verdict:
            there = start_at(world, task, at_head, round_, runs=1)
            return examine(world, task, id_, attempt.id, there, Patch(at_head.tree, tree, attempt.patch.changes))

        id_ = f"{attempt.id}@{at_head.commit[:12]}"
        return world.journal.once(Verdict, "verdict", id_, task.id, work)

    return Ground(world.policy.branch, world.ledger, world.repository, world.objects, verify)


def decision_after(world: World, task: Task, decision: Decision, landing: Landing | None) -> Decision:
    """Decide what follows a landing: an audit at most if it landed, else another attempt or a person."""
    if landing is None:
        verdict = world.journal.find(Verdict, "verdict", decision.attempt or "")
        if verdict is None:
            raise LedgerError(f"deciding about {decision.attempt}: the ledger has no verdict on it")
        now = partial(_trusted_now, world, task, decision, verdict)
        return _audited(world, task, f"{task.id}#{decision.round}.withheld", now)
    if landing.outcome is LandingOutcome.LANDED:
        draw_for(world, task, decision)
        return decision

    def work() -> Decision:
        failed = past(world, task).failed_landings
        return decide_after_landing(task, landing, failed, decision.round, world.policy)

    return world.journal.once(Decision, "decision", f"{task.id}#{decision.round}.landing", task.id, work)


def trouble(world: World, task: Task, error: ReeveError) -> Decision:
    """Ask a person because something is in the way; the next run goes on with the round as it stands."""
    now = past(world, task)
    reason = str(error)
    decision = Decision(task.id, now.round, Action.ASK, None, TROUBLE, reason, policy=world.policy.version)
    if seeded_of(world, task) is not None:
        decision = replace(decision, action=Action.GIVE_UP)  # a person is asked about work only
    return world.journal.add("decision", f"{task.id}#{now.round}.trouble.{len(now.decisions)}", task.id, decision)


# ---------------------------------------------------------------- policy


def with_policy(world: World) -> World:
    """Learn what is known of the agents as the run begins, and store its policy: every decision must find its own."""
    agents = [(agent.spec.name, agent.spec.version) for agent in world.agents.values()]
    policy = believe(world.policy, agents, world.journal.store)
    world.journal.once(Policy, "policy", policy.version, "", lambda: policy)
    return replace(world, policy=policy)


# ---------------------------------------------------------------- after a crash


def recover(world: World) -> None:
    """Remove what a process that died left on disk, and draw for what it landed.

    Removed are workspaces whose attempt is stored, or was never ordered.
    """
    under_way = {order.attempt for order in _under_way(world)}
    with sweeping(world.state) as alone:
        if alone:
            world.trees.sweep(under_way)
    draw_missing(world)


def end_superseded(world: World) -> None:
    """End and store what a process that died had under way for a version of its task that is no more."""
    for order in _under_way(world):
        ordered = world.journal.store.fact("order", order.attempt)
        newest = world.journal.store.facts(kind="task", task=order.task)[-1]
        if ordered is not None and ordered.seq < newest.seq:
            folder = _folder_of(world, order.attempt)
            with slot(world) as place:
                work = partial(cut_short, order, site=_site(world, place), folder=folder, reason=SUPERSEDED)
                _kept(world, order, folder, work)


def _under_way(world: World) -> list[Order]:
    """List the orders that have a folder and no record of their attempt."""
    found = []
    for folder in sorted((world.state / "attempts").glob("*")):
        order = world.journal.find(Order, "order", folder.name)
        if order is not None and world.journal.find(Attempt, "attempt", folder.name) is None:
            found.append(order)
    return found
