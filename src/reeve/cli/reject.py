"""`reeve reject`."""

from dataclasses import asdict
from typing import Annotated

import typer

from reeve.cli.decided import say, spent
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Id, Json, Minutes, Why
from reeve.cli.output import safe, screen
from reeve.cli.rules import Added, add_rule, check_rule
from reeve.cli.start import open_world
from reeve.durable import reviews
from reeve.records import Whose

RuleFor = Annotated[
    Whose | None,
    typer.Option(
        "--rule-for",
        help="Make the reason a rule for every agent: in your profile, or in the house rules of the repository.",
        show_default=False,
    ),
]


def reject(wanted: Id, *, why: Why, rule_for: RuleFor = None, minutes: Minutes = None, as_json: Json = False) -> None:
    """Turn a result down; the task is closed with your reason."""
    settings = project()
    took = spent(ledger_of(settings), wanted, minutes)
    if rule_for is not None:
        check_rule(settings, rule_for, why)
    world = open_world(settings, sandbox="none")  # nothing is run for it
    result = reviews.reject(world, wanted, why, took, rule_for)
    added = None if rule_for is None else add_rule(settings, rule_for, why)
    code = say(result, took, as_json=as_json, more={"rule": None if added is None else asdict(added)})
    if added is not None and not as_json:
        screen().print(safe(_told(added)), soft_wrap=True)
    raise typer.Exit(code)


def _told(added: Added) -> str:
    if not added.new:
        return f"This rule stands in {added.file} already."
    if added.whose is Whose.ME:
        return f"It is a rule in {added.file} now; every agent of yours is given it from the next `reeve run` on."
    return (
        f"It is a rule in {added.file} now; every agent is given it from the next `reeve run` on. "
        "Commit that file, so that others have it too."
    )
