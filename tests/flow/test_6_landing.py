"""What lands is the tree that was verified, on the head it was verified on, once."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reeve.adapters.trees.objects import GitObjects
from reeve.adapters.trees.repository import GitRepository
from reeve.durable.locks import landing_lock
from reeve.errors import RepositoryError
from reeve.landing.land import Ground, land
from reeve.records import (
    AgentSpec,
    Attempt,
    Ending,
    LandingOutcome,
    Outcome,
    Patch,
    RepoSource,
    Task,
    Verdict,
)

BRANCH = "reeve/landed"


def git(repo, *arguments):
    return subprocess.run(["git", "-C", repo, *arguments], check=True, capture_output=True, text=True).stdout.strip()


class Story:
    """A repository with one commit, our object store, and results that land."""

    def __init__(self, folder: Path):
        self.state = folder / "state"
        self.repo = folder / "repo"
        self.repo.mkdir()
        git(self.repo, "init", "-q", "-b", "main")
        (self.repo / "a.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\nseven\n")
        (self.repo / "b.txt").write_text("b\n")
        git(self.repo, "add", ".")
        git(self.repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "first")
        self.objects = GitObjects(self.state / "objects.git")
        self.repository = GitRepository(lambda tree, known: self.objects.pack([tree], [known]), ("reeve", "reeve@x"))
        self.base = self.objects.import_base(self.repo, "HEAD")
        self.verified = []
        self.moved_outcome = Outcome.PASSED

    def verify(self, at_head, tree):
        self.verified.append(tree)
        return Verdict("fix.1@head", "fix", "fix.1", at_head.tree, tree, self.moved_outcome, "as told")

    def land(self, name, files, *, task="fix", ledger="ledger-1"):
        tree = self.objects.write(self.base.tree, {path: (text.encode(), False) for path, text in files.items()})
        agent = AgentSpec("repair", "repair", "1")
        attempt = Attempt(
            name, task, 1, agent, self.base, Ending.FINISHED, "", Patch(self.base.tree, tree), "", 1, 1, 1
        )
        verdict = Verdict(name, task, name, self.base.tree, tree, Outcome.PASSED, "all passed")
        record = Task(id=task, instruction="# Make it right\nplease", repo=RepoSource(path=str(self.repo)))
        ground = Ground(BRANCH, ledger, self.repository, self.objects, self.verify)
        with landing_lock(self.state, str(self.repo)) as lock:
            return land(record, attempt, verdict, lock=lock, ground=ground)

    def head_tree(self):
        return git(self.repo, "rev-parse", f"{BRANCH}^{{tree}}")


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def lines(**changed):
    words = ["one", "two", "three", "four", "five", "six", "seven"]
    return "".join(f"{changed.get(word, word)}\n" for word in words)


def test_a_result_lands_byte_for_byte_with_trailers_and_the_person_keeps_branch_and_files(story):
    (story.repo / "b.txt").write_text("uncommitted\n")
    landing = story.land("fix.1", {"a.txt": lines(one="ONE")})
    assert landing.outcome is LandingOutcome.LANDED
    assert git(story.repo, "show", f"{BRANCH}:a.txt") == lines(one="ONE").strip()
    body = git(story.repo, "log", "-1", "--format=%B", BRANCH)
    assert body.splitlines() == [
        "Make it right",
        "",
        "Task: fix",
        "Attempt: fix.1 (ledger-1)",
        "Agent: repair 1",
        "Verdict: passed fix.1",
    ]
    assert git(story.repo, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert (story.repo / "b.txt").read_text() == "uncommitted\n"
    assert story.verified == []


def test_on_a_moved_head_the_merged_tree_is_verified_and_that_tree_lands(story):
    story.land("one.1", {"a.txt": lines(one="ONE")}, task="one")
    landing = story.land("two.1", {"a.txt": lines(seven="SEVEN")}, task="two")
    assert landing.outcome is LandingOutcome.LANDED
    assert story.verified == [story.head_tree()]
    assert git(story.repo, "show", f"{BRANCH}:a.txt") == lines(one="ONE", seven="SEVEN").strip()
    assert landing.verdict == "fix.1@head"


def test_a_result_that_does_not_hold_on_the_moved_head_bounces_and_moves_nothing(story):
    story.land("one.1", {"a.txt": lines(one="ONE")}, task="one")
    before = git(story.repo, "rev-parse", BRANCH)
    story.moved_outcome = Outcome.UNVERIFIED
    landing = story.land("two.1", {"b.txt": "c\n"}, task="two")
    assert (landing.outcome, landing.commit) == (LandingOutcome.BOUNCED, None)
    assert git(story.repo, "rev-parse", BRANCH) == before


def test_a_conflict_names_the_file_and_moves_nothing(story):
    story.land("one.1", {"a.txt": lines(one="ONE")}, task="one")
    before = git(story.repo, "rev-parse", BRANCH)
    landing = story.land("two.1", {"a.txt": lines(one="EINS")}, task="two")
    assert landing.outcome is LandingOutcome.CONFLICT
    assert "a.txt" in landing.reason
    assert git(story.repo, "rev-parse", BRANCH) == before


def test_landing_twice_is_one_commit_but_another_ledger_is_another_attempt(story):
    first = story.land("fix.1", {"a.txt": lines(one="ONE")})
    again = story.land("fix.1", {"a.txt": lines(one="ONE")})
    assert again.commit == first.commit
    assert git(story.repo, "rev-list", "--count", f"main..{BRANCH}") == "1"
    other = story.land("fix.1", {"b.txt": "c\n"}, ledger="ledger-2")
    assert other.commit != first.commit


def test_a_branch_that_is_checked_out_is_never_moved(story):
    git(story.repo, "checkout", "-q", "-b", BRANCH)
    with pytest.raises(RepositoryError, match="checked out"):
        story.land("fix.1", {"a.txt": lines(one="ONE")})
    assert git(story.repo, "rev-parse", BRANCH) == story.base.commit


def test_a_branch_that_moves_while_landing_is_not_overwritten(story):
    made = story.repository.commit
    moved = []

    def commit_and_be_overtaken(repo, tree, parent, message):
        new = made(repo, tree, parent, message)
        if not moved:
            other = git(
                story.repo,
                "-c",
                "user.name=P",
                "-c",
                "user.email=p@x",
                "commit-tree",
                f"{parent}^{{tree}}",
                "-p",
                parent,
                "-m",
                "else",
            )
            git(story.repo, "update-ref", f"refs/heads/{BRANCH}", other)
            moved.append(other)
        return new

    story.repository.commit = commit_and_be_overtaken
    landing = story.land("fix.1", {"a.txt": lines(one="ONE")})
    assert landing.outcome is LandingOutcome.LANDED
    assert landing.head == moved[0]
    assert git(story.repo, "rev-list", "--count", f"main..{BRANCH}") == "2"


def test_a_branch_that_cannot_be_written_is_an_error_with_its_name(story):
    git(story.repo, "update-ref", "refs/heads/reeve", "HEAD")  # a file where the branch needs a folder
    with pytest.raises(RepositoryError, match="reeve/landed"):
        story.land("fix.1", {"a.txt": lines(one="ONE")})


@pytest.mark.parametrize("commit", ["nowhere", "-q", "HEAD~9"])
def test_a_base_that_does_not_exist_is_a_clear_error(story, commit):
    with pytest.raises(RepositoryError, match="commit"):
        story.objects.import_base(story.repo, commit)


def test_hooks_of_the_repository_do_not_run(story):
    hook = story.repo / ".git" / "hooks" / "reference-transaction"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert story.land("fix.1", {"a.txt": lines(one="ONE")}).outcome is LandingOutcome.LANDED


def test_a_message_of_an_instruction_with_control_characters_is_one_clean_line(story):
    from reeve.landing.land import message

    agent = AgentSpec("repair", "repair", "1")
    attempt = Attempt("f.1", "f", 1, agent, story.base, Ending.FINISHED, "", Patch("t", "t"), "", 1, 1, 1)
    verdict = Verdict("f.1", "f", "f.1", "t", "t", Outcome.PASSED, "")
    task = Task(id="f", instruction="Do\x1b[31m it" + " now" * 60, repo=RepoSource())
    subject = message(task, attempt, verdict, "l").splitlines()[0]
    assert "\x1b" not in subject
    assert len(subject) <= 68
    empty = replace(task, instruction="\x1b\n")
    assert message(empty, attempt, verdict, "l").splitlines()[0] == "f"
