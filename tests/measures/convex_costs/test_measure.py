"""Kernel gradient descent on convex costs, against theory that another flow does not meet."""

import numpy as np
import pytest

from ntkflow.measures.common.evidence import AGREES, DISAGREES
from ntkflow.measures.convex_costs import measure as convex_costs
from tests.measures.examples import sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(RANDOM.standard_normal((5, 3)), RANDOM.standard_normal((5, 1)))


STAYS = "kernel of half the rank: cost that stays, over the first"


def test_costs_come_down_as_theory_says_and_stall_where_the_kernel_is_not_definite():
    found = convex_costs.measure(POINTS, time=20.0)
    assert set(verdicts(found).values()) == {AGREES}
    numbers = dict(zip(found["quantity"].values, found["value"].values, strict=True))
    assert 0.01 < numbers[STAYS] < 1


def test_a_flow_that_ends_too_soon_is_noticed():
    found = verdicts(convex_costs.measure(POINTS, time=0.1))
    assert found["least squares: rest of the cost"] == DISAGREES
    assert found["tilted wells: ||d||_pin at the end, over the first"] == DISAGREES


@pytest.mark.slow
def test_a_slow_flow_is_noticed_with_every_cost(monkeypatch):
    right = convex_costs.kernel_map
    monkeypatch.setattr(convex_costs, "kernel_map", lambda k, d: 0.3 * right(k, d))
    found = verdicts(convex_costs.measure(POINTS, time=20.0))
    assert found["least squares: f against the closed form"] == DISAGREES
    for name in convex_costs.CONVEX:
        assert found[f"{name}: cost over its bound"] == DISAGREES


@pytest.mark.slow
def test_another_kernel_is_noticed(monkeypatch):
    """By a factor that the bounds allow."""
    right = convex_costs.flow
    monkeypatch.setattr(convex_costs, "flow", lambda cost, k, *rest: right(cost, 0.999 * k, *rest))
    found = verdicts(convex_costs.measure(POINTS, time=20.0))
    assert found["least squares: f against the closed form"] == DISAGREES


def critical(points=POINTS, kernel=None):
    """Verdicts of the costs that are not convex, with y = 1 at the first points, else -1."""
    y = np.where(np.arange(5) < 3, 1.0, -1.0)[:, None]
    kernel = points.limiting["ntk"].values if kernel is None else kernel
    end = 30 / np.linalg.eigvalsh(points.limiting["ntk"].values / 5)[0]
    times = np.concatenate([[0.0], np.geomspace(1e-2, end, 40)])
    found, _ = convex_costs._critical(kernel, dict.fromkeys(convex_costs.OTHERS, y), times)
    return {each.name: each.estimate.value <= each.margin for each in found}


def test_other_costs_end_in_a_critical_point():
    assert all(critical().values())


def test_a_kernel_that_is_not_definite_stops_elsewhere():
    """dC/dt is still right, but the velocity vanishes before d does."""
    rates, vectors = np.linalg.eigh(POINTS.limiting["ntk"].values)
    kept = vectors[:, 3:]
    found = critical(kernel=(kept * rates[3:]) @ kept.T)
    assert {name for name, agrees in found.items() if not agrees} == {
        f"{name}: ||d||_pin at the end, over the first" for name in convex_costs.OTHERS
    }


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1])
def test_a_flow_at_another_rate_is_noticed_by_the_fall_of_the_cost(monkeypatch, factor):
    right = convex_costs.kernel_map
    monkeypatch.setattr(convex_costs, "kernel_map", lambda k, d: factor * right(k, d))
    found = critical()
    assert not any(found[f"{name}: dC/dt"] for name in convex_costs.OTHERS)


def test_tilted_wells_have_critical_points_that_are_not_minima():
    """Roots of f^3 - f - TILT y, with second derivatives of both signs and unequal costs."""
    roots = np.sort(np.roots([1, 0, -1, -convex_costs.TILT]).real)
    assert (3 * roots**2 - 1 > 0).tolist() == [True, False, True]
    y = np.ones((1, 1))
    costs = convex_costs._costs(convex_costs.OTHERS["tilted wells"], roots[:, None], y)
    assert costs.argmin() == 2
    assert costs[1] > costs[0] > costs[2] + 0.1


def test_bound_of_least_squares_is_the_least_over_all_functions():
    """(1/2N) y^T (I + t K/N)^(-1) y, the cost of kernel ridge regression with ridge 1/t."""
    root = RANDOM.standard_normal((4, 4))
    kernel, y = root @ root.T + np.eye(4), RANDOM.standard_normal((4, 1))
    eigenvalues, vectors = np.linalg.eigh(kernel / 4)
    basis = convex_costs.Components(eigenvalues, 2 * vectors)
    times = np.array([0.1, 1.0, 10.0])
    found = convex_costs._bound(convex_costs.ATTAINED["least squares"], basis, y, times)
    expected = [(y.T @ np.linalg.solve(np.eye(4) + t * kernel / 4, y)).item() / 8 for t in times]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("name", convex_costs.ATTAINED)
def test_minimum_is_at_the_target(name):
    y = np.array([[0.3], [-2.0]])
    cost = convex_costs.ATTAINED[name]
    assert convex_costs._costs(cost, y.T, y) == pytest.approx(0)
    assert (convex_costs._costs(cost, np.array([[0.4, -2.0], [0.3, 5.0]]), y) > 0).all()
