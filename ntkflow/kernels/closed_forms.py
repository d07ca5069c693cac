"""Dual activations in closed form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp

from ntkflow.aliases import Array, Gram
from ntkflow.kernels.dual import Activation, Moments, Variances, normalised, outer
from ntkflow.kernels.pairs import Pairs, fold


@dataclass(frozen=True)
class PiecewiseLinear(Activation):
    """sigma(z) = odd z + even |z|: the arc-cosine kernels of degree 1 and 0 (Cho & Saul 2009).

    Cross terms vanish by symmetry, so with phi the angle folded into [0, pi/2],
    E[sigma sigma] = sqrt(q q') (odd^2 rho + even^2 (cos phi + (2/pi)(sin phi - phi cos phi)))
    and E[sigma' sigma'] = odd^2 + even^2 (1 - 2 arccos(rho) / pi).
    """

    odd: float
    even: float

    @property
    def acute(self) -> bool:
        return abs(self.even) >= abs(self.odd)

    def square(self, variance: Variances) -> Variances:
        return (self.odd**2 + self.even**2) * variance

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        folded = fold(pairs, acute=acute)
        square = self.odd**2 + self.even**2
        odd, even = self.odd**2 / square, self.even**2 / square
        apart, slope = pairs.minus, square - 2 * self.even**2 * folded.angle
        if not acute:
            obtuse = pairs.minus > pairs.plus
            apart = jnp.where(obtuse, odd * pairs.minus + even * pairs.plus, apart)
            other = self.odd**2 - self.even**2 + 2 * self.even**2 * folded.angle
            slope = jnp.where(obtuse, other, slope)
        minus = apart - 2 * even * folded.chord
        if self.acute:  # 1 + rho and rho are not small then
            return Pairs(minus, 2 - minus, 1 - minus), slope
        magnitudes = 1 - folded.complement + 2 * folded.chord  # correlation of |u| and |v|
        plus = odd * pairs.plus + even * (1 + magnitudes)
        return Pairs(minus, plus, odd * pairs.correlation + even * magnitudes), slope


class Second(NamedTuple):
    """Second moments of (u, v) and their determinant q q' - c^2, computed without cancellation."""

    q1: Array
    q2: Array
    c: Array
    determinant: Array


@dataclass(frozen=True)
class ClosedForm(Activation):
    """Smooth activation with a function from `Second` to (E[sigma sigma], E[sigma' sigma'])."""

    closed: Callable[[Second], tuple[Array, Array]]

    def square(self, variance: Variances) -> Variances:
        return self.closed(Second(variance, variance, variance, jnp.zeros_like(variance)))[0]

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        q1, q2 = one.deviation[:, None] ** 2, two.deviation[None, :] ** 2
        scale = outer(one.deviation, two.deviation)
        determinant = q1 * q2 * (pairs.minus * pairs.plus)
        cross, slope = self.closed(Second(q1, q2, scale * pairs.correlation, determinant))
        return normalised(cross, one, two), slope


def erf_moments(pair: Second) -> tuple[Array, Array]:
    """Moments of erf (Williams 1997, equation 11), with the arcsine as an arctangent."""
    root = jnp.sqrt(1 + 2 * (pair.q1 + pair.q2) + 4 * pair.determinant)
    return (2 / jnp.pi) * jnp.arctan2(2 * pair.c, root), (4 / jnp.pi) / root


def gelu_moments(pair: Second) -> tuple[Array, Array]:
    """Moments of z Phi(z), by Gaussian integration by parts from E[Phi(u) Phi(v)].

    With D = (1 + q)(1 + q') - c^2: E[Phi Phi] = 1/4 + arcsin(c / sqrt((1+q)(1+q'))) / (2 pi) and
    E[phi(u) phi(v)] = 1 / (2 pi sqrt(D)).
    """
    q1, q2, c, rest = pair
    p1, p2 = 1 + q1, 1 + q2
    determinant = 1 + q1 + q2 + rest
    root = jnp.sqrt(determinant)
    orthant = 1 / 4 + jnp.arctan2(c, root) / (2 * jnp.pi)
    density = 1 / (2 * jnp.pi * root)
    cross = c * orthant + density * (q1 * (q2 + rest) / p1 + c**2 / p2)
    return cross, orthant + c * density * (1 / p1 + 1 / p2 + 1 / determinant)


def sine_moments(pair: Second) -> tuple[Array, Array]:
    """E[sin sin] = exp(-(q + q')/2) sinh c and E[cos cos] = exp(-(q + q')/2) cosh c."""
    magnitude = jnp.abs(pair.c)
    rising = jnp.exp(magnitude - (pair.q1 + pair.q2) / 2) / 2
    odd = -jnp.expm1(-2 * magnitude)
    return jnp.sign(pair.c) * rising * odd, rising * (2 - odd)


def cosine_moments(pair: Second) -> tuple[Array, Array]:
    """E[cos cos] and E[sin sin], the moments of the sine in the other order."""
    sine, cosine = sine_moments(pair)
    return cosine, sine
