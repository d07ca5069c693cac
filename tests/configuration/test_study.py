import copy
import math
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import read_study
from tests.measures.found import CLAIMS, FOLDERS

CONFIG = Path(__file__).parents[2] / "config"
DEFAULT = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))


def overlaid(name):
    """The default with another file over it, as `snakemake --configfile` does it."""
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load((CONFIG / name).read_text(encoding="utf-8")))
    return config


def changed(path, value):
    """The default configuration with one value replaced, or removed if it is `...`."""
    config = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return config


def refusal(config):
    with pytest.raises(ConfigurationError) as refused:
        read_study(config)
    return str(refused.value)


# Named, so that the files of a user are not tested.
@pytest.mark.parametrize("name", ["config.yaml", "claims.yaml", "paper.yaml", "smoke.yaml"])
def test_shipped_configurations_are_valid(name):
    study = read_study(overlaid(name))
    assert set(study.selected) == set(study.run) <= set(study.experiments)
    # Experiments that need a download are defined, but not selected.
    measures = {experiment.measure for experiment in study.experiments.values()}
    assert measures == set(FOLDERS) > CLAIMS


def test_defaults_are_filled_in():
    config = changed("run", ...)
    del config["seed"], config["networks"]["relu_4"]["beta"]
    study = read_study(config)
    assert list(study.selected) == list(config["experiments"])
    assert (study.seed, study.networks["relu_4"].beta) == (0, 0.1)
    training = study.experiments["kernel_on_the_circle"].training
    assert (training.precision, training.recorded_kernels) == ("float32", [0, 200])
    assert training.recorded_functions[0] == 0
    assert training.recorded_functions[-1] == 200


