"""Fully-connected networks in NTK parametrization (JGH Section 2).

a^0 = x, z^{l+1} = sigma_w W^l a^l / sqrt(n_l) + beta b^l, a^l = sigma(z^l), f = z^L, with every
entry of W^l and b^l drawn from N(0, 1). Symbols to names: L `depth`, sigma `activation`, beta
`beta`, sigma_w `weight_gain` (1 in JGH), n_L `outputs`, n_1..n_{L-1} `hidden_widths`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
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

__all__ = [
    "Architecture",
    "Layer",
    "Parameters",
    "Which",
    "apply",
    "contracted",
    "empirical_ntk",
    "init",
    "parameter_count",
    "root_key",
    "seed_keys",
    "sweep",
]


@dataclass(frozen=True)
class Architecture:
    """A network up to its input dimension; see the module's docstring for the symbols."""

    hidden_widths: tuple[int, ...]
    activation: Activation
    beta: float
    weight_gain: float = 1.0
    outputs: int = 1

    @classmethod
    def from_plain(
        cls, hidden_widths: Sequence[int], activation: Mapping[str, Any], **rest: Any
    ) -> "Architecture":
        """From the values a configuration has; `activation` holds its name and parameters."""
        return cls(tuple(hidden_widths), named_activation(**activation), **rest)

    @property
    def depth(self) -> int:
        """L, the number of weight layers."""
        return len(self.hidden_widths) + 1


class Layer(NamedTuple):
    """W^l, transposed so that a batch of rows multiplies it, and b^l."""

    weight: Float[AnyArray, "fan_in fan_out"]
    bias: Float[AnyArray, " fan_out"]


Parameters = list[Layer]

Which = int | Literal["all", "trace"]
"""Outputs of which an empirical NTK is asked for."""


def root_key(seed: int) -> Key[Array, ""]:
    """Key of a seed from 0 to 2^64 - 1.

    `jax.random.key` drops the upper 32 bits unless float64 is enabled, and adds the setting
    jax_random_seed_offset.
    """
    words = jnp.array([seed >> 32, seed & 0xFFFFFFFF], jnp.uint32)
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def seed_keys(root: int, width: int, seeds: int) -> SeedKeys:
    """One key per initialisation 0..seeds-1 of `width`; the same whatever else is drawn."""
    key = jax.random.fold_in(root_key(root), width)
    return jax.vmap(lambda seed: jax.random.fold_in(key, seed))(jnp.arange(seeds))


def init(
    key: Key[Array, ""], features: int, architecture: Architecture, dtype: DTypeLike
) -> Parameters:
    """theta(0): i.i.d. N(0, 1).

    Drawn in float32 whatever `dtype`, so that a network is the same one in both precisions and
    float64 can check float32; and in one piece, since every draw adds seconds of compilation.
    """
    widths = (features, *architecture.hidden_widths, architecture.outputs)
    count = parameter_count(features, architecture)
    rest = jax.random.normal(key, (count,), jnp.float32).astype(dtype)
    layers = []
    for fan_in, fan_out in pairwise(widths):
        weight, bias, rest = jnp.split(rest, (fan_in * fan_out, (fan_in + 1) * fan_out))
        layers.append(Layer(weight.reshape(fan_in, fan_out), bias))
    return layers


def parameter_count(features: int, architecture: Architecture) -> int:
    """P, the number of entries of theta."""
    widths = (features, *architecture.hidden_widths, architecture.outputs)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


def _scale(layer: Layer, architecture: Architecture) -> float:
    """sigma_w / sqrt(n_l): the one place that knows the NTK parametrization."""
    return float(architecture.weight_gain / layer.weight.shape[0] ** 0.5)


def _affine(layer: Layer, activity: Inputs, architecture: Architecture) -> Array:
    """z^{l+1} from a^l."""
    bias = architecture.beta * layer.bias[None, :]
    return _scale(layer, architecture) * jnp.matmul(activity, layer.weight) + bias


def apply(parameters: Parameters, x: Inputs, architecture: Architecture) -> Outputs:
    """f_theta(x), (n, n_L)."""
    activity = x
    for layer in parameters[:-1]:
        activity = architecture.activation.function(_affine(layer, activity, architecture))
    return _affine(parameters[-1], activity, architecture)


def sweep(
    parameters: Parameters, x: Inputs, architecture: Architecture, outputs: Which = "all"
) -> list[Sweep]:
    """a^l(x) and df_k/dz^{l+1}(x) for l = 0..L-1, one forward and one backward pass.

    Of every output k, or of one, `outputs`, whose backward pass costs what a scalar network's does.
    """
    activities, slopes = [x], []
    for layer in parameters[:-1]:
        preactivation = _affine(layer, activities[-1], architecture)
        activity, slope = jax.jvp(
            architecture.activation.function, (preactivation,), (jnp.ones_like(preactivation),)
        )
        activities.append(activity)
        slopes.append(slope)
    directions = jnp.eye(architecture.outputs, dtype=x.dtype)
    if isinstance(outputs, int):
        directions = directions[outputs][None]
    sensitivity = jnp.broadcast_to(directions, (len(x), *directions.shape))
    sensitivities = [sensitivity]
    for layer, slope in zip(parameters[:0:-1], slopes[::-1], strict=True):
        pulled = _scale(layer, architecture) * (sensitivity @ layer.weight.T)
        sensitivity = pulled * slope[:, None, :]
        sensitivities.append(sensitivity)
    return [Sweep(a, d) for a, d in zip(activities, sensitivities[::-1], strict=True)]


def empirical_ntk(
    parameters: Parameters,
    x1: Inputs,
    x2: OtherInputs,
    architecture: Architecture,
    *,
    outputs: Which = "all",
    dtype: DTypeLike | None = None,
) -> OutputGram:
    """Theta_{kk'}(x, x') of the network at `parameters`, (n, m, k, k); see `layerwise_ntk`.

    Where x2 is x1, the same object, half of the products are left out.

    Parameters
    ----------
    outputs
        ``all``: k = n_L; ``trace``: their sum over k = k', (n, m, 1, 1); or the number of one
        output, (n, m, 1, 1).
    dtype
        In which products are added up; that of the parameters by default.
    """
    one = sweep(parameters, x1, architecture, outputs)
    two = None if x2 is x1 else sweep(parameters, x2, architecture, outputs)
    return contracted(one, two, architecture, outputs, dtype)


def contracted(
    one: list[Sweep],
    two: list[Sweep] | None,
    architecture: Architecture,
    outputs: Which,
    dtype: DTypeLike | None,
) -> OutputGram:
    """The kernel between the points of two sweeps, or of the first with themselves."""
    between = partial(
        layerwise_ntk,
        beta=architecture.beta,
        weight_gain=architecture.weight_gain,
        traced=outputs == "trace",
        dtype=dtype,
    )
    return symmetric_ntk(one, between) if two is None else between(one, two)
