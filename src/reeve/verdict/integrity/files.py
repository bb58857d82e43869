"""Files that a patch brings along and that would act on tests, or look like their results."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from reeve.records import Outcome, SourceChange, Task
from reeve.verdict.integrity.finding import Finding
from reeve.verdict.integrity.source import parsed
from reeve.verdict.protected import IMPORT_ROOTS, shadows

__all__ = ["planted_files"]

RESULTS = re.compile(rb"<testsuites?[\s>]|<coverage[\s>]")
PLUGIN = re.compile(rb"pytest11|pytest_plugins")
PACKAGING = re.compile(r"(^|/)(setup\.py|setup\.cfg|pyproject\.toml|entry_points\.txt|PKG-INFO)$")
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
"""In the name of a file: it would pass for another name, or write to the terminal of whoever lists it."""

HEAD = 4096  # bytes in which a report names itself


def planted_files(
    task: Task, patch: Sequence[SourceChange], examined: Sequence[SourceChange], tests: Mapping[str, bytes]
) -> Iterator[Finding]:
    """Find shadowed modules (put back), results of tests that would land, hidden names, and plugins that load."""
    landing = {change.path for change in examined}
    for change in patch:
        if change.before is None and change.path not in landing and shadows(task, change.path):
            text = "would be imported in place of another module; it was taken out"
            yield Finding(Outcome.UNVERIFIED, change.path, 0, text)
    for change in examined:
        if change.after is None:
            continue
        if change.before is None and (unseen := UNSEEN.search(change.path)):
            name = unicodedata.name(unseen[0], "a control character").lower()
            path = UNSEEN.sub(lambda one: one[0].encode("unicode_escape").decode(), change.path)
            yield Finding(Outcome.UNVERIFIED, path, 0, f"has a name with a character that nobody sees ({name})")
        if change.before is None and RESULTS.search(change.after[:HEAD]) and change.path.endswith((".xml", ".html")):
            yield Finding(Outcome.UNVERIFIED, change.path, 0, "looks like the results of a run of tests")
        if PACKAGING.search(change.path) and PLUGIN.search(change.after) and not PLUGIN.search(change.before or b""):
            yield Finding(Outcome.UNVERIFIED, change.path, 0, "registers a plugin of pytest")
        if change.before is None and (name := _hides(change.path, examined)) and name in _imported(tests):
            text = f"takes the place of the module {name}, which the tests import"
            yield Finding(Outcome.UNVERIFIED, change.path, 0, text)


def _imported(tests: Mapping[str, bytes]) -> frozenset[str]:
    modules = (parsed(path, content) for path, content in tests.items())
    return frozenset(name for module in modules if module is not None for _, name in module.imports)


def _hides(path: str, examined: Sequence[SourceChange]) -> str:
    """Name the module that a new package hides: `a/__init__.py` beside an `a.py` that stays where it is."""
    if not path.endswith("/__init__.py"):
        return ""
    folder = path.removesuffix("/__init__.py")
    removed = {change.path for change in examined if change.after is None}
    beside = {change.path for change in examined} - removed
    if f"{folder}.py" not in beside:
        return ""
    root = next((each for each in IMPORT_ROOTS[1:] if folder.startswith(each)), "")
    return folder.removeprefix(root).replace("/", ".")
