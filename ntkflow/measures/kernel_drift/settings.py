"""Settings of the measure `kernel_drift`."""

from ntkflow.measures.common.experiment import PAPER, Trained


class Settings(Trained):
    """Cost and drift of the NTK in training, by width (JGH Theorem 2).

    Computes no limiting kernel. Needs 0 and a later step in `kernel_steps`; an exponent is fitted
    with two widths and 5 seeds or more.
    """

    drift = True
    free = frozenset({"cost", "optimizer", "batch_size", "probe"})
    paper = "Theorem 2"
    statement = (
        "In training on the given cost, the drift of the NTK falls at least as fast as n^(-1/2)."
    )
    title = "Cost and drift of the NTK in training, by width"
    caption = (
        "Left, the cost on the training points. Middle, the drift of the empirical NTK, "
        "‖Θ(t) − Θ(0)‖ / ‖Θ(0)‖ in Frobenius norms over the recorded points and all outputs. One "
        "line per network. Right, with several widths, the last drift against width: dots are "
        "networks, bars their mean with its 95 % interval. With five networks or more of "
        "each width a power law is fitted and labelled with its exponent and interval. The thick "
        "grey line has the slope −1/2, which bounds the drift from above under gradient descent on "
        f"any cost ({PAPER}, Theorem 2). The bound does not cover optimisers whose steps do not "
        "scale with the gradient, such as Adam."
    )
    alt = (
        "Panels: cost against time; drift of the empirical NTK against time; and, with several "
        "widths, the last drift against width on logarithmic axes, with a fitted line and the "
        "slope that theory predicts."
    )
