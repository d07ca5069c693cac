"""Every function of `ntkflow.api` with arguments that are valid, and values that never are."""

import inspect
from fractions import Fraction

import numpy as np
import scipy.sparse
import xarray as xr

from ntkflow import api
from ntkflow.interface import arrays, checks, layers, network, settings, solvers
from ntkflow.interface.checks import check_of
from ntkflow.kernels.layers import Convolution, Dense, Flatten

FUNCTIONS = {name: f for name in api.__all__ if inspect.isfunction(f := getattr(api, name))}
FUNCTIONS |= {f"layers.{name}": getattr(layers, name) for name in layers.__all__}


def residual(branch: layers.Part, shortcut: layers.Part = ()):
    """`layers.residual` with its branch by name."""
    return layers.residual(branch, shortcut=shortcut)


FUNCTIONS["layers.residual"] = residual

X = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 2.0], [3.0, 0.1, 0.2], [-1.0, 1.0, 0.5]])
OTHERS = X[:2] + 0.25
Y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
KERNEL = X @ X.T + np.eye(4)
THETA = api.initial_parameters([3, 4, 2])
NETWORK = api.network(THETA)
LAYERS = Convolution((2,), 3), Flatten(), Dense(2)
LAYERED = api.layered_network(LAYERS, (3, 1))


def linear(parameters, x):
    """A function of parameters and inputs, whatever their names."""
    return x.astype(parameters["weights"].dtype) @ parameters["weights"]


WEIGHTS = {"weights": np.arange(6.0).reshape(3, 2), "count": np.array([3])}
FUNCTION = api.function(linear, WEIGHTS)
CUBE = np.ones((2, 3, 4))
POSTERIOR = api.nngp_posterior(KERNEL, Y)
WIDE = api.infinite_network(KERNEL, Y, nngp=KERNEL)
LANDMARKS = api.landmark_regression(X, Y, landmarks=2, depth=2)
for name, method in {
    "LandmarkRegression.predict": LANDMARKS.predict,
    "Posterior.predict": POSTERIOR.predict,
    "InfiniteNetwork.predict": WIDE.predict,
    "InfiniteNetwork.evolve": WIDE.evolve,
    "InfiniteNetwork.largest_learning_rate": WIDE.largest_learning_rate,
}.items():
    FUNCTIONS[name] = method
POINTS = xr.Dataset(coords={"is_train": ("sample", np.array([True, True, False, False]))})


def silent(line):
    """Progress that nobody reads."""


