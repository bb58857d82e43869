"""`reeve stop`."""

from reeve.cli.opened import ledger_of, project
from reeve.cli.options import AttemptOrTask, Json, Why
from reeve.cli.output import note, print_json, screen
from reeve.cli.start import open_world
from reeve.durable.stopping import running
from reeve.durable.stopping import stop as stop_attempt
from reeve.errors import InputError
from reeve.ledger.views import attempt_view, task_view
from reeve.ports import Store
from reeve.records import Status


def stop(wanted: AttemptOrTask, *, why: Why = "", as_json: Json = False) -> None:
    """End an attempt with everything it started, or all of a task; what it left is proved as it stands."""
    settings = project()
    store = ledger_of(settings)
    live = [attempt_view(store, wanted)[1].id] if "." in wanted else _live(store, wanted)
    world = open_world(settings, sandbox="none")  # nothing is run for it
    if "." not in wanted:  # what waits for its turn does not keep the others from being stopped
        live = [attempt for attempt in live if running(world, attempt)] or live
    endings = {attempt: str(stop_attempt(world, attempt, why)) for attempt in live}
    if as_json:
        print_json({"attempts": [{"id": attempt, "ending": ending} for attempt, ending in endings.items()]})
        return
    for attempt, ending in endings.items():
        screen().print(f"{attempt}: {ending}; what it left is proved as it stands", soft_wrap=True)
    task = wanted.partition(".")[0]
    if task_view(store, task).status is not Status.REJECTED:
        note(f"{task} may be attempted again; to end it for good, `reeve reject {task} -m WHY` first")


def _live(store: Store, task: str) -> list[str]:
    """Name the attempts of a task that have not ended."""
    live = [attempt.id for attempt in task_view(store, task).attempts if attempt.live]
    if not live:
        raise InputError(f"{task} has no attempt under way")
    return live
