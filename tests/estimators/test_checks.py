"""scikit-learn's own checks of estimators."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkflow.estimators import NNGPRegressor, NTKClassifier, NTKRegressor


@parametrize_with_checks([NTKRegressor(), NNGPRegressor(), NTKClassifier()])
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([NTKRegressor(activation="erf", ridge=0.0, time=100.0)])
def test_conventions_hold_with_other_parameters(estimator, check):
    check(estimator)
