"""Every setting of an experiment is told, in words."""

from pathlib import Path

import pytest
import yaml

from ntkflow.configuration.study import read_study
from ntkflow.pages.settings import settings

REPOSITORY = Path(__file__).parents[2]


def told(study, name):
    experiment = study.experiments[name]
    dataset, network = study.datasets[experiment.dataset], study.networks[experiment.network]
    parts = [model.model_dump(mode="json") for model in (experiment, network, study)]
    parts[1]["label"] = network.description
    points = {"description": dataset.description, "seed": dataset.seed}
    return dict(settings(parts[0], points, *parts[1:]))


@pytest.fixture(scope="module")
def study():
    return read_study(yaml.safe_load((REPOSITORY / "config/config.yaml").read_text("utf-8")))


def changed(study, name, **changes):
    """The study with other values for the experiment, and its data set and network."""
    config = study.model_dump(mode="json")
    experiment = config["experiments"][name]
    experiment |= changes.pop("experiment", {})
    config["datasets"][experiment["dataset"]] |= changes.pop("dataset", {})
    config["networks"][experiment["network"]] |= changes.pop("network", {})
    return read_study({**config, **changes})


def test_trained_experiment(study):
    assert told(study, "approach_to_the_limit") == {
        "Data set": "sphere_product: 12 training points on the unit sphere of R⁴, 4 test points on "
        "the unit sphere of R⁴; target 4 x₁ x₂",
        "Network": "relu_4: relu, depth L = 4, weight gain σ_w = 1, β = 0.1, 1 output",
        "Widths n": "32, 64, 128, 256, 512, 1024",
        "Networks": "20 initialisations of each width",
        "Untrained networks": "80000 of each width 8, 16, 32, 64",
        "Training": "gradient descent on least squares, full batch, learning rate η = 1, "
        "200 steps, to t = 200",
        "Precision": "networks in float32, limiting kernels in float64",
        "Seed": "0 of networks, 0 of the data set",
    }


def test_keys_of_one_measure_alone(study):
    found = told(study, "positive_definiteness")
    assert found["Sizes"] == "25, 50, 100, 200, 400"
    assert found["Frequencies"] == "64"
    assert "Widths n" not in found
    assert told(study, "functions_on_the_circle")["Band times"] == "20, ∞"


def test_every_shipped_experiment_names_all_of_its_keys(study):
    for name, experiment in study.experiments.items():
        text = str(told(study, name))
        for key, value in experiment.model_dump(mode="json").items():
            if key in ("initial", "untrained"):
                assert "Untrained networks" in told(study, name) or value is None, name
            elif key not in ("measure", "training") and not isinstance(value, list):
                shown = f"{value:g}" if isinstance(value, float) else str(value)
                assert shown in text, (name, key)


def test_other_training(study):
    training = {
        "steps": 50,
        "learning_rate": 0.25,
        "cost": "cross_entropy",
        "optimizer": {"name": "adam", "b1": 0.8},
        "batch_size": 16,
        "precision": "float64",
    }
    other = changed(study, "drift_under_cross_entropy", experiment={"training": training}, seed=7)
    found = told(other, "drift_under_cross_entropy")
    assert found["Training"] == (
        "adam (b1 0.8, b2 0.999, eps 1e−08) on cross entropy, batches of 16, learning rate "
        "η = 0.25, 50 steps, to t = 12.5"
    )
    assert found["Precision"].startswith("networks in float64")
    assert found["Seed"].startswith("7 of networks")


def test_other_data_and_network(study):
    powers = [{"coefficient": 1.0, "powers": [2, 0]}, {"coefficient": -0.5, "powers": [0, 1]}]
    data = {
        "train": {"inputs": "circle", "samples": 8, "spacing": "random"},
        "target": {"kind": "polynomial", "terms": powers},
        "label_noise": 0.5,
    }
    activation = {"name": "leaky_relu", "slope": 0.25}
    network = {"activation": activation, "width_ratios": [2, 1, 0.5], "beta": 0.2}
    other = changed(study, "kernel_on_the_circle", dataset=data, network=network)
    found = told(other, "kernel_on_the_circle")
    assert found["Data set"] == (
        "gaussian_product: 8 training points on the unit circle (spacing random), 121 test points "
        "on the unit circle; target x₁² − 0.5 x₂, label noise 0.5"
    )
    assert found["Network"] == (
        "relu_4: leaky_relu (slope 0.25), depth L = 4, weight gain σ_w = 1, β = 0.2, 1 output, "
        "widths of its hidden layers n times 2, 1, 0.5"
    )


def test_a_network_of_layers_is_told_by_its_label(study):
    config = study.model_dump(mode="json")
    config["networks"]["layered"] = {
        "layers": [{"convolution": {"filter": [3, 3]}}, "global_average_pool", "dense"],
        "shape": [8, 8, 1],
    }
    config["experiments"]["local_minima"]["network"] = "layered"
    config["experiments"]["local_minima"]["dataset"] = "some_digits_alone"
    assert told(read_study(config), "local_minima")["Network"] == (
        "layered: conv 3×3, mean, dense, β = 0.1, 1 output, inputs 8, 8, 1"
    )
