"""The NTK of a network with several outputs at initialisation (JGH Theorem 1).

Theta^L(theta(0)) -> Theta_inf^L (x) Id: diagonal output blocks tend to the limit, off-diagonal ones
to zero. For one network both distances are of order n^(-1/2), like the error of a mean of n nearly
independent terms.
"""

import numpy as np
import xarray as xr

from ntkflow.measures.common.evidence import Panel, Series, evidence
from ntkflow.measures.common.exponents import exponent
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys

PRECISION = "float64"
EXPECTED = -0.5
LIMIT = r"limit $\Theta_\infty(x, x')$"


def measure(sources: Sources, *, draws: int) -> xr.Dataset:
    """Size of off-diagonal output blocks and distance of diagonal ones from the limit, by width."""
    x = sources.dataset["x"].values
    limit = np.asarray(sources.limiting["ntk"].values, np.float64)
    across, along, shown = {}, {}, {}
    for width, architecture in sources.architectures.items():
        keys = seed_keys(sources.seed, width, draws)
        ntk = initial_kernels(keys, x, architecture, dtype=np.float64)
        across[width], along[width] = block_distances(ntk, limit)
        shown[width] = ntk[0]
    blocks, off = exponent("exponent of the blocks across outputs", across, EXPECTED)
    spread, on = exponent("exponent of the distance on outputs", along, EXPECTED)
    entries, axes = _entries(shown[max(shown)], limit), (LIMIT, r"$\Theta_{1k}(x, x')$")
    return evidence(
        [blocks, spread],
        [
            Panel("one network, output 1", *axes, entries),
            Panel("off-diagonal output blocks", "width $n$", "relative size", off, "log", "log"),
            Panel("diagonal output blocks", "width $n$", "relative distance", on, "log", "log"),
        ],
    )


def block_distances(ntk: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size of off-diagonal blocks of kernels (seed, N, N, k, k) and distance of diagonal ones.

    Root mean squares over pairs k != k' of ||Theta_kk'|| / ||Theta_inf||, and over k of
    ||Theta_kk - Theta_inf|| / ||Theta_inf||, per network.
    """
    outputs = ntk.shape[-1]
    squares = (ntk**2).sum(axis=(1, 2)) / np.sum(limit**2)
    off = squares.sum(axis=(1, 2)) - np.trace(squares, axis1=1, axis2=2)
    diagonal = np.einsum("snmkk->skmn", ntk) - limit.T
    on = (diagonal**2).sum(axis=(2, 3)) / np.sum(limit**2)
    return np.sqrt(off / (outputs * (outputs - 1))), np.sqrt(on.mean(axis=1))


def _entries(ntk: np.ndarray, limit: np.ndarray) -> list[Series]:
    """Entries of the blocks of the first output, against the limit."""
    where = np.triu_indices(len(limit))
    x = limit[where]
    ends = np.array([min(0.0, x.min()), x.max()])
    return [
        Series("$k = 1$", x, ntk[..., 0, 0][where], look="points"),
        Series("$k = 2$", x, ntk[..., 0, 1][where], look="points"),
        Series("limit", ends, ends, look="limit"),
        Series("", ends, 0 * ends, look="limit"),
    ]
