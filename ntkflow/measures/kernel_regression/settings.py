"""Settings of the measure `kernel_regression`."""

from ntkflow.measures.common.regression import Regression


class Settings(Regression):
    """Test error of regression with the NNGP kernel and the limiting NTK, by training-set size.

    Trains no networks. Without a ridge, regression with the NTK on all points gives the mean of
    infinitely wide networks at infinite time. Needs `test` points at which the target is known.
    With `landmarks` alone, without `all`, it computes no kernel of all pairs and can use millions
    of points.
    """

    parallel = True
    title = "Test error of regression with the limiting kernels"
    caption = (
        "Test error of regression with the NNGP kernel and with the limiting NTK, against the "
        "number of training points or of landmarks. With one-hot targets it is the fraction of "
        "test points that are misclassified, the class being the largest output, with 95 % Wilson "
        "intervals over the test points; a bar without a point means that none was misclassified. "
        "With other targets it is the mean square of f - f*, with its 95 % interval over the test "
        "points. Fainter curves have fewer landmarks, dashed lines are errors with all points. "
        "Without a ridge, regression with the NTK on all points is the mean of infinitely wide "
        "networks trained to convergence."
    )
    alt = (
        "One panel on logarithmic axes: test error against the number of training points or of "
        "landmarks, curves for the NNGP kernel and for the limiting NTK."
    )
