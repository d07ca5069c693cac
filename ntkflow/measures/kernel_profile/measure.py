"""NTK between one point of the circle and all others, by width and time (JGH Figure 1)."""

import numpy as np
import xarray as xr

from ntkflow.analysis.ensembles import circle_points, recorded_kernels, stack_widths
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED_NTK
from ntkflow.stores.variables import SEED, STEP, TIME, WIDTH, Schema, Variable

SCHEMA = Schema(
    "kernel_profile",
    "NTK between one point of the circle and all others (JGH Figure 1)",
    {
        "ntk": Variable(("width", "seed", "step", "sample"), "empirical NTK", r"\Theta(x_0, x)"),
        "limiting_ntk": Variable(("sample",), "limiting NTK", r"\Theta_\infty^L(x_0, x)"),
    },
    {
        "width": WIDTH,
        "seed": SEED,
        "step": STEP,
        "time": TIME,
        "angle": Variable(("sample",), "angle of x", r"\gamma", "rad"),
    },
    tolerance=TRAINED_NTK,
)


def measure(sources: Sources, *, reference_angle: float) -> xr.Dataset:
    """Theta(x_0, x) of each network and its limit, for all test points x.

    x_0 is the test point whose angle is nearest to `reference_angle` (radians, modulo 2 pi). The
    attribute ``reference_angle`` is the angle of x_0. Steps are those at which kernels were
    recorded. Only the first output is used.
    """
    limiting = sources.limiting
    points = circle_points(limiting)
    angles = limiting["angle"].to_numpy()[points]
    nearest = np.argmin(np.abs(np.exp(1j * angles) - np.exp(1j * reference_angle)))
    pairs = {"sample": int(points[nearest]), "sample_prime": points}
    ntk = stack_widths(
        {
            width: _first_output(recorded_kernels(ensemble, width).isel(pairs))
            for width, ensemble in sources.ensembles.items()
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
    return conform(profile, SCHEMA)


def _first_output(kernels: xr.DataArray) -> xr.DataArray:
    """Kernels of output 0 as (seed, step, sample), with seed, step and time as coordinates."""
    first = kernels.isel(output=0, output_prime=0, drop=True)
    times = first["kernel_time"].to_numpy()
    bare = first.reset_coords(drop=True).astype(np.float64).compute()
    renamed = bare.rename(kernel_step="step", sample_prime="sample")
    return renamed.assign_coords(time=("step", times))
