"""Each kind of slip is undone by one edit, early in the order, without running anything."""

import ast
import textwrap

import pytest

from reeve.adapters.agents.repair.candidates import Candidate, Generator, Order, Stream, combined
from reeve.adapters.agents.repair.localise import Spectrum, Suspect, statements
from reeve.adapters.agents.repair.mine import TestFacts
from reeve.adapters.agents.repair.splice import Source, Splice, apply
from reeve.adapters.agents.repair.statements import missing_names

SLIPS = {
    "boundary": ("def f(a, b):\n    return a < b\n", "return a <= b"),
    "comparison turned": ("def f(a, b):\n    return a < b\n", "return a > b"),
    "identity": ("def f(a):\n    return a is None\n", "return a is not None"),
    "membership": ("def f(a, b):\n    return a in b\n", "return a not in b"),
    "operator": ("def f(a, b):\n    return a - b\n", "return a + b"),
    "floor division": ("def f(a, b):\n    return a / b\n", "return a // b"),
    "swapped operands": ("def f(a, b):\n    return a - b\n", "return b - a"),
    "excess operand": ("def f(a, b):\n    return a + b\n", "return a"),
    "brackets": ("def f(a, b, c):\n    return a + b * c\n", "return (a + b) * c"),
    "connective": ("def f(a, b):\n    return a and b\n", "return a or b"),
    "dropped condition": ("def f(a, b, c):\n    return a and b and c\n", "return a and c"),
    "negation missing": ("def f(a):\n    if a:\n        return 1\n    return 2\n", "if not a:"),
    "negation too much": ("def f(a):\n    if not a:\n        return 1\n    return 2\n", "if a:"),
    "off by one": ("def f(a):\n    return a[1]\n", "return a[0]"),
    "off by one in a range": ("def f(n):\n    return list(range(n))\n", "range(n + 1)"),
    "start of a range": ("def f(n):\n    return list(range(n))\n", "range(1, n)"),
    "truth constant": ("def f():\n    return True\n", "return False"),
    "text constant": ("def f(a):\n    x = 'b'\n    return a + 'c'\n", "return a + 'b'"),
    "wrong name": ("def f(first, second):\n    return first + first\n", "return first + second"),
    "misspelt name": ("def f(values):\n    return valuse\n", "return values"),
    "wrong attribute": ("class A:\n    def f(self):\n        self.low = 1\n        self.high = 2\n        return self.low\n", "return self.high"),
    "attribute for local": ("class A:\n    def g(self):\n        self.low = 1\n\n    def f(self):\n        return low\n", "return self.low"),
    "wrong method": ("def f(a):\n    return a.lower()\n", "return a.upper()"),
    "wrong function": ("def f(a):\n    return min(a)\n", "return max(a)"),
    "swapped arguments": ("def f(a, b):\n    return divmod(a, b)\n", "divmod(b, a)"),
    "missing argument": ("def g(a, scale=1):\n    return a\n\n\ndef f(a, scale):\n    return g(a)\n", "g(a, scale=scale)"),
    "excess argument": ("def f(a, b):\n    return max(a, b)\n", "return max(a)"),
    "missing call": ("def f(a):\n    return a - 1\n", "return abs(a - 1)"),
    "missing keyword": ("def f(a):\n    return sorted(a)\n", "sorted(a, reverse=True)"),
    "excess call": ("def f(a):\n    return str(a)\n", "return a"),
    "get for index": ("def f(a, k):\n    return a[k]\n", "return a.get(k)"),
    "slice": ("def f(a, n):\n    return a[:n]\n", "return a[n:]"),
    "slice bound": ("def f(a, n):\n    return a[:n]\n", "return a[:n + 1]"),
    "branches of an expression": ("def f(a):\n    return 1 if a else 2\n", "return 2 if a else 1"),
    "swapped elements": ("def f(a, b):\n    return a, b\n", "return b, a"),
    "augmented assignment": ("def f(a):\n    a -= 1\n    return a\n", "a += 1"),
    "assignment for augmentation": ("def f(a, b):\n    a = b\n    return a\n", "a += b"),
    "missing return": ("def f(a):\n    g(a)\n", "return g(a)"),
    "missing return of a name": ("def f(a):\n    b = a\n", "    b = a\n    return b\n"),
    "returned value": ("def f(a):\n    b = a\n    return a\n", "return b"),
    "break for continue": ("def f(a):\n    for x in a:\n        if x:\n            break\n", "continue"),
    "deleted statement": ("def f(a):\n    a = 0\n    return a\n", "def f(a):\n    return a\n"),
    "swapped statements": ("def f(a):\n    b(a)\n    c(a)\n    return a\n", "    c(a)\n    b(a)\n"),
    "return inside a loop": ("def f(a):\n    s = 0\n    for x in a:\n        s += x\n        return s\n", "        s += x\n    return s\n"),
    "statement outside a block": ("def f(a):\n    for x in a:\n        g(x)\n    h(x)\n", "        g(x)\n        h(x)\n"),
    "missing guard": ("def f(a):\n    return a[0]\n", "    if not a:\n        return None\n    return a[0]\n"),
    "none guard": ("def f(a):\n    return a.b\n", "    if a is None:\n        return None\n    return a.b\n"),
    "type guard": ("def f(a):\n    return a + 1\n", "    if isinstance(a, str):\n        return 0\n    return a + 1\n"),
    "statement only sometimes": ("def f(a, b):\n    for x in a:\n        g(x)\n", "        if b:\n            g(x)\n"),
    "mined statement": ("def f(a, b):\n    b.clear()\n    g(a)\n    h(b)\n", "    g(a)\n    b.clear()\n    h(b)\n"),
    "mined condition": ("def f(a, b):\n    if a > 3:\n        g()\n    if b:\n        h()\n", "if b and a > 3:"),
    "mined expression": ("def f(a, b):\n    x = a.c + 1\n    return b\n", "return (a.c + 1)"),
    "caught exception": ("def f(a):\n    try:\n        return a[0]\n    except KeyError:\n        return 1\n", "except IndexError:"),
    "one more caught": ("def f(a):\n    try:\n        return a[0]\n    except KeyError:\n        return 1\n", "except (KeyError, IndexError):"),
    "raised exception": ("def f(a):\n    raise KeyError(a)\n", "raise ValueError(a)"),
    "missing super": ("class A(B):\n    def __init__(self, x):\n        self.x = x\n", "        super().__init__()\n        self.x = x\n"),
    "default": ("def f(a, b=True):\n    return b\n", "b=False"),
    "mutable default": ("def f(a, b=[]):\n    b.append(a)\n    return b\n", "def f(a, b=None):\n    if b is None:\n        b = []\n    b.append(a)\n"),
    "missing await": ("async def f(a):\n    return g(a)\n", "return await g(a)"),
    "excess await": ("async def f(a):\n    return await g(a)\n", "return g(a)"),
    "yield for yield from": ("def f(a):\n    yield from a\n", "yield a"),
    "missing filter": ("def f(a):\n    return [x for x in a]\n", "[x for x in a if x]"),
    "excess filter": ("def f(a):\n    return [x for x in a if x]\n", "[x for x in a ]"),
    "elif for if": ("def f(a):\n    if a:\n        b()\n    if not a:\n        c()\n", "elif not a:"),
    "missing decorator": ("class A:\n    def f(self):\n        return 1\n", "    @property\n    def f(self):"),
    "missing copy": ("def f(a):\n    return a\n", "return a.copy()"),
}  # fmt: skip


