"""NTK between one point of the circle and all others, by width and time (JGH Figure 1)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ntkflow.analysis.bootstrap import mean_with_interval
from ntkflow.analysis.ensembles import circle_points, recorded_kernels, stack_widths
from ntkflow.stores.schema import conform

__all__ = ["measure_kernel_profile", "tabulate"]


def measure_kernel_profile(
    ensembles: Mapping[int, xr.Dataset], limiting: xr.Dataset, reference_angle: float
) -> xr.Dataset:
    """Theta(x_0, x) of each network and its limit, x running over the test points by angle.

    x_0 is the test point whose angle is nearest to `reference_angle` (radians, modulo 2 pi). Of
    several outputs the first is taken.

    Parameters
    ----------
    ensembles
        "ensemble" stores by width, with kernels recorded.
    limiting
        The "limiting" store of the same points.
    reference_angle
        Angle of x_0 in radians.

    Returns
    -------
    xr.Dataset
        A "kernel_profile" store; ``step`` are the steps at which kernels were recorded. The
        attribute ``reference_angle`` is the angle of x_0.

    Raises
    ------
    ValueError
        If the points have no angle, none is a test point, or an ensemble has no kernels.
    """
    points = circle_points(limiting)
    angles = limiting["angle"].to_numpy()[points]
    nearest = np.argmin(np.abs(np.exp(1j * angles) - np.exp(1j * reference_angle)))
    pairs = {"sample": int(points[nearest]), "sample_prime": points}
    ntk = stack_widths(
        {
            width: _first_output(recorded_kernels(ensemble, width).isel(pairs))
            for width, ensemble in ensembles.items()
        }
    )
    profile = xr.Dataset(
        {
            "ntk": ntk,
            "limiting_ntk": ("sample", limiting["ntk"].isel(pairs).to_numpy().astype(np.float64)),
        },
        coords={"angle": ("sample", angles)},
        attrs={"reference_angle": float(angles[nearest])},
    )
    return conform(profile, "kernel_profile")


def _first_output(kernels: xr.DataArray) -> xr.DataArray:
    """Kernels of output 0 as (seed, step, sample), with seed, step and time as coordinates."""
    first = kernels.isel(output=0, output_prime=0, drop=True)
    times = first["kernel_time"].to_numpy()
    bare = first.reset_coords(drop=True).astype(np.float64).compute()
    renamed = bare.rename(kernel_step="step", sample_prime="sample")
    return renamed.assign_coords(time=("step", times))


def tabulate(statistics: xr.Dataset) -> pd.DataFrame:
    """Distance of the profiles from their limit, one row a width and a time.

    Norms are of L^2 over the circle, by the trapezoidal rule in the angle. Each column is a mean
    over initialisations, followed by its 95 % bootstrap interval:

    - ``relative_error``: ||Theta - Theta_inf|| / ||Theta_inf||
    - ``inflation``: <Theta, Theta_inf> / ||Theta_inf||^2, the mean of Theta / Theta_inf with
      weights Theta_inf^2, which is defined even where the limit crosses zero
    - ``drift``: ||Theta(t) - Theta(0)|| / ||Theta(0)||, from the first recorded time
    """
    statistics = statistics.compute()
    network, limit = statistics["ntk"], statistics["limiting_ntk"]
    first = network.isel(step=0, drop=True)
    overlap = (network * limit).integrate("angle") / _norm(limit) ** 2
    summary = xr.merge(
        [
            mean_with_interval(_norm(network - limit) / _norm(limit), "relative_error"),
            mean_with_interval(overlap, "inflation"),
            mean_with_interval(_norm(network - first) / _norm(first), "drift"),
        ]
    )
    return summary.to_dataframe().reset_index()[["width", "step", "time", *summary.data_vars]]


def _norm(function: xr.DataArray) -> xr.DataArray:
    return (function**2).integrate("angle") ** 0.5
