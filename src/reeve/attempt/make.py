"""Make one attempt: a workspace, an agent behind walls, and what it left, stored before the workspace goes."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from reeve.attempt.ending import ending_of
from reeve.attempt.events import declined_in, spent
from reeve.attempt.oversight import Oversight, Silent, Talk
from reeve.errors import SandboxError
from reeve.ports import Agent, Clock, Gateway, Launch, Sandbox, Spent, Store, Trees
from reeve.records import (
    Attempt,
    Door,
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
MAIL = "mail"
OUT = "out"
MOST_FRAME_BYTES = 64 * 2**20


def _no_talk(_order: Order, _folder: Path) -> Talk:
    return Silent()


@dataclass(frozen=True, slots=True)
class Site:
    """Where attempts are made, and with what; `stop` says that the person wants an end.

    `gateway` is what stands behind doors; None where no attempt has one. `talk` begins the exchange with an attempt
    that can listen, given its order and its mail.
    """

    sandbox: Sandbox
    trees: Trees
    store: Store
    clock: Clock
    stop: Callable[[], bool]
    gateway: Gateway | None = None
    talk: Callable[[Order, Path], Talk] = _no_talk


def make(
    task: Task,
    order: Order,
    *,
    agent: Agent,
    environment: Environment,
    base: Measurement | None,
    door: Door | None,
    site: Site,
    folder: Path,
) -> Attempt:
    """Run an order to its end and take what came of it; `folder` belongs to this attempt alone.

    If an earlier process started it and died, the run is found by its lock and waited for; if it has ended
    meanwhile, its exit record is read. Nothing starts twice. The workspace stays until `clear`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun, spent_there = _begun(folder), Spent()
    try:
        if begun is None or not site.sandbox.begun(folder):
            begun = _begin(task, order, agent, environment, base, door, site, folder)
        elif begun.door is not None and site.gateway is not None:
            site.gateway.open(begun.door)
        result = _overseen(order, begun, task.limits, site, folder)
        spent_there = _closed(begun, site)
        patch = site.trees.capture(begun.workspace, order.base.tree)
    except SandboxError as error:
        result = SandboxResult(Ending.SANDBOX_FAILED, None, str(error), 0.0, 0.0, 0.0)
        patch = Patch(order.base.tree, order.base.tree)
    return _record(order, result, patch, spent_there if begun and begun.door else None, site, folder)


def cut_short(order: Order, *, site: Site, folder: Path, reason: str) -> Attempt:
    """End a run that an earlier process started and that nobody wants any more, and take what came of it."""
    result = SandboxResult(Ending.INTERRUPTED, None, reason, 0.0, 0.0, 0.0)
    patch = Patch(order.base.tree, order.base.tree)
    begun = _begun(folder)
    try:
        if begun is not None and site.sandbox.begun(folder):
            result = site.sandbox.wait(folder, stop=lambda: True)
            patch = site.trees.capture(begun.workspace, order.base.tree)
    except SandboxError as error:
        result = replace(result, ending=Ending.SANDBOX_FAILED, reason=str(error))
    if result.ending is Ending.INTERRUPTED:
        result = replace(result, reason=reason)
    return _record(order, result, patch, None, site, folder)


