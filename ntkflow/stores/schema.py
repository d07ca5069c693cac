"""What each store holds: dimensions, dtypes, and the labels that travel with the data.

One `Schema` per kind of store, `conform` to label a Dataset before it is written and to refuse one
that does not fit. Symbols are those of Jacot, Gabriel & Hongler (2018), "JGH" below.

Dimensions have one name each, everywhere:

=================  ==========================================================================
``sample``         an input point, training points first; ``is_train`` tells which
``sample_prime``   the second argument of a kernel, same points in the same order
``feature``        coordinate of an input, n_0 of them
``output``         network output k, n_L of them; ``output_prime`` in kernels
``seed``           initialisation theta(0), drawn from a key folded with width and seed
``step``           gradient-descent step; ``time`` = step x learning rate
``kernel_step``    the steps at which the empirical NTK was recorded
``width``          the width n that the architecture's hidden layers scale with
``component``      kernel principal component, numbered from 1 as in the paper
``quantity``       name of a statistic in a width-scaling store
``quantile``       probability level of a limiting percentile
``kernel``         which kernel a regression is with: nngp or ntk
``size``           number of training points
=================  ==========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import xarray as xr

__all__ = ["SCHEMAS", "Schema", "SchemaError", "Variable", "conform"]


class SchemaError(ValueError):
    """A Dataset does not hold what its kind of store promises."""


@dataclass(frozen=True)
class Variable:
    """One array of a store: its dimensions, NumPy dtype kind(s), and labels."""

    dims: tuple[str, ...]
    long_name: str
    symbol: str = ""
    units: str = "1"
    kinds: str = "f"
    optional: bool = False

    @property
    def attrs(self) -> dict[str, str]:
        labels = {"long_name": self.long_name, "symbol": self.symbol, "units": self.units}
        return {name: value for name, value in labels.items() if value}


@dataclass(frozen=True)
class Schema:
    """The data variables and the coordinates of one kind of store."""

    title: str
    variables: Mapping[str, Variable]
    coordinates: Mapping[str, Variable] = field(default_factory=dict)


IS_TRAIN = Variable(("sample",), "whether the point is in the training set", kinds="b")
LABEL = Variable(("sample",), "digit shown", kinds="i", optional=True)
ANGLE = Variable(("sample",), "angle of the input in the plane", r"\gamma", "rad", optional=True)
SEED = Variable(("seed",), "index of the initialisation", kinds="i")
STEP = Variable(("step",), "gradient-descent step", kinds="i")
TIME = Variable(("step",), "training time, step x learning rate", "t")
WIDTH = Variable(("width",), "network width", "n", kinds="i")
COMPONENT = Variable(("component",), "kernel principal component", "i", kinds="i")
QUANTITY = Variable(("quantity",), "name of the statistic", kinds="UOT")

POINTS = {"is_train": IS_TRAIN, "label": LABEL, "angle": ANGLE}
KERNEL_DIMS = ("sample", "sample_prime", "output", "output_prime")

SCHEMAS: Mapping[str, Schema] = {
    "dataset": Schema(
        "Inputs and targets",
        {
            "x": Variable(("sample", "feature"), "input", "x"),
            "y": Variable(("sample", "output"), "target; NaN where it is not defined", "f^*"),
        },
        POINTS,
    ),
    "limiting": Schema(
        "Limiting kernels, n to infinity (JGH Proposition 1, Theorem 1)",
        {
            "nngp": Variable(("sample", "sample_prime"), "NNGP kernel", r"\Sigma^L"),
            "ntk": Variable(("sample", "sample_prime"), "limiting NTK", r"\Theta_\infty^L"),
        },
        POINTS,
    ),
    "empirical": Schema(
        "Empirical NTK of one network: of one output, or the trace over outputs",
        {"ntk": Variable(("sample", "sample_prime"), "empirical NTK", r"\Theta_{\theta}")},
        POINTS,
    ),
    "spectrum": Schema(
        "Kernel principal components of the limiting NTK on the training points (JGH Section 5)",
        {
            "eigenvalue": Variable(("component",), "eigenvalue of Theta(X, X) / N", r"\lambda_i"),
            "eigenfunction": Variable(
                ("sample", "component"), "eigenfunction, of unit norm under p_in", "f^{(i)}"
            ),
        },
        {**POINTS, "component": COMPONENT},
    ),
    "ensemble": Schema(
        "Networks of one width trained by gradient descent",
        {
            "f": Variable(("seed", "step", "sample", "output"), "network function", r"f_\theta"),
            "goal": Variable(("seed", "sample", "output"), "function trained towards", "f^*"),
            "cost": Variable(("seed", "step"), "least-squares cost", "C"),
            "ntk": Variable(
                ("seed", "kernel_step", *KERNEL_DIMS), "empirical NTK", r"\Theta", optional=True
            ),
        },
        {
            **POINTS,
            "seed": SEED,
            "step": STEP,
            "time": TIME,
            "kernel_step": Variable(("kernel_step",), "step of a recorded kernel", kinds="i"),
            "kernel_time": Variable(("kernel_step",), "time of a recorded kernel", "t"),
        },
    ),
    "initial_kernels": Schema(
        "Empirical NTK at initialisation, one kernel a seed",
        {"ntk": Variable(("seed", *KERNEL_DIMS), "empirical NTK at t = 0", r"\Theta(0)")},
        {**POINTS, "seed": SEED},
    ),
    "dynamics": Schema(
        "Kernel gradient descent with the limiting NTK, from each network's own f_0",
        {
            "f": Variable(
                ("seed", "step", "sample", "output"), "limiting dynamics of f", r"f_\infty"
            )
        },
        {**POINTS, "seed": SEED, "step": STEP, "time": TIME},
    ),
    "gaussian": Schema(
        "Limiting Gaussian of f_t over initialisations (JGH Section 5)",
        {
            "mean": Variable(("time", "sample", "output"), "mean of f_t", r"\mathrm{E} f_t"),
            "variance": Variable(("time", "sample"), "variance of f_t", r"\mathrm{Var} f_t"),
        },
        {**POINTS, "time": Variable(("time",), "training time", "t")},
    ),
    "kernel_profile": Schema(
        "NTK between one point of the circle and all others (JGH Figure 1)",
        {
            "ntk": Variable(
                ("width", "seed", "step", "sample"), "empirical NTK", r"\Theta(x_0, x)"
            ),
            "limiting_ntk": Variable(("sample",), "limiting NTK", r"\Theta_\infty^L(x_0, x)"),
        },
        {
            "width": WIDTH,
            "seed": SEED,
            "step": STEP,
            "time": TIME,
            "angle": Variable(("sample",), "angle of x", r"\gamma", "rad"),
        },
    ),
    "function_bands": Schema(
        "Network functions against percentiles of the limiting Gaussian (JGH Figure 2)",
        {
            "f": Variable(
                ("width", "seed", "time", "sample"), "network function", r"f_\theta(\gamma)"
            ),
            "percentile": Variable(
                ("quantile", "time", "sample"), "percentile of the limiting Gaussian"
            ),
            "train_y": Variable(("train_sample",), "target of a training point", "f^*"),
        },
        {
            "width": WIDTH,
            "seed": SEED,
            "time": Variable(("time",), "training time of the Gaussian; inf is the limit", "t"),
            "network_time": Variable(("time",), "training time of the networks", "t"),
            "quantile": Variable(("quantile",), "probability level"),
            "angle": Variable(("sample",), "angle of x", r"\gamma", "rad"),
            "train_angle": Variable(("train_sample",), "angle of a training point", "", "rad"),
        },
    ),
    "principal_component": Schema(
        "Training along one kernel principal component (JGH Figure 3)",
        {
            "eigenfunction": Variable(
                ("sample", "component"), "eigenfunction on the batch", "f^{(i)}(x)"
            ),
            "along": Variable(
                ("width", "seed", "step"), "distance to the goal along the component", "||g_t||"
            ),
            "across": Variable(
                ("width", "seed", "step"), "deviation from the straight line", "||h_t||"
            ),
            "limiting_along": Variable(("step",), "limit of the former", r"||g_t||, n = \infty"),
            "eigenvalue": Variable(("component",), "eigenvalue of the limiting NTK", r"\lambda_i"),
            "network_eigenvalue": Variable(
                ("width", "seed", "component"), "eigenvalue of the empirical NTK at t = 0"
            ),
        },
        {
            "label": LABEL,
            "width": WIDTH,
            "seed": SEED,
            "step": STEP,
            "time": TIME,
            "component": COMPONENT,
        },
    ),
    "width_scaling": Schema(
        "Approach of finite networks to the limit, with fitted exponents (JGH Theorems 1, 2)",
        {
            "value": Variable(("quantity", "width"), "statistic at one width"),
            "value_low": Variable(("quantity", "width"), "lower end of its 95 % interval"),
            "value_high": Variable(("quantity", "width"), "upper end of its 95 % interval"),
            "used": Variable(("quantity", "width"), "whether the fit uses it", kinds="b"),
            "spread": Variable(
                ("quantity", "width", "seed"), "statistic of one initialisation; NaN if none"
            ),
            "exponent": Variable(("quantity",), "slope of log value against log n"),
            "exponent_low": Variable(("quantity",), "lower end of its 95 % interval"),
            "exponent_high": Variable(("quantity",), "upper end of its 95 % interval"),
            "prefactor": Variable(("quantity",), "value of the fitted line at n = 1"),
            "expected": Variable(("quantity",), "exponent the theory gives"),
        },
        {"width": WIDTH, "seed": SEED, "quantity": QUANTITY},
    ),
    "kernel_regression": Schema(
        "Classification of test points by kernel regression, over training-set sizes",
        {
            "accuracy": Variable(("kernel", "size"), "share of test points classified right"),
            "accuracy_low": Variable(("kernel", "size"), "lower end of its 95 % interval"),
            "accuracy_high": Variable(("kernel", "size"), "upper end of its 95 % interval"),
            "squared_error": Variable(("kernel", "size"), "mean square of f - f* on test points"),
            "iterations": Variable(
                ("kernel", "size"), "iterations of conjugate gradients; 0 by Cholesky", kinds="i"
            ),
        },
        {
            "kernel": Variable(("kernel",), "kernel of the regression", kinds="UOT"),
            "size": Variable(("size",), "training-set size", "N", kinds="i"),
        },
    ),
}


def conform(dataset: xr.Dataset, kind: str) -> xr.Dataset:
    """Label `dataset` as a store of `kind`, with its variables in the schema's dimension order.

    Raises
    ------
    SchemaError
        If a variable or coordinate is missing, unknown, or has other dimensions or another kind
        of dtype than `SCHEMAS[kind]` states.
    """
    schema = SCHEMAS[kind]
    _check_names(dataset, schema, kind)
    data, coordinates = (
        {name: _labelled(dataset, name, entry, kind) for name, entry in entries.items()}
        for entries in (_present(dataset, schema.variables), _present(dataset, schema.coordinates))
    )
    attributes = {**dataset.attrs, "title": schema.title, "store": kind}
    return xr.Dataset(data, coordinates, attributes)


def _present(dataset: xr.Dataset, entries: Mapping[str, Variable]) -> dict[str, Variable]:
    return {name: entry for name, entry in entries.items() if name in dataset.variables}


def _labelled(dataset: xr.Dataset, name: str, entry: Variable, kind: str) -> xr.Variable:
    variable = dataset.variables[name]
    if set(variable.dims) != set(entry.dims) or variable.dtype.kind not in entry.kinds:
        raise SchemaError(
            f"{kind} store: {name!r} has dimensions {variable.dims} and dtype {variable.dtype}; "
            f"expected {entry.dims} and a dtype of kind {entry.kinds!r}"
        )
    ordered = variable.transpose(*entry.dims).copy(deep=False)
    ordered.attrs = {**variable.attrs, **entry.attrs}
    return ordered


def _check_names(dataset: xr.Dataset, schema: Schema, kind: str) -> None:
    for what, found, expected in (
        ("variable", dataset.data_vars, schema.variables),
        ("coordinate", dataset.coords, schema.coordinates),
    ):
        missing = [n for n, v in expected.items() if n not in found and not v.optional]
        unknown = [str(n) for n in found if n not in expected]
        if missing or unknown:
            raise SchemaError(
                f"{kind} store: {what}s missing: {missing or 'none'}, "
                f"unknown: {unknown or 'none'}; expected {list(expected)}"
            )
