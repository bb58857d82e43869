"""The verdict on one result, from measurements alone: nothing that an agent said is among the arguments.

Every rule is one function that gives one `CheckResult`; `judge` puts them together. Evidence that is missing makes
a verdict `unverified`, evidence against the result makes it `failed`, and only what is left can have passed. An
exit status is never evidence: a test counts by its own report under its exact id.
"""

import difflib
from collections.abc import Sequence

from reeve.records import (
    Challenge,
    CheckResult,
    CommandCheck,
    Ending,
    Environment,
    Measurement,
    Outcome,
    Patch,
    Runner,
    Surplus,
    Task,
    TestOutcome,
    Verdict,
)
from reeve.units import duration, plural
from reeve.verdict.challenged import Doubts, challenged
from reeve.verdict.confidence import confidence_of, strength_of
from reeve.verdict.recheck import GOOD, Recheck, names, regressions
from reeve.verdict.words import cut, listed, short

__all__ = ["judge"]

WORDS = {
    TestOutcome.FAILED: "failed",
    TestOutcome.ERROR: "broke",
    TestOutcome.SKIPPED: "was skipped",
    TestOutcome.XFAILED: "failed as expected by its own mark",
    TestOutcome.XPASSED: "passed against its own mark",
    TestOutcome.PASSED: "passed",
}


def judge(
    task: Task,
    *,
    id: str,  # noqa: A002 - the field of the record
    attempt: str,
    patch: Patch,
    tree: str,
    base: Measurement,
    result: Measurement | None,
    environment: Environment,
    restored: tuple[str, ...] = (),
    recheck: Recheck | None = None,
    read: Sequence[CheckResult] = (),
    doubts: Doubts | None = None,
    surplus: Surplus | None = None,
) -> Verdict:
    """Judge a result by what its checks measured at the base and on the result.

    `tree` is what was examined: the patched tree with `restored` paths put back. `result` None: not measured.
    `read` are the checks that only read the patch. `doubts` None: it was not challenged (yet). `surplus` None: what
    is needed of it was not measured.
    """

    def verdict(outcome: Outcome, reason: str, checks: Sequence[CheckResult] = (), *, already: bool = False) -> Verdict:
        return Verdict(
            id=id,
            task=task.id,
            attempt=attempt,
            base_tree=patch.base_tree,
            tree=tree,
            outcome=outcome,
            reason=reason,
            checks=(*checks, *_restored(patch, restored)),
            confidence=confidence_of(task, outcome, base, result, recheck, challenge, surplus),
            lines=patch.lines,
            needed_lines=None if surplus is None else max(0, patch.lines - surplus.lines),
            wall_seconds=sum(part.wall_seconds for part in parts),
            measurement=result.key if result else "",
            base_measurement=base.key,
            already_passing=already,
            strength=strength_of(challenge),
            surplus=surplus,
            cpu_seconds=round(sum(part.cpu_seconds for part in parts), 3),
        )

    challenge = doubts.challenge if doubts else None
    parts = [part for part in (result, *(_challenges(doubts))) if part is not None]
    changed = tree != patch.base_tree
    if not environment.ok:
        return verdict(Outcome.UNVERIFIED, f"the environment could not be made: {environment.reason}")
    if task.checks.none:
        what = "the attempt changed nothing" if not changed else "a person has to look at the result"
        return verdict(Outcome.UNVERIFIED, f"the task has no checks, so nothing can be proved: {what}")
    if base.problem:
        return verdict(Outcome.UNVERIFIED, f"the base could not be measured: {base.problem}")
    if unknown := _unknown(task, base):
        return verdict(Outcome.UNVERIFIED, unknown)
    at_base = _base(task, base)
    if at_base.outcome is not Outcome.PASSED and _already(task, base):
        return verdict(Outcome.UNVERIFIED, at_base.evidence[0], [at_base], already=True)
    if not changed:
        return verdict(Outcome.FAILED, _nothing(patch, restored), [at_base])
    if result is None:
        return verdict(Outcome.UNVERIFIED, "the result was not measured", [at_base])
    if result.ending in (Ending.SANDBOX_FAILED, Ending.INTERRUPTED):
        return verdict(Outcome.UNVERIFIED, f"the checks could not run: {result.problem}", [at_base])
    if (broken := _ran(task, base, result)) is not None:
        return verdict(broken.outcome, broken.evidence[0], [at_base, broken])
    checks = [
        check
        for check in (
            at_base,
            _required(task, base, result, recheck),
            _regression(task, base, result, recheck),
            _hidden(task, base, result, recheck),
            _collected(task, base, result),
            _commands(task, base, result),
            *read,
            *(challenged(task, base, result, doubts, surplus) if doubts else ()),
            _flaky(base, result, recheck),
        )
        if check is not None
    ]
    return verdict(*_sum(task, base, result, checks), checks)


