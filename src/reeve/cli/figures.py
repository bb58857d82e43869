"""What the deck shows of the whole ledger, computed in a process of its own: it takes time, memory and a core."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from math import log2
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from reeve.cli.agents import agent_rows
from reeve.cli.alone import FEWEST_TASKS, UNKNOWN_SECONDS, check_ins_of, enough
from reeve.cli.doors import Keys
from reeve.cli.drilled import bound_sentence
from reeve.cli.opened import keys
from reeve.cli.policy import Standing, fitted, standings, unlike_the_key
from reeve.cli.reviewers import reviewers_of
from reeve.cli.rules import read_rules
from reeve.cli.start import open_store
from reeve.errors import LedgerError, SettingsError
from reeve.ledger.attempt_rows import rows_of, stream_of
from reeve.ledger.audits import Results
from reeve.ledger.codec import decode
from reeve.ledger.drill import DRILLS, drill_results
from reeve.ledger.periods import Happened, periods
from reeve.ledger.status import current
from reeve.ledger.tracks import Run, runs_of, tracks
from reeve.ledger.views import VIEW_KINDS, TaskView, view_of
from reeve.policy.drill import AgentDrill, agent_drills, drill_horizons
from reeve.policy.learn import progress_of, trust_of
from reeve.policy.suite import LetPass, suite_of
from reeve.ports import Fact
from reeve.records import (
    AgentSpec,
    Cell,
    DrillResult,
    Judged,
    LandingOutcome,
    Outcome,
    Policy,
    TestsDrilled,
    Whose,
    WrongPatch,
)
from reeve.settings import MEASURED, Settings, to_policy
from reeve.stats.calibration import Quality, quality
from reeve.stats.risk import Refused
from reeve.units import plural
from reeve.web.figures import (
    AgentHealth,
    CellFigures,
    CheckInFigures,
    Computing,
    DrilledTests,
    DrillFigures,
    Figures,
    HorizonFigures,
    MinedTask,
    Observed,
    Plots,
    PolicyFigures,
    Provided,
    RuleFile,
    StreamOfAudits,
    TestBound,
    TrustFigures,
)

if TYPE_CHECKING:
    from reeve.adapters.stores.sqlite import SqliteStore
    from reeve.policy.horizon import HorizonReport

__all__ = ["OwnHouse", "computing", "figures_of"]

NICE = 10
LOOK_SECONDS = 0.2
LANDED = str(LandingOutcome.LANDED)
MOST_EVIDENCE = 2_000
"""Audits of a level that a plot shows, the newest."""


# ---------------------------------------------------------------- another process


def computing(settings: Settings) -> Computing:
    """Give what computes the figures of a project in a process of its own, and passes on what that finds."""

    def compute(ended: Callable[[], bool]) -> Iterator[Figures | Plots]:
        context = get_context("spawn")
        mine, its = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(its, settings), daemon=True)
        with _interrupts_held_back():
            process.start()
        its.close()
        try:
            while (found := _received(mine, ended)) is not None:
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            mine.close()
            process.terminate()
            process.join()

    return compute


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start what Ctrl-C does not reach, from its first moment on: whoever started it ends it."""
    resource_tracker.ensure_running()  # else it begins with the process, and lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(mine: Connection, ended: Callable[[], bool]) -> "Figures | Plots | BaseException | None":
    try:
        while not mine.poll(LOOK_SECONDS):
            if ended():
                return None
        found: Figures | Plots | BaseException | None = mine.recv()
    except EOFError:
        raise LedgerError(
            "computing the figures: the process that did it has ended without an answer; `reeve trust` says "
            "the same in a terminal"
        ) from None
    return found


def _work(its: Connection, settings: Settings) -> None:
    """Compute, and say what was found as it is found; None is the end."""
    os.nice(NICE)
    with suppress(OSError):  # where memory is short, this goes first, and no attempt
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        store = open_store(settings)
        found, report = figures_of(store, settings)
        its.send(found)
        from reeve.web.trust_plots import plots_of

        its.send(plots_of(found.trust, report))
        its.send(None)
    except Exception as error:
        its.send(error if isinstance(error, LedgerError) else LedgerError(f"{type(error).__name__}: {error}"))


# ---------------------------------------------------------------- all of it


def figures_of(store: "SqliteStore", settings: Settings) -> "tuple[Figures, HorizonReport | None]":
    """Count and estimate over the whole ledger, and write the rows behind it."""
    from reeve.adapters.stores.attempt_rows import AttemptRows

    seq, owner = store.last(), to_policy(settings)
    results = Results(store)
    judged = {each.draw.attempt: each for found, _ in results.all().values() for each in found}
    seen = _Seen()
    with AttemptRows(store.folder).writing() as add:

        def views() -> Iterator[TaskView]:
            for facts in _tasks(store, seen):
                view = view_of(facts)
                seen.add(view, facts)
                add(rows_of(view, judged))
                yield view

        records = tracks(store, results, views())
    report, horizons = _horizons(seen, settings.trust.reliability)
    drilled = drill_results(store) if seen.drills else ()
    calibration = _calibration([each for each in judged.values() if each.draw.uniform])
    found = TrustFigures(
        tracks=records,
        policy=_policy(settings, owner, results, report),
        horizons=horizons,
        calibration=None if isinstance(calibration, Refused) else calibration,
        no_calibration=calibration.reason if isinstance(calibration, Refused) else "",
        periods=periods(seen.happened),
        reviewers=reviewers_of(settings, store, results),
    )
    return Figures(seq, time.time(), found, _drill(store, owner, drilled)), report


