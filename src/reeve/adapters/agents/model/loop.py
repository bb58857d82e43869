"""The loop: ask the model, do what it calls, tell it what people said, until it is done."""

import gc
import time
from dataclasses import dataclass

from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelRequestPart, ModelResponse, ToolCallPart, UserPromptPart
from pydantic_ai.settings import ModelSettings

from .asking import Asking, TooLong, Unanswered
from .conversation import Conversation
from .events import Events, sound
from .mail import Mail
from .memory import Memory
from .prompts import instructions, opening
from .providers import client, model_of
from .servers import Servers
from .spec import Spec
from .toolbox import Toolbox

__all__ = ["Outcome", "attempt"]

TOLD_AT, ENDED_AT = 4, 8
"""How often the same call with the same result is made before the model is told, and before the attempt ends."""

EMPTY_ANSWERS = 3
CUT_ANSWERS = 5
SHRINKS = 3


@dataclass(frozen=True)
class Outcome:
    """How the work ended; `why` is a word for it: done, declined, refused, requests, loop, endless, or empty."""

    ok: bool
    why: str
    text: str


async def attempt(spec: Spec, events: Events) -> Outcome:
    """Make one attempt; raises Unanswered if the model cannot be asked."""
    settings = ModelSettings(thinking=spec.thinking) if spec.thinking else ModelSettings()  # type: ignore[typeddict-item]
    async with client() as through:
        try:
            model = model_of(spec.model, through)
        except (ValueError, ImportError, UserError) as error:
            raise Unanswered(f"the model {spec.model.form}:{spec.model.name} cannot be used: {error}") from error
        gc.freeze()  # what was imported stays for good
        gc.enable()
        async with Servers(spec, events) as servers:
            asking = Asking(model, events, settings, spec.retry_seconds)
            return await _Work(spec, events, servers, asking).run()


class _Work:
    """One attempt under way."""

    def __init__(self, spec: Spec, events: Events, servers: Servers, asking: Asking) -> None:
        self.spec, self.events, self.asking = spec, events, asking
        self.mail = Mail(spec.mail)
        self.memory = Memory()
        self.toolbox = Toolbox(spec, events, self.mail, self.memory, servers)
        self.instructions = instructions(spec, self.toolbox.guides.root())
        fixed = len(self.instructions) + sum(len(str(tool)) for tool in self.toolbox.definitions)
        self.conversation = Conversation(opening(spec), self.memory, spec.context_tokens, fixed)
        self.checked_in_at = time.monotonic()
        self.check_ins = 0
        self.empty = 0
        self.cut = 0

    async def run(self) -> Outcome:
        """Go on until there is an outcome."""
        while True:
            if self.spec.requests and self.asking.requests >= self.spec.requests:
                return Outcome(False, "requests", f"It was not done after {self.spec.requests} requests to the model.")
            response = await self._asked()
            calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
            parts, outcome = await (self._called(calls) if calls else self._answered(response))
            if outcome is not None:
                return outcome
            parts += await self._between()
            self.conversation.add(response, parts)

    async def _asked(self) -> ModelResponse:
        """Ask, with a conversation that fits into the window."""
        for _ in range(SHRINKS):
            if said := await self.conversation.fit(self._summary):
                self.events.emit("text", f"[{said}]")
                self.toolbox.forgotten()
            messages = self.conversation.messages()
            try:
                response = await self.asking.ask(messages, self.instructions, self.toolbox.definitions)
            except TooLong as error:
                problem = error
                if not self.conversation.turns:
                    break
                self.conversation.smaller_window()
            else:
                self.conversation.measured(response.usage.input_tokens, messages)
                return response
        raise Unanswered(f"the conversation does not fit into the model's window: {problem}")

    async def _summary(self, text: str) -> str:
        try:
            return await self.asking.summary(text)
        except TooLong:  # what is known by itself has to do
            return ""

    async def _called(self, calls: list[ToolCallPart]) -> tuple[list[ModelRequestPart], Outcome | None]:
        results: list[ModelRequestPart] = []
        words: list[ModelRequestPart] = []  # after all results, as providers want it
        self.empty = self.cut = 0
        for call in calls:
            results.append(await self.toolbox.call(call))
            if declined := self.toolbox.declined:
                self.events.emit("declined", declined.text, why=declined.why)
                return [], Outcome(True, "declined", declined.text)
            if self.toolbox.repeated >= ENDED_AT:
                return [], Outcome(False, "loop", f"The same call was made {ENDED_AT} times: {call.tool_name}.")
            if self.toolbox.repeated == TOLD_AT:
                words.append(UserPromptPart(_LOOP.format(times=TOLD_AT, tool=call.tool_name)))
        return results + words, None

    async def _answered(self, response: ModelResponse) -> tuple[list[ModelRequestPart], Outcome | None]:
        """An answer without a call: the end, unless it was cut, is empty, or somebody said something meanwhile."""
        text = (response.text or "").strip()
        self.cut = self.cut + 1 if response.finish_reason == "length" else 0
        if response.finish_reason == "content_filter":
            return [], Outcome(False, "refused", text or "The provider's filter stopped the answer.")
        if self.cut >= CUT_ANSWERS:
            return [], Outcome(False, "endless", f"{self.cut} answers on end were cut at their longest length.")
        if self.cut:
            return [UserPromptPart(_CUT)], None
        if not text:
            self.empty += 1
            if self.empty >= EMPTY_ANSWERS:
                return [], Outcome(False, "empty", f"The model answered {self.empty} times with nothing.")
            return [UserPromptPart(_EMPTY)], None
        if told := self._told():
            return told, None
        return [], Outcome(True, "done", text)

    # ------------------------------------------------------------ between two requests

    async def _between(self) -> list[ModelRequestPart]:
        """Check in if it is time, and take the words of people."""
        every = self.spec.check_in_seconds
        if every is not None and time.monotonic() - self.checked_in_at >= every:
            self.check_ins += 1
            identifier = f"check-in-{self.check_ins}"
            self.events.emit("check_in", self.memory.so_far(), id=identifier)
            word = await self.mail.answer(identifier, tell_answers=True)
            self.checked_in_at = time.monotonic()
            if word.kind != "tell" and word.text:
                return [UserPromptPart(_GO.format(text=self.conversation.word(sound(word.text)))), *self._told()]
        return self._told()

    def _told(self) -> list[ModelRequestPart]:
        return self._heard(self.mail.told())

    def _heard(self, words: list[str]) -> list[ModelRequestPart]:
        heard = [self.conversation.word(sound(text)) for text in words]
        for text in heard:
            self.memory.told.append(text)
            self.events.emit("told", text)
        return [UserPromptPart(_TOLD.format(text=text)) for text in heard]


_GO = "You may go on. {text}"
_TOLD = "A person says: {text}"
_LOOP = (
    "You have now made the same call of {tool} {times} times with the same result. It will not change by itself: look "
    "at the problem from another side, or decline. If it goes on like this, your work is ended."
)
_CUT = "Your answer was cut at its longest length. Go on, in smaller steps; write long files in several parts."
_EMPTY = "Your answer was empty. Go on with the task, or say what you did if you are done."
