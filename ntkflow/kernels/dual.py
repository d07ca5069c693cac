"""What the limit n -> infinity needs of an activation: its dual, in normalised quantities.

The dual activation is the pair E[sigma(u) sigma(v)], E[sigma'(u) sigma'(v)] as a function of
q = Var u, q' = Var v and the correlation rho. Here it maps `Pairs` (1 - rho and 1 + rho) of the
pre-activations to those of the post-activations; what belongs to a single point is in `Moments`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Gram
from ntkflow.kernels.pairs import Pairs, from_correlation

__all__ = ["Activation", "Elementwise", "Moments", "Variances", "normalised", "outer"]

Elementwise = Callable[[Array], Array]
Variances = Float[Array, " n"]


class Moments(NamedTuple):
    """What a dual needs of each of n points, all from the variance of its pre-activation.

    Attributes
    ----------
    deviation
        sqrt(Var u), (n,).
    root
        sqrt(E[sigma(u)^2]), (n,).
    series
        Further arrays with n rows, of the activation's own choice.
    """

    deviation: Float[Array, " n"]
    root: Float[Array, " n"]
    series: tuple[Array, ...] = ()


@dataclass(frozen=True)
class Activation:
    """An activation sigma with its dual; one subclass for each way to have a dual.

    Two with equal fields are equal, so that what was compiled for one serves the other.

    Attributes
    ----------
    name
        As figures and messages call it.
    function
        sigma, elementwise; its derivative comes from automatic differentiation.
    """

    name: str
    function: Elementwise

    @property
    def acute(self) -> bool:
        """Whether post-activations are never negatively correlated."""
        return False

    def square(self, variance: Variances) -> Variances:
        """E[sigma(u)^2] at Var u = `variance`."""
        raise NotImplementedError

    def series(self, variance: Variances) -> tuple[Array, ...]:
        """The `series` of `Moments`."""
        return ()

    def dual(
        self, pairs: Pairs, one: Moments, two: Moments, *, acute: bool = False
    ) -> tuple[Pairs, Gram]:
        """`Pairs` of sigma(u), sigma(v), and E[sigma'(u) sigma'(v)], each (n, m).

        `acute` promises that no correlation in `pairs` is negative.
        """
        raise NotImplementedError

    def error(self, variance: Variances) -> float:
        """Estimated error of the dual at these variances, relative to root mean squares."""
        return 0.0

    def fitted(self, variance: Variances, dtype: np.dtype) -> "Activation":
        """The same with no more effort than these variances and this precision need."""
        return self

    def moments(self, variance: Variances) -> Moments:
        """Of points with these variances."""
        square = jnp.maximum(self.square(variance), 0)
        return Moments(jnp.sqrt(variance), jnp.sqrt(square), self.series(variance))


@cache
def derivative(function: Elementwise) -> Elementwise:
    """sigma', elementwise, by automatic differentiation; the same function each time.

    What is compiled for it then serves again.
    """
    slope = jax.vmap(jax.grad(function))
    return lambda z: slope(z.ravel()).reshape(z.shape)


def outer(one: Float[Array, " n"], two: Float[Array, " m"]) -> Gram:
    """Products of all pairs."""
    return one[:, None] * two[None, :]


def normalised(cross: Gram, one: Moments, two: Moments) -> Pairs:
    """`Pairs` of post-activations from E[sigma(u) sigma(v)]; uncorrelated where sigma(u) is 0.

    Accurate where what follows is smooth in the correlation.
    """
    scale = outer(one.root, two.root)
    return from_correlation(jnp.where(scale > 0, cross / jnp.where(scale > 0, scale, 1), 0))
