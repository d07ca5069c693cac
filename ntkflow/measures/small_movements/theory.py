"""Movements in training to leading order in 1/n.

Theta does not move to leading order, so the integral of the residual over training is

    rho = (1/N) eta sum_t (f_t - y) = (1/N) sum_i v_i (1 - (1 - eta lambda_i)^T) / lambda_i v_i.r_0,

with the eigenpairs of Theta_inf(X, X)/N and r_0 = f_0 - y. With sensitivities d^l = df/dz^l frozen
at t = 0, and B^l(x, x') = n_l E[d_i^l(x) d_i^l(x')] = sigma_w^2 dSigma^{l+1} B^{l+1}, B^L = 1,

    f_T(x) - f_0(x)    = -sum_j Theta^L(x, x_j) rho_j
    by hidden layers   = -sum_j (Theta^L - Sigma^L)(x, x_j) rho_j
    ||Delta W^l||^2    = rho^T [(Sigma^{l+1} - beta^2) B^{l+1}] rho,         l = 0..L-1
    Delta z_i^l(x)     = -sum_j Theta^l(x, x_j) d_i^l(x_j) rho_j + g_i^l(x).

g is what the movement Delta a = sigma' Delta z of the layer below does through independent weights:
n E g^{l+1}(x)^2 = sigma_w^2 n E Delta a^l(x)^2, g^1 = 0. Products of a kernel and B are entrywise.
(Derived here from JGH Theorem 1 and its proof; tests compare with networks.)
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.tiles import Network

DRAWS = 20000  # of a Gaussian field; their error is one per cent


class Theory(NamedTuple):
    """Quadratic forms in rho (n,), and linear maps of it to all points."""

    weights: np.ndarray  # (L, n, n), of ||Delta W^l||^2
    units: np.ndarray  # (L - 1, n, n), of n E Delta z^l(x)^2, mean over points x
    through: np.ndarray  # (m, n), Theta - Sigma
    ntk: np.ndarray  # (m, n), Theta
    variance: np.ndarray  # (L - 1,), of z^l, mean over points

    def residual(self, start: np.ndarray, y: np.ndarray, rate: float, steps: int) -> np.ndarray:
        """rho (s, n) from f_0 (s, n) and y (n,)."""
        samples = len(y)
        values, vectors = np.linalg.eigh(self.ntk[:samples] / samples)
        decay = 1 - rate * values
        factor = np.where(values > 1e-12, (1 - decay**steps) / np.maximum(values, 1e-12), 0)
        return np.asarray(((start - y) @ vectors * factor) @ vectors.T / samples)


def theory(x: np.ndarray, samples: int, network: Network, seed: int) -> Theory:
    """Theory at points x (m, n_0), of which the first `samples` are trained on."""
    beta, gain = network.beta, network.weight_gain
    kernels = [
        limiting_kernels(
            x, x, activation=network.activation, depth=depth, beta=beta, weight_gain=gain
        )
        for depth in range(1, network.depth + 1)
    ]
    nngp = [np.asarray(each.nngp) for each in kernels]
    ntk = [np.asarray(each.ntk) for each in kernels]
    # sigma_w^2 dSigma, from the recursion of Theta.
    slopes = [(ntk[k + 1] - nngp[k + 1]) / ntk[k] for k in range(network.depth - 1)]
    backward = [np.ones_like(nngp[0])]
    for slope in slopes[::-1]:
        backward.insert(0, slope * backward[0])
    own = slice(samples)
    weights = [((sigma - beta**2) * b)[own, own] for sigma, b in zip(nngp, backward, strict=True)]
    units, random = [], np.zeros((len(x), samples, samples))
    for k, slope in enumerate(slopes):
        near = ntk[k][:, own]
        outer = near[:, :, None] * near[:, None, :]
        units.append((outer * backward[k][own, own] + random).mean(axis=0))
        fourth = _fourth(nngp[k], samples, network, seed)
        moved = gain**2 * fourth * outer * backward[k + 1][own, own]
        random = gain**2 * moved + np.diagonal(slope)[:, None, None] * random
    return Theory(
        np.array(weights),
        np.array(units),
        (ntk[-1] - nngp[-1])[:, own],
        ntk[-1][:, own],
        np.array([np.trace(each) / len(x) for each in nngp[:-1]]),
    )


def _fourth(nngp: np.ndarray, samples: int, network: Network, seed: int) -> np.ndarray:
    """E[sigma'(z_x)^2 sigma'(z_j) sigma'(z_k)] (m, n, n) for z of covariance `nngp`."""
    values, vectors = np.linalg.eigh(nngp)
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = np.random.default_rng([seed, samples]).standard_normal((DRAWS, len(nngp)))
    slope = np.asarray(network.activation.both[1](jnp.asarray(draws @ root.T)))
    pairs = (slope[:, :samples, None] * slope[:, None, :samples]).reshape(DRAWS, -1)
    return np.asarray((slope**2).T @ pairs / DRAWS).reshape(-1, samples, samples)
