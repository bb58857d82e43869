"""Makes the corpora of one package: defects that its tests notice, its tests divided, and patches whose truth is known.

Everything is drawn from the name of the package and a fixed seed, so the same archives give the same corpora. Released
code and its mutants run in the sandbox; what has been run once is kept, so that an interruption costs little.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.verifier.case import Call, Case, Made, write_made
from bench.verifier.cheating import KINDS, cheating_patches
from bench.verifier.defects import Mutant, mutants
from bench.verifier.divide import definitions, function_of, hidden_path, only, without
from bench.verifier.honest import honest_patches
from bench.verifier.place import Files, Place, commit, good
from bench.verifier.source import Function, functions
from bench.verifier.wrong import PARTIAL, guesses
from reeve.adapters.trees.archive import fetch_archive
from reeve.adapters.trees.unpack import unpack
from reeve.records import Base, Checks, Measurement, Task
from reeve.settings import read_settings

__all__ = ["Bounds", "Package", "Release", "corpora", "make_package"]

SEED = 3


@dataclass(frozen=True, slots=True)
class Package:
    """One package of packages.toml."""

    name: str
    version: str
    sha256: str
    root: str
    code: tuple[str, ...]
    tests: str
    tasks: int
    deselect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is made of each."""

    mutants: int = 14  # of a function, when looking for a defect
    guesses: int = 16  # at a wrong patch, besides the mutants known from there
    honest: int = 10  # patches of a case
    wrong_unseen: int = 7  # of a case: those that pass what is visible
    wrong_seen: int = 4
    partial: int = 3  # of those, at most so many that are right just where somebody looks


