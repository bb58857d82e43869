"""Memory is held before an attempt starts: nothing is filled, nobody starves, everything finishes."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from project import landed, make_project

from reeve import flow
from reeve.adapters.memory.fake import FakeMemory
from reeve.adapters.stores.memory import MemoryStore
from reeve.cli.start import Clock, open_world
from reeve.durable.admission import Admission, Rooms, first_waiting
from reeve.durable.journal import Journal
from reeve.errors import Interrupted
from reeve.records import AgentSpec, Ending, Limits, Order
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog
from stories import REPAIR, Story

PATIENCE_SECONDS = 60


def wait_for(condition):
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.005)


class House:
    """A ledger, a machine without anything else on it, and attempts that hold memory for as long as they are told."""

    def __init__(self, folder: Path, total_mb: float, reserve_mb: float = 0.0) -> None:
        self.folder = folder
        self.memory = FakeMemory(total_mb)
        self.story = Story(MemoryStore())
        self.rooms = Rooms(self.story.store, self.memory, folder, reserve_mb)
        self.admission = Admission(Journal(self.story.store, Clock()), self.rooms)
        self.stop = threading.Event()
        self.entered: list[str] = []
        self._leave: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def order(self, name: str, limit_mb: int, agent: AgentSpec = REPAIR) -> Order:
        task = name.partition(".")[0]
        if not self.story.store.facts(kind="task", task=task):
            self.story.task(task, limits=Limits(memory_mb=limit_mb))
        digest = self.story.store.facts(kind="task", task=task)[-1].body["digest"]
        order = replace(self.story.order(f"{task}.0", agent=agent), attempt=name, digest=digest)
        self.story.tell("order", name, task, order)
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        return order

    def come(self, order: Order, *, running: bool = False) -> None:
        """An attempt comes to the door; returns when it is inside, or in the queue."""
        leave = self._leave[order.attempt] = threading.Event()

        def go_on():
            if self.stop.is_set():
                raise Interrupted("stopped")

        def attempt():
            try:
                with self.admission.held(order, running=running, go_on=go_on):
                    self.entered.append(order.attempt)
                    leave.wait(PATIENCE_SECONDS)
            except Interrupted:
                self.entered.append(f"{order.attempt} stopped")

        thread = threading.Thread(target=attempt)
        thread.start()
        self._threads.append(thread)
        wait_for(lambda: order.attempt in self.entered or self.admission.waits(order.attempt))

    def go(self, order: Order) -> None:
        """An attempt ends."""
        self._leave[order.attempt].set()

    def close(self) -> None:
        for leave in self._leave.values():
            leave.set()
        self.stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def house(tmp_path):
    made = []

    def build(*args, **kwargs):
        made.append(House(tmp_path / "attempts", *args, **kwargs))
        return made[-1]

    yield build
    for each in made:
        each.close()


# ---------------------------------------------------------------- who is let in


def test_as_many_are_let_in_as_fit_beside_the_reserve_and_the_next_one_says_what_it_waits_for(house):
    home = house(4096, reserve_mb=1024)
    orders = [home.order(f"t{number}.1", 1024) for number in range(5)]
    for order in orders:
        home.come(order)
    assert home.entered == ["t0.1", "t1.1", "t2.1"]
    assert home.admission.waits("t3.1") == "for memory: needs 1.0 GB, 0.0 GB of 3.0 GB free"
    assert home.admission.waits("t4.1") == "for memory, behind t3.1"
    home.go(orders[1])
    wait_for(lambda: home.entered[3:] == ["t3.1"])
    assert home.admission.waits("t3.1") == ""


def test_what_a_running_attempt_uses_already_is_not_counted_twice(house):
    home = house(4096)
    first, second = home.order("a.1", 3000), home.order("b.1", 1000)
    home.come(first)
    home.memory.used[home.folder / "a.1"] = 2900.0  # 1196 MB are free, of which 100 are still to come
    home.come(second)
    assert home.entered == ["a.1", "b.1"]


def test_what_others_take_meanwhile_is_not_given_away(house):
    home = house(4096)
    home.come(home.order("a.1", 1000))
    home.memory.others_mb = 2500.0
    home.come(home.order("b.1", 1000))
    assert home.entered == ["a.1"]
    home.memory.others_mb = 0.0
    wait_for(lambda: "b.1" in home.entered)


def test_a_large_one_is_not_passed_by_small_ones_for_ever(house):
    home = house(4096)
    first, large, small = home.order("a.1", 2000), home.order("large.1", 4000), home.order("b.1", 500)
    for order in (first, large, small):
        home.come(order)
    assert home.entered == ["a.1"]  # the small one would fit, and waits behind the large one
    home.go(first)
    wait_for(lambda: "large.1" in home.entered)
    assert home.entered == ["a.1", "large.1"]
    home.go(large)
    wait_for(lambda: "b.1" in home.entered)


def test_one_that_never_fits_is_let_in_where_no_other_runs_and_that_is_a_fact(house):
    home = house(2048, reserve_mb=1024)
    first, large = home.order("a.1", 512), home.order("large.1", 4096)
    home.come(first)
    home.come(large)
    assert home.entered == ["a.1"]
    assert home.story.store.facts(kind="tight") == []
    home.go(first)
    wait_for(lambda: "large.1" in home.entered)
    (fact,) = home.story.store.facts(kind="tight")
    assert fact.body == {"attempt": "large.1", "need_mb": 4096.0, "free_mb": 1024.0}


def test_one_that_runs_since_before_a_crash_holds_its_memory_at_once(house):
    home = house(4096)
    old, new = home.order("old.1", 3000), home.order("new.1", 2000)
    home.memory.used[home.folder / "old.1"] = 100.0  # its process is there, nobody has come for it yet
    home.come(new)
    assert home.entered == []
    home.come(old, running=True)  # does not wait behind the other
    assert home.entered == ["old.1"]
    del home.memory.used[home.folder / "old.1"]
    home.go(old)
    wait_for(lambda: "new.1" in home.entered)


def test_a_person_who_wants_an_end_does_not_wait(house):
    home = house(1000)
    home.come(home.order("a.1", 1000))
    home.come(home.order("b.1", 1000))
    home.stop.set()
    wait_for(lambda: "b.1 stopped" in home.entered)
    assert home.admission.waits("b.1") == ""


# ---------------------------------------------------------------- what is expected


def test_what_is_expected_comes_from_the_same_agent_in_its_version_on_the_same_repository(house):
    home = house(4096)
    other = replace(REPAIR, version="0.2.0")
    order = home.order("t.1", 1000)
    assert home.rooms.need_mb(order) == 1000
    for number in range(19):
        home.story.task(f"past{number}")
        home.story.attempt(f"past{number}.1")  # 80 MB at its peak
    assert home.rooms.need_mb(order) == pytest.approx(96.0)
    assert home.rooms.need_mb(home.order("u.1", 1000, agent=other)) == 1000
    for ending in (Ending.INTERRUPTED, Ending.SANDBOX_FAILED):  # they were not let to need more
        home.story.task(f"cut-{ending}")
        home.story.attempt(f"cut-{ending}.1", ending=ending, agent=other)
    assert home.rooms.need_mb(home.order("u.2", 1000, agent=other)) == 1000


def test_a_first_look_goes_back_to_the_newest_facts_and_no_further(house, monkeypatch):
    monkeypatch.setattr("reeve.durable.admission.RECENT_FACTS", 10)
    home = house(4096)
    for number in range(19):
        home.story.task(f"past{number}")
        home.story.attempt(f"past{number}.1")
    for number in range(9):
        home.story.task(f"later{number}")
    order = home.order("t.1", 1000)
    assert home.rooms.need_mb(order) == 1000
    for number in range(19):
        home.story.attempt(f"again{number}.1")
    assert home.rooms.need_mb(order) == pytest.approx(96.0)


# ---------------------------------------------------------------- seen from outside


def test_another_process_finds_who_waits_from_the_same_facts(house):
    home = house(4096)
    orders = [home.order(f"t{number}.1", 1500) for number in range(4)]
    home.memory.used[home.folder / "t0.1"] = 700.0
    order, room = first_waiting(home.rooms, orders)
    assert (order.attempt, str(room)) == ("t2.1", "needs 1.5 GB, 1.1 GB of 4.0 GB free")
    assert first_waiting(home.rooms, orders[:2]) is None
    assert first_waiting(home.rooms, []) is None


# ---------------------------------------------------------------- the whole loop


class Counting:
    """A sandbox that says how many attempts of it are under way, and pretends that each uses what it may."""

    def __init__(self, sandbox, memory: FakeMemory, mb: float) -> None:
        self._sandbox, self._memory, self._mb = sandbox, memory, mb
        self._lock = threading.Lock()
        self.most_mb = 0.0

    def __getattr__(self, name):
        return getattr(self._sandbox, name)

    def ensure(self, run, folder):
        with self._lock:
            self._memory.used[folder] = self._mb
            self.most_mb = max(self.most_mb, sum(self._memory.used.values()))
        self._sandbox.ensure(run, folder)

    def wait(self, folder, *, stop):
        try:
            return replace(self._sandbox.wait(folder, stop=stop), peak_memory_mb=self._mb)
        finally:
            with self._lock:
                self._memory.used.pop(folder, None)


def test_twenty_attempts_of_a_gigabyte_on_four_never_exceed_it_and_all_finish(tmp_path, monkeypatch):
    repo = make_project(tmp_path, 20)
    toml = (repo / "reeve.toml").read_text()
    (repo / "reeve.toml").write_text(f"{toml}\n[limits]\nmemory_mb = 1024\n")
    monkeypatch.chdir(repo)
    settings = read_settings(repo, {})
    memory = FakeMemory(4096)
    world = open_world(settings, sandbox="none", workers=20)
    sandbox = Counting(world.sandbox, memory, 1024.0)
    rooms = Rooms(world.journal.store, memory, settings.state / "attempts", 0.0)
    world = replace(world, sandbox=sandbox, admission=Admission(world.journal, rooms))
    flow.run(world, read_backlog([Path("backlog")], task_defaults(settings)).tasks)
    assert len(landed(repo)) == 20
    assert 1024.0 < sandbox.most_mb <= 4096.0
    assert memory.used == {}
    assert world.journal.store.facts(kind="tight") == []
