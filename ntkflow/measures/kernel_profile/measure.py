"""NTK between one point of the circle and all others, by width and time (JGH Figure 1).

The claim has the numbers that JGH read off the figure. At initialisation, from untrained networks
of narrow widths, of which many can be drawn:

- the mean of Theta(x_0, x) over networks is the limit, up to 1/n, which is extrapolated. Its scale
  is that of <Theta, Theta_inf> / ||Theta_inf||^2 over the points x;
- the variance of Theta(x_0, x_0) is exact at any width for ReLU (`ntkflow.kernels.moments`), and
  falls like 1/n.

In training, from the networks of the figure: the kernel of the narrowest grows, and that of the
widest changes less. The bound of Theorem 2 is a ratio of at most (n / n')^(1/2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Float, Inputs, Key, SeedKeys
from ntkflow.analysis.convergence import squared_bias
from ntkflow.analysis.ensembles import circle_points, recorded_kernels, stack_widths
from ntkflow.analysis.jackknife import batches, jackknife
from ntkflow.kernels.batches import map_batches
from ntkflow.measures.common.evidence import Quantity
from ntkflow.measures.common.exact import exact_means, has_exact_means
from ntkflow.measures.common.laws import mean, over_theory, weights_of_limit
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.model import Model
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED_NTK
from ntkflow.stores.variables import SEED, STEP, TIME, WIDTH, Schema, Variable

PRECISION = "float32"

SCHEMA = Schema(
    "kernel_profile",
    "NTK between one point of the circle and all others (JGH Figure 1)",
    {
        "ntk": Variable(("width", "seed", "step", "sample"), "empirical NTK", r"\Theta(x_0, x)"),
        "limiting_ntk": Variable(("sample",), "limiting NTK", r"\Theta_\infty^L(x_0, x)"),
        "initial_ntk": Variable(
            ("initial_width", "batch", "probe"),
            "NTK of untrained networks, mean over a batch",
            r"\Theta(x_0, x)",
            optional=True,
        ),
        "initial_square": Variable(
            ("initial_width", "batch"),
            "(Theta(x_0, x_0) / Theta_inf - 1)^2 of untrained networks, mean over a batch",
            optional=True,
        ),
        "exact_variance": Variable(
            ("initial_width",),
            "variance of Theta(x_0, x_0) / Theta_inf by theory; NaN if not known",
            optional=True,
        ),
    },
    {
        "width": WIDTH,
        "seed": SEED,
        "step": STEP,
        "time": TIME,
        "angle": Variable(("sample",), "angle of x", r"\gamma", "rad"),
        "initial_width": Variable(
            ("initial_width",), "width of untrained networks", "n", kinds="i", optional=True
        ),
        "probe": Variable(
            ("probe",), "place among the points x, of untrained networks", kinds="i", optional=True
        ),
    },
    tolerance=TRAINED_NTK,
)


PROBES = 24
"""About how many points x the kernels of untrained networks have, evenly spaced."""
AT_ONCE = 2**21
"""Parameters of untrained networks that are held at once, so that they stay in the cache."""

MEAN = 0.03, "limits of another depth or beta differ by more"
SHAPE = 0.05**2, "the square of five per cent; those of another depth or beta differ by more"
VARIANCE = 0.15, "another depth or beta, or a factor of two in n, changes it by more"
START = 0.1, "terms of order 1/n from pairs of points; on the diagonal ReLU has none"
SIGN = 0.0, "a sign"
BOUND = 0.0, "none: an upper bound"


def measure(
    sources: Sources, *, reference_angle: float, untrained: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """Theta(x_0, x) of each network and its limit, for all test points x.

    x_0 is the test point whose angle is nearest to `reference_angle` (radians, modulo 2 pi). The
    attribute ``reference_angle`` is the angle of x_0. Steps are those at which kernels were
    recorded. Only the first output is used. `untrained` has the widths and the number of untrained
    networks, of which batch means are stored.
    """
    limiting = sources.limiting
    points = circle_points(limiting)
    angles = limiting["angle"].to_numpy()[points]
    nearest = int(np.argmin(np.abs(np.exp(1j * angles) - np.exp(1j * reference_angle))))
    pairs = {"sample": int(points[nearest]), "sample_prime": points}
    ntk = stack_widths(
        {
            width: _first_output(recorded_kernels(ensemble, width).isel(pairs))
            for width, ensemble in sources.ensembles.items()
        }
    )
    limit = limiting["ntk"].isel(pairs).to_numpy().astype(np.float64)
    profile = xr.Dataset(
        {"ntk": ntk, "limiting_ntk": ("sample", limit)},
        coords={"angle": ("sample", angles)},
        attrs={"reference_angle": float(angles[nearest])},
    )
    if untrained:
        x = np.asarray(sources.dataset["x"].values[points], np.float64)
        profile = profile.merge(_untrained(sources, x, nearest, limit[nearest], **untrained))
        profile.attrs["draws"] = untrained["draws"]
    return conform(profile, SCHEMA)


def _first_output(kernels: xr.DataArray) -> xr.DataArray:
    """Kernels of output 0 as (seed, step, sample), with seed, step and time as coordinates."""
    first = kernels.isel(output=0, output_prime=0, drop=True)
    times = first["kernel_time"].to_numpy()
    bare = first.reset_coords(drop=True).astype(np.float64).compute()
    renamed = bare.rename(kernel_step="step", sample_prime="sample")
    return renamed.assign_coords(time=("step", times))


def _untrained(
    sources: Sources, x: np.ndarray, reference: int, limit: float, widths: Sequence[int], draws: int
) -> xr.Dataset:
    """Batch means of the kernels of untrained networks, between x[reference] and some of x."""
    probes = np.union1d(np.arange(0, len(x), max(1, len(x) // PROBES)), reference)
    found, squares, exact = [], [], []
    for n in sorted(widths):
        network = sources.architectures[n]
        keys = seed_keys(sources.seed, n, draws)
        drawn = np.asarray(profiles(keys, x[reference], x[probes], network), np.float64)
        ratio = drawn[:, np.flatnonzero(probes == reference)[0]] / limit
        found.append(batches(drawn))
        squares.append(batches((ratio - 1) ** 2))
        known = has_exact_means([network])
        exact.append(
            exact_means(sources.theory[n], x[[reference]], "ntk_variance")[0] if known else np.nan
        )
        sources.progress(f"{draws} untrained networks of width {n}")
    return xr.Dataset(
        {
            "initial_ntk": (("initial_width", "batch", "probe"), np.array(found)),
            "initial_square": (("initial_width", "batch"), np.array(squares)),
            "exact_variance": ("initial_width", np.array(exact)),
        },
        {"initial_width": sorted(widths), "probe": probes},
    )


def profiles(
    keys: SeedKeys, reference: np.ndarray, x: np.ndarray, network: Model
) -> Float[np.ndarray, "s p"]:
    """Theta(x_0, x) of the first output at theta(0), one network per key, for all rows of x."""
    batch = max(1, min(len(keys), AT_ONCE // network.parameter_count(x.shape[1])))
    points = np.asarray(np.vstack([reference, x]), np.float32)
    return np.asarray(_profiles(keys, points, network, batch))


@partial(jax.jit, static_argnums=(2, 3))
def _profiles(keys: SeedKeys, points: Inputs, network: Model, batch: int) -> Array:
    def profile(key: Key[Array, ""]) -> Array:
        theta = network.init(key, points.shape[1], points.dtype)
        return network.empirical_ntk(theta, points[:1], points[1:], outputs=0)[0, :, 0, 0]

    return map_batches(profile, keys, batch)


def claims(statistics: xr.Dataset) -> list[Quantity]:
    """Mean and variance at initialisation, and growth in training, narrowest to widest."""
    statistics = statistics.compute()
    start = _initial_claims if "initial_ntk" in statistics else _first_record
    return [*start(statistics), *_training_claims(statistics)]


def _initial_claims(statistics: xr.Dataset) -> list[Quantity]:
    """Mean profile in the limit, and the variance at x_0 at each width."""
    draws = int(statistics.attrs["draws"])
    widths = [int(n) for n in statistics["initial_width"].values]
    limit = statistics["limiting_ntk"].values[statistics["probe"].values]
    groups = [*statistics["initial_ntk"].values]
    weights, scale = weights_of_limit(widths), limit / (limit @ limit)

    def size(samples: Sequence[np.ndarray]) -> float:
        return float(weights @ [sample.mean(axis=0) @ scale for sample in samples])

    def distance(samples: Sequence[np.ndarray]) -> float:
        return extrapolated_square([(s - limit) / np.linalg.norm(limit) for s in samples], weights)

    found = [
        Quantity(name, jackknife(statistic, groups), "equals", expected, *margin, draws)
        for name, statistic, expected, margin in (
            ("mean of Theta(x_0, x) at t = 0 as n → ∞, over the limit", size, 1.0, MEAN),
            ("squared relative distance of that mean from the limit", distance, 0.0, SHAPE),
        )
    ]
    exact = dict(zip(widths, statistics["exact_variance"].values.tolist(), strict=True))
    if np.isfinite([*exact.values()]).all():
        squares = dict(zip(widths, statistics["initial_square"].values, strict=True))
        variances, _ = over_theory("variance of Theta(x_0, x_0)", squares, exact, *VARIANCE)
        found += [replace(each, seeds=draws) for each in variances]
    return found


def extrapolated_square(samples: Sequence[np.ndarray], weights: np.ndarray) -> float:
    """Squared norm of sum_w weights_w E e_w from e_w (draw, ...), without the noise of means."""
    means = [sample.mean(axis=0) for sample in samples]
    whole = np.sum(np.tensordot(weights, means, 1) ** 2)
    noise = [np.sum(m**2) - squared_bias(s) for m, s in zip(means, samples, strict=True)]
    return float(whole - weights**2 @ noise)


def _first_record(statistics: xr.Dataset) -> list[Quantity]:
    """Mean profile of the widest networks at the first record, in place of untrained ones."""
    width = int(statistics["width"].values[-1])
    name = f"mean of Theta(x_0, x) at t = {statistics['time'].values[0]:g}, n = {width}, over limit"
    return [mean(name, _sizes(statistics)[width][:, 0], "equals", 1.0, *START)]


def _training_claims(statistics: xr.Dataset) -> list[Quantity]:
    """Growth of the narrowest kernels, and the change of the widest over theirs."""
    sizes = _sizes(statistics)
    if statistics.sizes["step"] < 2:
        return []
    narrow, wide = min(sizes), max(sizes)
    growth = sizes[narrow][:, -1] - sizes[narrow][:, 0]
    found = [mean(f"growth in training, n = {narrow}", growth, "at least", 0.0, *SIGN)]
    if wide > narrow:
        changes = [_changes(statistics, n) for n in (wide, narrow)]
        ratio = jackknife(lambda each: float(each[0].mean() / each[1].mean()), changes, log=True)
        bound, name = (narrow / wide) ** 0.5, f"change in training, n = {wide} over n = {narrow}"
        seeds = min(map(len, changes))
        found.append(Quantity(name, ratio, "at most", bound, *BOUND, seeds))
    return found


def _sizes(statistics: xr.Dataset) -> dict[int, np.ndarray]:
    """<Theta, Theta_inf> / ||Theta_inf||^2 over the points x of each network, (seed, step)."""
    limit = statistics["limiting_ntk"].values
    return {
        int(n): _networks(statistics, n) @ limit / (limit @ limit)
        for n in statistics["width"].values
    }


def _changes(statistics: xr.Dataset, width: int) -> np.ndarray:
    """Relative change of each network's profile from the first to the last record, (seed,)."""
    ntk = _networks(statistics, width)
    change = np.linalg.norm(ntk[:, -1] - ntk[:, 0], axis=1)
    return np.asarray(change / np.linalg.norm(ntk[:, 0], axis=1))


def _networks(statistics: xr.Dataset, width: int) -> np.ndarray:
    """Profiles of the networks of one width, (seed, step, sample)."""
    ntk = statistics["ntk"].sel(width=width).transpose("seed", "step", "sample")
    return np.asarray(ntk.dropna("seed").values)
