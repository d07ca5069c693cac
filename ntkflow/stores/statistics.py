"""The schemas of statistics: one kind of store a measure, all that its figure draws."""

from collections.abc import Mapping

from ntkflow.stores.variables import (
    COMPONENT,
    KERNEL_STEP,
    KERNEL_TIME,
    LABEL,
    SEED,
    STEP,
    TIME,
    Schema,
    Variable,
)

__all__ = ["STATISTICS"]

WIDTH = Variable(("width",), "network width", "n", kinds="i")
QUANTITY = Variable(("quantity",), "name of the statistic", kinds="UOT")

STATISTICS: Mapping[str, Schema] = {
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
    "kernel_drift": Schema(
        "What training does to the cost and to the empirical NTK, by width (JGH Theorem 2)",
        {
            "cost": Variable(("width", "seed", "step"), "cost on the training points", "C"),
            "drift": Variable(
                ("width", "seed", "kernel_step"),
                "drift of the NTK, in Frobenius norms over the recorded points and outputs",
                r"\|\Theta(t) - \Theta(0)\| / \|\Theta(0)\|",
            ),
            "mean_drift": Variable(("width",), "drift at the last record, mean over networks"),
            "mean_drift_low": Variable(("width",), "lower end of its 95 % interval"),
            "mean_drift_high": Variable(("width",), "upper end of its 95 % interval"),
            "exponent": Variable((), "slope of log mean drift against log n; NaN if not fitted"),
            "exponent_low": Variable((), "lower end of its 95 % interval"),
            "exponent_high": Variable((), "upper end of its 95 % interval"),
            "prefactor": Variable((), "mean drift of the fitted line at n = 1"),
            "expected": Variable((), "exponent of the theory, an upper bound"),
        },
        {
            "width": WIDTH,
            "seed": SEED,
            "step": STEP,
            "time": TIME,
            "kernel_step": KERNEL_STEP,
            "kernel_time": KERNEL_TIME,
        },
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
    "claim": Schema(
        "A statement of the paper: numbers with what is expected of them, and curves",
        {
            "value": Variable(("quantity",), "measured number"),
            "low": Variable(("quantity",), "lower end of its 95 % interval"),
            "high": Variable(("quantity",), "upper end of its 95 % interval"),
            "expected": Variable(("quantity",), "what the theory gives"),
            "tolerance": Variable(("quantity",), "distance from it that still agrees"),
            "resolution": Variable(("quantity",), "half of the longest interval that decides"),
            "x": Variable(("series", "point"), "abscissa; NaN beyond the end of a series"),
            "y": Variable(("series", "point"), "ordinate"),
            "y_low": Variable(("series", "point"), "lower end of a bar or band; NaN if none"),
            "y_high": Variable(("series", "point"), "upper end of a bar or band; NaN if none"),
        },
        {
            "quantity": QUANTITY,
            "relation": Variable(("quantity",), "equals, at most, at least", kinds="UOT"),
            "verdict": Variable(
                ("quantity",), "holds, does not hold, not enough data", kinds="UOT"
            ),
            "label": Variable(("series",), "what a series is", kinds="UOT"),
            "look": Variable(("series",), "points, line, limit, guide or band", kinds="UOT"),
            "width": Variable(("series",), "network width, 0 if of none", "n", kinds="i"),
            "in_panel": Variable(("series",), "panel that a series is drawn in", kinds="i"),
            "title": Variable(("panel",), "title of a panel", kinds="UOT"),
            "x_label": Variable(("panel",), "label of its horizontal axis", kinds="UOT"),
            "y_label": Variable(("panel",), "label of its vertical axis", kinds="UOT"),
            "x_scale": Variable(("panel",), "linear, log or symlog", kinds="UOT"),
            "y_scale": Variable(("panel",), "linear, log or symlog", kinds="UOT"),
        },
    ),
}
