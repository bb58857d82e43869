"""`reeve stop`."""

from reeve.cli.opened import ledger_of, project
from reeve.cli.options import AttemptOrTask, Json, Why
from reeve.cli.output import print_json, screen
from reeve.cli.start import open_world
from reeve.durable.stopping import stop as stop_attempt
from reeve.errors import InputError
from reeve.ledger.views import attempt_view, task_view
from reeve.ports import Store


def stop(wanted: AttemptOrTask, *, why: Why = "", as_json: Json = False) -> None:
    """End an attempt with everything it started, or all of a task; what it left is proved as it stands."""
    settings = project()
    live = _live(ledger_of(settings), wanted)
    world = open_world(settings, sandbox="none")  # nothing is run for it
    endings = {attempt: str(stop_attempt(world, attempt, why)) for attempt in live}
    if as_json:
        print_json({"attempts": [{"id": attempt, "ending": ending} for attempt, ending in endings.items()]})
        return
    for attempt, ending in endings.items():
        screen().print(f"{attempt}: {ending}; what it left is proved as it stands", soft_wrap=True)


def _live(store: Store, wanted: str) -> list[str]:
    """Name the attempts that are meant, those under way where a task is named."""
    if "." in wanted:
        return [attempt_view(store, wanted)[1].id]
    live = [attempt.id for attempt in task_view(store, wanted).attempts if attempt.live]
    if not live:
        raise InputError(f"{wanted} has no attempt under way")
    return live
