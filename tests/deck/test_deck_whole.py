"""The whole way, as a person goes it: a backlog, a run beside the deck, a look, a decision, a landing; nothing typed."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect
from served import serving

LONG = 120_000


def git(folder, *arguments) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A repository with two broken files and a task for each, whose results wait for a person."""
    folder = tmp_path / "parser"
    (folder / "backlog").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.org")
    (folder / "reeve.toml").write_text(
        'setup = "true"\ndefault_agents = ["fixer"]\nattempts = 1\n[agents.fixer]\nkind = "command"\n'
        'command = \'echo looking; grep -q "two.txt alone" $REEVE_INSTRUCTION_FILE && files=two.txt || files=*.txt; '
        "sed -i s/broken/fixed/ $files'\n"
    )
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text("broken\n")
        text = f'---\nchecks:\n  commands: ["grep -q fixed {name}.txt"]\n---\nMend {name}.txt.\n'
        (folder / "backlog" / f"{name}.md").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "As it was")
    return folder


def reeve_run(folder) -> int:
    command = [sys.executable, "-m", "reeve.cli.main", "run"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 3), done.stderr
    return done.returncode


def test_from_a_backlog_to_an_accepted_review(project, browser):
    with serving(project) as served:
        context = browser.new_context()
        page = context.new_page()
        page.goto(served.entrance)
        expect(page.locator("main")).to_contain_text("No task yet")
        assert reeve_run(project) == 3
        expect(page.locator("#row-one")).to_contain_text("needs-you", timeout=LONG)
        expect(page.locator("#row-two")).to_contain_text("needs-you", timeout=LONG)

        page.keyboard.press("g")
        page.keyboard.press("i")
        page.wait_for_url("**/inbox")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/task/one*")
        expect(page.locator(".diff .add").first).to_contain_text("fixed")
        with page.expect_response("**/look/one"):
            pass
        page.keyboard.press("a")
        page.wait_for_url("**/task/two*")
        expect(page.locator("#say")).to_contain_text("one.1 landed as", timeout=LONG)
        with page.expect_response("**/look/two"):
            page.reload()
        page.keyboard.press("r")
        page.keyboard.type("Change two.txt alone.")
        page.keyboard.press("Enter")
        page.wait_for_url("**/inbox*")
        expect(page.locator("#say")).to_contain_text("two.1 sent back", timeout=LONG)
        expect(page.locator("[data-part=items]")).to_contain_text("Nothing needs you.", timeout=LONG)
        page.goto(served.base)
        expect(page.locator("#row-one")).to_contain_text("landed as")
        expect(page.locator("#row-two")).to_contain_text("sent back, will be attempted again: Change two.txt alone.")
        assert reeve_run(project) == 3
        expect(page.locator("#row-two")).to_contain_text("needs-you", timeout=LONG)
        page.goto(f"{served.base}/task/two")
        expect(page.locator("#patch")).to_contain_text("Patch of two.2 1 added, 1 removed")
        with page.expect_response("**/look/two"):
            pass
        page.keyboard.press("a")
        page.wait_for_url("**/inbox*")
        expect(page.locator("#say")).to_contain_text("two.2 landed as", timeout=LONG)
        context.close()
        reviews = served.story.store.facts(kind="review")
        assert all(0 < fact.body["minutes"] < 5 for fact in reviews)
        assert all(fact.body["measured"] for fact in reviews)
    assert re.findall(r"^Task: (.*)$", git(project, "log", "--format=%B", "main..reeve/landed"), re.MULTILINE) == [
        "two",
        "one",
    ]
