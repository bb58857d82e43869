"""Weighted logistic regression with a penalty: its exact optimum, for many data sets of one design at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reeve.stats.runs import Floats

__all__ = ["Fit", "NotConverged", "fit"]

MOST_STEPS = 200
STEP_TOLERANCE = 1e-9
"""Newton's method squares its error: the step after one this small, relative to the coefficients, changes no digit."""

SUFFICIENT = 1e-4  # the share of the promised decrease that a step must bring (Armijo)
ROUNDING = 1e-14  # by which a sum may rise through rounding alone


class NotConverged(ArithmeticError):  # noqa: N818 - named after what was found
    """The optimum was not reached: nothing is estimated rather than something wrong."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The optimum of each data set, and how sure it is one.

    `coefficients` has one row for each data set and one column for each of the design. `error` bounds how far a row
    may be from the exact optimum: the largest part of the Newton step that would come next.
    """

    coefficients: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class _Problem:
    design: Floats  # points x coefficients
    success: Floats  # data sets x points
    failure: Floats
    penalty: Floats  # one for each coefficient

    def part(self, kept: npt.NDArray[np.bool_]) -> "_Problem":
        return _Problem(self.design, self.success[kept], self.failure[kept], self.penalty)

    def loss(self, at: Floats) -> Floats:
        """Sum terms of one sign only: with a small penalty the loss of separated data comes close to 0."""
        z = at @ self.design.T
        terms = (self.success + self.failure) * np.log1p(np.exp(-np.abs(z)))
        terms += self.success * np.maximum(-z, 0.0) + self.failure * np.maximum(z, 0.0)
        found: Floats = terms.sum(axis=1) + (self.penalty * at * at).sum(axis=1) / 2.0
        return found

    def newton(self, at: Floats) -> tuple[Floats, Floats]:
        """Give the gradient, and the step to the optimum of the quadratic that touches here."""
        z = at @ self.design.T
        small = np.exp(-np.abs(z))  # never overflows
        likely, unlikely = 1.0 / (1.0 + small), small / (1.0 + small)
        chance, rest = np.where(z >= 0.0, likely, unlikely), np.where(z >= 0.0, unlikely, likely)
        gradient = (self.failure * chance - self.success * rest) @ self.design + self.penalty * at
        width = self.design.shape[1]
        squares = (self.design[:, :, None] * self.design[:, None, :]).reshape(-1, width * width)
        curvature = ((self.success + self.failure) * likely * unlikely) @ squares + np.diag(self.penalty).reshape(-1)
        try:
            step = np.linalg.solve(curvature.reshape(-1, width, width), -gradient[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            raise NotConverged("a curve has no single optimum that a computer can tell") from None
        return gradient, np.asarray(step, dtype=np.float64)


def fit(design: Floats, total: Floats, success: Floats, penalty: Floats) -> Fit:
    """Find the b with the least  sum_i [total_i log(1 + exp z_i) - success_i z_i] + sum_j penalty_j b_j^2 / 2.

    There z = design b. `design` is points x coefficients, its first column that of the intercept; `total` (the weight
    of all runs) and `success` (of the successful ones) are data sets x points. The optimum is the only one where
    every data set has successes and failures and all coefficients but the intercept are penalised, which is for the
    caller to see to. Newton's method, halving steps that bring too little; data sets that have arrived drop out.
    Raises NotConverged.

    >>> design, total = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.5, 0.5]])
    >>> found = fit(design, total, np.array([[0.4, 0.1]]), np.array([0.0, 1e-9]))
    >>> found.coefficients.round(4).tolist()  # log 4, and -2 log 4
    [[1.3863, -2.7726]]
    """
    problem = _Problem(design, success, total - success, penalty)
    found, error = np.zeros((len(total), design.shape[1])), np.zeros(len(total))
    left = np.arange(len(total))
    at = np.zeros_like(found)
    share = success.sum(axis=1) / total.sum(axis=1)
    at[:, 0] = np.log(share / (1.0 - share))  # the optimum without slopes, from where no step goes astray
    loss = problem.loss(at)
    for _ in range(MOST_STEPS):
        gradient, step = problem.newton(at)
        size = np.abs(step).max(axis=1)
        there = size <= STEP_TOLERANCE * (1.0 + np.abs(at).max(axis=1))
        found[left[there]] = (at + step)[there]
        error[left[there]] = size[there]
        if there.all():
            return Fit(found, error)
        left, problem, loss = left[~there], problem.part(~there), loss[~there]
        at, loss = _descended(problem, at[~there], loss, step[~there], (gradient * step).sum(axis=1)[~there])
    raise NotConverged(f"{len(left)} of {len(total)} curves did not reach their optimum in {MOST_STEPS} steps")


def _descended(problem: _Problem, at: Floats, before: Floats, step: Floats, promised: Floats) -> tuple[Floats, Floats]:
    """Go along the steps, each halved until it brings a part of the decrease that its slope promises.

    `before` is the loss where the steps begin; returned is where they end, and the loss there.
    """
    length = np.ones(len(at))
    for _ in range(MOST_STEPS):
        reached = at + length[:, None] * step
        after = problem.loss(reached)
        short = ~(after <= before + SUFFICIENT * length * promised + ROUNDING * np.abs(before))
        if not short.any():
            break
        length[short] /= 2.0
    return reached, after
