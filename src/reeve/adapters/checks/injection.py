"""Where small defects can be put into a project, and which of its lines its tests run: found in the sandbox.

The answers come from processes beside the project's own code, so they are claims about places: what is put there is
composed here, and what comes of it is measured like any other tree.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeve.adapters.agents.sources import source_hash
from reeve.adapters.checks.clean import CleanTree, regular_file
from reeve.adapters.checks.pytest_check import PLUGIN
from reeve.adapters.trees.objects import GitObjects
from reeve.errors import CheckError
from reeve.ports import CheckRequest, Sandbox, Trees
from reeve.records import Defect
from reeve.task.injected import Site, Sites

__all__ = ["Injector"]

PROGRAMS = Path(__file__).parent / "injector"
EXAMINER = Path(__file__).parent / "examiner"
REPAIR = Path(__file__).parents[1] / "agents" / "repair"
REPORT_BYTES = 64 << 20
MOST_FILES = 5000
LIST_SECONDS = 120.0
TRACED = 10.0
"""How many times as long as otherwise a suite may take that is followed line by line."""


@dataclass(frozen=True)
class Injector:
    """Finds places for defects in a tree of the object store."""

    sandbox: Sandbox
    trees: Trees
    objects: GitObjects
    stop: Callable[[], bool] | None = None

    @property
    def version(self) -> str:
        """Name the programs: of other ones the same seed draws other places."""
        return f"{source_hash(PROGRAMS)}-{source_hash(EXAMINER)}-{source_hash(REPAIR)}"

    def sites(self, request: CheckRequest, wanted: Callable[[str], bool], *, most: int, seed: int) -> Sites:
        """Draw at most so many places in the files that are wanted, by path, each line with the same chance.

        Raises CheckError where they cannot be listed, Interrupted when `stop` says so.
        """
        paths = [path for path in self.objects.paths(request.tree) if wanted(path)][:MOST_FILES]
        clean = CleanTree(
            self.sandbox, self.trees, request.tree, request.environment, request.limits, request.env, self.stop
        )
        listed = self._listed(clean, paths, most, seed)
        covered = self._covered(clean, request, sorted({str(each["path"]) for each in listed["sites"]}))
        found = [site for each in listed["sites"] if (site := self._site(request.tree, each, covered)) is not None]
        notes = []
        if listed["unreadable"]:
            notes.append(f"{len(listed['unreadable'])} source files are no Python of this interpreter, or not UTF-8")
        if found and covered is None:
            notes.append("which lines the tests run could not be followed")
        return Sites(tuple(found), int(listed["lines"]), tuple(notes))

    def _listed(self, clean: CleanTree, paths: Sequence[str], most: int, seed: int) -> dict[str, Any]:
        name = secrets.token_hex(8)
        with clean.run(
            (clean.python, "-S", "-B", "/reeve/injector/sites.py", "/out/plan", f"/out/{name}", "/reeve/examiner",
             "/reeve/repair"),
            seconds=LIST_SECONDS,
            env={"PYTHONPATH": ""},
            binds={"/reeve/injector": str(PROGRAMS), "/reeve/examiner": str(EXAMINER), "/reeve/repair": str(REPAIR)},
            given={"plan": json.dumps({"files": list(paths), "most": most, "seed": seed}).encode()},
        ) as done:  # fmt: skip
            found = _object(regular_file(done.out / name, REPORT_BYTES))
            if found is None:
                said = done.log.strip().splitlines()[-1:] or [done.result.reason]
                raise CheckError(f"listing places for defects: no answer; it printed: {said[0][:300]}")
            return found

    def _covered(
        self, clean: CleanTree, request: CheckRequest, paths: Sequence[str]
    ) -> Mapping[str, frozenset[int]] | None:
        """Run the suite once and follow it; None where that gave nothing."""
        name = secrets.token_hex(8)
        plan = {"arguments": list(request.checks.pytest_args), "paths": [], "select": None, "leave_out": []}
        with clean.run(
            (clean.python, "-B", "/reeve/injector/trace.py", "/out/files", f"/out/{name}", "/reeve/pytest/run.py",
             "/reeve/plan.json"),
            seconds=clean.limits.check_seconds * TRACED,
            env={"REEVE_REPORT": f"/out/{name}.jsonl"},
            binds={"/reeve/injector": str(PROGRAMS), "/reeve/pytest": str(PLUGIN)},
            given={"files": json.dumps({"files": list(paths)}).encode()},
            shown={"/reeve/plan.json": json.dumps(plan).encode()},
        ) as done:  # fmt: skip
            found = _object(regular_file(done.out / name, REPORT_BYTES)) or {}
        lines = {path: frozenset(rows) for path, rows in found.items() if isinstance(rows, list)}
        return lines if any(lines.values()) else None

    def _site(self, tree: str, told: Any, covered: Mapping[str, frozenset[int]] | None) -> Site | None:
        """Put the defect into the file; None where what was told does not fit it."""
        try:
            path, start, end = str(told["path"]), int(told["start"]), int(told["end"])
            text = (self.objects.read(tree, path) or b"").decode()
            if not 0 <= start <= end <= len(text):
                return None
            changed = f"{text[:start]}{told['new']}{text[end:]}".encode()
            defect = Defect(path, int(told["line"]), str(told["was"]), str(told["now"]), noticed=False)
            first, last = (int(line) for line in told["statement"])
        except (KeyError, TypeError, ValueError):
            return None
        ran = None if covered is None else any(first <= line <= last for line in covered.get(path, ()))
        return None if changed == text.encode() else Site(defect, changed, ran)


def _object(content: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
