"""`reeve policy`."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from reeve.cli.alone import UNKNOWN_SECONDS, check_ins
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Json
from reeve.cli.output import Column, hanging, listing, print_json, safe, screen
from reeve.cli.reviewers import reviewers_of
from reeve.errors import InputError
from reeve.ledger.audits import Results
from reeve.ledger.plain import one_line
from reeve.ledger.views import find
from reeve.ports import Fact, Store
from reeve.records import Cell, Draw, Fit, Level, Policy, Scale, Trust, Verdict
from reeve.settings import MEASURED, Settings, to_policy
from reeve.stats.risk import Refused
from reeve.units import duration, plural, short_hash

if TYPE_CHECKING:
    from reeve.durable.recompute import Recomputed

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[explain ID]",
        help="A task, or an attempt: compute the automatic decisions about it again.",
        show_default=False,
    ),
]
COLUMNS = (
    Column("agent"),
    Column("kind"),
    Column("repository"),
    Column("lands unseen"),
    Column("audits", right=True),
    Column("wrong", right=True),
    Column("escapes", right=True),
    Column("why", grows=True),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One cell as it stands now."""

    trust: Trust
    state: str
    why: str
    fit: str = ""  # version of what makes its confidences; "": they are the verdicts' own
    no_fit: str = ""  # why

    @property
    def may_land(self) -> bool:
        """Say whether anything of it may land without a look."""
        return self.state == "certified"


def policy(words: Words = None, *, as_json: Json = False) -> None:
    """Say what may land without a look, of whom, and what is missing for more; or explain a decision."""
    settings = project()
    if words:
        _explain(ledger_of(settings), words, as_json=as_json)
        return
    owner, results = to_policy(settings), Results(ledger_of(settings))
    reviewers = reviewers_of(settings, ledger_of(settings), results)
    fit = fitted(results)
    rows = standings(results, owner, fit)
    unlike = unlike_the_key(settings, [judged.draw for found, _ in results.all().values() for judged in found])
    if as_json:
        more = {"confidences": _fit_json(fit), "check_ins": _check_ins(settings), "reviewers": asdict(reviewers)}
        print_json(_json(owner, rows, unlike) | more)
        return
    _print(owner, rows, unlike, _check_ins(settings), _confidences(fit))
    for said in reviewers.sentences:
        screen().print(safe(f"{said}."))
    screen().print(safe("reeve policy explain ID   why a result was or was not landed without a look", "dim"))


def fitted(results: Results) -> Fit | Refused:
    """Return the fit that makes the confidence of results now."""
    from reeve.durable.learning import fit_now

    return fit_now(results)


def standings(results: Results, owner: Policy, fit: Fit | Refused) -> list[Standing]:
    """Say how every cell stands, the one that was heard of last first."""
    from reeve.decision.trusted import standing
    from reeve.policy.learn import trust_of

    used, reason = (None, fit.reason) if isinstance(fit, Refused) else (fit, "")
    rows = []
    for cell, (judged, _) in sorted(results.all().items(), key=lambda item: -item[1][1]):
        trust = trust_of(cell, judged, owner, used)
        rows.append(Standing(trust, *standing(trust, owner), "" if used is None else used.version, reason))
    return rows


def unlike_the_key(settings: Settings, draws: list[Draw]) -> list[str]:
    """Name the results whose draws are not what the secret key gives."""
    from reeve.durable.drawing import check_draws

    store = ledger_of(settings)
    fact = store.fact("ledger", "id")
    return check_draws(settings.state, str(fact.body["id"]), store, draws) if fact is not None else []


def _check_ins(settings: Settings) -> dict[str, object]:
    """Say how long each agent works before it pauses for a person, in seconds."""
    every = settings.check_in.every_seconds
    if every != MEASURED:
        return {"every_seconds": every, "agents": {}}
    found = check_ins(ledger_of(settings), settings.trust.reliability)
    return {
        "every_seconds": UNKNOWN_SECONDS,
        "agents": {name: {"every_seconds": seconds, "reason": reason} for name, (seconds, reason) in found.items()},
    }


def _json(owner: Policy, rows: list[Standing], unlike: list[str]) -> dict[str, object]:
    return {
        "land": owner.land,
        "highest_escape_rate": owner.highest_escape_rate,
        "confidence": owner.confidence,
        "audit_share": owner.audit_share,
        "suspicion_share": owner.suspicion_share,
        "clean_audits_of_a_new_cell": _new(owner).more_clean_audits,
        "cells": [
            {
                **asdict(row.trust),
                "state": row.state,
                "may_land": row.may_land and owner.land == "trusted",
                "why": row.why,
                "fit": row.fit or None,
                "no_fit": row.no_fit,
            }
            for row in rows
        ],
        "draws_unlike_the_key": unlike,
    }


def _new(owner: Policy) -> Trust:
    from reeve.policy.learn import trust_of

    return trust_of(Cell("", "", "", "", ""), (), owner)


def _fit_json(fit: Fit | Refused) -> dict[str, object]:
    """Give a fit, or the reason why there is none."""
    if isinstance(fit, Refused):
        return {"fit": None, "reason": fit.reason}
    return {"fit": asdict(fit), "reason": ""}


def _confidences(fit: Fit | Refused) -> str:
    """Say what the confidences of results are made of."""
    if isinstance(fit, Refused):
        return f"Confidences are the verdicts' own: {fit.reason}."
    ends = f"AUC {fit.auc:.2f} ({fit.auc_low:.2f} to {fit.auc_high:.2f}) on {fit.calibrated} others"
    return f"Confidences are fitted to {fit.right + fit.wrong} results, {ends} (fit {fit.version})."


