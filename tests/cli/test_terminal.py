"""What a terminal gets: colour, harmless patches, the clock of a person's minutes, a quiet end of a broken pipe."""

import json
import os
import pty
import subprocess
import sys

import pytest

from reeve.cli.progress import Progress, sentence
from reeve.ledger.views import task_views
from reeve.records import Action, KnownAnswer, Pause, Tight

REEVE = [sys.executable, "-m", "reeve.cli.main"]


def on_terminal(project, *arguments: str, columns: int = 100) -> str:
    """Run reeve on a real terminal and return what it wrote there."""
    outer, inner = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen([*REEVE, *arguments], cwd=project, stdin=inner, stdout=inner, stderr=inner, env=env)
    os.close(inner)
    said = b""
    while True:
        try:
            chunk = os.read(outer, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        said += chunk
    os.close(outer)
    process.wait()
    return said.decode()


def test_a_patch_is_coloured_and_harmless_on_a_terminal_and_starts_the_clock(story, project):
    story.task("t")
    story.attempt("t.1", diff=b"-old\n+new \x1b]0;owned\x07\x1b[2J\n")
    said = on_terminal(project, "diff", "t")
    assert "\x1b[31m-old" in said
    assert "\x1b[32m+new" in said
    assert "\x1b[2J" not in said
    assert "\x1b]0;" not in said
    assert "␛[2J" in said
    assert [fact.task for fact in story.store.facts(kind="looked")] == ["t"]
    on_terminal(project, "show", "t.1")
    assert len(story.store.facts(kind="looked")) == 1


def test_a_narrow_terminal_gets_a_list(story, project):
    story.landed("first-line")
    said = on_terminal(project, "status", columns=40)
    assert "why" not in said
    lines = [line.rstrip() for line in said.splitlines()]
    assert max(map(len, [line for line in lines if "\x1b" not in line])) <= 40


def test_nothing_is_coloured_for_a_pipe(story, project):
    story.landed("first-line")
    done = subprocess.run([*REEVE, "status"], cwd=project, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout


def test_a_reader_that_goes_away_ends_it_without_a_traceback(story, project):
    story.task("t")
    story.attempt("t.1", diff=b"+line\n" * 200_000)
    process = subprocess.Popen([*REEVE, "diff", "t"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert said == b""


# ---------------------------------------------------------------- the live picture


def picture(progress: Progress, width: int = 100) -> str:
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(progress.picture(console))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def test_a_run_shows_what_works_what_is_checked_and_what_waits(story, tmp_path):
    progress = Progress(tmp_path, lambda: story.now)
    tasks = [story.task(name) for name in ("a", "b", "c")]
    progress.begin(tasks, ())
    assert picture(progress) == (
        "┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  0 of 3 tasks  30 s\n"
        "  preparing: environments, and what the tests give before any change"
    )
    story.order("a.1")
    story.attempt("b.1")
    story.order("c.1")
    output = tmp_path / "attempts" / "a.1" / "output"
    output.parent.mkdir(parents=True)
    output.write_bytes(b'{"kind": "plan", "text": "look at\\nparser.py \\u001b[2J"}\n')
    for fact in story.store.facts():
        progress.see(fact)
    assert picture(progress) == (
        "┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  0 of 3 tasks  50 s\n"
        "  a.1  repair  at work   0.0 s  parser.py\n"
        "  b.1  repair  checking  0.0 s  its checks run again, elsewhere\n"
        "  c.1  repair  waiting   0.0 s  for a worker"
    )


@pytest.mark.parametrize("width", [60, 80, 100])
def test_however_long_what_an_agent_says_the_columns_before_it_stay_whole(story, tmp_path, width):
    progress = Progress(tmp_path, lambda: story.now)
    progress.begin([story.task("a")], ())
    story.order("a.1")
    output = tmp_path / "attempts" / "a.1" / "output"
    output.parent.mkdir(parents=True)
    output.write_text(json.dumps({"kind": "text", "text": "word " * 100}))
    for fact in story.store.facts():
        progress.see(fact)
    row = picture(progress, width).splitlines()[-1]
    assert row.startswith("  a.1  repair  at work  0.0 s  word word")
    assert len(row) <= width


def test_a_run_shows_who_waits_for_memory_and_says_where_it_is_tight(story, tmp_path):
    progress = Progress(tmp_path, lambda: story.now)
    progress.begin([story.task("a")], ())
    story.order("a.1")
    for fact in story.store.facts():
        progress.see(fact)
    progress.waits = {"a.1": "for memory: needs 3.1 GB, 1.0 GB of 8.0 GB free"}.get
    assert picture(progress).endswith("  a.1  repair  waiting  0.0 s  for memory: needs 3.1 GB, 1.0 GB of 8.0 GB free")
    tight = story.tell("tight", "a.1", "a", Tight("a.1", 4096.0, 1024.0))
    assert sentence(tight) == "a.1 may need 4.0 GB of memory, 1.0 GB are free; it begins, since no other runs"


def test_a_run_shows_which_provider_has_everybody_wait_and_until_when(story, tmp_path):
    progress = Progress(tmp_path, lambda: story.now)
    progress.begin([story.task("a")], ())
    pause = story.tell("pause", "anthropic:1", "a", Pause("anthropic", story.now, story.now + 65, 529, "a.1"))
    progress.see(pause)
    line = "anthropic paused until 14:14:35 UTC: it said so itself, with status 529"
    assert picture(progress).splitlines()[-1] == f"  {line}"
    assert sentence(pause) == line
    assert not progress.did_something
    story.now += 65
    assert "paused" not in picture(progress)


def test_a_run_counts_what_is_done_already_and_what_comes_to_its_end(story, tmp_path):
    story.fleet()
    tasks = [view.task for view in task_views(story.store) if view.id in ("first-line", "dates", "names")]
    progress = Progress(tmp_path, lambda: story.now)
    progress.begin(tasks, task_views(story.store))
    assert picture(progress).splitlines()[0].endswith("2 of 3 tasks  1 landed  1 failed  0.0 s")
    assert not progress.did_something


def test_what_is_mixed_in_is_shown_at_work_and_counts_for_nothing(story, tmp_path):
    progress = Progress(tmp_path, lambda: story.now)
    progress.begin([story.task("a")], ())
    story.order("a.1")
    story.answered("a-12ab", KnownAnswer.IMPOSSIBLE, "failed")
    story.answered("a-34cd", KnownAnswer.SOLVED, "")
    for fact in story.store.facts():
        progress.see(fact)
    progress.settled("a-12ab", Action.GIVE_UP)
    lines = picture(progress).splitlines()
    assert "0 of 1 task  " in lines[0]
    assert [line.split()[:4] for line in lines[1:]] == [
        ["a-12ab.1", "repair", "(known", "answer)"],
        ["a-34cd.1", "repair", "(known", "answer)"],
        ["a.1", "repair", "waiting", "0.0"],
    ]


def test_every_step_of_a_run_is_one_plain_line(story):
    story.fleet()
    lines = [line for fact in story.store.facts() if (line := sentence(fact))]
    assert lines[:6] == [
        "first-line environment ready (3.0 s)",
        "first-line.1 begins: repair, round 1, 1 of 1",
        "first-line.1 ended: finished, 2 lines, 12 s",
        "first-line.1 passed: 1 required test passed that did not pass at the base, and none of 41 tests fails",
        "first-line decision: land: first-line.1 passed: the only one that passed",
        "first-line.1 landed as 318f0fcb78: on its base",
    ]
    assert "speed-a environment failed: pip could not install 'numpyy': no such project (3.0 s)" in lines
