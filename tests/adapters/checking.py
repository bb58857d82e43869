"""A place to measure in: real trees, the real sandbox, an environment with pytest, and the verdict on what comes of it."""

import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reeve.adapters.checks.measure import SandboxedCheck
from reeve.adapters.environments.fake import WITH_PYTEST, copied_environment
from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
from reeve.adapters.stores.memory import MemoryStore
from reeve.adapters.trees.objects import GitObjects
from reeve.adapters.trees.overlay import OverlayTrees
from reeve.ports import CheckRequest
from reeve.records import Base, Checks, Environment, Limits, Measurement, Patch, RepoSource, Task, Verdict
from reeve.verdict.examined import examined_tree
from reeve.verdict.judge import judge
from reeve.verdict.recheck import recheck


def real_sandbox() -> BubblewrapSandbox:
    """Give the sandbox; where the machine has none the test is skipped, except where that must not happen."""
    sandbox = BubblewrapSandbox()
    if problem := sandbox.available():
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    return sandbox


@dataclass
class Place:
    """One object store and one environment, shared by many small trees."""

    folder: Path
    sandbox: BubblewrapSandbox
    environment: Environment
    limits: Limits = field(default_factory=lambda: Limits(check_seconds=120))  # far more than any test here needs
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.objects = GitObjects(self.folder / "objects.git")
        self.trees = OverlayTrees(self.folder, self.objects)
        self.check = SandboxedCheck(
            self.sandbox, self.trees, self.objects, self.store, programs=self.folder / "programs"
        )

    def tree(self, files: dict[str, str], base: str | None = None) -> str:
        """Make a tree of text files; with `base` these replace its own, and None removes."""
        if base is None:
            base = self.empty
        put = {path: None if text is None else (text.encode(), False) for path, text in files.items()}
        return self.objects.write(base, put)

    @property
    def empty(self) -> str:
        """The tree of an empty commit."""
        repo = self.folder / "empty"
        if not repo.exists():
            repo.mkdir()
            me = ("-c", "user.name=t", "-c", "user.email=t@t")
            for command in (("init", "-q"), (*me, "commit", "-q", "--allow-empty", "-m", "none")):
                subprocess.run(["git", "-C", str(repo), *command], check=True, capture_output=True)
        return self.objects.import_base(repo, "HEAD").tree

    def request(self, tree: str, checks: Checks, *, base: str | None = None, **more: object) -> CheckRequest:
        given = {"environment": self.environment, "limits": self.limits, "env": {}} | more
        return CheckRequest(tree, base or tree, checks, **given)

    def measure(self, tree: str, checks: Checks, **more: object) -> Measurement:
        """Measure one tree."""
        return self.check.measure(self.request(tree, checks, **more))

    def verdict(self, base: str, changed: dict[str, str | None], checks: Checks, **more: object) -> Verdict:
        """Judge a result as the loop does: protected paths put back, measured, looked at twice."""
        task = Task("t", "do it", RepoSource(path="."), checks=checks)
        tree = self.tree(changed, base)
        patch = Patch(base, tree, changes=tuple(self.objects.changes(base, tree)))
        examined = examined_tree(self.objects, task, base, tree)
        before = self.measure(base, checks, **more)
        request = self.request(examined.tree, checks, base=base, **more)
        after = self.check.measure(request)
        return judge(
            task,
            id="t.1",
            attempt="t.1",
            patch=patch,
            tree=examined.tree,
            base=before,
            result=after,
            environment=self.environment,
            restored=examined.restored,
            recheck=recheck(self.check, task, request, before, after),
        )


def place(folder: Path, packages: tuple[str, ...] = WITH_PYTEST) -> Place:
    """Make a place; a folder per test module is enough."""
    environment = copied_environment(folder / "env", packages)
    state = folder / "state"
    state.mkdir()
    return Place(state, real_sandbox(), environment)


def with_limits(given: Place, **limits: object) -> Place:
    """The same place with other limits."""
    return replace(given, limits=replace(given.limits, **limits), store=MemoryStore())


__all__ = ["Base", "Place", "place", "real_sandbox", "with_limits"]
