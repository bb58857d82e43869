"""What a run looks like while it runs: fed by facts, asked for a picture a few times a second."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reeve.attempt.events import events_of, in_words
from reeve.attempt.oversight import RESTING
from reeve.cli.output import NARROW, safe
from reeve.ledger.codec import decode
from reeve.ledger.pauses import in_one_line, lasting
from reeve.ledger.plain import one_line
from reeve.ledger.views import TaskView
from reeve.ports import Fact
from reeve.records import (
    Action,
    Attempt,
    Decision,
    Environment,
    Landing,
    LandingOutcome,
    Order,
    Pause,
    Question,
    Status,
    Task,
    Tight,
    Verdict,
    Word,
    WordKind,
)
from reeve.units import duration, plural, short_hash

__all__ = ["Progress", "sentence"]

TAIL_BYTES = 8_192
ROWS_SHOWN = 12
BAR_WIDTH = 30
UNFINISHED = (Status.QUEUED, Status.WORKING, Status.VERIFYING)
PHASES = ("asks you", "at work", "checking", "waiting")
SAID = {
    "asks you": "it stands still until somebody answers: `reeve inbox`",
    "checking": "its checks run again, elsewhere",
    "waiting": "for a worker",
}
STYLE = {"asks you": "yellow", "at work": "cyan", "checking": "cyan", "waiting": "dim"}


@dataclass(slots=True)
class Work:
    """One attempt under way, or its result under check."""

    attempt: str
    agent: str
    since: float
    phase: str  # of PHASES


@dataclass
class Progress:
    """Everything the picture shows; facts may come from any thread.

    `state` is the folder where live attempts write; `now` gives the time; `waits` says what one that has not started
    waits for, if for anything but a worker.
    """

    state: Path
    now: Callable[[], float]
    tasks: Sequence[Task] = ()
    began: float = 0.0
    stopping: bool = False
    waits: Callable[[str], str] = lambda _: ""
    _work: dict[str, Work] = field(default_factory=dict)
    _ended: dict[str, str] = field(default_factory=dict)  # task -> how it stands
    _pauses: list[Fact] = field(default_factory=list)
    _wanted: frozenset[str] = frozenset()  # ids of `tasks`; others, mixed in, are shown at work and never counted
    _known: set[str] = field(default_factory=set)  # tasks with a known answer that this run began
    _facts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.began = self.now()

    @property
    def did_something(self) -> bool:
        """Something was recorded beyond what the tasks are."""
        return self._facts > 0

    def see(self, fact: Fact) -> None:
        """Take in one fact."""
        with self._lock:
            if fact.kind == "pause":
                self._pauses.append(fact)
            elif fact.kind not in ("task", "base", "run", "policy", "commitment"):
                self._facts += 1
            if fact.kind == "known":
                self._known.add(fact.task)
            if fact.kind == "order":
                order = decode(Order, fact.body)
                self._ended.pop(fact.task, None)
                by = f"{order.agent.name} (known answer)" if fact.task in self._known else order.agent.name
                self._work[fact.key] = Work(order.attempt, by, self.now(), "waiting")
            elif fact.kind == "attempt" and fact.key in self._work:
                self._work[fact.key].phase, self._work[fact.key].since = "checking", self.now()
            elif fact.kind == "verdict":
                self._work.pop(fact.key, None)
            elif fact.kind == "decision":
                self._decided(fact.task, decode(Decision, fact.body))
            elif fact.kind == "landing" and decode(Landing, fact.body).outcome is LandingOutcome.LANDED:
                self._ended[fact.task] = "landed"

    def begin(self, tasks: Sequence[Task], views: Iterable[TaskView]) -> None:
        """Take in what is to be done, and what of it is done already."""
        wanted = {task.id: task.digest for task in tasks}
        self._ended = {
            view.id: str(view.status)
            for view in views
            if wanted.get(view.id) == view.task.digest and view.status not in UNFINISHED
        }
        self.tasks, self._wanted = tasks, frozenset(wanted)

    def settled(self, task: str, action: Action) -> None:
        """Take in that a task has come to its end."""
        with self._lock:
            self._end(task, {Action.LAND: "landed", Action.ASK: "needs-you", Action.GIVE_UP: "failed"}[action])

    def stop(self) -> None:
        """Take in that the person asked for an end."""
        self.stopping = True

    def picture(self, console: Console) -> RenderableType:
        """Draw the present moment."""
        with self._lock:
            for work in self._work.values():
                self._notice(work)
            rows = sorted(self._work.values(), key=lambda work: (PHASES.index(work.phase), work.since))
            ended = dict(self._ended)
            pauses = lasting(self._pauses, self.now())
        parts: list[RenderableType] = [self._head(ended, console.width)]
        if rows:
            parts.append(self._table(rows[:ROWS_SHOWN], console.width))
        elif len(ended) < len(self.tasks):
            parts.append(safe("  preparing: environments, and what the tests give before any change", "dim"))
        if len(rows) > ROWS_SHOWN:
            parts.append(safe(f"  and {len(rows) - ROWS_SHOWN} more", "dim"))
        parts += [safe(f"  {in_one_line(pause, self.now())}", "yellow") for pause in pauses]
        if self.stopping:
            parts.append(
                safe("stopping; what is done is kept, and `reeve run` goes on. Ctrl-C again: at once", "yellow")
            )
        return Group(*parts)

    def _notice(self, work: Work) -> None:
        """What is no fact of this process shows in the folder of the attempt: that it began, that it waits."""
        folder = self.state / "attempts" / work.attempt
        if work.phase == "checking" or not (folder / "output").exists():
            return
        phase = "asks you" if (folder / RESTING).exists() else "at work"
        if phase != work.phase:
            work.phase, work.since = phase, self.now()

    def _decided(self, task: str, decision: Decision) -> None:
        words = {Action.ASK: "needs-you", Action.GIVE_UP: "failed"}
        if decision.action in words:
            self._end(task, words[decision.action])

    def _end(self, task: str, words: str) -> None:
        if task in self._wanted:
            self._ended[task] = words

    def _head(self, ended: dict[str, str], width: int) -> Text:
        if not self.tasks:
            return safe(f"looking for what is to be done  {duration(self.now() - self.began)}", "dim")
        done, of = len(ended), len(self.tasks)
        filled = BAR_WIDTH * done // of
        line = Text()
        if width >= NARROW:
            line.append("━" * filled, "green").append("┄" * (BAR_WIDTH - filled), "dim").append("  ")
        line.append(f"{done} of {plural(len(self.tasks), 'task')}")
        for status, style in (("landed", "green"), ("needs-you", "yellow"), ("failed", "red")):
            count = sum(value == status for value in ended.values())
            if count:
                line.append(f"  {count} {status}", style)
        return line.append(f"  {duration(self.now() - self.began)}", "dim")

    def _table(self, rows: Sequence[Work], width: int) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        heads = [self._cells(work) for work in rows]
        # What is said gives way before all else, which would be cut along with it.
        taken = sum(max(cell.cell_len for cell in column) + 2 for column in zip(*heads, strict=True))
        for work, cells in zip(rows, heads, strict=True):
            said = self._last_line(work) if work.phase == "at work" else SAID[work.phase]
            said = (work.phase == "waiting" and self.waits(work.attempt)) or said
            table.add_row(*cells, safe(one_line(said, max(width - taken, 20)), "dim"))
        return table

    def _cells(self, work: Work) -> tuple[Text, ...]:
        clock = duration(self.now() - work.since)
        named = safe(f"  {work.attempt}"), safe(work.agent, "dim"), safe(work.phase, STYLE[work.phase])
        return (*named, safe(clock, "dim"))

    def _last_line(self, work: Work) -> str:
        try:
            with (self.state / "attempts" / work.attempt / "output").open("rb") as file:
                file.seek(0, 2)
                file.seek(max(file.tell() - TAIL_BYTES, 0))
                events = events_of(file.read())
        except OSError:
            return ""
        if not events:
            return ""
        lines = [line for line in in_words(events[-1]).splitlines() if line.strip()]
        return (lines or [""])[0 if events[-1].kind == "tool_call" else -1]  # of a call what it is, not what came out


def sentence(fact: Fact) -> str | None:
    """Say one fact in one line, for a log; None for facts that say nothing to a person."""
    if fact.kind == "known":
        task = decode(Task, fact.body)
        said = f"{task.id} goes along, {task.source}: {task.known_answer}"
    elif fact.kind == "order":
        order = decode(Order, fact.body)
        said = f"{order.attempt} begins: {order.agent.name}, round {order.round}, {order.index + 1} of {order.of}"
    elif fact.kind == "tight":
        tight = decode(Tight, fact.body)
        need, free = (f"{mb / 1024:.1f} GB" for mb in (tight.need_mb, tight.free_mb))
        said = f"{tight.attempt} may need {need} of memory, {free} are free; it begins, since no other runs"
    elif fact.kind == "attempt":
        attempt = decode(Attempt, fact.body)
        size = "no change" if attempt.patch.empty else plural(attempt.patch.lines, "line")
        said = f"{attempt.id} ended: {attempt.ending}, {size}, {duration(attempt.wall_seconds)}"
    elif fact.kind == "verdict":
        verdict = decode(Verdict, fact.body)
        said = f"{verdict.id} {verdict.outcome}: {verdict.reason}"
    elif fact.kind == "pause":
        pause = decode(Pause, fact.body)
        said = in_one_line(pause, pause.at_utc)
    elif fact.kind == "question":
        question = decode(Question, fact.body)
        said = f"{question.attempt} asks, {question.kind}: {question.command or question.text}"
    elif fact.kind == "word":
        word = decode(Word, fact.body)
        back = word.kind is WordKind.WITHDRAWN
        said = (
            f"{word.attempt} takes back what it asked"
            if back
            else f"{word.attempt} hears: {word.kind} {word.text} ({word.by})"
        )
    elif fact.kind == "decision":
        decision = decode(Decision, fact.body)
        said = f"{fact.task} decision: {decision.action}: {decision.reason}"
    elif fact.kind == "landing":
        landing = decode(Landing, fact.body)
        commit = f" as {short_hash(landing.commit)}" if landing.commit else ""
        said = f"{landing.attempt} {landing.outcome}{commit}: {landing.reason}"
    elif fact.kind == "environment":
        environment = decode(Environment, fact.body)
        made = "ready" if environment.ok else f"failed: {environment.reason}"
        said = f"{fact.task} environment {made} ({duration(environment.seconds)})"
    else:
        return None
    return one_line(said)
