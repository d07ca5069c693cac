"""Dual activations as power series in the cosine, from Hermite coefficients.

With h_k the Hermite polynomials orthonormal under N(0, 1) and a_k(q) = E[sigma(sqrt(q) z) h_k(z)],
Mehler's formula gives E[sigma(u) sigma(v)] = sum_k a_k(q) a_k(q') rho^k for any variances q, q' and
cosine rho (Daniely, Frostig & Singer 2016, section 4). Truncated after K terms the error is at most
the part of E[sigma(u)^2] that the first K coefficients miss (Parseval), which is measured.

The coefficients are integrals over the line of an analytic function with Gaussian decay; for these
the trapezoidal rule converges geometrically in the step (Trefethen & Weideman 2014) and, unlike
Gauss-Hermite nodes, has no trouble with many nodes.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Gram
from ntkflow.kernels.covariance import Covariance, from_moments

__all__ = ["SERIES_TERMS", "hermite_coefficients", "hermite_dual", "hermite_truncation"]

SERIES_TERMS = 512
# Half-width and spacing: exp(-z^2/4) is below 1e-18 at the ends, and the rule resolves functions
# analytic within 0.2 of the real axis (tanh(5 z), say) to rounding.
NODES = np.arange(-13.0, 13.0 + 1 / 64, 1 / 32)

Pair = tuple[Callable[[Array], Array], Callable[[Array], Array]]


@cache
def _weighted_basis(terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Square root w of the quadrature weight, (z,), and w h_k, (k, z), by recurrence."""
    root = np.exp(-(NODES**2) / 4) * (2 * np.pi) ** -0.25 * (NODES[1] - NODES[0]) ** 0.5
    basis = [root, NODES * root]
    for k in range(1, terms - 1):
        basis.append((NODES * basis[k] - k**0.5 * basis[k - 1]) / (k + 1) ** 0.5)
    return root, np.stack(basis[:terms])


def hermite_coefficients(
    function: Callable[[Array], Array], variance: Float[Array, " n"], terms: int
) -> tuple[Float[Array, "n k"], Float[Array, " n"]]:
    """a_k(q) for k < terms, and E[function(sqrt(q) z)^2], for each variance q."""
    root, basis = _weighted_basis(terms)
    values = function(jnp.sqrt(variance)[:, None] * jnp.asarray(NODES[None], variance.dtype))
    weighted = values * jnp.asarray(root[None], variance.dtype)
    coefficients = jnp.matmul(weighted, jnp.asarray(basis.T, variance.dtype), precision="highest")
    return coefficients, jnp.sum(weighted**2, axis=1)


def hermite_dual(covariance: Covariance, *, functions: Pair, terms: int) -> tuple[Covariance, Gram]:
    """Dual of sigma as in `Activation.dual`, with `functions` = (sigma, sigma')."""
    (rows, columns), (row_slopes, column_slopes) = (
        [
            hermite_coefficients(function, q.ravel(), terms)[0]
            for q in (covariance.q1, covariance.q2)
        ]
        for function in functions
    )
    cosine = covariance.cosine
    image = from_moments(
        jnp.sum(rows**2, axis=1)[:, None],
        jnp.sum(columns**2, axis=1)[None, :],
        _power_series(rows, columns, cosine),
    )
    return image, _power_series(row_slopes, column_slopes, cosine)


@jax.jit
def _power_series(rows: Float[Array, "n k"], columns: Float[Array, "m k"], cosine: Gram) -> Gram:
    """sum_k rows[:, k] columns[:, k] cosine^k by Horner's rule."""

    def accumulate(total: Gram, coefficients: tuple[Array, Array]) -> tuple[Gram, None]:
        row, column = coefficients
        return total * cosine + row[:, None] * column[None, :], None

    total, _ = jax.lax.scan(accumulate, jnp.zeros_like(cosine), (rows.T, columns.T), reverse=True)
    return total


def hermite_truncation(variance: Array, *, functions: Pair, terms: int) -> Array:
    """Relative part of E[sigma(u)^2] or E[sigma'(u)^2], the larger, beyond the first `terms`."""

    def missed(function: Callable[[Array], Array]) -> Array:
        coefficients, square = hermite_coefficients(function, variance.ravel(), terms)
        rest = jnp.abs(square - jnp.sum(coefficients**2, axis=1))
        return rest / jnp.where(square > 0, square, 1)

    return jnp.maximum(*(missed(function) for function in functions)).reshape(variance.shape)
