"""Empirical NTK of a network with any parameters, and the construction of such a network."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow.interface import arrays, checks, settings
from ntkflow.interface import network as networks
from ntkflow.interface.arguments import (
    GIB,
    Activation,
    Attributes,
    Beta,
    Block,
    Kinks,
    Matrix,
    Memory,
    Overwrite,
    Points,
    Precision,
    Progress,
    Scheduler,
    Seed,
    StoredMatrix,
    Threads,
    WeightGain,
    at_once,
    computing,
    described,
    with_precision,
)
from ntkflow.interface.network import Net, Network, Outputs, full_precision, network_of
from ntkflow.networks.blockwise import blockwise_ntk
from ntkflow.stores.grams import write_grams
from ntkflow.stores.grid import grid_between
from ntkflow.stores.staging import check_shapes
from ntkflow.stores.zarr import open_store

MOST_PARAMETERS = 2**31
Store = Annotated[str | Path, settings.Place("empirical")]
Widths = Annotated[Sequence[int], checks.Listed(checks.COUNT, shortest=2)]
Layers = Annotated[Sequence[tuple[ArrayLike, ArrayLike]], arrays.Parameters()]


@checks.checked
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
    count = sum((one + 1) * two for one, two in pairwise(widths))
    if count >= MOST_PARAMETERS:
        raise checks.refusal(
            "widths", checks.Found(f"{count:,} parameters"), f"fewer than {MOST_PARAMETERS:,}"
        )
    return networks.initial_parameters(seed, widths)


@checks.checked
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
    return network_of(parameters, activation, kinks, beta, weight_gain, np.dtype(precision))


@checks.checked
def empirical_ntk(
    network: Net,
    x1: Matrix,
    x2: Matrix | None = None,
    *,
    outputs: Outputs = "all",
    accumulate: Precision | None = None,
    block: Block = 1024,
    memory: Memory = 2.0,
) -> np.ndarray:
    """Compute the empirical NTK of a network between all rows of x1 and x2, or of x1 alone.

    Theta_{kk'}(x, x') = sum_p df_k(x)/dtheta_p df_k'(x')/dtheta_p (JGH Section 4). It is exact for
    the network's parameters; no Jacobian is formed.

    Parameters
    ----------
    network
        Network from `api.network`.
    x1, x2
        Inputs (n, d) and (m, d).
    outputs
        ``all`` pairs of outputs, their ``trace``, or the index of one output.
    accumulate
        Precision in which products are summed, ``float64`` or ``float32``; the network's by
        default.
    block
        Number of rows computed at a time.
    memory
        GiB for activations and sensitivities. If those of all inputs take more, they are recomputed
        for each pair of blocks.

    Returns
    -------
    numpy.ndarray
        Theta, (n, m, n_L, n_L) for ``all`` outputs, otherwise (n, m).

    Raises
    ------
    ValueError
        If an argument is invalid, or the kernel is too large or too small for the precision. The
        message names the argument, what was found and what is expected.
    """
    lists = [np.asarray(x) for x in (x1, x2) if x is not None]
    check_shapes(*lists)
    network.check(lists[0].shape[1], outputs)
    with full_precision():
        ntk = blockwise_ntk(
            network.parameters,
            lists[0],
            None if x2 is None else lists[1],
            network.architecture,
            outputs=outputs,
            dtype=np.dtype(accumulate) if accumulate else network.dtype,
            block=block,
            memory=memory * GIB,
        )
    return ntk if outputs == "all" else ntk[:, :, 0, 0]


@checks.checked
def store_empirical_ntk(
    network: Net,
    x1: StoredMatrix,
    x2: StoredMatrix | None = None,
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

    Each input passes through the network once. Its activations and sensitivities, about 2 L n
    numbers, are staged on disk until the store is finished. The call resumes as
    `store_limiting_kernels` does.

    Parameters
    ----------
    network, accumulate
        As in `empirical_ntk`.
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
        raise checks.refusal("outputs", outputs, "'trace' or the number of one output")
    dtype = np.dtype(accumulate) if accumulate else network.dtype
    workers = cast(Mapping[str, Any], scheduler)
    grid = grid_between(x1, x2, block)
    network.check(x1.shape[1], outputs)
    blocks = at_once(grid, dtype, memory, workers, threads)
    write_grams(
        described(x1, points),
        x1,
        x2,
        store,
        networks.empirical_recipe(network, outputs, dtype),
        grid=grid,
        compute=computing(workers, blocks, progress),
        attributes=with_precision(attributes, network.dtype.name),
        overwrite=overwrite,
    )
    return open_store(store, "empirical")
