import numpy as np
import pytest

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.measures.common.sources import Sources
from ntkflow.measures.principal_component.figure import tabulate
from ntkflow.measures.principal_component.measure import measure
from tests.analysis import examples

N = len(examples.TRAIN)


def measured(ensembles, spectrum, component, amplitude):
    return measure(
        Sources(ensembles=ensembles, spectrum=spectrum), component=component, amplitude=amplitude
    )


def ensembles(**options):
    rng = np.random.default_rng(0)
    return {50: examples.ensemble(rng, **options), 10: examples.ensemble(rng, seeds=2, **options)}


@pytest.fixture(name="spectrum")
def _spectrum():
    return decompose_kernel(examples.limiting())


@pytest.mark.parametrize("outputs", [1, 2])
def test_distances_against_loops(spectrum, outputs):
    stores = ensembles(outputs=outputs)
    statistics = measured(stores, spectrum, component=2, amplitude=-0.5)
    f2 = spectrum.eigenfunction.values[:N, 1]
    for width, ensemble in stores.items():
        for seed in ensemble.seed.values:
            for step in (0, 5, 20):
                f = ensemble.f.sel(seed=seed, step=step).values[:N]
                along, across = 0.0, 0.0
                for k in range(outputs):
                    residual = f[:, k] - ensemble.goal.sel(seed=seed).values[:N, k]
                    g = sum(residual * f2) / N
                    along += g**2
                    across += sum((residual - g * f2) ** 2) / N
                found = statistics.sel(width=width, seed=seed, step=step)
                assert float(found.along) == pytest.approx(np.sqrt(along))
                assert float(found.across) == pytest.approx(np.sqrt(across))
    assert statistics.along.sel(width=10, seed=2).isnull().all()
    assert statistics.attrs["component"] == 2
    assert statistics.attrs["amplitude"] == -0.5


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_network_on_the_straight_line_follows_the_limit(spectrum, outputs):
    ensemble = examples.ensemble(np.random.default_rng(1), outputs=outputs)
    eigenvalue, f3 = (
        float(spectrum.eigenvalue[2]),
        spectrum.eigenfunction[:, 2].drop_vars("component"),
    )
    goal = ensemble.f.isel(step=0, drop=True) + 0.7 * f3
    steps = ensemble.step.values
    rate = float(ensemble.time[-1]) / steps[-1]
    remaining = [1.0]
    for _ in range(steps[-1]):
        remaining.append(remaining[-1] - rate * eigenvalue * remaining[-1])
    f = goal - 0.7 * f3 * ensemble.step.copy(data=np.abs(remaining)[steps])
    ensemble = ensemble.assign(f=f.transpose(*ensemble.f.dims), goal=goal)
    statistics = measured({64: ensemble}, spectrum, 3, 0.7)
    np.testing.assert_allclose(statistics.across, 0, atol=1e-14)
    for seed in range(3):
        np.testing.assert_allclose(statistics.along[0, seed], statistics.limiting_along, rtol=1e-12)


@pytest.mark.parametrize("outputs", [1, 2])
def test_eigenvalues_of_the_networks(spectrum, outputs):
    stores = ensembles(outputs=outputs)
    statistics = measured(stores, spectrum, 2, 0.5)
    for width, ensemble in stores.items():
        for seed in ensemble.seed.values:
            blocks = ensemble.ntk.sel(seed=seed, kernel_step=0).values[:N, :N]
            mean = sum(blocks[:, :, k, k] for k in range(outputs)) / outputs
            np.testing.assert_allclose(
                statistics.network_eigenvalue.sel(width=width, seed=seed),
                np.linalg.eigvalsh(mean / N)[::-1],
                rtol=1e-10,
            )
    np.testing.assert_array_equal(statistics.eigenvalue, spectrum.eigenvalue)
    np.testing.assert_array_equal(statistics.eigenfunction, spectrum.eigenfunction[:N])


@pytest.mark.parametrize(("component", "kept"), [(2, 10), (10, 11), (12, 12)])
def test_enough_components_are_kept_for_the_trained_one_and_its_successor(component, kept):
    angle = np.linspace(-3, 3, 12)
    limiting = examples.limiting(examples.kernel(angle), np.ones(12, bool))
    ensemble = examples.ensemble(np.random.default_rng(0)).drop_vars("angle")
    ensemble = ensemble.isel(sample=np.arange(12) % 11, sample_prime=np.arange(12) % 11)
    statistics = measured({8: ensemble}, decompose_kernel(limiting), component, 1)
    np.testing.assert_array_equal(statistics.component, np.arange(1, kept + 1))


def test_labels_are_kept(spectrum):
    labelled = spectrum.assign_coords(label=("sample", np.arange(len(examples.ANGLE))))
    statistics = measured(ensembles(), labelled, 2, 0.5)
    np.testing.assert_array_equal(statistics.label, np.arange(N))
    assert "angle" not in statistics.coords


def test_table(spectrum):
    stores = ensembles()
    table = tabulate(measured(stores, spectrum, 2, 0.5))
    rows = [
        np.linalg.eigvalsh(kernel[:N, :N, 0, 0] / N)[::-1]
        for kernel in stores[50].ntk.isel(kernel_step=0).values
    ]
    assert table["network_width"].eq(50).all()
    np.testing.assert_array_equal(table["component"], [1, 2, 3, 4])
    np.testing.assert_allclose(table["limiting_eigenvalue"], spectrum.eigenvalue)
    np.testing.assert_allclose(table["network_mean"], np.mean(rows, axis=0))
    np.testing.assert_allclose(table["network_deviation"], np.std(rows, axis=0, ddof=1))
    np.testing.assert_array_equal(table["jgh_2018_mnist"], [0.0457, 0.00108, 0.00078, np.nan])


def test_one_network_has_no_deviation(spectrum):
    ensemble = examples.ensemble(np.random.default_rng(0), seeds=1)
    table = tabulate(measured({8: ensemble}, spectrum, 2, 0.5))
    assert table["network_deviation"].isna().all()


def test_lazy_stores_give_the_same(spectrum):
    lazy = {width: ensemble.chunk(seed=1) for width, ensemble in ensembles().items()}
    found = measured(lazy, spectrum.chunk(), 2, 0.5)
    expected = measured(ensembles(), spectrum, 2, 0.5)
    assert found.identical(expected)
    assert tabulate(found.chunk()).equals(tabulate(expected))


def test_missing_component_or_kernels_are_refused(spectrum):
    with pytest.raises(ValueError, match="expected 1 to 4, the number of training points"):
        measured(ensembles(), spectrum, 5, 0.5)
    with pytest.raises(ValueError, match="width 8: found an ensemble without empirical NTK"):
        measured({8: ensembles()[50].drop_vars("ntk")}, spectrum, 2, 0.5)