def _print(owner: Policy, rows: list[Standing], unlike: list[str], pauses: dict[str, Any], confidences: str) -> None:
    console = screen()
    if owner.land == "passed":
        console.print(safe("land = passed: all that passed its checks lands without a look, whoever made it."))
        console.print(safe('What follows is what `land = "trusted"` would go by.', "dim"))
    else:
        bound = (
            f"at most {owner.highest_escape_rate * 100:.3g} % escapes, with {owner.confidence * 100:.4g} % confidence"
        )
        console.print(safe(f"land = trusted: what passed lands without a look where audits certify {bound}."))
    new = _new(owner).more_clean_audits
    console.print(safe(f"Whoever is not listed begins at zero: all of it waits for you, until {new} clean audits."))
    if rows:
        console.print()
        listing(console, COLUMNS, [_row(row) for row in rows])
        console.print()
        console.print(safe(confidences))
    console.print()
    for name, each in pauses["agents"].items():
        console.print(safe(f"{name} checks in every {duration(each['every_seconds'])} of work: {each['reason']}"))
    rest = "every other agent" if pauses["agents"] else "every agent"
    every = "never" if pauses["every_seconds"] is None else f"every {duration(pauses['every_seconds'])} of work"
    console.print(safe(f"{rest} checks in {every}"))
    if unlike:
        console.print()
        named = ", ".join(unlike[:5])
        console.print(safe(f"{plural(len(unlike), 'draw')} not made with the secret key: {named}", "red"))
    console.print()


def _row(row: Standing) -> list[Text]:
    trust, cell = row.trust, row.trust.cell
    styles = {"certified": "green", "alarm": "red"}
    return [
        safe(f"{cell.agent} {cell.version}"),
        safe(one_line(cell.kind)),
        safe(one_line(cell.repository.rstrip("/").rpartition("/")[2])),
        safe(_lands(row), styles.get(row.state, "yellow")),
        safe(trust.audits),
        safe(trust.wrong),
        safe(f"{trust.escapes} of {trust.unseen}"),
        safe(one_line(row.why)),
    ]


def _lands(row: Standing) -> str:
    """Say what of a cell lands without a look: all, from which confidence on, or why nothing."""
    level = row.trust.granted
    if not row.may_land or level is None:
        return f"no: {row.state}"
    if level.scale is Scale.ALL:
        return "yes" if row.trust.threshold is None else f"from {row.trust.threshold:.3g} on"
    return f"from {level.least:.4g} on"


# ---------------------------------------------------------------- explain


def _explain(store: Store, words: list[str], *, as_json: bool) -> None:
    if len(words) != 2 or words[0] != "explain":
        raise InputError(
            f"`reeve policy {' '.join(words)}`: the one word it takes is `explain`, with a task or an attempt"
        )
    from reeve.durable.recompute import recompute

    found = [recompute(store, fact) for fact in _decisions(store, words[1])]
    if as_json:
        print_json({"id": words[1], "decisions": [asdict(each) | {"same": each.same} for each in found]})
    else:
        console = screen()
        for each in found:
            _print_explained(console, each)
    raise typer.Exit(0 if all(each.same for each in found) else 1)


def _decisions(store: Store, wanted: str) -> list[Fact]:
    found = find(store, wanted)
    if isinstance(found, Verdict):
        raise InputError(f"{wanted} is a verdict; name the task or the attempt that a decision is about")
    view, attempt = found if isinstance(found, tuple) else (found, None)
    facts = store.facts(kind="decision", task=view.id)
    chosen = [fact for fact in facts if attempt is None or fact.body["attempt"] == attempt.id]
    if not chosen:
        raise InputError(f"nothing was decided about {wanted} yet; `reeve show {wanted}` says how it stands")
    return chosen


def _print_explained(console: Console, found: "Recomputed") -> None:
    stored = found.stored
    console.print(safe(f"{found.key}: {stored.action}", "bold"))
    hanging(console, safe("  rule     ", "dim"), safe(stored.rule))
    hanging(console, safe("  why      ", "dim"), safe(one_line(stored.reason)))
    numbers = ", ".join(f"{name} {value:g}" for name, value in stored.numbers.items())
    hanging(console, safe("  numbers  ", "dim"), safe(numbers or "none"))
    for level in (level for trust in found.policy.trust for level in trust.levels if level.audits):
        hanging(console, safe("  level    ", "dim"), safe(_level(level)))
    learned = f", learned from the facts up to number {found.policy.learned_through}" if found.policy.trust else ""
    hanging(console, safe("  policy   ", "dim"), safe(f"{short_hash(stored.policy)}{learned}"))
    hanging(console, safe("  again    ", "dim"), _again(found))
    console.print()


def _level(level: Level) -> str:
    """Say what the audits of a level were evidence for when it was decided."""
    clean = f"{level.audits - level.wrong} clean of {plural(level.audits, 'audit')}"
    evidence = f"evidence {level.e_value:.3g} of {level.e_value_needed:.3g}"
    missing = "certified" if level.certified else f"{level.more_clean_audits} more clean ones"
    return f"{level.words}: {clean}, {evidence}, {missing}"


def _again(found: "Recomputed") -> Text:
    if found.again is None:
        return safe("it rests on an error and on no record, so there is nothing to compute")
    if found.same:
        return safe("computed again from the ledger: the same", "green")
    what = (
        "the policy" if found.policy != found.policy_again else f"{found.again.action}: {one_line(found.again.reason)}"
    )
    return safe(f"computed again from the ledger it differs: {what}", "red")
