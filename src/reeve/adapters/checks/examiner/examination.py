"""The process that is to be believed: it never imports the project, and what it forks cannot look into it.

What it forks is forked before the plan is read, and the plan is removed before it is told to begin, so that nothing
that a tested program could reach says which tests are real, nor holds the key that signs the report.

The plan, a JSON file in a folder where files may be written: `key` (hexadecimal), `report` (the name of a file to be
made beside it), `arguments`, `paths` (none: what the project configures), `outside` (files with tests that count even
if that leaves them out), `wanted` (entries, or null for everything that is collected), `planted` (file -> ids to run),
`alone` (ids to be run each in a fork of its own), `required`, `seed`, `seconds`, `patience_seconds`, `explore` (or
null), `explore_seconds` and `plain_asserts` (whether pytest leaves assertions as they are).

The report: a line with the keyed hash of the rest, and a JSON object with `outcomes` and `alone` (id -> word),
`explored` and `problem`.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import order, process
from .told import LINE_BYTES, Told

if TYPE_CHECKING:
    from reeve.adapters.agents.repair import wire
else:
    from repair import wire

SPARE = 4  # processes that may collect: one for what the project leaves out, others for those that a test ends


class Examination:
    """One examination: the forks, what is asked of them, and what they said."""

    def __init__(self, path: str) -> None:
        process.hide()
        process.adopt()
        self.pipe, far = os.pipe()
        os.set_blocking(self.pipe, False)
        lending, lent = socket.socketpair()  # between a collector and the explorer
        own = [self.pipe]
        self.collectors: list[Any] = []
        for _ in range(SPARE):
            self.collectors.append(
                process.Member(lambda channel: collects(channel, far, lent), [*own, lending.fileno()])
            )
            own.append(self.collectors[-1].channel.fileno())
        self.explorer = process.Member(lambda channel: explores(channel, lending), [*own, far, lent.fileno()])
        os.close(far)
        lending.close()
        lent.close()
        with open(path, encoding="utf-8") as file:
            self.plan: dict[str, Any] = json.load(file)
        os.unlink(path)
        self.plan["report"] = os.path.join(os.path.dirname(path), self.plan["report"])
        self.until = time.monotonic() + self.plan["seconds"]
        # Under -O nothing but what pytest makes of an assertion holds.
        self.plain = bool(self.plan["plain_asserts"]) and __debug__
        self.arguments = [*self.plan["arguments"], *(["--assert=plain"] if self.plain else [])]
        self.outcomes: dict[str, str] = {}
        self.alone: dict[str, str] = {}
        self.lender: Any = None  # a collector that has all tests that are to be explored
        self.lends: dict[str, Any] = {}
        self.took: dict[str, float] = {}  # wall seconds of each test
        self.problem = ""
        self.rest = b""  # of the pipe, an incomplete line
        self.group = 0

    def run(self) -> dict[str, Any]:
        """Run the tests again, then explore; what came of both."""
        try:
            self.run_again()
        except wire.Gone as error:
            self.problem = self.problem or f"the tests could not be run again: their process: {error}"
        for member in self.collectors:
            member.end()
        for path in self.plan["planted"]:
            if os.path.lexists(path):
                os.unlink(path)
        explored = self.explored()
        if self.lender is not None:
            self.lender.end()
        process.end_all()
        return {"outcomes": self.outcomes, "alone": self.alone, "explored": explored, "problem": self.problem}

    def run_again(self) -> None:
        """Run what the project collects, and then what counts all the same, as the measurement did."""
        planted = list(self.plan["planted"])
        files = self.run_round(self.plan["paths"], planted)
        outside = [path for path in self.plan["outside"] if path not in files and os.path.isfile(path)]
        if outside and not self.problem:
            self.run_round([*outside, *(path for path in planted if path not in files)], [])

    def run_round(self, paths: list[str], extra: list[str]) -> set[str]:
        """Collect, decide who runs when, and run; the files of what was collected."""
        member = self.collectors.pop(0)
        found = self.collected(member, paths, extra)
        ids, busy = found["ids"], found["busy"]
        chosen = [place for place, name in enumerate(ids) if self.is_wanted(name)]
        alone = [place for place, name in enumerate(ids) if name in self.plan["alone"]]
        apart = {place for place in alone if order.file_of(ids[place]) in self.plan["planted"]}
        together = [place for place in chosen if place not in apart]
        names = [ids[place] for place in together]
        groups = order.arrange(names, self.plan["seed"], self.plan["required"], self.plan["planted"])
        groups = [[together[place] for place in group] for group in groups]
        for place in order.shuffled(alone, self.plan["seed"]):
            if not self.problem:
                self.run_alone(member, ids, place)
        if busy:
            self.run_here(member, ids, [place for group in groups for place in group], paths, extra)
            groups = []
        for group in groups:
            left = group
            while left and not self.problem:
                left = self.run_group(member, ids, left, here=False)
        if not busy and self.has_all(ids):
            places = [place for place, name in enumerate(ids) if order.file_of(name) not in self.plan["planted"]]
            self.lender, self.lends = member, {"places": places, "cost": found["cost"]}
        else:
            member.end()
        return {order.file_of(name) for name in ids}

    def has_all(self, ids: list[str]) -> bool:
        """Say whether these are all tests that are to be explored, so that nobody needs to collect them again."""
        wanted = self.plan["explore"]
        return self.lender is None and not self.problem and wanted is not None and {*wanted["passing"]} <= {*ids}

    def run_alone(self, member: Any, ids: list[str], place: int) -> None:
        """Run one test in a fork of its own; a real one again later with the others, which is what counts for it."""
        before = self.outcomes
        self.outcomes = {}
        self.run_group(member, ids, [place], here=False)
        self.alone.update(self.outcomes)
        self.outcomes = before

    def run_here(self, member: Any, ids: list[str], left: list[int], paths: list[str], extra: list[str]) -> None:
        """Run everything in the process that collected it: it has threads, and a fork would have none of them."""
        left = self.run_group(member, ids, left, here=True)
        while left and not self.problem:
            if not self.collectors:
                self.problem = "the tests ended their process again and again"
                return
            wanted, member = {ids[place] for place in left}, self.collectors.pop(0)
            ids = self.collected(member, paths, extra)["ids"]
            left = self.run_group(member, ids, [at for at, name in enumerate(ids) if name in wanted], here=True)
            member.end()

    def is_wanted(self, name: str) -> bool:
        """Say whether a test is to run: of the files that were put in only what they are there for."""
        file = order.file_of(name)
        if file in self.plan["planted"]:
            return name in self.plan["planted"][file]
        wanted = self.plan["wanted"]
        return wanted is None or not set(wanted).isdisjoint(order.named_by(name))

    def collected(self, member: Any, paths: list[str], extra: list[str]) -> dict[str, Any]:
        """Let a fork collect the tests: their `ids`, whether it is `busy`, the CPU `cost`; Gone where it cannot."""
        told = {"arguments": self.arguments, "paths": paths, "extra": extra}
        wire.send(member.channel, told)
        handle = wire.descriptor_of(member.pid)
        try:
            found = wire.receive(member.channel, process.seconds_left(self.until), handle)
        finally:
            if handle >= 0:
                os.close(handle)
        if "problem" in found:
            self.problem = str(found["problem"])[:500]
            raise wire.Gone(self.problem)
        for name, word in found["broken"]:
            self.note(str(name), str(word))
        ids = [str(name) for name in found["ids"]]
        return {"ids": ids, "busy": bool(found["busy"]), "cost": min(60.0, max(0.0, float(found["cost"])))}

    def run_group(self, member: Any, ids: list[str], places: list[int], *, here: bool) -> list[int]:
        """Run one group until its process ends; what of it is left to run, without the test at which it died."""
        self.group += 1
        self.rest = b""
        wire.send(member.channel, {"group": self.group, "places": places, "here": here})
        told = Told(self.group, places)
        self.listen(member, told)
        for place, word in told.outcomes.items():
            self.note(ids[place], word)
            self.took[ids[place]] = told.took.get(place, 0.0)
        left = [place for place in places if place not in told.outcomes]
        if told.under_way is None and len(left) == len(places):
            told.under_way = left[0]  # it died before it could say at what; something has to go
        if told.under_way is not None:
            self.note(ids[told.under_way], "error")
            left = [place for place in left if place != told.under_way]
        if told.forged:
            self.problem = "what the tests did was told by somebody else than the process that ran them"
        return left

    def listen(self, member: Any, told: Told) -> None:
        """Take in what a group tells, until the process that runs it has ended or stands still for too long."""
        handle, pid = wire.descriptor_of(member.pid), member.pid
        still = time.monotonic() + self.plan["patience_seconds"]
        channels: list[Any] = [member.channel, self.pipe] + ([handle] if handle >= 0 else [])
        try:
            while True:
                ready = select.select(channels, [], [], max(0.0, min(still, self.until) - time.monotonic()))[0]
                if not ready:
                    if time.monotonic() >= self.until:
                        self.problem = f"the tests took longer than {self.plan['seconds']:g} s"
                        return
                    process.stop(pid)
                    still = time.monotonic() + self.plan["patience_seconds"]
                if self.pipe in ready:
                    self.take(told)
                    still = time.monotonic() + self.plan["patience_seconds"]
                elif member.channel in ready:
                    said = wire.receive(member.channel, 10.0, handle)
                    if "ended" in said:
                        return
                    pid = int(said["pid"])
                elif handle in ready:
                    return
        except wire.Gone:
            return
        finally:
            self.take(told)
            if handle >= 0:
                os.close(handle)

    def take(self, told: Told) -> None:
        """Read what is in the pipe."""
        try:
            while True:
                data = os.read(self.pipe, 65536)
                if not data:
                    return
                *lines, self.rest = (self.rest + data).split(b"\n")
                for line in lines:
                    told.line(line)
                told.forged = told.forged or len(self.rest) > LINE_BYTES
                self.rest = self.rest[:LINE_BYTES]
        except BlockingIOError:
            return

    def note(self, name: str, word: str) -> None:
        """Take one outcome; of two for one test the worse counts."""
        worst = order.WORST
        before = self.outcomes.get(name)
        if before is None or worst.index(word) > worst.index(before):
            self.outcomes[name] = word

    def explored(self) -> dict[str, Any]:
        """Let the explorer work, and give what it found."""
        if self.plan["explore"] is None:
            return {}
        seconds = self.plan["explore_seconds"]
        plan = {**self.plan["explore"], "took": self.took, "lent": self.lent()}
        try:
            wire.send(self.explorer.channel, {"plan": plan, "seconds": seconds})
            found = wire.receive(self.explorer.channel, 60.0 + 10.0 * seconds)
        except wire.Gone as error:
            return {"problem": f"the search for what is not needed did not end: {error}"}
        return found if isinstance(found, dict) else {}

    def lent(self) -> dict[str, Any] | None:
        """Let the lender be the explorer's warm process; None: the explorer has to collect the tests itself."""
        if self.lender is None:
            return None
        memory = self.plan["explore"]["memory_bytes"]
        try:
            wire.send(self.lender.channel, {"lend": self.lends["places"], "memory_bytes": memory})
        except wire.Gone:
            return None
        return {"pid": self.lender.pid, "cost": self.lends["cost"], "plain": self.plain}


