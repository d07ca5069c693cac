import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ntkflow.kernels.activations import activation
from ntkflow.networks.costs import Cost, cost
from ntkflow.networks.descent import DivergenceError
from ntkflow.networks.method import Method, named_optimizer
from ntkflow.networks.mlp import Architecture, apply, init, seed_keys
from ntkflow.networks.training import Schedule, train_ensemble
from tests.networks import examples

TANH = Architecture((6, 5), activation("tanh"), beta=0.3, outputs=2)
X = np.asarray(examples.inputs(9))
SAMPLES = 7
Y = np.eye(2)[np.arange(len(X)) % 2]
KEYS = seed_keys(0, 8, 4)
RATE = 0.3  # the same for many: it is part of a compiled program


def train(schedule, **options):
    options = {"dtype": jnp.float64, "x": X, "keys": KEYS, **options}
    keys, x = options.pop("keys"), options.pop("x")
    return train_ensemble(keys, x, Y[: len(x)], SAMPLES, TANH, schedule, **options)


@pytest.mark.parametrize(
    ("named", "transformation", "name"),
    [
        (named_optimizer("momentum"), optax.sgd(0.2, momentum=0.9), "cross_entropy"),
        (
            named_optimizer("momentum", momentum=0.5, nesterov=True),
            optax.sgd(0.2, 0.5, True),
            "logistic",
        ),
        (named_optimizer("adam", b1=0.8), optax.adam(0.2, b1=0.8), "cross_entropy"),
    ],
)
def test_steps_of_optimisers_on_other_costs_by_a_plain_loop(named, transformation, name):
    target = Y if name == "cross_entropy" else 2 * Y - 1
    chosen = cost(name)

    @jax.jit
    def step(theta, moments):
        def mean(theta):
            f = apply(theta, X[:SAMPLES], TANH)
            return jnp.mean(jax.vmap(chosen.pointwise)(f, jnp.asarray(target[:SAMPLES])))

        value, gradient = jax.value_and_grad(mean)(theta)
        with jax.numpy_dtype_promotion("standard"):
            change, moments = transformation.update(gradient, moments, theta)
        return optax.apply_updates(theta, change), moments, value

    records = train_ensemble(
        KEYS,
        X,
        target,
        SAMPLES,
        TANH,
        Schedule(0.2, (0, 3)),
        method=Method(chosen, named),
        dtype=jnp.float64,
    )
    for seed, key in enumerate(KEYS):
        theta = init(key, 3, TANH, jnp.float64)
        moments = transformation.init(theta)
        for number in range(3):
            theta, moments, value = step(theta, moments)
            if number == 0:
                np.testing.assert_allclose(records.cost[seed, 0], value, rtol=1e-12)
        np.testing.assert_allclose(records.f[seed, 1], apply(theta, X, TANH), rtol=1e-10)


