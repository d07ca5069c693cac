"""Each argument of each public function, with each value that it must not accept."""

import enum
import inspect

import numpy as np
import pytest
import xarray as xr

from ntkflow import api
from ntkflow.interface import checks
from ntkflow.kernels.tiles import DualError
from tests.interface.calls import FUNCTIONS, FURTHER, GOOD, bad_values, parameters


def call(name, folder, **change):
    """A function with the first of its valid values, some of them changed."""
    arguments = {key: values[0] for key, values in GOOD[name].items()}
    if "store" in parameters(name):
        arguments["store"] = folder / "a.zarr"
    return FUNCTIONS[name](**{**arguments, **change})


def tree(folder):
    """All that is below a folder, with times and bytes."""
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def test_every_function_and_argument_is_in_the_table():
    assert GOOD.keys() == FUNCTIONS.keys()
    for name in FUNCTIONS:
        assert {*GOOD[name], "store"} >= parameters(name).keys() >= GOOD[name].keys()
        assert all(
            getattr(check, "func", check) in FURTHER for _, check in parameters(name).values()
        )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_valid_values_are_accepted(name, tmp_path):
    call(name, tmp_path)
    for key, values in GOOD[name].items():
        for value in values[1:]:
            call(name, tmp_path, **{key: value})


CASES = [(name, key) for name in FUNCTIONS for key in parameters(name)]


