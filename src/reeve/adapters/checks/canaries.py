"""Tests that are put into the examined tree to see whether what is reported there is true. Pure: sources in, files out.

Nothing tells them from the tests beside them: their names are made of the words of the project's own tests, and differ
in every run. Copies of real tests must pass as the originals did; the same copies turned round, and tests of our own
that nothing can pass, must not; tests of our own that nothing can fail must pass.
"""

import keyword
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from random import Random

from reeve.adapters.checks.inversion import SOURCE_BYTES, copies
from reeve.records import Canary, CanaryKind, TestOutcome

__all__ = ["Planted", "plant", "sample"]

FILES = 2  # whose tests are copied
COPIES = 4  # of tests, and as many turned round
MORE = 12  # others, of which some are taken where those chosen cannot be turned round
MUST_FAIL = 4
MUST_PASS = 2
ORDINARY = ("basic", "common", "core", "edge", "extra", "misc", "more", "simple", "usage", "values")
"""For projects whose tests have too few words of their own."""

TIED = re.compile(
    r"snapshot|datadir|regression|__module__|__qualname__|request\.(?:node|module|path|fspath)|PYTEST_CURRENT_TEST"
    r"|__file__\)?\.(?:stem|name)\b|basename\(__file__"
)
"""A test with one of these may depend on the name of its file: a copy of it proves nothing, nor does its opposite."""


