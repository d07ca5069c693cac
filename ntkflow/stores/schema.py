"""Contents of the stores that measures read: dimensions, dtypes and labels.

Each measure has a schema of its statistics in its folder. `conform` labels a Dataset before it is
written, and rejects one that does not fit. Symbols are those of Jacot, Gabriel & Hongler (2018),
"JGH" below.

Names of dimensions, everywhere:

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
``landmarks``      number of landmarks of a regression; ``landmark`` is the index of one
=================  ==========================================================================
"""

from collections.abc import Mapping

import xarray as xr

from ntkflow.stores.tolerances import (
    LANDMARKS,
    LANDMARKS_SINGLE,
    ROUNDING,
    SINGLE,
    SOLVED,
    TRAINED,
    TRAINED_NTK,
    UNDETERMINED,
)
from ntkflow.stores.variables import (
    COMPONENT,
    FEATURE,
    KERNEL_STEP,
    KERNEL_TIME,
    POINTS,
    SEED,
    STEP,
    TIME,
    Schema,
    Variable,
)


class SchemaError(ValueError):
    """A Dataset does not fit the schema of its kind of store."""


PAIR = ("sample", "sample_prime")
KERNEL_DIMS = (*PAIR, "output", "output_prime")
FUNCTION_DIMS = ("seed", "step", "sample", "output")
AT_STEPS = {**POINTS, "seed": SEED, "step": STEP, "time": TIME}

_KINDS = (
    Schema(
        "dataset",
        "Inputs and targets",
        {
            "x": Variable(("sample", "feature"), "input", "x"),
            "y": Variable(("sample", "output"), "target; NaN where it is not defined", "f^*"),
        },
        POINTS | {"feature": FEATURE},
        tolerance=ROUNDING,
    ),
    Schema(
        "limiting",
        "Limiting kernels, n to infinity (JGH Proposition 1, Theorem 1)",
        {
            "nngp": Variable(PAIR, "NNGP kernel", r"\Sigma^L"),
            "ntk": Variable(PAIR, "limiting NTK", r"\Theta_\infty^L"),
        },
        POINTS,
        tolerance=ROUNDING,
        float32=SINGLE,
    ),
    Schema(
        "empirical",
        "Empirical NTK of one network: of one output, or the trace over outputs",
        {"ntk": Variable(PAIR, "empirical NTK", r"\Theta_{\theta}")},
        POINTS,
        tolerance=SINGLE,
    ),
    Schema(
        "spectrum",
        "Kernel principal components of the limiting NTK on the training points (JGH Section 5)",
        {
            "eigenvalue": Variable(("component",), "eigenvalue of Theta(X, X) / N", r"\lambda_i"),
            "eigenfunction": Variable(
                ("sample", "component"),
                "eigenfunction, of unit norm under p_in",
                "f^{(i)}",
                tolerance=SOLVED,
            ),
        },
        {**POINTS, "component": COMPONENT},
        tolerance=ROUNDING,
    ),
    Schema(
        "ensemble",
        "Networks of one width trained by gradient descent",
        {
            "f": Variable(FUNCTION_DIMS, "network function", r"f_\theta"),
            "goal": Variable(("seed", "sample", "output"), "function trained towards", "f^*"),
            "cost": Variable(("seed", "step"), "cost on the training points", "C"),
            "ntk": Variable(
                ("seed", "kernel_step", *KERNEL_DIMS),
                "empirical NTK",
                r"\Theta",
                optional=True,
                tolerance=TRAINED_NTK,
            ),
        },
        AT_STEPS | {"kernel_step": KERNEL_STEP, "kernel_time": KERNEL_TIME},
        tolerance=TRAINED,
    ),
    Schema(
        "initial_kernels",
        "Empirical NTK at initialisation, one kernel a seed",
        {"ntk": Variable(("seed", *KERNEL_DIMS), "empirical NTK at t = 0", r"\Theta(0)")},
        {**POINTS, "seed": SEED},
        tolerance=SINGLE,
    ),
    Schema(
        "dynamics",
        "Kernel gradient descent with the limiting NTK, from each network's own f_0",
        {"f": Variable(FUNCTION_DIMS, "limiting dynamics of f", r"f_\infty")},
        AT_STEPS,
        tolerance=SINGLE,
    ),
    Schema(
        "gaussian",
        "Limiting Gaussian of f_t over initialisations (JGH Section 5)",
        {
            "mean": Variable(("time", "sample", "output"), "mean of f_t", r"\mathrm{E} f_t"),
            "variance": Variable(("time", "sample"), "variance of f_t", r"\mathrm{Var} f_t"),
        },
        {**POINTS, "time": Variable(("time",), "training time", "t")},
        tolerance=SOLVED,
    ),
    Schema(
        "landmarks",
        "Regression f(x) = K(x, Z) a with m landmarks Z, over training-set sizes",
        {
            "z": Variable(("size", "landmark", "feature"), "landmark", "Z", tolerance=ROUNDING),
            "a": Variable(
                ("kernel", "size", "landmark", "output"),
                "coefficient",
                "a",
                tolerance=UNDETERMINED,
            ),
            "f": Variable(("kernel", "size", "sample", "output"), "regression at test points", "f"),
        },
        {
            "kernel": Variable(("kernel",), "kernel of the regression", kinds="UOT"),
            "size": Variable(("size",), "training-set size", "N", kinds="i"),
        },
        tolerance=LANDMARKS,
        float32=LANDMARKS_SINGLE,
    ),
)
SCHEMAS: Mapping[str, Schema] = {schema.kind: schema for schema in _KINDS}
"""Schemas of the stores that measures read, by kind."""


