"""The rules on what came of doubting a result that passed: the re-run, the canaries, strength and scope."""

from collections.abc import Mapping
from dataclasses import dataclass

from reeve.records import (
    Canary,
    CanaryKind,
    Challenge,
    CheckResult,
    Measurement,
    Outcome,
    Surplus,
    Task,
    TestOutcome,
)
from reeve.units import plural
from reeve.verdict.confidence import strength_of
from reeve.verdict.recheck import GOOD, kept
from reeve.verdict.words import cut, listed, short

__all__ = ["Doubts", "challenged", "disagreements", "forged"]

MUST_NOT_PASS = (CanaryKind.MUST_FAIL, CanaryKind.INVERTED)
FELL = (TestOutcome.FAILED, TestOutcome.ERROR)
WEAK_SHARE = 0.5
"""With fewer injected defects noticed than this, a pass is shown as weak evidence."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """A challenge and what was run to understand it; `second` and `control` None: there was no need.

    `second` is another re-run of the result in an order of its own; `control` is the re-run of the base in the order
    of the first.
    """

    challenge: Challenge
    second: Challenge | None = None
    control: Challenge | None = None


def disagreements(task: Task, base: Measurement, result: Measurement, challenge: Challenge) -> tuple[str, ...]:
    """List the tests that passed when measured and did not when they were run again differently."""
    unsure = {*base.flaky, *result.flaky}
    required = {*task.checks.required}
    return tuple(
        name
        for name, outcome in result.tests.items()
        if outcome in GOOD
        and name not in unsure
        and challenge.again.get(name) not in GOOD
        and (name in required or kept(name, task.checks.keep))
    )


def forged(challenge: Challenge) -> tuple[Canary, ...]:
    """List the tests that must fail and passed."""
    return tuple(one for one in challenge.canaries if one.kind in MUST_NOT_PASS and one.outcome in GOOD)


def challenged(
    task: Task, base: Measurement, result: Measurement, doubts: Doubts, surplus: Surplus | None
) -> tuple[CheckResult, ...]:
    """Judge a challenge; nothing in it can turn a failure into a pass."""
    challenge = doubts.challenge
    checks = (
        _again(task, base, result, doubts),
        _canaries(challenge),
        _strength(challenge),
        _scope(surplus),
    )
    return tuple(check for check in checks if check is not None)


def _again(task: Task, base: Measurement, result: Measurement, doubts: Doubts) -> CheckResult:
    """What passed passes again in another order, spread over other processes and told in another way."""
    challenge = doubts.challenge
    if not challenge.again:
        said = f"the tests could not be run again: {challenge.problem or 'nothing was reported'}"
        return CheckResult("re-run", Outcome.UNVERIFIED, (said,))
    against = disagreements(task, base, result, challenge)
    excused = [name for name in against if doubts.control is not None and _at_base_too(name, base, doubts.control)]
    open_ = [name for name in against if name not in excused]
    if not open_:
        count = sum(outcome in GOOD for outcome in challenge.again.values())
        evidence = [f"{plural(count, 'test')} passed again, in another order and other processes"]
        if excused:
            evidence.append(f"depends on its order at the base too, so it is not counted: {listed(excused)}")
        return CheckResult("re-run", Outcome.PASSED, tuple(evidence))
    twice = [name for name in open_ if doubts.second is not None and doubts.second.again.get(name) not in GOOD]
    named = twice or open_
    how = "failed twice" if twice else "failed"
    head = f"{plural(len(named), 'test')} passed when measured and {how} in another order and other processes"
    outcome = Outcome.FAILED if twice else Outcome.UNVERIFIED
    return CheckResult("re-run", outcome, (head, *cut([_again_words(name, challenge.again) for name in named])))


def _at_base_too(name: str, base: Measurement, control: Challenge) -> bool:
    return base.tests.get(name) in GOOD and control.again.get(name) not in GOOD


def _again_words(name: str, again: Mapping[str, TestOutcome]) -> str:
    outcome = again.get(name)
    return f"{name}: {'was not reported' if outcome is None else outcome}"


def _canaries(challenge: Challenge) -> CheckResult | None:
    """Tests that must fail fail, whatever the result does; the others of ours pass."""
    if not challenge.canaries:
        return None
    fatal = [one for one in challenge.canaries if one.kind in MUST_NOT_PASS]
    if passed := forged(challenge):
        head = f"{plural(len(passed), 'test')} of {len(fatal)} that must fail passed: the outcomes are forged"
        return CheckResult("canaries", Outcome.FAILED, (head, *cut([_canary_words(one) for one in passed])))
    fell = [one for one in fatal if one.outcome in FELL]
    if fatal and not fell:
        return CheckResult("canaries", Outcome.UNVERIFIED, ("none of the tests that must fail was run",))
    lost = [one for one in challenge.canaries if one.kind not in MUST_NOT_PASS and one.outcome not in GOOD]
    if lost:
        head = "passes under its own name and not under another: " if lost[0].of else "holds always and did not: "
        return CheckResult("canaries", Outcome.UNVERIFIED, tuple(cut([head + _canary_words(one) for one in lost])))
    rest = len(challenge.canaries) - len(fatal)
    said = f"{plural(len(fell), 'test')} that must fail failed, {plural(rest, 'test')} that must pass passed"
    return CheckResult("canaries", Outcome.PASSED, (said,))


def _canary_words(one: Canary) -> str:
    what = {
        CanaryKind.MUST_FAIL: "a test that nothing can pass",
        CanaryKind.INVERTED: f"{one.of} with its expectation turned round",
        CanaryKind.MUST_PASS: "a test that nothing can fail",
        CanaryKind.COPY: f"a copy of {one.of}",
    }[one.kind]
    return f"{what}: {'not reported' if one.outcome is None else one.outcome}"


def _strength(challenge: Challenge) -> CheckResult | None:
    """Says how much the pass proves; never against the result."""
    strength = strength_of(challenge)
    if strength is None:
        return None
    missed = [defect for defect in challenge.defects if not defect.noticed]
    count = plural(strength.injected, "small defect")
    evidence = [f"the checks noticed {strength.noticed} of {count} put into the changed lines"]
    evidence += cut(
        [f"not noticed: {one.path}:{one.line}: {short(one.was)!r} made {short(one.now)!r}" for one in missed], 4
    )
    share = strength.share
    return CheckResult("strength", Outcome.PASSED, tuple(evidence), weak=share is not None and share < WEAK_SHARE)


def _scope(surplus: Surplus | None) -> CheckResult | None:
    """Says what the checks do not need of the patch; never against the result."""
    if surplus is None:
        return None
    if not surplus.lines:
        said = (
            "every changed line is needed" if surplus.complete else "no unneeded line was found in the time there was"
        )
        return CheckResult("scope", Outcome.PASSED, (said,))
    kinds = ", ".join(f"{kind} {count}" for kind, count in surplus.kinds.items())
    bound = "" if surplus.complete else " at least"
    evidence = [
        f"{plural(surplus.lines, 'changed line')}{bound} not needed by the checks" + (f": {kinds}" if kinds else "")
    ]
    if surplus.files:
        evidence.append(f"nothing of these files is needed: {listed(surplus.files)}")
    return CheckResult("scope", Outcome.PASSED, tuple(evidence))
