"""The evidence about a result as numbers, and the confidence that a fit makes of it."""

from collections.abc import Mapping

from reeve.records import Fit

__all__ = ["EVIDENCE", "chance_of"]

EVIDENCE = (
    "verdict",  # its own confidence, with fixed weights
    "strength",  # share of injected defects that the tests noticed; a half where that is not known
    "strength_known",
    "surplus",  # share of the lines that the checks do not need; 0 where that is not known
    "surplus_known",
    "agreement",  # share of the other attempts of its round that passed too, leaning to a half where they are few
    "record",  # expected share of attempts of this version of the agent that pass here; a half where little is known
    "earlier_rounds",  # of the task
)
"""What is known of a result before a person has looked at it, in the order of a fit."""


def chance_of(fit: Fit, evidence: Mapping[str, float]) -> float:
    """Give the chance that a result is right; raises KeyError for evidence that lacks a feature of the fit."""
    # NumPy takes a tenth of a second to import; most ledgers have no fit.
    from reeve.stats.calibration import Calibration, Model

    model = Model(fit.features, fit.means, fit.scales, fit.coefficients, fit.right, fit.wrong)
    return Calibration(fit.edges, fit.chances).chance(model.chance([evidence[name] for name in fit.features]))
