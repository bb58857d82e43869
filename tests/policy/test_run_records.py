"""Reading run records: every mistake has its line, every rule its count, nothing is wrong in silence."""

import gzip
import json
import time
from datetime import date

import pytest

from outcomes import public
from reeve.errors import InputError, LocatedError
from reeve.policy import rows
from reeve.policy.run_records import read_runs


def run(number: int = 1, **changes):
    row = {
        "alias": "a",
        "task_id": f"f/t{number}",
        "task_family": "f",
        "run_id": f"r{number}",
        "human_minutes": 5.0,
        "score_binarized": 1,
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not ...}


@pytest.fixture
def file(tmp_path):
    """Write rows, or bytes, and give the path."""

    def write(content, name="runs.jsonl"):
        path = tmp_path / name
        text = content if isinstance(content, bytes) else "".join(f"{json.dumps(row)}\n" for row in content).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return write


def refused(path) -> str:
    with pytest.raises(LocatedError) as caught:
        read_runs(path)
    return str(caught.value).removeprefix(f"{path}:")


# ---------------------------------------------------------------- what is read


def test_the_public_records_are_read_without_a_note():
    found = read_runs(public("metr_runs_2025-02.jsonl.gz"))
    assert (len(found.runs), len(found.runs.agents), len(found.runs.tasks)) == (7063, 11, 83)
    assert len(found.runs.families) == 36
    assert found.notes == ()
    assert (found.released, found.suites) == ({}, {})


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.jsonl.gz", "runs"])
def test_json_lines_are_read_packed_or_not_with_blank_lines_and_a_mark_at_the_front(file, name):
    content = (
        b"\xef\xbb\xbf" + json.dumps(run(1)).encode() + b"\n\n  \n" + json.dumps(run(2, score_binarized=0)).encode()
    )
    found = read_runs(file(content, name)).runs
    assert found.tasks == ("f/t1", "f/t2")
    assert found.score.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("name", ["runs.csv", "runs.CSV.gz"])
def test_csv_gives_the_same_as_json_lines(file, name, tmp_path):
    text = (
        "run_id,alias,task_family,task_id,human_minutes,score_binarized,other\r\n"
        '1,"an, agent",f,"f/t\n1",5,1,\r\n'
        "2,b,f,f/t2, 7.5 ,False,x\r\n"
    )
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    found = read_runs(path).runs
    assert found.agents == ("an, agent", "b")
    assert (found.minutes.tolist(), found.score.tolist()) == ([5.0, 7.5], [1.0, 0.0])
    assert found.tasks == ("f/t\n1", "f/t2")


def test_true_and_false_are_scores(file):
    assert read_runs(file([run(1, score_binarized=True), run(2, score_binarized="false")])).runs.score.tolist() == [
        1,
        0,
    ]


def test_a_date_may_have_a_time(file):
    assert read_runs(file([run(1, release_date="2025-02-24T10:00:00Z")])).released == {"a": date(2025, 2, 24)}


def test_dates_and_suites_are_read_where_the_file_has_them(file):
    path = file([run(1, release_date="2025-02-24", task_source="S"), run(2, task_source="S"), run(3, alias="b")])
    found = read_runs(path)
    assert found.released == {"a": date(2025, 2, 24)}
    assert found.suites == {"f/t1": "S", "f/t2": "S"}


def test_progress_is_told(file, monkeypatch):
    monkeypatch.setattr("reeve.policy.run_records.BLOCK_ROWS", 2)
    told = []
    read_runs(file([run(number) for number in range(5)]), told.append)
    assert told == [2, 4, 5]


# ---------------------------------------------------------------- rules, said with their count


@pytest.mark.parametrize(
    ("table", "note"),
    [
        ([run(1), run(2), run(1)], "1 run that stood a second time, equal in all, counted once"),
        ([run(1, score_binarized=0.5), run(2)], "1 run with a score between 0 and 1: each counts as that part"),
        ([run(1, task_family=...), run(2, task_family=...)], "no task_family: every task counts as a family"),
        ([run(1, run_id=...), run(1, run_id=...)], "no run_id: a run that stands twice is not noticed"),
        ([run(1, score_binarized=..., score_cont=0.0)], "no score_binarized: score_cont says how a run went"),
        ([run(1), run(1, run_id="x", human_minutes=6)], "1 task with more than one number of human_minutes"),
    ],
)
def test_a_rule_that_was_applied_is_said(file, table, note):
    assert [said for said in read_runs(file(table)).notes if note in said]


