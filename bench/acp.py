"""reeve's own share of the start of an attempt of the kind `acp`: until its agent has the prompt, in one run.

The floor: open a workspace, and start the same agent in the same sandbox with the whole conversation on its input, so
that nobody needs to drive it. Against it the step of the loop that makes an attempt: admission, the spec, the door, the
detached sandbox, the driver and its conversation. Wall: from the call to the moment at which the agent reads its
prompt, which it says itself. CPU: of everything to the end of the attempt, its record and its removal included,
so that it is an upper bound. Rounds alternate and differences are taken within a round, so that a noisy neighbour hits
both sides. Where others keep all cores busy, wall times measure them: `chrt -r 5 python -m bench acp` goes before them.
"""

import argparse
import ctypes
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.own_cost import PR_SET_CHILD_SUBREAPER, make_repository, task, used
from reeve import flow
from reeve.cli.start import open_world
from reeve.durable.world import World
from reeve.records import Limits, SandboxRun
from reeve.settings import read_settings

FILES = 200
BAR_MS = 50.0
AGENT = """\
import json, sys, time

for line in sys.stdin:
    frame = json.loads(line)
    method, result = frame["method"], {}
    if method == "initialize":
        result = {"protocolVersion": 1, "agentCapabilities": {}}
    elif method == "session/new":
        result = {"sessionId": "one"}
    elif method == "session/prompt":
        text = {"type": "text", "text": f"prompted at {time.monotonic()}"}
        said = {"sessionUpdate": "agent_message_chunk", "content": text}
        print(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "one", "update": said}}))
        result = {"stopReason": "end_turn"}
    print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": result}), flush=True)
"""
START = "exec python3 -I -S -B /reeve/agent/agent.py"
SPOKEN = ("initialize", "session/new", "session/prompt")
SETTINGS = """\
land = "passed"
workers = 1
parallel_attempts = 1

[agents.speaker]
kind = "acp"
command = "python3 -I -S -B /reeve/agent/agent.py"
providers = ["local"]
options = {{folder = "{folder}"}}

[providers.local]
api = "openai"
base_url = "http://127.0.0.1:9/v1"
"""


def prompted(said: bytes) -> float:
    """When the agent had its prompt, by the clock that all processes of a machine share."""
    return float(said.partition(b"prompted at ")[2].partition(b'"')[0])


class Sides:
    """Both sides of a round; each returns the seconds until the agent had its prompt, and notes them."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder, self._number = world, folder, 0
        self._tree = world.objects.import_base(Path.cwd(), "HEAD").tree
        self.seconds = 0.0

    def floor(self) -> None:
        """Start the agent without anybody who drives it."""
        began = time.monotonic()
        workspace = self._world.trees.open(self._tree, "floor")
        argv = ("/bin/sh", "-c", f"{START} < /reeve/agent/conversation")
        output, binds = self._folder / "printed", {"/reeve/agent": str(self._folder / "agent")}
        self._world.sandbox.run(SandboxRun(argv, workspace, Limits(), 60.0, str(output), binds=binds))
        self._world.trees.capture(workspace, self._tree)
        self._world.trees.drop(workspace)
        self.seconds = prompted(output.read_bytes()) - began

    def order(self) -> None:
        """Go as far as the order of the next attempt."""
        self._number += 1
        self._task = task(f"speak{self._number}", "speaker", "Say something.", "false")
        flow.steps.admit(self._world, self._task)
        self._start = flow.steps.start(self._world, self._task)
        self._orders = flow.steps.orders(self._world, self._task, self._start)

    def attempt(self) -> None:
        """Make that attempt."""
        began = time.monotonic()
        (attempt,) = flow.steps.attempts(self._world, self._task, self._orders, self._start)
        said = self._world.journal.store.get(attempt.trajectory)
        if attempt.ending != "finished":
            raise SystemExit(f"the attempt ended otherwise: {attempt.reason}: {said!r}")
        self.seconds = prompted(said) - began


def used_ms(work: Callable[[], None]) -> float:
    """CPU of some work with all that it started, detached runners too; the gateway, which stays, is left out."""
    before = used()
    work()
    for path in Path("/proc/self/task").glob("*/children"):
        for child in path.read_text().split():
            if b"reeve.adapters.gateway" not in Path(f"/proc/{child}/cmdline").read_bytes():
                os.waitpid(int(child), 0)
    return (used() - before) * 1000


def measure(rounds: int, folder: Path) -> dict[str, object]:
    """Run both sides in turn; the first round, in which the gateway starts and files are read, does not count."""
    sides = Sides(open_world(read_settings(Path.cwd(), os.environ)), folder)
    found: dict[str, list[float]] = {name: [] for name in ("floor_ms", "attempt_ms", "floor_cpu_ms", "attempt_cpu_ms")}
    for _ in range(rounds + 1):
        sides.order()
        for name, work in (("floor", sides.floor), ("attempt", sides.attempt)):
            found[f"{name}_cpu_ms"].append(used_ms(work))
            found[f"{name}_ms"].append(sides.seconds * 1000)
    counted = {name: values[1:] for name, values in found.items()}
    wall = [mine - least for mine, least in zip(counted["attempt_ms"], counted["floor_ms"], strict=True)]
    spent = [mine - least for mine, least in zip(counted["attempt_cpu_ms"], counted["floor_cpu_ms"], strict=True)]
    return {
        "rounds": rounds,
        "real_time_priority": os.sched_getscheduler(0) != os.SCHED_OTHER,
        **{name: round(statistics.median(values), 1) for name, values in counted.items()},
        "share_ms": round(statistics.median(wall), 1),
        "share_ms_p90": round(statistics.quantiles(wall, n=10)[-1], 1),
        "share_cpu_ms": round(statistics.median(spent), 1),
        "bar_ms": BAR_MS,
    }


def main(arguments: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args(arguments)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    back = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as name:
        folder = Path(name)
        (folder / "agent").mkdir()
        (folder / "agent" / "agent.py").write_text(AGENT)
        frames = [{"jsonrpc": "2.0", "id": number, "method": each, "params": {}} for number, each in enumerate(SPOKEN)]
        (folder / "agent" / "conversation").write_text("".join(f"{json.dumps(frame)}\n" for frame in frames))
        (folder / "repository").mkdir()
        make_repository(folder / "repository", FILES, SETTINGS.format(folder=folder / "agent"))
        os.chdir(folder / "repository")
        try:
            found = measure(options.rounds, folder)
        finally:
            os.chdir(back)
    print(f"until the agent has its prompt: floor {found['floor_ms']} ms, reeve {found['attempt_ms']} ms")
    print(f"reeve's own share: {found['share_ms']} ms (nine in ten under {found['share_ms_p90']} ms)")
    print(f"CPU of the whole attempt beyond the floor: {found['share_cpu_ms']} ms, of {found['attempt_cpu_ms']} ms")
    print(f"bar: each under {BAR_MS:g} ms")
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
