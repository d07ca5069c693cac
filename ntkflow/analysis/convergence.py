"""Distances of finite networks from the infinite-width limit, one number per initialisation.

Theta_inf below denotes Theta_inf (x) Id over outputs (JGH Theorem 1). Norms are Frobenius norms
over all pairs of points and outputs.
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ntkflow.stores.schema import KERNEL_DIMS

FEWEST_DRAWS = 20
"""With fewer draws a resample may contain a single one, and then no pair of different draws."""

BLOCK_ENTRIES = 2**22
"""Kernel entries converted to float64 at once, 32 MB for any number of draws."""


def limit_on_same_points(kernels: xr.Dataset, limiting: xr.Dataset) -> xr.DataArray:
    """Theta_inf (sample, sample_prime) on the points of `kernels`, the first ones of `limiting`."""
    count = kernels.sizes["sample"]
    found, expected = kernels["is_train"].to_numpy(), limiting["is_train"].to_numpy()[:count]
    if not np.array_equal(found, expected):
        raise ValueError(
            f"kernels: found {found.sum()} training points among {count} points, expected "
            f"{expected.sum()}, as among the first {count} points of the limiting kernel; compute "
            "both on the same data set"
        )
    selection = {"sample": slice(count), "sample_prime": slice(count)}
    return limiting["ntk"].isel(selection).reset_coords(drop=True).astype(np.float64).compute()


def initial_spread(initial: xr.Dataset, limiting: xr.Dataset) -> NDArray[np.float64]:
    """||Theta(0) - Theta_inf|| / ||Theta_inf|| of each draw (seed,), from the stores of both."""
    identity = xr.DataArray(np.eye(initial.sizes["output"]), dims=("output", "output_prime"))
    expected = limit_on_same_points(initial, limiting) * identity
    blocks = (block.astype(np.float64) for block in _blocks_of_draws(initial["ntk"]))
    return np.concatenate([_norm(block - expected) for block in blocks]) / _norm(expected)


def _blocks_of_draws(kernels: xr.DataArray) -> Iterator[xr.DataArray]:
    """Yield loaded kernels (seed, ...) of a few draws, about `BLOCK_ENTRIES` entries at a time."""
    draws = kernels.sizes["seed"]
    rows = max(1, BLOCK_ENTRIES // (kernels.size // draws))
    for start in range(0, draws, rows):
        block = kernels.isel(seed=slice(start, start + rows))
        yield block.reset_coords(drop=True).compute()


def mean_errors(initial: xr.Dataset, limiting: xr.Dataset) -> NDArray[np.float64]:
    """Errors (seed, pair) of each draw over pairs i < j, in units of ||Theta_inf|| over them.

    With several outputs the mean trace_k Theta_kk / n_L is compared. The squared norm of the
    expectation of a row is the squared relative bias of the off-diagonal entries. Raises ValueError
    for fewer than 20 draws or 2 points, or if all off-diagonal entries of the limit are zero.
    """
    if initial.sizes["seed"] < FEWEST_DRAWS:
        raise ValueError(
            f"draws: found {initial.sizes['seed']} initial kernels of one width, expected at least "
            f"{FEWEST_DRAWS}; the bias of their mean exceeds its noise only with thousands"
        )
    limit = limit_on_same_points(initial, limiting).to_numpy()
    rows, columns = np.triu_indices(len(limit), k=1)
    scale = np.linalg.norm(limit[rows, columns])
    if scale == 0:
        raise ValueError(
            f"limiting NTK: found only zeros as off-diagonal entries on {len(limit)} points, "
            "expected another entry for a relative bias; choose other points"
        )
    diagonal = xr.DataArray(np.arange(initial.sizes["output"]), dims="same_output")
    selection = {
        "sample": xr.DataArray(rows, dims="pair"),
        "sample_prime": xr.DataArray(columns, dims="pair"),
        "output": diagonal,
        "output_prime": diagonal,
    }
    means = [
        block.isel(selection).astype(np.float64).mean("same_output", skipna=False)
        for block in _blocks_of_draws(initial["ntk"])
    ]
    kernels = np.concatenate([mean.transpose("seed", "pair").to_numpy() for mean in means])
    return (kernels - limit[rows, columns]) / scale


def squared_bias(errors: NDArray[np.float64]) -> float:
    """Unbiased estimate of ||E e||^2 from draws e of shape (draw, pair); it may be negative.

    It is the mean of <e_i, e_j> over all pairs of different draws (a U-statistic). The squared
    norm of the mean of e would include the pairs i = j, and so exceed ||E e||^2 by the variance of
    that mean.
    """
    draws, total = len(errors), errors.sum(axis=0)
    return float((total @ total - np.sum(errors**2)) / (draws * (draws - 1)))


def kernel_drift(kernels: xr.DataArray) -> NDArray[np.float64]:
    """||Theta(t) - Theta(0)|| / ||Theta(0)|| of each network at each record (seed, kernel_step).

    `kernels` has dimensions (seed, kernel_step, sample, sample_prime, output, output_prime). The
    first recorded kernel is taken as Theta(0).
    """
    records = kernels.sizes["kernel_step"]
    if records < 2:
        raise ValueError(
            f"kernel_step: found kernels recorded at {records} step, expected at least 2 for drift"
        )
    first = _record(kernels, 0)
    # One record at a time, because all of them in float64 would be large.
    distances = [_norm(_record(kernels, k) - first) for k in range(records)]
    scale = _norm(first)
    return np.stack([distance / scale for distance in distances], axis=1)


def _record(kernels: xr.DataArray, k: int) -> xr.DataArray:
    """Loaded kernels (seed, ...) of one recorded step."""
    record = kernels.isel(kernel_step=k, drop=True).reset_coords(drop=True)
    return record.transpose("seed", ...).astype(np.float64).compute()


def distance_from_dynamics(ensemble: xr.Dataset, dynamics: xr.Dataset) -> NDArray[np.float64]:
    """sup_t ||f_t - f_inf,t|| of each network (seed,), over the recorded times.

    f_inf follows kernel gradient descent with the limiting NTK from the same f_0. The norm is the
    root mean square over all training and test points and all outputs. Raises ValueError if the
    stores contain different seeds or steps.
    """
    for name in ("seed", "step"):
        found, expected = dynamics[name].to_numpy(), ensemble[name].to_numpy()
        if not np.array_equal(found, expected):
            raise ValueError(
                f"{name}: found {found} in the dynamics store, expected {expected} as in the "
                "ensemble; solve the dynamics from the ensemble's initial functions, at its steps"
            )
    networks, limit = (
        store["f"].reset_coords(drop=True).astype(np.float64).compute()
        for store in (ensemble, dynamics)
    )
    squares = ((networks - limit) ** 2).mean(("sample", "output"), skipna=False)
    return (squares.max("step", skipna=False) ** 0.5).to_numpy()


def _norm(kernels: xr.DataArray) -> NDArray[np.float64]:
    """Norm of each kernel."""
    return ((kernels**2).sum(KERNEL_DIMS, skipna=False) ** 0.5).to_numpy()
