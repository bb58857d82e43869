"""Talking with running attempts: every question and every word is a fact first, then a file in the attempt's mail."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reeve.attempt.make import MAIL
from reeve.durable.journal import Journal
from reeve.durable.stopping import running
from reeve.durable.world import Place, Terms, World
from reeve.errors import InputError
from reeve.ports import Clock
from reeve.records import Answer, Attempt, Event, Order, Question, QuestionKind, Word, WordKind
from reeve.units import duration

__all__ = ["Exchange", "Talking", "exchange", "open_questions", "talk_of", "tell"]

MOST_CHARACTERS = 20_000
"""Of one word; whoever has more to say puts it into a file of the repository."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a person and a running attempt have said to each other, as the ledger has it."""

    questions: tuple[Question, ...]
    words: tuple[Word, ...]

    @property
    def open(self) -> tuple[Question, ...]:
        """Questions without an answer, oldest first."""
        answered = {word.answers for word in self.words}
        return tuple(question for question in self.questions if question.id not in answered)


def exchange(journal: Journal, task: str, attempt: str) -> Exchange:
    """Read what was asked by, and said to, one attempt."""
    questions = journal.all(Question, "question", task)
    words = journal.all(Word, "word", task)
    return Exchange(
        tuple(question for question in questions if question.attempt == attempt),
        tuple(word for word in words if word.attempt == attempt),
    )


def open_questions(journal: Journal, task: str, attempt: str) -> Sequence[Question]:
    """List what an attempt asked and nobody answered, oldest first."""
    return exchange(journal, task, attempt).open


def tell(world: World, attempt: str, kind: WordKind, text: str = "") -> Word:
    """Say a word to a running attempt for a person; it answers the oldest open question that it fits.

    A TELL needs no question. Raises InputError if the attempt does not run, does not listen, or has not asked.
    """
    if kind is WordKind.WITHDRAWN:
        raise InputError("only the attempt itself takes back what it asked; allow or deny answers it")
    order = world.journal.find(Order, "order", attempt)
    if order is None:
        raise InputError(f"there is no attempt {attempt!r}")
    if not running(world, attempt):
        ended = world.journal.find(Attempt, "attempt", attempt)
        found = f"has ended already: {ended.ending}" if ended else "waits for its turn"
        raise InputError(f"{attempt} {found}; nothing of it runs that could hear you")
    mail = world.state / "attempts" / attempt / MAIL
    if not mail.is_dir():
        raise InputError(
            f"{attempt} does not listen while it works: an agent of the kind {order.agent.kind!r} has no mail"
        )
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"a word may have {MOST_CHARACTERS} characters, found {len(text)}; put it into a file instead")
    wanted = QuestionKind.CHECK_IN if kind in (WordKind.TELL, WordKind.GO) else QuestionKind.PERMISSION
    asked = [each for each in open_questions(world.journal, order.task, attempt) if each.kind is wanted]
    if not asked and kind is not WordKind.TELL:
        raise InputError(f"{attempt} waits for no answer to a {wanted}; `reeve tell {attempt} WORDS` reaches it anyway")
    return _say(world.journal, order.task, mail, Word(attempt, 0, kind, text, asked[0].id if asked else ""))


def _say(journal: Journal, task: str, mail: Path, word: Word) -> Word:
    """Store a word under the next number that is free, and deliver it with all that went before."""
    words = list(exchange(journal, task, word.attempt).words)
    while True:
        number = len(words) + 1
        mine = Word(word.attempt, number, word.kind, word.text, word.answers, word.by)
        stored = journal.add("word", f"{word.attempt}#{number}", task, mine)
        words.append(stored)
        if stored == mine:
            _deliver(mail, words)
            return mine


