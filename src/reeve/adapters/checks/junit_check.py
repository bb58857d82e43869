"""Every other test runner, through the JUnit XML that the command of the task writes.

An id reads ``classname::name``, or the name alone where there is no class. The XML is hostile input: it is read as
a stream, without entities and document types, within bounds, from regular files only.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from reeve.adapters.checks.clean import CleanTree, regular_file
from reeve.adapters.checks.pytest_check import Suite
from reeve.globs import matches
from reeve.records import Checks, Ending, TestOutcome, Workspace

__all__ = ["read_junit", "run_junit"]

FILES = 2000
FILE_BYTES = 64 << 20
TESTS = 500_000
TEXT = 1500
OUTCOMES = {"failure": TestOutcome.FAILED, "error": TestOutcome.ERROR, "skipped": TestOutcome.SKIPPED}
AGAIN = ("rerunFailure", "rerunError", "flakyFailure", "flakyError")  # as Maven's surefire writes them


class _NotJUnitError(Exception):
    """The text is its reason."""


def run_junit(clean: CleanTree, checks: Checks) -> Suite:
    """Run the test command once and read what it reported; its exit status says nothing."""
    if not checks.test_command or not checks.report:
        return Suite(problem="the junit runner needs `test_command` and `report`")
    report = checks.report

    def stale(workspace: Workspace) -> tuple[str, ...]:
        # A report that lies in the tree already is nobody's measurement.
        return tuple(path for path, _ in _found(Path(workspace.upper), report))

    path = {"PATH": "/env/bin:/usr/local/bin:/usr/bin:/bin"}
    with clean.run(
        ("/bin/sh", "-c", checks.test_command), seconds=clean.limits.check_seconds, env=path, remove=stale
    ) as done:
        suite = _read(Path(done.workspace.upper), report)
        result = done.result
        suite.log, suite.ending = done.log, result.ending
        suite.wall_seconds, suite.cpu_seconds = result.wall_seconds, result.cpu_seconds
        if result.ending not in (Ending.FINISHED, Ending.CRASHED):
            suite.problem = result.reason
        elif suite.ending is Ending.CRASHED and not suite.problem:
            suite.ending = Ending.FINISHED  # how most runners say that tests failed
        return suite


def read_junit(content: bytes, suite: Suite) -> None:
    """Add the tests of one report to a suite; what cannot be read is a problem of the suite."""
    reader = _Reader(suite)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, _NotJUnitError, ValueError) as error:
        suite.problem = f"a report cannot be read as JUnit XML: {error}"


def _refuse(*_: object) -> None:
    raise _NotJUnitError("it declares a document type or entities, which no test report needs")


@dataclass
class _Reader:
    suite: Suite
    root: str = ""
    depth: int = 0
    name: str | None = None
    outcome: TestOutcome = TestOutcome.PASSED
    again: bool = False
    message: list[str] = field(default_factory=list)
    size: int = 0
    inside: str = ""
    seconds: float = 0.0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rsplit(":", 1)[-1]
        if not self.root and tag not in ("testsuites", "testsuite"):
            raise _NotJUnitError(f"its outermost element is {tag[:40]!r}")
        self.root = self.root or tag
        self.depth += 1
        if self.depth > 50:
            raise _NotJUnitError("its elements are nested too deep")
        if tag == "testcase":
            classname, name = attributes.get("classname", ""), attributes.get("name", "")
            self.name = f"{classname}::{name}" if classname else name
            self.outcome, self.again, self.message, self.size = TestOutcome.PASSED, False, [], 0
            if attributes.get("status") in ("disabled", "notrun") or attributes.get("result") == "suppressed":
                self.outcome = TestOutcome.SKIPPED
            self.seconds = _number(attributes.get("time", ""))
        elif self.name is not None and tag in OUTCOMES:
            self.outcome = OUTCOMES[tag] if self.outcome is not TestOutcome.ERROR else self.outcome
            self.inside = tag
            self.text(attributes.get("message", "") + "\n")
        elif self.name is not None and tag in AGAIN:
            self.again = True

    def end(self, tag: str) -> None:
        tag = tag.rsplit(":", 1)[-1]
        self.depth -= 1
        if tag == self.inside:
            self.inside = ""
        if tag == "testcase" and self.name is not None:
            if len(self.suite.tests) >= TESTS:
                raise _NotJUnitError(f"it has more than {TESTS} tests")
            self.suite.add(self.name, self.outcome, "".join(self.message).strip())
            self.suite.seconds[self.name] = self.seconds
            if self.again:
                self.suite.flaky.add(self.name)
            self.name = None

    def text(self, data: str) -> None:
        if self.inside and self.size < TEXT:
            self.message.append(data[: TEXT - self.size])
            self.size += len(data)


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else 0.0


def _read(folder: Path, glob: str) -> Suite:
    suite = Suite()
    found = _found(folder, glob)
    if not found:
        suite.problem = f"the test command wrote no report that matches {glob!r}"
    for path, file in found:
        content = regular_file(file, FILE_BYTES + 1)
        if content is None or len(content) > FILE_BYTES:
            suite.problem = f"the report {path!r} is no regular file of at most {FILE_BYTES >> 20} MB"
        else:
            read_junit(content, suite)
    suite.ended = not suite.problem
    return suite


def _found(folder: Path, glob: str) -> list[tuple[str, Path]]:
    """List the files below a folder that match; links to folders are not followed."""
    found: list[tuple[str, Path]] = []
    anchored = "/" + glob.removeprefix("./").lstrip("/")
    for here, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.relpath(os.path.join(here, name), folder)
            if matches(path, anchored) and _is_content(os.path.join(here, name)):
                found.append((path, Path(here, name)))
                if len(found) == FILES:
                    return found
    return found


def _is_content(path: str) -> bool:
    mode = os.lstat(path).st_mode
    return (mode & 0o170000) in (0o100000, 0o120000)  # a whiteout of an overlay is a device
