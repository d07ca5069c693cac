import numpy as np
import pytest
import scipy.stats
import xarray as xr
from sklearn.datasets import load_digits
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

from ntkflow.measures.common.sources import Sources
from ntkflow.measures.kernel_regression.figure import tabulate
from ntkflow.measures.kernel_regression.measure import measure
from tests.analysis import kernels

TRAINING, TEST, MEMORY = 60, 40, 2**26


def measured(limiting, dataset, *, memory, progress=print, **options):
    """Statistics of regressions on all points."""
    sources = Sources(limiting=limiting, dataset=dataset, memory=memory, progress=progress)
    return measure(sources, landmarks=["all"], **options)


def stores():
    """Kernels of scikit-learn on digits, and one-hot targets."""
    pixels, label = load_digits(return_X_y=True)
    x, label = pixels[: TRAINING + TEST] / 16, label[: TRAINING + TEST]
    pairs = ("sample", "sample_prime")
    is_train = ("sample", np.arange(len(x)) < TRAINING)
    grams = {"nngp": (pairs, RBF(2.0)(x)), "ntk": (pairs, RBF(1.0)(x))}
    limiting = xr.Dataset(grams, {"is_train": is_train})
    targets = xr.Dataset({"y": (("sample", "output"), np.eye(10)[label])}, {"is_train": is_train})
    return limiting, targets, x, label


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_accuracy_is_that_of_scikit_learn(ridge):
    limiting, targets, x, label = stores()
    found = measured(limiting, targets, sizes=[60, 20], ridge=ridge, memory=MEMORY)
    assert found["size"].values.tolist() == [20, 60]
    for name, length in (("nngp", 2.0), ("ntk", 1.0)):
        for size in (20, 60):
            model = KernelRidge(alpha=size * ridge or 1e-14, kernel=RBF(length))
            model.fit(x[:size], np.eye(10)[label[:size]])
            outputs = model.predict(x[TRAINING:])
            scores = found.sel(kernel=name, size=size)
            right = np.mean(outputs.argmax(axis=1) == label[TRAINING:])
            assert scores["accuracy"] == pytest.approx(right)
            squared = np.mean((outputs - np.eye(10)[label[TRAINING:]]) ** 2)
            assert scores["squared_error"] == pytest.approx(squared, rel=1e-6)
            assert 0 <= scores["accuracy_low"] < right < scores["accuracy_high"] <= 1


def test_a_kernel_that_stays_in_its_store_classifies_alike(tmp_path):
    limiting, targets, _, _ = stores()
    limiting = limiting[["ntk"]].assign(nngp=limiting["ntk"])
    stored = limiting.assign(
        dict.fromkeys(("nngp", "ntk"), kernels.in_store(limiting["ntk"].values, tmp_path, 20))
    )
    chosen = {"sizes": [30, 60], "ridge": 1e-4}
    dense = measured(limiting, targets, memory=MEMORY, **chosen)
    iterative = measured(stored, targets, memory=95_000, **chosen)
    assert (iterative["iterations"].sel(size=60) > 0).all()
    assert (dense["iterations"] == 0).all()
    for name in ("accuracy", "squared_error"):
        np.testing.assert_allclose(iterative[name], dense[name], rtol=1e-4)


def test_the_interval_is_wilsons():
    """By his formula, z = 1.96, at 36 of 40."""
    limiting, targets, _, _ = stores()
    found = measured(limiting, targets, sizes=[60], ridge=0.0, memory=MEMORY)
    scores = found.sel(kernel="ntk", size=60)
    p, n, z = float(scores["accuracy"]), TEST, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert scores["accuracy_low"] == pytest.approx(centre - half, abs=1e-6)
    assert scores["accuracy_high"] == pytest.approx(centre + half, abs=1e-6)


def test_the_interval_of_the_squared_error_is_the_normal_one():
    limiting, targets, x, _ = stores()
    targets["y"] = ("sample", "output"), x[:, 10:12]
    found = measured(limiting, targets, sizes=[60], ridge=0.0, memory=MEMORY).sel(kernel="ntk")
    gram = limiting["ntk"].to_numpy()
    f = gram[TRAINING:, :TRAINING] @ np.linalg.solve(gram[:60, :60], x[:60, 10:12])
    squares = ((f - x[TRAINING:, 10:12]) ** 2).mean(axis=1)
    low, high = scipy.stats.norm.interval(0.95, squares.mean(), squares.std(ddof=1) / TEST**0.5)
    assert found["squared_error_low"] == pytest.approx(low, rel=1e-6)
    assert found["squared_error_high"] == pytest.approx(high, rel=1e-6)
    assert np.isnan(found["accuracy"])


def test_landmarks_are_scored_beside_all_points():
    limiting, targets, _, label = stores()
    right = np.eye(10)[label[TRAINING:]]
    f = np.stack([right, np.roll(right, 1, axis=1)])[:, None]  # all right, and none
    coordinates = {"kernel": ["nngp", "ntk"], "size": [60]}
    fits = xr.Dataset({"f": (("kernel", "size", "sample", "output"), f)}, coordinates)
    sources = Sources(limiting=limiting, dataset=targets, landmarks={5: fits}, memory=MEMORY)
    found = measure(sources, sizes=[60], landmarks=[5, "all"], ridge=0.0)
    few = found.sel(landmarks=5, size=60)
    assert few["landmark_accuracy"].values.tolist() == [1, 0]
    np.testing.assert_allclose(few["landmark_squared_error"], [0, 0.2])
    alone = measured(limiting, targets, sizes=[60], ridge=0.0, memory=MEMORY)
    xr.testing.assert_equal(found.drop_dims("landmarks"), alone)


def test_landmarks_need_no_kernel_of_all_pairs():
    _, targets, _, label = stores()
    f = np.broadcast_to(np.eye(10)[label[TRAINING:]], (2, 1, TEST, 10))
    coordinates = {"kernel": ["nngp", "ntk"], "size": [60]}
    fits = xr.Dataset({"f": (("kernel", "size", "sample", "output"), f)}, coordinates)
    found = measure(
        Sources(dataset=targets, landmarks={5: fits}), sizes=[60], landmarks=[5], ridge=0.0
    )
    assert found["squared_error"].isnull().all()
    assert (found["landmark_squared_error"] == 0).all()


def test_a_singular_kernel_is_refused_with_its_size():
    limiting, targets, _, _ = stores()
    limiting["ntk"][:] = 1.0
    with pytest.raises(ValueError, match=r"ntk of 20 training points: .*ridge"):
        measured(limiting, targets, sizes=[20], ridge=0.0, memory=MEMORY)


def test_table_has_a_row_a_kernel_and_size():
    limiting, targets, _, _ = stores()
    found = measured(limiting, targets, sizes=[20, 60], ridge=0.0, memory=MEMORY)
    table = tabulate(found)
    assert len(table) == 4
    assert list(table)[:3] == ["kernel", "size", "accuracy"]


def test_table_of_a_regression_has_no_empty_columns():
    scores = dict.fromkeys(("squared_error_high", "squared_error_low", "squared_error"), 1.0)
    scores |= dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), np.nan)
    values = {name: (("kernel", "size"), [[value]]) for name, value in scores.items()}
    found = xr.Dataset(
        {**values, "iterations": (("kernel", "size"), [[0]])}, {"kernel": ["ntk"], "size": [5]}
    )
    assert list(tabulate(found)) == [
        *("kernel", "size", "squared_error", "squared_error_low", "squared_error_high"),
        "iterations",
    ]
