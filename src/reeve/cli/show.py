"""`reeve show`."""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from reeve.cli.explained import EVIDENCE_SHOWN, print_verdict
from reeve.cli.looked import record_look
from reeve.cli.opened import ledger
from reeve.cli.options import Id, Json
from reeve.cli.output import STYLES, Column, hanging, listing, minutes, print_json, safe, screen
from reeve.ledger.plain import one_line, plain
from reeve.ledger.requests import Asked, asked_by
from reeve.ledger.told import told, told_attempt
from reeve.ledger.views import AttemptView, TaskView, find
from reeve.records import Attempt, RequestOutcome, Review, Status, Verdict
from reeve.units import duration, plural, short_hash

ASKED_CHARACTERS = 100


def show(wanted: Id, *, as_json: Json = False) -> None:
    """Show one task, attempt or verdict: what was wanted, what was done, what proves it, what was decided."""
    store = ledger()
    found = find(store, wanted)
    console = screen()
    if isinstance(found, Verdict):
        if as_json:
            print_json({"kind": "verdict", "id": found.id, "task": found.task, "verdict": found})
            return
        _head(console, found.id, found.outcome, f"task {found.task}")
        print_verdict(console, found)
        return
    view, attempt = found if isinstance(found, tuple) else (found, None)
    asked = None if attempt is None else asked_by(store, view.id, attempt.id)
    if as_json:
        print_json(told(view) if attempt is None or asked is None else told_attempt(view, attempt, asked))
        return
    record_look(store, view)
    if attempt is None or asked is None:
        _task(console, view)
    else:
        _attempt(console, view, attempt, asked)


def _head(console: Console, title: str, state: str, more: str = "") -> None:
    line = safe(title, "bold").append("  ").append_text(safe(state, STYLES.get(state, "")))
    console.print(line.append_text(safe(f"  {more}", "dim")) if more else line)


def _task(console: Console, view: TaskView) -> None:
    task = view.task
    _head(
        console, view.id, view.status, f"about {minutes(task.human_minutes)} min by hand" if task.human_minutes else ""
    )
    console.print(safe(one_line(view.reason)))
    console.print()
    for line in plain(task.instruction.strip()).splitlines():
        console.print(safe(f"  {line}"))
    console.print()
    _facts(console, _about(view))
    _setup(console, view)
    if view.attempts:
        console.print()
        listing(console, ATTEMPT_COLUMNS, [_attempt_row(item) for item in view.attempts])
    telling = _most_telling(view)
    if telling and telling.verdict:
        console.print()
        _head(console, f"verdict on {telling.id}", telling.verdict.outcome)
        hanging(console, safe("it changed "), safe(_changed(telling)))
        print_verdict(console, telling.verdict)
    _outcome(console, view)


def _most_telling(view: TaskView) -> AttemptView | None:
    """Choose the attempt whose verdict explains the task: the chosen one, else the last that changed anything."""
    judged = [item for item in view.attempts if item.verdict]
    changed = [item for item in judged if item.attempt and not item.attempt.patch.empty]
    return view.chosen or next(reversed(changed or judged), None)


ATTEMPT_COLUMNS = (
    Column("attempt"),
    Column("agent"),
    Column("ending"),
    Column("verdict"),
    Column("lines", right=True),
    Column("needed", right=True),
    Column("time", right=True),
    Column("why", grows=True),
)


def _attempt_row(item: AttemptView) -> list[Text]:
    attempt, verdict = item.attempt, item.verdict
    outcome = verdict.outcome if verdict else ""
    needed = "" if verdict is None or verdict.needed_lines is None else verdict.needed_lines
    return [
        safe(item.id),
        safe(item.order.agent.name),
        safe(attempt.ending if attempt else "at work", "" if attempt else "cyan"),
        safe(outcome, STYLES.get(outcome, "")),
        safe(attempt.patch.lines if attempt else ""),
        safe(needed),
        safe(duration(attempt.wall_seconds) if attempt else ""),
        safe(one_line(verdict.reason if verdict else attempt.reason if attempt else "")),
    ]


def _facts(console: Console, given: list[tuple[str, str]]) -> None:
    rows = [row for row in given if row[1]]
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        hanging(console, safe(f"{name:<{width}}  ", "dim"), safe(value))


def _about(view: TaskView) -> list[tuple[str, str]]:
    task, checks = view.task, view.task.checks
    rows = [("repository", task.repo.path or task.repo.archive or ""), ("base", task.base)]
    if view.attempts:
        rows[1] = ("base", f"{task.base} = {short_hash(view.attempts[-1].order.base.commit)}")
    rows += [("must pass", one_line(item)) for item in checks.required[:EVIDENCE_SHOWN]]
    if len(checks.required) > EVIDENCE_SHOWN:
        rows.append(("", f"and {len(checks.required) - EVIDENCE_SHOWN} more"))
    rows += [("must succeed", one_line(item.command)) for item in checks.commands]
    if checks.hidden or checks.test_patch:
        rows.append(("hidden tests", "yes, no attempt sees them"))
    if task.known_answer is not None:
        rows.append(("known answer", f"{task.known_answer}: made to see what an agent does; nothing of it lands"))
    if checks.none:
        rows.append(("checks", "none: nothing can prove a result"))
    rows.append(("from", task.source))
    return [row for row in rows if row[1]]


def _setup(console: Console, view: TaskView) -> None:
    if view.environment is not None and not view.environment.ok:
        console.print()
        console.print(
            safe("the set-up of its environment failed: ", "yellow").append_text(safe(view.environment.reason))
        )
        console.print(safe(f"reeve log {view.id}   what the set-up printed", "dim"))


