"""Networks of the three kinds: composed of layers, functions, and fully-connected ones."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ntkflow.configuration import products
from ntkflow.configuration.activations import ActivationConfig
from ntkflow.configuration.layers import LayerConfig
from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import read_study
from ntkflow.kernels.layers import NAMES
from ntkflow.networks.models import network_from_plain
from tests.measures.found import FOLDERS

CONFIG = Path(__file__).parents[2] / "config"
DEFAULT = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))
LAYERS = """
- convolution: {filter: [3, 3], beta: 0.3}
- activation: relu
- residual:
    branch:
      - convolution: {filter: [3, 3]}
      - activation: {name: leaky_relu, slope: 0.1}
      - convolution: {filter: [3, 3], padding: circular}
- convolution: {filter: [2, 2], strides: [2, 2], padding: valid, width_ratio: 2}
- layer_norm
- average_pool: {window: [2, 2]}
- flatten
- dense
"""
IMAGES = {"shape": [8, 8, 1], "weight_gain": 1.5, "layers": yaml.safe_load(LAYERS)}
VECTORS = {"layers": ["dense", {"activation": "erf"}, "dense"]}
FUNCTION = {"function": "tests.networks.functions:plain"}


def study(network, name="approach_to_the_limit"):
    """The default study, with a copy of an experiment for another network, on images."""
    config = copy.deepcopy(DEFAULT)
    config["networks"]["mine"] = network
    config["datasets"]["images"] = {
        "train": {"inputs": "digits", "samples": 6, "preprocessing": "sphere"},
        "test": {"inputs": "digits", "samples": 3, "preprocessing": "sphere"},
        "target": {"kind": "one_vs_rest", "label": 3},
    }
    replaced = {"network": "mine", "dataset": "images"}
    config["experiments"]["tried"] = {**config["experiments"][name], **replaced}
    config["run"] = ["tried"]
    return config


def refusal(network, *name):
    with pytest.raises(ConfigurationError) as refused:
        read_study(study(network, *name))
    return str(refused.value)


def layers(*entries):
    return {"shape": [8, 8, 1], "layers": list(entries)}


CONVOLUTION = {"convolution": {"filter": [3, 3]}}
END = ("global_average_pool", "dense")


def test_layers_become_those_of_the_network():
    network = read_study(study(IMAGES)).networks["mine"]
    first, _, block, down, *_, last = network.finite(16)["layers"]
    assert (first["width"], first["beta"], first["weight_gain"]) == (16, 0.3, 1.5)
    assert (first["filter_shape"], first["padding"]) == ([3, 3], "same")
    assert block["shortcut"] == []
    assert block["branch"][1] == {"layer": "activation", "name": "leaky_relu", "slope": 0.1}
    assert (down["width"], down["strides"], down["beta"]) == (32, [2, 2], 0.1)
    assert (last["layer"], last["width"]) == ("dense", 1)
    assert "width" not in str(network.limit)
    assert network.limit["shape"] == network.finite(1)["shape"] == [8, 8, 1]
    assert network.modules == ["relu", "leaky_relu"]


def test_size_is_that_of_the_network():
    network = read_study(study(IMAGES)).networks["mine"]
    made = network_from_plain(**network.finite(16))
    assert network.size(16, 64) == (made.parameter_count(64), made.unit_count(64))
    # 9 x 1 + 1, twice 9 x 16 + 1, 4 x 16 + 1 weights and biases per channel, and the last layer.
    assert network.size(16, 64)[0] == 16 * 10 + 2 * 16 * 145 + 32 * 65 + 2 * 2 * 32 + 1


def test_pairs_of_positions_are_counted_once_per_layer():
    network = read_study(study(layers(CONVOLUTION, *END))).networks["mine"]
    assert network.pair_layers(64) == 64**2 + 1 + 1


def test_every_layer_can_be_written():
    assert {*NAMES.values()} == {*LayerConfig.model_fields}


def test_without_a_shape_inputs_are_vectors_of_the_data_set():
    read = read_study(study(VECTORS))
    network = read.network_of(read.experiments["tried"])
    assert network.finite(4)["shape"] == [64]


def test_a_dumped_study_is_the_same_study():
    read = read_study(study(IMAGES))
    assert read_study(read.model_dump(mode="json")) == read


def test_label_is_short():
    network = read_study(study(IMAGES)).networks["mine"]
    start = "conv 3×3, ReLU, residual (conv 3×3, leaky_relu (slope 0.1), conv 3×3), "
    rest = "conv 2×2 / 2×2, layer norm, pool 2×2, flatten, dense"
    assert network.label == f"{start}conv …, β = 0.1, σ_w = 1.5"
    assert network.description == f"{start}{rest}, β = 0.1, σ_w = 1.5"


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            layers({"convolutio": {"filter": [3, 3]}}, *END),
            "networks.mine.layers.0: found 'convolutio', expected the name of a layer (did you mean"
            " 'convolution'?)",
        ),
        (
            layers({"convolution": {"filters": [3, 3]}}, *END),
            "networks.mine.layers.0.convolution.filters: unknown key",
        ),
        (
            layers("convolution", *END),
            "networks.mine.layers.0.filter: missing, expected a value",
        ),
        (
            layers({**CONVOLUTION, "activation": "relu"}, *END),
            "networks.mine.layers.0: found 2 names in one entry of the list, expected the name of",
        ),
        (layers(3, *END), "networks.mine.layers.0: found 3, expected a mapping such as {"),
        (
            layers(CONVOLUTION, {"activation": "rleu"}, *END),
            "networks.mine.layers.1.activation: activation 'rleu' is not known",
        ),
        (
            layers({"activation": "relu"}, *END),
            "networks.mine.layers.0.activation: found values that are not Gaussian in the ",
        ),
        (
            layers({"convolution": {"filter": [9, 3], "padding": "valid"}}, *END),
            "networks.mine.layers.0.convolution: found a window of 9 on an axis of 8 positions",
        ),
        (
            layers({"convolution": {"filter": [3]}}, *END),
            "networks.mine.layers.0.convolution: found a window (3,), expected one number for each",
        ),
        (
            layers(CONVOLUTION, "global_average_pool"),
            "networks.mine.layers: expected a dense layer at the end",
        ),
        (
            layers(CONVOLUTION, "dense"),
            "networks.mine.layers: found an output at 64 positions, expected flatten or global_",
        ),
        (
            layers(CONVOLUTION, "flatten", {"dense": {"width_ratio": 2}}),
            "networks.mine.layers.2.dense.width_ratio: found 2, expected none: the last layer has",
        ),
        (
            layers({"residual": {"branch": [CONVOLUTION, "layer_norm", "flatten", "flatten"]}}),
            "networks.mine.layers.0.residual.branch.3.flatten: found vectors, expected inputs with",
        ),
        (
            layers({"residual": {"branch": [CONVOLUTION]}}, *END),
            "networks.mine.layers.0.residual: found a branch with 1000 channels and a shortcut with"
            " 1, expected equal numbers; add a layer with weights to the shortcut, or change a "
            "width (for",
        ),
        (
            {**layers(CONVOLUTION, *END), "shape": [8, 8, 2]},
            "networks.mine.shape: found [8, 8, 2], 8 x 8 x 2 = 128 entries, expected 64, the",
        ),
        (
            {"layers": [CONVOLUTION, *END]},
            "networks.mine.layers.0.convolution: found a window (3, 3), expected one number for",
        ),
        (
            {**layers(CONVOLUTION, *END), "outputs": 3},
            "experiments.tried.network: 'mine' has 3 outputs, the target of data set ",
        ),
        (
            {**layers(CONVOLUTION, *END), "depth": 3, "activation": "relu"},
            "networks.mine: found the keys layers, activation, depth together, expected one kind of"
            " network: depth and activation, layers, or function",
        ),
        (
            {**FUNCTION, "layers": ["dense"]},
            "networks.mine: found the keys layers, function together, expected one kind",
        ),
        ({**FUNCTION, "beta": 0.1}, "networks.mine.beta: unknown key"),
        (
            {"function": "tests.networks.functions:nothing"},
            "networks.mine.function: network function 'tests.networks.functions:nothing': Attribut",
        ),
        ({"function": "relu"}, "networks.mine.function: found 'relu'; it should match pattern ':'"),
        ({**FUNCTION, "shape": [5]}, "networks.mine.shape: found [5], 5 = 5 entries, expected 64"),
        (
            {**layers(CONVOLUTION, *END), "shape": [10**12, 8, 1]},
            "networks.mine.shape: found [1000000000000, 8, 1], expected at most 4096 positions",
        ),
        (
            layers({"convolution": {"filter": [3, 10**9]}}, *END),
            "networks.mine.layers.0.convolution.filter.1: found 1000000000; it should be less",
        ),
        ({"layers": []}, "networks.mine.layers: found []; "),
    ],
)
def test_a_network_that_does_not_fit_is_refused_with_its_key(network, message):
    lines = refusal(network).splitlines()
    assert any(line.startswith(message) for line in lines), lines
    keys = [line.partition(":")[0] for line in lines]
    assert all(key.startswith(("networks.mine", "experiments.tried")) for key in keys)


def test_a_function_has_no_limit():
    message = refusal(FUNCTION)
    assert message == (
        "experiments.tried.network: 'mine' is a function, which has no limit; 'width_scaling' "
        "compares with the limit"
    )


def test_a_measure_of_depth_needs_a_fully_connected_network():
    message = refusal(VECTORS, "small_movements")
    assert message == (
        "experiments.tried.network: 'mine' is composed of layers; 'small_movements' needs a fully-"
        "connected network"
    )


# Measures that use the depth, hidden widths or exact moments of a fully-connected network.
FULLY_CONNECTED = {
    *("drift_by_activation", "gaussian_process", "parametrization", "positive_definiteness"),
    *("published_eigenvalues", "small_movements", "universality"),
}
WITHOUT_LIMIT = {"function_space", "kernel_drift", "local_minima"}


@pytest.mark.parametrize("measure", FOLDERS)
def test_each_measure_takes_the_networks_that_it_can(measure):
    """Of the experiments of this measure, by the kind of network."""
    config = copy.deepcopy(DEFAULT)
    name = next(k for k, each in config["experiments"].items() if each["measure"] == measure)
    experiment = read_study(config).experiments[name]
    networks = {"composed": {**VECTORS, "outputs": 1}, "function": {**FUNCTION, "outputs": 1}}
    config["networks"] |= networks
    read = read_study(config).networks
    taken = [kind for kind in networks if not [*experiment.network_problems(read[kind])]]
    expected = [] if measure in FULLY_CONNECTED else ["composed"]
    assert taken == expected + (["function"] if measure in WITHOUT_LIMIT else [])


def test_a_function_is_read_by_a_measure_without_a_limit():
    read = read_study(study(FUNCTION, "local_minima"))
    found = products.networks_of(read, read.experiments["tried"])
    assert found["limit"] is None
    widths = read.experiments["tried"].widths
    assert [each["width"] for each in found["finite"].values()] == widths


def test_layers_are_checked_without_jax():
    program = (
        "import sys, yaml; from ntkflow.configuration.study import read_study; "
        "read_study(yaml.safe_load(sys.stdin)); assert 'jax' not in sys.modules"
    )
    text = yaml.safe_dump(study(IMAGES))
    subprocess.run([sys.executable, "-c", program], input=text, text=True, check=True)


def test_activations_have_titles():
    assert ActivationConfig(name="relu").title == "ReLU"
    assert ActivationConfig(name="leaky_relu", slope=0.2).title == "leaky_relu (slope 0.2)"
