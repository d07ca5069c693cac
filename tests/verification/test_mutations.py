"""Each mutation makes the error that its name says, and claims detect it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ntkflow.configuration.study import read_study
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.mutation import Mutation, scales
from ntkflow.measures.parametrization import theory
from ntkflow.verification import errors, mutations
from tests.configuration.test_study import DEFAULT
from tests.measures.examples import ensemble, sources

X = np.random.default_rng(0).standard_normal((8, 4))
Y = X[:, :1] * X[:, 1:2]
POINTS = sources(X, Y, train=6, widths=(16, 64), depth=3, beta=0.2)
NTK = POINTS.limiting["ntk"].values
GIVEN = replace(POINTS, architectures={})  # what `random_functions` reads

RANDOM_FUNCTIONS = {
    "measure": "random_functions",
    "dataset": "sphere_product",
    "network": "relu_4",
    "functions": [8, 64],
    "draws": 400,
}


def applied(kind: str, size: str):
    (found,) = [m for m in errors.mutations() if (m.kind, m.size) == (kind, size)]
    changed = found.sources(POINTS)
    assert changed is not None
    return changed


@pytest.mark.parametrize(
    ("kind", "size", "factor"), [("kernel larger", "x 1.1", 1.1), ("kernel smaller", "/ 2", 0.5)]
)
def test_kernels_are_scaled(kind, size, factor):
    changed = applied(kind, size)
    for name in ("nngp", "ntk"):
        np.testing.assert_allclose(changed.limiting[name], factor * POINTS.limiting[name])


@pytest.mark.parametrize(
    ("kind", "size", "other"),
    [
        ("depth", "L + 1", {"depth": 4}),
        ("beta", "x 2", {"beta": 0.4}),
        ("activation", "tanh", {"name": "tanh"}),
    ],
)
def test_kernels_and_moments_are_those_of_another_network(kind, size, other):
    changed = applied(kind, size)
    expected = sources(X, Y, train=6, widths=(16, 64), **{"depth": 3, "beta": 0.2, **other})
    np.testing.assert_allclose(changed.limiting["ntk"], expected.limiting["ntk"])
    assert changed.architectures == POINTS.architectures
    theory, right = changed.theory[16], expected.architectures[16]
    assert (theory.hidden_widths, theory.beta) == (right.hidden_widths, right.beta)
    assert theory.activation.name == right.activation.name


def test_nngp_takes_the_place_of_the_ntk():
    changed = applied("NNGP for NTK", "detected")
    np.testing.assert_allclose(changed.limiting["ntk"], POINTS.limiting["nngp"])


def test_the_order_in_width_is_lost_in_networks_only():
    changed = applied("no 1/n", "detected")
    assert changed.architectures[64] == POINTS.architectures[16]
    assert changed.theory == POINTS.architectures


def test_what_follows_from_the_kernel_changes_with_it():
    """The flow of f, with a kernel twice as large, is that at twice the time."""
    f = np.random.default_rng(1).standard_normal((3, 3, 8))
    store = ensemble(POINTS, f, (0, 1, 2), 0.5, np.repeat(Y[None, :, 0], 3, axis=0))
    names = ("seed", "step", "sample", "output")
    flow = xr.Dataset({"f": (names, np.zeros((3, 3, 8, 1)))})
    points = replace(POINTS, ensembles={16: store}, dynamics={16: flow})
    one, two = (errors.with_limiting(points, k * POINTS.limiting).dynamics[16] for k in (1, 2))
    np.testing.assert_allclose(one["f"][:, 2], two["f"][:, 1])
    (later,) = [m for m in errors.mutations() if (m.kind, m.size) == ("learning rate", "x 2")]
    found = later.sources(points)
    np.testing.assert_allclose(found.ensembles[16]["time"], 2 * store["time"])
    np.testing.assert_allclose(found.dynamics[16]["f"], two["f"])


def test_errors_that_do_not_concern_a_claim_are_left_out():
    same = next(m for m in errors.mutations() if m.kind == "learning rate")
    assert same.sources(POINTS) is None
    gelu = sources(X, Y, name="gelu")
    (other,) = [m for m in errors.mutations() if m.size == "gelu"]
    assert other.sources(gelu) is None


def test_functions_of_a_measure_are_replaced_and_restored():
    double = Mutation("kernel", "x 2", patches={"limiting_kernels": errors.times(2)})
    with mutations.mutated("ntkflow.measures.parametrization", double, POINTS) as changed:
        assert changed is POINTS
        wrong = theory.limiting_kernels(X, X, **vars(POINTS.limit)).ntk
        np.testing.assert_allclose(wrong, 2 * NTK)
    assert theory.limiting_kernels is limiting_kernels
    with mutations.mutated("ntkflow.measures.early_stopping", double, POINTS) as changed:
        assert changed is None


STUDY = read_study({**DEFAULT, "experiments": {"some": RANDOM_FUNCTIONS}, "run": ["some"]})


@pytest.fixture(scope="module")
def before():
    """Numbers that disagree although the theory has no error."""
    return mutations.disagreeing(STUDY, "some", GIVEN)


def smallest(before):
    """Size of the error and numbers that disagree, by kind of error."""
    found = mutations.detected(STUDY, "some", GIVEN, before)
    return {error.kind: (error.size, lost) for error, lost in found}


def test_the_smallest_error_that_is_detected_is_found(before):
    found = smallest(before)
    size, lost = found["kernel larger"]
    assert size in {"x 1.1", "x 1.2"}  # the margin is a tenth
    assert any("distance of the kernel" in name for name in lost)
    assert found["beta"] == ("x 5", set())  # both sides of the comparison change
    assert "no 1/n" not in found


def test_an_error_too_small_is_not_detected(before, monkeypatch):
    tiny = scales("LAWS", lambda laws, factor: laws)
    monkeypatch.setattr("ntkflow.measures.random_functions.mutations.MUTATIONS", tiny[:2])
    assert smallest(before)["kernel larger"] == ("x 1.02", set())


def test_what_disagrees_in_a_finished_run_is_read_from_its_claims(tmp_path):
    rows = ["some,slope,agrees", "some,drift,disagrees", "some,bias,undecided", "an,a,disagrees"]
    (tmp_path / "claims.csv").write_text("\n".join(["experiment,quantity,verdict", *rows]))
    assert mutations.disagreed("some", tmp_path) == {"drift"}


def test_table_has_a_row_for_each_claim():
    rows = {"one": {"depth": "L + 1", "beta": None}, "other": {}}
    head, _, one, other = mutations.table(rows).splitlines()
    cells = dict(zip(head.split(" | "), one.split(" | "), strict=True))
    assert (cells["depth"], cells["beta"]) == ("L + 1", "–")
    assert other.startswith("| `other` |")
