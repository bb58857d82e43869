"""A person ends an attempt that is under way; what it left is proved like any other result."""

from reeve.durable.world import World
from reeve.errors import InputError
from reeve.ports import Fact
from reeve.records import Attempt, Ending, Order

__all__ = ["running", "stop"]


def running(world: World, attempt: str) -> bool:
    """Say whether something of an attempt may run: it has begun, and its record is not stored."""
    return _stored(world, attempt) is None and world.sandbox.begun(world.state / "attempts" / attempt)


def stop(world: World, attempt: str, why: str) -> Ending:
    """End one attempt with everything that it started, and return how it ended.

    Raises InputError where nothing of it runs: it waits for its turn, or has ended. The reason is a fact before
    anything is ended, so that the record of the attempt can name it.
    """
    order = world.journal.find(Order, "order", attempt)
    if order is None:
        raise InputError(f"there is no attempt {attempt!r}")
    if (ended := _stored(world, attempt)) is not None:
        raise InputError(f"{attempt} has ended already: {ended}")
    if not running(world, attempt):
        raise InputError(
            f"{attempt} waits for its turn, nothing of it runs; stop `reeve run` to keep it from beginning"
        )
    world.journal.store.append(Fact("stop", attempt, order.task, {"why": why}, world.clock.now()))
    result = world.sandbox.wait(world.state / "attempts" / attempt, stop=lambda: True)
    # Whoever runs it may have stored it and removed its folder while we looked.
    return _stored(world, attempt) or result.ending


def _stored(world: World, attempt: str) -> Ending | None:
    found = world.journal.find(Attempt, "attempt", attempt)
    return None if found is None else found.ending