@dataclass(frozen=True, slots=True)
class Planted:
    """Files for the tree, and what the tests in them must do."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    canaries: tuple[Canary, ...] = ()

    def ids(self) -> dict[str, list[str]]:
        """List the tests to be run of each file."""
        found: dict[str, list[str]] = {path: [] for path in self.files}
        for canary in self.canaries:
            found[canary.id.split("::", 1)[0]].append(canary.id)
        return found

    def alone(self) -> list[str]:
        """List the tests to be run apart from all others: those with copies, the copies, and the same turned round.

        All of them from the same beginnings: what a test leaves behind could make another one pass or fail.
        """
        pairs = [(canary.of, canary.id) for canary in self.canaries if canary.of]
        return list(dict.fromkeys(name for pair in pairs for name in pair))

    def told(
        self, outcomes: Mapping[str, TestOutcome], alone: Mapping[str, TestOutcome], required: Iterable[str]
    ) -> tuple[Canary, ...]:
        """Give the canaries their outcomes, without those that prove nothing.

        A test that needs others before it may fail as a copy, and pass turned round; required ones have to hold
        by themselves. Where a copy does not pass, what was turned round with it says nothing.
        """
        wanted = set(required)
        passed = {name for name, outcome in alone.items() if outcome is TestOutcome.PASSED}
        copies = {canary.of: canary.id for canary in self.canaries if canary.kind is CanaryKind.COPY}
        found = []
        for canary in self.canaries:
            outcome = outcomes.get(canary.id)
            if canary.kind is CanaryKind.COPY and canary.of not in passed | wanted and canary.id not in passed:
                continue
            if canary.kind is CanaryKind.INVERTED and not {canary.of, copies.get(canary.of, canary.of)} <= passed:
                continue
            found.append(replace(canary, outcome=outcome))
        return tuple(found)


def sample(required: Iterable[str], tests: Mapping[str, TestOutcome], draw: Random) -> dict[str, list[str]]:
    """Choose tests that passed to be copied, by their file: required ones first, then others of the same files."""
    passed = [name for name, outcome in tests.items() if outcome is TestOutcome.PASSED and _is_plain(name)]
    wanted = set(required)
    first = [name for name in passed if name in wanted] or passed
    files = list(dict.fromkeys(_file(name) for name in first))
    draw.shuffle(files)
    files = files[:FILES]
    chosen: dict[str, list[str]] = {path: [] for path in files}
    for pool in (first, passed):
        # Of a test with parameters one case is enough.
        names = [name for name in pool if _file(name) in chosen]
        draw.shuffle(names)
        for name in names:
            listed = chosen[_file(name)]
            enough = sum(map(len, chosen.values())) >= COPIES
            if not enough and _function(name) not in {_function(each) for each in listed}:
                listed.append(name)
    return chosen


def plant(
    chosen: Mapping[str, Sequence[str]],
    sources: Mapping[str, bytes],
    tests: Mapping[str, TestOutcome],
    taken: Callable[[str], bool],
    draw: Random,
) -> Planted:
    """Make the canaries of one run: copies of the chosen tests, the same turned round, and tests of our own.

    `sources` are the files of the chosen tests, `tests` everything that was measured; `taken` says whether a path is
    in use.
    """
    names = _Names(tuple(tests), taken, draw)
    files: dict[str, bytes] = {}
    canaries: list[Canary] = []
    room = ""  # a copy to which tests of our own can be added
    for path, wanted in chosen.items():
        source = sources.get(path)
        if source is None or len(source) > SOURCE_BYTES:
            continue
        others = [
            name for name in tests if _file(name) == path and tests[name] is TestOutcome.PASSED and _is_plain(name)
        ]
        functions = {_function(name): name for name in (*draw.sample(others, min(MORE, len(others))), *wanted)}
        named = [_function(name) for name in wanted]
        tied = _is_tied(path, source)
        made = copies(source, named, draw, more=[name for name in functions if name not in named], add=tied)
        turned = [] if made is None else [functions[name] for name in made.names]
        if not tied:
            copy = names.file(path)
            files[copy] = source if made is None else made.same
            both = dict.fromkeys((*wanted, *turned))
            canaries += [Canary(CanaryKind.COPY, copy + name[len(path) :], name) for name in both]
            room = copy if made is not None and b"pytestmark" not in source else room
        if made is not None and turned:
            copy = names.file(path)
            files[copy] = made.turned
            canaries += [Canary(CanaryKind.INVERTED, copy + name[len(path) :], name) for name in turned]
    beside = next(iter(chosen), "")
    if beside:
        canaries += _our_own(beside, names, files, room, draw)
    return Planted(files, tuple(canaries))


def _our_own(beside: str, names: "_Names", files: dict[str, bytes], room: str, draw: Random) -> list[Canary]:
    """Write tests that cannot pass into a file of their own, and tests that cannot fail into a copy or beside them."""
    path = names.file(beside)
    fails = [_compares, _in_a_case, *draw.sample((_raises_nothing, _breaks_its_fixture, _leaves), MUST_FAIL - 2)]
    draw.shuffle(fails)
    parts, canaries = ["import sys\nimport unittest\n\nimport pytest\n"], []
    for write in fails:
        name, text = write(names, draw)
        parts.append(text)
        canaries.append(Canary(CanaryKind.MUST_FAIL, f"{path}::{name}"))
    holds, place = [], room or path
    for _ in range(MUST_PASS):
        name, text = _holds(names, draw)
        holds.append(text)
        canaries.append(Canary(CanaryKind.MUST_PASS, f"{place}::{name}"))
    files[path] = "\n\n".join(parts if room else [*parts, *holds]).encode()
    if room:
        files[room] = files[room].rstrip() + b"\n\n\n" + "\n\n".join(holds).encode()
    return canaries


def _compares(names: "_Names", draw: Random) -> tuple[str, str]:
    name = names.function()
    one, other = draw.sample(range(10, 10**4), 2)
    return name, f"def {name}():\n    values = [{one}, {draw.randrange(10)}]\n    assert values[0] == {other}\n"


def _in_a_case(names: "_Names", draw: Random) -> tuple[str, str]:
    owner, name = names.owner(), names.function("test_")
    one, other = draw.sample(range(10, 10**4), 2)
    text = f"class {owner}(unittest.TestCase):\n    def {name}(self):\n        self.assertEqual({one}, {other})\n"
    return f"{owner}::{name}", text


def _raises_nothing(names: "_Names", draw: Random) -> tuple[str, str]:
    name, kind = names.function(), draw.choice(("KeyError", "ValueError", "TypeError", "LookupError"))
    number = draw.randrange(10, 10**4)
    return name, f"def {name}():\n    with pytest.raises({kind}):\n        assert {{{number}: 1}}[{number}] == 1\n"


def _breaks_its_fixture(names: "_Names", draw: Random) -> tuple[str, str]:
    fixture, name = names.function(""), names.function()
    number = draw.randrange(10, 10**4)
    text = f"@pytest.fixture\ndef {fixture}():\n    raise RuntimeError({number})\n\n\n"
    return name, f"{text}def {name}({fixture}):\n    assert {number} > 1\n"


def _leaves(names: "_Names", draw: Random) -> tuple[str, str]:
    name = names.function()
    return name, f"def {name}():\n    sys.exit({draw.randrange(2)})\n"


def _holds(names: "_Names", draw: Random) -> tuple[str, str]:
    name = names.function()
    one, other = draw.sample(range(10, 10**4), 2)
    return name, f"def {name}():\n    values = [{one}, {other}]\n    assert values[0] + values[1] == {one + other}\n"


class _Names:
    """Makes names of the words of a project's tests; never the same twice."""

    def __init__(self, tests: Sequence[str], taken: Callable[[str], bool], draw: Random) -> None:
        self.taken, self.draw = taken, draw
        self.used = {PurePosixPath(_file(name)).name for name in tests}
        functions = [_function(name).rpartition("::")[2] for name in tests if "::" in name]
        self.used.update(functions)
        self.prefix = _prefix(functions)
        texts = [*dict.fromkeys(PurePosixPath(_file(name)).stem for name in tests), *functions[:2000]]
        words = dict.fromkeys(word for text in texts for word in re.findall(r"[a-z]{3,12}", text.lower()))
        self.words = [word for word in words if word not in ("test", "tests", "canary") and not keyword.iskeyword(word)]
        if len(self.words) < 8:
            self.words += [word for word in ORDINARY if word not in self.words]

    def file(self, beside: str) -> str:
        """Name a file that is collected wherever the one beside it is."""
        path = PurePosixPath(beside)
        pattern = "test_{}"
        if not path.stem.startswith("test_"):
            pattern = "{}_test" if path.stem.endswith("_test") else path.stem + "_{}"
        while True:
            name = pattern.format(self._words()) + path.suffix
            whole = str(path.with_name(name))
            if name not in self.used and not self.taken(whole):
                self.used.add(name)
                return whole

    def function(self, prefix: str | None = None) -> str:
        """Name a test, or with another prefix something else."""
        return self._new(lambda: (self.prefix if prefix is None else prefix) + self._words())

    def owner(self) -> str:
        """Name a class."""
        return self._new(lambda: "Test" + "".join(map(str.capitalize, self._words().split("_"))))

    def _new(self, make: Callable[[], str]) -> str:
        while (name := make()) in self.used:
            pass
        self.used.add(name)
        return name

    def _words(self) -> str:
        return "_".join(self.draw.sample(self.words, self.draw.choice((2, 2, 3))))


def _prefix(functions: Sequence[str]) -> str:
    """Find how the names of test functions begin, as the project configures it."""
    if not functions or any(name.startswith("test_") for name in functions):
        return "test_"
    if any(name.startswith("test") for name in functions):
        return "test_"
    return functions[0].split("_", 1)[0] + "_"


def _is_plain(name: str) -> bool:
    """Say that an id names a function in a Python file, not a document or an example in a text."""
    file, _, rest = name.partition("::")
    return file.endswith(".py") and all(part.isidentifier() for part in rest.partition("[")[0].split("::"))


def _is_tied(path: str, source: bytes) -> bool:
    """Say that tests may depend on the name of their own file."""
    text, stem = source.decode("utf-8", "replace"), re.escape(PurePosixPath(path).stem)
    return TIED.search(text) is not None or re.search(rf"""['"./]{stem}\b|import {stem}\b""", text) is not None


def _file(name: str) -> str:
    return name.split("::", 1)[0].removeprefix("./")


def _function(name: str) -> str:
    """Name a test without its file and its parameters."""
    return name.partition("::")[2].partition("[")[0]
