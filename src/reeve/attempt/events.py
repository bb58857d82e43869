"""What an agent printed, as the events of a trajectory. All of it is hostile input; the raw bytes stay the artefact."""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reeve.records import Declined, Declines, Event
from reeve.units import plural

__all__ = ["KINDS", "Heard", "declined_in", "events_of", "heard", "in_words", "larger", "printable", "spent"]

KINDS = (
    "text", "thought", "plan", "tool_call", "file_change", "usage",
    "permission", "check_in", "told", "declined", "result",
)  # fmt: skip
FURTHER = ("id", "tool", "status", "input", "output", "action", "command")
ALWAYS_KEPT = ("declined", "result")

MAX_TEXT = 4_000  # characters of one text
MAX_PATHS = 100
LINES_SHOWN = 12
MAX_JSON_BYTES = 2**20  # a longer line is text, not an event
FIRST_EVENTS = 4_000
LAST_EVENTS = 1_000

ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)|[@-Z\\^_])")
UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """One event as it was printed, with what only some kinds say: totals so far, and why nothing is delivered."""

    event: Event
    tokens: float | None = None
    usd: float | None = None
    declined: Declined | None = None


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
    for each in heard(raw, at_utc=at_utc):
        event = each.event
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
    for each in heard(raw):
        tokens, usd = larger(tokens, each.tokens), larger(usd, each.usd)
    return (None if tokens is None else int(tokens)), usd


def declined_in(raw: bytes) -> Declined | None:
    """Return why the agent says that it delivers nothing; the last such word counts. None: it never said so."""
    said = None
    for each in heard(raw):
        said = each.declined or said
    return said


def printable(text: str) -> str:
    """Make text safe to show: no terminal sequences, no control, direction or zero-width characters, no surrogates."""
    return UNPRINTABLE.sub(_escaped, ESCAPE_SEQUENCES.sub("", text.replace("\r\n", "\n")))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def heard(raw: bytes, *, at_utc: float = 0.0) -> Iterator[Heard]:
    """Read what was printed event by event, all of it; `events_of` says how."""
    free: list[str] = []
    size = 0
    for line in _lines(raw):
        found = _json_event(line, at_utc)
        text = "" if found else _cut(line)
        if free and (found or size + len(text) > MAX_TEXT):
            yield Heard(Event(at_utc, "text", "\n".join(free)))
            free, size = [], 0
        if found:
            yield found
        elif text.strip() or free:
            free.append(text)
            size += len(text) + 1
    if free:
        yield Heard(Event(at_utc, "text", "\n".join(free).rstrip("\n")))


def larger(known: float | None, said: float | None) -> float | None:
    """Return the larger of two totals; None: not known."""
    return known if said is None else said if known is None else max(known, said)


def in_words(event: Event) -> str:
    """Put an event into words: of a tool call how it stands, what went in and, once it has ended, what came out.

    Of what went in or came out at most LINES_SHOWN lines.
    """
    if event.kind == "tool_call":
        head = "  ".join(part for part in (event.tool, event.status, event.text) if part)
        ended = event.status in ("completed", "failed")
        body = event.output if ended else event.input
        shown = body.rstrip().split("\n") if body.strip() else []
        more = [f"... {plural(len(shown) - LINES_SHOWN, 'line')} more"] if len(shown) > LINES_SHOWN else []
        return "\n".join([head, *(f"| {line}" for line in shown[:LINES_SHOWN]), *more])
    if event.kind == "permission":
        asked = event.command or ", ".join(event.paths)
        return "  ".join(part for part in (event.action, asked, event.text) if part)
    if event.kind == "file_change":
        return "  ".join([*event.paths, event.text])
    return event.text


def _lines(raw: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", start)
        end = len(raw) if end < 0 else end
        yield raw[start:end]
        start = end + 1


def _json_event(line: bytes, at_utc: float) -> Heard | None:
    if line.lstrip()[:1] != b"{" or len(line) > MAX_JSON_BYTES:
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str) or data["kind"] not in KINDS:
        return None
    kind, text, declined = data["kind"], _text(data.get("text", "")), None
    if kind == "declined":
        if data.get("why") not in list(Declines):
            return None
        declined = Declined(Declines(data["why"]), text)
        text = f"{data['why']}: {text}"
    time = _amount(data.get("at_utc"))
    at = at_utc if time is None else time
    if kind == "usage":
        tokens, usd = _amount(data.get("tokens")), _amount(data.get("usd"))
        return Heard(Event(at, kind, text or _amounts(tokens, usd)), tokens, usd)
    return Heard(Event(at, kind, text, **_further(data)), declined=declined)


def _amounts(tokens: float | None, usd: float | None) -> str:
    counted = None if tokens is None else f"{tokens:,.0f} tokens"
    paid = None if usd is None else f"{usd:.4f} dollars"
    return ", ".join(part for part in (counted, paid) if part)


def _further(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that only some kinds have; a value of another type than theirs is shown as JSON."""
    found: dict[str, Any] = {name: _text(data[name]) for name in FURTHER if data.get(name) is not None}
    paths = data.get("paths", [data["path"]] if data.get("path") else [])
    if isinstance(paths, list):
        found["paths"] = tuple(_text(path) for path in paths[:MAX_PATHS])
    return found


def _text(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value)
    return _cut(shown.encode("utf-8", "replace"))


def _cut(line: bytes) -> str:
    # Cut before decoding: a line may be as long as all of the output.
    text = printable(line[: MAX_TEXT * 8].decode("utf-8", "replace"))
    if len(line) <= MAX_TEXT * 8 and len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]} [cut: {len(line)} bytes]"


def _amount(value: Any) -> float | None:
    """The value if it is a number that could be an amount or a time, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1e15 else None