CIRCLE = "experiments.functions_on_the_circle"
COMPONENT = "experiments.along_a_component"
SCALING = "experiments.approach_to_the_limit"
DRIFT = "experiments.drift_under_cross_entropy"
REGRESSION = "experiments.classification_of_digits"
DEFINITE = "experiments.positive_definiteness"
PROFILE = "experiments.kernel_on_the_circle"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        # Misspelt, missing, of the wrong type, out of range.
        ("sed", 1, "sed: unknown key"),
        (f"{PROFILE}.width", [5], f"{PROFILE}.width: unknown key"),
        (f"{PROFILE}.training.rate", 1.0, f"{PROFILE}.training.rate: unknown key"),
        (f"{PROFILE}.training.steps", ..., f"{PROFILE}.training.steps: missing, expected a value"),
        ("networks", ..., "networks: missing, expected a value"),
        ("networks.relu_4.depth", "four", "networks.relu_4.depth: found 'four'; it should be a va"),
        ("networks.relu_4.depth", 0, "networks.relu_4.depth: found 0; it should be greater than 0"),
        ("networks.relu_4", None, "networks.relu_4: found None, expected a mapping such as {"),
        ("networks.relu_4.beta", -0.1, "networks.relu_4.beta: found -0.1; it should be greater"),
        ("networks.relu_4.beta", math.nan, "networks.relu_4.beta: found nan; it should be a fin"),
        (f"{PROFILE}.seeds", 0, f"{PROFILE}.seeds: found 0; it should be greater than 0"),
        (f"{PROFILE}.widths", [5, 0], f"{PROFILE}.widths.1: found 0; it should be greater than 0"),
        (f"{PROFILE}.widths", [], f"{PROFILE}.widths: found []; "),
        (f"{PROFILE}.training.learning_rate", math.inf, "learning_rate: found inf; it should be"),
        (f"{PROFILE}.training.precision", "float16", "found 'float16'; it should be 'float32' or"),
        (f"{PROFILE}.training.steps", 2**31, "found 2147483648; it should be less than 2147483"),
        ("datasets.digits.train.preprocessing", "none", "datasets.digits.train.preprocessing: "),
        (
            "datasets.digits.target.label",
            10,
            "datasets.digits.target.label: found 10, expect",
        ),
        ("seed", -1, "seed: found -1; it should be greater than or equal to 0"),
        (f"{PROFILE}.widths", [2**20 + 1], f"{PROFILE}.widths.0: found 1048577; it should be less"),
        (f"{SCALING}.initial.widths", [2**21], f"{SCALING}.initial.widths.0: found 2097152; it s"),
        (f"{SCALING}.seeds", 4, f"{SCALING}.seeds: found 4; it should be greater than or equal t"),
        ("run", [], "run: found []; "),
        # A boolean is no number.
        ("networks.relu_4.depth", True, "networks.relu_4.depth: found True, expected a number"),
        ("networks.relu_4.beta", False, "networks.relu_4.beta: found False, expected a number"),
        (f"{PROFILE}.widths", [5, True], f"{PROFILE}.widths.1: found True, expected a number"),
        ("seed", False, "seed: found False, expected a number, not a boolean"),
        # Names that do not exist, in the registries and in the file.
        (
            f"{PROFILE}.measure",
            "kernel_profil",
            f"{PROFILE}.measure: found 'kernel_profil', expected one of 'bayesian_inference', ",
        ),
        (f"{PROFILE}.measure", ..., f"{PROFILE}: missing the key 'measure'"),
        ("datasets.digits.train.inputs", "cifar", "datasets.digits.train.inputs: found 'cifar', e"),
        ("datasets.digits.target.kind", "onehot", "datasets.digits.target.kind: found 'onehot', "),
        (
            "networks.relu_4.activation",
            "rleu",
            "networks.relu_4.activation: activation 'rleu' is not known; choose one of ['abs'",
        ),
        (
            "networks.relu_4.activation",
            {"name": "leaky_relu", "slop": 0.1},
            "its parameters are ['slope']",
        ),
        (
            "networks.relu_4.activation",
            {"name": "leaky_relu", "slope": "steep"},
            "networks.relu_4.activation.slope: found 'steep'; ",
        ),
        (f"{PROFILE}.dataset", "digit", "expected the name of dataset defined here (did you mean"),
        (f"{PROFILE}.network", "xyz", f"{PROFILE}.network: found 'xyz', expected the name of netw"),
        ("run", ["along_a_component", "nothing"], "run.1: found 'nothing', expected the name of"),
        ("networks.relu 4", {"depth": 4, "activation": "relu"}, "networks.relu 4"),
        # Values that do not agree with one another.
        (
            "networks.relu_4.width_ratios",
            [1.0],
            "networks.relu_4.width_ratios: found 1, expected depth - 1 = 3",
        ),
        (
            "datasets.sphere_product.test.features",
            3,
            "datasets.sphere_product.test: found 3 features, expected 4 as in `train`",
        ),
        (
            "datasets.gaussian_product.train.features",
            3,
            "datasets.gaussian_product.test: found 2 features, expected 3 as in `train`",
        ),
        (
            "datasets.sphere_product.target.terms",
            [{"powers": [1, 1]}],
            "datasets.sphere_product.target.terms.0.powers: found 2, expected one for each of the "
            "4 features",
        ),
        (
            "datasets.four_points.target.values",
            [1.0],
            "datasets.four_points.target.values: found 1, expected 4, one per training point",
        ),
        ("datasets.four_points.train.samples", 4, "datasets.four_points.train: give either `angle"),
        ("datasets.four_points.test", {"inputs": "circle"}, "give either `angles` or `samples`"),
        (
            "datasets.four_points.target",
            {"kind": "one_hot"},
            "datasets.four_points.target.kind: found one_hot, expected labelled inputs: digits, "
            "mnist, or a file with the key label",
        ),
        (
            "datasets.digits.label_noise",
            1.5,
            "datasets.digits.label_noise: found 1.5, expected a prob",
        ),
        (
            "networks.relu_4.outputs",
            2,
            f"{PROFILE}.network: 'relu_4' has 2 outputs, the target of data set 'gaussian_product'"
            " has 1",
        ),
        (
            "run",
            ["along_a_component", "along_a_component"],
            "run: found ['along_a_component', 'along_a_component'], expected each experiment once",
        ),
        (
            "datasets.digits.train.samples",
            1798,
            "datasets.digits.train.samples: found 1798, expect",
        ),
        (
            "datasets.digits.test",
            {"inputs": "digits", "samples": 1286},
            "datasets.digits.test.samples: found 1286, expected at most 1285: digits has 1797 "
            "images, 512 of them in `train`",
        ),
        (
            "datasets.mnist.train.samples",
            10_001,
            "datasets.mnist.train.samples: found 10001, expected at most 10000: the test split of "
            "mnist has 10000 images",
        ),
        (
            "datasets.mnist.test",
            {"inputs": "mnist", "split": "train", "samples": 60_001},
            "datasets.mnist.test.samples: found 60001, expected at most 60000: the train split",
        ),
        (f"{PROFILE}.widths", [50, 50], f"{PROFILE}.widths: found [50, 50], expected each width "),
        (
            f"{PROFILE}.dataset",
            "sphere_product",
            f"{PROFILE}.dataset: 'sphere_product' needs `test` points with `inputs: circle`",
        ),
        (f"{PROFILE}.training.kernel_steps", [], "training.kernel_steps: found none, expected at"),
        (
            f"{PROFILE}.training.kernel_steps",
            [201],
            f"{PROFILE}.training.kernel_steps: found 201, expected at most the 200 steps",
        ),
        (
            f"{CIRCLE}.training.function_steps",
            [0, 1001],
            ".function_steps: found 1001, expected at",
        ),
        (f"{CIRCLE}.band_times", [1001], f"{CIRCLE}.band_times: found 1001, training ends at t ="),
        (f"{CIRCLE}.band_times", [math.nan], f"{CIRCLE}.band_times.0: found nan; it should be "),
        (
            f"{CIRCLE}.band_times",
            [20, 20.0],
            "band_times: found [20.0, 20.0], expected each time on",
        ),
        (f"{COMPONENT}.component", 512, f"{COMPONENT}.component: found 512, the data set has 512"),
        (f"{COMPONENT}.training.kernel_steps", [1], "kernel_steps: expected 0 among them, for the"),
        (f"{SCALING}.widths", [64], f"{SCALING}.widths: found [64], expected at least 2"),
        (f"{SCALING}.training.kernel_steps", [0], "kernel_steps: found [0], expected 0 and a l"),
        (
            f"{DRIFT}.training.kernel_steps",
            [5, 9],
            "kernel_steps: found [5, 9], expected 0 and a l",
        ),
        (f"{DRIFT}.training.kernel_steps", [0], "kernel_steps: found [0], expected 0 and a later"),
        (f"{DRIFT}.training.kernel_steps", [], "kernel_steps: found [], expected 0 and a later s"),
        (f"{DRIFT}.widths", [64, 64], f"{DRIFT}.widths: found [64, 64], expected each width once"),
        (f"{REGRESSION}.sizes", [20, 20], f"{REGRESSION}.sizes: found [20, 20], expected each s"),
        (f"{REGRESSION}.sizes", [1298], ".sizes: found 1298, the data set has 1297 training poi"),
        (f"{REGRESSION}.sizes", [], f"{REGRESSION}.sizes: found []"),
        (f"{REGRESSION}.landmarks", [5, 5], f"{REGRESSION}.landmarks: found [5, 5], expected ea"),
        (f"{REGRESSION}.landmarks", [10, 50], ".landmarks: found 50, expected at most 20, the sm"),
        (f"{REGRESSION}.landmarks", [], f"{REGRESSION}.landmarks: found []"),
        (
            f"{REGRESSION}.landmarks",
            "some",
            ".landmarks: found 'some', expected an integer of at le",
        ),
        (
            f"{REGRESSION}.landmarks",
            [0, "all"],
            ".landmarks.0: found 0, expected an integer of at ",
        ),
        (
            f"{REGRESSION}.landmarks",
            None,
            "landmarks: found None, expected an integer of at least ",
        ),
        (
            f"{REGRESSION}.landmarks",
            [True],
            "landmarks.0: found True, expected an integer of at lea",
        ),
        (f"{REGRESSION}.selection", "best", f"{REGRESSION}.selection: found 'best'"),
        (f"{DEFINITE}.sizes", [4, 401], ".sizes: found 401, the data set has 400 points"),
        (f"{REGRESSION}.ridge", -1, f"{REGRESSION}.ridge: found -1"),
        (f"{REGRESSION}.widths", [10], f"{REGRESSION}.widths: unknown key"),
        (
            f"{REGRESSION}.dataset",
            "digits",
            f"{REGRESSION}.dataset: 'digits' needs `test` points at which the target is known",
        ),
        (
            "experiments.early_stopping.dataset",
            "digits",
            "experiments.early_stopping.dataset: 'digits' needs `test` points",
        ),
        (f"{SCALING}.initial", ..., f"{SCALING}.initial: missing, expected a value"),
        (f"{SCALING}.initial.draws", 1, f"{SCALING}.initial.draws: found 1; it should be greater"),
        (
            f"{SCALING}.initial.widths",
            [16, 16],
            f"{SCALING}.initial.widths: found [16, 16], expected each width once",
        ),
        # How limiting kernels are computed, and where.
        ("kernel_block", 512, "kernel_block: unknown key"),
        ("kernels", None, "kernels: found None, expected a mapping such as {"),
        ("kernels", {"block": 0}, "kernels.block: found 0; it should be greater than 0"),
        ("kernels", {"memory": 0}, "kernels.memory: found 0; it should be greater than 0"),
        ("kernels", {"precision": "float16"}, "kernels.precision: found 'float16'; it should be "),
        (
            "kernels",
            {"scheduler": "thread"},
            "kernels.scheduler.kind: found 'thread', expected one",
        ),
        ("kernels", {"scheduler": {}}, "kernels.scheduler: missing the key 'kind'"),
        ("kernels", {"scheduler": "address"}, "kernels.scheduler.address: missing, expected a v"),
    ],
)
def test_refusal_names_the_key_and_what_was_expected(path, value, message):
    assert message in refusal(changed(path, value))


