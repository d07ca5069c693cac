"""Compare the estimators with random forests, SVMs and Gaussian processes: see README.md.

Prints Markdown tables. Settings, fixed on 2026-11-29 before the first run. They changed once, to
save time, when only iris had been measured: 100 trees instead of 200, and no Friedman 1.

- Data: all classification sets that come with scikit-learn (iris, wine, breast cancer, digits); for
  regression diabetes, and the alcohol of wine from its other twelve columns. Linnerud has only 20
  points. Columns are standardised.
- Scores: accuracy and R^2 in 5-fold cross-validation, repeated twice with other folds (digits:
  once), stratified for classification. All methods have the same folds.
- Hyperparameters: chosen in each training part by 3-fold cross-validation over the grids below, or
  by marginal likelihood for Gaussian processes. The Gaussian-process classifier skips digits, to
  save time: its fit was not measured there.
- Intervals: 95 %, corrected resampled t (Nadeau & Bengio 2003): the variance of the mean over J
  folds is (1/J + n_test/n_train) times that of the folds. A difference is taken fold by fold.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit
from sklearn import datasets
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV, RepeatedKFold, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from threadpoolctl import threadpool_limits

from ntkflow.estimators import NNGPRegressor, NTKClassifier, NTKRegressor

LEVEL = 0.95
FOLDS = 5
NETWORKS = {
    "depth": [2, 3, 5],
    "activation": ["relu", "erf"],
    "ridge": [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1],
}
WIDE: dict[str, Any] = {"weight_gain": 2**0.5}  # keeps the variance of ReLU networks at any depth
TREES: dict[str, Any] = {"n_estimators": 100, "random_state": 0}
LEAVES = {"max_features": ["sqrt", 1.0], "min_samples_leaf": [1, 5]}
SUPPORT = {"C": [0.1, 1, 10, 100, 1000]}
WIDTHS = np.array([0.03, 0.1, 0.3, 1, 3])  # of 1 / features
AMPLITUDE = ConstantKernel(1.0, (1e-3, 1e3))

Grid = dict[str, Any]


class Method(NamedTuple):
    """An estimator and its grid for a number of features; an empty grid means no search."""

    estimator: Any
    grid: Callable[[int], Grid] = lambda features: {}


def support_grid(features: int, **further: Any) -> Grid:
    """Grid of support vectors for standardised inputs."""
    return {**SUPPORT, "gamma": [*(WIDTHS / features)], **further}


def scaled_support_grid(features: int) -> Grid:
    """Grid of the regression inside of `TransformedTargetRegressor`."""
    grid = support_grid(features, epsilon=[0.01, 0.1])
    return {f"regressor__{name}": values for name, values in grid.items()}


CLASSIFIERS = {
    "NTK": Method(NTKClassifier(**WIDE), lambda features: NETWORKS),
    "random forest": Method(RandomForestClassifier(**TREES), lambda features: LEAVES),
    "SVM, RBF": Method(SVC(), support_grid),
    "GP, RBF": Method(GaussianProcessClassifier(AMPLITUDE * RBF(1.0))),
}
REGRESSORS = {
    "NTK": Method(NTKRegressor(**WIDE), lambda features: NETWORKS),
    "NNGP": Method(NNGPRegressor(**WIDE), lambda features: NETWORKS),
    "random forest": Method(RandomForestRegressor(**TREES), lambda features: LEAVES),
    "SVM, RBF": Method(
        TransformedTargetRegressor(SVR(), transformer=StandardScaler()), scaled_support_grid
    ),
    "GP, RBF": Method(
        GaussianProcessRegressor(
            AMPLITUDE * RBF(1.0) + WhiteKernel(0.1), normalize_y=True, n_restarts_optimizer=2
        )
    ),
}


class Data(NamedTuple):
    """A data set, its methods and the number of repeats of cross-validation."""

    x: np.ndarray
    y: np.ndarray
    methods: dict[str, Method]
    repeats: int = 2

    @property
    def classes(self) -> bool:
        """True for classification."""
        return self.methods is not REGRESSORS


def data_sets() -> dict[str, Data]:
    """All data sets by name."""
    wine = datasets.load_wine()
    without = {name: each for name, each in CLASSIFIERS.items() if not name.startswith("GP")}

    def data(kind: str, methods: dict[str, Method], **further: int) -> Data:
        found = getattr(datasets, f"load_{kind}")()
        return Data(found.data, found.target, methods, **further)

    return {
        "iris": data("iris", CLASSIFIERS),
        "wine": data("wine", CLASSIFIERS),
        "breast cancer": data("breast_cancer", CLASSIFIERS),
        "digits": data("digits", without, repeats=1),
        "diabetes": data("diabetes", REGRESSORS),
        "alcohol of wine": Data(wine.data[:, 1:], wine.data[:, 0], REGRESSORS),
    }


class Result(NamedTuple):
    """Scores (J,) of a method on the folds, and median CPU time of a fold."""

    scores: np.ndarray
    fit: float
    """Selection and fit, in seconds."""
    predict: float
    """Prediction of the test part, in milliseconds."""


def measure(data: Data) -> dict[str, Result]:
    """Results of all methods on the same folds."""
    kind = RepeatedStratifiedKFold if data.classes else RepeatedKFold
    folds = [*kind(n_splits=FOLDS, n_repeats=data.repeats, random_state=0).split(data.x, data.y)]
    return {name: _measured(method, data, folds) for name, method in data.methods.items()}


def _measured(method: Method, data: Data, folds: list[tuple[np.ndarray, np.ndarray]]) -> Result:
    scores, times = [], []
    grid = method.grid(data.x.shape[1])
    compiled = "depth" in grid
    for train, test in [*folds[: int(compiled)], *folds]:  # the first run compiles
        model = make_pipeline(StandardScaler(), clone(method.estimator))
        if grid:
            step = model.steps[-1][0]
            model = GridSearchCV(model, {f"{step}__{k}": v for k, v in grid.items()}, cv=3)
        start = process_time()
        model.fit(data.x[train], data.y[train])
        fitted = process_time()
        model.predict(data.x[test])
        times.append((fitted - start, 1e3 * (process_time() - fitted)))
        scores.append(model.score(data.x[test], data.y[test]))
    # Median, because other networks than in the first run may be chosen, and then compile.
    return Result(np.array(scores[-len(folds) :]), *np.median(times[-len(folds) :], axis=0))


def half_width(values: np.ndarray) -> float:
    """Half of the corrected resampled interval of a mean over folds (Nadeau & Bengio 2003)."""
    count = len(values)
    variance = (1 / count + 1 / (FOLDS - 1)) * np.var(values, ddof=1)
    return float(stdtrit(count - 1, (1 + LEVEL) / 2) * np.sqrt(variance))


def rows(name: str, results: dict[str, Result]) -> Iterator[str]:
    """Rows of the table for a data set."""
    first = next(iter(results.values())).scores
    for method, (scores, fit, predict) in results.items():
        change = scores - first
        cells = [name, method, f"{scores.mean():.3f} ± {half_width(scores):.3f}"]
        cells.append(f"{change.mean():+.3f} ± {half_width(change):.3f}" if change.any() else "")
        yield f"| {' | '.join([*cells, f'{fit:.2f}', f'{predict:.1f}'])} |"


def main() -> None:
    """Print the table of each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of data sets")
    only = parser.parse_args().only
    threadpool_limits(1)  # CPU seconds must not count threads that wait
    chosen = {k: v for k, v in data_sets().items() if only is None or k in only}
    for classes, score in ((True, "accuracy"), (False, "R²")):
        print(f"\n| data | method | {score} | minus NTK | fit, CPU s | predict, CPU ms |")
        print(f"{'| --- ' * 6}|")
        for name, data in chosen.items():
            if data.classes == classes:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)  # bounds of processes
                    print("\n".join(rows(name, measure(data))), flush=True)


if __name__ == "__main__":
    main()