def test_a_run_that_stands_twice_counts_once(file):
    found = read_runs(file([run(1), run(2), run(1), run(1)]))
    assert len(found.runs) == 2
    assert "2 runs that stood a second time" in found.notes[0]


def test_numbers_of_runs_that_begin_anew_for_each_task_are_no_duplicates(file):
    assert len(read_runs(file([run(1, run_id=0), run(2, run_id=0), run(1, run_id=1)])).runs) == 3


# ---------------------------------------------------------------- mistakes, with their line


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"human_minutes": ...}, "human_minutes must be a number above 0, but is missing"),
        ({"human_minutes": None}, "human_minutes must be a number above 0, but is missing"),
        ({"human_minutes": 0}, "human_minutes must be a number above 0, found 0"),
        ({"human_minutes": -3.5}, "human_minutes must be a number above 0, found -3.5"),
        ({"human_minutes": "soon"}, "human_minutes must be a number above 0, found 'soon'"),
        ({"human_minutes": [5]}, "human_minutes must be a number above 0, found [5]"),
        ({"human_minutes": True}, "human_minutes must be a number above 0, found True"),
        ({"score_binarized": "NaN"}, "score_binarized must be a number from 0 to 1, found 'NaN'"),
        ({"score_binarized": "0_1"}, "score_binarized must be a number from 0 to 1, found '0_1'"),
        ({"human_minutes": 10**400}, "human_minutes must be a number above 0, found 1000"),
        ({"score_binarized": ...}, "score_binarized must be a number from 0 to 1, but is missing"),
        ({"score_binarized": 1.01}, "score_binarized must be a number from 0 to 1, found 1.01"),
        ({"score_binarized": -1}, "score_binarized must be a number from 0 to 1, found -1"),
        ({"alias": ...}, "alias must be a name, but is missing"),
        ({"alias": ""}, "alias must be a name, found ''"),
        ({"task_id": 1.5}, "task_id must be a name, found 1.5"),
        ({"task_family": ...}, "task_family must be a name, but is missing"),
        ({"task_id": "f/t1", "task_family": "g"}, "task_family of 'f/t1' is 'g' here and 'f' on line 1; it must be one"),
        ({"task_id": "f/t1", "run_id": "r1", "score_binarized": 0}, "the run 'r1' stands on line 1 too, with another"),
        ({"release_date": "soon"}, "release_date must be a date like '2025-02-24', found 'soon'"),
        ({"release_date": "2025-02-24 or so"}, "release_date must be a date like '2025-02-24', found '2025-02-24 or so'"),
        ({"task_source": ["S"]}, "task_source must be a name, found ['S']"),
        ({"release_date": 5}, "release_date must be a date like '2025-02-24', found 5"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_line(file, second, message):
    said = refused(file([run(1), run(2, **second), run(3)]))
    assert said.startswith("2: ")
    assert message in said


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"agent": "a", "task": "t", "s": 4, "n": 5},
            "no run has alias or task_id or human_minutes or score_binarized",
        ),
        (
            run(human_minutes=...),
            "no run has human_minutes: run records have alias, task_id, human_minutes and score_bin",
        ),
        ({f"c{number}": 1 for number in range(500)}, "found 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', ..."),
        ({"x" * 5000: 1}, "found 'xxx"),
        ({}, "found nothing"),
    ],
)
def test_a_file_of_another_form_is_told_what_it_lacks_and_what_it_has(file, row, message):
    said = refused(file([row, row]))
    assert said.startswith("1: ")
    assert message in said
    assert len(said) < 300


def test_the_public_records_of_another_form_are_refused_with_the_names_that_are_missing():
    for name in ("tb2_agent_task_counts.csv", "swebench_verified_134agents.csv.gz", "terminal_bench_runs.csv.gz"):
        assert "2: no run has alias or task_id or human_minutes" in refused(public(name))


def test_a_mistake_that_comes_again_is_counted(file):
    said = refused(file([run(1), *(run(number, human_minutes=0) for number in range(2, 7))]))
    assert said == "2: human_minutes must be a number above 0, found 0; 4 later runs like it"


def test_one_agent_has_one_date(file):
    said = refused(file([run(1, release_date="2025-01-01"), run(2), run(3, release_date="2025-01-02")]))
    assert said.startswith("3: release_date of 'a' is '2025-01-02' here and '2025-01-01' on line 1")