@pytest.mark.parametrize(
    ("precision", "most"),
    [("float32", 1_048_576), ("float64", 524_288)],  # 2^30 bytes / (16^2 points x 4 or 8 bytes)
)
def test_initial_kernels_take_a_gibibyte_at_most(precision, most):
    config = changed(f"{SCALING}.training.precision", precision)
    initial = config["experiments"]["approach_to_the_limit"]["initial"]
    initial["draws"] = most
    assert read_study(config)
    initial["draws"] = most + 1
    assert refusal(config).startswith(
        f"{SCALING}.initial.draws: found {most + 1}, whose kernels take 1,025 MiB"
    )
    assert f"at most {most} draws, or fewer points" in refusal(config)


def test_initial_kernels_too_large_for_any_number_of_draws():
    config = changed("datasets.sphere_product.train.samples", 10_000)
    assert "expected 1,024 MiB or less: a data set of fewer points" in refusal(config)


def test_all_images_can_be_used():
    config = changed("datasets.digits.test", {"inputs": "digits", "samples": 1797 - 512})
    mnist = config["datasets"]["mnist"]
    mnist["train"] |= {"split": "train", "samples": 60_000}
    mnist["test"] = {"inputs": "mnist", "split": "test", "samples": 10_000}
    assert read_study(config).datasets["mnist"].points == 70_000