def _challenges(doubts: Doubts | None) -> tuple[Challenge | None, ...]:
    return () if doubts is None else (doubts.challenge, doubts.second, doubts.control)


# ---------------------------------------------------------------- the rules, in their order


def _unknown(task: Task, base: Measurement) -> str:
    """Say which required test the base does not have at all: no patch may add it, so it is a slip in the task.

    A file that cannot be collected may hold it, and a known function may get another parameter.
    """
    if task.checks.runner is not Runner.PYTEST:
        return ""
    functions = {name.split("[", 1)[0] for name in base.tests}
    broken = tuple(name for name, outcome in base.tests.items() if "::" not in name and outcome not in GOOD)
    for name in task.checks.required:
        hidden_away = any(names(entry, name) or name.startswith(f"{entry}/") or entry in ("", ".") for entry in broken)
        if name.split("[", 1)[0] not in functions and not hidden_away:
            near = difflib.get_close_matches(name, base.tests, n=1, cutoff=0.75)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"the required test {name} is not among the {plural(len(base.tests), 'test')} of the base{hint}"
    return ""


def _base(task: Task, base: Measurement) -> CheckResult:
    """The base must fail what is asked for: else passing proves nothing."""
    required = task.checks.required
    passing = [name for name in required if base.tests.get(name) in GOOD and name not in base.flaky]
    commands = [check for check in task.checks.commands if _succeeds(check, base, None)]
    if _already(task, base):
        what = f"{plural(len(required), 'required test')} pass" if len(required) > 1 else "the required test passes"
        if not required:
            what = "every command of the checks succeeds"
        return CheckResult("base", Outcome.UNVERIFIED, (f"{what} at the base already: there is nothing to prove",))
    evidence = []
    if required:
        failing = len(required) - len(passing)
        evidence.append(f"{failing} of {plural(len(required), 'required test')} did not pass at the base")
    if passing:
        evidence.append(f"passed at the base already: {listed(passing)}")
    if not required:
        evidence.append(
            f"{len(base.commands) - len(commands)} of {plural(len(base.commands), 'command')} failed at the base"
        )
    if base.runs > 1:
        evidence.append(f"the base was measured {base.runs} times")
    return CheckResult("base", Outcome.PASSED, tuple(evidence))


def _already(task: Task, base: Measurement) -> bool:
    required = task.checks.required
    if required:
        passing = all(base.tests.get(name) in GOOD and name not in base.flaky for name in required)
        return passing and all(_succeeds(check, base, None) for check in task.checks.commands)
    return bool(base.commands) and all(_succeeds(check, base, None) for check in task.checks.commands)


def _ran(task: Task, base: Measurement, result: Measurement) -> CheckResult | None:
    """A suite that ran at the base and cannot run now was broken by the result."""
    if not result.problem:
        return None
    if result.ending is Ending.TIME_LIMIT:
        said = f"the checks did not end within their limit, at the base they took {duration(base.wall_seconds)}: "
        # A suite that needs most of its limit anyway may have missed it because the machine was busy.
        slow = base.wall_seconds * 2 > task.limits.check_seconds
        return CheckResult("collected", Outcome.UNVERIFIED if slow else Outcome.FAILED, (said + result.problem,))
    said = f"the checks ran at the base and not on the result: {result.problem}"
    return CheckResult("collected", Outcome.FAILED, (said,))


def _required(task: Task, base: Measurement, result: Measurement, recheck: Recheck | None) -> CheckResult | None:
    """Every required id is reported, by exact id, and passed."""
    if not task.checks.required:
        return None
    unsure = {*base.flaky, *result.flaky, *(recheck.flaky if recheck else ())}
    wrong, flaky = [], []
    for name in task.checks.required:
        outcome = result.tests.get(name)
        if name in unsure:
            flaky.append(name)
        elif outcome not in GOOD:
            wrong.append(_said(name, outcome, result))
    if wrong:
        head = f"{len(wrong)} of {plural(len(task.checks.required), 'required test')} did not pass"
        return CheckResult("required", Outcome.FAILED, (head, *cut(wrong)))
    if flaky:
        return CheckResult("required", Outcome.UNVERIFIED, tuple(cut([_disagrees(name, base) for name in flaky])))
    count = len(task.checks.required)
    return CheckResult("required", Outcome.PASSED, (f"{plural(count, 'required test')} passed, by exact id",))


