"""Fully-connected networks in NTK parametrization (JGH Section 2), and their empirical NTK.

a^0 = x, z^{l+1} = sigma_w W^l a^l / sqrt(n_l) + beta b^l, a^l = sigma(z^l), f = z^L, with every
entry of W^l and b^l drawn from N(0, 1). Symbols to names: L `depth`, sigma `activation`, beta
`beta`, sigma_w `weight_gain` (1 in JGH), n_L `outputs`, n_1..n_{L-1} `hidden_widths`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from ntkflow.aliases import (
    AnyArray,
    Array,
    Float,
    Inputs,
    Key,
    OtherInputs,
    OutputGram,
    Outputs,
    SeedKeys,
)
from ntkflow.kernels.activations import activation as named_activation
from ntkflow.kernels.dual import Activation
from ntkflow.kernels.empirical import Sweep, layerwise_ntk, symmetric_ntk
from ntkflow.networks.model import OutputSelection


@dataclass(frozen=True)
class Architecture:
    """A network up to its input dimension, a `Model`; the module's docstring explains symbols."""

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

    @property
    def smooth(self) -> bool:
        return self.activation.smooth

    def init(self, key: Key[Array, ""], features: int, dtype: DTypeLike) -> "Parameters":
        return init(key, features, self, dtype)

    def apply(self, parameters: "Parameters", x: Inputs) -> Outputs:
        return apply(parameters, x, self)

    def parameter_count(self, features: int) -> int:
        return parameter_count(features, self)

    def unit_count(self, features: int) -> int:
        return sum(self.hidden_widths) + self.outputs

    def empirical_ntk(
        self,
        parameters: "Parameters",
        x1: Inputs,
        x2: OtherInputs,
        *,
        outputs: OutputSelection = "all",
        dtype: DTypeLike | None = None,
    ) -> OutputGram:
        return empirical_ntk(parameters, x1, x2, self, outputs=outputs, dtype=dtype)


class Layer(NamedTuple):
    """W^l, transposed so that rows of inputs multiply it from the left, and b^l."""

    weight: Float[AnyArray, "fan_in fan_out"]
    bias: Float[AnyArray, " fan_out"]


Parameters = list[Layer]


class Factors(Protocol):
    """Factors of a layer with weights: beta and sigma_w."""

    @property
    def beta(self) -> float: ...

    @property
    def weight_gain(self) -> float: ...


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
    """theta(0), i.i.d. N(0, 1), of a network with `features` inputs n_0."""
    entries = normal_entries(key, parameter_count(features, architecture), dtype)
    return as_layers(entries, features, architecture)


def normal_entries(key: Key[Array, ""], count: int, dtype: DTypeLike) -> Float[Array, " count"]:
    """All entries of theta(0).

    They are drawn in float32 whatever `dtype` is, so that float32 and float64 train the same
    network and can be compared. All are drawn in one call, because each call adds seconds of
    compilation.
    """
    return jax.random.normal(key, (count,), jnp.float32).astype(dtype)


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


def layer_scale(layer: Layer, factors: Factors) -> float:
    """sigma_w / sqrt(n_l), the factor of the NTK parametrization; computed nowhere else.

    n_l counts the inputs of a unit: all axes of the weights but the last.
    """
    return float(factors.weight_gain / prod(layer.weight.shape[:-1]) ** 0.5)


def affine(layer: Layer, activation: Inputs, factors: Factors) -> Array:
    """z^{l+1} (n, n_{l+1}) from a^l (n, n_l)."""
    bias = factors.beta * layer.bias[None, :]
    return layer_scale(layer, factors) * jnp.matmul(activation, layer.weight) + bias


def last_hidden(parameters: Parameters, x: Inputs, architecture: Architecture) -> Array:
    """a^{L-1}(x) (n, n_{L-1}) at inputs x (n, n_0)."""
    activation = jnp.asarray(x)
    for layer in parameters[:-1]:
        activation = architecture.activation.function(affine(layer, activation, architecture))
    return activation


def apply(parameters: Parameters, x: Inputs, architecture: Architecture) -> Outputs:
    """f_theta(x) (n, n_L) at inputs x (n, n_0)."""
    return affine(parameters[-1], last_hidden(parameters, x, architecture), architecture)


def sweep(
    parameters: Parameters, x: Inputs, architecture: Architecture, outputs: OutputSelection = "all"
) -> list[Sweep]:
    """Activations a^l(x) and sensitivities df_k/dz^{l+1}(x) of each layer l = 0..L-1.

    They take one forward and one backward pass over inputs x (n, n_0). If `outputs` is an integer,
    the backward pass is made for that output alone, at the cost of a scalar network's.
    """
    activations, slopes = [x], []
    for layer in parameters[:-1]:
        preactivation = affine(layer, activations[-1], architecture)
        activation, slope = jax.jvp(
            architecture.activation.function, (preactivation,), (jnp.ones_like(preactivation),)
        )
        activations.append(activation)
        slopes.append(slope)
    directions = jnp.eye(architecture.outputs, dtype=x.dtype)
    if isinstance(outputs, int):
        directions = directions[outputs][None]
    sensitivity = jnp.broadcast_to(directions, (len(x), *directions.shape))
    sensitivities = [sensitivity]
    for layer, slope in zip(parameters[:0:-1], slopes[::-1], strict=True):
        pulled = layer_scale(layer, architecture) * (sensitivity @ layer.weight.T)
        sensitivity = pulled * slope[:, None, :]
        sensitivities.append(sensitivity)
    return [Sweep(a, d) for a, d in zip(activations, sensitivities[::-1], strict=True)]


def empirical_ntk(
    parameters: Parameters,
    x1: Inputs,
    x2: OtherInputs,
    architecture: Architecture,
    *,
    outputs: OutputSelection = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """Theta_{kk'}(x, x') of the network at `parameters`, (n, m, k, k); see `layerwise_ntk`.

    With ``trace`` or the index of an output k is 1. `dtype` is the precision in which products are
    summed. If x2 is x1, the same object, half of the products are left out.
    """
    one = sweep(parameters, x1, architecture, outputs)
    two = None if x2 is x1 else sweep(parameters, x2, architecture, outputs)
    return contract(one, two, architecture, outputs, dtype)


def contract(
    one: list[Sweep],
    two: list[Sweep] | None,
    architecture: Architecture,
    outputs: OutputSelection,
    dtype: DTypeLike | None,
) -> OutputGram:
    """Kernel (n, m, k, k) between the points of two sweeps, or of the first with itself."""
    between = partial(
        layerwise_ntk,
        beta=architecture.beta,
        weight_gain=architecture.weight_gain,
        traced=outputs == "trace",
        dtype=dtype,
    )
    return symmetric_ntk(one, between) if two is None else between(one, two)


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
