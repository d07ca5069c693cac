import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from ntkflow.kernels.dynamics import Components, gaussian_function, kernel_flow, stepped

SAMPLES = 8
PARTS = ("train", "test")


def components_of(ntk, samples):
    """Eigenpairs of Theta(X, X)/N, extended to all points by the Nystroem formula."""
    eigenvalues, vectors = scipy.linalg.eigh(ntk[:samples, :samples] / samples)
    functions = ntk[:, :samples] @ vectors / (samples**0.5 * eigenvalues)
    return Components(jnp.asarray(eigenvalues), jnp.asarray(functions))


@pytest.fixture
def case(reference):
    """8 training and 5 test points, with the kernels that the reference itself computed with."""
    data = reference("predict_relu__L4__jgh__1out")
    for kernel in ("ntk", "nngp"):
        train, across, test = (
            data[f"{kernel}_{which}"] for which in ("train_train", "test_train", "test_test")
        )
        data[kernel] = np.block([[train, across.T], [across, test]])
    data["components"] = components_of(data["ntk"], SAMPLES)
    data["f0"] = jnp.asarray(np.concatenate([data["f0_train"], data["f0_test"]])[None])
    data["y"] = jnp.asarray(data["y_train"])
    return data


def test_gaussian_against_the_reference(case):
    law = gaussian_function(
        case["components"], jnp.asarray(case["nngp"]), case["y"], jnp.asarray(case["times"])
    )
    assert np.isinf(case["times"][-1])
    for i in range(len(case["times"])):
        mean = np.concatenate([case[f"ntk_{part}_mean_{i}"] for part in PARTS])
        variances = [np.diagonal(case[f"ntk_{part}_cov_{i}"]) for part in PARTS]
        np.testing.assert_allclose(law.mean[i], mean, atol=1e-13)
        np.testing.assert_allclose(law.variance[i], np.concatenate(variances), atol=1e-14)


def test_flow_against_the_reference(case):
    flow = kernel_flow(case["components"], case["f0"], case["y"][None], jnp.asarray(case["times"]))
    assert flow.shape == (1, len(case["times"]), SAMPLES + 5, 1)
    for i in range(len(case["times"])):
        expected = np.concatenate([case[f"det_{part}_{i}"] for part in PARTS])
        np.testing.assert_allclose(flow[0, i], expected, atol=1e-13)


def test_flow_solves_its_differential_equation(case):
    """d/dt f(x) = -(1/N) sum_j Theta(x, x_j) (f(x_j) - y_j), integrated step by step."""

    def velocity(_, f):
        return -case["ntk"][:, :SAMPLES] @ (f[:SAMPLES] - case["y_train"][:, 0]) / SAMPLES

    times = np.array([0.0, 0.5, 3.0, 20.0])
    start = np.asarray(case["f0"])[0, :, 0]
    solution = scipy.integrate.solve_ivp(
        velocity, (0, 20), start, t_eval=times, rtol=1e-10, atol=1e-12
    )
    flow = kernel_flow(case["components"], case["f0"], case["y"][None], jnp.asarray(times))
    np.testing.assert_allclose(flow[0, :, :, 0], solution.y.T, atol=1e-9)


def test_flow_begins_at_f0_and_ends_at_the_goal(case):
    """For several networks with two outputs, each with a goal of its own."""
    rng = np.random.default_rng(0)
    initial = jnp.asarray(rng.normal(size=(3, SAMPLES + 5, 2)))
    goal = jnp.asarray(rng.normal(size=(3, SAMPLES, 2)))
    flow = kernel_flow(case["components"], initial, goal, jnp.array([0.0, 1.0, jnp.inf]))
    np.testing.assert_array_equal(flow[:, 0], initial)
    np.testing.assert_allclose(flow[:, 2, :SAMPLES], goal, atol=1e-13)
    alone = kernel_flow(case["components"], initial[1:2], goal[1:2], jnp.array([1.0]))
    np.testing.assert_allclose(flow[1:2, 1:2], alone, atol=1e-14)


def test_what_lies_along_components_left_out_is_not_learnt(case):
    eigenvalues, functions = case["components"]
    kept = Components(eigenvalues[2:], functions[:, 2:])
    end = kernel_flow(kept, case["f0"], case["y"][None], jnp.array([jnp.inf]))
    missed = np.asarray(end)[0, 0, :SAMPLES] - case["y_train"]
    before = np.asarray(case["f0"])[0, :SAMPLES] - case["y_train"]
    dropped = np.asarray(functions)[:SAMPLES, :2]
    np.testing.assert_allclose(missed, dropped @ (dropped.T @ before) / SAMPLES, atol=1e-13)


def test_gaussian_is_the_image_of_the_initial_law(case):
    """f_t = B f_0 + A y is linear: B from the flow of unit vectors, then Var f_t = B Sigma B'."""
    times = jnp.array([0.0, 2.0, jnp.inf])
    points = SAMPLES + 5
    nothing = jnp.zeros((points, SAMPLES, 1))
    flow = kernel_flow(case["components"], jnp.eye(points)[:, :, None], nothing, times)
    law = gaussian_function(case["components"], jnp.asarray(case["nngp"]), case["y"], times)
    for i in range(len(times)):
        image = np.asarray(flow[:, i, :, 0]).T
        expected = np.diagonal(image @ case["nngp"] @ image.T)
        np.testing.assert_allclose(law.variance[i], expected, atol=1e-14)
    np.testing.assert_allclose(law.variance[0], np.diagonal(case["nngp"]), rtol=1e-14)
    np.testing.assert_array_equal(law.mean[0], 0)
    assert np.all(law.variance[2][:SAMPLES] < 1e-14)


def test_steps_of_gradient_descent_are_a_flow(case):
    """Against a loop: f(x) -= rate (1/N) sum_j K(x, x_j) (f - f*)(x_j)."""
    eigenvalues, functions = case["components"]
    rate = 0.5 / float(np.max(eigenvalues))
    now = np.asarray(case["f0"])[0]
    kernel = (np.asarray(functions) * np.asarray(eigenvalues)) @ np.asarray(functions)[:SAMPLES].T
    for _ in range(7):
        now = now - rate * kernel @ (now[:SAMPLES] - np.asarray(case["y"])) / SAMPLES
    flow = kernel_flow(
        stepped(case["components"], rate), case["f0"], case["y"][None], jnp.array([7 * rate])
    )
    np.testing.assert_allclose(flow[0, 0], now, atol=1e-12)


def test_overshooting_steps_are_refused(case):
    with pytest.raises(ValueError, match="1/lambda_1"):
        stepped(case["components"], 1 / float(np.max(case["components"].eigenvalues)))
