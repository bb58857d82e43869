"""`reeve diff`."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from reeve.cli.looked import record_look
from reeve.cli.opened import ledger, project
from reeve.cli.options import AttemptOrTask, Json
from reeve.cli.output import note, print_json, safe, screen, write_bytes
from reeve.cli.start import patches_of
from reeve.errors import InputError
from reeve.ledger.views import AttemptView, TaskView, attempt_view, task_view
from reeve.ports import Store
from reeve.records import Attempt, Patch

Needed = Annotated[bool, typer.Option("--needed", help="Only the part that the checks need.")]


def diff(wanted: AttemptOrTask, *, needed: Needed = False, as_json: Json = False) -> None:
    """Print the patch of an attempt; for a task that of its landed, chosen or newest attempt.

    To a pipe or file it goes byte for byte, so `reeve diff ID | git apply` works.
    """
    store = ledger()
    view, attempt = result_of(store, wanted)
    content = patch_bytes(store, attempt.patch)
    if needed:
        content = _needed(view, attempt, content)
    if as_json:
        print_json({"id": wanted, "attempt": attempt.id, "patch": _text(content), **_about(attempt)})
    elif sys.stdout.isatty():
        record_look(store, view)
        _coloured(screen(), _text(content))
    else:
        write_bytes(content)
    if not content and not as_json:
        note(f"{attempt.id} changed nothing")


def result_of(store: Store, wanted: str) -> tuple[TaskView, Attempt]:
    """Find the finished attempt that is meant; raises InputError where there is none."""
    view, item = attempt_view(store, wanted) if "." in wanted else _of_task(task_view(store, wanted))
    if item.attempt is None:
        raise InputError(f"{item.id} is still at work; `reeve log {item.id} -f` follows it")
    return view, item.attempt


def patch_bytes(store: Store, patch: Patch) -> bytes:
    """Read the text of a patch; empty where nothing was changed."""
    return store.get(patch.diff) if patch.diff else b""


def _of_task(view: TaskView) -> tuple[TaskView, AttemptView]:
    ended = [item for item in view.attempts if item.attempt is not None]
    changed = [item for item in ended if item.attempt and not item.attempt.patch.empty]
    wanted = [view.chosen] if view.chosen else [*reversed(changed), *reversed(ended)]
    if not wanted:
        raise InputError(f"{view.id} has no finished attempt, so there is no patch: {view.reason}")
    return view, wanted[0]


def _needed(view: TaskView, attempt: Attempt, whole: bytes) -> bytes:
    """Leave out what the checks do not need; raises InputError where that was not measured."""
    item = view.attempt(attempt.id)
    verdict = item.verdict if item else None
    surplus = verdict.surplus if verdict else None
    if verdict is None or surplus is None:
        raise InputError(f"what of {attempt.id} the checks need was not measured; `reeve show {attempt.id}` says why")
    if not surplus.lines or not surplus.tree:
        return whole
    return patches_of(project()).diff(verdict.base_tree, surplus.tree)


def _about(attempt: Attempt) -> dict[str, object]:
    return {"lines": attempt.patch.lines, "changes": attempt.patch.changes, "refused": attempt.patch.refused}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _coloured(console: Console, text: str) -> None:
    for line in text.split("\n"):
        console.print(safe(line, style_of(line)), soft_wrap=True)


def style_of(line: str) -> str:
    """Choose the colour of a line of a patch."""
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
