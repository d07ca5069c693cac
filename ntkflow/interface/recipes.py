"""Recipe of limiting kernels for a store of Gram matrices, and what recipes have in common.

The functions here enable float64 while they run, not for the process.
"""

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.jobs.imports import package_sources
from ntkflow.kernels import activations, composed_tiles, tiles
from ntkflow.kernels.activations import activation as named_activation
from ntkflow.kernels.activations import from_function
from ntkflow.kernels.composed_tiles import plan_composed
from ntkflow.kernels.correlation import directions
from ntkflow.kernels.dual import Activation
from ntkflow.kernels.layers import Activate, Convolution, Dense, Layers, Residual
from ntkflow.kernels.schedule import fully_connected
from ntkflow.stores.grams import BlockKernel, Recipe
from ntkflow.stores.staging import Rows

Function = Callable[[jax.Array], jax.Array]
ActivationSpec = str | Mapping[str, Any] | Function
"""An activation: a name in the registry, a mapping of `name` and parameters, or a function."""

# Entries of inputs normalised at a time, 4 MiB in float64, so that they stay in a cache.
PIECE_ENTRIES = 1 << 19
PROBE = np.linspace(-12, 12, 4001)  # points at which an activation's values enter its digest
NUMERICS = ("kernels", "networks")  # subpackages that compute the values of kernels
ROOT = Path(__file__).parents[2]  # folder from which the package is imported


def limiting_recipe(
    spec: ActivationSpec,
    kinks: Sequence[float],
    depth: int,
    beta: float,
    weight_gain: float,
    dtype: np.dtype,
) -> Recipe:
    """Recipe of both limiting kernels of a network in `dtype`."""
    network = tiles.Network(activation_from(spec, kinks), depth, beta, weight_gain)
    sigma = f"{sigma_digest(spec, network.activation)} {[float(kink) for kink in kinks]}"
    numbers = f"{depth} {beta!r} {weight_gain!r} {dtype}"
    return Recipe(
        directed=partial(directed, dtype=dtype),
        plan=partial(_block_kernel, network=network, dtype=dtype),
        settings=f"{sigma} {numbers} {code_digest(tiles, activations)}",
        dtype=dtype,
    )


def layers_recipe(
    layers: Layers,
    shape: tuple[int, ...],
    sample: Callable[[], np.ndarray],
    dtype: np.dtype,
) -> Recipe:
    """Recipe of both limiting kernels of layers that fit inputs of `shape`, in `dtype`.

    `sample` reads some inputs (n, features), at which variances are evaluated.
    """
    settings = f"{layers_digest(layers)} {shape} {dtype}"
    network = fully_connected(layers)
    if network is not None:
        return Recipe(
            directed=partial(directed, dtype=dtype),
            plan=partial(_block_kernel, network=network, dtype=dtype),
            settings=f"{settings} {code_digest(tiles, activations)}",
            dtype=dtype,
        )

    def plan(norms: np.ndarray, features: int) -> tuple[BlockKernel, Mapping[str, object]]:
        with jax.enable_x64(True):
            made = plan_composed(sample(), layers, shape, dtype)
        return partial(tiles.block_kernels, plan=made), {"dual_error": made.dual_error}

    return Recipe(
        directed=partial(directed, dtype=np.dtype(np.float64)),
        plan=plan,
        settings=f"{settings} {code_digest(composed_tiles, activations)}",
        dtype=dtype,
    )


def layers_digest(layers: Layers) -> str:
    """Description of layers with digests of their activations, without widths."""
    parts = []
    for layer in layers:
        if isinstance(layer, Activate):
            sigma = layer.activation
            kinks = getattr(sigma, "kinks", ())
            parts.append(f"activation {sigma_digest(sigma.function, sigma)} {kinks}")
        elif isinstance(layer, Residual):
            inner = layers_digest(layer.branch), layers_digest(layer.shortcut)
            parts.append(f"residual {inner}")
        elif isinstance(layer, Dense | Convolution):
            parts.append(repr(replace(layer, width=None)))
        else:
            parts.append(repr(layer))
    return "; ".join(parts)


def directed(part: np.ndarray, *, dtype: np.dtype) -> Rows:
    """Norms (n,) and directions (n, d) of inputs (n, d), for `PIECE_ENTRIES` at a time.

    ValueError if the norm of a nonzero input vanishes in float64.
    """
    with jax.enable_x64(True):
        pieces = np.array_split(part, max(1, -(-part.size // PIECE_ENTRIES)))
        # NumPy converts to float64, because XLA would flush subnormal float32 numbers to zero.
        wide = (piece.astype(np.float64, copy=False) for piece in pieces)
        norms, each = zip(*(directions(piece, dtype) for piece in wide), strict=True)
    norm = np.concatenate(norms)
    if np.any(part[norm == 0]):
        raise ValueError(
            "x1 or x2: found an input of norm below 1e-307, expected a larger norm or 0; scale "
            "the inputs up"
        )
    return norm, np.concatenate(each)


def _block_kernel(
    norms: np.ndarray, features: int, *, network: tiles.Network, dtype: np.dtype
) -> tuple[BlockKernel, Mapping[str, object]]:
    with jax.enable_x64(True):
        plan = tiles.plan_kernels(norms, features, network, dtype)
    return partial(tiles.block_kernels, plan=plan), {"dual_error": plan.dual_error}


def activation_from(spec: ActivationSpec, kinks: Sequence[float]) -> Activation:
    """Activation from a name, a mapping, or a function of JAX arrays."""
    if callable(spec):
        with jax.enable_x64(True):
            return from_function(getattr(spec, "__name__", "function"), spec, kinks)
    named: dict[str, Any] = {"name": spec} if isinstance(spec, str) else dict(spec)
    if len(kinks):
        named["kinks"] = list(kinks)
    return named_activation(**named)


def code_digest(*modules: ModuleType) -> str:
    """Digest of the code that computes kernels, with the JAX version and the kind of device.

    The code is that of `modules` and of all that they import from `kernels` and `networks`,
    without comments and docstrings: rewording must not invalidate a store.
    """
    return f"{_digest_of(modules)} jax {jax.__version__} {jax.devices()[0].device_kind}"


@cache  # reading and parsing some twenty files takes 0.1 s
def _digest_of(modules: tuple[ModuleType, ...]) -> str:
    digest = hashlib.sha256()
    for file in numerics(*modules):
        digest.update(f"{file.as_posix()}\n{statements(ROOT / file)}\n".encode())
    return digest.hexdigest()


def numerics(*modules: ModuleType) -> list[Path]:
    """Files of `modules` and of all that they import from `NUMERICS`, relative to `ROOT`."""
    starts = {Path(str(module.__file__)) for module in modules}
    reached = starts.union(*(package_sources(start, ROOT) for start in starts))
    files = (file.relative_to(ROOT) for file in reached)
    return sorted(file for file in files if file.parts[1] in NUMERICS)


def statements(file: Path) -> str:
    """Source of a module in a normal form, without comments and docstrings."""
    return ast.unparse(_WithoutDocstrings().visit(ast.parse(file.read_bytes())))


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Remove any string that is a statement: attributes and constants have docstrings too."""
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node


def sigma_digest(spec: ActivationSpec, activation: Activation) -> str:
    """Digest of an activation's name or code and of its values.

    Values are needed because cloudpickle stores an imported function as its name alone.
    """
    digest = hashlib.sha256(cloudpickle.dumps(spec) if callable(spec) else repr(spec).encode())
    with jax.enable_x64(True):
        digest.update(np.asarray(activation.function(jnp.asarray(PROBE))).tobytes())
    return digest.hexdigest()
