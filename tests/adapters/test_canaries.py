"""Tests turned round cannot pass where the originals do, and nothing tells what is planted from what was there."""

import ast
import re
import unittest
from random import Random

import pytest

from reeve.adapters.checks.canaries import Planted, plant, sample
from reeve.adapters.checks.inversion import copies, inverted
from reeve.records import Canary, CanaryKind, TestOutcome

PASSED, FAILED, ERROR = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR
SEEDS = range(12)


def run(source: bytes, name: str) -> None:
    """Run one test of a source, without pytest; what it raises comes through."""
    space: dict[str, object] = {"__name__": "some_tests"}
    exec(compile(source, "some_tests.py", "exec"), space)
    *owner, function = name.split("::")
    if not owner:
        space[function]()
        return
    case = space[owner[0]]
    if issubclass(case, unittest.TestCase):
        case(function).debug()
    else:
        getattr(case(), function)()


def both_kinds(source: str, name: str, before: str = "def test_before():\n    assert 1 == 1\n"):
    """Turn a test round as the first (to expect something else) and as the second of two (to deny)."""
    first = inverted(source.encode(), [name], Random(1))
    second = inverted((source + before).encode(), ["test_before", name], Random(1))
    assert first is not None
    assert second is not None
    return [(first[0], first[1]), (second[0], tuple(one for one in second[1] if one == name))]


PLAIN = {
    "one number": "assert len('abc') == 3",
    "the number in front": "assert -3 == -len('abc')",
    "a text": "assert 'a'.upper() == 'A'",
    "a text over several lines": "assert ('ab' * 2\n        ) == (\n        'ab'\n        'ab'), 'no'",
    "bytes": "assert bytes(2) == b'\\0\\0'",
    "a list": "assert list('ab') == ['a', 'b']",
    "a tuple": "assert tuple('ab') == ('a', 'b')",
    "a set": "assert set('ab') == {'a', 'b'}",
    "a dictionary": "assert dict(a=1) == {'a': 1}",
    "a fraction": "assert 1 / 2 == 0.5",
    "not the same": "assert str(4) != '5'",
    "a number too large to add to": "assert float('1e50') == 1e50",
    "truth": "assert [1]",
    "no literal": "assert sorted([2, 1]) == sorted([1, 2])",
    "a chain": "assert 1 < 2 < 3",
    "a name that is bound": "assert (n := 4) > 3, n",
    "non-ascii before it": "x = 'ä€𝄞'; assert x == 'ä€𝄞' and len(x) == 3",
    "nothing to turn round": "sorted([1])",
    "only in a loop": "for n in (1, 2):\n        assert n > 0",
    "in a with": "with open('/dev/null') as file:\n        assert file.read() == ''",
    "followed by other things": "assert 2 == 2\n    x = 5\n    del x",
    "a comment at the end": "x = 1  # so it is; really",
    "a semicolon at the end": "x = 1;",
    "an inner function": "def inner():\n        return 3\n    assert inner() == 3",
}


@pytest.mark.parametrize("body", PLAIN.values(), ids=PLAIN.keys())
def test_a_plain_test_turned_round_fails(body):
    source = f"def test_it():\n    {body}\n"
    run(source.encode(), "test_it")
    for changed, names in both_kinds(source, "test_it"):
        assert names == ("test_it",)
        assert changed != source.encode()
        with pytest.raises(AssertionError):
            run(changed, "test_it")


CASES = {
    "equal": "self.assertEqual(1 + 1, 2)",
    "equal without a literal": "self.assertEqual(sorted('ba'), list('ab'), msg='no')",
    "not equal": "self.assertNotEqual(1, 2)",
    "true": "self.assertTrue([1])",
    "false": "self.assertFalse([])",
    "is": "self.assertIs(None, None)",
    "is none": "self.assertIsNone(None)",
    "in": "self.assertIn(1, [1])",
    "not in": "self.assertNotIn(2, [1])",
    "instance": "self.assertIsInstance(1, int)",
    "greater": "self.assertGreater(2, 1)",
    "at most": "self.assertLessEqual(2, 2)",
    "list": "self.assertListEqual([1], [1])",
    "raises in a with": "with self.assertRaises(KeyError):\n            {}[1]",
    "raises in a call": "self.assertRaises(KeyError, {}.pop, 1)",
    "almost": "self.assertAlmostEqual(0.1 + 0.2, 0.3)",
    "a plain assertion": "assert 5 == 5",
}


