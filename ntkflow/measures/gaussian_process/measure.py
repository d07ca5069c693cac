"""Networks at initialisation against the Gaussian process of the NNGP kernel (JGH Proposition 1).

Two numbers. The first is the squared relative distance of the covariance of f_theta(0) over draws
from Sigma^L, at the largest width, without the noise of the draws. The second is the excess
kurtosis of f_theta(0)(x), which is 0 for a Gaussian. Given the last hidden layer, f is Gaussian
with a variance that fluctuates by n^(-1/2), so the kurtosis is of order 1/n. For ReLU without
biases it is 3 ((1 + 5/n)^(L-1) - 1) at any width; its error is sqrt(24 / draws).

The bootstrap resamples batches of draws.
"""

from functools import partial

import jax
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Float, Inputs, SeedKeys
from ntkflow.analysis.bootstrap import REPLICATES, percentile_interval
from ntkflow.analysis.convergence import squared_bias, squared_bias_replicates
from ntkflow.analysis.power_law import Estimate
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.exponents import fitted, resampled
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import Architecture, apply, init, seed_keys

PRECISION = "float32"

BATCHES = 50
COVARIANCE_TOLERANCE = 0.02**2
"""Square of two per cent, which the next order in 1/n may contribute at widths from 50."""

AT_ONCE = 256  # networks at once, so that their parameters stay in the cache


def measure(sources: Sources, *, draws: int) -> xr.Dataset:
    """Covariance and excess kurtosis of the first output of f_theta(0) at all points, by width.

    The number of draws is rounded down to a multiple of 50.
    """
    x = np.asarray(sources.dataset["x"].values, np.float32)
    nngp = np.asarray(sources.limiting["nngp"].values, np.float64)
    batches = min(BATCHES, draws)
    used = draws - draws % batches
    f = {}
    for n, architecture in sources.architectures.items():
        networks = drawn(seed_keys(sources.seed, n, used), x, architecture)
        f[n] = np.asarray(networks, np.float64).reshape(batches, -1, len(x))
    widths = np.array(sorted(f))
    kurtoses = [excess_kurtosis(f[n]) for n in widths]
    with np.errstate(invalid="ignore", divide="ignore"):  # a kurtosis below 0 has no logarithm
        kurtosis, shown = fitted("exponent of the excess kurtosis", widths, kurtoses, -1.0)
    covariance, entries = _covariance(f[widths[-1]], nngp)
    deviation = np.sqrt(nngp[0, 0])
    grid = np.linspace(-4, 4, 81)
    gaussian = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    density = [Series("Gaussian", grid, gaussian, look="limit")]
    density += [_density(f[n][..., 0].ravel() / deviation, int(n)) for n in widths[[0, -1]]]
    return evidence(
        [covariance, kurtosis],
        [
            Panel("density at one point", r"$f(x) / \sqrt{\Sigma^L(x, x)}$", "density", density),
            Panel("widest networks", r"limit $\Sigma^L(x, x')$", "covariance", entries),
            Panel("excess kurtosis", "width $n$", "kurtosis", shown, "log", "log"),
        ],
    )


@partial(jax.jit, static_argnums=(2,))
def drawn(keys: SeedKeys, x: Inputs, network: Architecture) -> Float[Array, "s N"]:
    """First output of f_theta(0) of one network per key."""

    def function(key: Array) -> Array:
        return apply(init(key, x.shape[1], network, x.dtype), x, network)[:, 0]

    return jax.lax.map(function, keys, batch_size=min(AT_ONCE, len(keys)))


def excess_kurtosis(f: np.ndarray) -> Estimate:
    """E f^4 / (E f^2)^2 - 3 of centred f (batch, draw, point), mean over points.

    Both moments are those of all draws, since their ratio in a batch would be biased. The variance
    of the draws removes half of the noise of E f^4 / Sigma^L(x, x)^2, sqrt(96 / draws), and is
    exact at any width and for any activation.
    """
    second, fourth = (f**2).mean(axis=1), (f**4).mean(axis=1)

    def kurtosis(weights: np.ndarray) -> np.ndarray:
        return ((weights @ fourth) / (weights @ second) ** 2).mean(axis=1) - 3

    return resampled(kurtosis, len(f))


def _covariance(f: np.ndarray, nngp: np.ndarray) -> tuple[Quantity, list[Series]]:
    """Squared relative distance of E f f^T from Sigma^L, and the entries of both."""
    rows, columns = np.triu_indices(len(nngp))
    products = np.einsum("bsn,bsm->bnm", f, f)[:, rows, columns] / f.shape[1]
    # Entries off the diagonal count twice.
    weight = np.where(rows == columns, 1, np.sqrt(2)) / np.linalg.norm(nngp)
    errors = (products - nngp[rows, columns]) * weight
    replicates = squared_bias_replicates(errors, REPLICATES, np.random.default_rng(0))
    low, high = percentile_interval(replicates)
    distance, margin = squared_bias(errors), COVARIANCE_TOLERANCE
    name = "squared distance of the covariance"
    quantity = Quantity(name, distance, low, high, "equals", 0.0, margin, 2 * margin)
    limit, ends = nngp[rows, columns], np.array([nngp.min(), nngp.max()])
    bar = 1.96 * products.std(axis=0, ddof=1) / np.sqrt(len(f))
    mean = products.mean(axis=0)
    points = Series("networks", limit, mean, mean - bar, mean + bar, look="points")
    return quantity, [Series("limit", ends, ends, look="limit"), points]


def _density(values: np.ndarray, width: int) -> Series:
    heights, edges = np.histogram(values, 40, (-4, 4))
    share = heights / (len(values) * np.diff(edges))
    return Series("", (edges[1:] + edges[:-1]) / 2, share, width=width)