LIMITING = {
    "depth": [1, 2, np.int64(3)],
    "layers": [None],
    "activation": ["relu", "erf", {"name": "leaky_relu", "slope": np.float32(0.125)}],
    "kinks": [(), []],
    "beta": [0.1, 0, np.float32(0.5), Fraction(1, 8), np.array(0.25)],
    "weight_gain": [1.0, 2, np.float64(1.5)],
    "precision": ["float64", "float32"],
}
STORED = {
    "block": [2048, 3],
    "memory": [2.0, 1],
    "scheduler": ["threads", {"kind": "threads"}],
    "threads": [None, 1, np.int32(2)],
    "points": [None, POINTS],
    "attributes": [None, {}, {"author": "me", "number": np.float64(2), "list": (1, 2)}],
    "overwrite": [True],
    "progress": [None, silent],
}
SOLVERS = {"memory": [2.0, 1], "tolerance": [1e-6, np.float32(1e-5)], "progress": [None, silent]}
DENSE = {
    "targets": [Y, Y.astype(int)],
    "ridge": [0, 0.5],
    "ridge_scale": ["cost", "trace"],
    "memory": [2.0],
}
TIMES = {
    "time": [None, 1, np.inf, [0.0, np.inf]],
    "steps": [None],
    "learning_rate": [None],
    "momentum": [0.0],
}
POINTS_LISTS = {
    "x1": [X, X.tolist(), X.astype(int), X.astype("f4"), X.astype(">f8"), xr.DataArray(X)],
    "x2": [None, OTHERS],
}
FACTORS = {key: LIMITING[key] for key in ("beta", "weight_gain")}
WIDTHS = [None, 3, np.int64(1)]
WINDOWS = [2, (3,), [2, np.int64(3)], np.array([1, 2])]
LAYER_CALLS = {
    "layers.dense": {"width": WIDTHS, **FACTORS},
    "layers.convolution": {
        "filter_shape": WINDOWS,
        "width": WIDTHS,
        "strides": [1, (2,)],
        "padding": ["same", "valid", "circular"],
        **FACTORS,
    },
    "layers.activation": {"activation": LIMITING["activation"], "kinks": LIMITING["kinks"]},
    "layers.layer_norm": {},
    "layers.average_pool": {"window": WINDOWS, "strides": [None, 1, [2]]},
    "layers.global_average_pool": {},
    "layers.flatten": {},
    "layers.residual": {"branch": [LAYERS], "shortcut": [(), LAYERS[0], [LAYERS, []]]},
}
GOOD = {
    "initial_parameters": {
        "widths": [[3, 4, 2], (3, 1), np.array([2, 2])],
        "seed": [0, np.uint64(2**64 - 1)],
    },
    "network": {
        "parameters": [THETA, [(np.ones((2, 1)), [0])]],
        **{key: value for key, value in LIMITING.items() if key not in ("depth", "layers")},
    },
    **LAYER_CALLS,
    "layered_network": {
        "layers": [LAYERS, list(LAYERS), [LAYERS[:1], [LAYERS[1:]]]],
        "shape": [(3, 1), np.array([3, 1])],
        "parameters": [None, LAYERED.parameters],
        "seed": [0, np.uint64(2**64 - 1)],
        "precision": LIMITING["precision"],
    },
    "from_standard": {
        "weights": [THETA, [(np.ones((1, 2)), [0])]],
        "beta": [0.1, np.float32(0.5)],
        "weight_gain": LIMITING["weight_gain"],
        "transposed": [None],
    },
    "to_standard": {"network": [NETWORK], "transposed": [False, True, np.True_]},
    "learning_rates": {
        "network": [NETWORK],
        "learning_rate": [1.0, np.float32(0.5)],
        "parametrization": ["standard", "ntk"],
    },
    "empirical_ntk": {
        "network": [NETWORK, LAYERED, FUNCTION],
        **POINTS_LISTS,
        "outputs": ["all", "trace", 0, np.int64(1)],
        "accumulate": [None, "float64", "float32"],
        "block": [1024, 3],
        "memory": [2.0],
    },
    "empirical_ntk_operator": {
        "network": [NETWORK, FUNCTION],
        "x": POINTS_LISTS["x1"],
        "outputs": ["trace", 0, np.int64(1)],
        "memory": [2.0],
    },
    "function": {
        "f": [linear],
        "parameters": [WEIGHTS, [X], X.astype("f4")],
        "precision": [None, "float64", "float32"],
    },
    "limiting_kernels": {**POINTS_LISTS, **LIMITING, "layers": [None], "threads": [None, 1]},
    "limiting_diagonals": {
        "x": POINTS_LISTS["x1"],
        **{key: LIMITING[key] for key in ("depth", "activation", "kinks", "beta", "weight_gain")},
    },
    "store_limiting_kernels": {**POINTS_LISTS, **LIMITING, "layers": [None], **STORED},
    "store_empirical_ntk": {
        "network": [NETWORK, LAYERED, FUNCTION],
        **POINTS_LISTS,
        "outputs": ["trace", 0, np.int64(1)],
        "accumulate": [None, "float64", "float32"],
        **STORED,
    },
    "extreme_eigenpairs": {
        "kernel": [KERNEL, xr.DataArray(KERNEL), KERNEL.tolist()],
        "count": [1, np.int64(4)],
        "which": ["largest", "smallest"],
        **SOLVERS,
    },
    "kernel_regression": {
        "kernel": [KERNEL, KERNEL.astype("f4"), xr.DataArray(KERNEL)],
        "targets": [Y, Y.astype(int)],
        "ridge": [0, 0.5],
        **SOLVERS,
    },
    "predict": {
        "cross_kernel": [KERNEL[:2], KERNEL],
        "coefficients": [Y, Y.astype(int)],
        "memory": [2.0],
    },
    "kernel_function": {key: LIMITING[key] for key in LIMITING if key != "precision"},
    "landmark_regression": {
        "x": [X, X.tolist(), X.astype("f4"), xr.DataArray(X)],
        "targets": [Y, Y.astype(int)],
        "landmarks": [2, np.int64(3), OTHERS, OTHERS.tolist()],
        "selection": ["random"],
        "kernel": ["ntk", "nngp"],
        **LIMITING,
        "ridge": [0.5, 1, [0.25], np.array([2.0])],
        "held_out": [0.0, 0],
        "seed": [0, np.uint64(2**64 - 1)],
        "sums": [None],
        **{key: STORED[key] for key in ("memory", "scheduler", "threads", "progress")},
    },
    "LandmarkRegression.predict": {"x": POINTS_LISTS["x1"], "threads": [None, 1]},
    "nngp_posterior": {"nngp": [KERNEL, xr.DataArray(KERNEL)], **DENSE},
    "infinite_network": {
        "ntk": [KERNEL, xr.DataArray(KERNEL)],
        "nngp": [None, KERNEL],
        "singular": ["error", "pseudo-inverse"],
        **DENSE,
    },
    "Posterior.predict": {
        "cross_kernel": [KERNEL[:2], KERNEL[:2].astype("f4")],
        "prior": [None, np.eye(2), np.ones(2)],
    },
    "InfiniteNetwork.predict": {
        "cross_ntk": [KERNEL[:2], xr.DataArray(KERNEL[:2])],
        "cross_nngp": [KERNEL[:2], KERNEL[:2].astype("f4")],
        "prior": [KERNEL[:2, :2], np.full(2, 9.0)],
        **TIMES,
    },
    "InfiniteNetwork.evolve": {
        "cross_ntk": [KERNEL[:2]],
        "initial": [Y, Y.astype(int)],
        "initial_at_test": [Y[:2]],
        **TIMES,
    },
    "InfiniteNetwork.largest_learning_rate": {"momentum": [0.0, 0.9]},
    "train": {
        "network": [NETWORK, LAYERED],
        "x": [X, X.tolist()],
        "y": [Y, Y.astype(int)],
        "steps": [2, np.int64(1), [1, 2], np.array([0, 2])],
        "learning_rate": [0.125, np.float32(0.0625)],
        "cost": ["least_squares", "cross_entropy"],
        "optimizer": ["gradient_descent", "momentum"],
        "batch": [None, 2, np.int64(3)],
        "probe": [None, OTHERS],
        "seed": [0, 2**40],
        "progress": [None, silent],
    },
}
"""Values that are valid together, by function and argument; `store` is a path of the test's."""


