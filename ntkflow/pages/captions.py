"""What each figure shows, in words: for the report and for Snakemake's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CAPTIONS", "Caption", "Drawn", "caption_of_claim", "described", "spoken"]

PAPER = "Jacot, Gabriel & Hongler (2018)"


@dataclass(frozen=True)
class Caption:
    """Of a figure: its title, how it is read, and what is drawn, for who does not see it."""

    title: str
    text: str
    alt: str


@dataclass(frozen=True)
class Drawn:
    """One panel of a claim's figure, with labels as Matplotlib takes them."""

    title: str
    x_label: str
    y_label: str
    x_scale: str
    y_scale: str


CAPTIONS = {
    "kernel_profile": Caption(
        "The NTK converges and stays put",
        "Empirical NTK Θ(x₀, x) between a fixed point of the unit circle and all others, one "
        "line a network, at each recorded time, with the limit n → ∞ dashed. Networks are "
        "trained on the data set's random inputs, not on the circle. After Jacot, Gabriel & "
        "Hongler (2018), Figure 1.",
        "Panels, one a recorded time: the empirical NTK against the angle on the circle, one line "
        "a network, coloured by width, with the dashed limit. With several times, one more panel "
        "has the change.",
    ),
    "function_bands": Caption(
        "Wide networks follow the limiting Gaussian",
        "Network functions on the unit circle at given training times, one line a network, "
        "over the 10th, 50th and 90th percentiles of the Gaussian that the limit n → ∞ "
        "predicts; dots are the training points. At infinity the networks are shown at their "
        f"last step. After {PAPER}, Figure 2.",
        "Panels, one a training time: network functions against the angle on the circle, over"
        " the percentiles of the limiting Gaussian, with the training points as dots.",
    ),
    "principal_component": Caption(
        "Training along one kernel principal component",
        "The goal is f at t = 0 plus a multiple of one eigenfunction of the limiting NTK. "
        "Left, the batch in the plane of that eigenfunction and the next; middle, how far "
        "networks stray from the straight line, ‖h‖; right, the distance still to go, ‖g‖, "
        "with its limit, which falls like exp(−λt), dashed. Norms are those of the input "
        f"distribution. After {PAPER}, Figure 3.",
        "Three panels: points of the batch in the plane of two eigenfunctions; distance of "
        "networks from the straight line against time; distance still to go against time, "
        "with the dashed limit.",
    ),
    "width_scaling": Caption(
        "How fast the limit is approached",
        "Statistics of finite networks against width on logarithmic axes: dots are "
        "initialisations, bars 95 % bootstrap intervals, lines least-squares fits labelled "
        "with the exponent and its interval; thick grey lines have the slope that theory "
        "gives, for the drift an upper bound. Hollow points are not fitted: their interval "
        "reaches zero, or a single initialisation gives none. With fewer than two other "
        "points there is no fit.",
        "Four panels on logarithmic axes, against width: spread of the NTK at initialisation,"
        " bias of its mean, its drift in training, and distance from the limiting dynamics, "
        "each with a fitted line and the slope of the theory.",
    ),
    "kernel_drift": Caption(
        "The wider the networks, the less training moves their kernel",
        "Left, the cost on the training points; middle, how far the empirical NTK is from "
        "where it began, ‖Θ(t) − Θ(0)‖ / ‖Θ(0)‖ in Frobenius norms over the recorded points "
        "and all outputs; one line a network. Right, where there are several widths, the last"
        " of it against width: dots are networks, bars their mean with its 95 % bootstrap "
        "interval. With five networks a width or more a power law is fitted, labelled with "
        "its exponent and interval. The thick grey line has the slope −1/2, which bounds the "
        "drift from above under gradient descent on any cost (Jacot, Gabriel & Hongler "
        "(2018), Theorem 2); steps that do not scale with the gradient, as Adam's, are not "
        "covered.",
        "Panels: cost against time; drift of the empirical NTK against time; and, with "
        "several widths, the last drift against width on logarithmic axes, with a fitted line"
        " and the slope of the theory.",
    ),
    "kernel_regression": Caption(
        "Regression with the limiting kernels classifies digits",
        "Share of test points that regression with the NNGP kernel and with the limiting NTK "
        "classifies wrongly, against the number of training points; bars are 95 % Wilson "
        "intervals over the test points, and a bar without a point says that none was wrong. "
        "The class is the largest of the ten outputs. Without a ridge, regression with the "
        "NTK is the mean of infinitely wide networks trained to the end.",
        "One panel on logarithmic axes: test error against the number of training points, one"
        " curve for the NNGP kernel and one for the limiting NTK.",
    ),
}
"""By measure, for those that are no claim."""


def caption_of_claim(statement: str, paper: str) -> Caption:
    """The caption of a claim's figure, without what is drawn: `described` has it of the panels."""
    return Caption(
        statement.rstrip("."),
        f"{paper} of {PAPER}. Points are means over networks or draws with their 95 % bootstrap "
        "intervals, coloured by width where they belong to one. Black dashed lines are the "
        "theory's limit, thick grey ones a slope or value that it expects.",
        "",
    )


def described(panels: Sequence[Drawn]) -> str:
    """A claim's figure, for who does not see it."""
    counted = "One panel" if len(panels) == 1 else f"{len(panels)} panels"
    listed = "; ".join(_panel(place, panel) for place, panel in enumerate(panels, 1))
    return f"{counted}: {listed}."


def _panel(place: int, panel: Drawn) -> str:
    axes = " against ".join(filter(None, [spoken(panel.y_label), spoken(panel.x_label)]))
    scales = {"x": panel.x_scale, "y": panel.y_scale}
    curved = [name for name, scale in scales.items() if scale != "linear"]
    which = ["", f", {''.join(curved)} axis logarithmic", ", both axes logarithmic"][len(curved)]
    return f"{place}, {spoken(panel.title)}: {axes}{which}"


SIGNS = {
    "Theta": "Θ",
    "Sigma": "Σ",
    "lambda": "λ",
    "theta": "θ",
    "gamma": "γ",
    "mu": "μ",
    "beta": "β",
    "sigma": "σ",
    "infty": "∞",
    "sqrt": "√",
}


def spoken(label: str) -> str:
    """A label of Matplotlib as plain text: its LaTeX as signs."""
    label = re.sub(r"\\tilde (\w)", "\\1\N{COMBINING TILDE}", label.replace(r"\|", "‖"))
    label = re.sub(r"\\([A-Za-z]+)", lambda found: SIGNS.get(found[1], found[1]), label)
    return " ".join(re.sub(r"[${}\\]", "", label).split())
