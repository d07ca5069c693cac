"""A network with given parameters, and the recipe of its empirical kernel for a store."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ntkflow.aliases import OutputGram
from ntkflow.interface import checks, settings
from ntkflow.interface.recipes import ActivationSpec, activation_from, code_digest, sigma_digest
from ntkflow.networks import blockwise
from ntkflow.networks.empirical import OutputSelection
from ntkflow.networks.mlp import Architecture, Layer, Parameters, init, root_key
from ntkflow.stores.grams import BlockKernel, Recipe
from ntkflow.stores.staging import Rows


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
    """

    parameters: Parameters
    architecture: Architecture
    activation_spec: ActivationSpec
    kinks: tuple[float, ...]

    @property
    def features(self) -> int:
        """n_0, the number of features of an input."""
        return int(self.parameters[0].weight.shape[0])

    @property
    def dtype(self) -> np.dtype:
        """Precision of the arithmetic."""
        return np.dtype(self.parameters[0].weight.dtype)

    def check(self, features: int, outputs: OutputSelection, name: str = "x1") -> None:
        """Raise ValueError if the argument `name` has not n_0 features, or an output is absent."""
        if features != self.features:
            raise ValueError(
                f"{name}: found {features} features, expected {self.features}, as the network has"
            )
        number = self.architecture.outputs
        if isinstance(outputs, int) and not 0 <= outputs < number:
            raise ValueError(
                f"outputs: found {outputs}, expected 'all', 'trace' or a number below {number}"
            )

    def cast(self, array: np.ndarray, name: str) -> np.ndarray:
        """Return the array in the network's precision.

        Raises
        ------
        ValueError
            If a value is too large for the precision, or all nonzero values vanish in it.
        """
        return _cast(array, self.dtype, name)


Net: TypeAlias = Annotated[Network, checks.Instance(Network, "a Network, as api.network returns")]
Outputs: TypeAlias = Annotated[OutputSelection, settings.Outputs()]


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
            f"{dtype}, expected larger values; scale it up, or use float64"
        )
    return found


def network_of(
    parameters: Sequence[tuple[ArrayLike, ArrayLike]],
    spec: ActivationSpec,
    kinks: Sequence[float],
    beta: float,
    weight_gain: float,
    dtype: np.dtype,
) -> Network:
    """Network from the weights (fan_in, fan_out) and biases (fan_out,) of each layer."""
    with full_precision():
        layers = [
            Layer(*(jnp.asarray(_cast(np.asarray(a), dtype, "parameters")) for a in layer))
            for layer in parameters
        ]
    widths = tuple(layer.weight.shape[1] for layer in layers)
    activation = activation_from(spec, kinks)
    architecture = Architecture(
        widths[:-1], activation, float(beta), float(weight_gain), widths[-1]
    )
    return Network(layers, architecture, spec, tuple(map(float, kinks)))


def initial_parameters(seed: int, widths: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """theta(0) of a network with widths n_0, n_1, .., n_L, drawn from N(0, 1) in float32."""
    features, *hidden, outputs = widths
    architecture = Architecture(tuple(hidden), activation_from("relu", ()), 0.0, outputs=outputs)
    # Without jit, operations would run one by one and differ in the last bits.
    with full_precision(), jax.disable_jit(False):
        layers = init(root_key(seed), features, architecture, np.float32)
    return [(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in layers]


def empirical_recipe(network: Network, outputs: OutputSelection, dtype: np.dtype) -> Recipe:
    """Recipe of a network's empirical NTK; a store stages activations and sensitivities on disk.

    `dtype` is the precision of the kernel, in which products are summed.
    """
    return Recipe(
        directed=partial(_rows, network=network, outputs=outputs, dtype=dtype),
        plan=partial(_plan, network=network, outputs=outputs, dtype=dtype),
        settings=_settings(network, outputs, dtype),
        dtype=dtype,
        kind="empirical",
    )


def _rows(part: np.ndarray, *, network: Network, outputs: OutputSelection, dtype: np.dtype) -> Rows:
    with full_precision():
        sweeps = blockwise.checked_sweep(
            network.parameters, part, network.architecture, outputs, dtype
        )
        rows = blockwise.rows_from_sweeps(sweeps)
    return np.linalg.norm(part.astype(np.float64), axis=1), rows


def _plan(
    norms: np.ndarray, features: int, *, network: Network, outputs: OutputSelection, dtype: np.dtype
) -> tuple[BlockKernel, Mapping[str, object]]:
    # Tasks receive the settings of the network but not its parameters, which are large.
    widths = blockwise.row_widths(network.parameters, network.architecture, outputs)
    number = blockwise.sensitivity_count(network.architecture, outputs)
    contract = partial(
        blockwise.compiled_contract, architecture=network.architecture, outputs=outputs, dtype=dtype
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
        None if rows is None else blockwise.sweeps_from_rows(rows[1], widths, number)
        for rows in (one, two)
    )
    with full_precision():
        return [blockwise.require_finite(np.asarray(contract(first, second))[:, :, 0, 0])]


def _settings(network: Network, outputs: OutputSelection, dtype: np.dtype) -> str:
    """Text with everything that the kernel's values depend on besides the inputs."""
    digest = hashlib.sha256()
    for layer in network.parameters:
        for array in layer:
            digest.update(f"{array.shape} {array.dtype}\n".encode())
            digest.update(np.asarray(array).data)
    architecture = network.architecture
    numbers = f"{architecture.beta!r} {architecture.weight_gain!r} {outputs} {dtype}"
    sigma = sigma_digest(network.activation_spec, architecture.activation)
    return f"{digest.hexdigest()} {sigma} {network.kinks} {numbers} {code_digest(blockwise)}"