class Unprintable:
    """An object whose repr fails."""

    def __repr__(self):
        raise RuntimeError("no repr")


NEVER = [
    object(),
    Unprintable(),
    b"bytes",
    1j,
    np.nan,
    np.inf,
    -1,
    10**400,
    np.datetime64("2020"),
    np.datetime64("2020-01-01", "ns"),
    np.timedelta64(5, "ns"),
    np.ma.masked,
    np.ma.array(3, mask=True),
    np.ma.array([1.0, 2.0], mask=[0, 1]),
    [[1, True], [2, 3]],
    [np.ma.array([1.0], mask=True)],
    np.float64(-np.inf),
    {1, 2},
    range(0),
    CUBE,
    np.ones(3) * 1j,
    np.array([[1.0, None]], dtype=object),
    np.ma.masked_array(X, X > 1),
    scipy.sparse.csr_array(X),
    np.full((4, 3), np.nan),
    np.ones((4, 3), bool),
    np.ones((4, 3), "U1"),
    np.ones((0, 3)),
    np.ones((3, 0)),
    [[1.0], [1.0, 2.0]],
    xr.Dataset({"a": 1}),
    Ellipsis,
    NotImplemented,
]
"""Valid for no argument; what is for a few is in `ACCEPTED`."""

SOMETIMES = [True, False, "nonsense", "", [], {}, print, int, 1.5, None]

ACCEPTED = {
    settings.place: ["nonsense"],
    settings.folder: ["nonsense"],
    settings.attributes: [{}],
    checks.listed: [[], range(0)],
    arrays.tree: [CUBE],
    settings.times: [np.inf],
    layers.part: [[]],
}

