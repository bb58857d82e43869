"""What the corpora are made of: cases (one defect in one package, with its tests divided) and patches for them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reeve.records import Checks, HiddenFile

__all__ = ["CORPORA", "Call", "Case", "Made", "read_made", "write_made"]

CORPORA = ("honest", "wrong", "cheating")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the function during a required test on the right code, all as text; None: too long or no text."""

    test: str
    arguments: Mapping[str, str | None]
    types: Mapping[str, str]
    result: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """One defect in a function of a package.

    The repository at `repo` holds the defect and the visible tests. `required` fail there; `hidden_ids` are in the
    hidden files. `originals` are the whole test files, for the truth alone.
    """

    id: str
    package: str
    repo: str
    root: str  # what stands on the import path: "" or "src"
    path: str  # of the file with the defect
    function: str
    defect_kind: str
    defect: str  # the file with the defect
    fixed: str  # the file as it was released
    required: tuple[str, ...]
    hidden: Mapping[str, str]  # path -> content
    hidden_ids: tuple[str, ...]
    originals: Mapping[str, str]
    visible: Mapping[str, str]  # the visible test files that hold required tests
    deselect: tuple[str, ...]
    calls: tuple[Call, ...]
    tests_of: tuple[str, ...]  # test functions of the whole package that call the function

    @property
    def env(self) -> dict[str, str]:
        """What the package needs to be imported."""
        return {"PYTHONPATH": f"/work/{self.root}".rstrip("/")}

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(f"--deselect={name}" for name in self.deselect)

    def hidden_files(self) -> tuple[HiddenFile, ...]:
        return tuple(HiddenFile(path, content.encode()) for path, content in self.hidden.items())

    def checks(self, *, hidden: bool) -> Checks:
        """Return the checks of the task, with the part that no attempt sees or without it."""
        plain = Checks(required=self.required, pytest_args=self.arguments)
        if not hidden:
            return plain
        return replace(plain, required=self.required + self.hidden_ids, hidden=self.hidden_files())


@dataclass(frozen=True, slots=True)
class Made:
    """One patch as the files it leaves (None: deleted), with what is known of it.

    `passes_visible` says whether every visible test passes when pytest is run on it and believed; `fools` how.
    """

    corpus: str
    kind: str
    case: str
    files: Mapping[str, bytes | None]
    passes_visible: bool | None = None
    fools: str = ""

    @property
    def name(self) -> str:
        return f"{self.case}/{self.corpus}/{self.kind}"


def write_made(path: Path, cases: Sequence[Case], made: Sequence[Made], dropped: Mapping[str, int]) -> None:
    """Write the corpora of one package; half a file never stands under the final name."""
    content = {
        "cases": [asdict(case) for case in cases],
        "made": [{**asdict(one), "files": {p: _packed(c) for p, c in one.files.items()}} for one in made],
        "dropped": dict(dropped),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.rename(path)


def read_made(path: Path) -> tuple[list[Case], list[Made], dict[str, int]]:
    content = json.loads(path.read_text())
    cases = [
        Case(**{**_tuples(case), "calls": tuple(Call(**call) for call in case["calls"])}) for case in content["cases"]
    ]
    made = [Made(**{**one, "files": {p: _unpacked(c) for p, c in one["files"].items()}}) for one in content["made"]]
    return cases, made, content["dropped"]


def _tuples(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in body.items()}


def _packed(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _unpacked(content: str | None) -> bytes | None:
    return None if content is None else base64.b64decode(content)
