"""A step is done when its fact is in the ledger; the first fact stays."""

import sqlite3
import threading

import pytest

from reeve.adapters.stores.memory import MemoryStore
from reeve.adapters.stores.sqlite import SqliteStore
from reeve.durable.journal import Journal
from reeve.durable.locks import only_run
from reeve.errors import InputError, LedgerError
from reeve.ports import Fact
from reeve.records import Base, HiddenFile

FIRST = Base("/r", "c1", "t1")
SECOND = Base("/r", "c2", "t2")


class Clock:
    """A clock that a test owns."""

    def now(self):
        return 1000.0

    def monotonic(self):
        return 1.0


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path)


def fact(kind="base", key="a", task="t", body=None):
    return Fact(kind, key, task, body or {"n": 1}, 5.0)


def test_the_first_fact_of_an_identity_stays_and_is_given_back(store):
    first = store.append(fact(body={"n": 1}))
    again = store.append(fact(body={"n": 2}))
    assert (again.body, again.seq) == ({"n": 1}, first.seq)
    assert len(store.facts()) == 1


def test_facts_are_read_in_their_order_by_kind_by_task_and_after_a_place(store):
    for number, (kind, task) in enumerate([("a", "t"), ("b", "t"), ("a", "u")]):
        store.append(fact(kind, f"k{number}", task))
    assert [item.key for item in store.facts()] == ["k0", "k1", "k2"]
    assert [item.key for item in store.facts(kind="a")] == ["k0", "k2"]
    assert [item.key for item in store.facts(kind="a", task="u")] == ["k2"]
    assert [item.key for item in store.facts(after=store.facts()[0].seq)] == ["k1", "k2"]
    assert store.fact("a", "k1") is None
    assert store.fact("b", "k1").task == "t"


def test_watchers_hear_of_new_facts_only(store):
    heard = []
    store.watch = heard.append
    store.append(fact())
    store.append(fact())
    assert len(heard) == 1


def test_artefacts_come_back_by_hash_and_a_missing_one_is_an_error(store):
    digest = store.put(b"\x00patch" * 1000)
    assert store.put(b"\x00patch" * 1000) == digest
    assert store.get(digest) == b"\x00patch" * 1000
    with pytest.raises(LedgerError):
        store.get("0" * 64)


def test_a_changed_artefact_is_noticed(tmp_path):
    store = SqliteStore(tmp_path)
    digest = store.put(b"what was said")
    path = tmp_path / "artefacts" / digest[:2] / digest[2:]
    other = store.put(b"something else")
    path.write_bytes((tmp_path / "artefacts" / other[:2] / other[2:]).read_bytes())
    with pytest.raises(LedgerError, match="changed"):
        store.get(digest)
    with pytest.raises(LedgerError, match="SHA-256"):
        store.get("../../../etc/passwd")


@pytest.mark.parametrize("statement", ["UPDATE facts SET body = '{}'", "DELETE FROM facts"])
def test_the_file_itself_refuses_to_change_a_fact(tmp_path, statement):
    SqliteStore(tmp_path).append(fact())
    with (
        sqlite3.connect(tmp_path / "ledger.db") as connection,
        pytest.raises(sqlite3.DatabaseError, match="append-only"),
    ):
        connection.execute(statement)
    connection.close()


def test_a_damaged_ledger_is_a_clear_error(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db"):
        SqliteStore(tmp_path)


def test_many_writers_lose_nothing(tmp_path):
    stores = [SqliteStore(tmp_path) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda s=s, n=n: [s.append(fact(key=f"{n}-{i}")) for i in range(40)])
        for n, s in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(SqliteStore(tmp_path).facts()) == 120


def test_a_step_that_is_done_is_not_done_again(store):
    journal = Journal(store, Clock())
    calls = []

    def work():
        calls.append(1)
        return FIRST

    assert journal.once(Base, "base", "x", "t", work) == FIRST
    assert journal.once(Base, "base", "x", "t", lambda: SECOND) == FIRST
    assert len(calls) == 1
    assert store.facts()[0].at_utc == 1000.0


def test_a_step_whose_work_fails_is_not_done(store):
    journal = Journal(store, Clock())
    with pytest.raises(ZeroDivisionError):
        journal.once(Base, "base", "x", "t", lambda: 1 // 0)
    assert journal.once(Base, "base", "x", "t", lambda: SECOND) == SECOND


def test_threads_that_want_one_step_do_its_work_once(store):
    journal, calls, gate = Journal(store, Clock()), [], threading.Barrier(4)

    def work():
        calls.append(1)
        return FIRST

    def ask():
        gate.wait()
        journal.once(Base, "base", "x", "t", work)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_crash_points_stand_before_and_after_the_fact(store):
    reached = []
    Journal(store, Clock(), reached.append).add("base", "x", "t", FIRST)
    assert reached == ["base.before", "base.after"]


def test_records_with_bytes_and_undecodable_names_come_back_as_they_were(store):
    journal = Journal(store, Clock())
    record = HiddenFile("caf\udce9/\n.py", b"\xff\x00")
    journal.add("hidden", "x", "t", record)
    assert journal.find(HiddenFile, "hidden", "x") == record


def test_only_one_run_at_a_time(tmp_path):
    with only_run(tmp_path), pytest.raises(InputError, match="another `reeve run`"), only_run(tmp_path):
        pass
    with only_run(tmp_path):
        pass
