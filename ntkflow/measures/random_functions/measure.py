"""Linear models of random functions (JGH Section 3.1).

f_1..f_P are independent with uncentred covariance K, F_lin(theta) = P^(-1/2) sum_p theta_p f_p. Two
numbers for each distribution of f_p:

- Gradient descent on theta moves F exactly as kernel gradient descent with the kernel
  Ktilde = (1/P) sum_p f_p (x) f_p, also at points outside the training set (docs/questions.md).
- Ktilde -> K in P: the root mean square of ||Ktilde - K|| / ||K|| falls like P^(-1/2), as for a
  mean of P independent terms.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.linalg
import xarray as xr
from ntkflow.measures.common.exponents import exponent

from ntkflow.measures.common.evidence import Panel, Quantity, evidence
from ntkflow.measures.common.linear_models import descent_error
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.costs import LEAST_SQUARES

PRECISION = "float64"

ROUNDING = 1e-11
"""Rounding error of ten steps, each a sum over up to thousands of functions."""

STEPS = 10


# (root, count, generator) -> functions (count, point); root^T root = K, one eigenfunction per row
Law = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

LAWS: Mapping[str, Law] = {
    "Gaussian": lambda root, count, rng: rng.standard_normal((count, len(root))) @ root,
    "random signs": lambda root, count, rng: rng.choice([-1.0, 1.0], (count, len(root))) @ root,
    "random eigenfunction": lambda root, count, rng: (
        np.sqrt(len(root)) * root[rng.integers(len(root), size=count)]
    ),
}
"""Distributions of a random function whose uncentred covariance is K."""


def measure(sources: Sources, *, functions: Sequence[int], draws: int) -> xr.Dataset:
    """Evidence for each of `LAWS` from draws of P functions, with the limiting NTK as K."""
    kernel = np.asarray(sources.limiting["ntk"].values, np.float64)
    train = sources.dataset["is_train"].values
    target = np.asarray(sources.dataset["y"].values[train], np.float64)[:, :1]
    eigenvalues, vectors = scipy.linalg.eigh(kernel)
    root = (vectors * np.sqrt(np.maximum(eigenvalues, 0))).T
    axes = "functions $P$", r"$\|\tilde K - K\| / \|K\|$"
    quantities: list[Quantity] = []
    panels = []
    for place, (name, law) in enumerate(LAWS.items()):
        random = np.random.default_rng([sources.seed, place])
        f = law(root, min(functions), random)
        error = descent_error(LEAST_SQUARES, f[..., None], target, STEPS)
        same = f"{name}: F against its kernel gradient descent"
        squares = {
            count: [_squared_distance(law(root, count, random), kernel) for _ in range(draws)]
            for count in functions
        }
        slope, shown = exponent(f"{name}: exponent in P", squares, -0.5, power=0.5)
        quantities += [Quantity.exact(same, error, "at most", 0.0, ROUNDING), slope]
        panels.append(Panel(name, *axes, shown, "log", "log"))
    return evidence(quantities, panels)


def _squared_distance(f: np.ndarray, kernel: np.ndarray) -> float:
    kernel_of_f = f.T @ f / len(f)
    return float(np.sum((kernel_of_f - kernel) ** 2) / np.sum(kernel**2))
