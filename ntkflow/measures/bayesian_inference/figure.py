"""Accuracies by the name of the method, and the calibration of the posterior."""

import textwrap

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ntkflow.measures.common import figure as default
from ntkflow.measures.common.figure import tabulate
from ntkflow.plotting import style

__all__ = ["draw", "tabulate"]

CHARACTERS = 10  # of a line of a method's name


def draw(statistics: xr.Dataset) -> Figure:
    """Draw a `claim` store, with the methods' names along the axis of the first panel."""
    figure = default.draw(statistics)
    names = [str(each) for each in statistics["label"].values[statistics["in_panel"].values == 0]]
    with style.paper():
        figure.set_layout_engine("constrained")
        axes = figure.axes[0]
        if legend := axes.get_legend():
            legend.remove()
        lines = [textwrap.fill(name, CHARACTERS) for name in names]
        axes.set_xticks(np.arange(1, len(names) + 1), lines, fontsize=5.0)
        return style.fixed_layout(figure)
