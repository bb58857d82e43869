"""Measured trust through the real loop: a fresh ledger asks for everything, and audits let more through."""

import os
from pathlib import Path

import pytest
from project import git, landed, make_project

from reeve import flow
from reeve.cli.start import open_world
from reeve.durable import reviews
from reeve.durable.reviews import Minutes
from reeve.ledger.inbox import Need, inbox
from reeve.ledger.views import task_view, task_views
from reeve.records import Action, Status
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog


class Life:
    """A project under `land = "trusted"`, run and reviewed task by task."""

    def __init__(self, folder: Path, count: int, trust: str = "") -> None:
        self.repo = make_project(folder, count)
        toml = self.repo / "reeve.toml"
        toml.write_text(toml.read_text().replace('land = "passed"\n', "") + f"\n[trust]\n{trust}\n")
        self.open()

    def open(self) -> None:
        self.settings = read_settings(self.repo, os.environ)
        self.world = open_world(self.settings, sandbox="none")
        self.store = self.world.journal.store

    def run(self, *names: str) -> None:
        tasks = read_backlog([self.repo / "backlog"], task_defaults(self.settings)).tasks
        flow.run(self.world, [task for task in tasks if not names or task.id in names])

    def branch(self) -> list[str]:
        """Name the tasks that landed, oldest first."""
        return landed(self.repo) if git(self.repo, "branch", "--list", "reeve/landed") else []

    def view(self, name: str):
        return task_view(self.store, name)

    def accept(self, name: str) -> None:
        reviews.accept(self.world, name, Minutes(2.0, measured=False))


@pytest.fixture
def life(tmp_path):
    return lambda count, trust="": Life(tmp_path, count, trust)


def test_a_fresh_ledger_asks_for_a_review_of_everything_and_accepting_lands_it(life):
    fleet = life(2)
    fleet.run()
    assert fleet.branch() == []
    for name in ("t00", "t01"):
        view = fleet.view(name)
        (decision,) = view.decisions
        assert (view.status, decision.action, decision.attempt) == (Status.NEEDS_YOU, Action.ASK, f"{name}.1")
        assert decision.rule == "land = trusted: not certified yet"
        assert "no audit so far" in decision.reason
    assert [item.need for item in inbox(task_views(fleet.store))] == [Need.ASKED, Need.ASKED]
    fleet.accept("t00")
    assert fleet.branch() == ["t00"]
    assert [fleet.view(name).status for name in ("t00", "t01")] == [Status.LANDED, Status.NEEDS_YOU]
