"""Training along one kernel principal component (JGH Figure 3).

The residual r_t = f_t - f* on the training points has a part g_t = <r_t, f^(k)>_pin along the
component k and a part h_t = r_t - g_t f^(k) across it. In the limit h_t = 0 and
|g_t| = |g_0| exp(-lambda_k t): the network function runs along a straight line.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.ensembles import recorded_kernels, stack_widths
from ntkflow.analysis.spectrum import eigenfunction, leading_eigenvalues
from ntkflow.stores.schema import conform

__all__ = ["JGH_EIGENVALUES", "measure_principal_component", "tabulate"]

LEADING = 10
"""Components kept for drawing and for the table, unless the trained one lies further down."""

JGH_EIGENVALUES = {1: 0.0457, 2: 0.00108, 3: 0.00078}
"""JGH Section 6: empirical NTK of one network of width 10000 on 512 digits of MNIST."""


def measure_principal_component(
    ensembles: Mapping[int, xr.Dataset], spectrum: xr.Dataset, component: int, amplitude: float
) -> xr.Dataset:
    """Distances to the goal along and across the component, and eigenvalues of the networks.

    Norms are of p_in and sum over outputs; the goal lies `amplitude` x f^(component) from f_0 in
    each output. Empirical kernels are taken at the first recorded step, and their mean over
    outputs, trace_k Theta_kk / n_L.

    Parameters
    ----------
    ensembles
        "ensemble" stores by width, with a kernel recorded.
    spectrum
        The "spectrum" store of the same training points.
    component, amplitude
        The component trained along, from 1, and the distance to the goal along it.

    Returns
    -------
    xr.Dataset
        A "principal_component" store over the training points, with the first ten components
        (as many as there are; further ones if needed to hold the trained one and its successor).

    Raises
    ------
    ValueError
        If there is no such component, an ensemble has no kernels, or schedules differ.
    """
    train = np.flatnonzero(spectrum["is_train"])
    mode = eigenfunction(spectrum, component).isel(sample=train).reset_coords(drop=True).compute()
    kept = min(max(LEADING, component + 1), len(train))
    leading = spectrum.isel(sample=train, component=slice(kept)).compute()
    pairs = {n: _distances(ensemble, mode, train) for n, ensemble in ensembles.items()}
    along = stack_widths({n: pair[0] for n, pair in pairs.items()})
    eigenvalues = {n: _eigenvalues(e, n, train, kept) for n, e in ensembles.items()}
    decay = np.exp(-float(spectrum["eigenvalue"].sel(component=component)) * along["time"])
    outputs = next(iter(ensembles.values())).sizes["output"]
    statistics = xr.Dataset(
        {
            "eigenfunction": leading["eigenfunction"].drop_vars(
                ["is_train", "angle"], errors="ignore"
            ),
            "along": along,
            "across": stack_widths({n: pair[1] for n, pair in pairs.items()}),
            "limiting_along": abs(amplitude) * np.sqrt(outputs) * decay,
            "eigenvalue": leading["eigenvalue"],
            "network_eigenvalue": stack_widths(eigenvalues),
        },
        attrs={"component": component, "amplitude": float(amplitude)},
    )
    return conform(statistics, "principal_component")


def _distances(
    ensemble: xr.Dataset, mode: xr.DataArray, train: NDArray[np.intp]
) -> tuple[xr.DataArray, xr.DataArray]:
    """||g_t||_pin and ||h_t||_pin, both (seed, step)."""
    pair = ensemble[["f", "goal"]].isel(sample=train).astype(np.float64).compute()
    pair = pair.reset_coords(drop=True).assign_coords(time=ensemble["time"])
    residual = pair["f"] - pair["goal"]
    along = (residual * mode).mean("sample")
    across = residual - along * mode
    return _norm(along), _norm((across**2).mean("sample") ** 0.5)


def _norm(components: xr.DataArray) -> xr.DataArray:
    return (components**2).sum("output") ** 0.5


def _eigenvalues(
    ensemble: xr.Dataset, width: int, train: NDArray[np.intp], count: int
) -> xr.DataArray:
    """Leading eigenvalues (seed, component) of the first recorded kernels."""
    kernels = recorded_kernels(ensemble, width).isel(
        kernel_step=0, sample=train, sample_prime=train
    )
    rows = []
    for seed in range(kernels.sizes["seed"]):
        blocks = kernels.isel(seed=seed).transpose("output", "output_prime", ...).to_numpy()
        rows.append(leading_eigenvalues(np.trace(blocks) / len(blocks), count))
    return xr.DataArray(
        np.array(rows),
        dims=("seed", "component"),
        coords={"seed": ensemble["seed"].to_numpy(), "component": np.arange(1, count + 1)},
    )


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Eigenvalues of Theta(X, X) / N, one row a component.

    Columns: the limiting kernel's; mean and standard deviation over the widest networks at t = 0;
    the three that JGH Section 6 gives for MNIST (one network of width 10000), NaN elsewhere. The
    last are MNIST's whatever the data set of the table.
    """
    widest = int(statistics["width"].max())
    networks = statistics["network_eigenvalue"].sel(width=widest).transpose("seed", "component")
    sample = pd.DataFrame(networks.to_numpy(), columns=statistics["component"].to_numpy()).dropna()
    return pd.DataFrame(
        {
            "component": sample.columns,
            "limiting_eigenvalue": statistics["eigenvalue"].to_numpy(),
            "network_width": widest,
            "network_mean": sample.mean().to_numpy(),
            "network_deviation": sample.std(ddof=1).to_numpy(),
            "jgh_2018_mnist": [JGH_EIGENVALUES.get(int(i), np.nan) for i in sample.columns],
        }
    )
