"""Shares of independent networks with a property, with exact binomial intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from ntkflow.analysis.jackknife import Estimate
from ntkflow.measures.common.evidence import Quantity, Relation


@dataclass(frozen=True)
class Share(Estimate):
    """`count` of `total` networks; `error` is only a scale and is never 0."""

    count: int = 0
    total: int = 0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the interval of Clopper & Pearson (1934), which covers at least `level`."""
        tail, count, rest = (1 - level) / 2, self.count, self.total - self.count
        low = betaincinv(count, rest + 1, tail) if count else 0.0
        high = betaincinv(count + 1, rest, 1 - tail) if rest else 1.0
        return float(low), float(high)


def counted(found: ArrayLike) -> Share:
    """Share of true values (unit,)."""
    values = np.asarray(found, bool)
    count, total = int(values.sum()), len(values)
    smooth = (count + 1) / (total + 2)
    return Share(
        count / total, float(np.sqrt(smooth * (1 - smooth) / total)), count=count, total=total
    )


def share(
    name: str,
    found: ArrayLike,
    relation: Relation,
    expected: float,
    margin: float,
    reason: str,
) -> Quantity:
    """Share of independent units (unit,) for which `found` is true."""
    estimate = counted(found)
    return Quantity(name, estimate, relation, expected, margin, reason, seeds=estimate.total)
