"""Numbers of Figure 2 from made-up draws of a Gaussian process and plain loops."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import xarray as xr

from ntkflow.measures.common.evidence import judge
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.function_bands.measure import LEAST_DEVIATION, claims, measure
from ntkflow.stores.schema import conform
from tests.analysis import examples

TIMES = np.array([2.5, np.inf])
KNOWN, FREE = examples.IS_TRAIN, ~examples.IS_TRAIN
NTK = examples.kernel(examples.ANGLE)
SEEDS = 200


def propagator(time):
    """A_t = Theta(x, X) G^-1 (1 - exp(-t G / N)), (point, n)."""
    gram = NTK[np.ix_(KNOWN, KNOWN)]
    left = np.zeros_like(gram) if np.isinf(time) else scipy.linalg.expm(-time * gram / len(gram))
    return NTK[:, KNOWN] @ np.linalg.solve(gram, np.eye(len(gram)) - left)


def moved(f, y, time):
    """Kernel gradient flow from f (seed, point)."""
    return f + (y - f[:, KNOWN]) @ propagator(time).T


def sources(*, scale=1.0, shift=0.0, noise=0.2, seeds=SEEDS):
    """Networks that start as draws of the prior and deviate from the flow by 5 noise / n."""
    rng, y = np.random.default_rng(0), np.sin(examples.TRAIN)
    nngp = NTK / 2
    root = np.linalg.cholesky(nngp + 1e-9 * np.eye(len(nngp)))
    ensembles = {}
    for n in (25, 400):
        f0 = scale * rng.normal(size=(seeds, len(nngp))) @ root.T
        path = [f0]
        for time in TIMES:
            off = noise * rng.normal(size=f0.shape) * 5 / n + shift
            path.append(moved(f0, y, time) + off * (~KNOWN))
        store = examples.ensemble(rng, seeds=seeds, steps=(0, 5, 20))
        goal = np.where(KNOWN, np.sin(examples.ANGLE), np.nan)
        f = np.stack(path, axis=1)[..., None]
        goals = np.broadcast_to(goal, (seeds, len(goal)))[..., None]
        ensembles[n] = store.assign(f=(store.f.dims, f), goal=(store.goal.dims, goals))
    means, variances = [], []
    for time in TIMES:
        a = propagator(time)
        keep = np.eye(len(nngp))
        keep[:, KNOWN] -= a
        means.append(a @ y)
        variances.append(np.diag(keep @ nngp @ keep.T))
    law = {
        "mean": (("time", "sample", "output"), np.array(means)[..., None]),
        "variance": (("time", "sample"), np.maximum(variances, 0)),
    }
    gaussian = conform(xr.Dataset(law, {**examples.POINTS, "time": TIMES}), "gaussian")
    return Sources(
        dataset=examples.dataset(),
        gaussian=gaussian,
        limiting=examples.limiting(),
        ensembles=ensembles,
    )


def judged(given):
    return judge(claims(measure(given))).set_index("quantity")


def test_draws_of_the_gaussian_agree():
    found = judged(sources())
    assert list(found["verdict"]) == ["agrees"] * 5
    assert (found["seeds"] == SEEDS).all()
    assert found["expected"].iloc[-1] == -0.5
    assert found["value"].iloc[-1] == pytest.approx(-1, abs=0.05)


def test_numbers_against_loops():
    given = sources(seeds=12)
    found, bands = judged(given), measure(given)
    order = [list(examples.ANGLE).index(angle) for angle in sorted(examples.TEST)]
    y = np.sin(examples.TRAIN)
    for t, time in enumerate(TIMES):
        mean = given.gaussian["mean"].values[t, order, 0]
        deviation = given.gaussian["variance"].values[t, order] ** 0.5
        networks = given.ensembles[400]["f"].values[..., 0]
        flow = moved(networks[:, 0], y, time)[:, order]
        np.testing.assert_allclose(bands["limiting_f"].values[1, :, t], flow, atol=1e-6)
        inside, products = [], []
        free = [p for p in range(len(order)) if deviation[p] >= LEAST_DEVIATION * max(deviation)]
        errors = (networks[:, t + 1][:, order] - flow) / deviation
        for one in range(12):
            for p in free:
                low, high = scipy.stats.norm(mean[p], deviation[p]).ppf([0.1, 0.9])
                inside.append(low < networks[one, t + 1, order[p]] < high)
            for other in range(12):
                if other != one:
                    products.append(np.mean(errors[one, free] * errors[other, free]))
        numbers = found["value"].to_numpy()[2 * t : 2 * t + 2]
        np.testing.assert_allclose(numbers, [np.mean(products), np.mean(inside)], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"shift": 0.2}, "squared error of the mean"), ({"scale": 2.0}, "share in the 10-90 % band")],
)
def test_a_shift_or_another_variance_disagrees(changes, number):
    found = judged(sources(**changes))
    lost = found.index[found["verdict"] == "disagrees"]
    assert {f"n = 400, t = {time}: {number}" for time in ("2.5", "∞")} <= set(lost)


def test_networks_that_stay_as_far_at_every_width_disagree():
    given = sources()
    same = dict.fromkeys(given.ensembles, given.ensembles[25])
    found = judged(Sources(**{**vars(given), "ensembles": same}))
    assert found["verdict"].iloc[-1] == "disagrees"


def test_one_width_has_no_exponent():
    given = sources(seeds=12)
    one = {400: given.ensembles[400]}
    assert len(judged(Sources(**{**vars(given), "ensembles": one}))) == 4
