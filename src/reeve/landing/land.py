"""The queue that commits exactly what was verified, on the head it was verified on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reeve.errors import RepositoryError
from reeve.ports import LandingLock, Objects, Repository
from reeve.records import Attempt, Base, Landing, LandingOutcome, Outcome, Task, Verdict

__all__ = ["Ground", "land", "marker", "message"]

TRIES = 5


@dataclass(frozen=True, slots=True)
class Ground:
    """What a landing stands on. `verify` gives the verdict on a tree at a head that is not the attempt's base."""

    branch: str
    ledger: str  # names this ledger among all that land in the repository
    repository: Repository
    objects: Objects
    verify: Callable[[Base, str], Verdict]
    enough: tuple[Outcome, ...] = (Outcome.PASSED,)  # a person may accept what could not be verified


def land(task: Task, attempt: Attempt, verdict: Verdict, *, lock: LandingLock, ground: Ground) -> Landing:
    """Commit a verified result onto the integration branch.

    If the branch has moved since the base of the attempt, the result is merged onto its head and that very tree
    is verified. The branch is moved by compare-and-swap; a result that landed before, in a life that ended
    before it could say so, is found by its marker and not landed twice.
    """
    repo, branch = attempt.base.repo, ground.branch
    if (found := ground.repository.landed(repo, branch, marker(attempt.id, ground.ledger))) is not None:
        reason = "had landed already"
        return Landing(task.id, attempt.id, LandingOutcome.LANDED, reason, branch, found, found, verdict.id)
    for _ in range(TRIES):
        if (folder := ground.repository.checked_out(repo, branch)) is not None:
            raise RepositoryError(
                f"landing {attempt.id}: {branch} is checked out in {folder}; "
                "check out another branch there and run again"
            )
        old = ground.repository.head(repo, branch)
        landing = _on_head(task, attempt, verdict, old or attempt.base.commit, ground)
        if landing.commit is None or ground.repository.advance(lock, branch, landing.commit, old):
            return landing
    raise RepositoryError(f"landing {attempt.id}: {branch} in {repo} moved {TRIES} times while landing; run again")


def _on_head(task: Task, attempt: Attempt, verdict: Verdict, head: str, ground: Ground) -> Landing:
    """Make the commit for a head, without moving the branch; a landing without a commit says why there is none."""
    base = attempt.base
    at_head = base if head == base.commit else ground.objects.import_base(Path(base.repo), head)

    def outcome(outcome: LandingOutcome, reason: str, verdict_id: str | None, commit: str | None = None) -> Landing:
        return Landing(task.id, attempt.id, outcome, reason, ground.branch, head, commit, verdict_id)

    tree, reason = verdict.tree, "on its base"
    if at_head.tree != base.tree:
        merged, conflicts = ground.objects.merge(base.tree, at_head.tree, verdict.tree)
        if merged is None:
            return outcome(LandingOutcome.CONFLICT, f"conflict in {', '.join(conflicts[:5])}", None)
        verdict = ground.verify(at_head, merged)
        if verdict.outcome not in ground.enough:
            return outcome(LandingOutcome.BOUNCED, verdict.reason, verdict.id)
        tree, reason = merged, "verified again on the moved head"
    commit = ground.repository.commit(base.repo, tree, head, message(task, attempt, verdict, ground.ledger))
    return outcome(LandingOutcome.LANDED, reason, verdict.id, commit)


def marker(attempt: str, ledger: str) -> str:
    """Return the line of a commit message that names an attempt beyond doubt, also among several ledgers."""
    return f"Attempt: {attempt} ({ledger})"


def message(task: Task, attempt: Attempt, verdict: Verdict, ledger: str) -> str:
    """Write the commit message: the first line of the instruction, then the trailers."""
    first = next((line.strip("# ").strip() for line in task.instruction.splitlines() if line.strip("# ")), task.id)
    subject = " ".join("".join(char for char in first if char.isprintable()).split()) or task.id
    if len(subject) > 68:
        subject = subject[:67].rstrip() + "…"
    agent = f"{attempt.agent.name} {attempt.agent.version}"
    return (
        f"{subject}\n\n"
        f"Task: {task.id}\n"
        f"{marker(attempt.id, ledger)}\n"
        f"Agent: {agent}\n"
        f"Verdict: {verdict.outcome} {verdict.id}\n"
    )
