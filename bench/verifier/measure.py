"""Measures the verifier on the corpora: every patch through `reeve.flow.verify`, on a real world, as it ships.

Verdicts are rows of a file in the work folder, one line each, written when they are there; whoever starts again goes on
from them. The folder carries the digest of reeve's own code in its name: another verifier gets other rows.
"""

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

import reeve
from bench.verifier.case import Case, Made
from bench.verifier.place import Place, begin_worker
from reeve import flow
from reeve.durable import steps
from reeve.errors import ReeveError
from reeve.records import Outcome, Task, Verdict

__all__ = ["Group", "Row", "digest_of_code", "groups", "measure", "measure_one", "read_rows", "task_of"]

SRC = Path(reeve.__file__).resolve().parent
LOOKED_AT = ("adapters", "durable", "verdict", "flow.py", "records.py", "ports.py", "stats")
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One verdict. `cpu_seconds` is all that this process and its children spent for it, the base being known.

    `verdict_cpu_seconds` is what the verdict itself says; `plain_cpu_seconds` a plain run of the same tests on the
    result, None where none was made (a result that did not pass needs no whole verdict); `plain_all_cpu_seconds` that
    run with all that this process and its children spent to make it, as `cpu_seconds` has it for the verdict.
    """

    key: str
    package: str
    case: str
    corpus: str
    kind: str
    hidden: bool
    passes_visible: bool
    fools: str
    outcome: str
    reason: str
    confidence: float
    checks: tuple[tuple[str, str], ...]
    strength: tuple[int, int] | None
    surplus_lines: int | None
    cpu_seconds: float
    verdict_cpu_seconds: float
    wall_seconds: float
    plain_cpu_seconds: float | None
    plain_all_cpu_seconds: float | None = None

    @property
    def accepted(self) -> bool:
        return self.outcome == Outcome.PASSED

    @property
    def score(self) -> float:
        """Order verdicts: a pass counts its confidence, a failure the negative of it, what could not be told 0."""
        if self.outcome == Outcome.PASSED:
            return self.confidence
        return -self.confidence if self.outcome == Outcome.FAILED else 0.0

    @property
    def against(self) -> tuple[str, ...]:
        """Name the checks that did not pass."""
        names = tuple(dict.fromkeys(name for name, outcome in self.checks if outcome != Outcome.PASSED))
        return names if names or self.accepted else ("(nothing left to examine)",)


@dataclass(frozen=True, slots=True)
class Group:
    """The patches of one case, checked with its hidden part or without."""

    case: Case
    hidden: bool
    made: tuple[Made, ...]


@dataclass
class _Seen:
    rows: dict[str, Row] = field(default_factory=dict)


def digest_of_code() -> str:
    """Name the verifier: by the content of everything that a verdict depends on."""
    digest = hashlib.sha256()
    for part in LOOKED_AT:
        path = SRC / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(SRC)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:10]


def groups(cases: Sequence[Case], made: Sequence[Made], variants: Sequence[bool]) -> list[Group]:
    """Put the patches of every case together, once with its hidden part and once without."""
    found = [
        Group(case, hidden, tuple(one for one in made if one.case == case.id)) for case in cases for hidden in variants
    ]
    return [group for group in found if group.made]


def key_of(group: Group, one: Made) -> str:
    content = json.dumps({path: (c or b"").hex() for path, c in one.files.items()}, sort_keys=True)
    task = repr((group.case.repo.rpartition("/")[2], group.case.required, group.case.hidden_ids, group.hidden))
    return f"{one.name}/{hashlib.sha256((content + task).encode()).hexdigest()[:12]}"


def read_rows(path: Path) -> dict[str, Row]:
    """Read what has been measured; a line torn by an interruption is measured again."""
    rows = {}
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            body = json.loads(line)
        except ValueError:
            continue
        body["checks"] = tuple((name, outcome) for name, outcome in body["checks"])
        row = Row(**body)
        rows[row.key] = row
    return rows


def measure(folder: Path, setup: str, work: Sequence[Group], workers: int, say: Callable[[str], None]) -> list[Row]:
    """Measure every patch that has no row yet, and return the rows of all."""
    path = folder / "rows.jsonl"
    known = read_rows(path)
    wanted = {key_of(group, one) for group in work for one in group.made}
    todo = []
    for group in work:
        left = tuple(one for one in group.made if key_of(group, one) not in known)
        if left:
            todo.append(Group(group.case, group.hidden, left))
    # Long groups first: the last worker must not be left alone with one.
    todo.sort(key=lambda group: -len(group.made))
    if todo:
        Place(folder, setup).world  # noqa: B018 - made once, before two processes would make it at the same time
        _in_processes(folder, setup, todo, workers, lambda: say(_progress(path, wanted)))
    return [row for key, row in read_rows(path).items() if key in wanted]


def _in_processes(folder: Path, setup: str, todo: Sequence[Group], workers: int, tick: Callable[[], None]) -> None:
    with ProcessPoolExecutor(workers, get_context("spawn"), begin_worker) as pool:
        waiting = {pool.submit(_measure_group, folder, setup, group) for group in todo}
        while waiting:
            done = {future for future in waiting if future.done()}
            for future in done:
                future.result()
            waiting -= done
            tick()
            time.sleep(POLL_SECONDS)


def _progress(path: Path, wanted: set[str]) -> str:
    rows = [row for key, row in read_rows(path).items() if key in wanted]
    accepted = {
        corpus: sum(row.accepted for row in rows if row.corpus == corpus) for corpus in ("honest", "wrong", "cheating")
    }
    counts = ", ".join(
        f"{corpus} {accepted[corpus]}/{sum(row.corpus == corpus for row in rows)}" for corpus in accepted
    )
    return f"{len(rows)}/{len(wanted)} verdicts; accepted: {counts}"


# ---------------------------------------------------------------- in a worker


def _measure_group(folder: Path, setup: str, group: Group) -> None:
    place = Place(folder, setup)
    task = task_of(place, group)
    steps.start_fresh(place.world, task)  # the base is measured once for all patches of a task, and belongs to none
    for one in group.made:
        row = measure_one(place, group, task, one)
        with (folder / "rows.jsonl").open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def task_of(place: Place, group: Group) -> Task:
    """Make the task of a group."""
    name = f"{group.case.id}-{'hidden' if group.hidden else 'plain'}"
    return place.task(name, Path(group.case.repo), group.case.env, group.case.checks(hidden=group.hidden))


def measure_one(place: Place, group: Group, task: Task, one: Made) -> Row:
    base = place.base(task)
    tree = place.tree(base, one.files)
    patch = place.world.objects.diff(base.tree, tree)
    before, began = _used(), time.monotonic()
    try:
        verdict = flow.verify(place.world, task, patch)
    except ReeveError as error:
        verdict = Verdict("", task.id, "", base.tree, tree, Outcome.FAILED, f"refused: {error}", confidence=1.0)
    wall = time.monotonic() - began
    cpu = _used() - before
    plain = plain_all = None
    if verdict.outcome is Outcome.PASSED or one.corpus == "honest":
        before = _used()
        plain = place.plain(task, base, tree, group.case.hidden_files() if group.hidden else ()).cpu_seconds
        plain_all = _used() - before
    strength = verdict.strength
    return Row(
        key=key_of(group, one),
        package=group.case.package,
        case=group.case.id,
        corpus=one.corpus,
        kind=one.kind,
        hidden=group.hidden,
        passes_visible=bool(one.passes_visible),
        fools=one.fools,
        outcome=str(verdict.outcome),
        reason=verdict.reason,
        confidence=verdict.confidence,
        checks=tuple((check.name, str(check.outcome)) for check in verdict.checks),
        strength=(strength.noticed, strength.injected) if strength else None,
        surplus_lines=verdict.surplus.lines if verdict.surplus else None,
        cpu_seconds=round(cpu, 3),
        verdict_cpu_seconds=round(verdict.cpu_seconds, 3),
        wall_seconds=round(wall, 3),
        plain_cpu_seconds=None if plain is None else round(plain, 3),
        plain_all_cpu_seconds=None if plain_all is None else round(plain_all, 3),
    )


def _used() -> float:
    """CPU seconds of this process and its children; detached ones that ended are taken first."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def progress_line(text: str) -> None:
    """Say how far it is, on one line of a terminal, or on lines of their own elsewhere."""
    sys.stderr.write(f"\r\033[K{text}" if sys.stderr.isatty() else f"{text}\n")
    sys.stderr.flush()


def as_bodies(rows: Sequence[Row]) -> list[Mapping[str, object]]:
    return [asdict(row) for row in rows]
