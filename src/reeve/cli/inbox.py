"""`reeve inbox`."""

from collections.abc import Sequence

from reeve.cli.fleet import indexed, whole_ledger_instead
from reeve.cli.opened import ledger
from reeve.cli.options import Json
from reeve.cli.output import hanging, print_json, safe, screen
from reeve.errors import LedgerError
from reeve.ledger.codec import encode
from reeve.ledger.inbox import InboxItem, Need
from reeve.ledger.inbox import inbox as needs
from reeve.ledger.plain import one_line
from reeve.ledger.views import task_views
from reeve.ports import Store
from reeve.units import plural

TASKS_NAMED = 6


def inbox(*, as_json: Json = False) -> None:
    """List what needs a person, most valuable first, each with its reason and the commands to go on."""
    items = _needed(ledger())
    if as_json:
        print_json(
            {
                "items": [
                    encode(item) | {"look_minutes": item.look_minutes, "worth": item.worth, "next": item.next}
                    for item in items
                ]
            }
        )
        return
    console = screen()
    if not items:
        console.print(safe("Nothing needs you."))
        return
    console.print(safe(f"{plural(len(items), 'thing')} to decide, most valuable first"))
    for place, item in enumerate(items, 1):
        console.print()
        hanging(console, safe(f"{place}. ", "bold"), safe(_headline(item), "bold"))
        hanging(console, safe("   "), safe(one_line(item.reason)))
        for step in item.next:
            console.print(safe(f"   {step}", "dim"))


def _needed(store: Store) -> Sequence[InboxItem]:
    with indexed(store) as index:
        try:
            if index is not None:
                return index.inbox()
        except LedgerError as error:
            whole_ledger_instead(error)
    return needs(task_views(store))


def _headline(item: InboxItem) -> str:
    named = ", ".join(item.tasks[:TASKS_NAMED])
    more = f" and {len(item.tasks) - TASKS_NAMED} more" if len(item.tasks) > TASKS_NAMED else ""
    words = {
        Need.CHECK_IN: "stands still and asks whether to go on",
        Need.PERMISSION: "stands still and asks for permission",
        Need.WRONG: "landed, and an audit found it wrong",
        Need.CONFLICT: "passed, but does not land on the head",
        Need.ASKED: "passed, and the rule asks you",
        Need.AUDIT: "landed without a look, and was drawn for an audit",
        Need.UNVERIFIED: "a result without proof",
        Need.DECLINED: "an agent declines it",
        Need.SETUP_FAILED: "the environment cannot be made",
        Need.NO_CHECKS: "nothing to prove a result with",
        Need.OTHER: "needs you",
    }[item.need]
    size = f"  {plural(item.lines, 'line')}" if item.lines else ""
    worth = f"  about {item.human_minutes:.0f} min by hand" if item.human_minutes else ""
    return f"{item.attempt or named}{more if not item.attempt else ''}: {words}{size}{worth}"
