"""Mean NTK of several networks against their limits, and variances at unequal widths."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.configuration.networks import FullyConnectedConfig
from ntkflow.kernels.activations import activation
from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED, judge
from ntkflow.measures.universality import measure as universality
from ntkflow.measures.universality.settings import Settings, Variant
from ntkflow.networks.mlp import Architecture, apply, as_layers
from tests.measures.examples import sources, verdicts

X = np.random.default_rng(0).standard_normal((4, 3))
NETWORKS = sources(X, np.zeros((4, 1)), widths=(16, 32))
DRAWS = 8000

DEPTH, ABS = {"depth": 2}, {"activation": {"name": "abs"}}
VARIANCES, UNEQUAL = {"beta": 0.6, "weight_gain": 1.3}, {"width_ratios": [1, 3]}


def measured(*variants, networks=NETWORKS):
    return verdicts(universality.measure(networks, draws=DRAWS, variants=variants))


def distances(found):
    return {name: verdict for name, verdict in found.items() if name.startswith("squared")}


def test_all_networks_have_their_limits():
    found = measured(DEPTH, ABS, VARIANCES, UNEQUAL)
    assert len(distances(found)) == 5
    assert len(found) == 10  # two variances of two networks, and the order of limits
    assert list(found.values()).count(UNDECIDED) <= 1
    assert DISAGREES not in found.values()


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 4},
        {"beta": 0.5},
        {"activation": activation("abs")},
        {"weight_gain": 1.1},
    ],
)
def test_limits_of_another_network_are_refused(wrong):
    """Only the limit of a variant is another one, and that of the given network stays."""
    changed = replace(NETWORKS, limit=replace(NETWORKS.limit, **wrong))
    untouched = VARIANCES if {*wrong} & {"depth", "activation"} else DEPTH
    given, variant = distances(measured(untouched, networks=changed)).values()
    assert (given, variant) == (AGREES, DISAGREES)


def test_a_kernel_ten_per_cent_off_is_refused():
    limiting = NETWORKS.limiting.assign(ntk=1.1 * NETWORKS.limiting["ntk"])
    found = measured(UNEQUAL, networks=replace(NETWORKS, limiting=limiting))
    assert {*distances(found).values()} == {DISAGREES}


def test_every_limit_ten_per_cent_off_is_refused(monkeypatch):
    right = universality.limiting_kernels
    monkeypatch.setattr(
        universality,
        "limiting_kernels",
        lambda *points, **network: right(*points, **network)._replace(
            ntk=1.1 * right(*points, **network).ntk
        ),
    )
    given, *others = distances(measured(DEPTH, ABS, VARIANCES)).values()
    assert given == AGREES
    assert others == [DISAGREES] * 3


def test_networks_that_do_not_widen_are_refused():
    narrow = NETWORKS.architectures[16]
    networks = replace(NETWORKS, architectures={16: narrow, 32: narrow})
    found = measured(UNEQUAL, networks=networks)
    wide = [verdict for name, verdict in found.items() if "at n = 32" in name]
    assert wide == [DISAGREES] * 2


def test_a_kernel_that_depends_on_ratios_is_refused(monkeypatch):
    """Weights that are divided by the width before them in place of their own."""
    right = universality.as_layers

    def wrong(entries, features, network):
        first, second, last = right(entries, features, network)
        n, m = network.hidden_widths
        return [first, second, last._replace(weight=last.weight * (m / n) ** 0.5)]

    monkeypatch.setattr(universality, "as_layers", wrong)
    jax.clear_caches()
    given, unequal = distances(measured(UNEQUAL)).values()
    jax.clear_caches()
    assert (given, unequal) == (AGREES, DISAGREES)


def test_variances_that_do_not_add_are_refused(monkeypatch):
    """The variance of both layers is not the sum of theirs if one multiplies the other."""

    def product(network, *_):
        first, second = network.hidden_widths
        return [1 / first / second]

    monkeypatch.setattr(universality, "exact_means", product)
    number, _ = universality._order(X, NETWORKS.architectures)
    assert judge([number])["verdict"].tolist() == [DISAGREES]


def test_the_order_of_limits_does_not_matter():
    """With one finite layer the variance falls like 1/n, whichever layer it is."""
    number, lines = universality._order(X, NETWORKS.architectures)
    assert judge([number])["verdict"].tolist() == [AGREES]
    for line in lines:
        np.testing.assert_allclose(np.multiply(line.x, line.y), line.x[0] * line.y[0], rtol=0.1)


def test_without_relu_only_distances_are_measured():
    networks = sources(X, np.zeros((4, 1)), widths=(16, 32), name="abs")
    found = measured(DEPTH, networks=networks)
    assert [*found] == [
        "squared distance from the limit, L = 3, abs",
        "squared distance from the limit, L = 2",
    ]


def test_kernels_are_those_of_jacobians():
    network = Architecture((5, 3), activation("tanh"), 0.3, 1.2)
    (found,) = universality.initial(np.random.default_rng(3), X, network, 1)
    shape = universality.AT_ONCE, (3 + 1) * 5 + (5 + 1) * 3 + 3 + 1
    theta = np.random.default_rng(3).standard_normal(shape, np.float32)[0].astype(np.float64)
    jacobian = jax.jacobian(lambda entries: apply(as_layers(entries, 3, network), X, network)[:, 0])
    rows = np.asarray(jax.jit(jacobian)(jnp.asarray(theta)))
    np.testing.assert_allclose(found, rows @ rows.T, rtol=2e-5, atol=1e-6)


def test_networks_differ():
    network = NETWORKS.architectures[16]
    found = universality.initial(np.random.default_rng(0), X, network, 150)
    assert found.shape == (150, 4, 4)
    assert len(np.unique(found[:, 0, 0])) == 150


def settings(network, **changes):
    given = Settings(
        measure="universality",
        dataset="points",
        network="network",
        widths=[8, 16],
        draws=100,
        variants=[changes],
    )
    return dict(given.problems(None, FullyConnectedConfig(activation="relu", **network)))


def test_variants_must_fit_the_network():
    assert settings({"depth": 3}, width_ratios=[1, 2]) == {}
    assert settings({"depth": 3}, depth=4, width_ratios=[1, 2, 1]) == {}
    assert settings({"depth": 3}, width_ratios=[1, 2, 1]) == {
        "variants[0].width_ratios": "found 3, expected 2"
    }
    assert [*settings({"depth": 3})] == ["variants[0]"]
    assert [*settings({"depth": 1}, depth=2)] == ["network"]
    assert [*settings({"depth": 3, "width_ratios": [1, 2]}, depth=2)] == ["network"]


def test_an_activation_has_a_short_form():
    assert Variant(activation="tanh").changes == {"activation": {"name": "tanh"}}
