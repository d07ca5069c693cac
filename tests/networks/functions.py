"""Networks that users write as functions, right and wrong."""

import equinox as eqx
import jax
import jax.numpy as jnp
from flax import nnx


def plain(*, width, outputs, shape):
    (features,) = shape

    def init(key):
        one, two = jax.random.split(key)
        w = jax.random.normal(one, (features, width)) / features**0.5
        return {"w": w, "v": jax.random.normal(two, (width, outputs)) / width**0.5}

    def apply(parameters, x):
        return jnp.tanh(x @ parameters["w"]) @ parameters["v"]

    return init, apply


class Net(nnx.Module):
    """A convolution, an activation and a dense layer."""

    def __init__(self, channels, width, outputs, rngs):
        self.conv = nnx.Conv(channels, width, (3,), rngs=rngs)
        self.out = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, x):
        return self.out(jnp.mean(nnx.relu(self.conv(x)), axis=1))


def flax(*, width, outputs, shape):
    def split(key):
        return nnx.split(Net(shape[-1], width, outputs, rngs=nnx.Rngs(key)))

    graph, _ = split(jax.random.key(0))
    return lambda key: split(key)[1], lambda state, x: nnx.merge(graph, state)(x)


def equinox(*, width, outputs, shape):
    def split(key):
        return eqx.partition(eqx.nn.MLP(*shape, outputs, width, 2, key=key), eqx.is_array)

    _, rest = split(jax.random.key(0))
    return lambda key: split(key)[0], lambda arrays, x: jax.vmap(eqx.combine(arrays, rest))(x)


def failing(**given):
    raise RuntimeError("no such network\nat all")


def alone(**given):
    return lambda key: jnp.ones(3)


def whole_numbers(**given):
    return lambda key: [jnp.ones(3), jnp.arange(3)], lambda parameters, x: x


def empty(**given):
    return lambda key: {}, lambda parameters, x: x


def of_another_shape(**given):
    return lambda key: jnp.ones(3), lambda parameters, x: jnp.sum(parameters) * x


def mistaken(**given):
    return lambda key: jnp.ones(3), lambda parameters, x: x @ parameters
