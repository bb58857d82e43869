"""From the spec to the patched tree: the agent, top to bottom."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Optional

from .events import Events
from .rank import rank
from .search import Done, Over, Search
from .serve import Failure, run_fresh
from .spec import BadSpec, load
from .tree import Tree
from .wire import Gone

HERE = os.path.dirname(os.path.abspath(__file__))


def main(arguments: list[str]) -> int:
    """Run one attempt: ``--spec FILE``. Exit 0 whatever was found, 2 for a wrong call or spec."""
    if len(arguments) == 2 and arguments[0] == "--fresh":
        with open(arguments[1], encoding="utf-8") as stream:
            return run_fresh(json.load(stream))
    if len(arguments) != 2 or arguments[0] != "--spec":
        print("usage: python repair --spec SPEC.json", file=sys.stderr)
        return 2
    events = Events(os.dup(1))
    try:
        spec = load(arguments[1])
    except (BadSpec, OSError) as error:
        print(f"repair: {error}", file=sys.stderr)
        return 2
    temporary = tempfile.mkdtemp(prefix="repair-")
    tempfile.tempdir = temporary
    tree = Tree(os.getcwd(), spec.protected)
    command = [sys.executable, *(["-P"] if sys.version_info >= (3, 11) else []), "-B", HERE]
    search = Search(spec, tree, events, command)
    written: Optional[dict[str, bytes]] = None
    try:
        outcome, text, written = attempt(search)
    except Done as done:
        outcome, text = "declined", f"Nothing is to be done: {done}."
        events.emit("declined", text, why="already-done")
    except Failure as failure:
        outcome, text = "cannot", f"Nothing can be done: {failure}"
    except Gone as gone:
        outcome, text = "cannot", f"The project's tests ended the process that ran them: {gone}"
    finally:
        search.close()
        tree.restore()
        for path, data in (written or {}).items():
            tree.write(path, data)
        _remove(temporary)
    events.emit(
        "result", text, outcome=outcome, candidates_tried=search.tried, plausible=len(search.plausible),
        search_space=search.space, seconds=round(events.seconds(), 3),
    )  # fmt: skip
    return 0


def attempt(search: Search) -> tuple[str, str, Optional[dict[str, bytes]]]:
    """Outcome, one sentence, and the files of the patch."""
    if not search.spec.required:
        raise Failure("no required test was named")
    ended = False
    search.collect()
    search.trace()
    try:
        search.run()
    except Over:
        ended = True
    ranked = rank(search.plausible, search.sources, search.facts(), search.answers())
    chosen = search.confirm(ranked[:6])
    if chosen is not None:
        candidate = chosen.candidate
        where = f"{candidate.path}:{candidate.line}"
        text = (
            f"Patched {where} ({candidate.template}), one of {len(ranked)} plausible after {search.tried} candidates."
        )
        return "patched", text, search.edited(candidate)
    if ended:
        return "budget", f"The budget ended after {search.tried} of {search.space} candidates.", None
    return "exhausted", f"None of {search.tried} candidates held.", None


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