@pytest.mark.parametrize(("name", "key"), CASES, ids=[f"{name}-{key}" for name, key in CASES])
def test_every_bad_value_is_one_error_that_names_the_argument(name, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    before = tree(tmp_path)
    values = bad_values(*parameters(name)[key])
    assert len(values) > 20
    for value in values:
        with pytest.raises(ValueError) as error:  # noqa: PT011 (the argument differs)
            call(name, tmp_path, **{key: value})
        message = str(error.value)
        assert message.startswith(key), message
        assert "\n" not in message
        assert len(message) < 700
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", FUNCTIONS)
def test_missing_and_unknown_arguments_are_type_errors_that_name_them(name, tmp_path):
    required = [k for k, (p, _) in parameters(name).items() if p.default is inspect.Parameter.empty]
    for key in required:
        arguments = {k: v[0] for k, v in GOOD[name].items() if k != key}
        if key != "store" and "store" in required:
            arguments["store"] = tmp_path / "a.zarr"
        with pytest.raises(TypeError, match=f"'{key}'"):
            FUNCTIONS[name](**arguments)
    with pytest.raises(TypeError, match="'colour'"):
        call(name, tmp_path, colour=1)
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_without_a_check_is_an_error_when_the_function_is_defined():
    def function(number: int) -> int:
        return number

    with pytest.raises(TypeError, match="number: found no check"):
        checks.checked(function)


MESSAGES = [
    ({"depth": True}, r"^depth: found True, expected a whole number from 1 to 100000$"),
    ({"beta": -1}, r"^beta: found -1, expected a number at least 0 and at most 1e\+100$"),
    (
        {"weight_gain": 0},
        r"^weight_gain: found 0, expected a number at least 1e-100 and at most 1e\+100$",
    ),
    ({"precision": "float16"}, r"^precision: found 'float16', expected 'float64' or 'float32'$"),
    ({"kinks": [0, np.nan]}, r"^kinks\[1\]: found nan, expected a finite number$"),
    ({"x2": np.ones((2, 2))}, r"^x2: found 2 features, expected 3, as x1 has$"),
    ({"activation": lambda z: z - z.mean()}, r"^activation '<lambda>': found values that depend "),
    (
        {"activation": lambda z: z.astype(np.float64)},
        r"^activation '<lambda>': found float64\[2, 3\]",
    ),
]


@pytest.mark.parametrize(("change", "message"), MESSAGES, ids=[m for _, m in MESSAGES])
def test_messages_say_what_was_found_and_expected(change, message):
    with pytest.raises(ValueError, match=message):
        call("limiting_kernels", None, **change)


SHAPES = [
    ("train", {"y": np.ones((4, 1))}, r"^y: found .*\(4, 1\).*, expected the shape \(4, 2\)"),
    ("train", {"probe": np.ones((2, 2))}, "^probe: found 2 features, expected 3, as the network"),
    ("train", {"batch": 5}, "^batch: found 5, expected 1 to 4, the number of"),
    (
        "train",
        {"cost": "cross_entropy", "y": -np.eye(4)[:, :2]},
        "^y: found .* two columns",
    ),
    ("train", {"optimizer": lambda rate: None}, "^optimizer: found .* to an optax transf"),
    ("empirical_ntk", {"x1": np.ones((4, 2))}, "^x1: found 2 features, expected 3, as the network"),
    ("empirical_ntk", {"outputs": 2}, "^outputs: found 2, expected 'all', 'trace' or a number bel"),
    ("store_empirical_ntk", {"outputs": "all"}, "^outputs: found 'all', expected 'trace' or the "),
    ("extreme_eigenpairs", {"count": 5}, "^count: found 5, expected 1 to 4, the number of points"),
    ("extreme_eigenpairs", {"kernel": np.ones((2, 3))}, r"^kernel: found the shape \(2, 3\), expe"),
    (
        "kernel_regression",
        {"targets": np.ones((3, 1))},
        r"^targets: found .*\(3, 1\), expected \(4",
    ),
    ("predict", {"coefficients": np.ones((3, 1))}, "^coefficients: found 3 rows, expected 4, one "),
    ("predict", {"coefficients": np.full((4, 1), 1e308)}, "^coefficients: found .* overflows"),
    ("initial_parameters", {"widths": [2**16, 2**16]}, "^widths: found 4,295,032,832 parameters"),
    ("network", {"parameters": [([[1e39]], [0])], "precision": "float32"}, "^parameters: found 1e"),
    ("store_limiting_kernels", {"memory": 1e-9}, r"^memory: found 1e-09 GiB, expected .* \(4, 4\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), SHAPES, ids=[m for _, _, m in SHAPES])
def test_arguments_that_do_not_fit_each_other_are_named(name, change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(name, tmp_path, **change)
    assert list(tmp_path.iterdir()) == []


class Choice(str, enum.Enum):  # noqa: UP042 (str() of a StrEnum is its value)
    SMALLEST = "smallest"
    FLOAT32 = "float32"


def test_members_of_an_enumeration_of_strings_are_strings():
    found = call("extreme_eigenpairs", None, which=Choice.SMALLEST).values
    np.testing.assert_array_equal(found, call("extreme_eigenpairs", None, which="smallest").values)
    assert call("limiting_kernels", None, precision=Choice.FLOAT32).ntk.dtype == np.float32


@pytest.mark.parametrize(
    "points",
    [
        xr.Dataset(coords={"is_train": ("sample", np.ones(4))}),
        xr.Dataset(coords={"is_train": ("sample", np.ones(3, bool))}),
        xr.Dataset(
            coords={"is_train": ("sample", np.ones(4, bool)), "ntk": ("sample", np.ones(4))}
        ),
    ],
)
def test_points_that_describe_no_rows_are_named(points, tmp_path):
    with pytest.raises(ValueError, match=r"^points: "):
        call("store_limiting_kernels", tmp_path, points=points)
    assert list(tmp_path.iterdir()) == []


def test_large_numbers_of_small_precision_are_no_infinities():
    kernel = (np.ones((300, 300)) + 300 * np.eye(300)).astype(np.float16)
    found = api.extreme_eigenpairs(kernel, 1).values
    np.testing.assert_allclose(found, [2.0])


def test_a_deleted_current_folder_matters_to_relative_places_only(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    call("store_limiting_kernels", tmp_path)


def test_integers_are_converted_everywhere_alike(tmp_path):
    x = np.arange(12).reshape(4, 3)
    expected = api.limiting_kernels(x.astype(float), depth=2).ntk
    np.testing.assert_array_equal(api.limiting_kernels(x, depth=2).ntk, expected)
    stored = api.store_limiting_kernels(x, depth=2, store=tmp_path / "a.zarr")
    np.testing.assert_array_equal(stored["ntk"], expected)


def test_activation_without_an_accurate_dual_leaves_nothing(tmp_path):
    with pytest.raises(
        DualError, match=r"found an error of .* of the dual .*; list the activation's kinks"
    ):
        call("store_limiting_kernels", tmp_path / "new", depth=2, activation=lambda z: abs(z - 1))
    assert list(tmp_path.iterdir()) == []
