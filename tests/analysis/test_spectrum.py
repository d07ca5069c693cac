import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import KernelPCA

from ntkflow.analysis.spectrum import (
    component_target,
    decompose_kernel,
    eigenfunction,
    leading_eigenvalues,
)
from tests.analysis import examples


def random_kernel(seed, points, rank):
    factor = np.random.default_rng(seed).normal(size=(points, rank))
    return factor @ factor.T / rank


def test_eigenpairs_are_those_of_a_dense_decomposition():
    spectrum = decompose_kernel(examples.limiting())
    gram = examples.kernel(examples.TRAIN) / len(examples.TRAIN)
    np.testing.assert_allclose(spectrum.eigenvalue, np.linalg.eigvalsh(gram)[::-1], rtol=1e-13)
    np.testing.assert_array_equal(spectrum.component, [1, 2, 3, 4])
    for i in spectrum.component.values:
        f = eigenfunction(spectrum, i).values[examples.IS_TRAIN]
        np.testing.assert_allclose(gram @ f, float(spectrum.eigenvalue.sel(component=i)) * f)


@given(seed=st.integers(0, 2**32 - 1), points=st.integers(1, 12))
@settings(max_examples=30)
def test_eigenfunctions_are_orthonormal_under_p_in_and_parseval_holds(seed, points):
    ntk = random_kernel(seed, points, points + 3)
    spectrum = decompose_kernel(examples.limiting(ntk, np.ones(points, bool)))
    basis = spectrum.eigenfunction.values
    np.testing.assert_allclose(basis.T @ basis / points, np.eye(points), atol=1e-12)
    function = np.random.default_rng(seed).normal(size=points)
    coefficients = basis.T @ function / points
    assert np.sum(coefficients**2) == pytest.approx(np.mean(function**2))
    rebuilt = np.einsum("i,xi,yi->xy", spectrum.eigenvalue, basis, basis)
    np.testing.assert_allclose(rebuilt, ntk, atol=1e-12 * np.abs(ntk).max())


def test_nystroem_extension_agrees_with_the_sum_and_with_the_training_points():
    # Test points 0 and 1 repeat training points, where the extension must give the same function.
    angle = examples.ANGLE.copy()
    angle[4:6] = examples.TRAIN[:2]
    ntk = examples.kernel(angle)
    spectrum = decompose_kernel(examples.limiting(ntk))
    functions = spectrum.eigenfunction.values
    np.testing.assert_allclose(functions[4:6], functions[:2], atol=1e-10)
    for i, eigenvalue in enumerate(spectrum.eigenvalue.values):
        total = sum(ntk[9, j] * functions[j, i] for j in range(4))
        assert functions[9, i] == pytest.approx(total / (4 * eigenvalue), rel=1e-10)


def test_components_that_are_zero_to_rounding_have_no_value_off_the_data():
    ntk = random_kernel(0, len(examples.ANGLE), rank=2)
    functions = decompose_kernel(examples.limiting(ntk)).eigenfunction.values
    assert np.isfinite(functions[examples.IS_TRAIN]).all()
    assert np.isfinite(functions[~examples.IS_TRAIN, :2]).all()
    assert np.isnan(functions[~examples.IS_TRAIN, 2:]).all()


def test_training_points_may_come_in_any_place():
    order = np.random.default_rng(1).permutation(len(examples.ANGLE))
    straight = decompose_kernel(examples.limiting())
    ntk = examples.kernel(examples.ANGLE)[np.ix_(order, order)]
    shuffled = decompose_kernel(examples.limiting(ntk, examples.IS_TRAIN[order]))
    np.testing.assert_allclose(
        shuffled.eigenfunction, straight.eigenfunction.values[order], atol=1e-10
    )


@given(seed=st.integers(0, 2**32 - 1), points=st.integers(2, 12))
@settings(max_examples=30)
def test_sign_makes_the_largest_entry_positive(seed, points):
    ntk = random_kernel(seed, points, points)
    functions = decompose_kernel(examples.limiting(ntk, np.ones(points, bool))).eigenfunction.values
    assert (functions.max(axis=0) >= -functions.min(axis=0) * (1 - 1e-7)).all()


def test_sign_of_tied_entries_does_not_hang_on_rounding():
    # Eigenvectors (1, 1) and (1, -1): the second is tied, and its first entry decides.
    for nudge in (-1e-15, 1e-15):
        ntk = np.array([[1.0, 0.5], [0.5, 1.0 + nudge]])
        functions = decompose_kernel(examples.limiting(ntk, np.ones(2, bool))).eigenfunction
        np.testing.assert_allclose(functions, [[1, 1], [1, -1]], atol=1e-8)


def test_agrees_with_scikit_learn_on_a_centred_kernel():
    # KernelPCA removes the mean, which changes nothing on a kernel that has none.
    centring = np.eye(12) - 1 / 12
    ntk = centring @ random_kernel(3, 12, 20) @ centring
    spectrum = decompose_kernel(examples.limiting(ntk, np.ones(12, bool)))
    pca = KernelPCA(n_components=11, kernel="precomputed").fit(ntk)
    np.testing.assert_allclose(spectrum.eigenvalue[:11], pca.eigenvalues_ / 12, rtol=1e-10)
    functions = np.sqrt(12) * pca.eigenvectors_
    np.testing.assert_allclose(np.abs(spectrum.eigenfunction[:, :11]), np.abs(functions), atol=1e-8)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_leading_eigenvalues(count):
    ntk = random_kernel(4, 6, 9)
    expected = np.linalg.eigvalsh(ntk / 6)[::-1][:count]
    np.testing.assert_allclose(leading_eigenvalues(ntk, count), expected, rtol=1e-12)


def test_a_kernel_of_single_precision_may_be_asymmetric_by_its_rounding():
    ntk = random_kernel(5, 6, 9).astype(np.float32)
    ntk[0, 1] = np.nextafter(ntk[0, 1], np.float32(np.inf))
    assert leading_eigenvalues(ntk, 2).dtype == np.float64
    with pytest.raises(ValueError, match="transpose"):
        leading_eigenvalues(ntk.astype(np.float64) + 1e-3 * np.triu(np.ones((6, 6)), 1), 2)


@pytest.mark.parametrize(
    ("entry", "message"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.3, "transpose")]
)
def test_a_kernel_that_is_none_is_refused(entry, message):
    ntk = examples.kernel(examples.ANGLE)
    ntk[0, 1] = entry
    with pytest.raises(ValueError, match=message):
        decompose_kernel(examples.limiting(ntk))


def test_a_kernel_without_training_points_is_refused():
    with pytest.raises(ValueError, match="training point"):
        decompose_kernel(examples.limiting(is_train=np.zeros(len(examples.ANGLE), bool)))


def test_component_target():
    spectrum = decompose_kernel(examples.limiting())
    target = component_target(spectrum, 2, -0.5)
    np.testing.assert_array_equal(target, -0.5 * spectrum.eigenfunction[:, 1])
    assert target.dims == ("sample",)


@pytest.mark.parametrize("component", [0, 5, -1])
def test_component_out_of_range(component):
    with pytest.raises(ValueError, match=r"expected 1 to 4, the number of training points"):
        component_target(decompose_kernel(examples.limiting()), component, 0.5)
