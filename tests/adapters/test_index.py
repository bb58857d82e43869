"""The rows kept beside the ledger: always what the facts say, whoever kept them, and gone without harm."""

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from reeve.adapters.stores.index import LedgerIndex
from reeve.adapters.stores.sqlite import NEXT, SqliteStore
from reeve.errors import LedgerError
from reeve.ledger.inbox import Need, apart, inbox
from reeve.ledger.views import counts, summaries, task_views
from reeve.records import Deferral, Outcome, ReviewKind, Status
from stories import START, Story

HOUR = 3600.0
NOW = START + 1000 * HOUR


@pytest.fixture
def story(tmp_path):
    return Story(SqliteStore(tmp_path / "state"))


@pytest.fixture
def index(story):
    return LedgerIndex(story.store)


def lived(story, name, draw) -> None:
    """Tell as much of a task's life as a draw says, in any of the ways it may go."""
    chapters = [story.landed, story.failed, story.unproven, story.declined, story.conflicting, story.broken_setup]
    if draw.random() < 0.6:
        draw.choice(chapters)(name, human_minutes=float(draw.randint(1, 60)))
        if draw.random() < 0.4:
            until = NOW + draw.choice([-HOUR, HOUR, 2 * HOUR])
            story.tell("deferral", f"{name}~1", name, Deferral(name, until, START, minutes=draw.choice([0.0, 2.5])))
        if draw.random() < 0.1:
            story.review(f"{name}.1", ReviewKind.AGAIN, "once more")
        return
    story.task(name, f"Mend {name} with care.\nAnd more.")
    for number in range(1, draw.randint(0, 2) + 1):
        story.order(f"{name}.{number}", index=number - 1, of=2)
        if draw.random() < 0.7:
            story.attempt(f"{name}.{number}")
            story.verdict(f"{name}.{number}", draw.choice([Outcome.PASSED, Outcome.FAILED, Outcome.UNVERIFIED]))


def agree(index, store) -> None:
    index.catch_up()
    rows = {row.task: row for row in every(index)}
    told = {item.id: item for item in summaries(store)}
    assert set(rows) == set(told)
    for task, row in rows.items():
        of = told[task]
        assert (row.status, row.reason, row.attempts, row.commit, row.spent_minutes) == (
            of.status,
            of.reason,
            of.attempts,
            of.landed,
            of.human_minutes,
        )
    views = task_views(store)
    assert {status: each.tasks for status, each in index.totals().items()} == counts(views)
    told, later = apart(inbox(views), NOW)
    alone = [item for item in told if item.need is not Need.SETUP_FAILED]
    assert [row.item for row in index.needing(1000, NOW)] == alone
    together = [
        (tuple(sorted(item.tasks)), item.human_minutes) for item in (*told, *later) if item.need is Need.SETUP_FAILED
    ]
    assert sorted((tasks, minutes) for _, tasks, minutes in index.held_up(1000)) == sorted(together)
    assert index.asking(NOW) == len(told)
    assert [row.item for row in index.deferred(1000, NOW)] == [
        item for item in later if item.need is not Need.SETUP_FAILED
    ]


def every(index):
    before, found = None, []
    while True:
        page = index.page(before=before, at_most=7)
        found += page.rows
        if page.more is None:
            return found
        before = page.more


def test_an_empty_ledger_has_no_row(index):
    assert index.catch_up() == 0
    assert index.page().rows == ()
    assert index.totals() == {}
    assert index.row("nothing") is None


@pytest.mark.parametrize("seed", range(8))
def test_rows_are_what_the_facts_say_at_every_moment(story, index, seed):
    draw = random.Random(seed)
    for number in range(30):
        lived(story, f"task-{number}", draw)
        if draw.random() < 0.3:
            agree(index, story.store)
    agree(index, story.store)


@pytest.mark.parametrize("batch", [1, 2, 5, 13])
def test_a_walk_in_steps_of_any_size_finds_the_same(story, index, monkeypatch, batch):
    monkeypatch.setattr("reeve.adapters.stores.index.BATCH", batch)
    draw = random.Random(batch)
    for number in range(20):
        lived(story, f"task-{number}", draw)
        if draw.random() < 0.3:
            lived(story, f"task-{draw.randint(0, number)}", draw)  # edited, and done again
    agree(index, story.store)


def test_a_ledger_is_read_for_the_first_time_in_one_walk(story, index, monkeypatch):
    for number in range(20):
        lived(story, f"task-{number}", random.Random(number))
    asked = []
    of = story.store.of
    monkeypatch.setattr(story.store, "of", lambda task, kinds: asked.append(task) or of(task, kinds))
    index.catch_up()
    assert asked == []
    with sqlite3.connect(story.store.folder / "ledger.db") as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sqlite_text(NEXT)}").fetchall()
    assert all("TEMP B-TREE" not in step[-1] for step in plan), "each step sorts the whole ledger"


def sqlite_text(statement) -> str:
    filled = statement.params(kinds=["task", "order"], after=1, at_most=2)
    return str(filled.compile(dialect=sqlite_dialect(), compile_kwargs={"literal_binds": True}))


