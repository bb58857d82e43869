"""`reeve inbox`."""

import time
from collections.abc import Sequence

from rich.console import Console

from reeve.cli.opened import ledger
from reeve.cli.options import Json
from reeve.cli.output import hanging, print_json, safe, screen
from reeve.ledger.codec import encode
from reeve.ledger.inbox import InboxItem, Need, apart
from reeve.ledger.inbox import inbox as needs
from reeve.ledger.plain import one_line
from reeve.ledger.views import task_views
from reeve.units import clock_time, plural

TASKS_NAMED = 6


def inbox(*, as_json: Json = False) -> None:
    """List what needs a person, most valuable first, each with its reason and the commands to go on."""
    now = time.time()
    items, later = apart(needs(task_views(ledger())), now)
    if as_json:
        print_json({"items": [*map(_told, items)], "deferred": [*map(_told, later)]})
        return
    console = screen()
    _waiting(console, items)
    if later:
        console.print()
        console.print(safe(f"{plural(len(later), 'thing')} put off; `reeve defer ID --now` brings one back", "dim"))
    for item in later:
        why = f": {one_line(item.put_off)}" if item.put_off else ""
        hanging(console, safe("   "), safe(f"{_named(item)} until {clock_time(item.until_utc or now, now)}{why}"))


def _told(item: InboxItem) -> dict[str, object]:
    body: dict[str, object] = encode(item)
    return body | {"look_minutes": item.look_minutes, "worth": item.worth, "next": item.next}


def _waiting(console: Console, items: Sequence[InboxItem]) -> None:
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


def _named(item: InboxItem) -> str:
    if item.attempt:
        return item.attempt
    more = f" and {len(item.tasks) - TASKS_NAMED} more" if len(item.tasks) > TASKS_NAMED else ""
    return ", ".join(item.tasks[:TASKS_NAMED]) + more


def _headline(item: InboxItem) -> str:
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
    return f"{_named(item)}: {words}{size}{worth}"
