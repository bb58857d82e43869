"""A confidence made of evidence: fitted to some results, calibrated on others, tested on the rest.

Tasks are dealt into three parts by a hash of their id, the same way for ever and whatever is found: a quarter fits, a
quarter calibrates, and half is left for thresholds. All results of a task are in its part, so no threshold is ever
tested on a task that the score has seen.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from math import ceil, floor, log
from typing import TYPE_CHECKING

from reeve.records import Fit, Judged
from reeve.stats.fitted import EVIDENCE
from reeve.stats.risk import Refused

if TYPE_CHECKING:
    from reeve.stats.calibration import Model

__all__ = ["answers_to_fit", "fit_of", "kept_apart", "part_of_task"]

SHARES = (1.0, 1.0, 2.0)
FITS, CALIBRATES, TESTS = range(3)
SEED = 0
FEWEST_OF_EACH = 10
"""Right and wrong results that fitting and calibrating need, each."""

ALL_UP_TO = 100
GROWTH = 1.1
ROUNDING = 1e-9

NO_BETTER = 0.5
DIGITS = 12
SIGNIFICANT = 9


def answers_to_fit(answers: int) -> int:
    """Say how many of the first answers the fit of now is made of: all up to a hundred, then at least ten elevenths.

    A fit is made anew when a tenth more is known, and not for each answer: it looks at everything that is known.
    """
    if answers <= ALL_UP_TO:
        return answers
    steps = floor(log(answers / ALL_UP_TO) / log(GROWTH) + ROUNDING)
    return ceil(ALL_UP_TO * GROWTH**steps - ROUNDING)


def kept_apart(result: Judged) -> bool:
    """Say whether a result belongs to the half that no fit ever sees."""
    return part_of_task(result.draw.task) == TESTS


def part_of_task(task: str) -> int:
    """Say what the answers about a task are for: 0 to fit to, 1 to calibrate on, 2 neither."""
    from reeve.stats.calibration import part_of

    return part_of(task, SHARES, SEED)


def fit_of(results: Iterable[Judged]) -> Fit | Refused:
    """Fit the chance of being right to the evidence about results, of whatever cell; the order does not matter.

    The regression is fitted to the results that a person was to look at, as these are chosen by evidence and by chance
    and never by what was found; the steps come from uniform draws alone, which stand for all, and so does the area
    under the ROC curve, of the regression on results that it has not seen. Refused where a part has fewer than 10
    right or 10 wrong results, and where the lower end of the area does not lie above a half. Which of these it is
    depends on the first two parts alone, never on the results that thresholds are tested on.
    """
    usable = [result for result in results if result.wrong is not None and set(EVIDENCE) <= result.draw.evidence.keys()]
    if (few := _too_few(usable, "fit to and calibrate on", 2 * FEWEST_OF_EACH)) is not None:
        return few
    usable.sort(key=lambda result: result.draw.attempt)
    fitted = [result for result in usable if result.draw.audited and part_of_task(result.draw.task) == FITS]
    calibrated = [result for result in usable if result.draw.uniform and part_of_task(result.draw.task) == CALIBRATES]
    for some, what in ((fitted, "fit to"), (calibrated, "calibrate on")):
        if (few := _too_few(some, what)) is not None:
            return few
    return _fit(fitted, calibrated)


def _fit(fitted: Sequence[Judged], calibrated: Sequence[Judged]) -> Fit | Refused:
    # NumPy takes a tenth of a second to import; most ledgers have too few results for a fit.
    from reeve.stats.calibration import fit_model, isotonic
    from reeve.stats.intervals import auc

    model = fit_model(EVIDENCE, [_row(result) for result in fitted], [_right(result) for result in fitted])
    if isinstance(model, Refused):
        return model
    model = _rounded(model)
    scores, right = [model.chance(_row(result)) for result in calibrated], [_right(result) for result in calibrated]
    steps = isotonic(scores, right)
    if isinstance(steps, Refused):
        return steps
    good = [score for score, is_right in zip(scores, right, strict=True) if is_right]
    area = auc(good, [score for score, is_right in zip(scores, right, strict=True) if not is_right])
    if area.low <= NO_BETTER:
        ends = f"AUC {area.value:.2f} ({area.low:.2f} to {area.high:.2f}) on {len(scores)} results apart"
        return Refused(f"the evidence does not tell right from wrong: {ends}")
    made = Fit(
        version="",
        features=model.features,
        means=model.means,
        scales=model.scales,
        coefficients=model.coefficients,
        edges=steps.edges,
        chances=steps.chances,
        right=model.right,
        wrong=model.wrong,
        calibrated=len(calibrated),
        auc=area.value,
        auc_low=area.low,
        auc_high=area.high,
    )
    digest = hashlib.sha256(json.dumps(asdict(made), sort_keys=True).encode()).hexdigest()
    return replace(made, version=digest[:DIGITS])


def _rounded(model: "Model") -> "Model":
    """Cut the digits that differ between machines: a fit must come out the same wherever it is computed again."""

    def cut(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(float(f"{value:.{SIGNIFICANT}g}") for value in values)

    return replace(model, means=cut(model.means), scales=cut(model.scales), coefficients=cut(model.coefficients))


def _too_few(results: Sequence[Judged], what: str, fewest: int = FEWEST_OF_EACH) -> Refused | None:
    wrong = sum(result.wrong is True for result in results)
    right = len(results) - wrong
    if min(right, wrong) >= fewest:
        return None
    return Refused(f"{right} right and {wrong} wrong results to {what}, at least {fewest} of each are needed")


def _row(result: Judged) -> list[float]:
    return [result.draw.evidence[name] for name in EVIDENCE]


def _right(result: Judged) -> bool:
    return result.wrong is False
