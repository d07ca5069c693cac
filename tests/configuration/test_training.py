"""`training`: which costs, optimisers, batches and probes go with which measure and data set."""

import pytest

from ntkflow.configuration.study import read_study
from tests.configuration.test_study import changed, refusal

DRIFT = "experiments.drift_under_cross_entropy.training"
BANDS = "experiments.functions_on_the_circle.training"
PROFILE = "experiments.kernel_on_the_circle.training"


def training(path, value):
    name = path.split(".")[1]
    return read_study(changed(path, value)).experiments[name].training


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("gradient_descent", {"name": "gradient_descent"}),
        ("momentum", {"name": "momentum", "momentum": 0.9, "nesterov": False}),
        ({"name": "adam", "b1": 0.5}, {"name": "adam", "b1": 0.5, "b2": 0.999, "eps": 1e-8}),
    ],
)
def test_optimizer_is_a_name_or_a_mapping(value, plain):
    found = training(f"{DRIFT}.optimizer", value).optimizer
    assert found.model_dump() == plain


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (f"{DRIFT}.cost", "hinge", "cost 'hinge' is not known; choose one of ['cross_entropy', "),
        (f"{DRIFT}.cost", "nowhere:c", "expected 'module:function', the module on PYTHONPATH"),
        (f"{DRIFT}.cost", "logistic", "expected the target one_vs_rest, not one_hot"),
        (f"{PROFILE}.cost", "cross_entropy", "expected the target one_hot, not polynomial"),
        (f"{BANDS}.cost", "ntkflow.networks.costs:Cost", "expected 'least_squares'"),
        (f"{BANDS}.optimizer", "adam", "found 'adam', expected 'gradient_descent'"),
        (f"{BANDS}.batch_size", 2, "found 2, expected null: this measure"),
        (
            f"{PROFILE}.probe",
            "test",
            "expected 'all': this measure needs the records of all points",
        ),
        (f"{DRIFT}.optimizer", {"name": "momentum", "momentum": 1.0}, "less than 1"),
        (f"{DRIFT}.optimizer", {"name": "adam", "momentum": 0.9}, "momentum"),
        (f"{DRIFT}.batch_size", 129, "found 129, the data set has 128 training points"),
        (f"{DRIFT}.batch_size", 0, "greater than 0"),
        (f"{DRIFT}.kernel_steps", {"count": 1}, "greater than or equal to 2"),
        ("datasets.some_digits.test", ..., f"{DRIFT}.probe: found 'test', the data set has no"),
    ],
)
def test_refusal_names_the_key_and_what_was_expected(path, value, message):
    found = refusal(changed(path, value))
    key = path if path.startswith("experiments") else DRIFT
    assert any(key in line and message in line for line in found.splitlines())


def test_what_the_theory_does_not_cover_goes_where_it_is_not_held_against_a_limit():
    assert training(f"{PROFILE}.optimizer", "momentum").optimizer.name == "momentum"
    assert training(f"{PROFILE}.batch_size", 5).batch_size == 5
    assert training(f"{DRIFT}.probe", "train").probe == "train"


def test_kernel_steps_can_be_spaced():
    spaced = training(f"{DRIFT}.kernel_steps", {"count": 5, "spacing": "linear"})
    assert spaced.recorded_kernels == [0, 25, 50, 75, 100]


def test_recorded_kernels_take_two_gibibytes_at_most():
    """5 seeds of 32 points and 10 outputs: 2 MiB a step, so 160 points allow 41 steps."""
    config = changed("datasets.some_digits.test.samples", 160)
    for steps, fits in ((range(41), True), (range(43), False)):
        config["experiments"]["drift_under_cross_entropy"]["training"]["kernel_steps"] = [*steps]
        if fits:
            read_study(config)
        else:
            assert "43 steps, whose kernels take 2,099 MiB a width (215 kernels" in refusal(config)
