"""Which API a request is for, and how an error reads there."""

import re
from dataclasses import replace

from reeve.adapters.playback.apis import anthropic, chat, gemini, responses
from reeve.adapters.playback.apis.api import Api, compact
from reeve.adapters.playback.messages import Answer, Received
from reeve.adapters.playback.script import Fault
from reeve.adapters.playback.seen import Seen

__all__ = ["PATHS", "api_of", "failed", "fault_of", "refused"]

MAX_MESSAGE_CHARS = 2000

PATHS: tuple[tuple[re.Pattern[str], Api], ...] = (
    (re.compile(r"/messages$"), anthropic),
    (re.compile(r"/chat/completions$"), chat),
    (re.compile(r"/responses$"), responses),
    (re.compile(r"/models/(?P<model>[^/:]+):(?P<method>generateContent|streamGenerateContent)$"), gemini),
)
"""The end of an address says the API; whatever stands before it is somebody's prefix."""


def api_of(received: Received) -> Api:
    """Say which API is meant, also where the address does not tell."""
    for pattern, api in PATHS:
        if pattern.search(received.path):
            return api
    if "anthropic-version" in received.headers or "/messages" in received.path or received.path.endswith("/api/hello"):
        return anthropic
    return gemini if "x-goog-api-key" in received.headers or "/v1beta/" in received.path else chat


def failed(api: Api, fault: Fault, seen: Seen, *, before_seconds: float = 0.0) -> Answer:
    """Return an error as this API writes it."""
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    content = compact(api.failure(fault)).encode()
    seen = replace(seen, message=fault.message)
    return Answer(fault.status, [content], headers=headers, before_seconds=before_seconds, seen=seen)


def refused(received: Received, status: int, message: str) -> Answer:
    """Return an error in the form of the API that was asked."""
    return failed(api_of(received), fault_of(status, message), Seen())


def fault_of(status: int, message: str) -> Fault:
    """Make a fault whose message may quote the request: it is cut, and what is no valid text in it replaced."""
    return Fault(status=status, message=message[:MAX_MESSAGE_CHARS].encode("utf-8", "replace").decode())