def collects(channel: socket.socket, outcomes: int, lent: socket.socket) -> None:
    """Be the fork that imports the project."""
    process.show()
    try:
        told = wire.receive(channel)
    except wire.Gone:
        return
    if "pytest" in sys.modules:
        again = import_module("examiner.again")
        process.settle()
    else:
        process.settle()
        try:
            again = import_module("examiner.again")
        except ImportError as error:
            wire.send(channel, {"problem": f"pytest is not in the environment: {error}"})
            return
    again.collect(channel, outcomes, lent, told)


def explores(channel: socket.socket, lending: socket.socket) -> None:
    """Be the fork that explores; it stays hidden, and what it forks does not."""
    try:
        told = wire.receive(channel)
    except wire.Gone:
        return
    os.register_at_fork(after_in_child=process.show)
    import_module("repair.serve")
    explore = import_module("examiner.explore").explore
    process.settle()
    try:
        found = explore(told["plan"], os.getcwd(), told["seconds"], lending)
    except Exception as error:
        found = {"problem": f"{type(error).__name__}: {error}"}
    wire.send(channel, found)


def write(plan: dict[str, Any], report: dict[str, Any]) -> None:
    """Write the report, signed; what lies at its place was put there by somebody else."""
    data = json.dumps(report).encode("ascii")
    sign = hashlib.blake2b(data, key=bytes.fromhex(plan["key"])).hexdigest().encode("ascii")
    if os.path.lexists(plan["report"]):
        os.unlink(plan["report"])
    descriptor = os.open(plan["report"], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(sign + b"\n" + data)


def main(path: str) -> None:
    """Examine by the plan at a path, and write the report."""
    examination = Examination(path)
    write(examination.plan, examination.run())
    os._exit(0)