def candidates(text: str, facts: TestFacts | None = None, order: Order | None = None) -> tuple[Source, list[Candidate]]:
    source = Source("m.py", text.encode("utf-8"))
    generator = Generator({"m.py": source}, Spectrum(), facts or TestFacts())
    suspects = [Suspect("m.py", node, 1.0) for node in statements(source.tree.body)]
    return source, list(Stream(suspects, generator, order or Order(0, 0, 1), []))


def edited(source: Source, one: Candidate) -> str:
    text = apply(source.text, list(one.splices))
    assert text is not None
    return text


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_undone_by_one_edit(name: str) -> None:
    bad, wanted = SLIPS[name]
    source, every = candidates(bad)
    texts = [edited(source, one) for one in every]
    places = [place for place, text in enumerate(texts) if wanted in text and text != bad]
    assert places, f"none of {len(texts)} candidates gives {wanted!r}"


def test_common_slips_come_before_rare_ones() -> None:
    _, every = candidates("def f(a, b):\n    if a < b:\n        return a\n    return b\n")
    keys = [one.key for one in every]
    assert keys == sorted(keys)
    assert every[0].template == "comparison"


def test_no_candidate_is_made_twice() -> None:
    _, every = candidates(
        "def f(a, b):\n    for x in a:\n        if x < b and x:\n            return [x, b]\n    return b\n"
    )
    assert len({one.splices for one in every}) == len(every)


