"""scikit-learn's own checks of estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkflow.estimators import NNGPRegressor, NTKClassifier, NTKRegressor


@parametrize_with_checks(
    [NTKRegressor(), NTKRegressor(activation="erf", time=100.0), NNGPRegressor(), NTKClassifier()]
)
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)
