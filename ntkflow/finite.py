"""A given network from plain arguments, and its empirical kernel as a store takes it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ntkflow.aliases import OutputGram
from ntkflow.networks import blockwise
from ntkflow.networks.mlp import Architecture, Layer, Parameters, Which, init, root_key
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
    """Make float64 available, products full precision and draws independent of JAX's settings."""
    with (
        jax.enable_x64(True),
        jax.default_matmul_precision("highest"),
        jax.threefry_partitionable(True),
    ):
        yield


@dataclass(frozen=True)
class Network:
    """Parameters theta and everything needed to evaluate f_theta.

    `chosen` and `kinks` specify the activation.
    """

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

    def check(self, features: int, outputs: Which, name: str = "x1") -> None:
        """Raise ValueError for inputs of another dimension, and for outputs that do not exist."""
        if features != self.features:
            raise ValueError(
                f"{name}: found {features} features, expected {self.features}, the network's"
            )
        number = self.architecture.outputs
        if isinstance(outputs, int) and not 0 <= outputs < number:
            raise ValueError(
                f"outputs: found {outputs}, expected 'all', 'trace' or a number below {number}"
            )

    def cast(self, array: np.ndarray, name: str) -> np.ndarray:
        """The array in the network's precision; ValueError if a value is too large for it."""
        return _cast(array, self.dtype, name)


def _cast(array: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        found = array.astype(dtype)
    if not np.isfinite(found).all():
        largest = np.abs(array).max()
        raise ValueError(
            f"{name}: found {largest:.3g}, expected at most {np.finfo(dtype).max:.3g} in {dtype}; "
            "scale it down, or use float64"
        )
    if np.any(array) and not np.any(found):
        raise ValueError(
            f"{name}: found {np.abs(array).max():.3g} as the largest value, which is zero in "
            f"{dtype}; scale it up, or use float64"
        )
    return found


def network_of(
    parameters: Sequence[tuple[ArrayLike, ArrayLike]],
    chosen: Chosen,
    kinks: Sequence[float],
    beta: float,
    weight_gain: float,
    dtype: np.dtype,
) -> Network:
    """Network from weights (fan_in, fan_out) and biases (fan_out,), layer by layer."""
    with exact():
        layers = [
            Layer(*(jnp.asarray(_cast(np.asarray(a), dtype, "parameters")) for a in layer))
            for layer in parameters
        ]
    widths = tuple(layer.weight.shape[1] for layer in layers)
    activation = activation_from(chosen, kinks)
    numbers = float(beta), float(weight_gain), widths[-1]
    architecture = Architecture(widths[:-1], activation, *numbers)
    return Network(layers, architecture, chosen, tuple(map(float, kinks)))


def initial_parameters(seed: int, widths: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """theta(0) of a network with the widths n_0, n_1, .., n_L: float32 draws from N(0, 1)."""
    features, *hidden, outputs = widths
    architecture = Architecture(tuple(hidden), activation_from("relu", ()), 0.0, outputs=outputs)
    with exact(), jax.disable_jit(False):  # operation by operation, last bits differ
        layers = init(root_key(seed), features, architecture, np.float32)
    return [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in layers]


def empirical_recipe(network: Network, outputs: Which, dtype: np.dtype) -> Recipe:
    """How the store of one kernel is put together; activities and sensitivities are kept on disk.

    `dtype` is that in which products are added up, and of the kernel.
    """
    return Recipe(
        directed=partial(_rows, network=network, outputs=outputs, dtype=dtype),
        plan=partial(_plan, network=network, outputs=outputs, dtype=dtype),
        settings=_settings(network, outputs, dtype),
        dtype=dtype,
        kind="empirical",
    )


def _rows(part: np.ndarray, *, network: Network, outputs: Which, dtype: np.dtype) -> Rows:
    with exact():
        sweeps = blockwise.swept(network.parameters, part, network.architecture, outputs, dtype)
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
        return [blockwise.require_finite(np.asarray(contract(first, second))[:, :, 0, 0])]


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
