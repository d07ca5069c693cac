"""Training along one kernel principal component (JGH Figure 3).

The residual r_t = f_t - f* on the training points has a part g_t = <r_t, f^(k)>_pin along the
component k and a part h_t = r_t - g_t f^(k) across it. In the limit h_t = 0 and
|g_t| = |g_0| exp(-lambda_k t): the network function moves along a straight line. The limit is drawn
for steps of gradient descent with rate eta, |g_t| = |g_0| (1 - eta lambda_k)^(t / eta).

The claim has, at t = 0 and from many `untrained` networks:

- the rate of |g_t| over lambda_k, extrapolated by 1/n;
- the exponent in n of d||h_t|| / d|g_t|, the tangent of the angle between the first step and the
  straight line. It is -1/2.

In training, where the kernel grows by a factor of order 1 at the smallest width, from the widest
and the narrowest networks:

- the excess of the rate at the record nearest to lambda_k t = 1 over that of the limit. The
  inflation v^T Theta_0 v / (N lambda_k) - 1 of each network, with v = f^(k)(X) / sqrt(N), is
  subtracted: to first order it is the part of Theta_0 - Theta_inf, and its mean is of order 1/n.
  The rest is the movement of the kernel, at most of order n^(-1/2) by Theorem 2;
- the exponent in n of sup_t ||h_t||, minus that of the same networks linearised at theta(0). The
  latter is -1/2 to leading order, with higher orders that are large at these widths. The kernel
  grows in training, which makes sup_t ||h_t|| smaller by about a fifth at each of n = 100 to 500.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.ensembles import recorded_kernels, stack_widths
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.analysis.spectrum import eigenfunction, leading_eigenvalues
from ntkflow.measures.common.evidence import Quantity
from ntkflow.measures.common.laws import (
    SLOPE_MARGIN,
    SLOPE_REASON,
    exponent,
    mean,
    weights_of_limit,
)
from ntkflow.measures.common.linearised import descent
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.principal_component.initial import speeds
from ntkflow.networks.mlp import seed_keys
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
        "inflation": Variable(
            ("width", "seed"), "empirical NTK at t = 0 along the component, over its eigenvalue"
        ),
        "linear_across": Variable(
            BY_STEP, "deviation from the straight line of linearised networks", optional=True
        ),
        "initial_rate": Variable(
            ("initial_width", "draw"),
            "rate along the component at t = 0 of untrained networks, over its eigenvalue",
            optional=True,
        ),
        "initial_slope": Variable(
            ("initial_width", "draw"),
            "speed of the deviation from the straight line at t = 0, over that along it",
            optional=True,
        ),
    },
    dict(
        label=LABEL,
        width=WIDTH,
        seed=SEED,
        step=STEP,
        time=TIME,
        component=COMPONENT,
        initial_width=Variable(
            ("initial_width",), "width of untrained networks", "n", kinds="i", optional=True
        ),
    ),
    tolerance=TRAINED,
)

LEADING = 10
"""Number of components in the figure and the table, more if the trained one comes later."""

PRECISION = "float32"

RATE = 0.1, "half the difference that a kernel makes which is a fifth too large"
BOUND = 0.0, "none: an upper bound"


def measure(
    sources: Sources,
    *,
    component: int,
    amplitude: float,
    untrained: Mapping[str, Any] | None = None,
) -> xr.Dataset:
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
    eigenvalue = float(spectrum["eigenvalue"].sel(component=component))
    rate = float(along["time"][-1] / along["step"][-1])
    decay = abs(1 - rate * eigenvalue) ** along["step"].astype(np.float64)
    inflation = {n: _inflation(e, n, mode, train) for n, e in ensembles.items()}
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
            "inflation": stack_widths(inflation) / eigenvalue,
        },
        attrs={"component": component, "amplitude": float(amplitude)},
    )
    if untrained:
        statistics.update(_untrained(sources, train, mode.values, eigenvalue, **untrained))
    if outputs == 1:
        linear = {n: _linear(e, n, mode, train) for n, e in ensembles.items()}
        statistics["linear_across"] = stack_widths(linear)
    return conform(statistics, SCHEMA)


def _untrained(
    sources: Sources,
    train: NDArray[np.intp],
    mode: np.ndarray,
    eigenvalue: float,
    widths: Sequence[int],
    draws: int,
) -> xr.Dataset:
    """Rates and directions at t = 0 of untrained networks."""
    x, rates, slopes = sources.dataset["x"].values[train], [], []
    for n in sorted(widths):
        keys = seed_keys(sources.seed, n, draws)
        along, across = speeds(keys, x, mode, sources.architectures[n]).T
        rates.append(along / eigenvalue)
        slopes.append(across / along)
        sources.progress(f"{draws} untrained networks of width {n}")
    dims = ("initial_width", "draw")
    variables = {
        "initial_rate": (dims, np.array(rates)),
        "initial_slope": (dims, np.array(slopes)),
    }
    return xr.Dataset(variables, {"initial_width": sorted(widths)})


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


def _linear(
    ensemble: xr.Dataset, width: int, mode: xr.DataArray, train: NDArray[np.intp]
) -> xr.DataArray:
    """||h_t||_pin (seed, step) of the networks linearised at theta(0), of one output."""
    pair = ensemble[["f", "goal"]].isel(sample=train, output=0).astype(np.float64).compute()
    start = pair["f"].isel(step=0).transpose("seed", "sample").values
    goal = pair["goal"].transpose("seed", "sample").values
    steps = ensemble["step"].to_numpy()
    rate = float(ensemble["time"][-1] / steps[-1])
    kernels, found = _initial_traces(ensemble, width, train), []
    for one in range(len(start)):  # kernels of one network at a time
        f = descent(start[[one]], goal[[one]], kernels[one][None], rate, steps)
        residual = f[0] - goal[one]
        across = residual - np.outer(residual @ mode.values / len(mode), mode.values)
        found.append((across**2).mean(axis=1) ** 0.5)
    kept = {name: ensemble[name].variable for name in ("seed", "step", "time")}
    return xr.DataArray(np.array(found), kept, ("seed", "step"))


def _inflation(
    ensemble: xr.Dataset, width: int, mode: xr.DataArray, train: NDArray[np.intp]
) -> xr.DataArray:
    """v^T Theta v / N (seed,) of the first recorded kernels, v the component on the points."""
    kernels, count = _initial_traces(ensemble, width, train), len(train)
    found = np.array([mode.values @ kernel @ mode.values / count**2 for kernel in kernels])
    return xr.DataArray(found, {"seed": ensemble["seed"].to_numpy()}, ("seed",))


def _initial_traces(
    ensemble: xr.Dataset, width: int, train: NDArray[np.intp]
) -> NDArray[np.float64]:
    """First recorded kernels on the training points, mean over outputs, (seed, N, N)."""
    first = recorded_kernels(ensemble, width).isel(kernel_step=0, sample=train, sample_prime=train)
    ordered = first.transpose("output", "output_prime", "seed", "sample", "sample_prime")
    return np.trace(ordered.to_numpy().astype(np.float64)) / first.sizes["output"]


def _eigenvalues(
    ensemble: xr.Dataset, width: int, train: NDArray[np.intp], count: int
) -> xr.DataArray:
    """Leading eigenvalues (seed, component) of the first recorded kernels."""
    rows = [
        leading_eigenvalues(kernel, count) for kernel in _initial_traces(ensemble, width, train)
    ]
    coordinates = {"seed": ensemble["seed"].to_numpy(), "component": np.arange(1, count + 1)}
    return xr.DataArray(np.array(rows), coordinates, ("seed", "component"))


def claims(statistics: xr.Dataset) -> list[Quantity]:
    """Rate and speed at initialisation, and both parts of the way in training."""
    statistics = statistics.compute()
    start = _initial_claims if "initial_rate" in statistics else _first_record
    found = start(statistics)
    narrow, wide = (int(statistics["width"].values[place]) for place in (0, -1))
    if wide == narrow:
        return found
    between, bound = f"n = {wide} over n = {narrow}", (narrow / wide) ** 0.5
    pair = [statistics.sel(width=n).dropna("seed", how="all") for n in (wide, narrow)]
    seeds, excess = min(each.sizes["seed"] for each in pair), [_excess(each) for each in pair]
    ratio = jackknife(lambda groups: float(groups[0].mean() / groups[1].mean()), excess)
    name = f"excess of the rate along the component, {between}"
    found.append(Quantity(name, ratio, "at most", bound, *BOUND, seeds))
    if "linear_across" in statistics:
        found.append(_fall(statistics))
    return found


def _initial_claims(statistics: xr.Dataset) -> list[Quantity]:
    """Rate along the component in the limit, and the exponent of the speed across it."""
    widths = [int(n) for n in statistics["initial_width"].values]
    rates, weights = [*statistics["initial_rate"].values], weights_of_limit(widths)
    rate = jackknife(lambda each: float(weights @ [g.mean() for g in each]), [*map(batches, rates)])
    name = "rate along the component at t = 0 as n → ∞, over its eigenvalue"
    found = [Quantity(name, rate, "equals", 1.0, *RATE, len(rates[0]))]
    if len(widths) > 1:
        slopes = dict(zip(widths, statistics["initial_slope"].values, strict=True))
        found.append(exponent("exponent of d||h|| / d|g| at t = 0", slopes, -0.5)[0])
    return found


def _first_record(statistics: xr.Dataset) -> list[Quantity]:
    """Rate at the first record of the widest networks, in place of untrained ones."""
    width = int(statistics["width"].values[-1])
    rates = statistics["inflation"].sel(width=width).dropna("seed").values
    name = f"rate along the component at the first record, n = {width}, over its eigenvalue"
    return [mean(name, rates, "equals", 1.0, *RATE)]


def _fall(statistics: xr.Dataset) -> Quantity:
    """Exponent of sup ||h|| minus that of linearised networks, from the ratio of each network."""
    logs = np.log(statistics["width"].values.astype(np.float64))
    weights = (logs - logs.mean()) / np.sum((logs - logs.mean()) ** 2)
    across, linear = (statistics[name].max("step") for name in ("across", "linear_across"))
    ratios = across / linear
    groups = [np.log(ratios.isel(width=i).dropna("seed").values) for i in range(len(logs))]
    slope = jackknife(lambda each: float(weights @ [group.mean() for group in each]), groups)
    name = "exponent of sup ||h|| minus that of linearised networks"
    seeds = min(map(len, groups))
    return Quantity(name, slope, "equals", 0.0, SLOPE_MARGIN, SLOPE_REASON, seeds)


def _excess(networks: xr.Dataset) -> np.ndarray:
    """Rates of |g_t| over that of the limit, minus the inflation at t = 0, (seed,)."""
    step, time = networks["step"].values, networks["time"].values
    eigenvalue = float(networks["eigenvalue"].sel(component=networks.attrs["component"]))
    logs = step * np.log1p(-eigenvalue * time[-1] / step[-1])
    record = int(np.abs(logs + 1).argmin())
    along = networks["along"].transpose("seed", "step").values
    rates = np.log(along[:, record] / along[:, 0]) / logs[record]
    return np.asarray(rates - networks["inflation"].values)
