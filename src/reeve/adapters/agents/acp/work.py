"""The work, turn by turn: a person's words and check-ins come between the turns."""

from __future__ import annotations

import time

from .process import Broken
from .untrusted import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .events import Events
    from .mail import Mail
    from .session import Session
    from .spec import Spec

__all__ = ["Work"]

TOOL_SECONDS = 30.0  # that a word waits for a tool call to end
CANCEL_SECONDS = 30.0  # until we stop waiting for an agent to be interrupted, and wait for the end of its turn
REPORT_SECONDS = 180.0  # for the turn in which the agent says what it did

REPORT = """\
Pause here. Say in at most ten lines what you have done so far, and what you mean to do next. Change nothing, and \
use no tools: this goes to the person you work for, who then tells you to go on."""
GO_ON = "Go on with the task from where you were."
TOLD = "The person you work for says:\n\n{}\n\nTake this into account, and go on with the task from where you were."
BAD_ENDS = {
    "refusal": "the model refused to go on",
    "max_tokens": "the model's answer was cut at its longest",
    "max_turn_requests": "the agent made as many requests in one turn as it allows itself",
    "cancelled": "the agent says that its turn was cancelled, and nobody had asked for that",
}


class Work:
    """From the first prompt to the last word."""

    def __init__(self, spec: Spec, session: Session, mail: Mail, events: Events) -> None:
        self._spec, self._session, self._mail, self._events = spec, session, mail, events
        self._words: list[str] = []  # that a person said and the agent has not heard
        self._gone_on: set[str] = set()  # check-ins that were answered
        self._check_ins = 0
        self._worked_seconds = 0.0  # since the last check-in; time in which it waits for a person does not count
        self._looked = time.monotonic()

    def run(self) -> str:
        """Work until the agent says that it is done; returns its last message. Raises Broken."""
        words = self._spec.prompt
        while True:
            stopped = self._turn(words)
            self._read_mail()
            if self._words:
                words = self._told()
            elif stopped == "cancelled" and self._due():
                words = self._check_in()
            elif stopped != "end_turn":
                raise Broken(BAD_ENDS.get(stopped, f"the agent ended its turn with {stopped!r}"))
            elif self._session.updates.failure:
                raise Broken(f"the agent ended its turn after a failure: {self._session.updates.failure}")
            elif not self._session.updates.active:
                raise Broken("the agent ended its turn without having said or done anything")
            else:
                return self._session.updates.message

    # ------------------------------------------------------------ a turn

    def _turn(self, words: str, *, report: bool = False) -> str:
        """Have one turn, interrupted where something cannot wait for its end; returns why it stopped."""
        session = self._session
        turn, asked = session.prompt(words), time.monotonic()
        cancelled: float | None = None
        waits = asked if report else None  # since when something waits for the end of this turn
        while (end := session.ended(turn)) is None:
            session.step()
            self._read_mail()
            now = self._pass_time(counts=not report)
            if waits is None and (self._words or self._due()):
                waits = now
            if cancelled is None and waits is not None and self._may_interrupt(now - waits, report=report):
                session.cancel()
                cancelled = now
            elif cancelled is not None and now - cancelled > CANCEL_SECONDS:
                self._events.emit(
                    "text", "[the agent does not let itself be interrupted; what waits, waits for its end]"
                )
                cancelled = float("inf")
        if end.error:
            raise Broken(f"the agent's turn failed: {end.error}")
        session.updates.usage.turn(end.result)
        session.updates.end()
        return text(end.result.get("stopReason"))

    def _may_interrupt(self, waited_seconds: float, *, report: bool) -> bool:
        if report:
            return waited_seconds > REPORT_SECONDS
        busy = self._session.updates.running(self._session.permissions.waiting)
        return not busy or waited_seconds > TOOL_SECONDS

    def _due(self) -> bool:
        every = self._spec.check_in_seconds
        return every is not None and self._worked_seconds >= every

    def _pass_time(self, *, counts: bool) -> float:
        now = time.monotonic()
        if counts and not self._session.permissions.waiting:
            self._worked_seconds += now - self._looked
        self._looked = now
        return now

    # ------------------------------------------------------------ words

    def _read_mail(self) -> None:
        for word in self._mail.new():
            kind, said = text(word.get("kind")), text(word.get("text"))
            if kind in ("allow", "reject"):
                self._session.permissions.answer(word)
            elif kind == "go":
                self._gone_on.add(text(word.get("answers")))
            if kind in ("tell", "go") and said.strip():
                self._words.append(said)

    def _told(self) -> str:
        """Take the words that wait, as the next prompt."""
        said, self._words = "\n\n".join(self._words), []
        self._events.emit("told", said)
        return TOLD.format(said)

    def _check_in(self) -> str:
        """Have the agent say where it stands, wait for an answer, and return the next prompt."""
        updates = self._session.updates
        updates.quiet = True
        self._turn(REPORT, report=True)
        updates.quiet = False
        self._check_ins += 1
        number = f"check-in-{self._check_ins}"
        self._events.emit("check_in", updates.message or "[it says nothing]", id=number)
        while not self._words and number not in self._gone_on:
            self._session.step()
            self._read_mail()
        self._worked_seconds, self._looked = 0.0, time.monotonic()
        return self._told() if self._words else GO_ON
