"""Correlations of pairs of Gaussian pre-activations, so that small angles stay accurate.

Every limiting kernel is a function of q = Var u, q' = Var v and the correlation rho of u and v.
With kinked activations (ReLU) it depends on the angle phi = arccos(rho). Near phi = 0 the arccosine
loses half of the digits, because rho = 1 - phi^2/2 is rounded. The quantities passed from layer to
layer are therefore not rho but

    minus = 1 - rho      and      plus = 1 + rho,

both non-negative and both computed without cancellation. The angle follows from the smaller one:
with `folded` = min(minus, plus) and z = folded / 2,

    phi = 2 arcsin(sqrt(z))            = sqrt(folded) A(folded)      (or pi minus it)
    sin(phi) - phi cos(phi)            = folded^(3/2) B(folded),     its integral over `folded`,

where A and B have the power series of the arcsine, with positive coefficients and no singularity
before folded = 2. On [0, 1] polynomials of low degree approximate both to rounding error, at the
price of one square root, so that near-duplicate and antipodal inputs lose no digits.

The angle has no derivative at rho = 1 and rho = -1, where it has a corner as a function of the
inputs. There the derivative is taken to be 0, the mean of both sides.
"""

from collections.abc import Callable
from functools import cache, partial
from math import comb
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Gram
from ntkflow.kernels.polynomials import horner

# Degrees of A and B at which Chebyshev interpolation on [0, 1] has converged to rounding error.
DEGREES = {np.dtype(np.float32): (7, 6), np.dtype(np.float64): (21, 20)}


class Pairs(NamedTuple):
    """1 - rho, 1 + rho and rho itself for every pair of two lists of points.

    Each is accurate where it is small. XLA does not compute those that a dual does not use.
    """

    minus: Gram
    plus: Gram
    correlation: Gram


class Fold(NamedTuple):
    """1 - |rho|, phi / pi and (sin(phi) - phi cos(phi)) / pi of pairs, at phi = arccos |rho|."""

    complement: Gram
    angle: Gram
    chord: Gram


def fold(pairs: Pairs, *, acute: bool = False) -> Fold:
    """Folded angles of all pairs; `acute` asserts that no rho is negative."""
    return _fold(acute, pairs)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _fold(acute: bool, pairs: Pairs) -> Fold:
    complement = pairs.minus if acute else jnp.minimum(pairs.minus, pairs.plus)
    angles, chords = _polynomials(np.dtype(complement.dtype))
    root = jnp.sqrt(complement)
    angle = root * horner(angles, complement)
    return Fold(complement, angle, complement * root * horner(chords, complement))


@_fold.defjvp
def _fold_jvp(acute: bool, primals: tuple[Pairs], tangents: tuple[Pairs]) -> tuple[Fold, Fold]:
    """By d phi / d folded = 1 / sin(phi), and as the integral of phi over `folded` is the chord."""
    (pairs,), (change,) = primals, tangents
    folded = fold(pairs, acute=acute)
    obtuse = pairs.minus > pairs.plus
    moved = change.minus if acute else jnp.where(obtuse, change.plus, change.minus)
    square = folded.complement * (2 - folded.complement)  # of the sine
    sine = jnp.sqrt(jnp.where(square > 0, square, 1))
    turned = jnp.where(square > 0, moved / (jnp.pi * sine), 0)
    return folded, Fold(moved, turned, folded.angle * moved)


def angle(pairs: Pairs) -> Gram:
    """Phi = arccos(rho) in [0, pi], to full relative accuracy at both ends."""
    folded = jnp.pi * fold(pairs).angle
    return jnp.where(pairs.minus > pairs.plus, jnp.pi - folded, folded)


def mixed(pairs: Pairs, one: tuple[Array, Array], two: tuple[Array, Array]) -> Pairs:
    """Correlations of w u + b z and w' v + b' z, with the same z ~ N(0, 1) for all points.

    `one` = (w, b), (n,), and `two` = (w', b'), (m,), have w^2 + b^2 = 1: the map from normalised
    post-activations of one layer to pre-activations of the next (JGH Proposition 1). The weights
    enter by their differences, so that the distance of points of similar norms stays accurate.
    """
    weight = one[0][:, None] * two[0][None, :]
    bias = one[1][:, None] * two[1][None, :]
    turn = ((one[0][:, None] - two[0][None, :]) ** 2 + (one[1][:, None] - two[1][None, :]) ** 2) / 2
    return mixture(pairs, lambda part: weight * part, turn, bias)


def mixture(pairs: Pairs, average: Callable[[Gram], Gram], turn: Gram, bias: Gram) -> Pairs:
    """Correlations of sums over contributions k, of weights w_k and w'_k, and a bias.

    `average` maps the values of `pairs` for each contribution to sum_k w_k w'_k times them, `bias`
    is that product for the bias, whose correlation is 1, and with sum_k w_k^2 = 1, bias included,

        turn = (1/2) sum_k (w_k - w'_k)^2 = 1 - sum_k w_k w'_k.
    """
    return Pairs(
        average(pairs.minus) + turn,
        average(pairs.plus) + turn + 2 * bias,
        average(pairs.correlation) + bias,
    )


def from_acute(minus: Gram) -> Pairs:
    """`Pairs` of non-negative correlations from 1 - rho alone: cheaper, and as accurate."""
    return Pairs(minus, 2 - minus, 1 - minus)


def from_both(minus: Gram, plus: Gram) -> Pairs:
    """`Pairs` from 1 - rho and 1 + rho; the error of rho is a rounding of 1."""
    return Pairs(minus, plus, (plus - minus) / 2)


def from_correlation(correlation: Gram) -> Pairs:
    """`Pairs` from rho, accurate enough for functions that are smooth in rho."""
    inside = bounded(correlation)
    return Pairs(1 - inside, 1 + inside, inside)


@jax.custom_jvp
def bounded(correlation: Gram) -> Gram:
    """Rho without the rounding errors that exceed 1, which are no reason for a derivative of 0."""
    return jnp.clip(correlation, -1, 1)


@bounded.defjvp
def _bounded_jvp(primals: tuple[Gram], tangents: tuple[Gram]) -> tuple[Gram, Gram]:
    return bounded(*primals), tangents[0]


@cache
def _polynomials(dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of A / pi and B / pi, ascending in 2 folded - 1."""
    # arcsin(y) / y = sum_k c_k y^(2k), c_k = binom(2k, k) / (4^k (2k + 1)); y^2 = z = folded / 2.
    series = np.array([comb(2 * k, k) / 4**k / (2 * k + 1) for k in range(80)])
    divisors = np.arange(80) + 1.5  # of the integral of folded^(k + 1/2)

    def scaled(terms: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda folded: 2**0.5 / np.pi * np.polynomial.polynomial.polyval(folded / 2, terms)

    angles, chords = DEGREES[dtype]
    return (_interpolated(scaled(series), angles), _interpolated(scaled(series / divisors), chords))


def _interpolated(function: Callable[[np.ndarray], np.ndarray], degree: int) -> np.ndarray:
    """Coefficients as by `polynomials.interpolated`, but for their last digit.

    Published results of ReLU networks depend on it: with degenerate eigenvalues it chooses the
    eigenvectors, and with them the draws.
    """
    fitted = np.polynomial.Chebyshev.interpolate(lambda t: function((t + 1) / 2), degree)
    return np.asarray(fitted.convert(kind=np.polynomial.Polynomial).coef)
