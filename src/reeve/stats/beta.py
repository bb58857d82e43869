"""The beta distribution in logarithms: what exact binomial bounds and audits that never end are made of.

Written out rather than taken from SciPy: it is all that a decision needs of it, SciPy takes longer to import than the
decision takes, and its incomplete beta function is 0 where the logarithm is still needed.
"""

from math import expm1, inf, lgamma, log, log1p

__all__ = ["log_below", "log_beta", "quantile"]

MOST_TERMS = 100_000  # a million audits take about two thousand
CLOSE = 1e-15
TINY = 1e-300
HALVINGS = 60  # of the interval from 0 to 1


def log_beta(a: float, b: float) -> float:
    """Give ln B(a, b), the normaliser of the distribution, for a, b > 0."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_below(x: float, a: float, b: float) -> float:
    """Give ln P(X <= x) for X ~ Beta(a, b): the log of the regularised incomplete beta function I_x(a, b).

    `-inf` only for x <= 0. The continued fraction of Press et al., Numerical Recipes, 6.4, by Lentz's method, on the
    side where it converges fast.

    >>> import math
    >>> round(math.exp(log_below(0.05, 1, 59)), 4)  # 1 - 0.95**59
    0.9515
    """
    if not (a > 0.0 and b > 0.0):
        raise ValueError(f"a beta distribution has two parameters above 0, not {a!r} and {b!r}")
    if x <= 0.0:
        return -inf
    if x >= 1.0:
        return 0.0
    front = a * log(x) + b * log1p(-x) - log_beta(a, b)
    if x < (a + 1.0) / (a + b + 2.0):
        return front + log(_fraction(x, a, b) / a)
    above = front + log(_fraction(1.0 - x, b, a) / b)
    return log(-expm1(above)) if above < 0.0 else -inf


def quantile(share: float, a: float, b: float) -> float:
    """Give the x below which `share` of Beta(a, b) lies, by bisection, correct to 1e-12.

    >>> round(quantile(0.95, 1, 59), 4)
    0.0495
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"a share lies between 0 and 1, not at {share!r}")
    wanted, low, high = log(share), 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if log_below(middle, a, b) < wanted else (low, middle)
    return (low + high) / 2.0


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _apart(1.0 - (a + b) * x / (a + 1.0))
    found = d
    for m in range(1, MOST_TERMS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _apart(1.0 + factor * d)
            c = _apart(1.0 + factor / c)
            found *= c * d
        if abs(c * d - 1.0) < CLOSE:
            return found
    raise ArithmeticError(f"the share of Beta({a!r}, {b!r}) below {x!r} was not reached in {MOST_TERMS} terms")


def _apart(value: float) -> float:
    """Keep a divisor away from 0."""
    return value if abs(value) > TINY else TINY
