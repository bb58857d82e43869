"""Follow a running attempt: hear what it says, let it rest while it waits for a person, and say when it must end."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from reeve.attempt.events import Heard, heard, larger
from reeve.ports import Gateway
from reeve.records import Ending, Event, Limits
from reeve.units import duration

__all__ = ["RESTING", "Oversight", "Silent", "Talk"]

REPEATS = 10
"""So often the same action with the same result, without another between them, is no progress."""

WITHDRAWN = "cancelled"
CLOSED = (WITHDRAWN, "allowed", "rejected")
"""The status of a question that is none any more, in an event that names it again."""

QUESTIONS = 1_000
"""What one attempt may ask; whoever asks more wants nothing answered."""

CHUNK_BYTES = 2**20
RESTING = "resting"
"""File beside the output that is there for as long as the attempt waits for a person."""


class Talk(Protocol):
    """What is asked and answered between a running attempt and the people and rules outside."""

    def asked(self, event: Event) -> None:
        """Record what the attempt asks, and answer it where a rule does."""

    def withdrawn(self, event: Event) -> None:
        """Record that the attempt takes back what it asked, so that nobody is bothered with it."""

    def waits(self) -> bool:
        """Say whether it waits for a person."""

    def given_up(self) -> str:
        """Say why it must end because nobody answered; an empty string: it need not."""


class Silent:
    """A Talk with an attempt that cannot listen: what it asks, nobody hears."""

    def asked(self, event: Event) -> None:
        """Leave it."""

    def withdrawn(self, event: Event) -> None:
        """Nobody heard of it."""

    def waits(self) -> bool:
        """It waits for nobody."""
        return False

    def given_up(self) -> str:
        """Nobody was asked."""
        return ""


class Oversight:
    """Looks at one running attempt whenever `must_end` is called; `ending` and `reason` then say why it must.

    `idle_seconds` is the longest silence, in seconds of `clock` (monotonic); None: silence says nothing. What counts
    as a sign of life is an event, or an answer of a model that is no error: an agent that tries the same failing
    request for ever gives none. Time in which it waits for a person, or a provider asked to wait, does not count.
    """

    def __init__(
        self,
        attempt: str,
        limits: Limits,
        output: Path,
        *,
        idle_seconds: float | None,
        gateway: Gateway | None,
        talk: Talk,
        clock: Callable[[], float],
    ) -> None:
        self.ending: Ending | None = None
        self.reason = ""
        self._attempt, self._limits, self._output = attempt, limits, output
        self._idle_seconds = limits.idle_seconds or idle_seconds
        self._gateway, self._talk, self._clock = gateway, talk, clock
        self._read = self._questions = self._answers = self._same = 0
        self._tokens: float | None = None
        self._usd: float | None = None
        self._last_action: tuple[str, ...] = ()
        self._sign = clock()

    def must_end(self) -> bool:
        """Look once, a few times a second; the output is read only as far as it has grown."""
        if self.ending is None:
            self._hear()
            resting = self._rest()
            found = self._given_up() or self._over_budget() or self._same_again() or self._silent(resting=resting)
            if found:
                self.ending, self.reason = found
        return self.ending is not None

    # ------------------------------------------------------------ hearing

    def _hear(self) -> None:
        with suppress(OSError), self._output.open("rb") as file:
            file.seek(self._read)
            said = file.read(CHUNK_BYTES)
            whole = said[: said.rfind(b"\n") + 1] or (said if len(said) == CHUNK_BYTES else b"")
            if whole:
                self._read += len(whole)
                self._sign = self._clock()
                for each in heard(whole):
                    self._take(each)

    def _take(self, said: Heard) -> None:
        event = said.event
        self._tokens, self._usd = larger(self._tokens, said.tokens), larger(self._usd, said.usd)
        if event.kind in ("permission", "check_in") and event.id and event.status in CLOSED:
            if event.status == WITHDRAWN:
                self._talk.withdrawn(event)
        elif event.kind in ("permission", "check_in") and event.id:
            self._questions += 1
            if self._questions <= QUESTIONS:
                self._talk.asked(event)
        elif event.kind == "tool_call" and event.status in ("completed", "failed"):
            action = (event.tool, event.input, event.output, event.text)
            self._same = self._same + 1 if action == self._last_action else 1
            self._last_action = action

    def _rest(self) -> bool:
        """Let the clock of the attempt stand still for as long as it waits for a person."""
        resting, mark = self._talk.waits(), self._output.with_name(RESTING)
        if resting:
            mark.touch()
        elif mark.exists():
            mark.unlink(missing_ok=True)
            self._sign = self._clock()
        return resting

    # ------------------------------------------------------------ ending

    def _given_up(self) -> tuple[Ending, str] | None:
        if self._questions > QUESTIONS:
            return Ending.NO_PROGRESS, f"it asked more than {QUESTIONS} questions"
        why = self._talk.given_up()
        return (Ending.UNANSWERED, why) if why else None

    def _over_budget(self) -> tuple[Ending, str] | None:
        """By the gateway's count; where there is no door, by what an honest agent says itself."""
        limits = self._limits
        if self._gateway is not None:
            refused = self._gateway.spent(self._attempt).refused
            return (Ending.BUDGET_LIMIT, refused) if refused else None
        if limits.tokens is not None and self._tokens is not None and self._tokens > limits.tokens:
            return Ending.BUDGET_LIMIT, f"the limit of {limits.tokens} tokens was passed ({self._tokens:.0f} used)"
        if limits.usd is not None and self._usd is not None and self._usd > limits.usd:
            return Ending.BUDGET_LIMIT, f"the limit of {limits.usd} dollars was passed ({self._usd:.2f} used)"
        return None

    def _same_again(self) -> tuple[Ending, str] | None:
        if self._same < REPEATS:
            return None
        what = self._last_action[0] or "the same action"
        return Ending.NO_PROGRESS, f"it did the same {REPEATS} times, with the same result: {what}"

    def _silent(self, *, resting: bool) -> tuple[Ending, str] | None:
        if self._idle_seconds is None:
            return None
        now = self._clock()
        if resting or self._answered():
            self._sign = now
        if now - self._sign <= self._idle_seconds:
            return None
        return Ending.NO_PROGRESS, f"it gave no sign of progress for {duration(self._idle_seconds)}"

    def _answered(self) -> bool:
        """A model answered since the last look, or its provider has asked everybody to wait."""
        if self._gateway is None:
            return False
        spent = self._gateway.spent(self._attempt)
        if spent.answers == self._answers and spent.paused_until_utc is None:
            return False
        self._answers = spent.answers
        return True
