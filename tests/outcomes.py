"""Public outcome records, where they are, and made-up worlds whose truth is known."""

import os
from pathlib import Path

import numpy as np
import pytest

from reeve.stats.runs import Runs

FOLDERS = (os.environ.get("REEVE_DATA"), Path(__file__).parents[2] / "shared" / "data")


def public(name: str) -> Path:
    """The file of public records; the test says that it is skipped where there is none."""
    for folder in FOLDERS:
        if folder and (Path(folder) / name).is_file():
            return Path(folder) / name
    pytest.skip(f"{name} is neither in REEVE_DATA nor in ../shared/data")


def world(
    seed: int,
    agents=(30.0,),
    families: int = 30,
    tasks: int = 2,
    runs: int = 2,
    slope: float = -0.7,
    family_spread: float = 0.7,
) -> Runs:
    """Runs of agents named a0, a1, ... with these horizons, at up to `tasks` tasks in each family."""
    rng = np.random.default_rng(seed)
    rows = []
    for family in range(families):
        easier = rng.normal(0.0, family_spread)
        for task in range(rng.integers(1, tasks + 1)):
            minutes = float(2.0 ** rng.uniform(-1.0, 11.0))
            for number, horizon in enumerate(agents):
                chance = 1.0 / (1.0 + np.exp(-slope * np.log2(minutes / horizon) - easier))
                for _ in range(runs):
                    solved = float(rng.random() < chance)
                    rows.append((f"a{number}", f"f{family}/t{task}", f"f{family}", minutes, solved))
    return Runs.of(*zip(*rows, strict=True))


def chain_world(seed: int, effects=(-0.5, -0.3, -0.6), agents=(6.0, 3.0), tasks: int = 60, runs: int = 3, spread=0.0):
    """Runs, chains and files: log odds of a0, a1, ... are their number plus the effects of each doubling.

    The effects are those of human minutes, files touched and chain steps; two tasks make a family, of common luck.
    """
    rng = np.random.default_rng(seed)
    luck = rng.normal(0.0, spread, tasks // 2 + 1)
    rows, steps, files = [], {}, {}
    for number in range(tasks):
        task, family = f"t{number}", f"f{number // 2}"
        minutes = float(2.0 ** rng.uniform(0.0, 9.0))
        steps[task], files[task] = float(np.ceil(2.0 ** rng.uniform(0.0, 8.0))), float(rng.integers(1, 9))
        sizes = np.log2([minutes, files[task], steps[task]])
        for place, able in enumerate(agents):
            chance = 1.0 / (1.0 + np.exp(-able - luck[number // 2] - sizes @ effects))
            rows += [(f"a{place}", task, family, minutes, float(rng.random() < chance)) for _ in range(runs)]
    return Runs.of(*zip(*rows, strict=True)), steps, files
