"""Training along one kernel principal component (JGH Figure 3).

The residual r_t = f_t - f* on the training points has a part g_t = <r_t, f^(k)>_pin along the
component k and a part h_t = r_t - g_t f^(k) across it. In the limit h_t = 0 and
|g_t| = |g_0| exp(-lambda_k t): the network function moves along a straight line.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.ensembles import recorded_kernels, stack_widths
from ntkflow.analysis.spectrum import eigenfunction, leading_eigenvalues
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED
from ntkflow.stores.variables import COMPONENT, LABEL, SEED, STEP, TIME, WIDTH, Schema, Variable

BY_STEP = ("width", "seed", "step")
SCHEMA = Schema(
    "principal_component",
    "Training along one kernel principal component (JGH Figure 3)",
    {
        "eigenfunction": Variable(
            ("sample", "component"), "eigenfunction on the batch", "f^{(i)}(x)"
        ),
        "along": Variable(BY_STEP, "distance to the goal along the component", "||g_t||"),
        "across": Variable(BY_STEP, "deviation from the straight line", "||h_t||"),
        "limiting_along": Variable(
            ("step",),
            "infinite-width distance to the goal along the component",
            r"||g_t||, n = \infty",
        ),
        "eigenvalue": Variable(("component",), "eigenvalue of the limiting NTK", r"\lambda_i"),
        "network_eigenvalue": Variable(
            ("width", "seed", "component"), "eigenvalue of the empirical NTK at t = 0"
        ),
    },
    dict(label=LABEL, width=WIDTH, seed=SEED, step=STEP, time=TIME, component=COMPONENT),
    tolerance=TRAINED,
)

LEADING = 10
"""Number of components in the figure and the table, more if the trained one comes later."""


def measure(sources: Sources, *, component: int, amplitude: float) -> xr.Dataset:
    """Distances to the goal along and across the component, and eigenvalues of the networks.

    Norms are of p_in and sum over outputs; the goal lies `amplitude` x f^(component) from f_0 in
    each output. Empirical kernels are taken at the first recorded step, and their mean over
    outputs, trace_k Theta_kk / n_L. The store has the training points, and the first ten components
    or more, so that the trained one and its successor are among them.
    """
    ensembles, spectrum = sources.ensembles, sources.spectrum
    train = np.flatnonzero(spectrum["is_train"])
    mode = eigenfunction(spectrum, component).isel(sample=train).reset_coords(drop=True).compute()
    count = min(max(LEADING, component + 1), len(train))
    leading = spectrum.isel(sample=train, component=slice(count)).compute()
    pairs = {n: _distances(ensemble, mode, train) for n, ensemble in ensembles.items()}
    along = stack_widths({n: pair[0] for n, pair in pairs.items()})
    eigenvalues = {n: _eigenvalues(e, n, train, count) for n, e in ensembles.items()}
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
    return conform(statistics, SCHEMA)


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
    coordinates = {"seed": ensemble["seed"].to_numpy(), "component": np.arange(1, count + 1)}
    return xr.DataArray(np.array(rows), coordinates, ("seed", "component"))
