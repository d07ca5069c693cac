"""Linear models of random functions; a law with another covariance does not tend to K."""

import jax
import numpy as np
import pytest
import scipy.linalg

from ntkflow.measures.common import linear_models
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED
from ntkflow.measures.random_functions import measure as random_functions
from tests.measures.examples import sources, verdicts

RANDOM = np.random.default_rng(0)
POINTS = sources(RANDOM.standard_normal((5, 3)), RANDOM.standard_normal((5, 1)), train=3)
FEW = {"functions": [16, 64, 256], "draws": 4000}
GAUSSIAN = random_functions.LAWS["Gaussian"]


def of_law(monkeypatch, law, points=POINTS):
    """Verdicts where Gaussian functions are drawn by `law`."""
    monkeypatch.setattr(random_functions, "LAWS", {"Gaussian": law})
    return verdicts(random_functions.measure(points, **FEW))


def test_kernel_and_flow_are_those_of_the_theory_for_every_law():
    store = random_functions.measure(POINTS, **FEW)
    found = verdicts(store)
    assert len(found) == 6 * len(random_functions.LAWS)
    assert set(found.values()) <= {AGREES, UNDECIDED}
    assert list(found.values()).count(AGREES) >= 0.9 * len(found)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_another_covariance_is_noticed(monkeypatch, factor):
    found = of_law(monkeypatch, lambda root, *rest: GAUSSIAN(factor**0.5 * root, *rest))
    assert found["Gaussian: squared distance of the kernel at P = 256, over theory"] == DISAGREES
    flow = found["Gaussian: squared distance of the flow at P = 256, over theory"]
    # A smaller kernel varies less, which makes up for its distance at some P.
    assert flow == DISAGREES or factor < 1


def test_another_covariance_is_no_limit(monkeypatch):
    """The flow of a kernel larger by 40 % stays at a distance from that of K."""
    found = of_law(monkeypatch, lambda root, *rest: GAUSSIAN(1.2 * root, *rest))
    assert found["Gaussian: exponent in P of the distance of the flow"] == DISAGREES


def test_the_nngp_kernel_is_not_the_ntk(monkeypatch):
    nngp = scipy.linalg.sqrtm(POINTS.limiting["nngp"].values).real

    def law(root, count, rng):
        return rng.standard_normal((count, len(nngp))) @ nngp

    found = of_law(monkeypatch, law)
    assert found["Gaussian: squared distance of the kernel at P = 256, over theory"] == DISAGREES


def test_functions_that_are_drawn_twice_are_noticed(monkeypatch):
    """P functions of which half are new: the distance is that of P/2."""

    def law(root, count, rng):
        return np.repeat(GAUSSIAN(root, count // 2, rng), 2, axis=0)

    found = of_law(monkeypatch, law)
    numbers = [name for name in found if "distance" in name and "over theory" in name]
    assert {found[name] for name in numbers} == {DISAGREES}


def test_a_flow_twice_as_fast_is_noticed(monkeypatch):
    right = random_functions.flow

    def hasty(kernels, task):
        return right(kernels, task._replace(times=2 * task.times) if kernels.ndim > 2 else task)

    monkeypatch.setattr(random_functions, "response", lambda *_: 1.0)
    monkeypatch.setattr(random_functions, "flow", hasty)
    found = of_law(monkeypatch, GAUSSIAN)
    assert found["Gaussian: exponent in P of the distance of the flow"] == DISAGREES


@pytest.mark.parametrize("name", random_functions.LAWS)
def test_laws_have_covariance_k(name):
    root = np.random.default_rng(1).standard_normal((4, 4))
    f = random_functions.LAWS[name](root, 200_000, np.random.default_rng(2))
    np.testing.assert_allclose(f.T @ f / len(f), root.T @ root, atol=0.1)


def test_flow_is_that_of_the_matrix_exponential():
    """And of theta, for a kernel whose rank is below the number of training points."""
    f = RANDOM.standard_normal((2, 5))
    task = random_functions.Task(3, RANDOM.standard_normal(3), np.array([0.3, 2.0]))
    found = random_functions.flow(f.T @ f / 2, task)
    inner = f[:, :3] @ f[:, :3].T / 6
    for row, time in zip(found, task.times, strict=True):
        pull = f[:, :3] @ task.target / (3 * 2**0.5)
        theta = np.linalg.solve(inner, pull - scipy.linalg.expm(-time * inner) @ pull)
        np.testing.assert_allclose(row, theta @ f / 2**0.5, rtol=1e-10)


def test_leading_order_is_that_of_draws():
    """|F_t - F_inf,t|^2 over draws of many functions, by loops."""
    kernel = POINTS.limiting["ntk"].values
    task = random_functions.halving(kernel, POINTS.dataset["y"].values[:3, 0])
    rates, vectors = np.linalg.eigh(kernel)
    root = (vectors * np.sqrt(rates)).T
    for name, law in random_functions.LAWS.items():
        rng, found = np.random.default_rng(3), []
        for _ in range(1000):
            f = law(root, 400, rng)
            apart = random_functions.flow(f.T @ f / 400, task) - random_functions.flow(kernel, task)
            found.append(np.mean(apart**2) / np.mean(task.target**2))
        expected = random_functions.response(name, kernel, root, task)
        assert 400 * np.mean(found) == pytest.approx(expected, rel=0.15)


def test_the_last_time_halves_the_cost():
    kernel, y = POINTS.limiting["ntk"].values, POINTS.dataset["y"].values[:3, 0]
    end = random_functions.halving(kernel, y).times[-1]
    rest = scipy.linalg.expm(-end * kernel[:3, :3] / 3) @ y
    assert rest @ rest == pytest.approx(y @ y / 2)


def test_descent_is_not_that_of_another_kernel(monkeypatch):
    right = linear_models.kernel_gradient
    monkeypatch.setattr(linear_models, "kernel_gradient", lambda *a: (1 + 1e-6) * right(*a))
    with jax.disable_jit():  # a step compiled by another test holds the right gradient
        found = verdicts(random_functions.measure(POINTS, functions=[16, 64], draws=20))
    for law in random_functions.LAWS:
        assert found[f"{law}: F against its kernel gradient descent"] == DISAGREES
