"""Make one attempt: a workspace, an agent behind walls, and what it left, stored before the workspace goes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from reeve.attempt.ending import ending_of
from reeve.attempt.events import declined_in, spent
from reeve.errors import SandboxError
from reeve.ports import Agent, Sandbox, Store, Trees
from reeve.records import (
    Attempt,
    Ending,
    Environment,
    Limits,
    Measurement,
    Order,
    Patch,
    SandboxResult,
    SandboxRun,
    Task,
    Workspace,
)

__all__ = ["Site", "clear", "cut_short", "make"]

OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Site:
    """Where attempts are made, and with what; `stop` says that the person wants an end."""

    sandbox: Sandbox
    trees: Trees
    store: Store
    stop: Callable[[], bool]


def make(
    task: Task,
    order: Order,
    *,
    agent: Agent,
    environment: Environment,
    base: Measurement | None,
    site: Site,
    folder: Path,
) -> Attempt:
    """Run an order to its end and take what came of it; `folder` belongs to this attempt alone.

    If an earlier process started it and died, the run is found by its lock and waited for; if it has ended
    meanwhile, its exit record is read. Nothing starts twice. The workspace stays until `clear`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        workspace = _begun(folder)
        if workspace is None or not site.sandbox.begun(folder):
            workspace = _begin(task, order, agent, environment, base, site, folder)
        budget = _Budget(task.limits, folder / OUTPUT)
        result = site.sandbox.wait(folder, stop=lambda: site.stop() or budget.spent_up())
        if budget.reason and result.ending is Ending.INTERRUPTED:
            result = replace(result, ending=Ending.BUDGET_LIMIT, reason=budget.reason)
        elif result.ending is Ending.INTERRUPTED and (asked := site.store.fact("stop", order.attempt)) is not None:
            why = str(asked.body["why"])
            result = replace(result, reason=f"a person stopped it: {why}" if why else "a person stopped it")
        patch = site.trees.capture(workspace, order.base.tree)
    except SandboxError as error:
        result = SandboxResult(Ending.SANDBOX_FAILED, None, str(error), 0.0, 0.0, 0.0)
        patch = Patch(order.base.tree, order.base.tree)
    return _record(order, result, patch, site, folder)


def cut_short(order: Order, *, site: Site, folder: Path, reason: str) -> Attempt:
    """End a run that an earlier process started and that nobody wants any more, and take what came of it."""
    result = SandboxResult(Ending.INTERRUPTED, None, reason, 0.0, 0.0, 0.0)
    patch = Patch(order.base.tree, order.base.tree)
    try:
        workspace = _begun(folder)
        if workspace is not None and site.sandbox.begun(folder):
            result = site.sandbox.wait(folder, stop=lambda: True)
            patch = site.trees.capture(workspace, order.base.tree)
    except SandboxError as error:
        result = replace(result, ending=Ending.SANDBOX_FAILED, reason=str(error))
    if result.ending is Ending.INTERRUPTED:
        result = replace(result, reason=reason)
    return _record(order, result, patch, site, folder)


def clear(folder: Path, trees: Trees) -> None:
    """Remove the workspace of an attempt whose record is stored; doing it twice is no error."""
    if (workspace := _begun(folder)) is not None:
        trees.drop(workspace)
    shutil.rmtree(folder, ignore_errors=True)


class _Budget:
    """Tokens and dollars of one attempt, by the usage events of the agent: a limit it cannot overrun if it is honest.

    What an agent does not say cannot be counted here; time, memory and disk are limits that need no words of it.
    """

    def __init__(self, limits: Limits, output: Path) -> None:
        self._limits = limits
        self._output = output
        self._seen_bytes = 0
        self.reason = ""

    def spent_up(self) -> bool:
        """Say whether a limit is passed; the output is read again only when it has grown."""
        limits = self._limits
        if limits.tokens is None and limits.usd is None:
            return False
        try:
            size = self._output.stat().st_size
        except OSError:
            return False
        if size == self._seen_bytes:
            return bool(self.reason)
        self._seen_bytes = size
        tokens, usd = spent(self._output.read_bytes())
        if limits.tokens is not None and tokens is not None and tokens > limits.tokens:
            self.reason = f"the limit of {limits.tokens} tokens was passed ({tokens} used)"
        elif limits.usd is not None and usd is not None and usd > limits.usd:
            self.reason = f"the limit of {limits.usd} dollars was passed ({usd:.2f} used)"
        return bool(self.reason)


def _begin(
    task: Task,
    order: Order,
    agent: Agent,
    environment: Environment,
    base: Measurement | None,
    site: Site,
    folder: Path,
) -> Workspace:
    clear(folder, site.trees)
    seen = folder / "reeve"
    seen.mkdir(parents=True)
    launch = agent.launch(task, order, seen, base)
    layers = (Path(environment.layer),) if environment.layer else ()
    workspace = site.trees.open(order.base.tree, order.attempt, layers)
    # Written before the start: whoever comes after a crash knows which workspace a running agent has.
    (folder / "workspace.json").write_text(json.dumps(asdict(workspace)))
    binds = dict(launch.binds)
    if environment.venv:
        binds["/env"] = environment.venv
    run = SandboxRun(
        argv=launch.argv,
        workspace=workspace,
        limits=task.limits,
        wall_seconds=task.limits.wall_seconds,
        stdout=str(folder / OUTPUT),
        env={**task.env, **launch.env},
        binds=binds,
    )
    site.sandbox.ensure(run, folder)
    return workspace


def _begun(folder: Path) -> Workspace | None:
    try:
        body = json.loads((folder / "workspace.json").read_text())
    except (OSError, ValueError):
        return None
    return Workspace(**(body | {"lowers": tuple(body["lowers"])}))


def _record(order: Order, result: SandboxResult, patch: Patch, site: Site, folder: Path) -> Attempt:
    output = folder / OUTPUT
    said = output.read_bytes() if output.exists() else b""
    declined = declined_in(said)
    ending, reason = ending_of(result, declined)
    tokens, usd = spent(said)
    return Attempt(
        id=order.attempt,
        task=order.task,
        round=order.round,
        agent=order.agent,
        base=order.base,
        ending=ending,
        reason=reason,
        patch=patch,
        trajectory=site.store.put(said),
        wall_seconds=result.wall_seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory_mb=result.peak_memory_mb,
        sandbox=site.sandbox.name,
        tokens=tokens,
        usd=usd,
        declined=declined,
    )