def _deliver(mail: Path, words: Sequence[Word]) -> None:
    """Write the words that are not in the mail yet, each whole or not at all."""
    for word in words:
        target = mail / f"{word.number:06}.json"
        if target.exists():
            continue
        content = json.dumps({"kind": word.kind, "text": word.text, "answers": word.answers})
        fresh = mail / f".{word.number:06}.{os.getpid()}"
        fresh.write_text(content, encoding="utf-8")
        fresh.chmod(0o644)
        fresh.rename(target)


class Talking:
    """Port Talk: answers permissions by rule, and lets the attempt's place go to others while it waits for a person."""

    def __init__(self, journal: Journal, clock: Clock, terms: Terms, order: Order, mail: Path, place: Place) -> None:
        self._journal, self._clock, self._terms = journal, clock, terms
        self._order, self._mail, self._place = order, mail, place
        known = exchange(journal, order.task, order.attempt)
        self._known = {question.id for question in known.questions}
        self._open = {question.id: question for question in known.open}
        self._read = 0
        self._since = clock.monotonic()
        _deliver(mail, known.words)  # one may have died between the fact and the file
        for question in known.open:
            self._by_rule(question)

    def asked(self, event: Event) -> None:
        """Record a question, and answer it if a rule does."""
        if event.id in self._known:
            return
        kind = QuestionKind.CHECK_IN if event.kind == "check_in" else QuestionKind.PERMISSION
        question = Question(self._order.attempt, event.id, kind, event.text, event.action, event.paths, event.command)
        self._journal.add("question", f"{self._order.attempt}?{event.id}", self._order.task, question)
        self._known.add(event.id)
        if not self._open:
            self._since = self._clock.monotonic()
        self._open[event.id] = question
        self._by_rule(question)

    def withdrawn(self, event: Event) -> None:
        """Record that a question is none any more; one that was answered, or never asked, stays as it is."""
        self._see_answers()
        if (question := self._open.get(event.id)) is not None:
            self._answer(question, WordKind.WITHDRAWN, "", "agent")

    def waits(self) -> bool:
        """Say whether a person is asked; the place is left to others meanwhile."""
        self._see_answers()
        if self._open:
            self._place.leave()
        else:
            self._place.take_back()
        return bool(self._open)

    def given_up(self) -> str:
        """Do what the owner chose where nobody answers; returns why the attempt must end, if that is it."""
        terms = self._terms
        waited = self._clock.monotonic() - self._since
        if not self._open or terms.unanswered == "wait" or waited <= terms.answer_seconds:
            return ""
        asked = next(iter(self._open.values()))
        nobody = f"nobody answered its {asked.kind} within {duration(terms.answer_seconds)}"
        if terms.unanswered == "stop":
            return nobody
        for question in list(self._open.values()):
            kind = WordKind.GO if question.kind is QuestionKind.CHECK_IN else WordKind.REJECT
            self._answer(question, kind, "nobody is there to ask", "unanswered = go")
        return ""

    def _by_rule(self, question: Question) -> None:
        if question.kind is QuestionKind.PERMISSION:
            answer, rule = self._terms.permit(question)
            if answer is not Answer.ASK:
                kind = WordKind.ALLOW if answer is Answer.ALLOW else WordKind.REJECT
                self._answer(question, kind, rule if answer is Answer.REJECT else "", rule)

    def _answer(self, question: Question, kind: WordKind, text: str, by: str) -> None:
        _say(self._journal, self._order.task, self._mail, Word(self._order.attempt, 0, kind, text, question.id, by))
        self._open.pop(question.id, None)

    def _see_answers(self) -> None:
        """Find what others have put into the mail since the last look."""
        while (path := self._mail / f"{self._read + 1:06}.json").exists():
            answers = json.loads(path.read_bytes()).get("answers", "")
            self._open.pop(answers, None)
            self._read += 1


def talk_of(world: World, place: Place) -> Callable[[Order, Path], Talking]:
    """Return what begins the exchange with an attempt that runs in a place."""
    return lambda order, mail: Talking(world.journal, world.clock, world.terms, order, mail, place)
