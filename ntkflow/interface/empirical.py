"""Empirical NTK of a network, in memory and in stores of any size."""

from __future__ import annotations  # so that help() names the types of arguments

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import jax
import numpy as np
import xarray as xr

from ntkflow.aliases import OutputGram
from ntkflow.interface import arrays, settings
from ntkflow.interface.arguments import (
    GIB,
    Attributes,
    Block,
    Memory,
    Overwrite,
    Points,
    Precision,
    Progress,
    Scheduler,
    Threads,
    Work,
    write_kernels,
)
from ntkflow.interface.checks import checked, refusal
from ntkflow.interface.function import Function, Measured, as_function
from ntkflow.interface.function_kernels import function_ntk, function_recipe
from ntkflow.interface.network import Network, full_precision
from ntkflow.interface.recipes import code_digest, sigma_digest
from ntkflow.kernels.empirical import Sweep
from ntkflow.networks import blockwise
from ntkflow.networks.mlp import Architecture
from ntkflow.networks.model import OutputSelection
from ntkflow.stores.grams import BlockKernel, Recipe
from ntkflow.stores.staging import Rows, check_shapes
from ntkflow.stores.zarr import open_store

Store = Annotated[str | Path, partial(settings.place, kind="empirical")]
Batch: TypeAlias = Annotated[Any, arrays.batch]
Outputs: TypeAlias = Annotated[OutputSelection, settings.outputs]


@checked
def empirical_ntk(
    network: Measured,
    x1: Batch,
    x2: Batch | None = None,
    *,
    outputs: Outputs = "all",
    accumulate: Precision | None = None,
    block: Block = 1024,
    memory: Memory = 2.0,
) -> np.ndarray:
    """Compute the empirical NTK of a network between all inputs x1 and x2, or of x1 alone.

    Theta_{kk'}(x, x') = sum_p df_k(x)/dtheta_p df_k'(x')/dtheta_p (JGH Section 4). It is exact for
    the network's parameters. For a network no Jacobian is formed; of a function the gradient of
    each array of parameters is formed, or its factors are contracted, whichever is cheaper.

    Parameters
    ----------
    network
        Network from `api.network` or `api.layered_network`, or function from `api.function`.
    x1, x2
        Inputs (n, d) and (m, d). For a function, arrays of any shape (n, ...), also of integers, or
        pytrees of such arrays; x2 has the shapes and dtypes of x1.
    outputs
        ``all`` pairs of outputs, their ``trace``, or the index of one output.
    accumulate
        Precision in which products are summed, ``float64`` or ``float32``; the network's by
        default.
    block
        Number of rows computed at a time.
    memory
        GiB for what is kept of inputs: activations and sensitivities of a network, or factors and
        gradients of a function. If those of all inputs take more, they are recomputed for each pair
        of blocks.

    Returns
    -------
    numpy.ndarray
        Theta, (n, m, n_L, n_L) for ``all`` outputs, otherwise (n, m). Outputs of a function are
        flattened to n_L numbers per input.

    Raises
    ------
    ValueError
        If an argument is invalid, or the kernel is too large or too small for the precision; or if
        outputs of a function for one input depend on other inputs of its batch. The message names
        the argument, what was found and what is expected.
    """
    if isinstance(network, Function):
        ntk = function_ntk(network, x1, x2, outputs, accumulate, block, memory)
        return ntk if outputs == "all" else ntk[:, :, 0, 0]
    lists = [arrays.matrix(n, x) for n, x in (("x1", x1), ("x2", x2)) if x is not None]
    check_shapes(*lists)
    network.check(lists[0].shape[1], outputs)
    one, two = lists[0], None if x2 is None else lists[1]
    if not isinstance(network.architecture, Architecture):
        ntk = function_ntk(as_function(network), one, two, outputs, accumulate, block, memory)
        return ntk if outputs == "all" else ntk[:, :, 0, 0]
    with full_precision():
        ntk = blockwise.blockwise_ntk(
            network.parameters,
            one,
            two,
            network.architecture,
            outputs=outputs,
            dtype=np.dtype(accumulate) if accumulate else network.dtype,
            block=block,
            memory=memory * GIB,
        )
    return ntk if outputs == "all" else ntk[:, :, 0, 0]


