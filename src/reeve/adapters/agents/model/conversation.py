"""The conversation with the model, kept below its context window.

It is the task, then turns: an answer of the model together with everything that was said to it after that. A turn is
whole or not there, so that no tool call ever loses its result. When the window fills up, the output of tools in older
turns is condensed to a line each; when that is not enough, older turns are replaced by a list of facts that the model
writes itself. The task, the plan, the facts and the words of people always stay.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from .events import cut
from .memory import Memory
from .prompts import CONDENSED, SUMMARISE

__all__ = ["Conversation", "Turn"]

FULL, ROOM = 0.75, 0.5
"""Parts of the window: above the first it is made smaller, down to the second. The rest is for the answer."""

RECENT, ONE_TURN, SUMMARY, MEMORY = 0.25, 0.3, 0.1, 0.2
"""Parts of the window: for what is never summarised, for the results of one turn, for the summary, for all memory."""

ALONE = 0.5
"""Part of the window that the last turn may take and still stay whole: the model has not seen its results yet."""

WORD = 0.05
"""Part of the window for one word of a person."""

TOKENS_PER_CHARACTER = 1 / 3
"""Until the provider says what it counted: more than most texts have, so that the window is not passed."""

UNTOUCHED_TURNS = 2
CONDENSED_FROM = 300  # characters
PART_CHARACTERS = 16  # what a part costs beside its text, about


@dataclass(frozen=True)
class Turn:
    """An answer of the model, and what was said to it after that: results of its tool calls, words of people."""

    response: ModelResponse
    request: ModelRequest


class Conversation:
    """The task and the turns so far; `fixed_characters` is the length of what goes along with every request."""

    def __init__(self, opening: str, memory: Memory, window_tokens: int, fixed_characters: int) -> None:
        self.opening = opening
        self.memory = memory
        self.window_tokens = window_tokens
        self.fixed_characters = fixed_characters
        self.turns: list[Turn] = []
        self._rate = TOKENS_PER_CHARACTER
        self._head = ModelRequest(parts=[UserPromptPart(opening)])

    # ------------------------------------------------------------ what is said

    def messages(self) -> list[ModelMessage]:
        """Return what is sent."""
        return [self._head, *(message for turn in self.turns for message in (turn.response, turn.request))]

    def add(self, response: ModelResponse, parts: Sequence[ModelRequestPart]) -> None:
        """Add a turn; results that are too long for one turn together are cut."""
        most = self._characters(ONE_TURN)
        results = [part for part in parts if isinstance(part, ToolReturnPart)]
        if sum(len(_text(part)) for part in results) > most:
            share = most // len(results)
            parts = [
                _holding(part, cut(_text(part), share)) if isinstance(part, ToolReturnPart) else part for part in parts
            ]
        self.turns.append(Turn(response, ModelRequest(parts=list(parts))))

    # ------------------------------------------------------------ how long it is

    def measured(self, tokens: int, messages: Sequence[ModelMessage]) -> None:
        """Take note of what the provider counted for messages that were sent; 0: it does not say."""
        characters = self.fixed_characters + sum(map(_size, messages))
        if tokens > 0:
            self._rate = min(1.0, max(0.15, tokens / characters))

    @property
    def tokens(self) -> int:
        """How many tokens the next request has, about."""
        return int((self.fixed_characters + sum(map(_size, self.messages()))) * self._rate)

    # ------------------------------------------------------------ making it smaller

    def word(self, text: str) -> str:
        """Return the word of a person as far as there is room for it."""
        return cut(text, self._characters(WORD))

    async def fit(self, ask: Callable[[str], Awaitable[str]]) -> str:
        """Make it fit into the window; `ask` gives the model's answer to a text. Says what was done, or nothing."""
        before = self.tokens
        if before <= FULL * self.window_tokens:
            return ""
        self._condense()
        if self.tokens > ROOM * self.window_tokens:
            await self._summarise(ask)
        if self.tokens >= before:
            return ""
        return f"The conversation grew to about {before} tokens; its older parts were condensed to {self.tokens}."

    def smaller_window(self) -> None:
        """Take note that the provider finds the conversation too long."""
        self.window_tokens = max(1_000, min(self.window_tokens, int(self.tokens / FULL)) * 3 // 4)

    def _condense(self) -> None:
        """Put a line in the place of older output of tools, the oldest first, until there is room."""
        for index in range(len(self.turns) - UNTOUCHED_TURNS):
            if self.tokens <= ROOM * self.window_tokens:
                return
            self.turns[index] = _condensed(self.turns[index])

    async def _summarise(self, ask: Callable[[str], Awaitable[str]]) -> None:
        """Replace all but the most recent turns by what the model writes down of them."""
        recent = self._recent()
        older = self.turns[: len(self.turns) - recent]
        if not older:
            return
        words = max(60, int(SUMMARY * self.window_tokens / 2))
        known = [self.memory.summary] if self.memory.summary else []
        text = cut("\n\n".join([*known, *map(_transcript, older)]), self._characters(ROOM))
        remembered = self.memory.shown(self._characters(MEMORY))
        said = await ask(f"{SUMMARISE.format(words=words)}\n{remembered}\n\n# The older part\n{text}")
        self.memory.summary = cut(said.strip() or self.memory.summary, self._characters(SUMMARY))
        self.turns = self.turns[len(older) :]
        remembered = self.memory.shown(self._characters(MEMORY))
        self._head = ModelRequest(parts=[UserPromptPart(self.opening), UserPromptPart(f"{CONDENSED}\n\n{remembered}")])

    def _recent(self) -> int:
        """Count the last turns that fit into their part of the window."""
        sizes = [_size(turn.response) + _size(turn.request) for turn in reversed(self.turns)]
        fitting = sum(total <= self._characters(RECENT) for total in accumulate(sizes))
        return max(fitting, 1 if sizes and sizes[0] <= self._characters(ALONE) else 0)

    def _characters(self, part: float) -> int:
        """How many characters a part of the window holds, about."""
        return int(part * self.window_tokens / self._rate)


# ---------------------------------------------------------------- parts of messages


def _text(part: object) -> str:
    if isinstance(part, ToolCallPart):
        return f"{part.tool_name} {part.args_as_json_str()}"
    content = getattr(part, "content", "")
    return content if isinstance(content, str) else str(content)


def _holding(part: ToolReturnPart, content: str) -> ToolReturnPart:
    return ToolReturnPart(part.tool_name, content, tool_call_id=part.tool_call_id, outcome=part.outcome)


def _size(message: ModelMessage) -> int:
    return sum(len(_text(part)) + PART_CHARACTERS for part in message.parts)


def _condensed(turn: Turn) -> Turn:
    calls = {part.tool_call_id: _text(part) for part in turn.response.parts if isinstance(part, ToolCallPart)}
    parts = [
        _holding(part, _line(calls.get(part.tool_call_id, part.tool_name), _text(part)))
        if isinstance(part, ToolReturnPart) and len(_text(part)) > CONDENSED_FROM
        else part
        for part in turn.request.parts
    ]
    return Turn(turn.response, replace(turn.request, parts=parts))


def _line(call: str, output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or [""]
    ends = f"first: {lines[0][:80]!r}, last: {lines[-1][:80]!r}"
    return f"[condensed: {cut(call, 160)}: {len(lines)} lines, {len(output)} characters; {ends}]".replace("\n", " ")


def _transcript(turn: Turn) -> str:
    said = [cut(_text(part), 1500) for part in turn.response.parts if isinstance(part, TextPart | ToolCallPart)]
    heard = [cut(_text(part), 1500) for part in turn.request.parts]
    return "\n".join([*(f"YOU: {text}" for text in said), *(f"RESULT: {text}" for text in heard)])
