"""The deck on a large ledger: how long pages, API and stream take to answer, and how much memory the server holds.

The ledger is made with the codec and the table that runs write with, from one life of a task with two attempts told again and again
under other names; the last ones are in flight. Pages are asked for over HTTP on loopback, one after the other, each many times.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

from sqlalchemy import insert

from reeve.adapters.stores.index import LedgerIndex
from reeve.adapters.stores.sqlite import FACTS, SqliteStore
from reeve.ledger.codec import encode
from reeve.ports import Fact
from reeve.records import (
    Action,
    AgentSpec,
    Attempt,
    Base,
    Change,
    CheckResult,
    Checks,
    Decision,
    Ending,
    Landing,
    LandingOutcome,
    Order,
    Outcome,
    Patch,
    Ranked,
    RepoSource,
    Selection,
    Strength,
    Surplus,
    Task,
    Verdict,
)

ATTEMPTS = 1_000_000
IN_FLIGHT = 400
ASKED = 1_000  # tasks that wait for a person
ROUNDS = 40
EVENTS = 40
BATCH = 20_000
BASE = Base("/home/ada/parser", "b" * 40, "1" * 40)
AGENT = AgentSpec("claude", "acp", "1.2.3", providers=("anthropic",))
NAME = "task-0000000"
PAGES = {
    "fleet": "/",
    "fleet, one status": "/?show=landed",
    "fleet, searched": "/?q=0001234",
    "fleet, far back": "/?before=50000",
    "inbox": "/inbox",
    "task": "/task/task-0000700",
    "attempt": "/attempt/task-0000700.1",
    "api: fleet": "/api/v1/fleet",
    "api: tasks": "/api/v1/tasks?limit=50",
    "api: inbox": "/api/v1/inbox",
    "settings": "/settings",
    "trust": "/trust",  # from here on the figures are computed beside the pages
    "trust, rows": "/trust/rows?of=passed",
    "drill": "/drill",
    "fleet, meanwhile": "/?show=all",
    "api: trust": "/api/v1/trust",
}


def life(diff: str, said: str) -> dict[str, list[Fact]]:
    """Tell the life of one task: how it began, how its attempts ended, and how it came to an end of each kind."""
    task = Task(
        NAME,
        f"Mend part {NAME} of the parser.\nThe first line must stay.",
        RepoSource(path=BASE.repo),
        checks=Checks(required=("tests/test_parser.py::test_first_line", "tests/test_parser.py::test_last_line")),
        human_minutes=20.0,
        source=f"backlog/{NAME}.md:1",
        digest="0" * 12,
    )
    patch = Patch(BASE.tree, "2" * 40, (Change("src/parser.py", "modified", 12, 4),), diff=diff)
    begun, ended = [Fact("task", f"{NAME}@1", NAME, encode(task), 0.0)], []
    begun.append(Fact("base", f"{NAME}@1", NAME, encode(BASE), 0.0))
    for index in range(2):
        id_ = f"{NAME}.{index + 1}"
        begun.append(
            Fact("order", id_, NAME, encode(Order(id_, NAME, "0" * 12, 1, index, 2, AGENT, BASE, 7, "p1")), 0.0)
        )
        made = Attempt(
            id_, NAME, 1, AGENT, BASE, Ending.FINISHED, "it finished by itself", patch, said, 600.0, 80.0, 700.0,
            tokens=120_000, usd=0.31,
        )  # fmt: skip
        checks = [CheckResult(name, Outcome.PASSED, ("14 of 14 passed", "none fails")) for name in ("required", "regression", "integrity", "re-run", "canaries", "strength", "scope")]  # fmt: skip
        verdict = Verdict(
            id_, NAME, id_, BASE.tree, "2" * 40, Outcome.PASSED, "2 required tests passed", tuple(checks), 0.93, 16, 14,
            3.0, "m", strength=Strength(9, 10), surplus=Surplus(2),
        )  # fmt: skip
        ended += [Fact("attempt", id_, NAME, encode(made), 0.0), Fact("verdict", id_, NAME, encode(verdict), 0.0)]
    chosen = f"{NAME}.1"
    ranking = tuple(Ranked(f"{NAME}.{number}", Outcome.PASSED, 14, 600.0) for number in (1, 2))
    ended.append(
        Fact("selection", f"{NAME}#1", NAME, encode(Selection(NAME, 1, chosen, ranking, "smallest", "smallest")), 0.0)
    )

    def decided(action: Action) -> Fact:
        decision = Decision(NAME, 1, action, chosen, "land = trusted", f"{chosen} passed", {"passed": 2.0}, "p1")
        return Fact("decision", f"{NAME}#1", NAME, encode(decision), 0.0)

    landing = Landing(NAME, chosen, LandingOutcome.LANDED, "on its base", "reeve/landed", "b" * 40, "c" * 40, chosen)
    landed = Fact("landing", chosen, NAME, encode(landing), 0.0)
    return {
        "in flight": begun,
        "asks": [*begun, *ended, decided(Action.ASK)],
        "failed": [*begun, *ended, decided(Action.GIVE_UP)],
        "landed": [*begun, *ended, decided(Action.LAND), landed],
    }


def rows(attempts: int, diff: str, said: str) -> Iterator[dict[str, object]]:
    """Tell that life of so many tasks that they have so many attempts."""
    lives = {
        kind: [(fact.kind, fact.key, json.dumps(fact.body, separators=(",", ":"))) for fact in facts]
        for kind, facts in life(diff, said).items()
    }
    tasks = attempts // 2
    for number in range(tasks):
        from_end = tasks - number
        kind = "in flight" if from_end <= IN_FLIGHT // 2 else "asks" if from_end <= ASKED else "landed"
        kind = "failed" if kind == "landed" and number % 4 == 0 else kind
        name = f"task-{number:07}"
        for fact_kind, key, body in lives[kind]:
            yield {
                "kind": fact_kind,
                "key": key.replace(NAME, name),
                "task": name,
                "at_utc": 1.7e9 + number,
                "body": body.replace(NAME, name),
            }


def make_ledger(folder: Path, attempts: int) -> float:
    """Make the ledger; returns its size in GB."""
    store = SqliteStore(folder)
    diff = "diff --git a/src/parser.py b/src/parser.py\n--- a/src/parser.py\n+++ b/src/parser.py\n@@ -1,4 +1,12 @@\n"
    diff += "".join(f"-old {number}\n" for number in range(4)) + "".join(f"+new {number}\n" for number in range(12))
    said = "".join(json.dumps({"kind": "text", "text": f"step {number} of many"}) + "\n" for number in range(300))
    batch: list[dict[str, object]] = []
    with store._engine.connect() as connection:  # noqa: SLF001 - one transaction for each batch, not for each fact
        for row in rows(attempts, store.put(diff.encode()), store.put(said.encode())):
            batch.append(row)
            if len(batch) == BATCH:
                connection.execute(insert(FACTS), batch)
                connection.commit()
                batch.clear()
        connection.execute(insert(FACTS), batch)
        connection.commit()
    store.close()
    return (folder / "ledger.db").stat().st_size / 1e9


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def ask(address: str, token: str, path: str) -> tuple[float, bytes]:
    """Ask for one page; returns milliseconds and what came."""
    request = Request(address + path, headers={"authorization": f"Bearer {token}"})
    began = time.perf_counter()
    with urlopen(request, timeout=120) as answer:
        content = answer.read()
    return (time.perf_counter() - began) * 1000, content


def stream_delays(address: str, token: str, store: SqliteStore) -> list[float]:
    """Append facts one by one; returns the milliseconds from each to its event."""
    arrived: dict[str, float] = {}
    ready = threading.Event()

    def listen() -> None:
        request = Request(f"{address}/api/v1/stream", headers={"authorization": f"Bearer {token}"})
        with urlopen(request, timeout=120) as answer:
            ready.set()
            for line in answer:
                if line.startswith(b"data: "):
                    for task in json.loads(line[6:]).get("tasks", ()):
                        arrived.setdefault(task, time.perf_counter())
                    if f"event-{EVENTS - 1}" in arrived:
                        return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(30)
    sent = {}
    for number in range(EVENTS):
        name = f"event-{number}"
        task = Task(name, "Come.", RepoSource(path="/r"), digest="d")
        sent[name] = time.perf_counter()
        store.append(Fact("task", f"{name}@1", name, encode(task), time.time()))
        time.sleep(0.13)
    thread.join(60)
    return [(arrived[name] - sent[name]) * 1000 for name in sent if name in arrived]


def main(arguments: list[str] | None = None) -> dict[str, object]:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=ATTEMPTS)
    parser.add_argument("--ledger", type=Path, help="a folder to make the ledger in, or one where it was made before")
    options = parser.parse_args(arguments)
    if options.ledger is not None:
        return on_ledger(options.ledger.resolve(), options.attempts)
    with tempfile.TemporaryDirectory(prefix="reeve-deck-", dir="/var/tmp") as name:
        return on_ledger(Path(name), options.attempts)


def on_ledger(root: Path, attempts: int) -> dict[str, object]:
    """Make the ledger if it is not there, then its index, and measure."""
    if not (root / "made").exists():
        root.mkdir(parents=True, exist_ok=True)
        (root / "reeve.toml").write_text("")
        began = time.perf_counter()
        size = make_ledger(root / ".reeve", attempts)
        took = time.perf_counter() - began
        print(f"a ledger of {attempts:,} attempts, {size:.1f} GB, made in {took:.0f} s", flush=True)
        (root / "made").write_text(str(attempts))
    store = SqliteStore(root / ".reeve")
    began = time.process_time()
    index = LedgerIndex(store)
    index.catch_up()
    index.close()
    indexed = time.process_time() - began
    print(f"its index: {indexed:.0f} s of CPU, {indexed / attempts * 2000:.2f} ms for each task", flush=True)
    return measured(root, store, attempts, indexed)


def measured(root: Path, store: SqliteStore, attempts: int, indexed: float) -> dict[str, object]:
    """Serve the ledger and ask."""
    command = [sys.executable, "-m", "reeve.cli.main", "serve", "--port", "0", "--json"]
    began = time.perf_counter()
    server = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert server.stdout is not None
        said = ""
        while "}" not in said:
            said += server.stdout.readline()
        started = time.perf_counter() - began
        address, _, token = json.loads(said)["address"].partition("/?token=")
        cold = {title: ask(address, token, path)[0] for title, path in PAGES.items()}
        found = {title: [ask(address, token, path)[0] for _ in range(ROUNDS)] for title, path in PAGES.items()}
        delays = stream_delays(address, token, store)
        peak = memory_mb(server.pid)
    finally:
        server.terminate()
        server.wait(30)
    print(f"{'':20} {'first':>8} {'median':>8} {'p95':>8}   ms; bar: p95 below 100")
    for title, times in found.items():
        print(f"{title:20} {cold[title]:8.1f} {statistics.median(times):8.1f} {percentile(times, 0.95):8.1f}")
    late = percentile(delays, 0.95)
    print(
        f"stream: median {statistics.median(delays):.0f} ms, p95 {late:.0f} ms of {len(delays)} events; bar: below 250"
    )
    print(f"memory of the server at its peak: {peak:.0f} MB; bar: below 200. It began to answer after {started:.1f} s")
    return {
        "attempts": attempts,
        "index_cpu_seconds": indexed,
        "first_ms": cold,
        "median_ms": {title: statistics.median(times) for title, times in found.items()},
        "p95_ms": {title: percentile(times, 0.95) for title, times in found.items()},
        "stream_p95_ms": late,
        "events": len(delays),
        "memory_mb": peak,
        "start_seconds": started,
    }


if __name__ == "__main__":
    main()