def conform(dataset: xr.Dataset, kind: str | Schema) -> xr.Dataset:
    """Label `dataset` as a store, with its variables in the schema's dimension order.

    `kind` is a key of `SCHEMAS`, or the schema of a measure. SchemaError if a variable or
    coordinate is missing, unknown, or has other dimensions or another kind of dtype than the schema
    states.
    """
    schema = SCHEMAS[kind] if isinstance(kind, str) else kind
    _check_names(dataset, schema)
    data, coordinates = (
        {
            name: _labelled(dataset.variables[name], name, entry, schema.kind)
            for name, entry in entries.items()
            if name in dataset.variables
        }
        for entries in (schema.variables, schema.coordinates)
    )
    attributes = {**dataset.attrs, "title": schema.title, "store": schema.kind}
    return xr.Dataset(data, coordinates, attributes)


def _labelled(variable: xr.Variable, name: str, entry: Variable, kind: str) -> xr.Variable:
    if set(variable.dims) != set(entry.dims) or variable.dtype.kind not in entry.kinds:
        raise SchemaError(
            f"{kind} store: {name!r} has dimensions {variable.dims} and dtype {variable.dtype}; "
            f"expected {entry.dims} and a dtype of kind {entry.kinds!r}"
        )
    ordered = variable.transpose(*entry.dims).copy(deep=False)
    ordered.attrs = {**variable.attrs, **entry.attrs}
    if entry.renamed:
        ordered.attrs["long_name"] = variable.attrs.get("long_name", entry.long_name)
    return ordered


def _check_names(dataset: xr.Dataset, schema: Schema) -> None:
    for what, found, expected in (
        ("variable", dataset.data_vars, schema.variables),
        ("coordinate", dataset.coords, schema.coordinates),
    ):
        missing = [n for n, v in expected.items() if n not in found and not v.optional]
        unknown = [str(n) for n in found if n not in expected]
        if missing or unknown:
            raise SchemaError(
                f"{schema.kind} store: {what}s missing: {missing or 'none'}, "
                f"unknown: {unknown or 'none'}; expected {list(expected)}"
            )
