"""Speeds along and across a component at theta(0), of untrained networks.

With the residual r_0 = g_0 f^(k) on the N training points, df/dt = -g_0 w at t = 0, where
w = Theta_0(X, X) f^(k) / N. Its part along the component is the rate of |g_t|, with mean lambda_k
up to 1/n; the part across is the speed of ||h_t||, of order n^(-1/2). For a network that is J J^T
applied to a vector, J the Jacobian of f on the points: one backward and one forward derivative.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.aliases import Array, Float, Inputs, Key, SeedKeys
from ntkflow.kernels.batches import map_batches
from ntkflow.networks.model import Model, Parameters

AT_ONCE = 4
"""Networks at once, whose activations at all points stay in the cache."""


def speeds(
    keys: SeedKeys, x: np.ndarray, mode: np.ndarray, network: Model
) -> Float[np.ndarray, "s 2"]:
    """Parts of w along and across `mode` (N,), over ||g_0||, for one network per key.

    `mode` has the norm 1 of p_in on the training points x (N, n_0). Only the first output is used.
    """
    points, function = np.asarray(x, np.float32), np.asarray(mode, np.float32)
    return np.asarray(_speeds(keys, points, function, network), np.float64)


@partial(jax.jit, static_argnums=(3,))
def _speeds(keys: SeedKeys, x: Inputs, mode: Float[Array, " n"], network: Model) -> Array:
    def speed(key: Key[Array, ""]) -> Array:
        def function(theta: Parameters) -> Array:
            return network.apply(theta, x)[:, 0]

        theta = network.init(key, x.shape[1], x.dtype)
        _, pulled = jax.vjp(function, theta)
        (gradient,) = pulled(mode / len(x))
        _, velocity = jax.jvp(function, (theta,), (gradient,))
        along = jnp.mean(velocity * mode)
        across = jnp.sqrt(jnp.mean((velocity - along * mode) ** 2))
        return jnp.stack([along, across])

    return map_batches(speed, keys, AT_ONCE)