def test_numbers_that_yaml_reads_as_strings_are_numbers():
    assert yaml.safe_load("1e-3") == "1e-3"
    assert read_study(changed("networks.relu_4.beta", "1e-3")).networks["relu_4"].beta == 1e-3
    activation = {"name": "polynomial", "coefficients": ["1e-3", 2]}
    network = read_study(changed("networks.relu_4.activation", activation)).networks["relu_4"]
    assert network.activation.parameters == {"coefficients": [1e-3, 2.0]}


@pytest.mark.parametrize(
    ("path", "value", "faults"),
    [
        (f"{PROFILE}.training.function_steps", {"count": 1}, [".count: found 1; it should be gr"]),
        (f"{PROFILE}.training.function_steps", {"cont": 3}, [".cont: unknown key"]),
        (f"{PROFILE}.training.function_steps", [0, "a"], [".1: found 'a'; it should be a valid i"]),
        (f"{PROFILE}.training.function_steps", 5, [": found 5, expe", ": found 5; "]),
        (
            "networks.relu_4.activation",
            {"name": "leaky_relu", "slope": True},
            [".slope: found True, expected a number"],
        ),
        (
            "networks.relu_4.activation",
            {"name": "polynomial", "coefficients": [1, "a"]},
            [".coefficients.1: found 'a'; "],
        ),
    ],
)
def test_value_of_one_kind_is_not_held_against_another(path, value, faults):
    lines = refusal(changed(path, value)).splitlines()
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults, strict=True):
        assert line.startswith(path + fault)


@pytest.mark.parametrize(
    ("ratios", "label"),
    [
        (None, "ReLU, L = 4, β = 0.1"),
        ([2, 1, 0.5], "ReLU, L = 4, β = 0.1, widths 2n, n, 0.5n"),
    ],
)
def test_label_names_the_widths_that_are_given(ratios, label):
    assert (
        read_study(changed("networks.relu_4.width_ratios", ratios)).networks["relu_4"].label
        == label
    )


def test_every_fault_has_its_line():
    config = changed("seed", -1)
    config["networks"]["relu_5"]["dept"] = 5
    lines = refusal(config).splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed", "networks.relu_5.dept"]


@pytest.mark.parametrize("config", [{}, {"datasets": []}, [], None, {1: 2}, {"run": {"a": 1}}])
def test_what_is_no_configuration_at_all_is_refused(config):
    assert refusal(config)


@given(
    count=st.integers(2, 200),
    spacing=st.sampled_from(["geometric", "linear"]),
    last=st.integers(1, 10**6),
)
def test_spaced_records_run_from_first_to_last_step(count, spacing, last):
    config = changed(f"{PROFILE}.training.kernel_steps", None)
    spaced = {"count": count, "spacing": spacing}
    config["experiments"]["kernel_on_the_circle"]["training"] |= {
        "steps": last,
        "function_steps": spaced,
    }
    steps = read_study(config).experiments["kernel_on_the_circle"].recorded_functions
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, last)
    assert len(steps) <= count + 1
    if last > 20 * count and spacing == "linear":
        assert len(steps) == count
        assert max(b - a for a, b in pairwise(steps)) - min(b - a for a, b in pairwise(steps)) <= 1
