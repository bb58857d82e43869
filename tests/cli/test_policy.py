"""`reeve policy` and `reeve audit`: a person sees in a minute why a result did or did not land without a look."""

import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

SETTINGS = """\
default_agents = ["mender"]
attempts = 1
[agents.mender]
kind = "command"
version = "7"
command = "sed -i s/broken/mended/ $(head -n 1 $REEVE_INSTRUCTION_FILE)"
[trust]
highest_escape_rate = 0.5
confidence = 0.5
audit_share = 1.0
"""
CELL = ["mender", "7", "commands"]


def git(folder: Path, *arguments: str) -> None:
    me = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *me, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def fleet(project, reeve):
    """Run tasks that each mend one file, with agent and checks bare: `fleet("a", "b")`."""
    (project / "reeve.toml").write_text(SETTINGS)
    (project / "backlog").mkdir()
    for name in "abcdef":
        (project / f"{name}.txt").write_text("broken\n")
        text = f'---\nid: {name}\nchecks:\n  commands: ["grep -q mended {name}.txt"]\n---\n{name}.txt\n'
        (project / "backlog" / f"{name}.md").write_text(text)
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "As it was")

    def run(*names: str):
        for name in names:
            said = reeve("run", "--sandbox", "none", name)
        return said

    return run


def earned(fleet, reeve) -> None:
    fleet("a", "b", "c")
    for name in "abc":
        assert reeve("accept", name, "--minutes", "2", "--sandbox", "none").code == 0


def test_without_a_ledger_it_says_what_a_new_one_begins_with(reeve, project):
    said = reeve("policy")
    assert said.code == 0
    assert "at most 5 % escapes, with 95 % confidence" in said.out
    assert "all of it waits for you, until 96 clean audits" in said.out
    found = reeve("policy", "--json").json
    assert (found["land"], found["cells"], found["clean_audits_of_a_new_cell"]) == ("trusted", [], 96)
    assert not (project / ".reeve").exists()


def test_it_says_of_whom_what_may_land_and_what_is_missing(fleet, reeve):
    assert fleet("a").code == 3  # something needs a person
    assert reeve("accept", "a", "--minutes", "2", "--sandbox", "none").code == 0
    (row,) = [line for line in reeve("policy").out.splitlines() if line.startswith("mender")]
    assert row.split()[:4] == ["mender", "7", "commands", "parser"]
    assert "no: not certified yet" in row
    assert "1 clean of 1 audit so far, 2 more clean ones would certify at most 50 % escapes" in row
    fleet("b", "c")
    for name in "bc":
        reeve("accept", name, "--minutes", "2", "--sandbox", "none")
    assert fleet("d").code == 0  # it landed without a look
    (cell,) = reeve("policy", "--json").json["cells"]
    assert (cell["state"], cell["may_land"], cell["unseen"], cell["waiting"]) == ("certified", True, 1, 1)
    assert [cell["cell"][name] for name in ("agent", "version", "kind")] == CELL


def test_it_says_what_confidences_are_made_of(fleet, reeve):
    fleet("a")
    assert "Confidences are the verdicts' own: 0 right and 0 wrong results to fit to" in reeve("policy").out
    found = reeve("policy", "--json").json
    assert found["confidences"]["fit"] is None
    (cell,) = found["cells"]
    assert (cell["fit"], cell["no_fit"]) == (None, found["confidences"]["reason"])


def test_an_audit_is_asked_for_answered_and_its_minutes_and_reviewer_are_kept(fleet, reeve):
    earned(fleet, reeve)
    fleet("d")
    (item,) = reeve("inbox", "--json").json["items"]
    assert (item["need"], item["attempt"], item["lines"]) == ("audit", "d.1", 2)
    assert 'reeve audit d wrong -m "why"' in item["next"]
    assert "drawn for an audit" in reeve("inbox").out
    assert "1 audit of what landed without a look: `reeve inbox` shows which." in reeve("status").out
    said = reeve("audit", "d", "wrong", "--minutes", "4")
    assert (said.code, "say what is wrong" in said.err) == (2, True)
    said = reeve("audit", "d", "wrong", "-m", "it mends too much", "--minutes", "4", "--json")
    assert (said.json["outcome"], said.json["minutes"], said.json["attempt"]) == ("wrong", 4.0, "d.1")
    (review,) = reeve("show", "d", "--json").json["reviews"]
    assert (review["kind"], review["escape"], review["minutes"], bool(review["reviewer"])) == ("wrong", True, 4.0, True)
    assert "1 audit" not in reeve("status").out
    (item,) = reeve("inbox", "--json").json["items"]
    assert item["need"] == "wrong"
    assert "an audit found it wrong: it mends too much" in item["reason"]
    (row,) = [row for row in reeve("status", "--json").json["tasks"] if row["id"] == "d"]
    assert (row["status"], bool(row["landed"]), row["human_minutes"]) == ("landed", True, 4.0)


def test_a_decision_is_explained_by_rule_and_numbers_and_computed_again(fleet, reeve):
    earned(fleet, reeve)
    fleet("d")
    said = reeve("policy", "explain", "d")
    assert said.code == 0
    assert said.out.startswith("d#1: land\n  rule     land = trusted: certified\n")
    assert "3 clean of 3 audits certify at most 50 % escapes with 50 % confidence" in said.out
    assert re.search(r"  level    everything: 3 clean of 3 audits, evidence \S+ of 4, certified\n", said.out)
    assert "computed again from the ledger: the same" in said.out
    (found,) = reeve("policy", "explain", "a.1", "--json").json["decisions"]
    assert (found["same"], found["stored"]["action"], found["stored"]["numbers"]["audits"]) == (True, "ask", 0.0)
    assert found["stored"]["reason"] in reeve("show", "a").out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["everything"], "the one word it takes is `explain`"),
        (["explain"], "the one word it takes is `explain`"),
        (["explain", "z"], "no task 'z' in the ledger"),
        (["explain", "a.9"], "no attempt 'a.9'"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_line(fleet, reeve, words, complaint):
    fleet("a")
    said = reeve("policy", *words)
    assert said.code == 2
    assert complaint in said.err


def test_a_number_that_the_key_did_not_give_is_named(fleet, reeve, project):
    fleet("a")
    assert reeve("policy", "--json").json["draws_unlike_the_key"] == []
    key = project / ".reeve" / "audit.key"
    key.rename(project / "kept")
    assert reeve("policy", "--json").json["draws_unlike_the_key"] == []  # nothing can be said without it
    (project / "kept").rename(key)
    ledger = project / ".reeve" / "ledger.db"
    with sqlite3.connect(ledger) as connection:
        connection.execute("DROP TRIGGER no_update")
        connection.execute("UPDATE facts SET body = json_set(body, '$.number', 0.987) WHERE kind = 'draw'")
    connection.close()
    assert reeve("policy", "--json").json["draws_unlike_the_key"] == ["a.1"]
    assert "1 draw not made with the secret key: a.1" in reeve("policy").out
