"""The same expedition, and the same tests, as root and as an ordinary user."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expedition import environment
from shops import missing
from test_sandbox_ordinary_user import STAGE, USER

HERE = Path(__file__).parent
USERS = ("root", "user") if os.geteuid() == 0 else ("user",)


@dataclass(frozen=True)
class Seen:
    """What one expedition brought home: the records of its tasks, and what the host saw."""

    tasks: dict[str, Any]
    host: dict[str, Any]
    shown: dict[str, str]
    targets: dict[str, Any]
    trees: str
    uid: int
    doors: dict[str, Any]

    def attempt(self, name, number=0):
        return self.tasks[name]["attempt"][number]

    def verdict(self, name):
        return self.tasks[name]["verdict"][0]

    def said(self, name, number=0):
        """The lines that an attack put into its trajectory, by name; of several with one name the last."""
        found = {}
        for line in self.attempt(name, number)["said"].splitlines():
            if line.startswith('{"probe"'):
                read = json.loads(line)
                found[read["probe"]] = read["got"]
        return found

    def refused(self, name):
        return " | ".join(self.attempt(name)["patch"]["refused"])

    def changed(self, name):
        return {change["path"] for change in self.attempt(name)["patch"]["changes"]}

    def unchanged(self, what):
        return self.host["before"][what] == self.host["after"][what]


def expedition(kind, user, folder):
    """Go on one, as root or as an ordinary user; returns what was seen."""
    place = folder
    token = secrets.token_hex(8)
    program = [sys.executable, "-B", str(HERE / "expedition.py")]
    env = environment(place, token)
    if user == "user" and os.geteuid() == 0:
        place = Path("/tmp") / f"reeve-walls-{os.getpid()}-{kind}"  # pytest's own folder is closed to other users
        for each in (place, place / "tmp"):
            each.mkdir(mode=0o755)
            os.chown(each, USER, USER)
        env = {**environment(place, token), "USER_ID": str(USER)}
        program = _staged(program)
    try:
        done = subprocess.run([*program, str(place), kind], env=env, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
        read = json.loads((place / "seen.json").read_text())
    except FileNotFoundError:
        missing("util-linux is not installed: no second user can be started")
    finally:
        if place != folder:
            _remove(place)
    return Seen(**{name: read[name] for name in Seen.__dataclass_fields__})


def repeated_as_a_user(file, which):
    """Run tests of a file again as an ordinary user, in a process of their own; they must pass."""
    where = Path("/tmp") / f"reeve-{Path(file).stem[-7:]}-{os.getpid()}"
    where.mkdir(mode=0o755)
    os.chown(where, USER, USER)
    argv = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--basetemp",
        str(where / "t"),
        "-k",
        which,
        file,
    ]
    env = {**os.environ, "HOME": str(where), "TMPDIR": str(where), "USER_ID": str(USER), "PYTEST_ADDOPTS": ""}
    try:
        done = subprocess.run(_staged(argv), cwd=HERE.parents[1], env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        missing("util-linux is not installed: no second user can be started")
    finally:
        _remove(where)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "held" in done.stdout


def _staged(argv):
    """Start something where an ordinary user reaches the interpreter and the project, wherever they stand."""
    paths = list(dict.fromkeys([os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix, str(HERE.parents[1])]))
    return [
        "unshare",
        "--mount",
        "sh",
        "-c",
        STAGE,
        "sh",
        *(path for path in paths if not path.startswith("/usr")),
        "--",
        *argv,
    ]


def _remove(folder):
    subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
