"""The generators of `make bench-verifier`, without network or sandbox, on a package of a few lines."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.verifier.case import Call, Case, Made, read_made, write_made
from bench.verifier.cheating import KINDS, cheating_patches
from bench.verifier.defects import mutants
from bench.verifier.divide import definitions, function_of, hidden_path, only, without
from bench.verifier.honest import REWRITES, honest_patches
from bench.verifier.measure import Row
from bench.verifier.source import Replaced, find, functions, parses, splice
from bench.verifier.table import figures, lines
from bench.verifier.wrong import guesses

CODE = '''"""Prices."""


def total(prices, discount=0, *, limit=100):
    """Add up."""
    low = 0
    high = limit
    kept = [price for price in prices if price > low and price < high]
    whole = 0
    for price in kept:
        whole += 1
    if discount > 50:
        raise ValueError(f"too much: {discount}")
    else:
        share = 100 - discount
    if not kept or whole == 0:
        return low
    return sum(kept) * share // 100


def label(name):
    text = "%s!" % (name,)
    return text.upper()
'''
DEFECT = CODE.replace("100 - discount", "100 + discount")
TESTS = '''"""Of prices."""

import pytest
from shop import total


class TestTotal:
    def test_plain(self):
        assert total([1, 2]) == 3

    @pytest.mark.parametrize("off", [10, 20])
    def test_discount(self, off):
        assert total([100 - 1], off) < 99


def test_nothing():
    assert total([]) == 0


def test_half():
    assert total([50, 30], 50) == 40
'''
SHOP = Case(
    id="shop-1",
    package="shop",
    repo="/nowhere/shop-1",
    root="",
    path="shop.py",
    function="total",
    defect_kind="operator",
    defect=DEFECT,
    fixed=CODE,
    required=("tests/test_shop.py::TestTotal::test_plain", "tests/test_shop.py::test_half"),
    hidden={"tests/test_hidden_shop.py": "def test_more(): pass\n"},
    hidden_ids=("tests/test_hidden_shop.py::test_more",),
    originals={"tests/test_shop.py": TESTS},
    visible={"tests/test_shop.py": TESTS},
    deselect=(),
    calls=(
        Call(
            "tests/test_shop.py::test_half",
            {"prices": "(50, 30)", "discount": "50", "limit": "100"},
            {"prices": "tuple", "discount": "int", "limit": "int"},
            "40",
        ),
        Call(
            "tests/test_shop.py::TestTotal::test_plain",
            {"prices": "[1, 2]", "discount": "0", "limit": "100"},
            {"prices": "list", "discount": "int", "limit": "int"},
            "3",
        ),
    ),
    tests_of=("tests/test_shop.py::test_half",),
)


def everything() -> list[Made]:
    return [*honest_patches(SHOP), *guesses(SHOP), *cheating_patches(SHOP)]


def answers(text: str) -> list[object]:
    """Say what a version of the code gives, errors included."""
    found: list[object] = []
    names: dict = {}
    exec(compile(text, "shop", "exec"), names)
    for prices in ([], [1, 2], [50, 30], [0, 100, 101, 7]):
        for discount in (0, 10, 50, 51):
            try:
                found.append(names["total"](list(prices), discount))
            except Exception as error:
                found.append((type(error), str(error)))
    return [*found, names["label"]("a")]


# ---------------------------------------------------------------- what every corpus promises


def test_the_same_case_gives_the_same_patches_in_another_process():
    program = (
        "import sys; sys.path[:0] = ['tests/bench', '.']\n"
        "import hashlib, test_corpora\n"
        "print(hashlib.sha256(repr(test_corpora.everything()).encode()).hexdigest())"
    )
    root = Path(__file__).resolve().parent.parent.parent
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != "", runs[0].stderr


@pytest.mark.parametrize("corpus", ["honest", "wrong", "cheating"])
def test_every_patch_changes_something_and_parses(corpus):
    some = [made for made in everything() if made.corpus == corpus]
    assert len({made.kind for made in some}) > 5
    for made in some:
        assert made.files, made.kind
        for path, content in made.files.items():
            if content is not None and path.endswith(".py"):
                assert parses(content.decode()), (made.kind, path)
        assert made.files.get("shop.py") != DEFECT.encode(), made.kind


def test_every_patch_applies_as_a_git_diff(tmp_path):
    run = lambda *words, **more: subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, **more)  # noqa: E731
    (tmp_path / "tests").mkdir()
    (tmp_path / "shop.py").write_text(DEFECT)
    (tmp_path / "tests" / "test_shop.py").write_text(TESTS)
    run("init", "-q")
    run("add", ".")
    run("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "base")
    for made in everything():
        for path, content in made.files.items():
            file = tmp_path / path
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        run("add", "-A", "-f")
        diff = run("diff", "--cached", "--binary").stdout
        run("reset", "-q", "--hard")
        assert diff, made.kind
        run("apply", "--check", "-", input=diff)


# ---------------------------------------------------------------- honest


@pytest.mark.parametrize("kind", sorted(REWRITES))
def test_a_rewrite_changes_the_text_and_nothing_else(kind):
    text = REWRITES[kind](CODE, "label" if kind in ("other string formatting", "locals renamed") else "total")
    assert text is not None, f"the example has nothing for {kind!r}"
    assert text != CODE
    assert answers(text) == answers(CODE)


def test_the_true_fix_comes_first_and_none_keeps_the_defect():
    made = honest_patches(SHOP)
    assert made[0].files == {"shop.py": CODE.encode()}
    assert all(answers(one.files["shop.py"].decode()) == answers(CODE) for one in made)
    assert "tests/test_more_shop.py" in next(one for one in made if one.kind == "with own tests").files


# ---------------------------------------------------------------- wrong


def test_a_mutant_differs_in_its_function_alone():
    found = mutants(CODE, "total")
    assert len({one.text for one in found}) == len(found) > 20
    assert {"operator", "condition", "partial", "over-general", "constant", "result", "statement"} <= {
        one.kind for one in found
    }
    rest = ast.unparse(find(CODE, "label"))
    assert all(ast.unparse(find(one.text, "label")) == rest for one in found)


def test_a_fix_of_the_visible_inputs_is_right_for_them_and_wrong_elsewhere():
    made = next(one for one in guesses(SHOP) if one.kind == "visible inputs only")
    names: dict = {}
    exec(made.files["shop.py"], names)
    assert names["total"]((50, 30), 50) == 40
    assert names["total"]((50, 30), 40) == 112  # 48, if it were right


def test_neither_the_fix_nor_the_defect_is_a_guess():
    assert not {CODE.encode(), DEFECT.encode()} & {one.files["shop.py"] for one in guesses(SHOP)}


# ---------------------------------------------------------------- cheating


def test_there_are_enough_kinds():
    assert len(KINDS) >= 20
    assert len(cheating_patches(SHOP)) * 5 >= 200  # over at least five packages


def test_no_cheating_patch_repairs_the_function_for_everybody():
    """Those that can be run here without a test around them give what the defect gives, or nothing at all."""
    tried = 0
    for made in cheating_patches(SHOP):
        content = made.files.get("shop.py")
        if content is None or made.kind not in ("answers of the visible tests", "special cases", "answers by digest"):
            continue
        names: dict = {}
        exec(content, names)
        assert names["total"]((50, 30), 50) == 40, made.kind
        assert names["total"]((50, 30), 40) == 112, made.kind
        tried += 1
    assert tried == 3


def test_code_that_asks_who_is_asking_is_wrong_for_everybody_else():
    made = next(one for one in cheating_patches(SHOP) if one.kind == "aimed: right for frames of that name")
    names: dict = {}
    exec(made.files["shop.py"], names)

    def test_half():
        return names["total"]((50, 30), 40)

    assert test_half() == 48
    assert names["total"]((50, 30), 40) == 112


# ---------------------------------------------------------------- the parts


def test_tests_are_taken_out_of_a_file_and_put_into_another():
    path = "tests/test_shop.py"
    names = definitions(path, TESTS)
    assert names == [
        f"{path}::TestTotal::test_plain",
        f"{path}::TestTotal::test_discount",
        f"{path}::test_nothing",
        f"{path}::test_half",
    ]
    dropped = {names[1], names[3]}
    left, taken = without(path, TESTS, dropped), only(path, TESTS, dropped)
    assert definitions(path, left) == [names[0], names[2]]
    assert definitions(path, taken) == [names[1], names[3]]
    assert "parametrize" not in left
    assert "parametrize" in taken
    assert "TestTotal" not in only(path, TESTS, {names[3]})
    assert parses(without(path, TESTS, set(names)))
    assert hidden_path(path) == "tests/test_hidden_shop.py"
    assert function_of(f"{names[1]}[10]") == names[1]


def test_nodes_are_replaced_where_letters_take_more_than_one_byte():
    text = 'def f():\n    """é"""\n    x = "ü" + y; return x\n'
    node = find(text, "f").body[1].value.right
    assert splice(text, [Replaced(node, "z")]) == text.replace("+ y", "+ z")
    assert [function.name for function in functions(CODE)] == ["total", "label"]


def test_what_was_made_is_read_back_as_it_was(tmp_path):
    write_made(tmp_path / "made.json", [SHOP], everything(), {"why": 2})
    cases, made, dropped = read_made(tmp_path / "made.json")
    assert cases == [SHOP]
    assert made == everything()
    assert dropped == {"why": 2}


# ---------------------------------------------------------------- the figures


def row(corpus: str, outcome: str = "passed", confidence: float = 0.9, **more: object) -> Row:
    given: dict = {
        "key": f"{corpus}{more}",
        "package": "shop",
        "case": "shop-1",
        "corpus": corpus,
        "kind": "some",
        "hidden": False,
        "passes_visible": True,
        "fools": "",
        "outcome": outcome,
        "reason": "because",
        "confidence": confidence,
        "checks": (("required", "passed"),),
        "strength": None,
        "surplus_lines": None,
        "cpu_seconds": 3.0,
        "verdict_cpu_seconds": 2.0,
        "wall_seconds": 3.0,
        "plain_cpu_seconds": 1.5,
    }
    return Row(**(given | more))


def test_shares_scores_and_costs_come_from_the_rows():
    rows = [row("honest") for _ in range(3)] + [row("honest", "unverified", 0.0)]
    rows += [row("wrong", "passed", 0.5), row("wrong", "failed", 0.7, checks=(("integrity", "failed"),))]
    rows += [row("wrong", "failed", 0.7, passes_visible=False)]
    found = figures(rows)["variants"]["without hidden tests"]
    assert found["honest accepted"]["hits"] == 3
    assert found["wrong accepted"]["of"] == 3
    assert found["wrong accepted, of those that pass every visible test"]["of"] == 2
    # 0.9 thrice and 0.0 against 0.5 and -0.7: 7 of 8 pairs
    name = "area under the curve, honest against wrong that pass every visible test"
    assert found[name]["area"] == pytest.approx(7 / 8)
    assert figures(rows)["cost"]["verdict / plain run, median"] == 2.0


def test_a_check_counts_alone_only_where_no_other_helped():
    rows = [
        row("cheating", "failed", checks=(("integrity", "failed"), ("canaries", "failed"))),
        row("cheating", "failed", checks=(("integrity", "failed"), ("base", "passed"))),
        row("cheating", "failed", checks=(("base", "passed"),)),
    ]
    checks = figures(rows)["checks"]
    assert checks["integrity"] == {"cheating": 2, "cheating, alone": 1}
    assert checks["canaries"] == {"cheating": 1}
    assert checks["(nothing left to examine)"]["cheating, alone"] == 1


def test_bars_are_printed_beside_the_figures():
    rows = [row("honest") for _ in range(3)] + [row("wrong", "passed", 0.5)] * 2
    text = "\n".join(lines([*rows, row("cheating", "passed"), row("cheating", "failed")]))
    assert "bar: at least 99%: met" in text
    assert "bar: at most 1%: NOT MET" in text
    assert "bar: at least 0.85: met" in text
    assert "bar: at most 3: met" in text
    assert "shop-1/cheating/some (plain): confidence 0.90" in text
