"""A challenger that runs nothing: for trying out what becomes of a challenge, and for tests, ours and yours."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reeve.ports import ChallengeRequest
from reeve.records import Canary, CanaryKind, Challenge, TestOutcome

__all__ = ["FakeChallenger", "agreeing"]


def agreeing(request: ChallengeRequest) -> Challenge:
    """Find everything as it was measured, and every canary as it must be."""
    fails = Canary(CanaryKind.MUST_FAIL, "test_fake.py::test_fails", outcome=TestOutcome.FAILED)
    holds = Canary(CanaryKind.MUST_PASS, "test_fake.py::test_holds", outcome=TestOutcome.PASSED)
    canaries = (fails, holds) if request.canaries else ()
    return Challenge("fake", request.check.tree, request.seed or 0, again=dict(request.tests), canaries=canaries)


@dataclass
class FakeChallenger:
    """Port Challenger. `requests` are those that were made; `answer` says what came of each."""

    answer: Callable[[ChallengeRequest], Challenge] = agreeing
    requests: list[ChallengeRequest] = field(default_factory=list)

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Answer at once."""
        self.requests.append(request)
        return self.answer(request)
