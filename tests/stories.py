"""Ledgers that tell a story: short verbs, each of which appends the facts that the loop would."""

import hashlib
from collections.abc import Sequence

from reeve.ledger.codec import decode, encode
from reeve.policy.cells import cell_of
from reeve.ports import Fact, Store
from reeve.records import (
    Action,
    AgentSpec,
    Attempt,
    Base,
    Change,
    CheckResult,
    Checks,
    Decision,
    Draw,
    Ending,
    Environment,
    KnownAnswer,
    Landing,
    LandingOutcome,
    Order,
    Outcome,
    Patch,
    Policy,
    Ranked,
    RepoSource,
    Review,
    ReviewKind,
    Selection,
    Task,
    Verdict,
)

START = 1_790_000_000.0
BASE = Base("/home/ada/parser", "b" * 40, "1" * 40)
REPAIR = AgentSpec("repair", "repair", "0.1.0")

DIFF = b"""\
diff --git a/parser.py b/parser.py
index 1111111..2222222 100644
--- a/parser.py
+++ b/parser.py
@@ -1,4 +1,4 @@
 def head(line):
-    return line[1]
+    return line[0]
 def tail(line):
"""


class Story:
    """A store and a clock; every verb takes five seconds and returns what it recorded."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START

    def tell(self, kind: str, key: str, task: str, record: object) -> Fact:
        self.now += 5.0
        return self.store.append(Fact(kind, key, task, encode(record), self.now))

    def task(self, name: str, instruction: str = "The parser drops the first line. Keep it.", **fields) -> Task:
        checks = fields.pop("checks", Checks(required=("tests/test_parser.py::test_first_line",)))
        version = len(self.store.facts(kind="task", task=name)) + 1
        task = Task(
            id=name,
            instruction=instruction,
            repo=RepoSource(path="/home/ada/parser"),
            checks=checks,
            source=f"backlog/{name}.md:1",
            digest=hashlib.sha256(instruction.encode()).hexdigest()[:12],
            **fields,
        )
        self.tell("task", f"{name}@{version}", name, task)
        self.tell("base", f"{name}@{version}", name, BASE)
        return task

    def environment(self, task: str, *, ok: bool = True, reason: str = "", log: bytes = b"", key: str = "env1") -> None:
        digest = self.store.put(log)
        made = Environment(key, ok=ok, venv="/x/env" if ok else None, reason=reason, log=digest, seconds=3.0)
        self.tell("environment", f"{task}:{key}:{'ready' if ok else digest[:12]}", task, made)

    def order(
        self,
        name: str,
        *,
        round_: int = 1,
        index: int = 0,
        of: int = 1,
        agent: AgentSpec = REPAIR,
        rules: tuple[str, ...] = (),
    ) -> Order:
        task = name.split(".", maxsplit=1)[0]
        order = Order(name, task, "d", round_, index, of, agent, BASE, seed=7, policy="p1", rules=rules)
        self.tell("order", name, order.task, order)
        return order

    def attempt(
        self,
        name: str,
        *,
        diff: bytes = DIFF,
        said: bytes = b"looking at parser.py\nchanged line 2\n",
        ending: Ending = Ending.FINISHED,
        reason: str = "it finished by itself",
        round_: int = 1,
        changes: Sequence[Change] = (Change("parser.py", "modified", 1, 1),),
        sandbox: str = "bubblewrap",
        agent: AgentSpec = REPAIR,
        refused: tuple[str, ...] = (),
    ) -> Attempt:
        """An order and its end."""
        if self.store.fact("order", name) is None:
            self.order(name, round_=round_, agent=agent)
        patch = Patch(BASE.tree, "2" * 40, tuple(changes), refused, self.store.put(diff))
        if not diff:
            patch = Patch(BASE.tree, BASE.tree, (), refused, self.store.put(b""))
        attempt = Attempt(
            id=name,
            task=name.split(".", maxsplit=1)[0],
            round=round_,
            agent=agent,
            base=BASE,
            ending=ending,
            reason=reason,
            patch=patch,
            trajectory=self.store.put(said),
            wall_seconds=12.0,
            cpu_seconds=9.5,
            peak_memory_mb=80.0,
            sandbox=sandbox,
        )
        self.tell("attempt", name, attempt.task, attempt)
        return attempt

    def verdict(self, name: str, outcome: Outcome = Outcome.PASSED, reason: str = "", **fields) -> Verdict:
        attempt = name.split("@", maxsplit=1)[0] if not name.startswith("patch:") else ""
        reasons = {
            Outcome.PASSED: "1 required test passed that did not pass at the base, and none of 41 tests fails",
            Outcome.FAILED: "1 of 1 required test did not pass",
            Outcome.UNVERIFIED: "the task has no checks: a person has to look at the result",
        }
        evidence = {
            Outcome.PASSED: "1 required test passed, by exact id",
            Outcome.FAILED: "tests/test_parser.py::test_first_line failed: assert 'b' == 'a'",
            Outcome.UNVERIFIED: "nothing was measured",
        }
        verdict = Verdict(
            id=name,
            task=fields.pop("task", name.split(".", maxsplit=1)[0]),
            attempt=attempt,
            base_tree=fields.pop("base_tree", BASE.tree),
            tree="2" * 40,
            outcome=outcome,
            reason=reason or reasons[outcome],
            checks=fields.pop("checks", (CheckResult("required", outcome, (evidence[outcome],)),)),
            confidence=0.75 if outcome is Outcome.PASSED else 0.0,
            lines=2,
            needed_lines=2 if outcome is Outcome.PASSED else None,
            wall_seconds=1.5,
            **fields,
        )
        self.tell("verdict", name, verdict.task, verdict)
        return verdict

    def selection(self, task: str, chosen: str | None, *, round_: int = 1, ranked: Sequence[str] = ()) -> None:
        rows = tuple(Ranked(item, Outcome.PASSED, 2, 12.0) for item in ranked or ([chosen] if chosen else []))
        why = "the only one that passed" if chosen else "none passed"
        self.tell("selection", f"{task}#{round_}", task, Selection(task, round_, chosen, rows, "smallest", why))

    def decide(
        self, task: str, action: Action, attempt: str | None = None, reason: str = "", *, round_: int = 1, key: str = ""
    ) -> None:
        words = {
            Action.LAND: f"{attempt} passed: the only one that passed",
            Action.ASK: "the task has no checks: a person has to look at the result",
            Action.AGAIN: "no attempt of this round passed, 1 attempt left",
            Action.GIVE_UP: "no attempt passed; 1 of 1 required test did not pass",
        }
        decision = Decision(
            task, round_, action, attempt, "land = passed", reason or words[action], {"passed": 1.0}, "p1"
        )
        self.tell("decision", key or f"{task}#{round_}", task, decision)

    def land(
        self,
        attempt: str,
        outcome: LandingOutcome = LandingOutcome.LANDED,
        reason: str = "on its base",
        *,
        key: str = "",
    ) -> Landing:
        commit = hashlib.sha1(attempt.encode()).hexdigest() if outcome is LandingOutcome.LANDED else None
        verdict = attempt if commit else None
        task = attempt.split(".", maxsplit=1)[0]
        landing = Landing(task, attempt, outcome, reason, "reeve/landed", BASE.commit, commit, verdict)
        self.tell("landing", key or attempt, task, landing)
        return landing

    def review(
        self,
        attempt: str,
        kind: ReviewKind,
        reason: str = "",
        *,
        minutes: float = 3.0,
        commit: str | None = None,
        escape: bool = False,
    ) -> None:
        task = attempt.split(".", maxsplit=1)[0]
        number = len(self.store.facts(kind="review", task=task)) + 1
        review = Review(task, attempt, kind, reason, minutes, True, self.now, commit, escape)
        self.tell("review", f"{task}#{number}", task, review)

    def drawn(self, attempt: str, *, unseen: bool = True, uniform: bool = True, confidence: float = 0.75) -> Draw:
        """What is drawn for a result that landed without a look, or waits for one."""
        order = decode(Order, self.store.fact("order", attempt).body)
        task = decode(Task, self.store.facts(kind="task", task=order.task)[-1].body)
        draw = Draw(
            task=order.task,
            attempt=attempt,
            cell=cell_of(order, task, 2),
            unseen=unseen,
            confidence=confidence,
            suspicion=0.2,
            chance=0.5,
            number=0.25 if uniform else 0.75,
            suspicion_chance=0.1,
            suspicion_number=0.5,
            commitment="c0ffee",
            policy="p1",
        )
        self.tell("draw", attempt, order.task, draw)
        return draw

    def policy(self) -> None:
        self.tell("policy", "p1", "", Policy("p1", land="passed"))

    # ---------------------------------------------------------------- whole chapters

    def landed(self, name: str, **fields) -> Landing:
        self.task(name, **fields)
        self.environment(name)
        self.attempt(f"{name}.1")
        self.verdict(f"{name}.1")
        self.selection(name, f"{name}.1")
        self.decide(name, Action.LAND, f"{name}.1")
        return self.land(f"{name}.1")

    def failed(self, name: str, **fields) -> None:
        self.task(name, **fields)
        self.environment(name)
        self.attempt(f"{name}.1", ending=Ending.TIME_LIMIT, reason="it did not end within 600 s")
        self.verdict(f"{name}.1", Outcome.FAILED)
        self.selection(name, None)
        self.decide(name, Action.AGAIN)
        self.attempt(f"{name}.2", diff=b"", round_=2, changes=())
        self.verdict(f"{name}.2", Outcome.FAILED, "the attempt changed nothing")
        self.selection(name, None, round_=2)
        self.decide(name, Action.GIVE_UP, round_=2)

    def unproven(self, name: str, **fields) -> None:
        """A patch, and nothing that could prove it."""
        self.task(name, checks=Checks(), **fields)
        self.environment(name)
        self.attempt(f"{name}.1")
        self.verdict(f"{name}.1", Outcome.UNVERIFIED)
        self.selection(name, None)
        self.decide(name, Action.ASK, f"{name}.1")

    def unprovable(self, name: str, **fields) -> None:
        """No patch either."""
        self.task(name, checks=Checks(), **fields)
        self.environment(name)
        self.attempt(f"{name}.1", diff=b"", changes=())
        self.verdict(f"{name}.1", Outcome.UNVERIFIED)
        self.selection(name, None)
        self.decide(name, Action.ASK, None)

    def declined(self, name: str, *, diff: bytes = b"", said: str = "impossible: 2 is not 3", **fields) -> None:
        self.task(name, **fields)
        self.environment(name)
        reason = f"the agent declines: {said}"
        self.attempt(f"{name}.1", ending=Ending.DECLINED, reason=reason, diff=diff)
        check = CheckResult("declined", Outcome.UNVERIFIED, (f"the agent says: {said}",))
        self.verdict(f"{name}.1", Outcome.UNVERIFIED, reason, checks=(check,))
        self.selection(name, None)
        self.decide(name, Action.ASK, f"{name}.1", reason)

    def answered(self, name: str, known: KnownAnswer, answer: str, *, agent: AgentSpec = REPAIR) -> None:
        """A task with a known answer, and what came of it; an empty `answer`: it is not known yet."""
        self.tell("known", f"of-{name}:d", name, self.task(name, known_answer=known))
        self.attempt(f"{name}.1", agent=agent)
        if answer:
            decision = Decision(name, 1, Action.GIVE_UP, f"{name}.1", "known answer", answer, {answer: 1.0}, "p1")
            self.tell("decision", f"{name}#1", name, decision)

    def conflicting(self, name: str, **fields) -> None:
        self.task(name, **fields)
        self.environment(name)
        self.attempt(f"{name}.1")
        self.verdict(f"{name}.1")
        self.selection(name, f"{name}.1")
        self.decide(name, Action.LAND, f"{name}.1")
        self.land(f"{name}.1", LandingOutcome.CONFLICT, "conflict in parser.py")
        self.decide(
            name,
            Action.ASK,
            f"{name}.1",
            f"{name}.1 passed on its base but conflicts with what landed before it: conflict in parser.py",
            key=f"{name}#1.landing",
        )

    def broken_setup(self, name: str, *, key: str = "env-broken", **fields) -> None:
        self.task(name, **fields)
        reason = "pip could not install 'numpyy': no such project"
        self.environment(name, ok=False, reason=reason, log=b"Collecting numpyy\nERROR: no matching\n", key=key)
        self.verdict(f"{name}.0.1", Outcome.UNVERIFIED, f"the environment could not be made: {reason}", checks=())
        self.selection(name, None)
        self.decide(name, Action.ASK, None, f"the environment could not be made: {reason}")

    def working(self, name: str, **fields) -> None:
        self.task(name, **fields)
        self.environment(name)
        self.order(f"{name}.1", of=2)
        self.order(f"{name}.2", index=1, of=2)

    def fleet(self) -> "Story":
        """One task of every kind of ending, and one at work."""
        self.policy()
        self.landed("first-line", human_minutes=15.0)
        self.landed("slices", instruction="Slices of a result raise TypeError.", human_minutes=30.0)
        self.failed("dates", instruction="Dates before 1970 are wrong.", human_minutes=60.0)
        self.conflicting("numbers", instruction="Numbers may hold underscores.", human_minutes=20.0)
        self.unproven("docs", instruction="Say in the docs how to choose.")
        self.broken_setup("speed-a", instruction="It is slow.", human_minutes=10.0)
        self.broken_setup("speed-b", instruction="It is slow elsewhere too.")
        self.working("names", instruction="Names with dots are cut.")
        return self
