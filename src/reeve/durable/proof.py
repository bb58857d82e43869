"""Prove one result: measure it where no agent ever was, judge it, and doubt what passed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reeve.durable.world import Start, World, measure, request_for, slot
from reeve.ports import ChallengeRequest, Piece
from reeve.records import Challenge, CheckResult, Measurement, Outcome, Patch, Runner, Surplus, Task, Verdict
from reeve.verdict.challenged import Doubts, disagreements, forged
from reeve.verdict.examined import Examined, examined_tree
from reeve.verdict.integrity import integrity
from reeve.verdict.judge import judge
from reeve.verdict.minimise import minimise
from reeve.verdict.recheck import Recheck, recheck
from reeve.verdict.surplus import surplus_of

__all__ = ["examine", "patch_verdict"]

EXPLORE_SHARE = 0.7
"""CPU time for strength and scope, as a share of what the measurement took: about 0.6 of a plain run of them."""

HUNKS_ASKED = 12
"""Runs of the checks in search of what they do not need, where there is no fork server for them."""


def examine(world: World, task: Task, id_: str, attempt: str, start: Start, patch: Patch) -> Verdict:
    """Measure a result where no agent ever was, judge it against its base, and challenge it if it passed."""
    examined = examined_tree(world.objects, task, start.base.tree, patch.tree)
    proof = _Proof(world, task, start, patch, id_, attempt, examined)
    if not (start.environment.ok and (start.measurement.tests or not start.measurement.problem)):
        return proof.verdict(None, None)
    verdict = proof.made()
    if task.only_needed and verdict.outcome is Outcome.PASSED:
        return _only_needed(proof, verdict)
    return verdict


def patch_verdict(world: World, task: Task, id_: str, start: Start, patch: Patch) -> Verdict:
    """Judge a patch that came from elsewhere."""
    return world.journal.once(Verdict, "verdict", id_, task.id, lambda: examine(world, task, id_, "", start, patch))


@dataclass(frozen=True, slots=True)
class _Proof:
    """One result on its way to a verdict."""

    world: World
    task: Task
    start: Start
    patch: Patch
    id: str
    attempt: str
    examined: Examined
    explore: bool = True

    def verdict(
        self,
        result: Measurement | None,
        again: Recheck | None,
        read: Sequence[CheckResult] = (),
        doubts: Doubts | None = None,
        surplus: Surplus | None = None,
    ) -> Verdict:
        return judge(
            self.task,
            id=self.id,
            attempt=self.attempt,
            patch=self.patch,
            tree=self.examined.tree,
            base=self.start.measurement,
            result=result,
            environment=self.start.environment,
            restored=self.examined.restored,
            recheck=again,
            read=read,
            doubts=doubts,
            surplus=surplus,
        )

    def made(self) -> Verdict:
        """Run everything that the verdict needs, the cheapest evidence against the result first."""
        request = request_for(self.task, self.start, self.examined.tree)
        result = measure(self.world, request)
        with slot(self.world):
            again = recheck(self.world.check, self.task, request, self.start.measurement, result)
        read = self._read()
        first = self.verdict(result, again, read)
        if first.outcome is not Outcome.PASSED:
            return first
        doubts = self._doubts(result)
        return self.verdict(result, again, read, doubts, self._surplus(doubts))

    def _read(self) -> tuple[CheckResult, ...]:
        """Read what the attempt wrote, and what of it would land."""
        objects, base = self.world.objects, self.start.base.tree
        if self.examined.tree == base:
            return ()
        written, left = objects.sources(base, self.patch.tree), objects.sources(base, self.examined.tree)
        tests = {file.path: file.content for file in self.task.checks.hidden}
        for path in dict.fromkeys(name.split("::", 1)[0] for name in self.task.checks.required):
            tests.setdefault(path, objects.read(base, path) or b"")
        return (
            integrity(self.task, written, left, self.examined.restored, self.patch.refused, tests),
            self.world.contents(self.task, left, objects.changes(base, self.examined.tree)),
        )

    def _doubts(self, result: Measurement) -> Doubts | None:
        """Challenge a result that passed; where it disagrees with itself, find out whether that is its own doing.

        Commands alone, without a test, are too weak to be doubted: None.
        """
        if not result.tests:
            return None
        explore = EXPLORE_SHARE * result.cpu_seconds if self.explore else 0.0
        challenge = self._challenge(self.examined.tree, result, explore_seconds=explore, plain_asserts=True)
        base = self.start.measurement
        doubtful = not challenge.again or disagreements(self.task, base, result, challenge)
        if doubtful and not forged(challenge):
            # It may be a test of what pytest makes of assertions: that is no evidence, so once more, the usual way.
            challenge = self._challenge(self.examined.tree, result, explore_seconds=explore)
        against = disagreements(self.task, base, result, challenge) if challenge.again else ()
        if not against:
            return Doubts(challenge)
        second = self._challenge(self.examined.tree, result, canaries=False, seed=challenge.seed + 1)
        passed_before = any(base.tests.get(name) == result.tests[name] for name in against)
        control = None
        if passed_before:
            control = self._challenge(self.start.base.tree, base, canaries=False, seed=challenge.seed)
        return Doubts(challenge, second, control)

    def _challenge(
        self,
        tree: str,
        measurement: Measurement,
        *,
        explore_seconds: float = 0.0,
        canaries: bool = True,
        seed: int | None = None,
        plain_asserts: bool = False,
    ) -> Challenge:
        request = request_for(self.task, self.start, tree)
        with slot(self.world):
            return self.world.challenger.challenge(
                ChallengeRequest(request, measurement.tests, explore_seconds, canaries, seed, plain_asserts)
            )

    def _surplus(self, doubts: Doubts | None) -> Surplus | None:
        """Name what the checks do not need of the patch; None: that was not measured."""
        needed, complete = (doubts.challenge.needed, doubts.challenge.complete) if doubts else ("", False)
        if not needed and self.explore and not self._forks():
            needed, complete = self._needed_hunks(), True
        if not needed:
            return None
        objects, tree = self.world.objects, self.examined.tree
        beyond = objects.sources(needed, tree)
        return surplus_of(beyond, objects.sources(self.start.base.tree, tree), tree=needed, complete=complete)

    def _forks(self) -> bool:
        checks = self.task.checks
        return checks.runner is Runner.PYTEST and bool(checks.required)

    def _needed_hunks(self) -> str:
        """Take hunks away for as long as everything else stays passed, each time by a run of all checks."""
        objects, base = self.world.objects, self.start.base.tree

        def holds(pieces: Sequence[Piece]) -> bool:
            less = replace(self, examined=Examined(objects.join(base, pieces), self.examined.restored))
            result = measure(self.world, request_for(self.task, self.start, less.examined.tree))
            return less.verdict(result, None).outcome is Outcome.PASSED

        return objects.join(base, minimise(objects.split(base, self.examined.tree), holds, calls=HUNKS_ASKED))


def _only_needed(proof: _Proof, whole: Verdict) -> Verdict:
    """Prove the needed part by itself, so that it can land alone; where it does not hold, the whole stands."""
    surplus = whole.surplus
    if surplus is None or not surplus.lines or not surplus.tree:
        return whole
    needed = replace(proof, examined=replace(proof.examined, tree=surplus.tree), explore=False).made()
    if needed.outcome is not Outcome.PASSED:
        return whole
    return replace(
        needed,
        reason=f"{whole.reason}; of the patch only the needed part is taken",
        checks=whole.checks,
        confidence=whole.confidence,
        needed_lines=whole.needed_lines,
        strength=whole.strength,
        surplus=surplus,
        cpu_seconds=round(whole.cpu_seconds + needed.cpu_seconds, 3),
    )
