"""Compare plausible patches on inputs that no test has: what most of them do alike is more likely meant.

The inputs are the plain arguments with which the tests call the edited function, slightly changed.
"""

from __future__ import annotations

import ast
import copy
import random
import sys
from types import CodeType, FrameType, FunctionType
from typing import Any, Callable, Optional

PLAIN = (int, float, str, bool, bytes, type(None))
MOST_CALLS, MOST_INPUTS, MOST_TEXT = 40, 120, 2000


def plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is made of numbers, texts and containers only, and small."""
    if isinstance(value, PLAIN):
        return True
    if depth > 3 or not isinstance(value, (list, tuple, set, dict)) or len(value) > 50:
        return False
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
    return all(plain(part, depth + 1) for part in parts)


class Calls:
    """A tracer that notes the arguments of calls of some code objects."""

    def __init__(self, codes: set[CodeType]) -> None:
        self.codes = codes
        self.found: dict[str, None] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code in self.codes and len(self.found) < MOST_CALLS:
            names = code.co_varnames[: code.co_argcount]
            values = tuple(frame.f_locals.get(name) for name in names)
            if code.co_flags & 0x0C or code.co_kwonlyargcount or not plain(values):
                return
            text = repr(values)
            if len(text) < MOST_TEXT:
                self.found.setdefault(text, None)

    def during(self, run: Callable[[], object]) -> None:
        """Note the calls that happen while ``run`` runs."""
        sys.settrace(self)
        try:
            run()
        finally:
            sys.settrace(None)


def near(value: Any, rng: random.Random) -> Any:
    """A value of the same shape, a little different."""
    if isinstance(value, bool) or value is None or isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return rng.choice([value + 1, value - 1, value + 2, -value, 0, value * 2, value])
    if isinstance(value, float):
        return rng.choice([value + 0.5, value - 1.0, -value, 0.0, value])
    if isinstance(value, str):
        if not value:
            return rng.choice(["", "a"])
        place = rng.randrange(len(value))
        changed = [
            value[:place] + value[place + 1 :],
            value + rng.choice(value),
            value[::-1],
            value.swapcase(),
            "",
            value,
        ]
        return rng.choice(changed)
    if isinstance(value, dict):
        return {key: near(item, rng) for key, item in value.items() if rng.random() < 0.9}
    items = [near(item, rng) if rng.random() < 0.4 else item for item in value]
    if items and rng.random() < 0.3:
        items.pop(rng.randrange(len(items)))
    if items and rng.random() < 0.3:
        items.insert(rng.randrange(len(items)), rng.choice(items))
    if rng.random() < 0.3:
        rng.shuffle(items)
    try:
        return type(value)(items)
    except TypeError:
        return value


def inputs_near(texts: list[str], seed: int) -> list[tuple[Any, ...]]:
    """Reproducible argument tuples near those written in ``texts``, without repetition."""
    calls = []
    for text in texts:
        try:
            calls.append(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            continue
    rng = random.Random(seed)
    found: dict[str, tuple[Any, ...]] = {}
    for _ in range(MOST_INPUTS * 3 if calls else 0):
        changed = tuple(near(copy.deepcopy(value), rng) if rng.random() < 0.7 else value for value in rng.choice(calls))
        if len(found) < MOST_INPUTS:
            found.setdefault(repr(changed), changed)
    return list(found.values())


def answer(function: FunctionType, arguments: tuple[Any, ...], limit: Any, seconds: float) -> str:
    """What a function gives for some arguments, as a text; the exception's name where it raises."""
    values = copy.deepcopy(arguments)
    try:
        limit.start(seconds)
        result: Any = function(*values)
        if hasattr(result, "__next__"):
            result = [item for item, _ in zip(result, range(50))]  # noqa: B905
        text = repr((result, values))[:300]
        limit.stop()
    except BaseException as error:
        limit.stop()
        text = f"!{type(error).__name__}"
    return text


def support(answers: list[Optional[list[str]]], weights: list[float]) -> list[Optional[float]]:
    """For each candidate the weighed share of answers in which all agree with it, from 0 to 1; None without answers."""
    known = [number for number, one in enumerate(answers) if one]
    total = sum(weights[number] for number in known)
    found: list[Optional[float]] = [None] * len(answers)
    for number in known:
        mine, score = answers[number] or [], 0.0
        for other in known:
            theirs = answers[other] or []
            alike = sum(one == two for one, two in zip(mine, theirs))  # noqa: B905
            score += weights[other] * alike / max(1, len(mine))
        found[number] = score / total if total else None
    return found