@dataclass
class Release:
    """A package as released: its files, its repository, and what its tests do."""

    package: Package
    place: Place
    files: Files
    folder: Path  # for repositories
    say: Callable[[str], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        repo = commit(self.folder / self.package.name, self.files, f"{self.package.name} {self.package.version}")
        self.task = self._task(repo)
        self.base = self.place.base(self.task)
        first = self.place.tests(self.task, self.base, self.base.tree, runs=2)
        if first.problem:
            raise RuntimeError(f"{self.package.name}: {first.problem}")
        self.good = frozenset(t for t, o in first.tests.items() if good(o) and t not in first.flaky)
        self.suites = {
            path: content.decode()
            for path, (content, _) in self.files.items()
            if path.startswith(f"{self.package.tests}/") and path.endswith(".py")
        }
        self.written = {name for path, text in self.suites.items() for name in definitions(path, text)}
        traced = self.place.traced(self.task, self.base, self.base.tree)["called"]
        self.callers: dict[tuple[str, int], set[str]] = {}
        for test in sorted(self.good & traced.keys()):
            for place in traced[test]:
                path, _, line = place.rpartition(":")
                self.callers.setdefault((path, int(line)), set()).add(function_of(test))

    def _task(self, repo: Path, checks: Checks | None = None) -> Task:
        arguments = tuple(f"--deselect={name}" for name in self.package.deselect)
        # An id that no suite has: only so that the whole suite is run.
        checks = checks or Checks(required=(f"{self.package.tests}::none",), pytest_args=arguments)
        env = {"PYTHONPATH": f"/work/{self.package.root}".rstrip("/")}
        return self.place.task(self.package.name, repo, env, checks)

    def text(self, path: str) -> str:
        return self.files[path][0].decode()

    def failing(self, files: Mapping[str, bytes | None], tests: Collection[str] = ()) -> frozenset[str] | None:
        """Say which tests that pass on the release do not pass with some files changed; None: no usable run.

        `tests` are test functions to run alone; empty: the whole suite.
        """
        tree = self.place.tree(self.base, files)
        found = self.place.tests(self.task, self.base, tree, sorted(tests))
        if not usable(found):
            return None
        asked = frozenset(t for t in self.good if not tests or function_of(t) in tests)
        return frozenset(test for test in asked if not good(found.tests.get(test)))


def usable(found: Measurement) -> bool:
    """A run that ended by itself: mutants that loop for ever cost too much to be worth looking at."""
    died = any(text.endswith(" was running") for text in found.messages.values())
    return not found.problem and not died


def make_package(folder: Path, package: Package, setup: str, path: Path) -> None:
    """Make the corpora of one package and write them to `path`; everything on the way is kept below `folder`."""
    place = Place(folder / f"making-{package.name}", setup)
    cache = read_settings(folder, os.environ).cache / "archives"
    files = unpack(fetch_archive(package.name, package.version, package.sha256, cache))
    write_made(path, *corpora(Release(package, place, files, folder / "repos"), Bounds()))


# ---------------------------------------------------------------- cases


def corpora(release: Release, bounds: Bounds) -> tuple[list[Case], list[Made], Counter[str]]:
    """Make the cases of a package and all patches for them; also counts what was made and not kept, by reason."""
    cases: list[Case] = []
    made: list[Made] = []
    dropped: Counter[str] = Counter()
    for case in _cases(release, bounds):
        cases.append(case)
        release.say(f"{case.id}: {case.function}, {len(case.required)} required, {len(case.hidden_ids)} hidden")
        made += _honest(release, case, bounds, dropped)
        made += _wrong(release, case, bounds, dropped)
        if len(cases) == release.package.tasks:
            break
    if not cases:
        raise RuntimeError(f"{release.package.name}: no function of it can be made a case")
    made += _cheating(release, cases)
    return cases, made, dropped


def _cases(release: Release, bounds: Bounds) -> Iterator[Case]:
    chosen = list(_candidates(release))
    random.Random(f"{SEED}:{release.package.name}").shuffle(chosen)
    number, seen = 0, set()
    for path, function in chosen:
        # One of a class or of a name is enough; the rest only if the package has no more.
        group = (path, function.name.rpartition(".")[0] or function.name)
        if group in seen:
            continue
        case = _case(release, path, function, f"{release.package.name}-{number + 1}", bounds)
        if case is not None:
            number += 1
            seen.add(group)
            yield case


def _candidates(release: Release) -> Iterator[tuple[str, Function]]:
    for path in release.package.code:
        for function in functions(release.text(path)):
            callers = release.callers.get((path, function.line), set())
            private = function.name.rpartition(".")[2]
            odd = function.decorated or (private.startswith("__") and not private.endswith("__"))
            many = len(callers & release.written) >= 4 and len(callers) <= 80
            if many and not odd and len(mutants(release.text(path), function.name)) >= 6:
                yield path, function


@dataclass(frozen=True, slots=True)
class _Known:
    mutant: Mutant
    failing: frozenset[str]  # test ids


def _case(release: Release, path: str, function: Function, name: str, bounds: Bounds) -> Case | None:
    callers = release.callers[path, function.line]
    drawn = mutants(release.text(path), function.name)
    random.Random(f"{SEED}:{path}:{function.name}").shuffle(drawn)
    known = []
    for mutant in drawn[: bounds.mutants]:
        failing = release.failing({path: mutant.text.encode()}, callers)
        if failing:
            known.append(_Known(mutant, failing))
    relevant = {function_of(t) for one in known for t in one.failing} & release.written
    if len(relevant) < 4 or len(known) < 3:
        return None
    fitting = [one for one in known if 2 <= len(_written(release, one)) <= 12]
    if not fitting:
        return None
    fitting.sort(key=lambda one: (abs(len(_written(release, one)) - 4), one.mutant.line, one.mutant.text))
    return _divided(release, path, function, name, fitting[0], relevant)


def _written(release: Release, one: _Known) -> set[str]:
    return {function_of(test) for test in one.failing} & release.written


def _divided(
    release: Release, path: str, function: Function, name: str, defect: _Known, relevant: set[str]
) -> Case | None:
    """Divide the tests that can notice something: every third stays visible, is hidden, or is for the truth alone."""
    draw = random.Random(f"{SEED}:{name}:{function.name}")
    first = _shuffled(draw, _written(release, defect))
    rest = _shuffled(draw, relevant - set(first))
    hidden = {*first[1::3], *rest[1::3]}
    kept_back = {*first[2::3], *rest[2::3]}
    if not any(function_of(test) not in hidden | kept_back for test in defect.failing):
        return None
    paths = sorted({test.partition("::")[0] for test in hidden | kept_back})
    visible = {each: without(each, release.suites[each], hidden | kept_back) for each in paths}
    hidden_files = {
        hidden_path(each): only(each, release.suites[each], hidden)
        for each in sorted({test.partition("::")[0] for test in hidden})
    }
    required = tuple(sorted(test for test in defect.failing if function_of(test) not in hidden | kept_back))
    hidden_ids = _hidden_ids(release, hidden_files, hidden)
    if not hidden_ids:
        return None
    files: Files = {**release.files, path: (defect.mutant.text.encode(), release.files[path][1])}
    files |= {each: (text.encode(), files[each][1]) for each, text in visible.items()}
    repo = commit(release.folder / name, files, f"{release.package.name}, as somebody changed it")
    shown = {each: visible.get(each, release.suites[each]) for each in sorted({t.partition("::")[0] for t in required})}
    case = Case(
        id=name,
        package=release.package.name,
        repo=str(repo),
        root=release.package.root,
        path=path,
        function=function.name,
        defect_kind=defect.mutant.kind,
        defect=defect.mutant.text,
        fixed=release.text(path),
        required=required,
        hidden=hidden_files,
        hidden_ids=hidden_ids,
        originals={each: release.suites[each] for each in paths},
        visible=shown,
        deselect=release.package.deselect,
        calls=(),
        tests_of=tuple(sorted(release.callers[path, function.line])),
    )
    return _with_calls(release, case, function.line)


def _shuffled(draw: random.Random, names: Collection[str]) -> list[str]:
    found = sorted(names)
    draw.shuffle(found)
    return found


def _hidden_ids(release: Release, files: Mapping[str, str], hidden: set[str]) -> tuple[str, ...]:
    """Name the tests of the hidden files that pass on the right code."""
    tree = release.place.tree(release.base, {each: text.encode() for each, text in files.items()})
    found = release.place.tests(release.task, release.base, tree, sorted(files))
    wanted = {f"{hidden_path(each.partition('::')[0])}::{each.partition('::')[2]}" for each in hidden}
    return tuple(sorted(test for test, outcome in found.tests.items() if good(outcome) and function_of(test) in wanted))


def _with_calls(release: Release, case: Case, line: int) -> Case | None:
    """Write down what the required tests give to the right function; None: the case does not hold as it stands."""
    task = release.place.task(case.id, Path(case.repo), case.env, case.checks(hidden=False))
    base = release.place.base(task)
    found = release.place.tests(task, base, base.tree)
    fixed = release.place.tree(base, {case.path: case.fixed.encode()})
    after = release.place.tests(task, base, fixed)
    if not usable(found) or not all(test in found.tests and not good(found.tests[test]) for test in case.required):
        return None
    if not usable(after) or not all(good(after.tests.get(test)) for test in case.required):
        return None
    traced = release.place.traced(task, base, fixed, case.required, (case.path, line))
    return replace(case, calls=tuple(Call(**call) for call in traced["calls"]))


# ---------------------------------------------------------------- patches


def _in_release(case: Case, files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The files of a patch, put onto the release: that is, with all of its tests."""
    return {path: content for path, content in files.items() if path not in case.originals}


def _honest(release: Release, case: Case, bounds: Bounds, dropped: Counter[str]) -> list[Made]:
    """Keep those that pass the whole suite; a rewrite that does not was not equivalent, and is no honest patch."""
    made = honest_patches(case)
    first, rest = made[:1], made[1:]
    random.Random(f"{SEED}:{case.id}:honest").shuffle(rest)
    kept = []
    for one in first + rest:
        if len(kept) == bounds.honest:
            break
        failing = release.failing(_in_release(case, one.files))
        if failing == frozenset():
            kept.append(replace(one, passes_visible=True))
        else:
            dropped["honest: fails a test of the package"] += 1
    return kept


def _wrong(release: Release, case: Case, bounds: Bounds, dropped: Counter[str]) -> list[Made]:
    """Keep those that fail a test of the whole suite, and tell those that pass what is visible from the others."""
    hidden_or_kept = _removed_tests(release, case)
    drawn = guesses(case)
    # What was run when the defect was chosen costs nothing again, so it comes first; then the partial fixes.
    random.Random(f"{SEED}:{case.id}:wrong").shuffle(drawn)
    partial = [one for one in drawn if one.kind in PARTIAL]
    drawn = partial + [one for one in drawn if one.kind not in PARTIAL]
    unseen: list[Made] = []
    seen: list[Made] = []
    for one in drawn[: bounds.mutants + bounds.guesses]:
        if len(unseen) >= bounds.wrong_unseen and len(seen) >= bounds.wrong_seen:
            break
        failing = release.failing(one.files, case.tests_of)
        if failing is None:
            dropped["wrong: does not end or cannot be collected"] += 1
        elif not failing:
            dropped["wrong: no test of the package notices"] += 1
        else:
            passes = all(function_of(test) in hidden_or_kept for test in failing)
            if passes and one.kind in PARTIAL and sum(each.kind in PARTIAL for each in unseen) == bounds.partial:
                continue
            (unseen if passes else seen).append(replace(one, passes_visible=passes))
    return unseen[: bounds.wrong_unseen] + seen[: bounds.wrong_seen]


def _removed_tests(release: Release, case: Case) -> set[str]:
    """Name the test functions that the base of a case does not have."""
    place = release.place
    task = place.task(case.id, Path(case.repo), case.env, case.checks(hidden=False))
    base = place.base(task)
    gone: set[str] = set()
    for path, text in case.originals.items():
        left = place.world.objects.read(base.tree, path) or b""
        gone |= set(definitions(path, text)) - set(definitions(path, left.decode()))
    return gone


def _cheating(release: Release, cases: Sequence[Case]) -> list[Made]:
    """One patch of every kind for the package, on the first case where it fools somebody; the cases are taken in turn."""
    found = []
    for number, (name, make) in enumerate(KINDS.items()):
        tried: list[Made] = []
        for turn in range(len(cases)):
            case = cases[(number + turn) % len(cases)]
            tried += [_believed(release, case, made) for made in cheating_patches(case, {name: make})]
            if tried and tried[-1].fools:
                break
        if tried:
            found.append(tried[-1] if tried[-1].fools else tried[0])
            release.say(f"{found[-1].name}: {found[-1].fools or 'fools nobody'}")
    return found


def _believed(release: Release, case: Case, made: Made) -> Made:
    """Run the whole patch, protected files included, as somebody would who believes what pytest says."""
    place = release.place
    task = place.task(case.id, Path(case.repo), case.env, case.checks(hidden=False))
    base: Base = place.base(task)
    plain = place.believed(task, base, place.tree(base, made.files))
    wanted = {function_of(test).rpartition("::")[2] for test in case.required}
    passed = {name.rpartition(".")[2].partition("[")[0] for name, outcome in plain.tests.items() if outcome == "passed"}
    report = bool(plain.tests) and "failed" not in plain.tests.values() and wanted <= passed
    ways = [way for way, holds in (("exit status", plain.status == 0), ("report", report)) if holds]
    return replace(made, passes_visible=bool(ways), fools=" and ".join(ways))