@checked
def store_empirical_ntk(
    network: Measured,
    x1: Batch,
    x2: Batch | None = None,
    *,
    store: Store,
    outputs: Outputs = "trace",
    accumulate: Precision | None = None,
    block: Block = 2048,
    memory: Memory = 2.0,
    scheduler: Scheduler = "threads",
    threads: Threads | None = None,
    points: Points | None = None,
    attributes: Attributes | None = None,
    overwrite: Overwrite = False,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Write the empirical NTK of one output, or its trace over outputs, to a Zarr store.

    Each input passes through a network once. Its activations and sensitivities, about 2 L n
    numbers, are staged on disk until the store is finished. A function is differentiated again for
    each pair of blocks, and the inputs are staged. The call resumes as `store_limiting_kernels`
    does.

    Parameters
    ----------
    network, accumulate
        As in `empirical_ntk`. Inputs of a function are arrays (n, ...).
    outputs
        ``trace``, or the index of one output.
    x1, x2, store, block, memory, scheduler, threads, points, attributes, overwrite, progress
        As in `store_limiting_kernels`.

    Returns
    -------
    xarray.Dataset
        The opened store with ``ntk`` (n, m), read on demand.

    Raises
    ------
    ValueError
        As in `empirical_ntk`.
    StoreError
        As in `store_limiting_kernels`.
    """
    if outputs == "all":
        raise refusal("outputs", outputs, "'trace' or the number of one output")
    dtype = np.dtype(accumulate) if accumulate else network.dtype
    if isinstance(network, Function):
        x1, x2, recipe = function_recipe(network, x1, x2, outputs, dtype, memory, threads)
    else:
        x1 = arrays.stored_matrix("x1", x1)
        x2 = None if x2 is None else arrays.stored_matrix("x2", x2)
        network.check(x1.shape[1], outputs)
        if isinstance(network.architecture, Architecture):
            recipe = _recipe(network, outputs, dtype)
        else:
            one = arrays.FlatRows(x1, "x1")
            two = None if x2 is None else arrays.FlatRows(x2, "x2")
            function = as_function(network)
            x1, x2, recipe = function_recipe(function, one, two, outputs, dtype, memory, threads)
    work = Work(block, memory, scheduler, threads, progress)
    precision = network.dtype.name
    write_kernels(x1, x2, store, recipe, precision, work, points, attributes, overwrite)
    return open_store(store, "empirical")


def _recipe(network: Network, outputs: OutputSelection, dtype: np.dtype) -> Recipe:
    """Recipe of the NTK in `dtype`; a store stages activations and sensitivities on disk."""
    given: dict[str, Any] = {"network": network, "outputs": outputs, "dtype": dtype}
    return Recipe(
        directed=partial(_rows, **given),
        plan=partial(_plan, **given),
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
    architecture = network.architecture
    widths = blockwise.row_widths(network.parameters, architecture, outputs)
    number = blockwise.sensitivity_count(architecture, outputs)
    unpack = partial(blockwise.sweeps_from_rows, widths=widths, number=number)
    given = {"architecture": architecture, "outputs": outputs, "dtype": dtype}
    contract = partial(blockwise.compiled_contract, **given)
    return partial(_block, unpack=unpack, contract=contract), {}


def _block(
    one: Rows,
    two: Rows | None,
    *,
    unpack: Callable[[np.ndarray], list[Sweep]],
    contract: Callable[..., OutputGram],
) -> Sequence[np.ndarray]:
    first, second = (None if rows is None else unpack(rows[1]) for rows in (one, two))
    with full_precision():
        return [blockwise.require_finite(np.asarray(contract(first, second))[:, :, 0, 0])]


def _settings(network: Network, outputs: OutputSelection, dtype: np.dtype) -> str:
    """Text with everything that the kernel's values depend on besides the inputs."""
    digest, architecture = hashlib.sha256(), network.architecture
    for array in jax.tree.leaves(network.parameters):
        digest.update(f"{array.shape} {array.dtype}\n".encode())
        digest.update(np.asarray(array).data)
    sigma = sigma_digest(network.activation_spec, architecture.activation)
    numbers = f"{architecture.beta!r} {architecture.weight_gain!r} {outputs} {dtype}"
    return f"{digest.hexdigest()} {sigma} {network.kinks} {numbers} {code_digest(blockwise)}"
