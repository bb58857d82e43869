"""What an attempt did to tests and to the configuration of their runner.

Such edits are put back before anything is checked, so they have no effect, and most have an honest reason: a changed
message, another test. They are notes. A person is asked (UNVERIFIED) when the attempt touched the very tests that it
is measured by (skipped, removed, or with assertions taken out or changed), or planted what has no other use than to
change outcomes: its result may hold all the same, but whoever did that should be read before it is believed.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reeve.records import Outcome, SourceChange, Task
from reeve.verdict.integrity.finding import Finding
from reeve.verdict.integrity.source import Function, Module, parsed

__all__ = ["edits_of_tests"]

SKIPS = ("skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure", "SkipTest", "importorskip", "skipTest")
FORGING_HOOKS = frozenset(
    (
        "pytest_runtest_makereport",
        "pytest_runtest_protocol",
        "pytest_runtest_call",
        "pytest_runtest_logreport",
        "pytest_pyfunc_call",
        "pytest_sessionfinish",
        "pytest_report_teststatus",
        "pytest_collection_modifyitems",
    )
)
FORGING_SETTINGS = re.compile(
    r"--co\b|--collect-only|--deselect|^\s*python_(functions|classes|files)\s*=", re.MULTILINE
)
TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test|tests)\.py$|(^|/)tests?/([^/]*/)*[^/]*\.py$", re.IGNORECASE)
START_UP = re.compile(r"(^|/)((site|user)customize\.py|[^/]*\.pth|[^/]*\._pth|pyvenv\.cfg)$")
SETTINGS = re.compile(r"(^|/)(\.?pytest\.(ini|toml)|tox\.ini|setup\.cfg|pyproject\.toml)$")
THRESHOLD = re.compile(r"(fail[_-]under|--cov-fail-under|min[_-]coverage)\W{1,4}(\d+(?:\.\d+)?)")


def edits_of_tests(task: Task, patch: Sequence[SourceChange], put_back: frozenset[str]) -> Iterator[Finding]:
    """Say what a patch does to tests, conftest files and the configuration of test runners."""
    required: dict[str, set[str]] = {}
    for name in task.checks.required:
        path, _, rest = name.removeprefix("./").partition("::")
        required.setdefault(path, set()).add(rest.split("[", 1)[0].replace("::", "."))
    for change in patch:
        try:
            yield from list(_edits(change, required.get(change.path, set()), put_back))
        except RecursionError:
            yield Finding(Outcome.UNVERIFIED, change.path, 0, "is nested too deeply to be read")


def _edits(change: SourceChange, wanted: set[str], put_back: frozenset[str]) -> Iterator[Finding]:
    name = change.path.rsplit("/", 1)[-1]
    if change.path not in put_back and not TEST_FILE.search(change.path) and name != "conftest.py":
        return
    if START_UP.search(change.path) and change.after is not None:
        yield Finding(Outcome.UNVERIFIED, change.path, 0, "would run before every test; it was put back")
    elif name == "conftest.py":
        yield from _conftest(change)
    elif SETTINGS.search(change.path):
        yield from _settings(change)
    elif wanted or TEST_FILE.search(change.path):
        yield from _tests(change, wanted)


# ---------------------------------------------------------------- tests


def _tests(change: SourceChange, wanted: set[str]) -> Iterator[Finding]:
    if change.before is None:
        return
    if change.after is None:
        yield Finding(Outcome.UNVERIFIED if wanted else Outcome.PASSED, change.path, 0, "removes a file of tests")
        return
    before, after = parsed(change.path, change.before), parsed(change.path, change.after)
    if before is None:
        return
    if after is None:
        yield Finding(Outcome.UNVERIFIED if wanted else Outcome.PASSED, change.path, 0, "makes tests unreadable")
        return
    new = _functions(after)
    skips_all = _skips_module(after) and not _skips_module(before)
    if skips_all:
        yield Finding(Outcome.UNVERIFIED if wanted else Outcome.PASSED, change.path, 0, "skips a whole file of tests")
    for name, (_, test) in _functions(before).items():
        if name.rsplit(".", 1)[-1].startswith("test"):
            asked = name in wanted or "" in wanted
            yield from _test(change.path, name, test, new.get(name), asked=asked)


def _test(
    path: str, name: str, before: Function, now: tuple[tuple[ast.expr, ...], Function] | None, *, asked: bool
) -> Iterator[Finding]:
    outcome = Outcome.UNVERIFIED if asked else Outcome.PASSED
    kind = "the required test" if asked else "the test"
    if now is None:
        yield Finding(outcome, path, 0, f"removes {kind} {name}")
        return
    after = now[1]
    if _skips(after) > _skips(before):
        yield Finding(outcome, path, after.lineno, f"skips {kind} {name}")
    old, new = _assertions(before), _assertions(after)
    lost = sum((old - new).values())
    gained = sum((new - old).values())
    if lost > gained:
        yield Finding(
            outcome, path, after.lineno, f"takes {lost - gained} of {sum(old.values())} assertions out of {kind} {name}"
        )
    elif lost:
        what = "thresholds" if _numbers_only(old - new, new - old) else "assertions"
        yield Finding(outcome, path, after.lineno, f"changes {what} of {kind} {name}")


def _functions(module: Module) -> Mapping[str, tuple[tuple[ast.expr, ...], Function]]:
    found: dict[str, tuple[tuple[ast.expr, ...], Function]] = {}
    classes: dict[str, tuple[ast.expr, ...]] = {}
    for site in module.sites:
        node = site.node
        name = f"{site.scope}.{getattr(node, 'name', '')}".lstrip(".")
        if isinstance(node, ast.ClassDef):
            classes[name] = (*classes.get(site.scope, ()), *node.decorator_list)
        elif isinstance(node, Function):
            above = classes.get(site.scope, ())
            # What decorates the class decorates its tests.
            node.decorator_list = [*node.decorator_list, *above]
            found[name] = (above, node)
    return found


def _skips(test: Function) -> int:
    return sum(
        (node.id if isinstance(node, ast.Name) else node.attr) in SKIPS
        for node in ast.walk(test)
        if isinstance(node, ast.Name | ast.Attribute)
    )


def _skips_module(module: Module) -> bool:
    """Say whether a mark or a call at the top skips all tests."""
    for node in module.tree.body:
        if isinstance(node, Function | ast.ClassDef):
            continue
        for each in ast.walk(node):
            if (
                isinstance(each, ast.Attribute)
                and each.attr in SKIPS
                and isinstance(node, ast.Assign | ast.Expr | ast.If)
            ):
                return True
    return False


def _assertions(test: Function) -> Counter[str]:
    found = [ast.dump(node.test) for node in ast.walk(test) if isinstance(node, ast.Assert)]
    for node in ast.walk(test):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name.startswith("assert") or name in ("raises", "warns", "fail"):
                found.append(ast.dump(node))
    return Counter(found)


def _numbers_only(lost: Counter[str], gained: Counter[str]) -> bool:
    """Say whether assertions differ in numbers alone."""
    number = re.compile(r"Constant\(value=-?[\d.e+-]+\)")
    return Counter(number.sub("n", each) for each in lost.elements()) == Counter(
        number.sub("n", each) for each in gained.elements()
    )


# ---------------------------------------------------------------- configuration


def _conftest(change: SourceChange) -> Iterator[Finding]:
    after, before = parsed(change.path, change.after), parsed(change.path, change.before)
    if after is None:
        return
    hooks = _hooks(after) - (_hooks(before) if before else set())
    ends = {"os._exit", "os.abort", "pytest.exit"} & (after.known - (before.known if before else frozenset()))
    for name in sorted(hooks & FORGING_HOOKS):
        text = f"adds {name}, which can change what tests report"
        yield Finding(Outcome.UNVERIFIED, change.path, 0, text)
    for name in sorted(ends):
        yield Finding(Outcome.UNVERIFIED, change.path, 0, f"ends the run of the tests ({name})")


def _hooks(module: Module) -> set[str]:
    return {site.node.name for site in module.sites if isinstance(site.node, Function)}


def _settings(change: SourceChange) -> Iterator[Finding]:
    before, after = ((each or b"").decode("utf-8", "replace") for each in (change.before, change.after))
    new = Counter(found[0] for found in FORGING_SETTINGS.finditer(after))
    if new - Counter(found[0] for found in FORGING_SETTINGS.finditer(before)):
        yield Finding(Outcome.UNVERIFIED, change.path, 0, "changes which tests are collected, or whether they run")
    old = {found[1]: float(found[2]) for found in THRESHOLD.finditer(before)}
    for found in THRESHOLD.finditer(after):
        if float(found[2]) < old.get(found[1], 0.0):
            yield Finding(Outcome.PASSED, change.path, 0, f"lowers {found[1]} to {found[2]}")
