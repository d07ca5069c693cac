"""A network of a user, for networks.yaml."""

import jax
import jax.numpy as jnp


def two_layers(*, width, outputs, shape):
    """A network with one hidden layer."""
    (features,) = shape

    def init(key):
        one, two = jax.random.split(key)
        w = jax.random.normal(one, (features, width)) / features**0.5
        return w, jax.random.normal(two, (width, outputs)) / width**0.5

    def apply(parameters, x):
        w, v = parameters
        return jnp.tanh(x @ w) @ v

    return init, apply