@pytest.mark.parametrize("base", ["unittest.TestCase", "TestCase", "Own"])
@pytest.mark.parametrize("body", CASES.values(), ids=CASES.keys())
def test_a_method_of_unittest_turned_round_fails(body, base):
    head = "import unittest\nfrom unittest import TestCase\nclass Own(unittest.TestCase):\n    pass\n"
    source = f"{head}class TestIt({base}):\n    def test_it(self):\n        {body}\n"
    run(source.encode(), "TestIt::test_it")
    for changed, names in both_kinds(source, "TestIt::test_it"):
        assert names == ("TestIt::test_it",)
        with pytest.raises((AssertionError, KeyError)):
            run(changed, "TestIt::test_it")


def test_an_exception_that_is_waited_for_comes_through():
    source = b"import pytest\ndef test_it():\n    with pytest.raises(KeyError, match='1'):\n        {}[1]\n"
    run(source, "test_it")
    changed = inverted(source, ["test_it"], Random(1))[0]
    with pytest.raises(KeyError):
        run(changed, "test_it")


def test_an_object_that_equals_everything_passes_what_expects_something_else():
    source = b"class Any_:\n    def __eq__(self, other): return True\ndef f(): return Any_()\ndef test_it():\n    assert f() == 3\n"
    changed, _ = inverted(source, ["test_it"], Random(1))
    run(changed, "test_it")  # so a canary made of it passes, which shows what was done


LEFT_OUT = {
    "a way out": "def test_it():\n    if len('a') == 1: return\n    assert 1 == 1\n",
    "a skip": "import pytest\ndef test_it():\n    pytest.skip('x') if 0 else 1\n    assert 1 == 1\n",
    "a generator": "def test_it():\n    yield\n    assert 1 == 1\n",
    "async": "async def test_it():\n    assert 1 == 1\n",
    "a decorator of its own": "def twice(f): return f\n@twice\ndef test_it():\n    assert 1 == 1\n",
    "expected to fail": "import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert 1 == 1\n",
    "made conditionally": "def test_it():\n    assert 1 == 1\nif 1:\n    def test_it():\n        assert 1 == 1\n",
    "made otherwise": "def test_it():\n    assert 1 == 1\ntest_it = print\n",
    "not there": "from other import test_it\n",
}


