"""What an agent printed, as the events of a trajectory. All of it is hostile input; the raw bytes stay the artefact."""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from reeve.records import Declined, Declines, Event
from reeve.units import plural

__all__ = ["KINDS", "declined_in", "events_of", "printable", "spent"]

KINDS = ("text", "plan", "tool_call", "usage", "declined", "result")
ALWAYS_KEPT = ("declined", "result")

MAX_TEXT = 4_000  # characters of one event
MAX_JSON_BYTES = 2**20  # a longer line is text, not an event
FIRST_EVENTS = 4_000
LAST_EVENTS = 1_000

ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)|[@-Z\\^_])")
UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)


def events_of(raw: bytes, *, at_utc: float = 0.0) -> tuple[Event, ...]:
    """Read JSON lines (``{"kind": ..., "text": ...}``) and free text, whatever stands there; never raises.

    Free lines that follow each other become one event. Texts are cut at MAX_TEXT characters. Of too many events
    the first and the last are kept, with a word on how many are missing between them; the last result and the last
    word that declines are kept among those. `at_utc` is the time of events that do not say theirs in ``at_utc``.
    """
    first: list[Event] = []
    last: deque[Event] = deque(maxlen=LAST_EVENTS)
    kept: dict[str, Event] = {}
    dropped = 0
    for event, _ in _events(raw, at_utc):
        if len(first) < FIRST_EVENTS:
            first.append(event)
            continue
        if len(last) == LAST_EVENTS:
            dropped += 1
            if last[0].kind in ALWAYS_KEPT:
                kept.pop(last[0].kind, None)  # so that what is kept stays in its order
                kept[last[0].kind] = last[0]
        last.append(event)
    gap = (Event(last[0].at_utc, "text", f"[{plural(dropped, 'event')} left out]"),) if dropped else ()
    return (*first, *gap, *kept.values(), *last)


def spent(raw: bytes) -> tuple[int | None, float | None]:
    """Return tokens and dollars: the largest totals that any usage event named so far; None: none did."""
    tokens: float | None = None
    usd: float | None = None
    for event, numbers in _events(raw, 0.0):
        if event.kind == "usage":
            tokens = _larger(tokens, numbers.get("tokens"))
            usd = _larger(usd, numbers.get("usd"))
    return (None if tokens is None else int(tokens)), usd


def declined_in(raw: bytes) -> Declined | None:
    """Return why the agent says that it delivers nothing; the last such word counts. None: it never said so."""
    said = None
    for event, data in _events(raw, 0.0):
        if event.kind == "declined":
            said = Declined(Declines(data["why"]), _text(data))
    return said


def printable(text: str) -> str:
    """Make text safe to show: no terminal sequences, no control, direction or zero-width characters, no surrogates."""
    return UNPRINTABLE.sub(_escaped, ESCAPE_SEQUENCES.sub("", text.replace("\r\n", "\n")))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _events(raw: bytes, at_utc: float) -> Iterator[tuple[Event, Mapping[str, Any]]]:
    free: list[str] = []
    size = 0
    for line in _lines(raw):
        found = _json_event(line, at_utc)
        text = "" if found else _cut(line)
        if free and (found or size + len(text) > MAX_TEXT):
            yield Event(at_utc, "text", "\n".join(free)), {}
            free, size = [], 0
        if found:
            yield found
        elif text.strip() or free:
            free.append(text)
            size += len(text) + 1
    if free:
        yield Event(at_utc, "text", "\n".join(free).rstrip("\n")), {}


def _lines(raw: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", start)
        end = len(raw) if end < 0 else end
        yield raw[start:end]
        start = end + 1


def _json_event(line: bytes, at_utc: float) -> tuple[Event, Mapping[str, Any]] | None:
    if line.lstrip()[:1] != b"{" or len(line) > MAX_JSON_BYTES:
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str) or data["kind"] not in KINDS:
        return None
    text = _text(data)
    if data["kind"] == "declined":
        if data.get("why") not in list(Declines):
            return None
        text = f"{data['why']}: {text}"
    time = _amount(data.get("at_utc"))
    return Event(at_utc if time is None else time, data["kind"], text), data


def _text(data: Mapping[str, Any]) -> str:
    text = data.get("text", "")
    shown = text if isinstance(text, str) else json.dumps(text)
    return _cut(shown.encode("utf-8", "replace"))


def _cut(line: bytes) -> str:
    # Cut before decoding: a line may be as long as all of the output.
    text = printable(line[: MAX_TEXT * 8].decode("utf-8", "replace"))
    if len(line) <= MAX_TEXT * 8 and len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]} [cut: {len(line)} bytes]"


def _larger(known: float | None, said: Any) -> float | None:
    amount = _amount(said)
    return known if amount is None else amount if known is None else max(known, amount)


def _amount(value: Any) -> float | None:
    """The value if it is a number that could be an amount or a time, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1e15 else None
