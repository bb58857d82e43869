"""`reeve horizon`: what a person reads, what a program reads, what is refused, and hostile names on the way."""

import gzip
import json
import os
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from test_terminal import on_terminal

from outcomes import chain_world, public, world
from reeve.errors import InputError
from reeve.policy.horizon import horizon_report
from reeve.policy.run_records import read_runs

METR = "metr_runs_2025-02.jsonl.gz"


def rows_of(some, names=None, **columns):
    """Rows of the public format; a column is a value for all, or one for each task."""
    return [
        {
            "alias": (names or some.agents)[agent],
            "task_id": some.tasks[task],
            "task_family": some.families[some.family[task]],
            "run_id": f"r{number}",
            "human_minutes": minutes,
            "score_binarized": score,
            **{key: value[some.tasks[task]] if isinstance(value, dict) else value for key, value in columns.items()},
        }
        for number, (agent, task, minutes, score) in enumerate(
            zip(some.agent.tolist(), some.task.tolist(), some.minutes.tolist(), some.score.tolist(), strict=True)
        )
    ]


def written(folder, rows, name="runs.jsonl"):
    (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return name


# ---------------------------------------------------------------- what is refused


def with_line(change):
    return json.dumps({**rows_of(world(1))[0], "run_id": "x", **change}).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jsonl", b"", "reading 'empty.jsonl': there is no run in it"),
        ("a.jsonl", with_line({}) + with_line({"human_minutes": 0}), "a.jsonl:2: human_minutes must be a number above 0"),
        ("a.jsonl", with_line({}) + b'{"human_minutes": NaN}\n', "a.jsonl:2: NaN is no number"),
        ("a.jsonl", with_line({}) + with_line({"score_binarized": 0.25}), "a.jsonl:2: the run 'x' stands on line 1 too"),
        ("a.jsonl", "alias".encode("utf-16"), "a.jsonl:1: not UTF-8"),
        ("a.jsonl.gz", with_line({}), "a.jsonl.gz:1: not gzip data"),
        ("a.jsonl.gz", gzip.compress(with_line({}) * 999)[:-20], "a.jsonl.gz:1: the gzip data breaks off"),
        ("a.csv", b"agent,task\na,t\n", "a.csv:2: no run has alias or task_id or human_minutes or score_binarized"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_its_place_and_nothing_else(reeve, project, name, content, message):
    (project / name).write_bytes(content)
    said = reeve("horizon", name)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_what_is_no_file_is_refused(reeve, project):
    assert "No such file" in reeve("horizon", "none.jsonl").err
    assert "Is a directory" in reeve("horizon", ".").err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(reeve, project):
    (project / "a.jsonl").write_text("")
    (project / "a.jsonl").chmod(0)
    assert "Permission denied" in reeve("horizon", "a.jsonl").err


def test_options_that_cannot_be_are_refused(reeve, project):
    name = written(project, rows_of(world(1)))
    for options in (
        ("--penalty", "0"), ("--penalty", "1e-20"), ("--penalty", "1e9"), ("--penalty", "nan"), ("--penalty", "-1"), ("--resamples", "-1"), ("--seed", "-1"), ("--by", "x"),
        ("--plot", "a.pdf"), ("--plot", "none/a.svg"),
    ):  # fmt: skip
        said = reeve("horizon", name, *options)
        assert (said.code, said.out) == (2, ""), options
        assert said.err


def test_a_curve_without_an_optimum_is_no_traceback(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(world(1))))
    with pytest.raises(InputError, match=r"estimating curves: .*; a larger penalty than 1e-300"):
        horizon_report(separated(read_runs(tmp_path / "a.jsonl")), penalty=1e-300, resamples=0)


def separated(records):
    """The same tasks, all below an hour solved and no other."""
    return replace(records, runs=replace(records.runs, score=(records.runs.minutes < 60).astype(float)))


def test_success_by_chain_needs_chains_that_were_known_before(reeve, project):
    some, steps, files = chain_world(1)
    said = reeve("horizon", written(project, rows_of(some)), "--by", "chain")
    assert said.code == 2
    assert "no run has chain_steps, the number of actions that its task needs" in said.err
    own = rows_of(some, chain_steps=7)
    own[1]["chain_steps"] = 9  # as many as the agent took, this time
    said = reeve("horizon", written(project, own), "--by", "chain")
    assert "runs.jsonl:2: chain_steps of 't0' is 9 here and 7 on line 1; it must be one" in said.err
    said = reeve("horizon", written(project, rows_of(some, chain_steps=0)))
    assert "runs.jsonl:1: chain_steps must be a number above 0, found 0" in said.err
    half = [row | {"files_touched": None} for row in rows_of(some, chain_steps=steps)[:180]]
    half += [row | {"chain_steps": None} for row in rows_of(some, files_touched=files)[180:]]
    said = reeve("horizon", written(project, half), "--by", "chain")
    assert "no task has both chain_steps and files_touched" in said.err


# ---------------------------------------------------------------- what a program reads


def test_the_shape_of_the_json_is_the_promised_one(reeve, project):
    days = {"a0": "2025-01-01", "a1": "2025-06-01", "a2": "2026-01-01"}
    rows = [row | {"release_date": days[row["alias"]]} for row in rows_of(world(1, agents=(5.0, 20.0, 80.0)))]
    found = reeve("horizon", written(project, rows), "--json", "--resamples", "50").json
    assert list(found["agents"]) == ["a0", "a1", "a2"]
    for agent in found["agents"].values():
        promised = {"slope", "intercept", "p50_minutes", "p80_minutes", "p50_ci95_minutes", "runs", "successes"}
        assert promised <= set(agent)
        low, high = agent["p50_ci95_minutes"]
        assert low < agent["p50_minutes"] < high
        assert agent["p50_minutes"] == pytest.approx(2 ** (-agent["intercept"] / agent["slope"]))
        assert agent["p80_minutes"] == pytest.approx(2 ** ((np.log(4) - agent["intercept"]) / agent["slope"]))
        assert type(agent["successes"]) is int
    assert 30 < found["trend"]["doubling_days"] < 1000
    assert len(found["trend"]["ci95_days"]) == 2
    assert found["axes"] is None


def test_what_is_refused_is_null_with_its_reason(reeve, project):
    rows = [*rows_of(world(1)), *rows_of(world(1), names=["never"], score_binarized=0)]
    found = reeve(
        "horizon", written(project, [row | {"run_id": None} for row in rows]), "--json", "--resamples", "50"
    ).json
    never = found["agents"]["never"]
    for key in ("slope", "intercept", "p50_minutes", "p80_minutes"):
        assert never[key] is None
    low, high = never["p50_ci95_minutes"]  # so many families without one success bound it from above
    assert (low, high) == (None, pytest.approx(high))
    assert never["reason"].startswith("it failed in all")
    assert found["trend"]["doubling_days"] is None
    assert found["trend"]["reason"].startswith("a trend needs 3 agents")


def test_the_same_records_give_the_same_bytes_whatever_their_form(reeve, project):
    rows = rows_of(world(1))
    plain = reeve("horizon", written(project, rows), "--json", "--resamples", "20").out
    (project / "runs.csv").write_text(
        "\n".join([",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)])
    )
    for name in ("runs.jsonl", "runs.csv"):
        (project / f"{name}.gz").write_bytes(gzip.compress((project / name).read_bytes()))
    for name in ("runs.jsonl", "runs.jsonl.gz", "runs.csv", "runs.csv.gz"):
        assert reeve("horizon", name, "--json", "--resamples", "20").out == plain
    assert reeve("horizon", "runs.csv", "--json", "--resamples", "20", "--seed", "900").out != plain


def test_success_by_chain_is_in_the_json(reeve, project):
    some, steps, files = chain_world(2)
    name = written(project, rows_of(some, chain_steps=steps, files_touched=files))
    found = reeve("horizon", name, "--json", "--resamples", "20", "--by", "chain").json["axes"]
    agent = found["agents"][0]
    assert [each["variable"] for each in agent["effects"]][:3] == ["human_minutes", "files_touched", "chain_steps"]
    assert len(agent["cells"]) == len(found["minutes_bands"]) * len(found["chain_bands"]) == 9


# ---------------------------------------------------------------- what a person reads


def test_the_public_records_give_the_table(reeve):
    said = reeve("horizon", str(public(METR)), "--resamples", "100")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].split() == ["agent", "runs", "successes", "p50", "95", "%", "p80", "95", "%", "p95", "95", "%"]
    assert lines[1].startswith("human")
    assert "Claude 3.5 Sonnet (New)" in lines[2]
    assert " 61 min " in lines[2]
    assert "davinci-002: it failed in all 68 runs" in said.out
    assert "p50 doubles every 162 days" in said.out
    assert "plateau: cannot tell" in said.out


def test_one_agent_one_task_one_run_are_said(reeve, project):
    rows = rows_of(world(1))
    same = [row | {"task_id": "t", "task_family": "f", "human_minutes": 5} for row in rows]
    assert "all its tasks take the same time (5 min)" in reeve("horizon", written(project, same)).out
    won = rows[0] | {"score_binarized": 1}
    assert "it succeeded in its only run, at tasks of" in reeve("horizon", written(project, [won])).out
    assert "a trend needs 3 agents" in reeve("horizon", written(project, rows), "--resamples", "10").out


def test_one_end_is_said_where_runs_give_no_more(reeve, project):
    rows = rows_of(world(1), score_binarized=1)
    said = reeve("horizon", written(project, rows)).out.splitlines()[1]
    assert "to no upper end" in said
    assert said.split()[3] == "-"


def test_success_by_chain_is_a_table_of_its_own(reeve, project):
    some, steps, files = chain_world(2)
    rows = rows_of(some, chain_steps=steps, files_touched=files)
    rows += [row | {"alias": "zero", "run_id": f"z{row['run_id']}", "score_binarized": 0} for row in rows[:99]]
    rows += [row | {"task_id": "new", "task_family": "new", "chain_steps": None} for row in rows[:2]]
    said = reeve("horizon", written(project, rows), "--by", "chain", "--resamples", "50").out
    assert "a person needs" in said
    assert "human_minutes x chain_steps" in said
    assert "zero by chain: it succeeded or failed in all runs" in said
    assert "rule: 2 runs at tasks without chain_steps or files_touched left out of success by chain" in said


def test_a_narrow_terminal_gets_lines_that_say_what_each_number_is(project):
    some, steps, _ = chain_world(2)
    name = written(project, rows_of(some, chain_steps=steps))
    said = on_terminal(project, "horizon", name, "--by", "chain", "--resamples", "20", columns=50)
    for title in ("p50: ", "p80: ", "a person needs: ", "steps: ", "chain_steps: "):
        assert title in said


def suite(folder, name, *, stopped=False, seed=1, minutes=False):
    """Outcomes of three agents a quarter for three years at 150 tasks, without human minutes."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0.0, 1.5, 150)
    rows = []
    for number in range(36):
        years = number / 12
        able = 1.5 * min(years, 2.0 if stopped else 9.0) - 3.0 - 0.4 * (number % 3)
        for task, hard in enumerate(difficulty):
            won = bool(rng.random() < 1.0 / (1.0 + np.exp(hard - able)))
            day = date(2021, 1, 5) + timedelta(round(years * 365))
            row = {
                "alias": f"a{number}",
                "task_id": f"t{task}",
                "score_binarized": won,
                "release_date": day.isoformat(),
            }
            rows.append(row | ({"human_minutes": 1.0 + task} if minutes else {}))
    return written(folder, rows, name)


def test_the_plateau_is_tested_over_the_suites_of_several_files(reeve, project):
    first = suite(project, "one.jsonl", minutes=True)
    assert "the records name no suite" in reeve("horizon", first, "--resamples", "0").out
    said = reeve("horizon", first, "--suite", suite(project, "two.jsonl", seed=2), "--resamples", "0").out
    assert "plateau: none seen (p = " in said
    assert "power " in said
    stopped = suite(project, "one.jsonl", minutes=True, stopped=True)
    other = suite(project, "two.jsonl", seed=2, stopped=True)
    said = reeve("horizon", stopped, "--suite", other, "--resamples", "0", "--json")
    assert said.err == ""
    found = said.json["plateau"]
    assert [each["name"] for each in found["suites"]] == ["the runs", "two.jsonl"]
    assert found["found"] == "seen"
    assert date(2022, 6, 1) < date.fromisoformat(found["since"]) < date(2023, 9, 1)
    assert 0.0 < found["lost"] <= 1.0


def test_suites_that_contradict_each_other_are_refused(reeve, project):
    first, other = suite(project, "one.jsonl", minutes=True), suite(project, "two.jsonl", seed=2)
    assert "is named twice" in reeve("horizon", first, "--suite", other, "--suite", other).err
    rows = [{"alias": "a0", "task_id": "t", "score": 1, "release_date": "2020-01-01"}]
    said = reeve("horizon", first, "--suite", written(project, rows, "three.jsonl"))
    assert "'a0' was released on 2021-01-05 in one file and on 2020-01-01 in another" in said.err
    rows = [row | {"human_minutes": minutes} for row, minutes in zip(rows * 2, (5, None), strict=True)]
    said = reeve("horizon", first, "--suite", written(project, rows, "three.jsonl"))
    assert "three.jsonl:2: human_minutes must be a number above 0, but is missing" in said.err


# ---------------------------------------------------------------- hostile names

HOSTILE = "evil\x1b[31m\u202e\r\n</script><script>alert(1)</script>[red]x[/red]" + "y" * 5000


def test_names_can_do_nothing_to_a_terminal(reeve, project):
    rows = [*rows_of(world(1), names=[HOSTILE]), *rows_of(world(2), names=[f"{HOSTILE}2"], score_binarized=0)]
    rows = [row | {"run_id": None, "task_source": HOSTILE} for row in rows]
    some = written(project, rows)
    said = reeve("horizon", some, "--resamples", "10").out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[red]" in said or "y…" in said
    assert max(map(len, said.splitlines())) < 1000
    shown = on_terminal(project, "horizon", some, "--resamples", "10")
    assert "\x1b[31mevil" not in shown
    assert "evil\x1b[31m" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("kind", ["html", "svg"])
def test_names_can_do_nothing_to_a_page(reeve, project, kind):
    some, steps, _ = chain_world(1)
    name = written(project, rows_of(some, names=["</script><script>alert(1)</script>\x1b", "b"], chain_steps=steps))
    assert reeve("horizon", name, "--resamples", "10", "--by", "chain", "--plot", f"a.{kind}").code == 0
    page = (project / f"a.{kind}").read_text()
    assert "<script>alert" not in page
    assert "alert(1)" in page


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG\r\n"), ("svg", b"<svg"), ("HTML", b"<!DOCTYPE html>")])
def test_the_picture_is_drawn(reeve, project, kind, begin):
    some, steps, _ = chain_world(1)
    name = written(project, rows_of(some, chain_steps=steps))
    assert reeve("horizon", name, "--resamples", "10", "--by", "chain", "--plot", f"a.{kind}").code == 0
    assert (project / f"a.{kind}").read_bytes().lstrip().startswith(begin)


def test_a_picture_without_any_horizon_is_drawn_too(reeve, project):
    name = written(project, rows_of(world(1), score_binarized=0))
    assert reeve("horizon", name, "--plot", "a.svg").code == 0


# ---------------------------------------------------------------- progress


def test_progress_is_told_with_its_total(tmp_path):
    told = []
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(world(1))))
    report = horizon_report(read_runs(tmp_path / "a.jsonl"), resamples=250, progress=lambda *count: told.append(count))
    assert told == [(100, 250), (200, 250), (250, 250)]
    assert report.notes == ()
