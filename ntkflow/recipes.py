"""Limiting kernels as the store of Gram matrices takes them: a `Recipe` from plain arguments.

float64 is turned on for what is called here, and not for the process.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.kernels import tiles
from ntkflow.kernels.activations import activation as named_activation
from ntkflow.kernels.activations import from_function
from ntkflow.kernels.correlation import directions
from ntkflow.kernels.dual import Activation
from ntkflow.stores.grams import BlockKernel, Recipe
from ntkflow.stores.staging import Rows

__all__ = [
    "Chosen",
    "Function",
    "activation_from",
    "code_digest",
    "directed",
    "limiting_network",
    "limiting_recipe",
    "planned",
    "sigma_digest",
]

Function = Callable[[jax.Array], jax.Array]
Chosen = str | Mapping[str, Any] | Function
"""An activation: a name in the registry, a mapping of `name` and parameters, or a function."""

CACHED = 1 << 19
"""Numbers; in float64 they are 4 MiB."""

PROBE = np.linspace(-12, 12, 4001)


def limiting_recipe(
    chosen: Chosen, kinks: Sequence[float], network: tiles.Network, dtype: np.dtype
) -> Recipe:
    """How the kernels of a network are computed, in `dtype`; `chosen` is its activation."""
    return Recipe(
        directed=partial(directed, dtype=dtype),
        plan=partial(_block_kernel, network=network, dtype=dtype),
        settings=_settings(chosen, kinks, network, dtype),
        dtype=dtype,
    )


def limiting_network(
    chosen: Chosen, kinks: Sequence[float], depth: int, beta: float, weight_gain: float
) -> tiles.Network:
    """Network in the limit n -> infinity, from plain arguments."""
    return tiles.Network(activation_from(chosen, kinks), depth, float(beta), float(weight_gain))


def directed(part: np.ndarray, *, dtype: np.dtype) -> Rows:
    """Norms and directions of some inputs, worked out for as many at once as a cache holds."""
    with jax.enable_x64(True):
        pieces = np.array_split(part, max(1, -(-part.size // CACHED)))
        # In float64 before XLA, which takes subnormal numbers for zeros.
        wide = (piece.astype(np.float64, copy=False) for piece in pieces)
        norms, each = zip(*(directions(piece, dtype) for piece in wide), strict=True)
    norm = np.concatenate(norms)
    if np.any(part[norm == 0]):
        raise ValueError("x1 or x2: found an input of norm below 1e-307; scale the inputs up")
    return norm, np.concatenate(each)


def planned(
    norms: np.ndarray, features: int, network: tiles.Network, dtype: np.dtype
) -> tiles.Plan:
    """See `tiles.plan`."""
    with jax.enable_x64(True):
        return tiles.plan(norms, features, network, dtype)


def _block_kernel(
    norms: np.ndarray, features: int, *, network: tiles.Network, dtype: np.dtype
) -> tuple[BlockKernel, Mapping[str, object]]:
    chosen = planned(norms, features, network, dtype)
    return partial(_block, chosen=chosen), {"dual_error": chosen.dual_error}


def _block(one: Rows, two: Rows | None, *, chosen: tiles.Plan) -> Sequence[np.ndarray]:
    with jax.enable_x64(True):
        return tiles.block_kernels(one, two, chosen)


def activation_from(chosen: Chosen, kinks: Sequence[float]) -> Activation:
    """An activation by its name, a mapping, or a function of JAX arrays."""
    if callable(chosen):
        with jax.enable_x64(True):
            return from_function(getattr(chosen, "__name__", "function"), chosen, kinks)
    named: dict[str, Any] = {"name": chosen} if isinstance(chosen, str) else dict(chosen)
    if len(kinks):
        named["kinks"] = list(kinks)
    return named_activation(**named)


def _settings(
    chosen: Chosen, kinks: Sequence[float], network: tiles.Network, dtype: np.dtype
) -> str:
    """All that values of the kernels depend on besides the inputs, as text."""
    sigma = f"{sigma_digest(chosen, network.activation)} {[float(kink) for kink in kinks]}"
    numbers = f"{network.depth} {network.beta!r} {network.weight_gain!r} {dtype}"
    return f"{sigma} {numbers} {code_digest(tiles.__file__)}"


def code_digest(module: str) -> str:
    """Of all kernels and of the folder that a module's file lies in; with JAX and the device."""
    code = hashlib.sha256()
    folders = dict.fromkeys((Path(tiles.__file__).parent, Path(module).parent))
    for file in (file for folder in folders for file in sorted(folder.glob("*.py"))):
        code.update(file.read_bytes())
    return f"{code.hexdigest()} jax {jax.__version__} {jax.devices()[0].device_kind}"


def sigma_digest(chosen: Chosen, activation: Activation) -> str:
    """An activation by its name or code, and by its values: imported code is pickled as a name."""
    digest = hashlib.sha256(
        cloudpickle.dumps(chosen) if callable(chosen) else repr(chosen).encode()
    )
    with jax.enable_x64(True):
        digest.update(np.asarray(activation.function(jnp.asarray(PROBE))).tobytes())
    return digest.hexdigest()
