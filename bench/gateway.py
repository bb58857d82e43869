"""The gateway: what it adds to the first byte, what 200 streams at once hold in memory, and whether it can count.

Time to first byte is paired: the same question over a kept connection, straight to the provider and through the gateway, in
turn. It is measured twice, as any process and, where that is allowed, undisturbed: ahead of whatever else runs on the machine,
as what others do in between is no part of the gateway. Counting is compared with a plan that knows beforehand what every answer will have cost.
"""

import argparse
import asyncio
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from random import Random

from bench.gateway_script import PRICES, Plan, plans
from bench.gateway_world import (
    DELTA,
    EVENTS,
    START,
    STOP,
    Streams,
    World,
    ask,
    chunked,
    connected,
    event,
    provider,
    question,
    world,
)
from reeve.records import Request

ADDED_MS_BAR = 2.0
MEMORY_MB_BAR = 150.0
QUESTION_BYTES = 48_000  # as Claude Code asks
WARM_UP = 30
STREAMS, ATTEMPTS = 200, 4
AT_ONCE = 32
NUMBER = re.compile(rb"request-(\d+)\.")


def asked() -> bytes:
    """A question as large as those of a coding agent, of many small parts."""
    turn = {"role": "user", "content": [{"type": "text", "text": 'def f(x):\n    return "x" + x\n' * 8}]}
    turns = [turn] * (QUESTION_BYTES // len(json.dumps(turn)))
    return json.dumps({"model": "exact-1", "max_tokens": 4000, "stream": True, "messages": turns}).encode()


# ---------------------------------------------------------------- time to first byte


async def first_byte_ms(streams: Streams, body: bytes) -> float:
    """Ask, and return the time until the first byte of what is said; the rest is read as well."""
    reader, writer = streams
    at = time.perf_counter()
    writer.write(question("/anthropic/v1/messages", body))
    await reader.readuntil(b"\r\n\r\n")
    size = int(await reader.readuntil(b"\r\n"), 16)
    await reader.readexactly(1)
    took = time.perf_counter() - at
    await reader.readexactly(size + 1)
    while size:
        size = int(await reader.readuntil(b"\r\n"), 16)
        await reader.readexactly(size + 2)
    return took * 1000


@contextmanager
def elsewhere() -> Iterator[str]:
    """Run a provider in a process of its own, as far away straight as through the gateway; gives its address."""
    program = [sys.executable, "-m", "bench.gateway_world"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


async def first_bytes(pairs: int) -> dict[str, object]:
    body = asked()
    with elsewhere() as url, world(url, PRICES) as found:
        attempt = await asyncio.to_thread(found.attempt, "timed.1")
        straight_to = ("127.0.0.1", int(url.rpartition(":")[2]))
        measured = []
        async with connected(straight_to) as straight, connected(attempt.address) as through:
            for place in range(WARM_UP + pairs):
                if place == WARM_UP:
                    before = cpu_seconds(found.process)
                measured.append((await first_byte_ms(straight, body), await first_byte_ms(through, body)))
        cpu_ms = (cpu_seconds(found.process) - before) * 1000 / pairs
    measured = measured[WARM_UP:]
    return {
        "pairs": pairs,
        "question_bytes": len(body),
        "direct_ms": spread([direct for direct, _ in measured]),
        "through_ms": spread([through for _, through in measured]),
        "added_ms": spread([through - direct for direct, through in measured]),
        "cpu_ms": round(cpu_ms, 2),  # of a request from its first byte to its fact
        "load": round(os.getloadavg()[0], 1),
    }


@contextmanager
def undisturbed() -> Iterator[bool]:
    """Run this process, and those that it starts, ahead of all ordinary ones; gives False where that is not allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 3),
        "p95": round(ordered[math.ceil(0.95 * len(ordered)) - 1], 3),
    }


# ---------------------------------------------------------------- memory


def memory_mb(process: int, what: str) -> float:
    """Resident memory now (VmRSS) or at most (VmHWM)."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(what))


async def memory(streams: int) -> dict[str, object]:
    """Hold so many streams open at once, each half-way through an answer, and look."""
    finish = asyncio.Event()

    async def serve(body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        del body, reader
        writer.write(EVENTS + event(START) + event(DELTA) * 200)
        await finish.wait()
        writer.write(event(DELTA) * 200 + event(STOP) + b"0\r\n\r\n")
        return True

    body, half = asked(), len(b"data: " + json.dumps(DELTA).encode() + b"\n\n") * 200
    under_way, all_of_them = 0, asyncio.Event()

    async def one(address: tuple[str, int]) -> bool:
        nonlocal under_way
        async with connected(address) as connection:
            answer = await ask(connection, "/anthropic/v1/messages", body, until=half)
            under_way += 1
            if under_way == streams:
                all_of_them.set()
            await finish.wait()
            while not (await connection[0].readuntil(b"\r\n")).startswith(b"0\r"):
                pass
        return answer.status == 200

    async with provider(serve) as url:
        with world(url, PRICES) as found:
            attempts = [await asyncio.to_thread(found.attempt, f"crowd{number}.1") for number in range(ATTEMPTS)]
            idle = memory_mb(found.process, "VmRSS:")
            asks = [
                asyncio.create_task(one(attempt.address))
                for attempt, _ in zip(cycle(attempts), range(streams), strict=False)
            ]
            await all_of_them.wait()
            held = memory_mb(found.process, "VmRSS:")
            finish.set()
            good = sum(await asyncio.gather(*asks))
            peak = memory_mb(found.process, "VmHWM:")
    return {
        "streams": streams,
        "answered": good,
        "idle_mb": round(idle, 1),
        "held_mb": round(held, 1),
        "peak_mb": round(peak, 1),
    }


# ---------------------------------------------------------------- counting


class Scripted:
    """A provider that plays plans."""

    def __init__(self, script: Sequence[Plan]) -> None:
        self._script = script
        self._tried: set[int] = set()
        self.heard = {plan.number: asyncio.Event() for plan in script if plan.ending == "cancelled"}

    async def serve(self, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        found = NUMBER.search(body)
        plan = self._script[int(found[1]) if found else -1]
        kind = "text/event-stream" if plan.form == "events" else "application/json"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
        if plan.ending == "refused":
            writer.write(_error(500 + plan.number % 2 * 29))
        elif plan.ending == "retried" and plan.number not in self._tried:
            self._tried.add(plan.number)
            writer.write(_error(429, "retry-after-ms: 2\r\n"))
        elif plan.ending in ("full", "retried"):
            whole = b"".join(plan.pieces)
            if plan.form == "whole":
                writer.write(f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole)
            else:
                parts = chunked(whole, Random(plan.number))
                writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + parts + b"0\r\n\r\n")
        else:
            await self._half(plan, head.encode(), reader, writer)
            return plan.ending == "cut short"
        return True

    async def _half(self, plan: Plan, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if plan.form != "whole":
            writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(plan.half, Random(plan.number)))
        if plan.ending == "cut short":
            writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(plan.failure), plan.failure))
        elif plan.ending == "cancelled":
            self.heard[plan.number].set()
            await reader.read(1)  # until the gateway has gone away
        else:
            await writer.drain()
            writer.close()


def _error(status: int, more: str = "") -> bytes:
    body = b'{"error": {"type": "busy", "message": "not now"}}'
    return (
        f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


async def play(plan: Plan, provider_: Scripted, address: tuple[str, int]) -> str:
    """Ask as planned; returns what the agent got that was not said, if anything."""
    async with connected(address) as streams:
        if plan.ending == "cancelled":
            asking = asyncio.create_task(ask(streams, plan.path, plan.question, until=len(plan.half) or None))
            await provider_.heard[plan.number].wait()
            if plan.form == "whole":
                asking.cancel()
                return ""
            return "" if (await asking).body == plan.half else f"{plan.model}: another half"
        answer = await ask(streams, plan.path, plan.question, last=plan.number % 2 == 0)
    said = {"broken": plan.half, "cut short": plan.half + plan.failure}.get(plan.ending, plan.heard)
    status = 500 + plan.number % 2 * 29 if plan.ending == "refused" else 200
    wrong = answer.status != status or answer.whole is (plan.ending == "broken")
    if wrong or (plan.ending != "refused" and answer.body != said):
        return f"{plan.model}: {plan.ending}, {plan.form}: got {answer.status}, {len(answer.body)} of {len(said)} bytes"
    return ""


@dataclass(frozen=True)
class Exactness:
    """What was played, what was planned, and every difference."""

    requests: int
    tokens: int
    dollars: float
    seconds: float
    differences: tuple[str, ...]
    endings: dict[str, int]


async def exactness(count: int) -> Exactness:
    """Play so many requests through several attempts at once, and compare the ledger with the plan."""
    script = plans(count)
    scripted = Scripted(script)
    places = asyncio.Semaphore(AT_ONCE)
    async with provider(scripted.serve) as url:
        with world(url, PRICES) as found:
            attempts = [
                await asyncio.to_thread(found.attempt, f"task{number // 2}.{number}") for number in range(ATTEMPTS)
            ]

            async def one(plan: Plan) -> str:
                async with places:
                    return await play(plan, scripted, attempts[plan.number % ATTEMPTS].address)

            at = time.perf_counter()
            wrong = [each for each in await asyncio.gather(*map(one, script)) if each]
            seconds = time.perf_counter() - at
            facts = await asyncio.to_thread(found.requests)
            wrong += differences(script, facts, found)
    return Exactness(
        len(facts),
        sum(fact.tokens for fact in facts),
        math.fsum(fact.usd or 0.0 for fact in facts),
        round(seconds, 1),
        tuple(wrong),
        dict(Counter(plan.ending for plan in script)),
    )


def differences(script: Sequence[Plan], facts: Sequence[Request], found: World) -> Iterator[str]:
    """Compare every request with its plan, and what each attempt spent with the sum of its own."""
    planned = {plan.model: plan for plan in script}
    if len(facts) != len(script):
        yield f"{len(facts)} facts of {len(script)} requests"
    for fact in facts:
        plan = planned.pop(fact.model)
        whole = plan.ending in ("full", "retried")
        expected = (plan.outcome, sum(plan.counted), whole or plan.ending == "refused")
        if (str(fact.outcome), fact.tokens, fact.complete) != expected:
            yield f"{plan}: {fact}"
        kinds = (fact.input_tokens, fact.cached_tokens or 0, fact.cache_write_tokens or 0, fact.output_tokens)
        if whole and (kinds != plan.counted or (fact.reasoning_tokens or 0) != plan.reasoning):
            yield f"{plan}: {fact}"
        if not math.isclose(fact.usd or 0.0, plan.dollars, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{plan}: {fact.usd} is not {float(plan.dollars)} dollars"
    yield from (f"{model}: no fact" for model in planned)
    for place, attempt in enumerate(found.attempts):
        own = [plan for plan in script if plan.number % ATTEMPTS == place]
        spent = found.gateway.spent(attempt.name)
        dollars = sum((plan.dollars for plan in own), Fraction())
        if spent.tokens != sum(sum(plan.counted) for plan in own) or not math.isclose(spent.usd, dollars, rel_tol=1e-9):
            yield f"{attempt.name} spent {spent}, planned were {float(dollars)} dollars"


# ---------------------------------------------------------------- all


def main(arguments: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args(arguments)
    timed = {"ordinary": asyncio.run(first_bytes(options.pairs))}
    with undisturbed() as allowed:
        if allowed:
            timed["undisturbed"] = asyncio.run(first_bytes(options.pairs))
    for name, each in timed.items():
        added = f"added {each['added_ms']} ms, straight {each['direct_ms']} ms, load {each['load']}"
        print(f"first byte, {name}, {options.pairs} pairs: {added}")
    print(f"bar: at most {ADDED_MS_BAR:g} ms")
    held = asyncio.run(memory(options.streams))
    print(
        f"{held['answered']} of {options.streams} streams at once: {held['held_mb']} MB, at most {held['peak_mb']} MB"
    )
    print(f"bar: under {MEMORY_MB_BAR:g} MB")
    exact = asyncio.run(exactness(options.requests))
    for each in exact.differences[:5]:
        print(each)
    print(
        f"{exact.requests} requests in {exact.seconds} s, {exact.tokens} tokens, {exact.dollars:.2f} dollars: "
        f"{len(exact.differences)} counted or passed on wrongly"
    )
    print("bar: none")
    counted = {
        "requests": exact.requests,
        "endings": exact.endings,
        "tokens": exact.tokens,
        "dollars": round(exact.dollars, 6),
        "seconds": exact.seconds,
        "wrong": len(exact.differences),
    }
    return {"first_byte": timed, "memory": held, "counting": counted}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