def test_an_edited_task_is_searched_by_its_new_words(story, index):
    story.task("one", "Paint the shed red.")
    index.catch_up()
    assert [row.task for row in index.page(text="shed").rows] == ["one"]
    story.task("one", "Paint the fence red.")
    index.catch_up()
    assert index.page(text="shed").rows == ()
    assert [row.task for row in index.page(text="fence").rows] == ["one"]


@pytest.mark.parametrize("text", ['"', "%", "*", "a*", "NEAR(", "' OR 1", "x" * 3000, "\x00ab", "(", '""""'])
def test_any_text_can_be_looked_for(story, index, text):
    story.task("one")
    index.catch_up()
    assert index.page(text=text).rows == ()


def test_a_short_text_begins_the_id(story, index):
    story.task("ab-one")
    story.task("b-two")
    index.catch_up()
    assert [row.task for row in index.page(text="b").rows] == ["b-two"]


def test_statuses_and_text_go_together(story, index):
    story.task("one")
    story.task("two")
    story.order("two.1")
    index.catch_up()
    assert [row.task for row in index.page(statuses=[Status.WORKING]).rows] == ["two"]
    assert index.page(statuses=[Status.WORKING], text="one").rows == ()
    assert [[each.attempt for each in row.live] for row in index.live()] == [["two.1"]]


def test_many_keep_one_file(story, tmp_path):
    for number in range(40):
        lived(story, f"task-{number}", random.Random(number))
    indexes = [LedgerIndex(story.store, tmp_path / "index.db") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: each.catch_up(), indexes))
    for each in indexes:
        agree(each, story.store)


def test_a_damaged_file_is_made_anew(story, tmp_path):
    story.task("one")
    (tmp_path / "index.db").write_bytes(b"no database" * 1000)
    index = LedgerIndex(story.store, tmp_path / "index.db")
    agree(index, story.store)


def test_a_file_that_another_process_holds_is_left_as_it_is(story, tmp_path, monkeypatch):
    story.task("one")
    path = tmp_path / "index.db"
    LedgerIndex(story.store, path).catch_up()
    monkeypatch.setattr("reeve.adapters.stores.index.BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match=r"opening the index .*: database is locked"):
            LedgerIndex(story.store, path)
        other.execute("ROLLBACK")
        assert other.execute("SELECT task FROM rows").fetchall() == [("one",)]


def test_an_index_of_other_code_is_made_anew(story, tmp_path):
    story.task("one")
    path = tmp_path / "index.db"
    first = LedgerIndex(story.store, path)
    first.catch_up()
    first.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET version = 'older'")
        connection.execute("UPDATE rows SET status = 'landed'")
    agree(LedgerIndex(story.store, path), story.store)


def test_an_index_of_a_ledger_that_was_here_before_is_not_believed(tmp_path):
    """The ledger was moved away and begun again: its facts have the same numbers, and say other things."""
    folder = tmp_path / "state"
    before = Story(SqliteStore(folder))
    for number in range(4):
        before.landed(f"old-{number}")
    first = LedgerIndex(before.store)
    first.catch_up()
    first.close()
    before.store.close()
    for path in folder.glob("ledger.db*"):
        path.unlink()
    after = Story(SqliteStore(folder))
    after.now += 1000.0
    for number in range(4):
        after.failed(f"new-{number}")
    agree(LedgerIndex(after.store), after.store)


def test_an_index_that_is_ahead_of_its_ledger_is_not_believed(story, index):
    story.task("one")
    index.catch_up()
    with sqlite3.connect(story.store.folder / "index.db") as connection:
        connection.execute("UPDATE meta SET seq = 999")
    agree(LedgerIndex(story.store), story.store)


def test_an_interrupted_build_goes_on_where_it_was(story, index, monkeypatch):
    for number in range(20):
        lived(story, f"task-{number}", random.Random(number))
    monkeypatch.setattr("reeve.adapters.stores.index.BATCH", 7)

    class Killed(BaseException):
        pass

    def kill(done, _all):
        if done > 30:
            raise Killed

    with pytest.raises(Killed):
        index.catch_up(kill)
    told = []
    again = LedgerIndex(story.store)
    again.catch_up(lambda done, _all: told.append(done))
    assert told[0] > 30, "it began anew"
    agree(again, story.store)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_a_walk_task_by_task_gives_each_once_with_all_that_is_asked_for(story, monkeypatch, at_once):
    monkeypatch.setattr("reeve.adapters.stores.sqlite.TASKS_AT_ONCE", at_once)
    draw = random.Random(at_once)
    for number in range(10):
        lived(story, f"task-{9 - number}", draw)
    lived(story, "task-7", draw)
    kinds = ("task", "order", "verdict")
    found = list(story.store.task_by_task(kinds))
    assert [facts[0].task for facts in found] == story.store.tasks()
    assert found == [story.store.of(task, kinds) for task in story.store.tasks()]