def test_nearly_every_candidate_is_valid_python() -> None:
    text = "\n\n".join(bad for bad, _ in SLIPS.values())
    source, every = candidates(text)
    valid = 0
    for one in every[::11]:
        try:
            ast.parse(edited(source, one))
            valid += 1
        except SyntaxError:
            continue
    assert valid / len(every[::11]) > 0.97


def test_values_and_exceptions_of_the_failing_test_are_tried() -> None:
    facts = TestFacts()
    facts.read(ast.parse("with raises(LookupError):\n    f(1234)\n"))
    source, every = candidates("def f(a):\n    g(a)\n    return 5\n", facts)
    texts = [edited(source, one) for one in every]
    assert any("raise LookupError" in text for text in texts)
    assert any("return 1234" in text for text in texts)


def test_an_undefined_name_is_imported_from_where_the_project_defines_it() -> None:
    source = Source("m.py", b'"""Doc."""\nimport os\n\n\ndef f():\n    return helper(os)\n')
    edits = list(missing_names(source, "name 'helper' is not defined", {"helper": ["pkg.tools"]}))
    assert apply(source.text, [edits[0].splice]) == source.text.replace(
        "import os\n", "import os\nfrom pkg.tools import helper\n"
    )
    edits = list(missing_names(source, "name 'deque' is not defined", {}))
    assert any("from collections import deque" in edit.splice.new for edit in edits)


def test_attempts_begin_with_different_candidates_and_are_reproducible() -> None:
    text = "def f(a, b):\n    for x in a:\n        if x < b:\n            return x + 1\n    return b\n"
    firsts = {}
    for attempt in range(4):
        orders = [[one.splices for one in candidates(text, order=Order(7, attempt, 4))[1]] for _ in range(2)]
        assert orders[0] == orders[1]
        firsts[attempt] = orders[0][:20]
    assert len({tuple(first) for first in firsts.values()}) == 4
    for one in (1, 2, 3):
        shared = set(firsts[one]) & set(firsts[one % 3 + 1])
        assert len(shared) < 12
    every = {one.splices for one in candidates(text)[1]}
    assert {one.splices for one in candidates(text, order=Order(7, 2, 4))[1]} == every


def test_edits_at_one_place_are_not_combined() -> None:
    _, every = candidates("def f(a, b):\n    c = a - b\n    return c < b\n")
    first = next(one for one in every if one.template == "operator")
    same = next(one for one in every if one.template == "swap operands" and one.line == first.line)
    other = next(one for one in every if one.template == "comparison")
    assert combined(first, same) is None
    both = combined(first, other)
    assert both is not None
    assert len(both.splices) == 2


def test_splices_keep_encoding_newlines_and_wide_characters() -> None:
    data = "# -*- coding: latin-1 -*-\r\ndef f(a):\r\n    s = 'h\xe9llo'; return s + a  # caf\xe9\r\n".encode("latin-1")
    source = Source("m.py", data)
    assert source.encoded.encode(source.text) == data
    operator = next(node for node in ast.walk(source.tree) if isinstance(node, ast.BinOp))
    assert source.segment(operator) == "s + a"
    text = apply(source.text, [source.replace(operator, "a + s")])
    assert text is not None
    assert source.encoded.encode(text) == data.replace(b"s + a", b"a + s")


def test_splices_that_overlap_are_refused() -> None:
    assert apply("abcdef", [Splice("m", 0, 3, "x"), Splice("m", 2, 4, "y")]) is None
    assert apply("abcdef", [Splice("m", 0, 3, "x"), Splice("m", 3, 4, "y")]) == "xyef"


def test_dedent_in_a_test_does_not_hide_indentation() -> None:
    text = textwrap.dedent("""
        class A:
        \tdef f(self, a):
        \t\tif a:
        \t\t\treturn 1
        \t\treturn 2
    """)
    source, every = candidates(text)
    guards = [one for one in every if one.template == "guard"]
    assert guards
    compile(edited(source, guards[0]), "m.py", "exec")
