"""The figure holds the networks' functions, the Gaussian's percentiles and the training points."""

import numpy as np

from ntkflow.measures.function_bands import figure as function_bands
from tests.measures import statistics as examples


def test_axes_are_labelled():
    figure = function_bands.draw(examples.function_bands())
    assert figure.axes[0].get_ylabel() == r"network function, $f_\theta(\gamma)$"
    assert [axes.get_xlabel() for axes in figure.axes] == [r"angle of x, $\gamma$ (rad)"] * 2


def test_titles_give_the_time_of_the_networks_where_it_differs():
    figure = function_bands.draw(examples.function_bands())
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["$t = 20$", r"$t = \infty$ (networks: $t = 1000$)"]


def test_key_names_widths_percentiles_and_training_points():
    (key,) = function_bands.draw(examples.function_bands()).legends
    assert [text.get_text() for text in key.get_texts()] == [
        "$n = 50$",
        "$n = 1000$",
        r"limit, $n = \infty$: percentiles 10, 50, 90",
        "training points",
    ]


def test_panels_hold_networks_then_percentiles_then_training_points():
    store = examples.function_bands(seeds=3)
    for i, axes in enumerate(function_bands.draw(store).axes):
        lines = [line.get_ydata() for line in axes.lines]
        np.testing.assert_array_equal(lines[:6], store["f"].isel(time=i).values.reshape(6, -1))
        np.testing.assert_array_equal(lines[6:9], store["percentile"].isel(time=i))
        np.testing.assert_array_equal(lines[9], store["train_y"])


def test_band_joins_the_outermost_percentiles():
    store = examples.function_bands(seeds=1, times=(20.0,))
    axes = function_bands.draw(store).axes[0]
    corners = axes.collections[0].get_paths()[0].vertices
    at_start = corners[np.isclose(corners[:, 0], -np.pi), 1]
    outer = store["percentile"].isel(time=0, sample=0, quantile=[0, -1])
    np.testing.assert_allclose([at_start.min(), at_start.max()], outer)