def batches_of(epochs, batch):
    """The rows of each step, from steps on a linear function whose slopes tell them."""
    flat = Architecture((), activation("relu"), beta=0.0)
    x = np.eye(SAMPLES)
    steps = epochs * (SAMPLES // batch)
    records = train_ensemble(
        KEYS,
        x,
        np.ones((SAMPLES, 1)),
        SAMPLES,
        flat,
        Schedule(1.0, tuple(range(steps + 1))),
        method=Method(batch=batch),
        dtype=jnp.float64,
    )
    moved = np.abs(np.diff(records.f[..., 0], axis=1)) > 1e-12  # f(e_i) moves if i is in the batch
    return [[np.flatnonzero(rows) for rows in network] for network in moved]


def test_an_epoch_visits_points_once_in_an_order_of_its_own():
    for network in batches_of(epochs=3, batch=2):
        assert all(len(rows) == 2 for rows in network)
        epochs = [np.concatenate(network[start : start + 3]) for start in (0, 3, 6)]
        for visited in epochs:
            assert len(set(visited)) == 6
        assert len({tuple(np.concatenate(network[i : i + 3])) for i in (0, 3, 6)}) > 1
    orders = {tuple(np.concatenate(network)) for network in batches_of(epochs=3, batch=2)}
    assert len(orders) == len(KEYS)


def test_a_batch_of_all_points_is_the_full_gradient():
    full, batch = (
        train(Schedule(RATE, (0, 10)), method=Method(batch=size)) for size in (None, SAMPLES)
    )
    np.testing.assert_allclose(batch.f, full.f, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "method", [Method(), Method(batch=3), Method(optimizer=named_optimizer("adam"))]
)
def test_a_network_is_the_same_whatever_trains_beside_it(method):
    schedule = Schedule(RATE, (0, 9), (9,))
    together = train(schedule, method=method)
    alone = train(schedule, method=method, keys=KEYS[2:3])
    one_device = train(schedule, method=method, devices=jax.devices()[:1], memory=1.0)
    for all_, one, apart in zip(together, alone, one_device, strict=True):
        np.testing.assert_allclose(all_[2:3], one, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(all_, apart, rtol=1e-10, atol=1e-13)


def test_many_points_are_evaluated_in_parts(monkeypatch):
    usual = train(Schedule(RATE, (2,)))
    monkeypatch.setattr("ntkflow.networks.descent.ROWS", 4)
    again = train(Schedule(RATE, (2,)), x=X.copy()[:8])  # of another shape: compiled again
    np.testing.assert_allclose(again.f, usual.f[:, :, :8], rtol=1e-12)


def test_records_of_some_points_are_those_of_all():
    schedule = Schedule(RATE, (0, 4), (4,))
    everywhere, probe = train(schedule), train(schedule, recorded=slice(SAMPLES, None))
    np.testing.assert_array_equal(probe.f, everywhere.f[:, :, SAMPLES:])
    np.testing.assert_array_equal(probe.goal, everywhere.goal[:, SAMPLES:])
    np.testing.assert_array_equal(probe.cost, everywhere.cost)
    expected = everywhere.ntk[:, :, SAMPLES:, SAMPLES:]
    np.testing.assert_allclose(probe.ntk, expected, rtol=1e-12, atol=1e-14)


def test_other_optimisers_may_rise_but_not_beyond_all_numbers():
    """Adam moves each parameter by its rate, however small the gradient is."""
    adam = Method(optimizer=named_optimizer("adam"))
    cost = train(Schedule(1.0, tuple(range(6))), method=adam).cost
    assert (cost.max(axis=1) > 2 * cost[:, 0]).any()
    with pytest.raises(DivergenceError, match=r"^training diverged .* Set a smaller learning_rate"):
        train(Schedule(1e200, (0, 5)), method=Method(optimizer=named_optimizer("momentum")))


def test_advice_is_that_of_the_cost():
    with pytest.raises(DivergenceError, match=r"below 2/\(0\.5 lambda_1\)") as refusal:
        train(Schedule(3000.0, (0, 50)), method=Method(cost("cross_entropy")))
    advised = float(str(refusal.value).split("set learning_rate to ")[1].split()[0])
    train(Schedule(advised, (0, 50)), method=Method(cost("cross_entropy")))


def test_batches_of_more_than_there_are_are_refused():
    with pytest.raises(ValueError, match="batch: found 8, expected 1 to 7"):
        train(Schedule(0.1, (0, 1)), method=Method(batch=8))


def test_unknown_optimisers_are_refused():
    with pytest.raises(ValueError, match="optimizer 'lion' is not known; choose one of"):
        named_optimizer("lion")


def test_a_cost_that_is_not_finite_is_named():
    own = Cost("entropy", lambda f, y: -jnp.sum(y * jnp.log(f - 100)))
    with pytest.raises(
        ValueError, match="cost 'entropy': found a value that is not finite at initialisation"
    ):
        train(Schedule(0.1, (0, 1)), method=Method(own))


def test_a_cost_may_come_in_another_precision():
    own = Cost("half", lambda f, y: jnp.sum((f - y) ** 2).astype(jnp.float64) / 2)
    found = train(Schedule(RATE, (0, 3)), method=Method(own), dtype=jnp.float32)
    np.testing.assert_allclose(
        found.f, train(Schedule(RATE, (0, 3)), dtype=jnp.float32).f, rtol=1e-5
    )


def test_gradient_descent_is_recognised_however_it_is_named():
    written = Method.from_plain("least_squares", {"name": "gradient_descent"})
    assert written.is_gradient_descent
    assert written == Method()
    assert not Method.from_plain("least_squares", {"name": "adam"}).is_gradient_descent


def test_equal_options_give_the_same_program():
    one = named_optimizer("momentum", momentum=0.5, nesterov=True)
    assert one is named_optimizer(nesterov=True, momentum=0.5, name="momentum")
