"""Numbers of Figure 1 from made-up profiles, plain loops, and networks of other depth."""

import dataclasses

import numpy as np
import pytest

from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.moments import relu_moments
from ntkflow.measures.common.evidence import judge
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.kernel_profile import measure as kernel_profile
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys
from tests.analysis import examples as stores
from tests.measures import examples

UNTRAINED = {"widths": [96, 32], "draws": 3000}
X = np.stack([np.cos(stores.ANGLE), np.sin(stores.ANGLE)], axis=1)


def sources(**options):
    """Untrained networks on the circle, and an ensemble whose kernels grow by 20/n."""
    y, train = np.zeros((len(X), 1)), len(stores.TRAIN)
    made = examples.sources(X, y, train=train, widths=UNTRAINED["widths"], **options)
    limiting = made.limiting.assign_coords(angle=("sample", stores.ANGLE))
    return dataclasses.replace(made, limiting=limiting, ensembles=ensembles(20.0))


def ensembles(growth, widths=(100, 1000), seeds=8):
    """Kernels (1 + e) K at the start and (1 + e + growth / n) K at the end, e small and random."""
    limit = np.asarray(
        limiting_kernels(X, X, activation=examples.activation("relu"), depth=3, beta=0.1).ntk
    )
    found = {}
    for n in widths:
        rng = np.random.default_rng(n)
        networks = stores.ensemble(rng, seeds=seeds)
        size = 1 + np.array([0, growth / n]) + 0.3 * rng.normal(size=(seeds, 1)) / n**0.5
        ntk = size[..., None, None, None, None] * limit[:, :, None, None]
        found[n] = networks.assign(ntk=(networks["ntk"].dims, ntk))
    return found


def judged(found):
    return judge(kernel_profile.claims(found)).set_index("quantity")


@pytest.fixture(scope="module", name="made")
def _made():
    return sources()


@pytest.fixture(scope="module", name="measured")
def _measured(made):
    return kernel_profile.measure(made, reference_angle=0.0, untrained=UNTRAINED)


@pytest.fixture(scope="module", name="found")
def _found(measured):
    return judged(measured)


def test_untrained_networks_have_the_mean_and_the_variance_of_theory(measured, found):
    assert list(found["verdict"]) == ["agrees"] * 6
    assert (found["seeds"][:4] == UNTRAINED["draws"]).all()
    moments = [relu_moments(1.0, (n, n), features=2, beta=0.1).ntk_variance for n in (32, 96)]
    np.testing.assert_allclose(measured["exact_variance"], moments)


def test_profiles_are_rows_of_the_kernels(made):
    keys = seed_keys(5, 32, 3)
    network = made.architectures[32]
    found = kernel_profile.profiles(keys, X[6], X[4:], network)
    whole = initial_kernels(keys, X, network)
    np.testing.assert_allclose(found, whole[:, 6, 4:, 0, 0], rtol=1e-4)


def test_square_of_the_limit_has_no_noise_of_the_means():
    rng = np.random.default_rng(0)
    weights, centre = np.array([-1.0, 2.0]), np.array([[0.1, 0.3], [0.2, -0.1]])
    found = []
    for _ in range(3000):
        groups = [c + rng.normal(size=(4, 2)) for c in centre]
        found.append(kernel_profile.extrapolated_square(groups, weights))
    expected = np.sum((2 * centre[1] - centre[0]) ** 2)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / 3000**0.5)


def test_growth_and_change_in_training_are_those_of_the_kernels(found):
    assert found["value"]["growth in training, n = 100"] == pytest.approx(0.2)
    first = {n: each["ntk"].values[:, 0, 6, 6, 0, 0] for n, each in ensembles(20.0).items()}
    limit = float(ensembles(0.0, seeds=1)[100]["ntk"].values[0, 0, 6, 6, 0, 0])
    change = {n: np.mean(20 / n / (values / limit)) for n, values in first.items()}
    name = "change in training, n = 1000 over n = 100"
    assert found["value"][name] == pytest.approx(change[1000] / change[100], rel=0.05)
    assert found["expected"][name] == pytest.approx(10**-0.5)


@pytest.mark.parametrize(
    "changes", [{"depth": 2}, {"depth": 4}, {"activation": "gelu"}, {"beta": 0.3}], ids=str
)
def test_other_limits_disagree(measured, changes):
    network = {"activation": "relu", "depth": 3, "beta": 0.1, **changes}
    network["activation"] = examples.activation(network["activation"])
    points = X[len(stores.TRAIN) :][np.argsort(stores.TEST)]
    row = limiting_kernels(X[[6]], points, **network).ntk[0]
    found = judged(measured.assign(limiting_ntk=("sample", np.asarray(row, np.float64))))
    assert found["verdict"].iloc[0] == "disagrees"


def test_a_limit_of_another_shape_and_the_same_size_disagrees(measured):
    limit = measured["limiting_ntk"]
    wave = np.cos(2 * measured["angle"])
    wave = wave - limit * float((wave * limit).sum() / (limit**2).sum())
    size = 0.1 * float((limit**2).sum() / (wave**2).sum()) ** 0.5
    found = judged(measured.assign(limiting_ntk=limit + size * wave))
    assert found["verdict"].iloc[1] == "disagrees"


@pytest.mark.parametrize("width", [32, 96])
def test_the_variance_of_half_the_width_disagrees(measured, width):
    wrong = [relu_moments(1.0, (n // 2,) * 2, features=2, beta=0.1) for n in (32, 96)]
    variances = "initial_width", [each.ntk_variance for each in wrong]
    found = judged(measured.assign(exact_variance=variances))
    assert found["verdict"][f"variance of Theta(x_0, x_0) at n = {width}, over theory"] == (
        "disagrees"
    )


def test_other_activations_have_no_exact_variance(measured):
    unknown = measured.assign(exact_variance=measured["exact_variance"] * np.nan)
    assert len(kernel_profile.claims(unknown)) == 4


def test_kernels_that_shrink_or_that_change_at_all_widths_disagree():
    still = {n: ensembles(0.2 * n, (n,))[n] for n in (100, 1000)}
    for place, given in ((-2, ensembles(-20.0)), (-1, still)):
        trained = Sources(ensembles=given, limiting=sources().limiting)
        found = judged(kernel_profile.measure(trained, reference_angle=0.0))
        assert found["verdict"].iloc[place] == "disagrees"


def test_without_untrained_networks_the_first_record_is_compared():
    given = Sources(ensembles=ensembles(20.0, seeds=40), limiting=sources().limiting)
    found = kernel_profile.measure(given, reference_angle=0.0)
    first, growth, change = kernel_profile.claims(found)
    assert first.name == "mean of Theta(x_0, x) at t = 0, n = 1000, over limit"
    ratios = given.ensembles[1000]["ntk"].values[:, 0, 6, 6, 0, 0]
    limit = float(given.limiting["ntk"][6, 6])
    assert first.estimate.value == pytest.approx(ratios.mean() / limit)
    assert (growth.relation, change.relation) == ("at least", "at most")
    one = kernel_profile.claims(found.isel(step=[0], width=[0]))
    assert len(one) == 1
