"""A small repository in a store of ours, and scripts that change its workspaces the way an agent would."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
from reeve.adapters.trees.copy import CopyTrees
from reeve.adapters.trees.fake import FakeTrees
from reeve.adapters.trees.objects import GitObjects
from reeve.adapters.trees.overlay import OverlayTrees
from reeve.records import Limits, SandboxResult, SandboxRun, Workspace

PYTHON = os.path.realpath(sys.executable)
FILES = {
    "README": b"read me\n",
    "run.sh": b"#!/bin/sh\necho run\n",
    "src/a.py": b"one\ntwo\nthree\n",
    "src/deep/b.py": b"b\n",
    "tests/test_a.py": b"def test(): pass\n",
    "blob.bin": bytes(range(256)) * 4,
}


def missing(reason: str) -> None:
    """Skip at home; fail where every service must be there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Shop:
    """One kind of trees with what is needed to work in them."""

    kind: str
    root: Path
    objects: GitObjects
    trees: OverlayTrees | CopyTrees | FakeTrees
    base: str
    sandbox: BubblewrapSandbox = field(default_factory=BubblewrapSandbox)

    def open(self, tree: str | None = None, name: str = "t.1", layers: tuple[Path, ...] = ()) -> Workspace:
        return self.trees.open(tree or self.base, name, layers)

    def edit(self, workspace: Workspace, script: str) -> None:
        """Run a shell script in a workspace; it must succeed."""
        out = self.root / "edit.out"
        if self.kind == "fake":
            done = subprocess.run(["sh", "-ec", script], cwd=workspace.upper, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            return
        result = self.sandbox.run(SandboxRun(("sh", "-ec", script), workspace, Limits(), 120.0, str(out)))
        assert result.status == 0, (result, out.read_bytes())

    def run(self, workspace: Workspace, *argv: str, **more: object) -> tuple[SandboxResult, str]:
        """Run a command behind walls; returns the result and what it printed."""
        out = self.root / "run.out"
        limits = more.pop("limits", Limits())
        seconds = more.pop("wall_seconds", 120.0)
        result = self.sandbox.run(SandboxRun(argv, workspace, limits, seconds, str(out), **more))
        return result, out.read_text(encoding="utf-8", errors="replace")

    def tree(self, files: dict[str, bytes | None], tree: str | None = None) -> str:
        """Make the tree that ought to come out."""
        put = {path: None if content is None else (content, False) for path, content in files.items()}
        return self.objects.write(tree or self.base, put)


def make_repo(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    folder.mkdir(parents=True)
    for name, content in (FILES if files is None else files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if files is None:
        (folder / "run.sh").chmod(0o755)
        (folder / "link").symlink_to("src/a.py")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "base")
    return folder


def git(folder: Path, *args: str, stdin: bytes = b"") -> bytes:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nowhere"}
    me = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "safe.directory=*"]
    return subprocess.run(["git", *me, *args], cwd=folder, input=stdin, env=env, check=True, capture_output=True).stdout


def make_shop(kind: str, root: Path) -> Shop:
    objects = GitObjects(root / "objects.git")
    trees = {"overlay": OverlayTrees, "copy": CopyTrees, "fake": FakeTrees}[kind](root, objects)
    base = objects.import_base(make_repo(root / "repo"), "HEAD").tree
    shop = Shop(kind, root, objects, trees, base)
    if kind != "fake" and (problem := shop.sandbox.trial(kind, root)):
        missing(problem)
    return shop
