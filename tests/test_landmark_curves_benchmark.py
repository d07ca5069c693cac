"""The theory of benchmarks/landmark_curves.py against simulations, and a small run of it."""

import numpy as np
import pytest

from benchmarks import landmark_curves
from benchmarks.landmark_curves import Spectrum, error_of_landmarks, error_of_points, spectrum
from ntkflow import api
from ntkflow.measures.learning_curves.measure import eigenlearning

VALUES, COUNTS = np.array([1.0, 0.1, 0.01, 1e-3]), np.array([1, 10, 50, 400])
SQUARES = np.array([0.5, 0.3, 0.15, 0.05])  # summed over each group


def test_eigenvalues_are_those_of_the_kernel_over_the_sphere():
    """By quadratic forms with the harmonics of degrees 0, 1 and 2, over random points."""
    random = np.random.default_rng(0)
    x = random.standard_normal((2500, 10))
    x *= 10**0.5 / np.linalg.norm(x, axis=1, keepdims=True)
    kernel = api.limiting_kernels(x, depth=3, beta=0.1).ntk
    np.fill_diagonal(kernel, 0)  # where points would not be independent
    functions = np.ones(len(x)), x[:, 0], 10**0.5 * (x[:, 0] ** 2 - x[:, 1] ** 2) / 2
    found = spectrum("ntk", 3)
    for degree, function in enumerate(functions):
        values = function / np.sqrt(np.mean(function**2))
        assert values @ kernel @ values / len(x) ** 2 == pytest.approx(
            found.values[degree], rel=0.05
        )
    assert found.values @ found.counts == pytest.approx(
        api.limiting_kernels(x[:1], depth=3, beta=0.1).ntk[0, 0]
    )
    assert found.counts[:4].tolist() == [1, 10, 54, 210]


def test_all_points_without_noise_and_ridge_are_those_of_the_claim(monkeypatch):
    monkeypatch.setattr(landmark_curves, "RIDGE", 0.0)
    monkeypatch.setattr(landmark_curves, "NOISE", 0.0)
    alone, each = np.repeat(VALUES, COUNTS), np.repeat(SQUARES / COUNTS, COUNTS)
    for points in (5, 40, 200):
        found = error_of_points(Spectrum(VALUES, COUNTS), SQUARES, points)
        assert found == pytest.approx(eigenlearning(alone, each, points).error, rel=1e-8)


def test_ridge_and_noise_are_those_of_a_simulation(monkeypatch):
    """Regression on Gaussian features with these eigenvalues, mean of 40 training sets."""
    monkeypatch.setattr(landmark_curves, "RIDGE", 1e-3)
    monkeypatch.setattr(landmark_curves, "NOISE", 0.2)
    random, n = np.random.default_rng(0), 60
    values, squares = np.repeat(VALUES, COUNTS), np.repeat(SQUARES / COUNTS, COUNTS)
    errors = []
    for _ in range(40):
        phi, target = random.standard_normal((n, len(values))), np.sqrt(squares)
        y = phi @ target + 0.2**0.5 * random.standard_normal(n)
        gram = phi * values @ phi.T + n * 1e-3 * np.eye(n)
        w = values * (phi.T @ np.linalg.solve(gram, y))
        errors.append(np.sum((w - target) ** 2))
    expected = error_of_points(Spectrum(VALUES, COUNTS), SQUARES, n)
    assert np.mean(errors) == pytest.approx(expected, abs=4 * np.std(errors) / 40**0.5)
    assert np.std(errors) / 40**0.5 < 0.05 * expected


@pytest.mark.parametrize("landmarks", [20, 100])
def test_landmarks_project_on_as_many_random_functions(landmarks):
    random = np.random.default_rng(1)
    values, target = np.repeat(VALUES, COUNTS), np.sqrt(np.repeat(SQUARES / COUNTS, COUNTS))
    errors = []
    for _ in range(40):
        functions = values[:, None] * random.standard_normal((len(values), landmarks))
        basis, _ = np.linalg.qr(functions)
        errors.append(np.sum((target - basis @ (basis.T @ target)) ** 2))
    expected = error_of_landmarks(Spectrum(VALUES, COUNTS), SQUARES, landmarks)
    assert np.mean(errors) == pytest.approx(expected, rel=0.05)


def test_a_small_run_is_near_its_theory(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(landmark_curves, "TEST", 1000)
    figure = tmp_path / "curves.png"
    landmark_curves.main(["--sizes", "500", "1500", "--landmarks", "100", "--figure", str(figure)])
    _, _, *lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [row[:2] for row in rows] == [
        ["all", "500"],
        ["100", "500"],
        ["all", "1,500"],
        ["100", "1,500"],
    ]
    for number in (0, 2):
        error, theory = map(float, rows[number][3:5])
        assert error == pytest.approx(theory, rel=0.15)
    error, level = float(rows[3][3]), float(rows[3][5])
    assert error == pytest.approx(level, rel=0.25)
    assert figure.stat().st_size > 10_000
