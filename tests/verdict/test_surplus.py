"""What a patch changes beyond what is needed is counted in lines and told by kind, whatever an agent wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeve.records import SourceChange
from reeve.verdict.surplus import COMPARED, KINDS, stretches, surplus_of

PROGRAM = """\
import os


def area(width, height):
    \"\"\"The area.\"\"\"
    if width < 0:
        raise ValueError("negative")
    return width * height
"""


def kinds(needed: str, result: str, path: str = "a.py", base: str = "") -> dict[str, int]:
    """Count what one file has beyond what is needed of it."""
    found = surplus_of(
        [change(path, needed, result)], [change(path, base or needed + "needed = 1\n", result)], tree="t", complete=True
    )
    assert found.lines == sum(found.kinds.values())
    return dict(found.kinds)


def change(path: str, before: str | bytes | None, after: str | bytes | None) -> SourceChange:
    sides = (side.encode() if isinstance(side, str) else side for side in (before, after))
    return SourceChange(path, *sides)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return width * height", "return width*height", {"formatting": 2}),
        ("    return width", "\n    return width", {"formatting": 1}),
        ('"negative"', "'negative'", {"formatting": 2}),
        ("return width * height", "return (\n        width * height\n    )", {"formatting": 4}),
        ("    return width", "    # the product\n    return width", {"comments and docstrings": 1}),
        ("* height", "* height  # the product", {"comments and docstrings": 2}),
        ('"""The area."""', '"""The area of a\n    rectangle."""', {"comments and docstrings": 3}),
        ("width", "breadth", {"renames": 6}),
        ("import os", "import os\nimport re", {"imports": 1}),
        ("import os\n", "from os import path\n", {"imports": 2}),
        ("width * height", "width + height", {"code": 2}),
        ('"negative"', '"neg ative"', {"code": 2}),
        ("    return width", "        return width", {"code": 2}),
        ("    return width", "    print(width)\n    return width", {"code": 1}),
        (
            "    return width",
            "    # says it\n\n    print(width)\n    return width",
            {"formatting": 1, "comments and docstrings": 1, "code": 1},
        ),
    ],
)
def test_every_stretch_has_a_kind(old, new, expected):
    found = PROGRAM.replace(old, new)
    assert found != PROGRAM
    assert kinds(PROGRAM, found) == expected


AROUND = (
    "x = 1; y = [\n    2,\n]\n",
    'text = """\n# no comment\n    return width * height\n"""\n',
    "if x: pass\nelse: z = (\n 1,\n)\n",
    "a = 1 + \\\n    2\n",
    "# r\u00e9sum\u00e9\nn = 'caf\u00e9'\n",
    "form = 1\n\x0c\nfeed = 2\n",
)
"""Statements at whose lines a reader that begins in their middle would go astray."""


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return width * height", "return (\n        width * height\n    )", {"formatting": 4}),
        ("* height", "* height  # the product", {"comments and docstrings": 2}),
        ("width", "breadth", {"renames": 6}),
        ("width * height", "width + height", {"code": 2}),
    ],
)
def test_what_stands_around_a_change_makes_no_other_kind_of_it(around, old, new, expected):
    needed = around + PROGRAM + around
    result = around + PROGRAM.replace(old, new) + around
    assert kinds(needed, result) == expected
    if set(expected) != {"code"} and set(expected) != {"renames"}:  # and the whole is the same code: nothing more
        assert kinds(needed, result + "\n") == {**expected, "formatting": expected.get("formatting", 0) + 1}


def test_a_line_in_the_middle_of_a_text_is_code():
    before = 'TEXT = """\none\n# two\n"""\n'
    assert kinds(before, before.replace("# two", "# three")) == {"code": 2}


def test_names_that_change_places_are_no_rename():
    before = "def f(a, b):\n    return a - b\n"
    assert kinds(before, "def f(a, b):\n    return b - b\n") == {"code": 2}
    assert kinds("x = True\n", "x = False\n") == {"code": 2}


def test_kinds_come_in_one_order():
    found = kinds(PROGRAM, PROGRAM.replace("width * height", "width").replace("import os", "\nimport os\nimport re"))
    assert list(found) == [kind for kind in KINDS if kind in found] == ["formatting", "imports", "code"]


def test_files_of_which_nothing_is_needed_are_named():
    patch = [
        change("a.py", "x = 1\n", "x = 2\ny = 3\n"),
        change("new.py", None, "z = 1\nw = 2\n"),
        change("empty.py", None, ""),
        change("other.py", "q = 1\n", "q = 2\n"),
        change("gone.py", "q = 1\n", None),
        change("looks.py", "q=1\n", "q = 1\n"),
    ]
    beyond = [change("a.py", "x = 2\n", "x = 2\ny = 3\n"), *patch[1:]]
    found = surplus_of(beyond, patch, tree="t", complete=False)
    assert found.files == ("new.py", "empty.py", "other.py", "gone.py", "looks.py")
    assert dict(found.kinds) == {"formatting": 2, "new files": 3, "unrelated files": 3, "code": 1}
    assert (found.lines, found.tree, found.complete) == (9, "t", False)


def test_nothing_beyond_is_nothing():
    found = surplus_of([], [change("a.py", "x = 1\n", "x = 2\n")], tree="t", complete=True)
    assert (found.lines, dict(found.kinds), found.files, found.complete) == (0, {}, (), True)


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("a.js", "let a = 1;\n", "let a  =  1;\n", {"formatting": 2}),
        ("a.js", "let a = 1;\n", "// one\nlet a = 1;\n", {"comments and docstrings": 1}),
        ("a.js", "let a = 1;\n", "let a = 2;\n", {"code": 2}),
        ("a.cfg", "a = 1\n", "; b\na = 1\n", {"comments and docstrings": 1}),
        ("a.bin", b"\0\1", b"\0\2", {"code": 2}),
        ("a.py", "x = (\n", "# no Python\nx = (\n", {"comments and docstrings": 1}),
        ("a.py", b"x = '\xff'\n", b"x =  '\xff'\n", {"formatting": 2}),
    ],
)
def test_what_is_no_python_is_told_by_its_lines(path, before, after, expected):
    change_ = change(path, before, after)
    found = surplus_of([change_], [change(path, b"base\n", after)], tree="t", complete=True)
    assert dict(found.kinds) == expected


def test_two_texts_that_would_take_long_to_compare_are_one_stretch():
    many = [b"a\n", b"b\n"] * 1500
    found = [
        part for part in stretches([b"x\n", *many, b"y\n"], [b"x\n", b"z\n", *many[3:], b"z\n", b"y\n"]) if not part[0]
    ]
    assert len(many) ** 2 > COMPARED
    assert found == [(False, 1, 3001, 1, 3000)]


TEXTS = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(["x = 1", "  y", "'''", "# z", "", "def f():", "    return 1", "\f", "\r"]), max_size=8
    ).map(lambda lines: "\n".join(lines).encode()),
)


@given(TEXTS, TEXTS, st.sampled_from(["a.py", "a.txt"]))
def test_whatever_was_written_every_changed_line_is_counted_once(before, after, path):
    change_ = SourceChange(path, before, after)
    found = surplus_of([change_], [SourceChange(path, b"base", after)], tree="t", complete=True)
    changed = 0 if before == after else None
    if changed is None and b"\0" not in before + after:
        sides = before.splitlines(keepends=True), after.splitlines(keepends=True)
        changed = sum(part[2] - part[1] + part[4] - part[3] for part in stretches(*sides) if not part[0])
    assert found.lines == (2 if changed is None else changed)
    assert set(found.kinds) <= set(KINDS)
