"""Duals in plain quantities: E[sigma sigma] and E[sigma' sigma'] at variances and a covariance."""

from functools import partial

import jax
import jax.numpy as jnp

from ntkflow.kernels.dual import outer
from ntkflow.kernels.pairs import from_correlation


@partial(jax.jit, static_argnums=0)
def dual(chosen, q, q_prime, c):
    """Of one pair of variances and as many covariances as c has: both expectations (1, c)."""
    cross = jnp.atleast_2d(jnp.asarray(c, float))
    one, two = (chosen.moments(jnp.full((1,), v, float)) for v in (q, q_prime))
    scale = outer(one.deviation, two.deviation)
    image, slope = chosen.dual(from_correlation(cross / scale), one, two)
    return image.correlation * outer(one.root, two.root), slope