def _regression(task: Task, base: Measurement, result: Measurement, recheck: Recheck | None) -> CheckResult | None:
    """No test that passed at the base fails, breaks, disappears or is skipped now."""
    before = sum(outcome in GOOD for outcome in base.tests.values())
    if not before:
        return None
    excused = {*recheck.flaky_at_base} if recheck else set()
    doubtful = {*result.flaky, *(recheck.flaky if recheck else ())} - excused
    broken = [name for name in regressions(task, base, result) if name not in excused]
    sure = [name for name in broken if name not in doubtful]
    if sure:
        head = f"{plural(len(sure), 'test')} of {before} that passed at the base did not pass now"
        twice = {*recheck.confirmed} if recheck else set()
        lines = [_said(name, result.tests.get(name), result) + (" (twice)" if name in twice else "") for name in sure]
        return CheckResult("regression", Outcome.FAILED, (head, *cut(lines)))
    if broken:
        return CheckResult("regression", Outcome.UNVERIFIED, tuple(cut([_disagrees(name, base) for name in broken])))
    return CheckResult(
        "regression", Outcome.PASSED, (f"none of {plural(before, 'test')} that passed at the base fails now",)
    )


def _hidden(task: Task, base: Measurement, result: Measurement, recheck: Recheck | None) -> CheckResult | None:
    """Every test of a hidden file passes, or the ones alone that the task requires of it."""
    found = [name for file in task.checks.hidden for name in _tests_of(file.path, task, result)]
    if not found:
        return None
    unsure = {*base.flaky, *result.flaky, *(recheck.flaky if recheck else ())}
    wrong = [name for name in found if result.tests.get(name) not in GOOD]
    sure = [_said(name, result.tests.get(name), result) for name in wrong if name not in unsure]
    if sure:
        head = f"{len(sure)} of {plural(len(found), 'test')} that no attempt could see did not pass"
        return CheckResult("hidden", Outcome.FAILED, (head, *cut(sure)))
    if wrong:
        return CheckResult("hidden", Outcome.UNVERIFIED, tuple(cut([_disagrees(name, base) for name in wrong])))
    return CheckResult("hidden", Outcome.PASSED, (f"{plural(len(found), 'test')} passed that no attempt could see",))


def _tests_of(path: str, task: Task, result: Measurement) -> list[str]:
    required = [name for name in task.checks.required if names(path, name)]
    return required or [name for name in result.tests if names(path, name)]


def _collected(task: Task, base: Measurement, result: Measurement) -> CheckResult | None:
    """No test of the base has vanished, not even one that did not pass there."""
    if not base.tests:
        return None
    gone = [name for name in base.tests if "::" in name and name not in result.tests and name not in base.flaky]
    gone = [name for name in gone if name not in task.checks.required and base.tests[name] not in GOOD]
    count = f"{plural(len(result.tests), 'test')} reported, {len(base.tests)} at the base"
    if not result.tests:
        return CheckResult(
            "collected", Outcome.FAILED, (f"no test was reported at all, {len(base.tests)} at the base",)
        )
    if gone:
        said = f"reported at the base and no longer: {listed(gone)}"
        return CheckResult("collected", Outcome.UNVERIFIED, (count, said))
    return CheckResult("collected", Outcome.PASSED, (count,))


def _commands(task: Task, base: Measurement, result: Measurement) -> CheckResult | None:
    """Every command gives what is expected of it: weak evidence, because a command says so itself."""
    if not task.checks.commands:
        return None
    wrong, numbers = [], []
    for check in task.checks.commands:
        if not _succeeds(check, result, base):
            wrong.append(f"`{short(check.command)}` {_failure(check, base, result)}")
        elif check.reads is not None:
            before = base.numbers.get(check.name)
            at_base = "" if before is None else f", {before:g} at the base"
            numbers.append(f"`{short(check.command)}` gave {result.numbers[check.name]:g}{at_base}")
    if wrong:
        return CheckResult("commands", Outcome.FAILED, tuple(cut(wrong)), weak=True)
    count = plural(len(task.checks.commands), "command")
    return CheckResult("commands", Outcome.PASSED, (f"{count} gave what was expected", *cut(numbers)), weak=True)


def _succeeds(check: CommandCheck, here: Measurement, base: Measurement | None) -> bool:
    """Say whether a command gave what is expected of it; `base` None: `here` is the base itself."""
    if here.commands.get(check.name) is not TestOutcome.PASSED:
        return False
    if not check.compares:
        return True
    number, before = here.numbers.get(check.name), None if base is None else base.numbers.get(check.name)
    if number is None or before is None:
        return False
    higher = check.higher_by is None or number >= before + check.higher_by
    return higher and (check.lower_by is None or number <= before - check.lower_by)


