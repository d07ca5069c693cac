"""Targets against closed forms, and label noise against its law."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import SeedSequence
from scipy import stats

from ntkflow.datasets.config import TARGETS
from ntkflow.datasets.kinds import Points

PLANE = Points(np.array([[2.0, 3.0], [0.0, -1.0], [0.5, 4.0]]))
TEN = tuple(range(10))
LABELLED = Points(np.zeros((4000, 1)), label=np.arange(4000) % 10, classes=TEN)
MORE = Points(np.zeros((3, 1)), label=np.array([9, 0, 3]), classes=TEN)


def evaluate(
    target: dict[str, Any], train: Points, test: Points, noise: float = 0.0, seed: int = 0
) -> np.ndarray:
    kind = TARGETS[target["kind"]].model_validate(target)
    return kind.noisy(train, test, noise, SeedSequence(seed))


def polynomial(*terms: tuple[float, list[int]]) -> dict[str, Any]:
    listed = [{"coefficient": coefficient, "powers": powers} for coefficient, powers in terms]
    return {"kind": "polynomial", "terms": listed}


def test_polynomial_by_hand() -> None:
    target = polynomial((1.0, [1, 1]), (-2.0, [0, 2]), (0.5, [0, 0]))
    y = evaluate(target, PLANE, PLANE)
    np.testing.assert_array_equal(y[:, 0], [-11.5, -1.5, -29.5] * 2)


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=1, max_size=4))
def test_polynomial_in_one_variable_is_numpys(terms: list[tuple[float, int]]) -> None:
    x = np.linspace(-2, 2, 9)
    coefficients = np.zeros(5)
    for coefficient, power in terms:
        coefficients[power] += coefficient
    target = polynomial(*((coefficient, [power]) for coefficient, power in terms))
    y = evaluate(target, Points(x[:, None]), Points(x[:0, None]))
    expected = np.polynomial.Polynomial(coefficients)(x)
    np.testing.assert_allclose(y[:, 0], expected, rtol=1e-12, atol=1e-12)


def test_zero() -> None:
    np.testing.assert_array_equal(evaluate({"kind": "zero"}, PLANE, PLANE), np.zeros((6, 1)))


def test_values_on_training_points_only() -> None:
    y = evaluate({"kind": "values", "values": [0.1, -0.2, 3]}, PLANE, PLANE.empty)
    np.testing.assert_array_equal(y, [[0.1], [-0.2], [3.0]])
    y = evaluate({"kind": "values", "values": [0.1, -0.2, 3]}, PLANE, PLANE, noise=0.1)
    assert np.isnan(y[:, 0]).tolist() == [False] * 3 + [True] * 3


def test_values_of_several_outputs() -> None:
    values = [[0.1, 1], [-0.2, 2], [3, 4]]
    y = evaluate({"kind": "values", "values": values}, PLANE, PLANE)
    np.testing.assert_array_equal(y, [*values, *[[np.nan] * 2] * 3])


def test_one_vs_rest_and_one_hot() -> None:
    train = Points(np.zeros((3, 1)), label=np.array([3, 0, 9]), classes=TEN)
    y = evaluate({"kind": "one_vs_rest", "label": 3}, train, MORE)
    np.testing.assert_array_equal(y, [[1.0], [-1.0], [-1.0], [-1.0], [-1.0], [1.0]])
    y = evaluate({"kind": "one_hot"}, train, MORE)
    assert y.shape == (6, 10)
    assert set(y.ravel()) == {0.0, 1.0}
    np.testing.assert_array_equal(np.argwhere(y == 1)[:, 1], [3, 0, 9, 9, 0, 3])


def test_test_points_without_label_have_no_target() -> None:
    y = evaluate({"kind": "one_hot"}, MORE, PLANE)
    assert np.isfinite(y[:3]).all()
    assert np.isnan(y[3:]).all()


def test_gaussian_noise_on_training_points_only() -> None:
    line = Points(np.linspace(-1, 1, 3000)[:, None])
    target = polynomial((1.0, [1]))
    noise = evaluate(target, line, line, noise=0.3) - evaluate(target, line, line)
    assert stats.kstest(noise[:3000, 0], stats.norm(scale=0.3).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(noise[3000:], 0)


def test_replaced_labels_are_others_and_uniform() -> None:
    y = evaluate({"kind": "one_hot"}, LABELLED, LABELLED, noise=0.25)
    label = y.argmax(axis=1)
    np.testing.assert_array_equal(label[4000:], LABELLED.label)
    shift = np.bincount((label[:4000] - LABELLED.label) % 10, minlength=10)
    expected = 4000 * np.array([0.75] + [0.25 / 9] * 9)
    assert stats.chisquare(shift, expected).pvalue > 1e-3


def test_certain_noise_replaces_every_label() -> None:
    y = evaluate({"kind": "one_hot"}, LABELLED, LABELLED.empty, noise=1.0)
    assert not np.any(y.argmax(axis=1) == LABELLED.label)


def test_labels_themselves_are_not_replaced() -> None:
    label = LABELLED.label.copy()
    evaluate({"kind": "one_hot"}, LABELLED, LABELLED, noise=1.0)
    np.testing.assert_array_equal(LABELLED.label, label)


def test_classes_are_those_of_the_data() -> None:
    colours = Points(np.zeros((3, 1)), label=np.array([2, 0, 2]), classes=("blue", "green", "red"))
    y = evaluate({"kind": "one_hot"}, colours, colours.empty)
    np.testing.assert_array_equal(y, [[0, 0, 1], [1, 0, 0], [0, 0, 1]])
    y = evaluate({"kind": "one_vs_rest", "label": "red"}, colours, colours.empty)
    np.testing.assert_array_equal(y, [[1], [-1], [1]])
    y = evaluate({"kind": "one_hot"}, colours, colours.empty, noise=1.0)
    assert not np.any(y.argmax(axis=1) == colours.label)


def test_label_that_no_training_point_has() -> None:
    with pytest.raises(ValueError, match=r"found 5, .* expected one of 0, 3, 9, or more samples"):
        evaluate({"kind": "one_vs_rest", "label": 5}, MORE, MORE.empty)


def test_standardised_by_the_training_points() -> None:
    train = Points(np.zeros((2, 1)), y=np.array([[1.0, -4.0], [3.0, 6.0]]))
    test = Points(np.zeros((1, 1)), y=np.array([[4.0, 1.0]]))
    target = {"kind": "given", "standardised": True}
    np.testing.assert_array_equal(evaluate(target, train, test), [[-1, -1], [1, 1], [2, 0]])
    kind = TARGETS["given"].model_validate(target)
    assert kind.record(train) == {**target, "mean": [2.0, 1.0], "deviation": [1.0, 5.0]}
    assert kind.described() == "y, given with the points, standardised"
    assert np.isnan(evaluate(target, train, Points(np.zeros((1, 1))))[2]).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0.1, 1], [0.1, 2], [0.1, 3]], "found 0.1 at all training points, expected a target"),
        ([[0, 1], [1, 0], [0, 1]], r"found classes \(one 1 in each row of y\)"),
    ],
)
def test_targets_that_are_not_standardised(y: list[list[float]], message: str) -> None:
    target, points = (
        {"kind": "given", "standardised": True},
        Points(np.zeros((3, 1)), y=np.array(y)),
    )
    with pytest.raises(ValueError, match=f"^target.standardised: {message}"):
        evaluate(target, points, points)
