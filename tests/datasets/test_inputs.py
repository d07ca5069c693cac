"""Inputs against their definitions, published facts of the digits, and a made-up MNIST."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import SeedSequence
from scipy import stats

from ntkflow.datasets import idx
from ntkflow.datasets.config import INPUTS
from ntkflow.datasets.kinds import Inputs, Points

SEEDS = st.integers(0, 2**32)


def entry_of(**entry: Any) -> Inputs:
    return INPUTS[entry["inputs"]].model_validate(entry)


def draw(*, skip: int = 0, seed: int = 0, **entry: Any) -> Points:
    return entry_of(**entry).draw(SeedSequence(seed), skip)


@given(st.integers(2, 500))
def test_even_angles_are_linspace_with_exact_symmetry(samples: int) -> None:
    angle = draw(inputs="circle", samples=samples, spacing="even").angle
    assert angle is not None
    np.testing.assert_allclose(angle, np.linspace(-np.pi, np.pi, samples), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(angle, -angle[::-1])
    assert angle[-1] == np.pi
    assert samples % 2 == 0 or angle[samples // 2] == 0


def test_a_single_even_angle_is_zero() -> None:
    np.testing.assert_array_equal(draw(inputs="circle", samples=1, spacing="even").x, [[1.0, 0.0]])


def test_given_angles_are_kept() -> None:
    points = draw(inputs="circle", angles=[-2.2, 0.0, np.pi / 2], samples=None)
    np.testing.assert_array_equal(points.angle, [-2.2, 0.0, np.pi / 2])
    expected = [[-0.58850111725534582, -0.80849640381959009], [1, 0], [0, 1]]
    np.testing.assert_allclose(points.x, expected, rtol=0, atol=1e-15)


@given(st.integers(1, 20), st.integers(1, 30), SEEDS)
def test_sphere_has_unit_norms(samples: int, features: int, seed: int) -> None:
    x = draw(inputs="sphere", samples=samples, features=features, seed=seed).x
    assert x.shape == (samples, features)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("entry", "quantity", "law"),
    [
        ({"inputs": "gaussian", "features": 3}, lambda p: p.x.ravel(), stats.norm()),
        # Archimedes: a coordinate of a uniform point on S^2 is uniform on [-1, 1].
        ({"inputs": "sphere", "features": 3}, lambda p: p.x[:, 0], stats.uniform(-1, 2)),
        (
            {"inputs": "circle", "spacing": "random"},
            lambda p: p.angle,
            stats.uniform(-np.pi, 2 * np.pi),
        ),
    ],
    ids=["gaussian", "sphere", "circle"],
)
def test_random_inputs_follow_their_law(entry: dict[str, Any], quantity: Any, law: Any) -> None:
    sample = quantity(draw(**entry, samples=4000))
    assert stats.kstest(sample, law.cdf).pvalue > 1e-3


def test_digits_are_the_published_set() -> None:
    points = draw(inputs="digits", samples=1797, preprocessing="unit")
    assert points.x.shape == (1797, 64)
    assert (points.x.min(), points.x.max()) == (0.0, 1.0)
    # Class distribution from the description of the set (UCI, optdigits.names, test file).
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(points.label).tolist() == counts


def test_digits_keep_image_and_label_together() -> None:
    from sklearn.datasets import load_digits

    source = load_digits()
    label_of = {row.tobytes(): label for row, label in zip(source.data, source.target, strict=True)}
    points = draw(inputs="digits", samples=50, preprocessing="unit", skip=1000)
    assert [label_of[row.tobytes()] for row in points.x * 16] == points.label.tolist()


def test_standardised_digits_have_mean_zero_and_deviation_one() -> None:
    whole = {"inputs": "digits", "samples": 1797}
    unit, centred, standardised, sphere = (
        draw(**whole, preprocessing=name).x
        for name in ("unit", "centred", "standardised", "sphere")
    )
    np.testing.assert_allclose(centred, unit - 0.30526028624095713, rtol=1e-12)
    np.testing.assert_allclose([standardised.mean(), standardised.std()], [0, 1], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1, rtol=1e-14)
    cosine = (sphere * unit).sum(axis=1) / np.linalg.norm(unit, axis=1)
    np.testing.assert_allclose(cosine, 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("preprocessing", "black", "white"),
    [
        ("unit", 0.0, 1.0),
        ("centred", -0.1307, 0.8693),
        ("standardised", -0.42421, 2.82149),
        ("sphere", 0.0, 0.5),
    ],
)
def test_mnist_preprocessings(
    preprocessing: str, black: float, white: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((1, 784), dtype=np.uint8)
    pixels[0, :4] = 255

    def read(split: str, folder: str | None) -> tuple[np.ndarray, np.ndarray]:
        assert (split, folder) == ("test", "here")
        return pixels, np.array([8])

    monkeypatch.setattr(idx, "read_mnist", read)
    entry = {"inputs": "mnist", "split": "test", "folder": "here", "samples": 1}
    points = draw(**entry, preprocessing=preprocessing)
    np.testing.assert_allclose(points.x[0, :4], white, atol=1e-5)
    np.testing.assert_allclose(points.x[0, 4:], black, atol=1e-5)
    assert points.label == [8]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("mnist", "test"), ("mnist", "test"), True),
        (("mnist", "test"), ("mnist", "train"), False),
        (("digits", None), ("digits", None), True),
        (("digits", None), ("mnist", "test"), False),
    ],
)
def test_a_split_is_a_collection_wherever_it_lies(one: Any, other: Any, same: bool) -> None:
    first, second = (
        entry_of(inputs=name, samples=1, **({"split": split, "folder": folder} if split else {}))
        for (name, split), folder in zip((one, other), ("here", None), strict=True)
    )
    assert (first.collection == second.collection) is same
    assert "folder" not in first.record


def test_inputs_made_at_will_are_no_collection() -> None:
    assert entry_of(inputs="gaussian", samples=1, features=1).collection is None
