"""Expeditions against the walls as root and as an ordinary user, and the table of what came of every try."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "adapters"))

from expedition import environment  # noqa: E402
from shops import missing  # noqa: E402
from test_sandbox_ordinary_user import STAGE, USER  # noqa: E402

from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox  # noqa: E402

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
        project = HERE.parents[1]
        paths = list(dict.fromkeys([os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix, str(project)]))
        program = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            STAGE,
            "sh",
            *(path for path in paths if not path.startswith("/usr")),
            "--",
            *program,
        ]
    try:
        done = subprocess.run([*program, str(place), kind], env=env, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
        read = json.loads((place / "seen.json").read_text())
    except FileNotFoundError:
        missing("util-linux is not installed: no second user can be started")
    finally:
        if place != folder:
            subprocess.run(["chmod", "-R", "u+rwx", str(place)], check=False)
            subprocess.run(["rm", "-rf", str(place)], check=True)
    return Seen(**{name: read[name] for name in Seen.__dataclass_fields__})


@pytest.fixture(scope="module", params=USERS)
def seen(request, tmp_path_factory):
    """The expedition whose kind the module names."""
    if problem := BubblewrapSandbox().available():
        missing(problem)
    return expedition(request.module.KIND, request.param, tmp_path_factory.mktemp("w", numbered=True))


# ---------------------------------------------------------------- the table


@pytest.fixture
def row(request, record_property):
    """Write the row of a try: its number, family and name, and once it is known the fact that was recorded."""

    def write(number, family, name, fact, user):
        record_property("wall", [number, family, name, fact, user])

    return write


def pytest_terminal_summary(terminalreporter):
    """Print what came of every try, as root and as an ordinary user, and what was left out and why."""
    rows, facts = {}, {}
    for outcome, word in (
        ("passed", "held"),
        ("failed", "OPEN"),
        ("xfailed", "open, known"),
        ("xpassed", "held"),
        ("error", "no answer"),
    ):
        for report in terminalreporter.stats.get(outcome, []):
            for number, family, name, fact, user in (value for key, value in report.user_properties if key == "wall"):
                if report.when in ("call", "setup"):
                    rows.setdefault((number, family, name), {})[user] = word
                    facts[number, family, name] = fact or facts.get((number, family, name), "")
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    left_out = [str(said[2]) if isinstance(said, tuple) else str(said) for said in skipped]
    if not rows and not left_out:
        return
    terminalreporter.section("walls")
    for (number, family, name), users in sorted(rows.items()):
        outcome = "  ".join(f"{users.get(user, '-'):<11}" for user in ("root", "user"))
        terminalreporter.write_line(f"{number:>3}  {family:<13}  {name:<58}  {outcome}  {facts[number, family, name]}")
    terminalreporter.write_line(
        f"{len(rows)} tries; the columns are: number, family, try, started by root, by an ordinary user, the recorded fact"
    )
    if os.geteuid():
        terminalreporter.write_line("left out: everything as root, because root did not start this")
    for reason in sorted(set(left_out)):
        terminalreporter.write_line(f"left out: {reason}")
