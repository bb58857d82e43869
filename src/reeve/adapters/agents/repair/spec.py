"""What the agent is asked to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spec:
    """One attempt at one task. Paths are relative to the tree; ``keep`` empty means the whole suite."""

    instruction: str
    required: tuple[str, ...]
    keep: tuple[str, ...]
    protected: tuple[str, ...]
    seed: int
    attempt: int
    attempts: int
    wall_seconds: float
    memory_bytes: int
    python_path: tuple[str, ...]
    pytest_args: tuple[str, ...]
    broken_at_base: tuple[str, ...]
    max_candidates: int = 0  # optional; 0 = no limit in counts
    cpu_seconds: float = 0.0  # optional, for all processes of the agent; 0 = no limit in CPU time


class BadSpec(ValueError):
    """The spec file is not what the contract says."""


def _texts(raw: dict[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise BadSpec(f"{key} must be a list of strings, found {value!r}")
    return tuple(value)


def _number(raw: dict[str, Any], key: str, default: float) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise BadSpec(f"{key} must be a number of at least 0, found {value!r}")
    return float(value)


def parse(raw: Any) -> Spec:
    """Read a spec from decoded JSON; a wrong type is a BadSpec that names the key."""
    if not isinstance(raw, dict):
        raise BadSpec(f"the spec must be an object, found {type(raw).__name__}")
    attempts = max(1, int(_number(raw, "attempts", 1)))
    return Spec(
        instruction=str(raw.get("instruction", "")),
        required=tuple(dict.fromkeys(_texts(raw, "required"))),
        keep=_texts(raw, "keep"),
        protected=_texts(raw, "protected"),
        seed=int(_number(raw, "seed", 0)),
        attempt=int(_number(raw, "attempt", 0)) % attempts,
        attempts=attempts,
        wall_seconds=_number(raw, "wall_seconds", 300.0) or 300.0,
        memory_bytes=int(_number(raw, "memory_bytes", 0)) or 1 << 30,
        python_path=_texts(raw, "python_path"),
        pytest_args=_texts(raw, "pytest_args"),
        broken_at_base=_texts(raw, "broken_at_base"),
        max_candidates=int(_number(raw, "max_candidates", 0)),
        cpu_seconds=_number(raw, "cpu_seconds", 0.0),
    )


def load(path: str) -> Spec:
    """Read a spec file."""
    with open(path, encoding="utf-8") as stream:
        try:
            return parse(json.load(stream))
        except json.JSONDecodeError as error:
            raise BadSpec(f"{path}: not JSON: {error}") from error