LINE = json.dumps(run(1)).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LINE + b'{"alias": NaN}\n', "2: NaN is no number and no JSON"),
        (LINE + b'{"human_minutes": 1, "score_binarized": -Infinity}\n', "2: -Infinity is no number and no JSON"),
        (LINE + b'{"alias": "[NaN", "a"}\n', "2: not JSON"),
        (LINE + b'{"alias": "a"\n', "2: not JSON"),
        (LINE + b"[1]\n", "2: every line is one run, a JSON object; found list"),
        (LINE + b"null\n", "2: every line is one run, a JSON object; found NoneType"),
        (LINE + b'{"human_minutes": 1e999}', "2: "),
        (LINE + b"[" * 10_000 + b"\n", "2: not JSON"),
        (json.dumps([run(1)], indent=1).encode(), "1: not JSON"),
        (LINE + '{"alias": "Müller"}\n'.encode("latin-1"), "2: not UTF-8: found the byte b'\\xfc'; save it as UTF-8"),
        (LINE.decode().encode("utf-16"), "1: not UTF-8: found the byte b'\\xff'"),
        (LINE.decode().encode("utf-16-le"), "1: not JSON"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(file, content, message):
    assert refused(file(content)).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("alias,task_id\na,t,5\n", "2: 3 cells, but the first line names 2 columns"),
        ('alias,task_id\na,"t\n', "2: not CSV"),
        ("alias,task_id,human_minutes,score_binarized\na,t,nan,1\n", "2: human_minutes must be a number above 0, found 'nan'"),
        ("alias,task_id,human_minutes,score_binarized\na,t,,1\n", "2: human_minutes must be a number above 0, but is missing"),
        ("alias;task_id;human_minutes\na;t;5\n", "2: no run has alias or task_id or human_minutes or score_binarized"),
        ("alias,task_id,human_minutes,score_binarized,alias\na,t,5,1,b\n", "1: two columns are named 'alias'"),
        ("alias,task_id,human_minutes,score_binarized\na,t,true,1\n", "2: human_minutes must be a number above 0, found 'true'"),
        ("alias,task_id,human_minutes,score_binarized\na,t,1_000,1\n", "2: human_minutes must be a number above 0, found '1_000'"),
        ("alias,task_id,human_minutes,score_binarized\na,t,'5,5',1\n", "2: 5 cells, but the first line names 4 columns"),
        ("alias,task_id\ra,t\r", "1: not CSV: a line ends in a carriage return alone"),
        ("alias,task_id\na," + "x" * 200_000 + "\n", "2: not CSV: field larger than field limit"),
    ],
)  # fmt: skip
def test_a_mistake_in_csv_has_its_line_too(tmp_path, content, message):
    path = tmp_path / "runs.csv"
    path.write_text(content)
    assert refused(path).startswith(message)


def test_what_is_no_gzip_or_not_all_of_it_is_refused(tmp_path):
    plain = tmp_path / "runs.jsonl.gz"
    plain.write_bytes(LINE)
    assert refused(plain) == "1: not gzip data, though its name ends in .gz"
    whole = gzip.compress(b"".join(json.dumps(run(number)).encode() + b"\n" for number in range(100_000)))
    for content in (whole[: len(whole) // 2], whole[:-4], whole[:-8] + b"\0" * 8, whole[:9]):
        plain.write_bytes(content)
        assert "the gzip data breaks off at or soon after this line" in refused(plain)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_LINE_BYTES", 2**21)
    bomb = tmp_path / "runs.jsonl.gz"
    bomb.write_bytes(gzip.compress(LINE + b"0" * 2**23))
    assert refused(bomb) == "2: a line of more than 2 MB"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_nothing_in_it_is_said(file, content):
    with pytest.raises(InputError, match="there is no run in it"):
        read_runs(file(content))


def test_a_header_alone_is_no_run(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("alias,task_id\n")
    with pytest.raises(InputError, match="there is no run in it"):
        read_runs(path)


def test_a_file_that_is_not_there_or_is_a_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_runs(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="Is a directory"):
        read_runs(tmp_path)


def test_a_large_table_costs_little_each_run(file):
    """A million runs take seconds: here 50,000, and no more CPU than lets a machine five times slower stay below ten."""
    table = [run(number, task_id=f"f/t{number % 100}") for number in range(50_000)]
    path = file(table)
    before = time.process_time()
    assert len(read_runs(path).runs) == 50_000
    assert time.process_time() - before < 2.5
