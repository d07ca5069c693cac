"""Distance of networks from their limit, divided into two parts of different orders in 1/n.

f_n - f_inf = (f_n - f_lin) + (f_lin - f_inf), all from the same f_0, where f_lin follows the
empirical NTK at t = 0 of the same network. Each part is the largest distance over the recorded
times, a root mean square over all points, relative to r = ||f* - f_0||_pin for the first part and
to r^2 for the second (the kernel moves by r, and f with it by r again), which halves the noise.
Means over networks are geometric, because the tails are heavy.

- f_lin - f_inf: Theta(0) fluctuates about its limit by n^(-1/2) (JGH Theorem 1).
- f_n - f_lin: the kernel moves in training, by 1/n for smooth activations (Huang & Yau 2019; Dyer
  & Gur-Ari 2020). For ReLU JGH and Lee et al. (2019) bound it by n^(-1/2), and units that change
  sign suggest n^(-3/4) (heuristic).
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import SLOPE_MARGIN, SLOPE_REASON, exponent
from ntkflow.measures.common.linearised import Networks, networks_of
from ntkflow.measures.common.sources import Sources

PRECISION = "float64"

FLUCTUATION, MOVEMENT, BOUND = -0.5, -1.0, -0.5


def measure(sources: Sources) -> xr.Dataset:
    """Exponents in n of both parts of the distance of f from its limiting dynamics."""
    parts = {
        n: _squares(networks_of(store, sources.limiting, n))
        for n, store in sorted(sources.ensembles.items())
    }
    # For others the theory is a bound.
    smooth = all(network.smooth for network in sources.architectures.values())
    fluctuation, first = _exponent("f_lin - f_inf", parts, 0, FLUCTUATION)
    movement, second = _exponent(
        "f_n - f_lin", parts, 1, MOVEMENT if smooth else BOUND, bound=not smooth
    )
    x, labels = "width $n$", ("distance / $r$", "distance / $r^2$")
    titles = r"$f_{\mathrm{lin}}$ from the limit", r"networks from $f_{\mathrm{lin}}$"
    return evidence(
        [fluctuation, movement],
        [
            Panel(title, x, label, drawn, "log", "log")
            for title, label, drawn in zip(titles, labels, (first, second), strict=True)
        ],
    )


def _squares(networks: Networks) -> np.ndarray:
    """Largest mean squares over time, relative to r^2 and r^4, (seed, 2)."""
    samples, linear = networks.goal.shape[1], networks.linear
    scale = np.mean((networks.goal - networks.f[:, 0, :samples]) ** 2, axis=1)
    parts = (linear - networks.limiting, networks.f - linear)
    squares = np.stack([(part**2).mean(axis=2).max(axis=1) for part in parts], axis=1)
    return squares / np.stack([scale, scale**2], axis=1)


def _geometric_mean(logs: np.ndarray) -> float:
    return float(np.exp(logs.mean()))


def _exponent(
    name: str, parts: Mapping[int, np.ndarray], which: int, expected: float, *, bound: bool = False
) -> tuple[Quantity, list[Series]]:
    values = {n: np.log(squares[:, which]) for n, squares in parts.items()}
    return exponent(
        f"exponent of {name}",
        values,
        expected,
        "at most" if bound else "equals",
        margin=0.0 if bound else SLOPE_MARGIN,
        reason="none: an upper bound" if bound else SLOPE_REASON,
        statistic=_geometric_mean,
        power=0.5,
        next_order=True,
    )
