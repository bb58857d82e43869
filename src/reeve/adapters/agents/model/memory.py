"""What stays when older parts of the conversation go: the plan, the facts, and what people said."""

from collections import deque
from dataclasses import dataclass, field

from .events import cut

__all__ = ["Memory", "Ran"]

MAX_TOLD = 50
MAX_FACTS = 60
MAX_FACT = 500  # characters
MAX_RUNS = 15
MAX_CHANGED = 200


@dataclass(frozen=True)
class Ran:
    """A command that was run, and how it ended."""

    command: str
    how: str  # the exit status in brackets
    last_line: str

    def __str__(self) -> str:
        return f"{cut(self.command, 200)} -> {self.how} {cut(self.last_line, 200)}".rstrip()


@dataclass
class Memory:
    """Facts of the work so far; each list is bounded, and the oldest gives way."""

    plan: list[str] = field(default_factory=list)  # "[x] done", "[>] in progress", "[ ] pending"
    facts: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_FACTS))
    told: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_TOLD))
    changed: dict[str, None] = field(default_factory=dict)
    ran: deque[Ran] = field(default_factory=lambda: deque(maxlen=MAX_RUNS))
    guides: dict[str, str] = field(default_factory=dict)  # AGENTS.md of folders that were touched
    summary: str = ""  # of what was left out of the conversation

    def note(self, facts: list[str]) -> None:
        """Add facts that are not there yet."""
        for fact in facts:
            short = cut(fact.strip(), MAX_FACT)
            if short and short not in self.facts:
                self.facts.append(short)

    def touched(self, names: list[str]) -> None:
        """Add files that were changed."""
        for name in names:
            self.changed.pop(name, None)
            self.changed[name] = None
        while len(self.changed) > MAX_CHANGED:
            del self.changed[next(iter(self.changed))]

    def so_far(self) -> str:
        """Say what was done and what comes next, for a person."""
        if not (self.plan or self.changed or self.ran):
            return "It has only looked so far: no plan, no change, no command."
        lines = list(self.plan)
        if self.changed:
            lines.append(f"Changed: {', '.join(list(self.changed)[-20:])}")
        lines += [f"Ran: {ran}" for ran in list(self.ran)[-3:]]
        return "\n".join(lines)

    def shown(self, most: int) -> str:
        """Return everything, for the model, in at most about `most` characters."""
        sections = {
            "A person said meanwhile": [f"- {text}" for text in self.told],
            "Your plan": self.plan,
            "Facts": [f"- {fact}" for fact in self.facts],
            "Files changed so far": list(self.changed),
            "Commands run last, oldest first": [f"- {ran}" for ran in self.ran],
            "What happened before": [self.summary] if self.summary else [],
            "Guides of folders": list(self.guides.values()),
        }
        parts = [f"## {title}\n" + "\n".join(lines) for title, lines in sections.items() if lines]
        return "\n\n".join(cut(part, room) for part, room in zip(parts, _fair([*map(len, parts)], most), strict=True))


def _fair(lengths: list[int], most: int) -> list[int]:
    """Share room out: what is short is whole, and what is long gets as much as any other that is."""
    rooms = [0] * len(lengths)
    for already, index in enumerate(sorted(range(len(lengths)), key=lengths.__getitem__)):
        rooms[index] = min(lengths[index], most // (len(lengths) - already))
        most -= rooms[index]
    return rooms
