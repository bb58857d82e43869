"""The person's repository, through git's plumbing: read commits, bring in new objects, move one branch.

The repository is the person's own, never an agent's, so its configuration may apply; still nothing that runs a
program is left on (hooks, signing, external filters), because landing must not depend on it.
"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from reeve.errors import RepositoryError
from reeve.ports import LandingLock

__all__ = ["GitRepository"]

PLAIN = (
    "--no-replace-objects",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "gc.auto=0",
    "-c", "core.commitGraph=false",
)  # fmt: skip
FALLBACK = ("reeve", "reeve@localhost")


class GitRepository:
    """Port Repository on git. `pack(tree, known)` gives what a tree of our store has beyond another, as a git pack.

    Commits carry the identity given as `author`, else the one that git is configured with, else reeve's own.
    """

    def __init__(self, pack: Callable[[str, str], bytes], author: tuple[str, str] | None = None) -> None:
        self._pack = pack
        self._author = author

    def head(self, repo: str, branch: str) -> str | None:
        """Return the commit of a branch, or None if there is no such branch."""
        return self._git(repo, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", fails=True)

    def checked_out(self, repo: str, branch: str) -> str | None:
        """Return the folder in which somebody has the branch checked out, or None."""
        listing = self._git(repo, "worktree", "list", "--porcelain") or ""
        folder = None
        for line in listing.splitlines():
            if line.startswith("worktree "):
                folder = line.removeprefix("worktree ")
            elif line == f"branch refs/heads/{branch}":
                return folder
        return None

    def landed(self, repo: str, branch: str, marker: str) -> str | None:
        """Find the newest commit on the branch whose message has `marker` as a whole line, or None."""
        if self.head(repo, branch) is None:
            return None
        found = self._git(
            repo, "log", "--fixed-strings", f"--grep={marker}", "--format=%H%x00%B%x01", f"refs/heads/{branch}"
        )
        for entry in (found or "").split("\x01"):
            commit, _, body = entry.strip("\n").partition("\0")
            if marker in body.splitlines():
                return commit
        return None

    def commit(self, repo: str, tree: str, parent: str, message: str) -> str:
        """Bring a tree of our object store into the repository as a commit on `parent`; moves no branch."""
        known = self._git(repo, "rev-parse", "--verify", "--quiet", f"{parent}^{{tree}}") or ""
        self._git(repo, "unpack-objects", "-q", stdin=self._pack(tree, known))
        made = self._git(
            repo, "commit-tree", tree, "-p", parent, "--no-gpg-sign", stdin=message.encode(), env=self._identity(repo)
        )
        if made is None:
            raise RepositoryError(f"making a commit in {repo}: git printed no commit id")
        return made

    def advance(self, lock: LandingLock, branch: str, new: str, old: str | None) -> bool:
        """Move the branch from exactly `old` (None: it is new) to `new`; False if it was elsewhere."""
        expected = old or "0" * len(new)
        ref = f"refs/heads/{branch}"
        done = self._git(
            lock.repository, "update-ref", "-m", "reeve: landing", "--create-reflog", ref, new, expected, fails=True
        )
        if done is None and self.head(lock.repository, branch) == old:
            raise RepositoryError(f"moving {branch} in {lock.repository}: git refuses to write the branch")
        return done is not None

    def _identity(self, repo: str) -> dict[str, str]:
        name, email = self._author or (
            self._git(repo, "config", "user.name", fails=True) or FALLBACK[0],
            self._git(repo, "config", "user.email", fails=True) or FALLBACK[1],
        )
        now = f"{int(time.time())} +0000"
        return {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
            "GIT_AUTHOR_DATE": now,
            "GIT_COMMITTER_DATE": now,
        }

    def _git(
        self,
        repo: str,
        *arguments: str,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
        fails: bool = False,
    ) -> str | None:
        """Run git and return what it printed; with `fails`, None says that it ended with an error."""
        home = os.environ.get("HOME")
        clean = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(env or {})}
        clean |= {"HOME": home} if home else {}
        command = ["git", *PLAIN, "-c", f"safe.directory={Path(repo).resolve()}", "-C", repo, *arguments]
        done = subprocess.run(command, input=stdin or b"", capture_output=True, env=clean, check=False)
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "surrogateescape").strip("\n")
        if fails:
            return None
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        raise RepositoryError(f"running `git {arguments[0]}` in {repo}: {said}")
