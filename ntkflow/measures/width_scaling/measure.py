"""Approach to the infinite-width limit over a grid of widths, with fitted exponents.

Intervals and fits are those of `power_law`. Only the bias has the plain percentile interval, since
it has many draws. Its noise grows with n relative to the bias, but all widths have equal weight:
weights from the noise would narrow the interval, and favour narrow networks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ntkflow.analysis import convergence, power_law
from ntkflow.analysis.bootstrap import REPLICATES, percentile_interval
from ntkflow.analysis.ensembles import recorded_kernels
from ntkflow.analysis.power_law import DRIFT, DRIFT_BOUND, Estimate, estimate_mean
from ntkflow.measures.common.evidence import Quantity, Relation
from ntkflow.measures.common.exponents import recorded
from ntkflow.measures.common.sources import Sources
from ntkflow.stores.schema import conform
from ntkflow.stores.tolerances import TRAINED
from ntkflow.stores.variables import QUANTITY, SEED, WIDTH, Schema, Variable

BY_WIDTH = ("quantity", "width")
SCHEMA = Schema(
    "width_scaling",
    "Approach of finite networks to the limit, with fitted exponents (JGH Theorems 1, 2)",
    {
        "value": Variable(BY_WIDTH, "statistic at one width"),
        "value_low": Variable(BY_WIDTH, "lower end of its 95 % interval"),
        "value_high": Variable(BY_WIDTH, "upper end of its 95 % interval"),
        "used": Variable(BY_WIDTH, "whether the fit uses it", kinds="b"),
        "spread": Variable((*BY_WIDTH, "seed"), "statistic of one initialisation; NaN if none"),
        "exponent": Variable(("quantity",), "slope of log value against log n"),
        "exponent_low": Variable(("quantity",), "lower end of its 95 % interval"),
        "exponent_high": Variable(("quantity",), "upper end of its 95 % interval"),
        "prefactor": Variable(("quantity",), "value of the fitted line at n = 1"),
        "expected": Variable(("quantity",), "exponent the theory gives"),
    },
    {"width": WIDTH, "seed": SEED, "quantity": QUANTITY},
    tolerance=TRAINED,
)

EXPECTED: Mapping[str, float] = {
    "spread of the NTK at initialisation": -0.5,
    "bias of its mean, off the diagonal": -1.0,
    DRIFT: DRIFT_BOUND,
    "distance of f from its limiting dynamics": -0.5,
}
"""Exponents of the theory by quantity. That of the drift is an upper bound."""

DRAWN = 50
"""Largest number of initialisations stored one by one for drawing."""


def measure(sources: Sources) -> xr.Dataset:
    """The four quantities of `EXPECTED` at each width, and the exponent of each in the width.

    Spread, drift and distance are means over initialisations of `convergence.initial_spread`,
    `kernel_drift` and `distance_from_dynamics`. The spread uses the initial kernels or, at widths
    without them, the first kernels recorded in training. The bias is the square root of
    `convergence.squared_bias`. The fit uses the widths at which the lower end of the interval is
    above zero. A bias below its noise is not used. The other quantities are means of norms, whose
    lower end is positive if there are two initialisations and no norm is 0; a single
    initialisation has no interval and is not used. A quantity is NaN, and not used, at widths
    without it.
    """
    widths = sorted({*sources.ensembles, *sources.initial})
    by_width = [_estimates(sources, n) for n in widths]
    return _assemble(widths, list(zip(*by_width, strict=True)))


def _estimates(sources: Sources, width: int) -> tuple[Estimate, ...]:
    """The quantities of `EXPECTED` at one width."""
    rng = np.random.default_rng([0, width])
    missing = Estimate(np.nan, np.full(2, np.nan), np.full(REPLICATES, np.nan), np.empty(0))
    bias, drift, distance = missing, missing, missing
    ensemble, limiting = sources.ensembles.get(width), sources.limiting
    if width in sources.initial:
        untrained = sources.initial[width].compute()
        bias = _bias(untrained, limiting, rng)
    else:
        untrained = sources.ensembles[width].isel(kernel_step=0).compute()
    spread = estimate_mean(convergence.initial_spread(untrained, limiting), REPLICATES, rng)
    if ensemble is not None:
        drifts = convergence.kernel_drift(recorded_kernels(ensemble, width))
        distances = convergence.distance_from_dynamics(ensemble, sources.dynamics[width])
        drift = estimate_mean(drifts[:, -1], REPLICATES, rng)
        distance = estimate_mean(distances, REPLICATES, rng)
    return spread, bias, drift, distance


def _bias(initial: xr.Dataset, limiting: xr.Dataset, rng: np.random.Generator) -> Estimate:
    errors = convergence.mean_errors(initial, limiting)
    squares = convergence.squared_bias_replicates(errors, REPLICATES, rng)
    roots = np.sqrt(np.maximum(squares, 0))
    value = float(np.sqrt(max(convergence.squared_bias(errors), 0)))
    return Estimate(value, percentile_interval(roots), roots, np.empty(0))


def _assemble(widths: Sequence[int], by_quantity: Sequence[Sequence[Estimate]]) -> xr.Dataset:
    """Store from estimates by quantity and width."""
    value = np.array([[e.value for e in row] for row in by_quantity])
    replicates = np.array([[e.replicates for e in row] for row in by_quantity])
    low, high = np.array([[e.interval for e in row] for row in by_quantity]).transpose(2, 0, 1)
    used = low > 0
    fits = [
        power_law.fit_power_law(np.array(widths)[u], v[u], r[u].T)
        for u, v, r in zip(used, value, replicates, strict=True)
    ]
    drawn = min(DRAWN, max(len(e.spread) for row in by_quantity for e in row))
    spread = np.full((*value.shape, drawn), np.nan)
    for q, w in np.ndindex(value.shape):
        kept = by_quantity[q][w].spread[:drawn]
        spread[q, w, : len(kept)] = kept
    variables = {
        "value": (BY_WIDTH, value),
        "value_low": (BY_WIDTH, low),
        "value_high": (BY_WIDTH, high),
        "used": (BY_WIDTH, used),
        "spread": ((*BY_WIDTH, "seed"), spread),
        "expected": ("quantity", list(EXPECTED.values())),
    }
    for name in power_law.PowerLaw._fields:
        variables[name] = ("quantity", [getattr(fit, name) for fit in fits])
    coordinates = {"quantity": list(EXPECTED), "width": list(widths), "seed": np.arange(drawn)}
    return conform(xr.Dataset(variables, coordinates), SCHEMA)


def claims(statistics: xr.Dataset) -> list[Quantity]:
    """Exponents that the theorems predict; for the drift, only an upper bound."""
    relations: dict[str, Relation] = {DRIFT: "at most"}
    return [
        recorded(statistics.sel(quantity=name), name, relations.get(name, "equals"))
        for name in statistics["quantity"].values.tolist()
    ]