def _failure(check: CommandCheck, base: Measurement, result: Measurement) -> str:
    outcome = result.commands.get(check.name)
    if outcome is not TestOutcome.PASSED:
        also = ", as at the base" if base.commands.get(check.name) is outcome and outcome is not None else ""
        word = "did not run" if outcome is None else "failed" if outcome is TestOutcome.FAILED else "did not end"
        return f"{word}{also}{_message(check.name, result)}"
    wanted, word = (check.higher_by, "higher") if check.higher_by is not None else (check.lower_by, "lower")
    number, before = result.numbers.get(check.name), base.numbers.get(check.name)
    if before is None:
        return f"gave {number:g}, and the base gave no number to compare it with"
    return f"gave {number:g}, {before:g} at the base: it must be at least {wanted:g} {word}"


def _flaky(base: Measurement, result: Measurement, recheck: Recheck | None) -> CheckResult | None:
    """Tests that disagree with themselves are named; they count neither for nor against."""
    found = tuple(dict.fromkeys((*base.flaky, *result.flaky, *(recheck.flaky if recheck else ()))))
    if not found:
        return None
    evidence = [f"disagreed with itself between runs of the same tree: {listed(found)}"]
    failing = [name for name in base.flaky if result.tests.get(name) not in GOOD]
    if failing:
        evidence.append(f"not counted, although it did not pass now: {listed(failing)}")
    return CheckResult("flaky", Outcome.PASSED, tuple(evidence), weak=True)


def _restored(patch: Patch, restored: tuple[str, ...]) -> tuple[CheckResult, ...]:
    """Protected files that were touched were put back, and paths that no patch may have were left out."""
    evidence = []
    if restored:
        evidence.append(
            f"changed by the attempt and put back from the base, because checks depend on it: {listed(restored)}"
        )
    if patch.refused:
        evidence.append(f"left out of the patch: {listed(patch.refused)}")
    return (CheckResult("protected", Outcome.PASSED, tuple(evidence)),) if evidence else ()


# ---------------------------------------------------------------- putting together


def _sum(task: Task, base: Measurement, result: Measurement, checks: Sequence[CheckResult]) -> tuple[Outcome, str]:
    for outcome in (Outcome.FAILED, Outcome.UNVERIFIED):
        against = [check for check in checks if check.outcome is outcome]
        if against:
            return outcome, ": ".join(min(against, key=_weight).evidence[:2])
    if task.checks.required:
        passed = sum(outcome in GOOD for outcome in base.tests.values())
        tail = f", and none of {plural(passed, 'test')} that passed before fails" if passed else ""
        count = plural(len(task.checks.required), "required test")
        return Outcome.PASSED, f"{count} passed that did not all pass at the base{tail}"
    count = plural(len(result.commands), "command")
    return Outcome.PASSED, f"{count} succeeded, not all did at the base; that is weak evidence"


def _weight(check: CheckResult) -> int:
    """What broke the run as a whole is said first, then required tests, then what makes outcomes worthless."""
    return {"collected": 0, "required": 1, "integrity": 2, "canaries": 3}.get(check.name, 4)


def _nothing(patch: Patch, restored: tuple[str, ...]) -> str:
    if restored:
        return f"the attempt changed nothing but protected files: {listed(restored)}"
    if patch.refused:
        return f"nothing of what the attempt wrote could be taken: {listed(patch.refused)}"
    return "the attempt changed nothing"


def _said(name: str, outcome: TestOutcome | None, result: Measurement) -> str:
    if outcome is None:
        file = name.split("::", 1)[0]
        if file in result.tests:
            return f"{name} was not reported: {file} {WORDS[result.tests[file]]}{_message(file, result)}"
        return f"{name} was not reported"
    return f"{name} {WORDS[outcome]}{_message(name, result)}"


def _message(name: str, result: Measurement) -> str:
    lines = [line.strip() for line in result.messages.get(name, "").splitlines() if line.strip()]
    # pytest marks what went wrong with an E; the last line is only the place.
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    text = marked[0] if marked else lines[-1] if lines else ""
    return f": {short(text)}" if text else ""


def _disagrees(name: str, base: Measurement) -> str:
    where = "at the base" if name in base.flaky else "on this result (never at the base)"
    return f"{name} both passed and failed {where}, so it proves nothing"
