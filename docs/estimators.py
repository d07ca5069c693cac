"""An afternoon with NTKRegressor: a data frame, a search, deviations and a figure.

    python docs/estimators.py figure.png

The frame has ten measurements of 442 diabetes patients, and the target is the progression of the
disease a year later (Efron et al. 2004).
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkflow.estimators import NTKRegressor
from ntkflow.plotting.style import BLUE, FULL_WIDTH, GREY, fixed_layout, paper, save

GRID = {
    "ntkregressor__depth": [2, 3, 5],
    "ntkregressor__activation": ["relu", "erf"],
    "ntkregressor__ridge": [0.01, 0.03, 0.1],
}
COLOURS = {"relu": BLUE, "erf": "#d55e00"}
NAMES = {"relu": "ReLU", "erf": "erf"}


def search(frame: pd.DataFrame, target: pd.Series) -> GridSearchCV:
    """Choose depth, activation and ridge by cross-validation."""
    pipeline = make_pipeline(StandardScaler(), NTKRegressor(weight_gain=2**0.5))
    return GridSearchCV(pipeline, GRID, cv=5).fit(frame, target)


def best_by_depth(found: GridSearchCV) -> pd.DataFrame:
    """Best R^2 over ridges, with its standard error over folds, by activation and depth."""
    table = pd.DataFrame(found.cv_results_)
    table["error"] = table["std_test_score"] / np.sqrt(found.n_splits_ - 1)
    table = table.sort_values("mean_test_score")
    keys = ["param_ntkregressor__activation", "param_ntkregressor__depth"]
    best = table.groupby(keys).last()[["mean_test_score", "error"]]
    return best.rename_axis(["activation", "depth"])


def along(frame: pd.DataFrame, column: str, values: np.ndarray) -> pd.DataFrame:
    """Frame in which one column varies and the others have their medians."""
    rows = pd.concat([frame.median().to_frame().T] * len(values), ignore_index=True)
    return rows.assign(**{column: values})


def draw_search(axes: Axes, found: GridSearchCV) -> None:
    """Scores by depth, one line per activation."""
    for place, (activation, colour) in enumerate(COLOURS.items()):
        scores = best_by_depth(found).loc[activation]
        mean, error = scores["mean_test_score"], scores["error"]
        style = {"color": colour, "marker": "o", "capsize": 2, "label": NAMES[activation]}
        axes.errorbar(scores.index + 0.12 * (place - 0.5), mean, error, **style)
    axes.set(xlabel="depth $L$", ylabel="$R^2$ in cross-validation", xticks=scores.index)
    axes.legend(title="activation", loc="upper center", bbox_to_anchor=(0.5, 1.03), ncols=2)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))


def draw_along(
    axes: Axes, model: Pipeline, frame: pd.DataFrame, target: pd.Series, column: str
) -> None:
    """Predictions along one feature, with one and two deviations."""
    low, high = frame[column].min(), frame[column].max()
    values = np.linspace(low - 0.25 * (high - low), high + 0.25 * (high - low), 200)
    mean, deviation = model.predict(along(frame, column, values), return_std=True)
    axes.scatter(frame[column], target, s=5, color=GREY, linewidths=0, label="patients")
    for factor, alpha in ((2, 0.15), (1, 0.25)):
        band = mean - factor * deviation, mean + factor * deviation
        label = f"± {factor} deviation" + "s" * (factor > 1)
        axes.fill_between(values, *band, color=BLUE, alpha=alpha, linewidth=0, label=label)
    axes.plot(values, mean, color=BLUE, label="mean of networks")
    axes.set(xlim=values[[0, -1]])
    handles, labels = axes.get_legend_handles_labels()
    order = [0, 3, 2, 1]
    axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="upper left")


def draw(found: GridSearchCV, frame: pd.DataFrame, target: pd.Series) -> Figure:
    """Scores of the search, and predictions along the body mass index."""
    with paper():
        figure, (left, right) = plt.subplots(1, 2, figsize=(FULL_WIDTH, 2.6), width_ratios=[1, 1.6])
        draw_search(left, found)
        draw_along(right, found.best_estimator_, frame, target, "bmi")
        right.set(xlabel="body mass index (kg/m²)", ylabel="progression of the disease")
        return fixed_layout(figure)


def main(path: str) -> GridSearchCV:
    """Fit, print the score at held-out patients, and save the figure."""
    frame, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    train, test, y, y_test = train_test_split(frame, target, random_state=0)
    found = search(train, y)
    print(found.best_params_)
    mean, deviation = found.best_estimator_.predict(test, return_std=True)
    print(f"R^2 at {len(test)} other patients: {found.score(test, y_test):.2f}")
    print(f"deviation between networks: {deviation.min():.0f} to {deviation.max():.0f}")
    print(f"root mean square error: {np.sqrt(np.mean((y_test - mean) ** 2)):.0f}")
    save(draw(found, train, y), [path])
    return found


if __name__ == "__main__":
    main(sys.argv[1])
