"""Dual activations as power series in the correlation, from Hermite coefficients.

With h_k the Hermite polynomials orthonormal under N(0, 1) and a_k(q) = E[sigma(sqrt(q) z) h_k(z)],
Mehler's formula gives E[sigma(u) sigma(v)] = sum_k a_k(q) a_k(q') rho^k for any variances q, q' and
correlation rho (Daniely, Frostig & Singer 2016, section 4). Truncated after K terms the error is at
most the part of E[sigma(u)^2] that the first K coefficients miss (Parseval), which is computed.

The coefficients are integrals over the line of an analytic function with Gaussian decay; for these
the trapezoidal rule converges geometrically in the step (Trefethen & Weideman 2014) and, unlike
Gauss-Hermite nodes, has no trouble with many nodes.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import AnyArray, Array, Float, Gram
from ntkflow.kernels.dual import (
    Activation,
    Elementwise,
    Moments,
    Variances,
    normalised,
    square_root,
)
from ntkflow.kernels.pairs import Pairs

SERIES_TERMS = 512
"""Largest number of terms of a series."""

UNROLLED = 16
"""Terms of a series in one iteration of the compiled loop; lengths are rounded up to a multiple."""

VANISHED = 1e-28
"""Largest part of E[sigma(u)^2] that a term may have and count as rounding error."""

# Half-width and spacing: exp(-z^2/4) is below 1e-18 at the ends, and the rule resolves functions
# analytic within 0.2 of the real axis, such as tanh(5 z), to rounding error.
NODES = np.arange(-13.0, 13.0 + 1 / 64, 1 / 32)

STRIDES = (8, 4, 2, 1)
"""Spacings of the nodes to try; the first that changes no coefficient that is kept is used."""


@dataclass(frozen=True)
class HermiteSeries(Activation):
    """Smooth activation whose dual is its Hermite series with `terms` terms.

    `kept` has the powers of rho in the series of sigma and of sigma', if fewer: every other one if
    sigma is odd or even. Integrals use every `stride`-th node.
    """

    terms: int = SERIES_TERMS
    kept: tuple[range, range] | None = None
    stride: int = 1

    def square(self, variance: Variances) -> Variances:
        return jnp.sum(self._coefficients(variance)[0][0] ** 2, axis=1)

    def series(self, variance: Variances) -> tuple[Array, ...]:
        return tuple(coefficients for coefficients, _ in self._coefficients(variance))

    def _coefficients(self, variance: Variances) -> list[tuple[Float[Array, "n k"], Variances]]:
        """Coefficients of sigma and of sigma' at the powers kept, and their mean squares."""
        both = zip(self.both, self.powers, strict=True)
        return [_coefficients(f, variance, powers, self.stride) for f, powers in both]

    @property
    def powers(self) -> tuple[range, range]:
        """Powers of rho in the series of sigma and of sigma'."""
        return self.kept or (range(self.terms), range(self.terms))

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        rho = pairs.correlation
        cross, slope = (
            rho**powers.start * _power_series(rows, columns, rho**powers.step)
            for rows, columns, powers in zip(one.series, two.series, self.powers, strict=True)
        )
        return normalised(cross, one, two), slope

    def missed(self, variance: Variances) -> Variances:
        """Part of E[sigma(u)^2] or E[sigma'(u)^2], the larger, beyond the last term.

        By Cauchy-Schwarz the geometric mean of those of u and v bounds the error of their pair.
        """
        missed = jnp.zeros_like(variance)
        for coefficients, square in self._coefficients(variance):
            rest = jnp.abs(square - jnp.sum(coefficients**2, axis=1))
            missed = jnp.maximum(missed, rest / jnp.where(square > 0, square, 1))
        return missed

    def fitted(self, variance: Variances, dtype: np.dtype) -> "HermiteSeries":
        """Series with the fewest terms and nodes whose error is below a rounding of `dtype`."""
        negligible, rounding = (1e-8, 1e-9) if np.dtype(dtype) == np.float32 else (1e-18, 1e-15)
        nodes, root, basis = _weighted_basis(range(self.terms), 1)
        weighted = [np.asarray(_weighted(f, variance, nodes, root)) for f in self.both]
        needed, parities = [], set()
        for order, values in enumerate(weighted):
            squares = (values @ basis.T) ** 2
            rest = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1]  # from each term to the last
            matters = (rest > negligible * rest[:, :1]).any(axis=0)
            needed.append(int(np.count_nonzero(matters)))
            nonzero = (squares > VANISHED * rest[:, :1]).any(axis=0)
            parities |= {(k + order) % 2 for k in np.flatnonzero(nonzero).tolist()}
        step = 2 if len(parities) == 1 else 1
        starts = (min(parities), 1 - min(parities)) if step == 2 else (0, 0)
        block = UNROLLED * step
        first, second = (min(max(-(-n // block), 1) * block, self.terms) for n in needed)
        kept = range(starts[0], first, step), range(starts[1], second, step)
        used = basis[: max(first, second)]
        resolved = [s for s in STRIDES if _resolves(s, weighted, used, rounding)]
        return dataclasses.replace(self, kept=kept, stride=resolved[0])


@dataclass(frozen=True)
class AccurateSeries(HermiteSeries):
    """Hermite series that also keeps small 1 - rho and 1 + rho accurate, at twice the cost.

    Needed if a layer with a kink follows, whose dual has a square root at both ends.
    """

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        _, slope = super().dual(pairs, one, two)
        rows, columns = (_unit_rows(points) for points in (one, two))
        signs = jnp.asarray((-1.0) ** np.arange(1, rows.shape[1] + 1), columns.dtype)
        minus = _one_minus(rows, columns, pairs.minus, pairs.correlation)
        plus = _one_minus(rows, columns * signs[None, :], pairs.plus, -pairs.correlation)
        return Pairs(minus, plus, (plus - minus) / 2), slope

    def fitted(self, variance: Variances, dtype: np.dtype) -> HermiteSeries:
        first, second = super().fitted(variance, dtype).powers
        kept = range(first.stop), range(second.stop)
        return dataclasses.replace(self, kept=kept)


def _unit_rows(points: Moments) -> Float[Array, "n k"]:
    """Coefficients of sigma over the square root of their sum of squares; 0 if sigma is 0."""
    root = jnp.where(points.root > 0, points.root, 1)
    return points.series[0] / root[:, None]


def _one_minus(
    rows: Float[Array, "n k"], columns: Float[Array, "m k"], minus: Gram, rho: Gram
) -> Gram:
    """1 - sum_k a_k a'_k rho^k of unit rows, from 1 - rho^k = (1 - rho) (1 + ... + rho^(k-1))."""
    zero = jnp.zeros_like(rho)

    def accumulate(
        state: tuple[Gram, Gram, Gram], coefficients: tuple[Array, Array]
    ) -> tuple[tuple[Gram, Gram, Gram], None]:
        total, tail, turn = state
        row, column = (part[:, None] for part in coefficients)
        column = column.T
        turn = turn + (row - column) ** 2 / 2
        return (total * rho + tail, tail + row * column, turn), None

    unroll = min(UNROLLED, rows.shape[1])
    (total, _, turn), _ = jax.lax.scan(
        accumulate, (zero, zero, zero), (rows.T, columns.T), reverse=True, unroll=unroll
    )
    return minus * total + turn


@cache
def _weighted_basis(powers: range, stride: int) -> tuple[np.ndarray, ...]:
    """Nodes (z,), square root w (z,) of their weights, and w h_k (k, z) for `powers`.

    With step 2 the series is that of an odd or even function, all integrands are even, and nodes
    z >= 0 suffice.
    """
    nodes = NODES[::stride]
    root = np.exp(-(nodes**2) / 4) * (2 * np.pi) ** -0.25 * (nodes[1] - nodes[0]) ** 0.5
    if powers.step == 2:
        root = np.where(nodes > 0, 2**0.5 * root, root)[nodes >= 0]
        nodes = nodes[nodes >= 0]
    basis = [root, nodes * root]
    for k in range(1, powers.stop - 1):
        basis.append((nodes * basis[k] - k**0.5 * basis[k - 1]) / (k + 1) ** 0.5)
    return nodes, root, np.stack([basis[k] for k in powers])


def _weighted(
    function: Elementwise, variance: Variances, nodes: AnyArray, root: AnyArray
) -> Float[Array, "n z"]:
    """function(sqrt(q) z) at the nodes, times the square root of their weights."""
    return function(square_root(variance)[:, None] * nodes[None]) * root[None]


def _resolves(
    stride: int, weighted: Sequence[np.ndarray], basis: np.ndarray, rounding: float
) -> bool:
    """Every `stride`-th node gives the same coefficients, relative to the root mean square."""
    for values in weighted:
        change = stride * values[:, ::stride] @ basis[:, ::stride].T - values @ basis.T
        scale = np.linalg.norm(values, axis=1, keepdims=True)
        if np.any(np.abs(change) > rounding * scale):
            return False
    return True


def _coefficients(
    function: Elementwise, variance: Variances, powers: range, stride: int
) -> tuple[Float[Array, "n k"], Variances]:
    """a_k(q) (n, k) for k in `powers`, and E[function(sqrt(q) z)^2] (n,), for each variance q."""
    nodes, root, basis = (
        jnp.asarray(part, variance.dtype) for part in _weighted_basis(powers, stride)
    )
    weighted = _weighted(function, variance, nodes, root)
    coefficients = jnp.matmul(weighted, basis.T, precision="highest")
    return coefficients, jnp.sum(weighted**2, axis=1)


@jax.custom_jvp
def _power_series(rows: Float[Array, "n k"], columns: Float[Array, "m k"], rho: Gram) -> Gram:
    """sum_k rows[:, k] columns[:, k] rho^k by Horner's rule."""

    def accumulate(total: Gram, coefficients: tuple[Array, Array]) -> tuple[Gram, None]:
        row, column = coefficients
        return total * rho + row[:, None] * column[None, :], None

    both, start = (rows.T, columns.T), jnp.zeros_like(rho)
    unroll = max(1, min(UNROLLED, rows.shape[1]))
    return jax.lax.scan(accumulate, start, both, reverse=True, unroll=unroll)[0]


@_power_series.defjvp
def _power_series_jvp(
    primals: tuple[Array, Array, Gram], tangents: tuple[Array, Array, Gram]
) -> tuple[Gram, Gram]:
    """Without this rule reverse mode would keep the partial sums of all terms."""
    (rows, columns, rho), (row_change, column_change, change) = primals, tangents
    powers = jnp.arange(1, rows.shape[1], dtype=rho.dtype)
    slope = _power_series(powers[None, :] * rows[:, 1:], columns[:, 1:], rho)
    moved = _power_series(row_change, columns, rho) + _power_series(rows, column_change, rho)
    return _power_series(*primals), slope * change + moved
