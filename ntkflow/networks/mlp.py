"""Fully-connected networks in NTK parametrization (JGH Section 2).

a^0 = x, z^{l+1} = sigma_w W^l a^l / sqrt(n_l) + beta b^l, a^l = sigma(z^l), f = z^L, with every
entry of W^l and b^l drawn from N(0, 1). Symbols to names: L `depth`, sigma `activation`, beta
`beta`, sigma_w `weight_gain` (1 in JGH), n_L `outputs`, n_1..n_{L-1} `hidden_widths`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import AnyArray, Array, Float, Inputs, Key, Outputs, SeedKeys
from ntkflow.kernels.activations import activation as named_activation
from ntkflow.kernels.dual import Activation


@dataclass(frozen=True)
class Architecture:
    """A network up to its input dimension; the module's docstring maps symbols to names."""

    hidden_widths: tuple[int, ...]
    activation: Activation
    beta: float
    weight_gain: float = 1.0
    outputs: int = 1

    @classmethod
    def from_plain(
        cls, hidden_widths: Sequence[int], activation: Mapping[str, Any], **rest: Any
    ) -> "Architecture":
        """Architecture from configuration values; `activation` has a `name` and parameters."""
        return cls(tuple(hidden_widths), named_activation(**activation), **rest)

    @property
    def depth(self) -> int:
        """L, the number of weight layers."""
        return len(self.hidden_widths) + 1


class Layer(NamedTuple):
    """W^l, transposed so that rows of inputs multiply it from the left, and b^l."""

    weight: Float[AnyArray, "fan_in fan_out"]
    bias: Float[AnyArray, " fan_out"]


Parameters = list[Layer]


def root_key(seed: int) -> Key[Array, ""]:
    """Random key of a seed from 0 to 2^64 - 1.

    `jax.random.key` drops the upper 32 bits unless float64 is enabled, and adds the setting
    jax_random_seed_offset.
    """
    words = jnp.asarray(np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32))
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def seed_keys(root: int, width: int, seeds: int) -> SeedKeys:
    """One random key per initialisation 0..seeds-1, from the root seed, `width` and its number."""
    return _numbered(root_key(root), width, seeds)


@partial(jax.jit, static_argnames="count")
def _numbered(key: Key[Array, ""], width: int, count: int) -> SeedKeys:
    key = jax.random.fold_in(key, width)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(count))


def init(
    key: Key[Array, ""], features: int, architecture: Architecture, dtype: DTypeLike
) -> Parameters:
    """theta(0), i.i.d. N(0, 1), of a network with `features` inputs n_0.

    Parameters are drawn in float32 whatever `dtype` is, so that float32 and float64 train the same
    network and can be compared. All are drawn in one call, because each call adds seconds of
    compilation.
    """
    count = parameter_count(features, architecture)
    entries = jax.random.normal(key, (count,), jnp.float32).astype(dtype)
    return as_layers(entries, features, architecture)


def as_layers(
    entries: Float[AnyArray, " count"], features: int, architecture: Architecture
) -> Parameters:
    """Parameters with these entries, of which there are `parameter_count`, in order."""
    widths, layers = (features, *architecture.hidden_widths, architecture.outputs), []
    for fan_in, fan_out in pairwise(widths):
        weight, bias, entries = jnp.split(entries, (fan_in * fan_out, (fan_in + 1) * fan_out))
        layers.append(Layer(weight.reshape(fan_in, fan_out), bias))
    return layers


def parameter_count(features: int, architecture: Architecture) -> int:
    """P, the number of entries of theta."""
    widths = (features, *architecture.hidden_widths, architecture.outputs)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


def layer_scale(layer: Layer, architecture: Architecture) -> float:
    """sigma_w / sqrt(n_l), the factor of the NTK parametrization; computed nowhere else."""
    return float(architecture.weight_gain / layer.weight.shape[0] ** 0.5)


def affine(layer: Layer, activation: Inputs, architecture: Architecture) -> Array:
    """z^{l+1} (n, n_{l+1}) from a^l (n, n_l)."""
    bias = architecture.beta * layer.bias[None, :]
    return layer_scale(layer, architecture) * jnp.matmul(activation, layer.weight) + bias


def last_hidden(parameters: Parameters, x: Inputs, architecture: Architecture) -> Array:
    """a^{L-1}(x) (n, n_{L-1}) at inputs x (n, n_0)."""
    activation = jnp.asarray(x)
    for layer in parameters[:-1]:
        activation = architecture.activation.function(affine(layer, activation, architecture))
    return activation


def apply(parameters: Parameters, x: Inputs, architecture: Architecture) -> Outputs:
    """f_theta(x) (n, n_L) at inputs x (n, n_0)."""
    return affine(parameters[-1], last_hidden(parameters, x, architecture), architecture)


def descended(
    theta: Parameters,
    gradient: Callable[[Parameters], Parameters],
    rate: float | Array,
    steps: int | Array,
) -> Parameters:
    """Parameters after `steps` steps of gradient descent at one rate, for use in a program."""

    def step(_: Array, now: Parameters) -> Parameters:
        return jax.tree.map(lambda p, g: p - rate * g, now, gradient(now))

    return jax.lax.fori_loop(0, steps, step, theta)
