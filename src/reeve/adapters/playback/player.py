"""From a request to the reply that its script has for it."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reeve.adapters.playback.conversation import Asked, place
from reeve.adapters.playback.script import ENDED, Delay, Fault, Say, Script, Think, Turn, Usage
from reeve.adapters.playback.tools import Call, requested
from reeve.errors import InputError

__all__ = ["TITLE", "Called", "Piece", "Player", "Reply"]

TITLE = "Playback"
"""What a request without tools gets from a script with calls: agents ask so for the title of a conversation."""

MAX_COUNTED = 4096
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call of a reply; `id` says its turn and place, so that the conversation itself tells how far it is."""

    id: str
    name: str
    arguments: Mapping[str, object] | str

    @property
    def written(self) -> str:
        """The arguments as text: JSON, or the free text."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


Piece = Say | Think | Called | Delay | Fault


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: after a wait of `before_seconds` either `fault`, or the pieces in their order.

    `id` is made of the request: the same request gets the same reply, byte for byte.
    """

    id: str
    pieces: tuple[Piece, ...]
    usage: Usage
    before_seconds: float = 0.0
    fault: Fault | None = None
    turn: int | None = None

    @property
    def breaks(self) -> Fault | None:
        """The fault that breaks the answer off when something was said already."""
        return next((piece for piece in self.pieces if isinstance(piece, Fault)), None)

    @property
    def calls(self) -> bool:
        """Say whether tools are asked for."""
        return any(isinstance(piece, Called) for piece in self.pieces)


class Player:
    """Plays scripts to any number of conversations at once.

    The one thing that it remembers is how often a request has failed whose step ``error`` says `times`: a counter by
    the digest of the request, for the 4096 requests that failed last, dropped when the request succeeds. Everything
    else is read from the request.
    """

    def __init__(self, scripts: Mapping[str, Script] | None = None) -> None:
        self.scripts = dict(scripts or {})
        self.failures: OrderedDict[tuple[str, int], int] = OrderedDict()

    def reply(self, asked: Asked) -> Reply:
        """Return the reply to a request; raises InputError if no script is for it, or a step cannot be done."""
        if asked.problem:
            raise InputError(asked.problem)
        found = place(asked, self.scripts)
        if found is None:
            if not asked.tools:
                return self._made(asked, Turn((Say(text=TITLE),)), None)
            raise InputError(
                "no script is for this conversation: start `reeve playback` with one, "
                "or write a marker [[playback:...]] into the prompt"
            )
        script, number = found
        if not asked.tools and script.calls_tools:
            return self._made(asked, Turn((Say(text=TITLE),)), None)
        if number >= len(script.turns):
            return self._made(asked, Turn((Say(text=ENDED),)), number)
        return self._made(asked, script.turns[number], number)

    def _made(self, asked: Asked, turn: Turn, number: int | None) -> Reply:
        pieces: list[Piece] = []
        before_seconds = 0.0
        for index, step in enumerate(turn.steps):
            match step:
                case Fault():
                    if not self._fails(asked, index, step):
                        continue
                    if not any(not isinstance(piece, Delay) for piece in pieces):
                        return Reply(asked.digest, (), NOTHING, before_seconds, fault=step, turn=number)
                    pieces.append(step)
                    break
                case Delay():
                    if pieces:
                        pieces.append(step)
                        continue
                    before_seconds += step.before_seconds
                    if step.between_seconds:
                        pieces.append(Delay(between_seconds=step.between_seconds))
                case Say() | Think():
                    pieces.append(step)
                case _:
                    pieces.append(_called(requested(step, asked), asked, number or 0, index))
        usage = turn.usage or _estimated(asked, pieces)
        return Reply(asked.digest, tuple(pieces), usage, before_seconds, turn=number)

    def _fails(self, asked: Asked, index: int, fault: Fault) -> bool:
        if fault.times is None:
            return True
        key = (asked.digest, index)
        failed = self.failures.pop(key, 0)
        if failed == fault.times:  # and from here the same conversation in another session begins anew
            return False
        self.failures[key] = failed + 1
        if len(self.failures) > MAX_COUNTED:
            self.failures.popitem(last=False)
        return True


NOTHING = Usage(input=0, output=0)


def _called(call: Call | Say, asked: Asked, turn: int, index: int) -> Piece:
    if isinstance(call, Say):
        return call
    return Called(f"pb{turn}x{index}x{asked.digest[:12]}", call.name, call.arguments)


def _estimated(asked: Asked, pieces: Sequence[Piece]) -> Usage:
    """Tokens from the lengths of request and reply: about right, and always the same."""
    said = sum(len(piece.text) for piece in pieces if isinstance(piece, Say))
    thought = sum(len(piece.text) for piece in pieces if isinstance(piece, Think))
    called = sum(len(piece.name) + len(piece.written) for piece in pieces if isinstance(piece, Called))
    return Usage(
        input=1 + asked.size_bytes // CHARS_PER_TOKEN,
        output=1 + (said + thought + called) // CHARS_PER_TOKEN,
        reasoning=thought // CHARS_PER_TOKEN,
    )
