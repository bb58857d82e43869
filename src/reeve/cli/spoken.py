"""What `tell`, `go`, `allow` and `deny` have in common: whom a person means, and how it is said."""

from reeve.cli.opened import ledger_of, project
from reeve.cli.output import print_json, safe, screen
from reeve.cli.start import open_world
from reeve.durable.talking import tell
from reeve.errors import InputError
from reeve.ledger.codec import encode
from reeve.ledger.plain import one_line
from reeve.ledger.views import AttemptView, attempt_view, task_view
from reeve.ports import Store
from reeve.records import QuestionKind, WordKind

__all__ = ["say_to"]


def say_to(wanted: str, kind: WordKind, text: str, *, as_json: bool) -> None:
    """Say a word to the attempt that an id means, and print what was said."""
    settings = project()
    attempt = _meant(ledger_of(settings), wanted, kind)
    world = open_world(settings, sandbox="none")  # nothing is run for it
    word = tell(world, attempt, kind, text)
    if as_json:
        print_json(encode(word))
        return
    answered = f" to {word.answers}" if word.answers else ""
    said = f": {one_line(word.text)}" if word.text else ""
    when = "" if word.answers else "; it reads it at its next turn"
    screen().print(safe(f"{attempt}: {word.kind}{answered}{said}{when}"), soft_wrap=True)


def _meant(store: Store, wanted: str, kind: WordKind) -> str:
    """Name the attempt: the one of that id, or of a task the one that waits for this kind of answer, or runs alone."""
    if "." in wanted:
        return attempt_view(store, wanted)[1].id
    live = [item for item in task_view(store, wanted).attempts if item.live]
    waiting = [item for item in live if _waits_for(item, kind)]
    found = waiting or live
    if not found:
        raise InputError(f"{wanted} has no attempt under way")
    if len(found) > 1:
        raise InputError(f"{wanted} has several attempts under way: name one of {', '.join(item.id for item in found)}")
    return found[0].id


def _waits_for(item: AttemptView, kind: WordKind) -> bool:
    asked = item.waits_for
    checks_in = kind in (WordKind.TELL, WordKind.GO)
    return asked is not None and (asked.kind is QuestionKind.CHECK_IN) == checks_in