def clear(folder: Path, trees: Trees) -> None:
    """Remove the workspace of an attempt whose record is stored; doing it twice is no error."""
    if (begun := _begun(folder)) is not None:
        trees.drop(begun.workspace)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What whoever comes after a crash must know of an attempt that may be running."""

    workspace: Workspace
    door: Door | None
    idle_seconds: float | None
    listens: bool


def _begin(
    task: Task,
    order: Order,
    agent: Agent,
    environment: Environment,
    base: Measurement | None,
    door: Door | None,
    site: Site,
    folder: Path,
) -> _Begun:
    clear(folder, site.trees)
    seen = folder / "reeve"
    seen.mkdir(parents=True)
    launch = agent.launch(task, order, seen, base, door)
    layers = (Path(environment.layer),) if environment.layer else ()
    workspace = site.trees.open(order.base.tree, order.attempt, layers)
    begun = _Begun(workspace, door, launch.idle_seconds, launch.listens)
    _note(begun, folder)  # before the start, so that a running agent's workspace is always known
    binds = dict(launch.binds)
    if environment.venv:
        binds["/env"] = environment.venv
    if launch.listens:
        (folder / MAIL).mkdir(mode=0o755)
        binds["/reeve/mail"] = str(folder / MAIL)
    run = SandboxRun(
        argv=launch.argv,
        workspace=workspace,
        limits=task.limits,
        wall_seconds=task.limits.wall_seconds,
        stdout=str(folder / OUTPUT),
        env={**_proxies(door), **task.env, **launch.env},
        binds=binds,
        out=_out(launch, folder),
        door=door,
    )
    if door is not None and site.gateway is not None:
        site.gateway.open(door)
    site.sandbox.ensure(run, folder)
    return begun


def _out(launch: Launch, folder: Path) -> str | None:
    if not launch.private:
        return None
    (folder / OUT).mkdir(mode=0o755)
    return str(folder / OUT)


def _proxies(door: Door | None) -> dict[str, str]:
    """Tell programs of the hosts that the owner lists; what is on loopback is the gateway itself."""
    if door is None or not door.hosts:
        return {}
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    return {**dict.fromkeys(names, door.proxy), "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}


def _note(begun: _Begun, folder: Path) -> None:
    content = json.dumps(asdict(begun)).encode()
    descriptor = os.open(folder / "begun.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # the token of its door is for nobody else
        file.write(content)


def _begun(folder: Path) -> _Begun | None:
    try:
        body = json.loads((folder / "begun.json").read_bytes())
    except (OSError, ValueError):
        return None
    workspace, door = body["workspace"], body["door"]
    workspace = Workspace(**(workspace | {"lowers": tuple(workspace["lowers"])}))
    if door is not None:
        tuples = {name: tuple(door[name]) for name in ("providers", "hosts")}
        door = Door(**(door | tuples | {"limits": Limits(**door["limits"])}))
    return _Begun(workspace, door, body["idle_seconds"], body["listens"])


def _overseen(order: Order, begun: _Begun, limits: Limits, site: Site, folder: Path) -> SandboxResult:
    """Wait for the end of a run, and say whose doing it was."""
    oversight = Oversight(
        order.attempt,
        limits,
        folder / OUTPUT,
        idle_seconds=begun.idle_seconds,
        gateway=site.gateway if begun.door is not None else None,
        talk=site.talk(order, folder / MAIL) if begun.listens else Silent(),
        clock=site.clock.monotonic,
    )
    result = site.sandbox.wait(folder, stop=lambda: site.stop() or oversight.must_end())
    if result.ending is not Ending.INTERRUPTED:
        return result
    if oversight.ending is not None:
        return replace(result, ending=oversight.ending, reason=oversight.reason)
    if (asked := site.store.fact("stop", order.attempt)) is not None:
        why = str(asked.body["why"])
        return replace(result, reason=f"a person stopped it: {why}" if why else "a person stopped it")
    return result


def _closed(begun: _Begun, site: Site) -> Spent:
    """Close the door of an attempt that has ended; all of its requests are facts then."""
    if begun.door is None or site.gateway is None:
        return Spent()
    site.gateway.close(begun.door.attempt)
    return site.gateway.spent(begun.door.attempt)


def _frames(folder: Path) -> bytes:
    """Read what an attempt may have written, without following a link or waiting for a pipe; cut at the limit."""
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(folder / OUT / "frames.jsonl", flags), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(MOST_FRAME_BYTES)
    return b""


def _record(
    order: Order, result: SandboxResult, patch: Patch, counted: Spent | None, site: Site, folder: Path
) -> Attempt:
    """Put the attempt together; `counted` is what the gateway counted, which goes before what the agent says."""
    output = folder / OUTPUT
    said = output.read_bytes() if output.exists() else b""
    declined = declined_in(said)
    ending, reason = ending_of(result, declined, counted.refused if counted else "")
    tokens, usd = spent(said) if counted is None else (counted.tokens, counted.usd)
    frames = _frames(folder)
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
        frames=site.store.put(frames) if frames else "",
    )