@pytest.mark.parametrize("source", LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_is_not_certain_to_fail_is_left_out(source):
    assert inverted(source.encode(), ["test_it"], Random(1)) == (source.encode(), ())


def test_assertions_that_may_be_somebody_elses_are_not_exchanged():
    lenient = "class Lenient(TestCase):\n    def assertEqual(self, a, b): assert str(a) == str(b)\n"
    source = f"from unittest import TestCase\n{lenient}class TestIt(Lenient):\n    def test_it(self):\n        self.assertEqual(1, '1')\n"
    for seed in SEEDS:
        changed, names = inverted(source.encode(), ["TestIt::test_it"], Random(seed))
        assert names == ("TestIt::test_it",)
        assert b"self.assertEqual(1, '1')" in changed  # something false stands after it
        with pytest.raises(AssertionError):
            run(changed, "TestIt::test_it")


def test_where_equal_may_mean_something_else_nothing_else_is_expected():
    for line in ("assert f() == approx(3)", "assert ANY == 3", "assert mock.call() == 3"):
        changed = inverted(f"def test_it():\n    {line}\n".encode(), ["test_it"], Random(1))[0]
        assert b"not (" in changed
    changed = inverted(b"def test_any_equal():\n    assert f() == 3\n", ["test_any_equal"], Random(1))[0]
    assert b"not (f() == 3)" in changed


UNREADABLE = [b"def test_it(:\n", b"\xff\xfe\x00d", b"# coding: klingon\n", b"x = '\x00'\n", b"#" * (2 << 20)]


@pytest.mark.parametrize("source", UNREADABLE, ids=["no python", "no text", "no such encoding", "a null", "too long"])
def test_what_cannot_be_read_is_left_alone(source):
    assert inverted(source, ["test_it"], Random(1)) is None
    assert copies(source, ["test_it"], Random(1)) is None


def test_other_encodings_and_line_ends_survive():
    source = "# coding: latin-1\r\ndef test_it():\r\n    x = 'ä'\r\n    assert x == 'ä'\r\n".encode("latin-1")
    changed, names = inverted(source, ["test_it"], Random(1))
    assert names == ("test_it",)
    assert "x = 'ä'".encode("latin-1") in changed
    with pytest.raises(AssertionError):
        run(changed, "test_it")
    marked = b"\xef\xbb\xbfdef test_it():\n    assert 1 == 1\n"
    with pytest.raises(AssertionError):
        run(inverted(marked, ["test_it"], Random(1))[0], "test_it")


def test_copies_hold_the_chosen_tests_and_what_they_may_need():
    source = """import pytest
@pytest.fixture
def test_client(): return 1
def helper(): return 2
def test_wanted(): assert helper() == 2
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.slow
def test_other(n): pass
def test_used(): pass
again = test_used
class TestGroup:
    def test_in(self): pass
    def test_out(self): pass
class TestGone:
    def test_gone(self): pass
"""
    made = copies(source.encode(), ["test_wanted", "TestGroup::test_in"], Random(1))
    defined = {node.name for node in ast.walk(ast.parse(made.same)) if hasattr(node, "name") and "_" in node.name}
    assert defined == {"test_client", "test_wanted", "test_used", "test_in"}
    assert "TestGone" not in made.same.decode()
    assert "def test_wanted(): assert helper() == 2" in made.same.decode()
    with pytest.raises(AssertionError):
        run(made.turned, "test_wanted")


# ---------------------------------------------------------------- what is chosen, and where it goes

IDS = [f"tests/test_shop.py::test_{name}" for name in ("buy", "sell", "return", "count", "empty", "sum")]
SOURCE = "".join(f"def {name.split('::')[1]}():\n    assert len('ab') == 2\n" for name in IDS).encode()
TESTS = {**dict.fromkeys(IDS, PASSED), "tests/test_else.py::test_x[1-2]": PASSED, "tests/test_else.py::test_y": FAILED}


def planted(seed: int, taken=lambda _: False, required=(IDS[0],)) -> Planted:
    draw = Random(seed)
    chosen = sample(required, TESTS, draw)
    return plant(
        chosen, {"tests/test_shop.py": SOURCE, "tests/test_else.py": b"def test_x(): pass\n"}, TESTS, taken, draw
    )


def test_required_tests_come_first_and_others_of_their_files_after_them():
    for seed in SEEDS:
        chosen = sample(IDS[:1], TESTS, Random(seed))
        assert list(chosen) == ["tests/test_shop.py"]
        assert chosen["tests/test_shop.py"][0] == IDS[0]
        assert len(chosen["tests/test_shop.py"]) == 4
    assert len({tuple(sample(IDS[:1], TESTS, Random(seed))["tests/test_shop.py"]) for seed in SEEDS}) > 3
    assert sample(["tests/test_else.py::test_y"], TESTS, Random(1))  # none of the required passed: others serve
    assert sample([], {"README.md::one": PASSED, "a.py::mod.function": PASSED}, Random(1)) == {}


def test_every_kind_is_planted_and_no_more_than_a_few():
    for seed in SEEDS:
        kinds = [one.kind for one in planted(seed).canaries]
        assert {kind: kinds.count(kind) for kind in CanaryKind} == {
            CanaryKind.MUST_FAIL: 4, CanaryKind.MUST_PASS: 2, CanaryKind.COPY: 4, CanaryKind.INVERTED: 4,
        }  # fmt: skip


def test_names_are_of_the_projects_own_words_and_differ_in_every_run():
    names = [name for seed in SEEDS for name in planted(seed).files]
    assert len(set(names)) > len(names) * 0.9
    own = {"buy", "sell", "return", "count", "empty", "sum", "shop", "else"}
    for name in names:
        words = re.fullmatch(r"tests/test_([a-z_]+)\.py", name)[1].split("_")
        assert set(words) <= own | {
            "basic",
            "common",
            "core",
            "edge",
            "extra",
            "misc",
            "more",
            "simple",
            "usage",
            "values",
        }
    everything = b"".join(content for seed in SEEDS for content in planted(seed).files.values()).lower()
    assert not [word for word in (b"canary", b"reeve", b"forge", b"cheat") if word in everything]


def test_a_name_in_use_is_never_taken():
    used = set(planted(3).files)
    assert used.isdisjoint(planted(3, taken=lambda path: path in used).files)


def test_files_are_named_as_those_beside_them():
    for beside, pattern in {
        "test_a.py": r"test_\w+\.py", "sub/a_test.py": r"sub/\w+_test\.py", "pkg/tests.py": r"pkg/tests_\w+\.py",
    }.items():  # fmt: skip
        tests = {f"{beside}::test_x": PASSED}
        found = plant(
            sample((), tests, Random(1)),
            {beside: b"def test_x():\n    assert 1 == 1\n"},
            tests,
            lambda _: False,
            Random(1),
        )
        assert found.files
        assert all(re.fullmatch(pattern, name) for name in found.files)


def test_our_own_tests_do_what_they_must_in_every_run():
    for seed in SEEDS:
        made = planted(seed)
        for canary in made.canaries:
            path, _, name = canary.id.partition("::")
            if canary.kind is CanaryKind.MUST_PASS:
                run(made.files[path], name)
            assert name.split("::")[-1] in made.files[path].decode()


def test_a_test_that_depends_on_the_name_of_its_file_is_only_added_to():
    source = b"def test_it(request):\n    assert request.node.name == 'test_it'\n"
    tests = {"test_a.py::test_it": PASSED}
    made = plant(sample((), tests, Random(1)), {"test_a.py": source}, tests, lambda _: False, Random(1))
    assert CanaryKind.COPY not in {one.kind for one in made.canaries}
    turned = next(made.files[one.id.split("::")[0]] for one in made.canaries if one.kind is CanaryKind.INVERTED)
    assert b"assert request.node.name == 'test_it'\n" in turned


def test_what_cannot_be_read_is_copied_and_not_turned_round():
    tests = {"test_a.py::test_it": PASSED}
    made = plant(sample((), tests, Random(1)), {"test_a.py": b"match = (\n"}, tests, lambda _: False, Random(1))
    kinds = {one.kind for one in made.canaries}
    assert kinds == {CanaryKind.COPY, CanaryKind.MUST_FAIL, CanaryKind.MUST_PASS}


# ---------------------------------------------------------------- what counts of what they did

COPY = Canary(CanaryKind.COPY, "test_b.py::test_it", "test_a.py::test_it")
OPPOSITE = Canary(CanaryKind.INVERTED, "test_c.py::test_it", "test_a.py::test_it")


def told(original, copy, *, required=()):
    outcomes = {COPY.of: original, COPY.id: copy, OPPOSITE.id: PASSED}
    return {one.kind for one in Planted({}, (COPY, OPPOSITE)).told(outcomes, outcomes, required)}


def test_what_passes_turned_round_counts_only_beside_an_original_and_a_copy_that_pass():
    assert told(PASSED, PASSED) == {CanaryKind.COPY, CanaryKind.INVERTED}
    assert told(PASSED, FAILED) == {CanaryKind.COPY}  # passes under its own name alone
    assert told(FAILED, FAILED) == set()  # needs others before it
    assert told(FAILED, FAILED, required=(COPY.of,)) == {CanaryKind.COPY}  # which a required test must not
    assert told(FAILED, PASSED) == {CanaryKind.COPY}