@dataclass
class _Seen:
    """What one pass over all tasks leaves beside the records."""

    runs: list[Run] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)  # agent and version -> model
    happened: Happened = field(default_factory=Happened)
    drills: bool = False

    def add(self, view: TaskView, facts: Sequence[Fact]) -> None:
        self.happened.minutes += [(review.at_utc, review.minutes) for review in view.reviews]
        if view.seeded is not None:  # the minutes are people's all the same
            return
        self.runs += runs_of(view)
        self.models |= {_name(item.order.agent): item.order.agent.model for item in view.attempts}
        landed = (fact.at_utc for fact in facts if fact.kind == "landing" and fact.body["outcome"] == LANDED)
        self.happened.landed += list(landed)[:1]
        ended = {fact.key: fact.at_utc for fact in facts if fact.kind == "attempt"}
        attempts = (item.attempt for item in view.attempts if item.attempt is not None)
        self.happened.usd += [(ended[each.id], each.usd) for each in attempts if each.usd is not None]


def _tasks(store: "SqliteStore", seen: _Seen) -> Iterator[tuple[Fact, ...]]:
    """Give the facts of every task since its newest version, one task after the other, as they came."""
    for task in store.tasks():
        facts = current(store.of(task, VIEW_KINDS))
        answer = facts[0].body.get("known_answer")
        seen.drills |= answer in DRILLS
        if not answer:
            yield facts


def _name(agent: AgentSpec) -> str:
    return f"{agent.name} {agent.version}"


# ---------------------------------------------------------------- horizon, policy, calibration


def _horizons(seen: _Seen, reliability: float) -> "tuple[HorizonReport | None, HorizonFigures]":
    """Estimate horizons and their trend; an agent whose model is a public one has the date of that."""
    runs = enough(seen.runs)
    if not runs:
        most = len({run.task for run in seen.runs})
        reason = (
            f"a horizon needs {FEWEST_TASKS} judged tasks with `human_minutes` of one agent; there are {most} in all"
        )
        return None, HorizonFigures(reason=reason)
    from reeve.policy.horizon import horizon_report
    from reeve.policy.release_dates import known_releases
    from reeve.policy.run_records import RunRecords
    from reeve.stats.horizon import LEVELS
    from reeve.stats.runs import Runs

    agents, tasks = [f"{run.agent} {run.version}" for run in runs], [f"{run.repository} {run.task}" for run in runs]
    public = known_releases(set(seen.models.values()))
    released = {name: public[model] for name, model in seen.models.items() if model in public and name in agents}
    columns = [run.human_minutes for run in runs], [float(run.succeeded) for run in runs]
    records = RunRecords(Runs.of(agents, tasks, tasks, *columns), released, {}, {}, {}, ())
    report = horizon_report(records, levels=sorted({*LEVELS, reliability}))
    return report, HorizonFigures(report.horizons.agents, _observed(runs), report.trend)


def _observed(runs: Sequence[Run]) -> tuple[Observed, ...]:
    """Put the runs of each agent together that are at tasks of the same length but for half a doubling."""
    found: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        found.setdefault((f"{run.agent} {run.version}", round(2 * log2(run.human_minutes))), []).append(run)
    return tuple(
        Observed(
            agent,
            2.0 ** fmean(log2(run.human_minutes) for run in some),
            len(some),
            sum(run.succeeded for run in some),
        )
        for (agent, _), some in sorted(found.items())
    )


def _calibration(audits: Sequence[Judged]) -> Quality | Refused:
    """Judge the confidences that results were decided on by what uniform audits found."""
    answered = [each for each in audits if each.wrong is not None]
    return quality([each.draw.confidence for each in answered], [not each.wrong for each in answered])


def _policy(settings: Settings, owner: Policy, results: Results, report: "HorizonReport | None") -> PolicyFigures:
    by_cell = results.all()
    fixed, reliability = settings.check_in.every_seconds, settings.trust.reliability
    every = UNKNOWN_SECONDS if fixed == MEASURED else fixed
    return PolicyFigures(
        land=owner.land,
        highest_escape_rate=owner.highest_escape_rate,
        confidence=owner.confidence,
        audit_share=owner.audit_share,
        suspicion_share=owner.suspicion_share,
        reliability=reliability,
        clean_audits_of_a_new_cell=trust_of(Cell("", "", "", "", ""), (), owner).more_clean_audits,
        cells=tuple(
            _cell(row, by_cell[row.trust.cell][0], owner) for row in standings(results, owner, fitted(results))
        ),
        every_seconds=every,
        check_ins=_check_ins(report, reliability) if fixed == MEASURED else (),
        draws_unlike_the_key=tuple(
            unlike_the_key(settings, [each.draw for found, _ in by_cell.values() for each in found])
        ),
    )


