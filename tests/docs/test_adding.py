"""The pages of docs/adding: carried out in a copy of the code, they give what they say."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.docs.pages import ADDING, carry_out, link_environment, run
from tests.workflow.conftest import CODE, copy_of_code

BESIDES = (
    *("benchmarks", "docs", "references", "tests"),
    *("Makefile", "pyproject.toml", "requirements.lock"),
    *("README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE"),
)
PAGES = ("activation.md", "data_set.md", "network.md", "experiment.md", "claim.md")
LINT = """.venv/bin/ruff check ntkflow tests workflow
.venv/bin/ruff format --check ntkflow tests workflow"""
WHAT_SPEAKS_UP = (
    "tests/test_architecture.py tests/test_docs.py tests/pages/test_stores.py "
    "tests/configuration/test_readme.py tests/configuration/test_schema.py "
    "tests/configuration/test_study.py tests/docs/test_gallery.py"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the code, with the environment of the tests."""
    clone = tmp_path / "clone"
    copy_of_code(clone, *CODE, *BESIDES)
    link_environment(clone)
    return clone


@pytest.fixture
def carried_out(clone: Path) -> Callable[..., Path]:
    """The results of the study of a page."""

    def results(name: str, place: str = "results") -> Path:
        carry_out(ADDING / name, clone)
        return clone / place

    return results


@pytest.mark.parametrize("name", PAGES)
def test_changes_fit_the_code(clone, name):
    carry_out(ADDING / name, clone, runs=lambda commands: False)


@pytest.mark.slow
def test_the_code_with_all_changes_is_accepted(clone):
    """By its checks of style, and by the tests that look at all of it."""
    for name in PAGES:
        carry_out(ADDING / name, clone, runs="make schema\n".__eq__)
        shutil.rmtree(clone.parent / "mine", ignore_errors=True)  # each page has a study of its own
    run(f"{LINT}\n.venv/bin/python -m pytest -q -n0 {WHAT_SPEAKS_UP}", clone)


def test_every_page_is_carried_out():
    assert {page.name for page in ADDING.glob("*.md")} == {"README.md", *PAGES}


def assert_drawn(results: Path, *names: str) -> None:
    for name in names:
        assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def limits(results: Path, network: str) -> tuple[np.ndarray, np.ndarray]:
    """Products of the points, and the limiting NTK."""
    points = xr.open_zarr(results / "datasets" / "four_points.zarr")["x"].values
    kernels = xr.open_zarr(results / "limiting" / "four_points" / f"{network}.zarr")
    assert kernels.attrs["dual_error"] < 1e-6
    return points @ points.T, kernels["ntk"].values


@pytest.mark.slow
def test_activation(carried_out):
    results = carried_out("activation.md")
    assert_drawn(results, "bump", "squared_relu")
    # Depth 2 by hand: arc-cosine kernels of degree 2 and 1 (Cho & Saul 2009), beta = 0.1.
    products, ntk = limits(results, "squared_relu_2")
    variance, covariance = 1 / 2 + 0.01, products / 2 + 0.01
    angle = np.arccos(np.clip(covariance / variance, -1, 1))
    cosine, sine = np.cos(angle), np.sin(angle)
    second = 3 * sine * cosine + (np.pi - angle) * (1 + 2 * cosine**2)
    first = sine + (np.pi - angle) * cosine
    nngp = variance**2 * second / (2 * np.pi) + 0.01
    slope = 4 * variance * first / (2 * np.pi)
    np.testing.assert_allclose(ntk, covariance * slope + nngp, rtol=1e-9)


@pytest.mark.slow
def test_data_set(carried_out):
    results = carried_out("data_set.md")
    assert_drawn(results, "flowers", "petals", "petals_in_training", "moons", "parity")
    flowers = xr.open_zarr(results / "datasets" / "flowers.zarr")
    train = flowers["x"].values[flowers["is_train"].values]
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-12)
    assert flowers["y"].values.sum(axis=0).tolist() == [5, 5]
    petals = xr.open_zarr(results / "datasets" / "petals.zarr")
    assert petals["feature"].values.tolist() == ["petal_length"]
    train = petals["y"].values[petals["is_train"].values]
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-12)
    moons = xr.open_zarr(results / "datasets" / "moons.zarr")
    x, side = moons["x"].values, moons["y"].values[:, 0]
    centre = np.where(side[:, None] > 0, [0, 0], [1, 0.5])
    assert np.all(np.abs(np.linalg.norm(x - centre, axis=1) - 1) < 0.25)
    assert len(np.unique(x, axis=0)) == 48
    parity = xr.open_zarr(results / "datasets" / "parity.zarr")
    x = parity["x"].values
    np.testing.assert_array_equal(np.abs(x), np.ones((48, 6)))
    np.testing.assert_array_equal(parity["y"].values[:, 0], x[:, :3].prod(axis=1))


@pytest.mark.slow
def test_network(carried_out):
    results = carried_out("network.md")
    assert_drawn(results, "residual_scaling", "vectors_moving", "gated_moving")
    # One hidden layer with gates: its NTK at t = 0 by automatic differentiation is in the store.
    store = xr.open_zarr(results / "ensembles" / "gated_moving" / "width-8.zarr")
    assert np.isfinite(store["f"].values).all()
    assert not (results / "limiting" / "nine_digits" / "gated.zarr").exists()


@pytest.mark.slow
def test_experiment(carried_out):
    results = carried_out("experiment.md", "../mine/results")
    assert_drawn(results, "dimension_of_digits")
    store = xr.open_zarr(results / "statistics" / "dimension_of_digits.zarr")
    eigenvalues = xr.open_zarr(results / "spectrum" / "digits" / "relu_5.zarr")["eigenvalue"].values
    ridges = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1])
    expected = [np.sum(eigenvalues / (eigenvalues + ridge)) for ridge in ridges]
    np.testing.assert_allclose(store["ridge"], ridges)
    np.testing.assert_allclose(store["dimension"], expected)


@pytest.mark.slow
def test_claim(carried_out):
    results = carried_out("claim.md", "../mine/results")
    assert_drawn(results, "kernel_order")
    assert not (results.parents[1] / "clone" / "results").exists()
    rows = json.loads((results / "claims.json").read_text(encoding="utf-8"))
    assert {(row["experiment"], row["verdict"]) for row in rows} == {("kernel_order", "agrees")}
    assert len(rows) == 3