def _attempt(console: Console, view: TaskView, item: AttemptView, asked: Asked) -> None:
    state = item.attempt.ending if item.attempt else "at work"
    _head(console, item.id, item.verdict.outcome if item.verdict else state, f"task {view.id}: {view.status}")
    order, attempt = item.order, item.attempt
    rows = [
        ("agent", f"{order.agent.name} {order.agent.version}"),
        ("round", f"{order.round}, attempt {order.index + 1} of {order.of}, seed {order.seed}"),
        ("base", order.base.commit),
        *(("" if number else "rules", one_line(rule)) for number, rule in enumerate(order.rules)),
    ]
    if attempt is not None:
        rows += [
            ("ending", f"{attempt.ending}: {one_line(attempt.reason)}"),
            ("time", f"{duration(attempt.wall_seconds)}, CPU {duration(attempt.cpu_seconds)}"),
            ("memory", f"{attempt.peak_memory_mb:.0f} MB at its peak"),
            ("spent", _spent(attempt, asked)),
            ("requests", _requests(asked)),
            ("sandbox", attempt.sandbox),
            ("patch", _patch_words(attempt.patch.lines, len(attempt.patch.changes))),
        ]
        rows += [("", f"{change.kind} {one_line(change.path)}") for change in attempt.patch.changes[:EVIDENCE_SHOWN]]
        rows += [("refused", one_line(reason)) for reason in attempt.patch.refused]
    _facts(console, [*rows, *_said(item)])
    for verdict in item.verdicts:
        console.print()
        _head(console, f"verdict {verdict.id}", verdict.outcome)
        print_verdict(console, verdict)
    _outcome(console, view, item.id)


def _said(item: AttemptView) -> list[tuple[str, str]]:
    """What it asked, and what it was told, each with who answered."""
    answers = {word.answers: word for word in item.words if word.answers}
    rows = []
    for question in item.questions:
        word = answers.get(question.id)
        asked = question.command or ", ".join(question.paths) or question.text
        said = "nobody has answered" if word is None else f"{word.kind} by {word.by} {word.text}"
        rows.append((str(question.kind), f"{one_line(asked, ASKED_CHARACTERS)}: {one_line(said)}"))
    return rows + [("told", one_line(word.text)) for word in item.words if not word.answers]


def _spent(attempt: Attempt, asked: Asked) -> str:
    tokens = "" if attempt.tokens is None else plural(attempt.tokens, "token")
    usd = "" if attempt.usd is None else f"{attempt.usd:.4f} dollars"
    estimated = f"an estimate: of {plural(asked.estimated, 'request')} the provider did not say it"
    unpriced = f"of {plural(asked.unpriced, 'request')} no price is known"
    doubts = "; ".join([*([estimated] if asked.estimated else []), *([unpriced] if asked.unpriced else [])])
    said = ", ".join(part for part in (tokens, usd) if part)
    return f"{said} ({doubts})" if said and doubts else said


def _requests(asked: Asked) -> str:
    """Count what went through the gateway, and say why the last failed of them did."""
    counts = ", ".join(f"{asked.outcomes[each]} {each}" for each in RequestOutcome if asked.outcomes.get(each))
    return f"{counts}; the last that failed: {one_line(asked.reason)}" if asked.reason else counts


def _changed(item: AttemptView) -> str:
    """Name the files of a patch with their lines: what a person wants to know before any evidence."""
    changes = item.attempt.patch.changes if item.attempt else ()
    if not changes:
        return "nothing"
    named = [f"{one_line(one.path)} +{one.lines_added} -{one.lines_removed}" for one in changes[:EVIDENCE_SHOWN]]
    more = len(changes) - len(named)
    return ", ".join([*named, *([f"and {plural(more, 'file')} more"] if more else [])])


def _patch_words(lines: int, files: int) -> str:
    return f"{plural(lines, 'line')} in {plural(files, 'file')}" if files else "nothing was changed"


def _outcome(console: Console, view: TaskView, only: str | None = None) -> None:
    rows = [
        (f"selection {item.round}", f"{item.chosen or 'none'}: {one_line(item.reason)} ({item.rule})")
        for item in view.selections
        if only is None
    ]
    rows += [
        (f"decision {item.round}", f"{item.action}: {one_line(item.reason)} ({item.rule}; {_numbers(item.numbers)})")
        for item in view.decisions
        if only in (None, item.attempt)
    ]
    rows += [
        (
            "landing",
            f"{item.attempt} {item.outcome}{_as(item.commit)} on {item.branch}: {one_line(item.reason)}",
        )
        for item in view.landings
        if only in (None, item.attempt)
    ]
    rows += [
        (
            item.kind,
            f"{one_line(item.reason) or 'agreed'} ({minutes(item.minutes)} min, {_how(item)})",
        )
        for item in view.reviews
        if only in (None, item.attempt)
    ]
    if rows:
        console.print()
        _facts(console, rows)
    if view.status is Status.NEEDS_YOU:
        console.print()
        console.print(safe("   ".join(_next(view, only or (view.chosen.id if view.chosen else view.id))), "dim"))


def _next(view: TaskView, target: str) -> list[str]:
    """Name the commands that decide; where there is no patch there is nothing to look at or to land."""
    attempt = view.attempt(target) or view.chosen
    made = attempt is not None and attempt.attempt is not None and not attempt.attempt.patch.empty
    return [*([f"reeve diff {target}", f"reeve accept {target}"] if made else []), f'reeve reject {view.id} -m "why"']


def _how(review: Review) -> str:
    return ("measured" if review.measured else "given") + (", an escape" if review.escape else "")


def _as(commit: str | None) -> str:
    return f" as {short_hash(commit)}" if commit else ""


def _numbers(numbers: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in numbers.items()) or "no numbers"