def _check_ins(report: "HorizonReport | None", reliability: float) -> tuple[CheckInFigures, ...]:
    if report is None:
        return ()
    found = check_ins_of({each.agent: each for each in report.horizons.agents}, reliability)
    return tuple(CheckInFigures(name, seconds, reason) for name, (seconds, reason) in found.items())


def _cell(row: Standing, judged: Sequence[Judged], owner: Policy) -> CellFigures:
    streams: dict[str, list[Judged]] = {"uniform": [], "suspicion": [], "before": []}
    for each in judged:
        if name := stream_of(each.draw):
            streams[name].append(each)
    return CellFigures(
        trust=row.trust,
        state=row.state,
        may_land=row.may_land and owner.land == "trusted",
        why=row.why,
        fit=row.fit or None,
        no_fit=row.no_fit,
        streams=tuple(_stream(name, drawn) for name, drawn in streams.items()),
        progress=tuple(course[-MOST_EVIDENCE:] for course in progress_of(judged, owner)),
    )


def _stream(name: str, drawn: Sequence[Judged]) -> StreamOfAudits:
    answered = [each for each in drawn if each.wrong is not None]
    return StreamOfAudits(name, len(drawn), len(answered), sum(each.wrong is True for each in answered))


# ---------------------------------------------------------------- drills


def _drill(store: "SqliteStore", owner: Policy, results: Sequence[DrillResult]) -> DrillFigures:
    agents, horizons = agent_drills(results), drill_horizons(results, seed=0)
    newest = {str(fact.body["repo"]): fact for fact in store.facts(kind="drill")}
    return DrillFigures(
        tasks=_mined(results),
        agents=agents,
        horizons=horizons.agents,
        no_horizons=horizons.reason,
        tests=tuple(_tests(store, fact, agents, owner) for fact in newest.values()),
    )


def _mined(results: Sequence[DrillResult]) -> tuple[MinedTask, ...]:
    found: dict[str, list[DrillResult]] = {}
    for result in results:
        found.setdefault(result.example, []).append(result)
    return tuple(
        MinedTask(
            example,
            str(some[0].answer),
            some[0].human_minutes,
            some[0].required,
            tuple(result.attempt for result in some),
            sum(result.outcome is Outcome.PASSED for result in some),
        )
        for example, some in found.items()
    )


def _tests(store: "SqliteStore", fact: Fact, agents: Sequence[AgentDrill], owner: Policy) -> DrilledTests:
    """Read what was stored of the last drill of a repository, and count it again."""
    drilled = decode(TestsDrilled, fact.body)
    patches = tuple(decode(WrongPatch, body) for body in json.loads(store.get(drilled.patches)))
    suite = suite_of(patches, agents, owner.highest_escape_rate)
    return DrilledTests(
        repository=drilled.repo,
        head=drilled.head,
        at_utc=fact.at_utc,
        sentence=_sentence(suite.all),
        all=suite.all,
        by_kind=tuple(suite.by_kind.items()),
        files=suite.files,
        bounds=tuple(TestBound(each.agent, each.version, each.holds, bound_sentence(each)) for each in suite.bounds),
    )


def _sentence(found: LetPass | None) -> str:
    if found is None:
        return "No wrong patch was tried on the tests"
    share = found.share
    ends = f"{share.value * 100:.0f} % ({share.low * 100:.0f} to {share.high * 100:.0f} %)"
    tried = plural(found.tried, "wrong patch", "wrong patches")
    return f"Of {tried} the tests here let {found.let_pass} pass: {ends}"


# ---------------------------------------------------------------- outside of the ledger


class OwnHouse:
    """Port House: what the commands `agents` and `doctor` read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def agents(self) -> tuple[AgentHealth, ...]:
        """List the agents as `reeve agents` does."""
        return tuple(AgentHealth(**asdict(row)) for row in agent_rows(self._settings))

    def providers(self) -> tuple[Provided, ...]:
        """List the providers; the key stays where it is."""
        try:
            known, problem = keys(self._settings), ""
        except SettingsError as error:
            known, problem = Keys({}, {}), str(error)
        return tuple(
            Provided(
                name,
                str(source.api),
                source.base_url,
                ready=name in known.providers,
                needs_none=name in known.providers and not known.providers[name].key,
                problem=known.missing.get(name, problem),
            )
            for name, source in sorted(self._settings.providers.items())
        )

    def rules(self) -> tuple[RuleFile, ...]:
        """Read the rules of the person and of the repository."""
        names = {Whose.ME: "yours", Whose.REPOSITORY: "the repository's"}
        return tuple(RuleFile(names[whose], *rest) for whose, *rest in read_rules(self._settings))
