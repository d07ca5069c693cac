"""The covariance of a pair of Gaussian pre-activations, in a form that keeps small angles accurate.

Every limiting kernel is a function of q = Var u, q' = Var v and c = Cov(u, v). With kinked
activations (ReLU) it depends on the angle phi = arccos(c / sqrt(q q')), and near phi = 0 the
arccosine loses half of the digits: c / sqrt(q q') holds 1 - phi^2/2 and rounds away phi. So what is
carried from layer to layer is not c but

    minus = sqrt(q q') - c      and      plus = sqrt(q q') + c,

both non-negative and both computed without cancellation, at the input from the difference and the
sum of the directions x / ||x|| and x' / ||x'||. Then phi = 2 atan2(sqrt(minus), sqrt(plus)) is
accurate from coincident to antipodal points, whatever their norms.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ntkflow.aliases import Array, Float, Gram, Inputs, OtherInputs

__all__ = ["Covariance", "affine", "from_moments", "input_covariance"]


class Covariance(NamedTuple):
    """Second moments of (u, v) for every pair of two lists of points."""

    q1: Float[Array, "n 1"]
    q2: Float[Array, "1 m"]
    minus: Gram
    plus: Gram

    @property
    def cross(self) -> Gram:
        """C = Cov(u, v)."""
        return (self.plus - self.minus) / 2

    @property
    def scale(self) -> Gram:
        """sqrt(q q')."""
        return (self.plus + self.minus) / 2

    @property
    def angle(self) -> Gram:
        """Phi = arccos(c / sqrt(q q')), in [0, pi], to full relative accuracy at both ends."""
        return 2 * jnp.arctan2(jnp.sqrt(self.minus), jnp.sqrt(self.plus))

    @property
    def cosine(self) -> Gram:
        """c / sqrt(q q'), in [-1, 1]; 0 where either variance is 0."""
        scale = self.scale
        return jnp.where(scale > 0, self.cross / jnp.where(scale > 0, scale, 1), 0)


@jax.jit
def input_covariance(x1: Inputs, x2: OtherInputs) -> Covariance:
    """x . x' / n_0 for all pairs, by differences and sums of their directions.

    Of directions, because those of inputs would lose the angle between parallel inputs of unlike
    norms in the difference of the norms.
    """
    dimension = x1.shape[1]
    norm1, direction1 = _polar(x1)
    norm2, direction2 = _polar(x2)
    half_scale = norm1 * norm2.T / (2 * dimension)
    # Row by row: the differences of all pairs at once would be an n x m x d array.
    apart, together = jax.lax.map(
        lambda row: (
            jnp.sum((row - direction2) ** 2, axis=1),
            jnp.sum((row + direction2) ** 2, axis=1),
        ),
        direction1[:, None, :],
    )
    return Covariance(
        norm1**2 / dimension, norm2.T**2 / dimension, half_scale * apart, half_scale * together
    )


def _polar(x: Inputs) -> tuple[Float[Array, "n 1"], Inputs]:
    """Norm and direction of each input; the direction of zero is zero."""
    norm = jnp.sqrt(jnp.sum(x**2, axis=1, keepdims=True))
    return norm, x / jnp.where(norm > 0, norm, 1)


def affine(covariance: Covariance, gain: float, offset: float) -> Covariance:
    """The covariance of sqrt(gain) u + sqrt(offset) b with b ~ N(0, 1) shared by u and v.

    `gain` is sigma_w^2 and `offset` is beta^2: the map from post-activations of one layer to
    pre-activations of the next (JGH Proposition 1).
    """
    q1 = gain * covariance.q1 + offset
    q2 = gain * covariance.q2 + offset
    # shift = sqrt(q1 q2) - gain sqrt(q q') - offset, without its cancellation; 0 for like norms.
    total = jnp.sqrt(q1) * jnp.sqrt(q2) + gain * covariance.scale + offset
    turn = gain * offset * (jnp.sqrt(covariance.q1) - jnp.sqrt(covariance.q2)) ** 2
    shift = turn / jnp.where(total > 0, total, 1)
    return Covariance(
        q1, q2, gain * covariance.minus + shift, gain * covariance.plus + 2 * offset + shift
    )


def from_moments(q1: Float[Array, "n 1"], q2: Float[Array, "1 m"], cross: Gram) -> Covariance:
    """From c itself; accurate enough where what follows is smooth in c."""
    scale = jnp.sqrt(q1 * q2)
    return Covariance(q1, q2, jnp.maximum(scale - cross, 0), jnp.maximum(scale + cross, 0))
