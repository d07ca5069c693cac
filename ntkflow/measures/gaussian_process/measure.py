"""Networks at initialisation against the Gaussian process of the NNGP kernel (JGH Proposition 1).

Given the last hidden layer, outputs of f_theta(0)(x) are independent and Gaussian with the variance
q(x) = sigma_w^2 |a^{L-1}(x)|^2 / n_{L-1} + beta^2. All that is not Gaussian comes from q, which
fluctuates by n^(-1/2): the excess kurtosis of f is 3 Var(q) / E(q)^2, and two outputs, uncorrelated
at any width, have Cov(f_i^2, f_j^2) = Var(q).

- Covariance: the squared relative distance of E f f^T from Sigma^L at the largest width, without
  the noise of the draws.
- Kurtosis at each width, from q. For ReLU it is compared with its exact value
  (`ntkflow.kernels.moments`), else its exponent in n is -1, with a term of the next order.
- Kurtosis and dependence of two outputs at one of the narrower widths, from f itself. (At the
  smallest widths the tails of f are heavy, at large ones both numbers are small.)
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Float, Inputs, SeedKeys
from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.kernels.batches import map_batches
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.exact import exact_means
from ntkflow.measures.common.laws import exponent, over_theory
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import Architecture, affine, init, last_hidden, seed_keys

PRECISION = "float32"

COVARIANCE_MARGIN = 0.02**2
COVARIANCE_REASON = "the square of two per cent, which the next order in 1/n contributes at n = 50"
MOMENT_MARGIN = 0.1
MOMENT_REASON = "a tenth: another depth or beta, or a factor of two in n, changes it by more"

DIRECT_MARGIN = 0.15
DIRECT_REASON = "half of what another layer changes; fourth powers of f are noisy"

AT_ONCE = 256  # networks at once, so that their parameters stay in the cache
OUTPUTS = 2


def measure(sources: Sources, *, draws: int) -> xr.Dataset:
    """Covariance, excess kurtosis and dependence of two outputs at all points, by width.

    The draws are divided into 50 batches of equal size; those left over are not used.
    """
    x = np.asarray(sources.dataset["x"].values, np.float32)
    nngp = np.asarray(sources.limiting["nngp"].values, np.float64)
    found = {
        n: drawn(seed_keys(sources.seed, n, draws), x, architecture)
        for n, architecture in sorted(sources.architectures.items())
    }
    f = {n: np.asarray(each[0], np.float64) for n, each in found.items()}
    q = {n: np.asarray(each[1], np.float64) for n, each in found.items()}
    narrow, wide = min(f), max(f)
    covariance, entries = _covariance(f[wide][..., 0], nngp)
    kurtosis, shown = _kurtosis(q, x, sources)
    middle = sorted(f)[len(f) // 3]
    direct = _directly(f[middle], middle, sources, x)
    deviation = np.sqrt(nngp[0, 0])
    grid = np.linspace(-4, 4, 81)
    gaussian = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    density = [Series("Gaussian", grid, gaussian, look="limit")]
    density += [_density(f[n][:, 0, 0] / deviation, n) for n in (narrow, wide)]
    return evidence(
        [covariance, *kurtosis, *direct],
        [
            Panel("density at one point", r"$f(x) / \sqrt{\Sigma^L(x, x)}$", "density", density),
            Panel("widest networks", r"limit $\Sigma^L(x, x')$", "covariance", entries),
            Panel("excess kurtosis of $f(x)$", "width $n$", "kurtosis", shown, "log", "log"),
        ],
    )


@partial(jax.jit, static_argnums=(2,))
def drawn(
    keys: SeedKeys, x: Inputs, network: Architecture
) -> tuple[Float[Array, "s N k"], Float[Array, "s N"]]:
    """Two outputs of f_theta(0), and q, of one network per key."""
    two = dataclasses.replace(network, outputs=OUTPUTS)

    def functions(key: Array) -> tuple[Array, Array]:
        theta = init(key, x.shape[1], two, x.dtype)
        hidden = last_hidden(theta, x, two)
        variance = two.weight_gain**2 * jnp.mean(hidden**2, axis=1) + two.beta**2
        return affine(theta[-1], hidden, two), variance

    return map_batches(functions, keys, AT_ONCE)


def excess_kurtosis(sample: np.ndarray) -> float:
    """3 Var(q) / E(q)^2 from q and q^2 (batch, 2, N), mean over points."""
    first, second = sample.mean(axis=0)
    return float(np.mean(3 * (second / first**2 - 1)))


def _kurtosis(
    q: Mapping[int, np.ndarray], x: np.ndarray, sources: Sources
) -> tuple[list[Quantity], list[Series]]:
    """Excess kurtosis by width: over theory, or its exponent."""
    values = {n: np.stack([each, each**2], axis=1) for n, each in q.items()}
    name = "excess kurtosis"
    if sources.limit.activation.name != "relu":
        slope, shown = exponent(
            f"exponent of the {name}", values, -1.0, statistic=excess_kurtosis, next_order=True
        )
        return [slope], shown
    networks = sources.theory
    exact = {n: exact_means(networks[n], x, "excess_kurtosis")[0] for n in q}
    return over_theory(name, values, exact, MOMENT_MARGIN, MOMENT_REASON, statistic=excess_kurtosis)


def _directly(f: np.ndarray, width: int, sources: Sources, x: np.ndarray) -> list[Quantity]:
    """Kurtosis and dependence of two outputs f (draw, point, output) of one width."""
    squares = (f**2).mean(axis=2)
    powers = np.stack([squares, (f**4).mean(axis=2), f[..., 0] ** 2 * f[..., 1] ** 2], axis=1)
    sample = batches(powers)

    def kurtosis(samples: Sequence[np.ndarray]) -> float:
        second, fourth, _ = samples[0].mean(axis=0)
        return float(np.mean(fourth / second**2 - 3))

    def dependence(samples: Sequence[np.ndarray]) -> float:
        second, _, both = samples[0].mean(axis=0)
        return float(np.mean(both / second**2 - 1))

    names = (f"excess kurtosis of f at n = {width}", f"Cov(f_1^2, f_2^2) / K^2 at n = {width}")
    found = [jackknife(each, [sample]) for each in (kurtosis, dependence)]
    if sources.limit.activation.name != "relu":
        return [
            Quantity(
                name, each, "at least", 0.0, 0.0, "a sign: outputs depend on each other", len(f)
            )
            for name, each in zip(names, found, strict=True)
        ]
    network = sources.theory[width]
    theory = exact_means(network, x, "excess_kurtosis", "square_covariance")
    return [
        Quantity(
            f"{name}, over theory",
            each.over(exact),
            "equals",
            1.0,
            DIRECT_MARGIN,
            DIRECT_REASON,
            len(f),
        )
        for name, each, exact in zip(names, found, theory, strict=True)
    ]


def _covariance(f: np.ndarray, nngp: np.ndarray) -> tuple[Quantity, list[Series]]:
    """Squared relative distance of E f f^T from Sigma^L, and the entries of both."""
    rows, columns = np.triu_indices(len(nngp))
    products = batches(
        np.stack([f[:, r] * f[:, c] for r, c in zip(rows, columns, strict=True)], axis=1)
    )
    # Entries off the diagonal count twice.
    weight = np.where(rows == columns, 1, np.sqrt(2)) / np.linalg.norm(nngp)
    errors = (products - nngp[rows, columns]) * weight
    distance = jackknife(lambda samples: squared_bias(samples[0]), [errors])
    name = "squared distance of the covariance"
    quantity = Quantity(name, distance, "equals", 0.0, COVARIANCE_MARGIN, COVARIANCE_REASON, len(f))
    limit, ends = nngp[rows, columns], np.array([nngp.min(), nngp.max()])
    bar = 1.96 * products.std(axis=0, ddof=1) / np.sqrt(len(products))
    mean = products.mean(axis=0)
    points = Series("networks", limit, mean, mean - bar, mean + bar, look="points")
    return quantity, [Series("limit", ends, ends, look="limit"), points]


def _density(values: np.ndarray, width: int) -> Series:
    heights, edges = np.histogram(values, 40, (-4, 4))
    share = heights / (len(values) * np.diff(edges))
    return Series("", (edges[1:] + edges[:-1]) / 2, share, width=width)
