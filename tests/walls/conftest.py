"""What one expedition brings home, and the table of what came of every try."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "adapters"), str(HERE.parent / "durable")]

from shops import missing  # noqa: E402
from users import USERS, expedition  # noqa: E402

from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox  # noqa: E402


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


def _walls_of(report):
    return [value for key, value in getattr(report, "user_properties", ()) if key == "wall"]


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
            for number, family, name, fact, user in _walls_of(report):
                if report.when in ("call", "setup"):
                    rows.setdefault((number, family, name), {})[user] = word
                    facts[number, family, name] = fact or facts.get((number, family, name), "")
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    left_out = [str(said[2]) if isinstance(said, tuple) else str(said) for said in skipped]
    if not rows and not left_out:
        return
    terminalreporter.section("walls")
    wide = max(len(name) for _, _, name in rows) if rows else 0
    for (number, family, name), users in sorted(rows.items()):
        outcome = "  ".join(f"{users.get(user, '-'):<11}" for user in ("root", "user"))
        terminalreporter.write_line(
            f"{number:>3}  {family:<13}  {name:<{wide}}  {outcome}  {facts[number, family, name]}"
        )
    terminalreporter.write_line(
        f"{len(rows)} tries; the columns are: number, family, try, started by root, by an ordinary user, the recorded fact"
    )
    if os.geteuid():
        terminalreporter.write_line("left out: everything as root, because root did not start this")
    for reason in sorted(set(left_out)):
        terminalreporter.write_line(f"left out: {reason}")
