"""A given network from plain arguments, and its empirical kernel as a store takes it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ntkflow.aliases import OutputGram
from ntkflow.networks import blockwise
from ntkflow.networks.mlp import Architecture, Layer, Parameters, Which, init
from ntkflow.recipes import Chosen, activation_from, code_digest, sigma_digest
from ntkflow.stores.grams import BlockKernel, Recipe
from ntkflow.stores.staging import Rows

__all__ = [
    "Network",
    "empirical_recipe",
    "exact",
    "initial_parameters",
    "network_of",
]


@contextmanager
def exact() -> Iterator[None]:
    """float64 available and products in full precision, for what is called inside."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


@dataclass(frozen=True)
class Network:
    """theta and all that it takes to evaluate f_theta; `chosen` and `kinks` are its activation."""

    parameters: Parameters
    architecture: Architecture
    chosen: Chosen
    kinks: tuple[float, ...]

    @property
    def features(self) -> int:
        """n_0."""
        return int(self.parameters[0].weight.shape[0])

    @property
    def dtype(self) -> np.dtype:
        """Of the arithmetic."""
        return np.dtype(self.parameters[0].weight.dtype)

    def check(self, features: int, outputs: Which) -> None:
        """Refuse inputs of other dimension, and outputs that there are not: ValueError."""
        if features != self.features:
            raise ValueError(f"x1 has {features} features, expected {self.features}, the network's")
        number = self.architecture.outputs
        one = isinstance(outputs, int) and 0 <= outputs < number
        if not (one or outputs in ("all", "trace")):
            raise ValueError(
                f"outputs is {outputs!r}, expected 'all', 'trace' or a number below {number}"
            )


def network_of(
    parameters: Sequence[tuple[ArrayLike, ArrayLike]],
    chosen: Chosen,
    kinks: Sequence[float],
    beta: float,
    weight_gain: float,
    dtype: np.dtype,
) -> Network:
    """A network from weights (fan_in, fan_out) and biases (fan_out,), layer by layer.

    Raises
    ------
    ValueError
        If shapes do not follow each other; the message names the layer.
    """
    with exact():
        layers = [Layer(jnp.asarray(w, dtype), jnp.asarray(b, dtype)) for w, b in parameters]
    if not layers:
        raise ValueError("parameters: found no layer, expected one or more")
    for number, (weight, bias) in enumerate(layers, 1):
        if weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise ValueError(
                f"parameters, layer {number}: weight {weight.shape} and bias {bias.shape}, "
                "expected (fan_in, fan_out) and (fan_out,)"
            )
    for number, (one, two) in enumerate(pairwise(layers), 2):
        if one.weight.shape[1] != two.weight.shape[0]:
            raise ValueError(
                f"parameters, layer {number}: {two.weight.shape[0]} rows of weights, expected "
                f"{one.weight.shape[1]}, the width of the layer before"
            )
    widths = tuple(layer.weight.shape[1] for layer in layers)
    activation = activation_from(chosen, kinks)
    numbers = float(beta), float(weight_gain), widths[-1]
    architecture = Architecture(widths[:-1], activation, *numbers)
    return Network(layers, architecture, chosen, tuple(map(float, kinks)))


def initial_parameters(seed: int, widths: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """theta(0) of a network with these widths n_0, n_1, .., n_L: float32 draws from N(0, 1)."""
    features, *hidden, outputs = widths
    architecture = Architecture(tuple(hidden), activation_from("relu", ()), 0.0, outputs=outputs)
    key = jax.random.key(seed, impl="threefry2x32")
    layers = init(key, features, architecture, np.float32)
    return [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in layers]


def empirical_recipe(network: Network, outputs: Which, dtype: np.dtype) -> Recipe:
    """How the store of one kernel is put together; activities and sensitivities are kept on disk.

    `dtype` is that in which products are added up, and of the kernel.
    """
    return Recipe(
        directed=partial(_rows, network=network, outputs=outputs),
        plan=partial(_plan, network=network, outputs=outputs, dtype=dtype),
        settings=_settings(network, outputs, dtype),
        dtype=dtype,
        kind="empirical",
    )


def _rows(part: np.ndarray, *, network: Network, outputs: Which) -> Rows:
    with exact():
        sweeps = blockwise.swept(network.parameters, part, network.architecture, outputs)
        rows = blockwise.joined(sweeps)
    return np.linalg.norm(part.astype(np.float64), axis=1), rows


def _plan(
    norms: np.ndarray, features: int, *, network: Network, outputs: Which, dtype: np.dtype
) -> tuple[BlockKernel, Mapping[str, object]]:
    # Tasks take what belongs to the network as a whole, and not its parameters.
    widths = blockwise.row_widths(network.parameters, network.architecture, outputs)
    number = blockwise.swept_outputs(network.architecture, outputs)
    contract = partial(
        blockwise.contract, architecture=network.architecture, outputs=outputs, dtype=dtype
    )
    return partial(_block, widths=widths, number=number, contract=contract), {}


def _block(
    one: Rows,
    two: Rows | None,
    *,
    widths: list[int],
    number: int,
    contract: Callable[..., OutputGram],
) -> Sequence[np.ndarray]:
    first, second = (
        None if rows is None else blockwise.separate(rows[1], widths, number) for rows in (one, two)
    )
    with exact():
        return [np.asarray(contract(first, second))[:, :, 0, 0]]


def _settings(network: Network, outputs: Which, dtype: np.dtype) -> str:
    """All that values of the kernel depend on besides the inputs, as text."""
    digest = hashlib.sha256()
    for layer in network.parameters:
        for array in layer:
            digest.update(f"{array.shape} {array.dtype}\n".encode())
            digest.update(np.asarray(array).data)
    architecture = network.architecture
    numbers = f"{architecture.beta!r} {architecture.weight_gain!r} {outputs} {dtype}"
    sigma = sigma_digest(network.chosen, architecture.activation)
    return (
        f"{digest.hexdigest()} {sigma} {network.kinks} {numbers} {code_digest(blockwise.__file__)}"
    )
