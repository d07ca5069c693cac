"""A network with given parameters: its construction, its initial parameters, its checks."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Annotated, Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ntkflow.interface import arrays
from ntkflow.interface.arguments import Activation, Beta, Kinks, Precision, Seed, WeightGain
from ntkflow.interface.checks import COUNT, checked, instance, listed, refusal
from ntkflow.interface.recipes import activation_from
from ntkflow.networks.composed import ComposedArchitecture
from ntkflow.networks.mlp import Architecture, Layer, init, parameter_count, root_key
from ntkflow.networks.model import OutputSelection, Parameters


@contextmanager
def full_precision() -> Iterator[None]:
    """Enable float64, full-precision products and random draws that ignore JAX's settings."""
    with (
        jax.enable_x64(True),
        jax.default_matmul_precision("highest"),
        jax.threefry_partitionable(True),
    ):
        yield


@dataclass(frozen=True)
class Network:
    """Parameters theta and everything needed to evaluate f_theta.

    Attributes
    ----------
    parameters
        Weights W^l (n_l, n_{l+1}) and biases b^l (n_{l+1},) of each layer.
    architecture
        Widths, activation and factors of the parametrization.
    activation_spec, kinks
        Arguments from which the activation was made; its kinks are points where it is not smooth.
        None and () for a network of layers.
    """

    parameters: Parameters
    architecture: Any  # Architecture or ComposedArchitecture
    activation_spec: Any  # ActivationSpec, or None
    kinks: tuple[float, ...]

    @property
    def features(self) -> int:
        """n_0, the number of features of an input."""
        if isinstance(self.architecture, ComposedArchitecture):
            return prod(self.architecture.shape)
        return int(self.parameters[0].weight.shape[0])

    @property
    def dtype(self) -> np.dtype:
        """Precision of the arithmetic."""
        return np.dtype(jax.tree.leaves(self.parameters)[0].dtype)

    def check(self, features: int, outputs: OutputSelection, name: str = "x1") -> None:
        """Raise ValueError unless the argument `name` has n_0 features and the output exists."""
        if features != self.features:
            raise ValueError(
                f"{name}: found {features} features, expected {self.features}, as the network has"
            )
        number = self.architecture.outputs
        if isinstance(outputs, int) and not 0 <= outputs < number:
            raise ValueError(
                f"outputs: found {outputs}, expected 'all', 'trace' or a number below {number}"
            )


Net: TypeAlias = Annotated[
    Network, partial(instance, kind=Network, expected="a Network, as api.network returns")
]


def fully_connected(name: str, value: object) -> Network:
    """`Network` of `network`, which is fully-connected."""
    found: Network = instance(name, value, Network, "a Network, as api.network returns")
    if not isinstance(found.architecture, Architecture):
        raise refusal(name, "a network of layers", "a fully-connected one, as api.network returns")
    return found


FullyConnected: TypeAlias = Annotated[Network, fully_connected]
Widths = Annotated[Sequence[int], partial(listed, each=COUNT, shortest=2)]
Layers = Annotated[Sequence[tuple[ArrayLike, ArrayLike]], arrays.parameters]


def cast_array(array: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
    """Array in a network's precision; ValueError if a value overflows or all vanish in it."""
    with np.errstate(over="ignore"):
        found = array.astype(dtype)
    if not np.isfinite(found).all():
        raise ValueError(
            f"{name}: found {np.abs(array).max():.3g}, expected at most "
            f"{np.finfo(dtype).max:.3g} in {dtype}; scale it down, or use float64"
        )
    if np.any(array) and not np.any(found):
        raise ValueError(
            f"{name}: found {np.abs(array).max():.3g} as the largest value, which is zero in "
            f"{dtype}, expected larger values; scale it up, or use float64"
        )
    return found


@checked
def initial_parameters(widths: Widths, *, seed: Seed = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw theta(0) of a fully-connected network with the widths n_0, n_1, .., n_L.

    The draws depend on the widths and the seed alone, not on JAX's settings.

    Parameters
    ----------
    widths
        n_0 inputs, the hidden widths, and n_L outputs; fewer than 2^31 parameters together.
    seed
        Seed of the draws, from 0 to 2^64 - 1.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        Weights (fan_in, fan_out) and biases (fan_out,) of each layer, all drawn from N(0, 1) as in
        the NTK parametrization, in float32.

    Raises
    ------
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    """
    features, *hidden, outputs = widths
    architecture = Architecture(tuple(hidden), activation_from("relu", ()), 0.0, outputs=outputs)
    count = parameter_count(features, architecture)
    if count >= 2**31:
        raise ValueError(f"widths: found {count:,} parameters, expected fewer than {2**31:,}")
    # Without jit, operations would run one by one and differ in the last bits.
    with full_precision(), jax.disable_jit(False):
        layers = init(root_key(seed), features, architecture, np.float32)
    return [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in layers]


@checked
def network(
    parameters: Layers,
    *,
    activation: Activation = "relu",
    kinks: Kinks = (),
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
    precision: Precision = "float64",
) -> Network:
    """Network z^{l+1} = weight_gain a^l W^l / sqrt(n_l) + beta b^l, a^l = activation(z^l), f = z^L.

    Parameters
    ----------
    parameters
        Weights W^l (fan_in, fan_out) and biases b^l (fan_out,) of each layer, initial or trained.
    activation
        Name in the registry, mapping of ``name`` and parameters, or elementwise function of JAX
        arrays.
    kinks
        Points at which the activation is not smooth.
    beta, weight_gain
        Factors of biases and weights.
    precision
        Precision of the network's arithmetic, ``float64`` or ``float32``.

    Returns
    -------
    Network
        Network in NTK parametrization (JGH Section 2, with a gain on the weights).

    Raises
    ------
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    """
    dtype = np.dtype(precision)
    with full_precision():
        layers = [
            Layer(*(jnp.asarray(cast_array(np.asarray(a), dtype, "parameters")) for a in layer))
            for layer in parameters
        ]
    *hidden, outputs = (layer.weight.shape[1] for layer in layers)
    sigma = activation_from(activation, kinks)
    architecture = Architecture(tuple(hidden), sigma, beta, weight_gain, outputs)
    return Network(layers, architecture, activation, tuple(kinks))
