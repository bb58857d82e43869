"""What can be told of a file without parsing it: other languages, and Python that this version cannot read."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from reeve.records import Outcome, SourceChange
from reeve.verdict.integrity.finding import Finding, added
from reeve.verdict.integrity.obfuscated import hidden_text

__all__ = ["foreign_text", "unreadable_python"]

LONG = 4096  # characters of a line that are looked at

PYTHON = {
    r"\b_exit\b|\bos\.abort\b": "ends the process",
    r"\b(import|from)\s+(_?pytest|pluggy|unittest|doctest|hypothesis|coverage)\b": "imports a test framework",
    r"PYTEST_|['\"]_?pytest['\"]": "asks whether a test is running",
    r"\bsys\s*\.\s*(modules|meta_path|path_hooks|settrace|setprofile|addaudithook)\b": "reaches into the interpreter",
    r"\b(_getframe|f_back|f_locals|get_objects|get_referrers|__code__|CodeType)\b": "looks into frames or objects",
    r"\b(exec|eval|__import__)\s*\(|\b(ctypes|marshal|builtins)\b": "runs text as code, or changes what is built in",
    r"\b(setattr|atexit|subprocess|socket)\b": "changes other modules, or reaches out of the process",
    r"def\s+__(eq|ne|instancecheck|class)__": "has comparisons of its own",
}
SCRIPT = {
    r"\bprocess\s*\.\s*(exit|abort|reallyExit|kill)\s*\(": "ends the process",
    r"\bglobal(This)?\s*\.\s*(expect|it|test|describe|assert)\s*=": "replaces a function of the test framework",
    r"(require\(|from)\s*['\"](jest|vitest|mocha|chai|@jest/[\w/-]+)['\"]": "uses the test framework",
    r"(require\(|from)\s*['\"](node:)?child_process['\"]": "starts other programs",
    r"\bJEST_WORKER_ID\b|\bVITEST\b": "asks whether a test is running",
}
GO = {
    r"\bos\.Exit\s*\(|\bsyscall\.Exit\s*\(": "ends the process",
    r"\btesting\.Testing\s*\(": "asks whether a test is running",
}
RUST = {
    r"\bprocess::(exit|abort)\s*\(": "ends the process",
    r"\bcfg!\s*\(\s*test\s*\)": "asks whether a test is running",
}
RULES = {
    "py": PYTHON,
    **dict.fromkeys(("js", "mjs", "cjs", "ts", "tsx", "jsx"), SCRIPT),
    "go": GO,
    "rs": RUST,
}
COMPILED = {suffix: {re.compile(rule): text for rule, text in rules.items()} for suffix, rules in RULES.items()}
PROGRAMS = re.compile(r"^package\s+main\b|\bfn\s+main\s*\(|^#!|\bprocess\s*\.\s*argv\b", re.MULTILINE)


def foreign_text(change: SourceChange) -> Iterator[Finding]:
    """Find a few things that have one reading in any language, in lines that are new."""
    suffix = change.path.rsplit(".", 1)[-1].lower()
    if suffix not in COMPILED or suffix == "py" or change.after is None:
        return
    yield from _hidden(change)
    if not PROGRAMS.search(_text(change.after)):
        yield from _by_rules(change, COMPILED[suffix])


def unreadable_python(change: SourceChange) -> Iterator[Finding]:
    """Look at the new lines of a file that cannot be parsed: for words, because that is all there is."""
    yield from _hidden(change)
    yield from _by_rules(change, COMPILED["py"])


def _by_rules(change: SourceChange, rules: dict[re.Pattern[str], str]) -> Iterator[Finding]:
    said = set()
    before = _text(change.before)
    for number, line in new_lines(change.before, change.after):
        for rule, text in rules.items():
            if text not in said and (found := rule.search(line[:LONG])) and found[0] not in before:
                said.add(text)
                yield Finding(Outcome.UNVERIFIED, change.path, number, f"{text} ({found[0].strip()[:40]})")


def _hidden(change: SourceChange) -> Iterator[Finding]:
    before = ((change.path, seen) for seen in hidden_text(_text(change.before)))
    after = ((change.path, seen) for seen in hidden_text(_text(change.after)) if seen.what != "long line")
    yield from added(before, after)


def new_lines(before: bytes | None, after: bytes | None) -> Sequence[tuple[int, str]]:
    """List the lines, with their numbers, that are there more often than before."""
    left = Counter(_text(before).split("\n"))
    found = []
    for number, line in enumerate(_text(after).split("\n"), start=1):
        if left[line] > 0:
            left[line] -= 1
        else:
            found.append((number, line))
    return found


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")
