"""The published hierarchical bootstrap of runs: families, then tasks, then runs; the same random numbers, bit for bit.

Reference: METR, "Measuring AI Ability to Complete Long Tasks", arXiv:2503.14499, and its analysis code. One resample
draws as many families as there are, with replacement; for each family drawn, as many of its tasks as it has; and for
each pair of task and agent, pooled over all copies of the task, as many of its runs as the copies hold. All agents
share the draws, so that their horizons move together as they do in truth when the tasks are other ones.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reeve.stats.runs import Floats, Ints, Runs

__all__ = ["Resampler"]

KEY = "{task}|||{agent}"  # the published order of groups is that of these strings


@dataclass(frozen=True)
class Resampler:
    """Draws resamples of runs, each from a seed of its own."""

    runs: Runs

    def rows(self, seed: int) -> Ints:
        """Draw one resample: the rows of the runs in it, in the published order.

        The same as the published code gives with `numpy.random.default_rng(seed)`, which promises the same numbers
        on every machine. A row may stand in it many times, or not at all.
        """
        places, _ = self._published(seed)
        return self._groups.rows[places]

    def gains(self, seed: int) -> tuple[Ints, Floats]:
        """Draw the resample of `rows`, summed up: of each of `runs.pairs`, the number of runs and the sum of scores."""
        places, drawn = self._published(seed)
        some = drawn > 0
        gained = np.zeros(len(drawn))
        gained[some] = np.add.reduceat(self._scores.take(places), (np.cumsum(drawn) - drawn)[some])
        return drawn[self._groups.place], gained[self._groups.place]

    def _published(self, seed: int) -> tuple[Ints, Ints]:
        """Draw places among the rows of all groups, and how many each group has of them."""
        groups, rng = self._groups, np.random.default_rng(seed)
        drawn = self._task_copies(rng)[groups.task] * groups.size
        pool, size, first = (np.repeat(each, drawn) for each in (drawn, groups.size, groups.first))
        place = (rng.random(len(pool)) * pool).astype(np.int64)  # in the pool of all copies, one after the other
        return first + place % size, drawn

    def unordered_rows(self, seed: int) -> Ints:
        """Draw one resample with the distribution of `rows`, but other random numbers, in a third of the time."""
        groups, rng = self._unordered_groups, np.random.default_rng(seed)
        drawn = self._task_copies(rng)[groups.task] * groups.size
        found = (rng.random(int(drawn.sum())) * np.repeat(groups.size, drawn)).astype(np.int64)
        found += np.repeat(groups.first, drawn)
        return groups.rows.take(found)

    def successes(self, seed: int) -> tuple[Ints, Floats]:
        """Draw one resample as counts: of each of `runs.pairs`, the number of runs in it and how many succeed.

        The distribution is that of `rows`, the random numbers are not: drawing from n runs of which k succeed is
        drawing a binomial number, whatever n is, and a million runs take as long as a thousand. Scores must be 0 or 1.
        """
        (task, size, share), rng = self._shares, np.random.default_rng(seed)
        drawn = self._task_copies(rng)[task] * size
        good = drawn * share  # certain where all runs went alike
        open_ = (share > 0.0) & (share < 1.0)
        good[open_] = rng.binomial(drawn[open_], share[open_])
        return drawn, good

    def _task_copies(self, rng: np.random.Generator) -> Ints:
        """Draw families and their tasks: how often each task is in the resample."""
        order, first, size = self._families
        drawn = rng.integers(0, len(size), size=len(size))
        # The published code draws the tasks of one family after the other; asked for all at once, NumPy gives the same.
        tasks = np.repeat(size[drawn], size[drawn])
        places = np.repeat(first[drawn], size[drawn]) + rng.integers(0, tasks)
        return np.bincount(order[places], minlength=len(order))

    @cached_property
    def _families(self) -> tuple[Ints, Ints, Ints]:
        """Give the tasks ordered by family, where each family begins in that order, and how many tasks it has."""
        size = np.bincount(self.runs.family, minlength=len(self.runs.families))
        return np.argsort(self.runs.family, kind="stable"), np.cumsum(size) - size, size

    @cached_property
    def _shares(self) -> tuple[Ints, Ints, Floats]:
        """Give of each pair its task, the number of its runs and the share of them that succeeded."""
        pairs, pair = self.runs.pairs
        size = np.bincount(pair)
        return pairs // len(self.runs.agents), size, np.bincount(pair, weights=self.runs.score) / size

    @cached_property
    def _unordered_groups(self) -> "_Groups":
        pairs, pair = self.runs.pairs
        size = np.bincount(pair)
        rows, own = np.argsort(pair, kind="stable"), np.arange(len(pairs))
        return _Groups(pairs // len(self.runs.agents), size, np.cumsum(size) - size, rows, own)

    @cached_property
    def _groups(self) -> "_Groups":
        runs, (pairs, pair) = self.runs, self.runs.pairs
        tasks, agents = np.divmod(pairs, len(runs.agents))
        keys = [
            KEY.format(task=runs.tasks[t], agent=runs.agents[a])
            for t, a in zip(tasks.tolist(), agents.tolist(), strict=True)
        ]
        published = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        place = np.empty_like(published)
        place[published] = np.arange(len(published))
        size = np.bincount(pair)[published]
        rows = np.argsort(place[pair], kind="stable")
        return _Groups(tasks[published], size, np.cumsum(size) - size, rows, place)

    @cached_property
    def _scores(self) -> Floats:
        """Give the scores of the rows of all groups."""
        return self.runs.score[self._groups.rows]


@dataclass(frozen=True, slots=True)
class _Groups:
    """Pairs of task and agent, one after the other."""

    task: Ints
    size: Ints
    first: Ints  # where its rows begin in `rows`
    rows: Ints
    place: Ints  # of each of `runs.pairs` among the groups
