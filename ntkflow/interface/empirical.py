"""The empirical NTK of a network, at initialisation or at any time in training."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ntkflow import finite
from ntkflow.finite import Network, network_of
from ntkflow.interface.arguments import (
    GIB,
    at_once,
    checked,
    computing,
    described,
    dtype_of,
    floating,
)
from ntkflow.networks.blockwise import blockwise_ntk
from ntkflow.networks.mlp import Which
from ntkflow.recipes import Chosen
from ntkflow.stores.grams import write_grams
from ntkflow.stores.grid import grid_between
from ntkflow.stores.staging import Inputs, check_inputs
from ntkflow.stores.zarr import open_store

__all__ = ["Network", "empirical_ntk", "initial_parameters", "network", "store_empirical_ntk"]


def initial_parameters(
    widths: Sequence[int], *, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """theta(0) of a fully-connected network with these widths n_0, n_1, .., n_L.

    Weights (fan_in, fan_out) and biases (fan_out,) of each layer, all drawn from N(0, 1) as the NTK
    parametrization has it, in float32.
    """
    if len(widths) < 2 or not all(isinstance(n, int) and n > 0 for n in widths):
        raise ValueError(f"widths are {widths!r}, expected positive numbers n_0, .., n_L")
    return finite.initial_parameters(seed, widths)


def network(
    parameters: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    activation: Chosen = "relu",
    kinks: Sequence[float] = (),
    beta: float = 0.1,
    weight_gain: float = 1.0,
    precision: str = "float64",
) -> Network:
    """z^{l+1} = weight_gain a^l W^l / sqrt(n_l) + beta b^l, a^l = activation(z^l), f = z^L.

    Parameters
    ----------
    parameters
        Layer by layer W^l (fan_in, fan_out) and b^l (fan_out,), wherever training has taken them.
    activation, kinks, beta, weight_gain
        As in `limiting_kernels`.
    precision
        ``float64`` or ``float32``, of the network's arithmetic.

    Raises
    ------
    ValueError
        If an argument is not what it should be; the message says which.
    """
    return network_of(parameters, activation, kinks, beta, weight_gain, dtype_of(precision))


def empirical_ntk(
    network: Network,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    outputs: Which = "all",
    accumulate: str | None = None,
    block: int = 1024,
    memory: float = 2.0,
) -> np.ndarray:
    """Empirical NTK of a network between all rows of x1 and of x2, or of x1, in memory.

    Exact for the network's parameters; no Jacobian is formed.

    Parameters
    ----------
    network
        From `network`.
    x1, x2
        Inputs, (n, d) and (m, d).
    outputs
        ``all`` pairs of outputs; the ``trace`` over them; or the number of one output.
    accumulate
        ``float64`` or ``float32``, in which products are added up; the network's by default.
    block
        Rows at a time.
    memory
        GiB for the activities and sensitivities of inputs; where those of all inputs take more,
        they are computed again for each pair of blocks.

    Returns
    -------
    numpy.ndarray
        Theta, (n, m, n_L, n_L) of ``all`` outputs, otherwise (n, m).

    Raises
    ------
    ValueError
        If an argument is not what it should be; the message says which.
    """
    lists = [floating(x) for x in (x1, x2) if x is not None]
    check_inputs(*lists)
    network.check(lists[0].shape[1], outputs)
    with finite.exact():
        ntk = blockwise_ntk(
            network.parameters,
            lists[0],
            None if x2 is None else lists[1],
            network.architecture,
            outputs=outputs,
            dtype=dtype_of(accumulate) if accumulate else network.dtype,
            block=block,
            memory=memory * GIB,
        )
    return ntk if outputs == "all" else ntk[:, :, 0, 0]


def store_empirical_ntk(
    network: Network,
    x1: Inputs,
    x2: Inputs | None = None,
    *,
    store: str | Path,
    outputs: Which = "trace",
    accumulate: str | None = None,
    block: int = 2048,
    memory: float = 2.0,
    scheduler: str | Mapping[str, Any] = "threads",
    threads: int | None = None,
    points: xr.Dataset | None = None,
    attributes: Mapping[str, object] | None = None,
    progress: Callable[[str], None] | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """The same of one output, or the trace over outputs, into a Zarr store; returned opened.

    Inputs are swept through the network once, and what that gives, some 2 L n numbers an input,
    stays on disk until the store is finished. Resuming, arguments and errors are as in
    `empirical_ntk` and `store_limiting_kernels`.
    """
    if outputs == "all":
        raise ValueError("outputs is 'all', expected 'trace' or the number of one output")
    dtype = dtype_of(accumulate) if accumulate else network.dtype
    settings = checked(block, memory, scheduler)
    grid = grid_between(x1, x2, settings.block)
    network.check(x1.shape[1], outputs)
    blocks = at_once(grid, dtype, settings, threads)
    write_grams(
        described(x1) if points is None else points,
        x1,
        x2,
        store,
        finite.empirical_recipe(network, outputs, dtype),
        grid=grid,
        compute=computing(settings.scheduler.model_dump(), blocks, progress),
        attributes={"precision": network.dtype.name, **(attributes or {})},
        overwrite=overwrite,
    )
    return open_store(store, "empirical")