FURTHER = {
    layers.network: lambda: [[1], [LAYERS, None], LAYERED, "dense"],
    layers.part: lambda: [[1], [LAYERS, None], LAYERED, "dense"],
    layers.shape: lambda: [0, [0], [1, 2, 3], [1, True], np.ones((2, 2), int), 1.0],
    arrays.inputs: lambda: [X[0], X.astype(np.longdouble), [["a"]], np.ones((1, 2, 3, 4, 5))],
    arrays.stored_inputs: lambda: [X[0], X * 1j, np.ones((1, 2, 3, 4, 5))],
    network.fully_connected: lambda: [0, "network", LAYERED],
    layers.network: lambda: [[], [[]], [0], "dense", [*LAYERS, None]],
    checks.whole: lambda low, high: [low - 1, high + 1, 1.0, "1", np.array([1]), np.True_],
    checks.number: lambda low=-np.inf, above=-np.inf, high=np.inf: [
        *[low - 1e-9, np.nextafter(low, -np.inf)],
        *[above, np.array(above)],
        np.nextafter(high, np.inf),
        "0.5",
        np.array([0.5]),
    ],
    checks.one_of: lambda names: [names[0].upper(), list(names)],
    checks.listed: lambda **bound: ["12", [np.nan], [True], {1: 2}, [[1]]],
    settings.steps: lambda **bound: [[-1], [1.5], [True], "12", {}, np.array([])],
    checks.instance: lambda **bound: [0, 1, "True", "print", "name"],
    settings.ridges: lambda **bound: [[-1], [np.nan], -1e-9, "12", {}, [], [[1.0]], [True], np.inf],
    arrays.landmarks: lambda **bound: [0, 1.0, "2", X[0], [1.0, 2.0], np.ones((1, 2, 3, 4, 5))],
    settings.times: lambda **bound: [[-1], [np.nan], -np.inf, "12", {}, [], [[1.0]], [True]],
    arrays.prior: lambda **bound: [X[0], np.ones((2, 3)), CUBE, np.ones(2) * 1j],
    settings.outputs: lambda **bound: ["both", 2, -1, True, 1.0, [0]],
    settings.named_function: lambda **bound: ["rely", "no.module:f", {"name": "elu", "slope": 1}],
    settings.scheduler: lambda **bound: [
        "thread",
        {"kind": "local", "workers": 0},
        {"kind": "slurm"},
    ],
    settings.place: lambda **bound: ["s3://bucket/k.zarr", "a\0b", "", ".", "~no_such_user/a"],
    settings.folder: lambda **bound: ["s3://bucket/k.zarr", "a\0b", "", ".", "~no_such_user/a"],
    settings.attributes: lambda **bound: [
        {1: 2},
        {"a": object()},
        {"sha256": 1},
        {"a": np.nan},
        {"precision": 1},
    ],
    arrays.batch: lambda **bound: [X[0], X.astype(np.longdouble), X * 1j],
    arrays.tree: lambda **bound: [[], (), {"a": "b"}, {"a": X, "b": X * np.nan}, [X, None, 1]],
    arrays.matrix: lambda **bound: [X[0], X.astype(np.longdouble), [["a"]]],
    arrays.inputs: lambda **bound: [X[0], X.astype(np.longdouble), [["a"]]],
    arrays.stored_inputs: lambda **bound: [X[0], X.astype(np.longdouble), X * 1j],
    arrays.stored_matrix: lambda **bound: [X[0], X.astype(np.longdouble), X * 1j],
    solvers.kernel_array: lambda **bound: [KERNEL[0], KERNEL * 1j, KERNEL.astype(np.longdouble)],
    arrays.parameters: lambda **bound: [
        [],
        [np.ones((2, 1))],
        [(np.ones((3, 2)), np.ones(3))],
        [(np.ones((3, 2)), np.ones(2)), (np.ones((3, 1)), np.ones(1))],
        [(np.ones((3, 2)), np.ones(2) * np.nan)],
    ],
}
"""Values outside of what a check accepts, by its function."""


def contradictions(arguments):
    """Arguments that are valid alone, but not with the others."""
    x1, x2 = arguments.get("x1"), arguments.get("x2")
    integers = isinstance(x1, np.ndarray) and x1.dtype.kind == "i"
    return ["x2"] if arguments.get("network") is FUNCTION and integers and x2 is OTHERS else []


def parameters(name):
    """The parameters of a function, by name, with their checks."""
    found = inspect.signature(FUNCTIONS[name], eval_str=True).parameters
    return {key: (parameter, check_of(parameter)) for key, parameter in found.items()}


def bad_values(parameter, check):
    """Values that a call must refuse for this parameter."""
    function, bound = getattr(check, "func", check), getattr(check, "keywords", {})
    general = [v for v in (*NEVER, *SOMETIMES) if not _is_accepted(function, bound, v)]
    if parameter.default is None:
        general = [value for value in general if value is not None]
    if function is checks.listed and "shortest" in bound:
        general += [[], range(0)]
    return [*general, *FURTHER[function](**bound)]


def _is_accepted(function, bound, value):
    if function is checks.instance:
        return isinstance(value, bound["kind"])
    numbers = function in (checks.number, settings.times, settings.ridges)
    if numbers and isinstance(value, float | int) and value not in (True, np.inf):
        return bound.get("low", -np.inf) <= value < np.inf and value > 0
    return any(_same(value, accepted) for accepted in ACCEPTED.get(function, []))


def _same(one, two):
    return type(one) is type(two) and (one is two or isinstance(one, str | list | dict | range))
