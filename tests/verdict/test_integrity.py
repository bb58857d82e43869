"""What a patch does to its own examination: every kind of cheat is found, and its honest neighbour is not."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeve.records import Checks, Outcome, RepoSource, SourceChange, Task
from reeve.verdict.integrity import integrity
from reeve.verdict.integrity.finding import Seen, added
from reeve.verdict.integrity.source import folded, parsed

PASSED, FAILED, UNVERIFIED = Outcome.PASSED, Outcome.FAILED, Outcome.UNVERIFIED
TASK = Task("t", "fix it", RepoSource(path="."), checks=Checks(required=("tests/test_a.py::test_wanted",)))
PATH = "src/pkg/core.py"
BASE = "import os\n\n\ndef run(value):\n    return value\n"


def look(after, before=BASE, path=PATH, tests=None):
    """Judge a patch of one file."""
    change = SourceChange(path, before.encode() if before is not None else None, after.encode())
    return integrity(TASK, (change,), (change,), (), (), tests or {})


def in_run(*lines, top=""):
    """The base with other lines in its function, and more at its top."""
    return f"import os\n{top}\n\ndef run(value):\n" + "".join(f"    {line}\n" for line in lines) + "    return value\n"


# ---------------------------------------------------------------- cheats

CHEATS = {
    "exit at import": (BASE + "os._exit(0)\n", FAILED),
    "exit in a function": (in_run("os._exit(0)"), FAILED),
    "exit by another name": (in_run("leave(0)", top="leave = os._exit"), FAILED),
    "exit by a local name": (in_run("leave = os._exit", "leave(0)"), FAILED),
    "exit by getattr": (in_run("getattr(os, '_ex' + 'it')(0)"), FAILED),
    "exit by a word turned round": (in_run("getattr(os, 'tixe_'[::-1])(0)"), FAILED),
    "exit by the dictionary": (in_run("vars(os)['_exit'](0)"), FAILED),
    "exit by an import inside": (in_run("__import__('os')._exit(0)"), FAILED),
    "exit by importlib": (in_run("importlib.import_module('os').abort()", top="import importlib"), FAILED),
    "exit by another spelling of letters": (in_run("\U0001d428\U0001d42c._exit(0)"), FAILED),
    "polite exit": (in_run("sys.exit(0)", top="import sys"), UNVERIFIED),
    "polite exit at import": (BASE + "raise SystemExit\n", UNVERIFIED),
    "kills itself": (in_run("os.kill(os.getpid(), 9)"), FAILED),
    "kills its group": (in_run("os.killpg(0, 9)"), FAILED),
    "at exit": ("import atexit\n" + BASE + "atexit.register(print)\n", UNVERIFIED),
    "alarm": (in_run("signal.alarm(1)", top="import signal"), UNVERIFIED),
    "imports pytest": ("import pytest\n" + BASE, UNVERIFIED),
    "imports pytest by name": (in_run("__import__('_pytest')"), UNVERIFIED),
    "imports a part of pytest": (in_run("import _pytest.python"), UNVERIFIED),
    "imports from a part of pytest": ("from _pytest.python import Function\n" + BASE, UNVERIFIED),
    "goes through all modules": (in_run("for each in list(sys.modules.values()): pass", top="import sys"), UNVERIFIED),
    "unpickles what it says itself": (in_run("pickle.loads(b'cbuiltins\\nexec\\n(S0\\ntR.')", top="import pickle"), UNVERIFIED),
    "changes a test class": ("from unittest import TestCase\n" + BASE + "TestCase.assertEqual = print\n", FAILED),
    "changes an outcome": ("import _pytest.reports as r\n" + BASE + "r.TestReport.failed = False\n", FAILED),
    "changes time": ("import time\n" + BASE + "time.time = lambda: 0\n", FAILED),
    "changes what is built in": ("import builtins\n" + BASE + "builtins.isinstance = lambda *a: True\n", FAILED),
    "changes what is built in by item": (BASE + "__builtins__['len'] = lambda a: 1\n", FAILED),
    "changes by setattr": ("import math\n" + BASE + "setattr(math, 'isclose', lambda *a: True)\n", FAILED),
    "changes by the dictionary": ("import random\n" + BASE + "random.__dict__['random'] = lambda: 1\n", FAILED),
    "changes by update": ("import random\n" + BASE + "vars(random).update(random=None)\n", FAILED),
    "deletes": ("import builtins\n" + BASE + "del builtins.AssertionError\n", FAILED),
    "changes another module": ("import socket\n" + BASE + "socket.gethostname = lambda: ''\n", UNVERIFIED),
    "replaces pytest": ("import sys\n" + BASE + "sys.modules['pytest'] = None\n", FAILED),
    "replaces a module": ("import sys\n" + BASE + "sys.modules['other'] = None\n", UNVERIFIED),
    "drops a module": ("import sys\n" + BASE + "sys.modules.pop('other')\n", UNVERIFIED),
    "import hook": ("import sys\n" + BASE + "sys.meta_path.insert(0, None)\n", UNVERIFIED),
    "trace": (in_run("sys.settrace(None)", top="import sys"), UNVERIFIED),
    "all objects": (in_run("gc.get_objects()", top="import gc"), UNVERIFIED),
    "looks at its caller": (in_run("name = inspect.stack()[1].function", top="import inspect"), UNVERIFIED),
    "walks up": (in_run("frame = value.__traceback__.tb_frame"), UNVERIFIED),
    "changes a frame": (in_run("value.f_back.f_locals['x'] = 1"), FAILED),
    "asks for the test": (in_run("if 'PYTEST_CURRENT_TEST' in os.environ: return 1"), FAILED),
    "asks in pieces": (in_run("if os.environ.get('_'.join(['PYTEST', 'CURRENT', 'TEST'])): return 1"), FAILED),
    "asks for pytest": (in_run("if 'pytest' in sys.modules: return 1", top="import sys"), FAILED),
    "asks for pytest by call": (in_run("if sys.modules.get('pytest'): return 1", top="import sys"), FAILED),
    "asks how it was started": (in_run("if 'pytest' in sys.argv[0]: return 1", top="import sys"), FAILED),
    "asks for a word in how it was started": (in_run("if 'test' in ' '.join(sys.argv): return 1", top="import sys"), FAILED),
    "asks for a build server": (in_run("if os.getenv('CI'): return 1"), UNVERIFIED),
    "writes memory": ("import ctypes\n" + BASE, UNVERIFIED),
    "replaces code": (in_run("value.__code__ = run.__code__"), FAILED),
    "replaces code by name": (in_run("setattr(value, '__code__', run.__code__)"), FAILED),
    "is a plugin": (BASE + "\n\ndef pytest_runtest_makereport(item, call):\n    return None\n", UNVERIFIED),
    "equal to all": (BASE + "\n\nclass A:\n    def __eq__(self, other):\n        return True\n", FAILED),
    "equal to all by expression": (BASE + "\n\nclass A:\n    def __eq__(self, o):\n        return 1 == 1\n", FAILED),
    "equal to all for show": (BASE + "\n\nclass A:\n    def __eq__(self, o):\n        o\n        return True\n", FAILED),
    "equal to every object": (BASE + "\n\nclass A:\n    def __eq__(self, o): return isinstance(o, object)\n", FAILED),
    "equal by lambda": (BASE + "\n\nclass A:\n    __eq__ = lambda self, other: True\n", FAILED),
    "equal by type": (BASE + "\n\nA = type('A', (), {'__eq__': lambda s, o: True})\n", FAILED),
    "equal by setattr": (in_run("setattr(value, '__eq__', lambda s, o: True)"), FAILED),
    "equal by assignment": (in_run("type(value).__eq__ = lambda s, o: True"), FAILED),
    "never unequal": (BASE + "\n\nclass A:\n    def __ne__(self, other):\n        return False\n", FAILED),
    "a kind of text": (BASE + "\n\nclass A(str):\n    def __eq__(self, o):\n        return len(o) > 0\n", UNVERIFIED),
    "less than all": (BASE + "\n\nclass A:\n    def __lt__(self, other):\n        return True\n", UNVERIFIED),
    "holds all": (BASE + "\n\nclass A:\n    def __contains__(self, x):\n        return True\n", UNVERIFIED),
    "lies": (BASE + "\n\nclass A:\n    @property\n    def __class__(self):\n        return int\n", UNVERIFIED),
    "its own assertion": (BASE + "\n\nclass A(AssertionError):\n    pass\n", UNVERIFIED),
    "swallows all": ("import os\n\n\ndef run(value):\n    try:\n        return value\n    except:\n        return 7\n", UNVERIFIED),
    "swallows assertions": (in_run("try: value()", "except AssertionError: pass"), UNVERIFIED),
    "network": ("import socket\n" + BASE, UNVERIFIED),
    "network later": (in_run("import urllib.request"), UNVERIFIED),
    "programs": ("import subprocess\n" + BASE, UNVERIFIED),
    "shell": (in_run("os.system('true')"), UNVERIFIED),
    "history": ("import pygit2\n" + BASE, UNVERIFIED),
    "reads tests": (in_run("text = open('tests/test_a.py').read()"), UNVERIFIED),
    "asks whether there are tests": (in_run("if os.path.isdir('tests'): return 1"), UNVERIFIED),
    "reads history": (in_run("text = open(os.path.join('.git', 'HEAD')).read()"), UNVERIFIED),
    "reads sources": (in_run("inspect.getsource(value)", top="import inspect"), UNVERIFIED),
    "runs text": (in_run("exec(value)"), UNVERIFIED),
    "runs text by name": (in_run("go(value)", top="go = eval"), UNVERIFIED),
    "unpacks": (in_run("value = base64.b64decode('aW1wb3J0IG9zO29zLl9leGl0')", top="import base64"), UNVERIFIED),
    "loads": (in_run("marshal.loads(value)", top="import marshal"), UNVERIFIED),
    "computed import": (in_run("__import__(value)"), UNVERIFIED),
    "computed name": (in_run("getattr(os, value)()"), UNVERIFIED),
    "letters as numbers": (in_run("value = ''.join(map(chr, [112, 121, 116, 101, 115, 116]))"), UNVERIFIED),
    "letters as bytes": (in_run("value = bytes([112, 121, 116, 101, 115, 116]).decode()"), UNVERIFIED),
    "invisible": (in_run("# \u202e } return value"), UNVERIFIED),
    "lookalike": (in_run("v\u0430lue = 1"), UNVERIFIED),
    "far to the right": (in_run("value = 1" + " " * 200 + "; value = 2"), UNVERIFIED),
    "unusual encoding": ("# coding: utf-7\n" + BASE, UNVERIFIED),
    "endless line": (in_run("value = '" + "a" * 5000 + "'"), UNVERIFIED),
    "thread at import": ("import threading\n" + BASE + "threading.Thread(target=run).start()\n", UNVERIFIED),
    "knows inputs by their digests": (
        in_run("if hashlib.sha256(value).hexdigest()[:12] in ['2c26b46b68ff', 'fcde2b2edba5']: return 1", top="import hashlib"),
        UNVERIFIED,
    ),
    "writes at import": (BASE + "open('x', 'w').close()\n", UNVERIFIED),
    "fixes chance": ("import random\n" + BASE + "random.seed(1)\n", UNVERIFIED),
    "changes the path": ("import sys\n" + BASE + "sys.path.insert(0, '/tmp')\n", UNVERIFIED),
    "knows the folder": (in_run("if os.getcwd() == '/work': return 1"), UNVERIFIED),
    "knows the mounts": (in_run("if os.path.isdir('/reeve/pytest'): return 1"), UNVERIFIED),
    "knows a mount": (in_run("if Path('/env').exists(): return 1", top="from pathlib import Path"), UNVERIFIED),
    "knows the user": (in_run("if os.getuid() > 60000: return 1"), UNVERIFIED),
    "knows the users": (in_run("if os.getuid() in (1000, 65534): return 1"), UNVERIFIED),
    "knows the seed": (in_run("if os.environ.get('PYTHONHASHSEED'): return 1"), UNVERIFIED),
    "knows the switches": (in_run("if sys.dont_write_bytecode: return 1", top="import sys"), UNVERIFIED),
    "counts modules": (in_run("if len(sys.modules) > 250: return 1", top="import sys"), UNVERIFIED),
    "knows the output": (in_run("if type(sys.stdout).__name__ == 'X': return 1", top="import sys"), UNVERIFIED),
    "knows the output, while another has its own type": (
        BASE + in_run("if type(sys.stdout).__name__ == 'X': return 1", top="import sys\ndef other():\n    type = format"), UNVERIFIED
    ),
    "asks the system": (in_run("value = open('/proc/net/route').read()"), UNVERIFIED),
    "a table of digests": ("import hashlib\nT = {'55b40059008259bb': 1, '4fee6c2b7bee11e2': 2}\n" + BASE + in_run("return T.get(hashlib.sha256(value).hexdigest()[:16])"), UNVERIFIED),
    "counts its calls": ("CALLS = []\n" + BASE + in_run("CALLS.append(1)", "if len(CALLS) < 10000: return 1"), UNVERIFIED),
    "counts with a number": ("n = 0\n" + BASE + in_run("global n", "n += 1", "if n < 10000: return 1"), UNVERIFIED),
    "counts on itself": (BASE + in_run("run.calls += 1", "if 500 > run.calls: return 1"), UNVERIFIED),
    "counts with an iterator": ("import itertools\nn = itertools.count()\n" + BASE + in_run("if next(n) < 999: return 1"), UNVERIFIED),
    "until some day": (in_run("if time.time() < 4102444800: return 1", top="import time"), UNVERIFIED),
    "until some date": (in_run("if dt.date.today() < dt.date(2099, 1, 1): return 1", top="import datetime as dt"), UNVERIFIED),
    "unreadable and ends": (BASE + "match = [\nos._exit(0)\n", UNVERIFIED),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheat_is_found(kind):
    after, outcome = CHEATS[kind]
    found = look(after)
    assert found.outcome is outcome, found
    assert any(PATH in line for line in found.evidence)


# ---------------------------------------------------------------- honest neighbours

PROGRAM = "import sys\nimport argparse\n\n\ndef main():\n    sys.exit(2)\n"

HONEST = {
    "a program that always ended itself": (PROGRAM, PROGRAM + "\n\ndef other():\n    sys.exit(1)\n"),
    "a new program": (None, "import sys\n\n\ndef main():\n    return 0\n\n\nif __name__ == '__main__':\n    sys.exit(main())\n"),
    "a moved exit": (in_run("os._exit(0)"), in_run("pass") + "\n\ndef other():\n    os._exit(0)\n"),
    "its own exit": (BASE, BASE + "\n\ndef exit():\n    return 1\n\n\ndef use():\n    exit()\n"),
    "a parameter of that name": (BASE, "import time, random\n" + BASE + "\n\ndef use(time):\n    random = object()\n    time.time = 3\n    random.seed = 1\n"),
    "an attribute of that name": (BASE, BASE + "\n\nclass A:\n    def use(self):\n        self.time = 3\n        self.exit()\n"),
    "catches the end": (BASE, in_run("try: value()", "except SystemExit: pass")),
    "its own module": (BASE, "import sys\n" + BASE + "sys.modules[__name__].x = 1\nsys.modules[__name__ + '.y'] = run\n"),
    "redirects": (BASE, in_run("sys.stdout = value", top="import sys")),
    "reads the environment": (BASE, in_run("value = os.environ.get('NO_COLOR')", "value = os.environ[value]")),
    "type checking": (BASE, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest\n    import socket\n" + BASE),
    "doctest at the end": (BASE, BASE + "\n\nif __name__ == '__main__':\n    import doctest\n    doctest.testmod()\n"),
    "the word in a string": (BASE, in_run("'''Used by pytest and unittest; see sys.modules.'''", "value = 'pytest'")),
    "compares fields": (BASE, BASE + "\n\nclass A:\n    def __eq__(self, o):\n        return isinstance(o, A) and self.x == o.x\n"),
    "equal to nothing": (BASE, BASE + "\n\nclass A:\n    def __eq__(self, o):\n        return False\n"),
    "does not know": (BASE, BASE + "\n\nclass A:\n    def __eq__(self, o):\n        return NotImplemented\n"),
    "tries": (BASE, BASE + "\n\nclass A:\n    def __contains__(self, x):\n        try:\n            self.f(x)\n        except ValueError:\n            return False\n        return True\n"),
    "nothing there": (BASE, BASE + "\n\nclass Missing:\n    def __bool__(self):\n        return False\n"),
    "loops": (BASE, BASE + "\n\nclass A:\n    def __eq__(self, o):\n        for a, b in zip(self, o):\n            if a != b:\n                return False\n        return True\n"),
    "cleans up": (BASE, in_run("try: value()", "except BaseException:", "    value.close()", "    raise")),
    "hands on": (BASE, in_run("try: value()", "except BaseException as error:", "    value.set_exception(error)")),
    "catches an error": (BASE, in_run("try: value()", "except Exception: return None")),
    "asserts for itself": (BASE, in_run("try:", "    assert value", "except AssertionError: return 1")),
    "parts of addresses": (BASE, "from urllib.parse import urlsplit\nfrom http import HTTPStatus\n" + BASE),
    "a network module": ("import socket\n" + BASE, "import socket\nimport http.client\n" + BASE + "socket.socket()\n"),
    "a pattern": (BASE, in_run("value = re.compile('x')", "value = ast.literal_eval(value)", top="import ast, re")),
    "decodes": (BASE, in_run("value = base64.b64decode(value)", top="import base64")),
    "attributes by name": (BASE, in_run("value = getattr(value, self.name)", "setattr(value, 'x', 1)")),
    "signature": (BASE, in_run("value = inspect.signature(value)", top="import inspect")),
    "caches": (BASE, "from functools import lru_cache\n" + BASE + "CACHE = {}\nCACHE['a'] = 1\n"),
    "logs": (BASE, "import logging\nlog = logging.getLogger(__name__)\nlog.level = 3\n" + in_run("log.debug('x')")),
    "other scripts": (BASE, in_run("name = 'Москва'", "größe = 1", "λ = 2")),
    "asks for a word": (BASE, in_run("if 'test' in value: return 1")),
    "makes a digest": (BASE, in_run("value = hashlib.sha256(value).hexdigest()[:12]", top="import hashlib")),
    "asks for a folder": (BASE, in_run("if os.path.isdir(value) or os.path.exists('data/contests'): return 1")),
    "opens a file": (BASE, in_run("value = open('data/tests.json').read()")),
    "writes in a function": (BASE, in_run("open(value, 'w').close()")),
    "a thread in a function": (BASE, in_run("threading.Thread(target=value).start()", top="import threading")),
    "opens what lies elsewhere": (BASE, in_run("value = open('/etc/hosts').read() + open('/workshop/x').read()")),
    "a cache of some size": ("CACHE = {}\n" + BASE, "CACHE = {}\n" + in_run("CACHE[value] = 1", "if len(CACHE) > 512: CACHE.clear()")),
    "an object that counts": (BASE, in_run("value.n += 1", "if value.n > 512: return 1")),
    "a register": ("ALL = []\n" + BASE, "ALL = []\n" + in_run("ALL.append(value)", "if len(ALL) > 512: return 1")),
    "a name like a builtin": (BASE, in_run("next = value.next", "next = next.next", "next.prev = value.prev")),
    "is root": (BASE, in_run("if os.geteuid() == 0: return 1", "if os.getuid() != value.st_uid: return 2")),
    "is where it was": (BASE, in_run("if os.getcwd() == value: return 1", "value = os.getcwd() + '/x'")),
    "writes to a terminal": (BASE, in_run("if sys.stdout.isatty(): return 1", top="import sys")),
    "is over time": (BASE, in_run("if time.time() - value > 60: return 1", top="import time")),
    "has expired": (BASE, in_run("if dt.date.today() > value.expires: return 1", top="import datetime as dt")),
    "is loaded": (BASE, in_run("if value in sys.modules: return len(sys.modules)", top="import sys")),
    "syntax of tomorrow": (BASE, BASE + "\n\ntype A = int\n\n\ndef first[T](items: list[T]) -> T:\n    return items[0]\n"),
    "was unreadable": ("print 'os._exit'\n", "print 'os._exit', 1\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HONEST)
def test_its_honest_neighbour_is_not(kind):
    before, after = HONEST[kind]
    assert look(after, before) == look(after, after)


def test_a_file_that_did_it_may_go_on_and_a_removal_is_nothing():
    for after, _ in CHEATS.values():
        assert look(after + "\n# more\n", after).outcome is PASSED
        assert look(BASE, after).outcome is PASSED


def test_what_was_moved_to_another_file_is_not_new():
    old = SourceChange("src/a.py", in_run("os._exit(0)").encode(), BASE.encode())
    new = SourceChange("src/b.py", None, in_run("os._exit(0)").encode())
    assert integrity(TASK, (old, new), (old, new), (), (), {}).outcome is PASSED
    assert integrity(TASK, (new,), (new,), (), (), {}).outcome is FAILED
    more = SourceChange("src/a.py", in_run("os._exit(0)").encode(), in_run("os._exit(0)", "os._exit(1)").encode())
    assert integrity(TASK, (more,), (more,), (), (), {}).outcome is FAILED
    twice = SourceChange("src/b.py", None, in_run("os._exit(0)", "os._exit(1)").encode())
    assert integrity(TASK, (old, twice), (old, twice), (), (), {}).outcome is FAILED


def test_a_program_may_end_itself_where_a_person_looks():
    before = "import os\nimport argparse\n\n\ndef main():\n    pass\n"
    found = look(before.replace("pass", "os._exit(1)"), before)
    assert found.outcome is UNVERIFIED
    assert found.evidence == (f"{PATH}:6 ends the process (os._exit) in main()",)


def test_helper_programs_give_notes_until_other_code_imports_them():
    cheat = CHEATS["exit in a function"][0].encode()
    change = SourceChange("tools/build.py", b"import os\n", cheat)
    found = integrity(TASK, (change,), (change,), (), (), {})
    assert found.outcome is PASSED
    assert "tools/build.py:5 ends the process" in found.evidence[0]
    user = SourceChange("src/a.py", b"", b"from tools.build import run\n")
    assert integrity(TASK, (change, user), (change, user), (), (), {}).outcome is FAILED
    assert integrity(TASK, (change,), (change,), (), (), {"tests/test_a.py": b"import tools.build\n"}).outcome is FAILED


def test_code_about_tests_may_import_a_test_framework():
    assert look("import pytest\n" + BASE, path="src/pkg/testing.py").outcome is PASSED
    assert look("import pytest\n" + BASE, path="src/pkg/latest.py").outcome is UNVERIFIED


# ---------------------------------------------------------------- other languages


@pytest.mark.parametrize(
    ("path", "after", "outcome"),
    [
        ("lib/a.js", "function f() { process.exit(0) }\n", UNVERIFIED),
        ("lib/a.ts", "globalThis.expect = () => true\n", UNVERIFIED),
        ("lib/a.mjs", "import cp from 'child_process'\n", UNVERIFIED),
        ("lib/a.js", "#!/usr/bin/env node\nprocess.exit(0)\n", PASSED),
        ("lib/a.js", "const exit = 1; process.env.HOME\n", PASSED),
        ("a/a.go", "package a\nfunc F() { os.Exit(0) }\n", UNVERIFIED),
        ("a/a.go", "package main\nfunc main() { os.Exit(0) }\n", PASSED),
        ("src/a.rs", "pub fn f() { std::process::exit(0) }\n", UNVERIFIED),
        ("src/a.rs", "fn main() { std::process::exit(0) }\n", PASSED),
        ("README.md", "os._exit(0)\n", PASSED),
    ],
)
def test_a_few_things_are_told_in_any_language(path, after, outcome):
    change = SourceChange(path, b"", after.encode())
    assert integrity(TASK, (change,), (change,), (), (), {}).outcome is outcome


# ---------------------------------------------------------------- hostile input


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_break_it(before, after):
    for path in ("a.py", "tests/test_a.py", "conftest.py", "a.js", "pyproject.toml"):
        change = SourceChange(path, before, after)
        found = integrity(TASK, (change,), (change,), (path,), ("x",), {"tests/test_a.py": after})
        assert found.name == "integrity"


@pytest.mark.parametrize(
    "after",
    [
        "(" * 5000,
        "-" * 50_000 + "1",
        "x = " + "+".join(["1"] * 50_000),
        "x = " + "a." * 20_000 + "b",
        "x = " + "f(" * 90 + ")" * 90,
        "[" * 80 + "'tests/'" + "]" * 80,
        "\0",
        "# coding: nonsense\n",
        "# coding: rot13\n",
        "x = '\\ud800'\n",
        "lambda: " * 90 + "1",
        "x = " + "not " * 3000 + "1",
    ],
    ids=range(12),
)
def test_hostile_code_neither_breaks_it_nor_hides_what_is_below(after):
    assert look(after).name == "integrity"
    assert look("import os\n" + after + "\nos._exit(0)\n").outcome in (FAILED, UNVERIFIED)


def test_evidence_is_bounded():
    after = BASE + "".join(f"os._exit({number})\n" for number in range(1000))
    assert len(look(after).evidence) < 30


# ---------------------------------------------------------------- the parts


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("'a' 'b'", "ab"), ("'a' + 'b'", "ab"), ("''.join(['a', 'b'])", "ab"), ("'ba'[::-1]", "ab"),
        ("f'a{\"b\"}'", "ab"), ("a + 'b'", None), ("'ab'[1:]", None), ("3", 3),
    ],
)  # fmt: skip
def test_constants_are_put_together(code, value):
    assert folded(ast.parse(code, mode="eval").body) == value


def test_scopes_and_names():
    module = parsed("a.py", b"import os as o\nclass A:\n    def f(self):\n        return o.path.join\n")
    found = [(site.scope, site.at_import, dotted) for site, dotted in module.mentions]
    assert found[0] == ("A.f", False, {"os.path.join"})


def test_excess_is_what_counts():
    seen = Seen("x", 1, "f", FAILED, "does x")
    assert added([("a", seen)], [("a", seen)]) == []
    assert [each.path for each in added([("a", seen)], [("a", seen), ("b", seen)])] == ["b"]
    assert [str(each) for each in added([], [("a", seen)])] == ["a:1 does x in f()"]


def test_a_patch_that_is_too_much_to_be_read_goes_to_a_person():
    text = b"x = 1\n" * 80_000
    changes = tuple(SourceChange(f"src/a{number}.txt", None, text) for number in range(20))
    found = integrity(TASK, changes, changes, (), (), {})
    assert found.outcome is UNVERIFIED
    assert found.evidence == ("src/a17.txt and what comes after it is too much to be read",)


def test_code_that_is_nested_too_deeply_goes_to_a_person():
    found = look(
        "if x" + ".a" * 900 + " == 'abc':\n    y = 'def'\n",
        tests={"tests/test_a.py": b"def test_wanted():\n    assert f('abc') == 'def'\n"},
    )
    assert found.outcome is UNVERIFIED
