"""Small stores of statistics, valid against the schema, that look like measured ones."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ntkflow.measures.function_bands import measure as function_bands_measure
from ntkflow.measures.kernel_drift import measure as kernel_drift_measure
from ntkflow.measures.kernel_profile import measure as kernel_profile_measure
from ntkflow.measures.kernel_regression import measure as kernel_regression_measure
from ntkflow.measures.principal_component import measure as principal_component_measure
from ntkflow.measures.width_scaling import measure as width_scaling_measure
from ntkflow.stores.schema import conform

LABELS = {
    "network_label": "ReLU, L = 4, β = 0.1",
    "dataset_label": "Gaussian inputs",
}


def limiting_ntk(angle: np.ndarray) -> np.ndarray:
    """Limiting NTK on the unit circle, ReLU, L = 4, beta = 0.1 (JGH Theorem 1)."""
    sigma, variance = np.cos(angle) / 2 + 0.01, 0.51
    theta = sigma
    for _ in range(3):
        phi = np.arccos(np.clip(sigma / variance, -1, 1))
        slope = (np.pi - phi) / (2 * np.pi)
        sigma = variance * (np.sin(phi) + (np.pi - phi) * np.cos(phi)) / (2 * np.pi) + 0.01
        variance = variance / 2 + 0.01
        theta = theta * slope + sigma
    return theta


def waves(rng: np.random.Generator, shape: tuple[int, ...], angle: np.ndarray) -> np.ndarray:
    """Smooth random functions of the angle, of order 1: `shape` of them."""
    orders = np.arange(5)
    phase = orders * angle[:, None]
    cosines, sines = rng.normal(size=(2, *shape, len(orders))) / (1 + orders) / 1.5
    return cosines @ np.cos(phase).T + sines @ np.sin(phase).T


def kernel_profile(
    widths: Sequence[int] = (500, 2000), times: Sequence[float] = (0.0, 200.0), seeds: int = 10
) -> xr.Dataset:
    """NTKs that scatter about the limit like n^(-1/2) and drift from it like 1/n."""
    rng = np.random.default_rng(0)
    angle = np.linspace(-np.pi, np.pi, 121)
    limit = limiting_ntk(angle)
    n = np.array(widths)[:, None, None, None]
    scatter = waves(rng, (len(widths), seeds), angle)[:, :, None] / n**0.5
    drift = np.abs(waves(rng, (len(widths), seeds), angle))[:, :, None] * 40 / n
    time = np.array(times)[:, None]
    return conform(
        xr.Dataset(
            {
                "ntk": (
                    ("width", "seed", "step", "sample"),
                    limit * (1 + 2 * scatter + drift * (1 - np.exp(-time / 50))),
                ),
                "limiting_ntk": ("sample", limit),
            },
            {
                "width": list(widths),
                "seed": np.arange(seeds),
                "step": np.array(times, int),
                "time": ("step", list(times)),
                "angle": ("sample", angle),
            },
            {**LABELS, "reference_angle": 0.0},
        ),
        kernel_profile_measure.SCHEMA,
    )


def function_bands(
    widths: Sequence[int] = (50, 1000), times: Sequence[float] = (20.0, np.inf), seeds: int = 10
) -> xr.Dataset:
    """Functions near a Gaussian whose spread closes at four training points as time goes on."""
    rng = np.random.default_rng(0)
    angle = np.linspace(-np.pi, np.pi, 121)
    points, targets = np.array([-2.2, -0.8, 0.6, 2.0]), np.array([0.15, -0.2, 0.1, -0.05])
    near = np.prod(np.sin((angle[:, None] - points) / 2), axis=1)
    mean = np.interp(angle, points, targets, period=2 * np.pi)
    closed = 1 - np.exp(-np.minimum(times, 1000.0) / 15)[:, None]
    spread = 0.03 + 0.12 * np.abs(near) * 3 * closed + 0.1 * (1 - closed)
    draws = waves(rng, (len(widths), seeds), angle)[:, :, None] / 1.5
    bias = (
        2
        * waves(rng, (len(widths), seeds), angle)[:, :, None]
        / np.array(widths)[:, None, None, None] ** 0.5
    )
    levels = np.array([0.1, 0.5, 0.9])
    return conform(
        xr.Dataset(
            {
                "f": (("width", "seed", "time", "sample"), closed * mean + spread * (draws + bias)),
                "limiting_f": (("width", "seed", "time", "sample"), closed * mean + spread * draws),
                "percentile": (
                    ("quantile", "time", "sample"),
                    closed * mean + spread * np.array([-1.28, 0.0, 1.28])[:, None, None],
                ),
                "train_y": ("train_sample", targets),
            },
            {
                "width": list(widths),
                "seed": np.arange(seeds),
                "time": list(times),
                "network_time": ("time", np.minimum(times, 1000.0)),
                "quantile": levels,
                "angle": ("sample", angle),
                "train_angle": ("train_sample", points),
            },
            {**LABELS, "dataset_label": "four points of the circle"},
        ),
        function_bands_measure.SCHEMA,
    )


def principal_component(
    widths: Sequence[int] = (100, 1000, 10000), seeds: int = 2, *, labelled: bool = True
) -> xr.Dataset:
    """Training along the second of three components of a batch in ten clusters."""
    rng = np.random.default_rng(0)
    samples, amplitude, eigenvalue = 256, 0.5, np.array([0.0457, 0.00108, 0.00078])
    label = rng.integers(0, 10, samples)
    eigenfunction = rng.normal(size=(10, 3))[label] + 0.4 * rng.normal(size=(samples, 3))
    eigenfunction /= np.sqrt((eigenfunction**2).mean(axis=0))
    step = np.arange(0, 4001, 50)
    n = np.array(widths)[:, None, None]
    rate = eigenvalue[1] * (1 + 3 * rng.normal(size=(len(widths), seeds, 1)) / n**0.5)
    rise = 1.1 * (1 + 0.2 * rng.normal(size=(len(widths), seeds, 1))) / n**0.5
    return conform(
        xr.Dataset(
            {
                "eigenfunction": (("sample", "component"), eigenfunction),
                "along": (("width", "seed", "step"), amplitude * np.exp(-rate * step)),
                "across": (("width", "seed", "step"), rise * (1 - np.exp(-step / 500))),
                "limiting_along": ("step", amplitude * np.exp(-eigenvalue[1] * step)),
                "eigenvalue": ("component", eigenvalue),
                "network_eigenvalue": (
                    ("width", "seed", "component"),
                    eigenvalue * (1 + rng.normal(size=(len(widths), seeds, 3)) / n**0.5),
                ),
                "inflation": (("width", "seed"), rate[..., 0] / eigenvalue[1]),
            },
            {
                "width": list(widths),
                "seed": np.arange(seeds),
                "step": step,
                "time": ("step", step.astype(float)),
                "component": [1, 2, 3],
                **({"label": ("sample", label)} if labelled else {}),
            },
            {**LABELS, "dataset_label": "256 digits", "component": 2, "amplitude": amplitude},
        ),
        principal_component_measure.SCHEMA,
    )


def kernel_drift(
    widths: Sequence[int] = (64, 128, 256, 512, 1024), seeds: int = 5, *, fitted: bool = True
) -> xr.Dataset:
    """Costs of ten classes that fall like 1/t at last, and kernels that drift like 1/n."""
    rng = np.random.default_rng(0)
    n = np.array(widths, float)[:, None, None]
    step = np.unique(np.round(np.geomspace(1, 400, 30)).astype(int))
    kernel_step = np.unique(np.round(np.geomspace(1, 400, 11)).astype(int))
    step, kernel_step = np.append(0, step), np.append(0, kernel_step)
    pace, size = np.exp(0.3 * rng.normal(size=(2, len(n), seeds, 1)))
    drift = 9 * size / n * (kernel_step / (kernel_step + 30)) ** 0.8
    mean = drift[..., -1].mean(axis=1)
    error = 1.96 * drift[..., -1].std(axis=1) / seeds**0.5
    slope, offset = np.nan, np.nan
    if fitted and len(widths) > 1:
        slope, offset = np.polyfit(np.log(widths), np.log(mean), 1)
    return conform(
        xr.Dataset(
            {
                "cost": (("width", "seed", "step"), 2.4 / (1 + pace * (1 + 20 / n) * step / 12)),
                "drift": (("width", "seed", "kernel_step"), drift),
                "mean_drift": ("width", mean),
                "mean_drift_low": ("width", mean - error),
                "mean_drift_high": ("width", mean + error),
                "exponent": slope,
                "exponent_low": slope - 0.1,
                "exponent_high": slope + 0.1,
                "exponent_error": 0.05,
                "exponent_degrees": 20.0,
                "prefactor": np.exp(offset),
                "expected": -0.5,
            },
            {
                "width": list(widths),
                "seed": np.arange(seeds),
                "step": step,
                "time": ("step", step.astype(float)),
                "kernel_step": kernel_step,
                "kernel_time": ("kernel_step", kernel_step.astype(float)),
            },
            {**LABELS, "dataset_label": "some digits"},
        ),
        kernel_drift_measure.SCHEMA,
    )


QUANTITIES = {
    "spread of the NTK at initialisation": -0.5,
    "bias of its mean, off the diagonal": -1.0,
    "drift of the NTK during training": -1.0,
    "distance of f from its limiting dynamics": -0.5,
}


def width_scaling(
    widths: Sequence[int] = (32, 64, 128, 256, 512, 1024, 2048),
    seeds: int = 20,
) -> xr.Dataset:
    """Power laws with noise; the bias is lost in it beyond a width of 1000 and has no spread."""
    rng = np.random.default_rng(0)
    n, expected = np.array(widths, float), np.array(list(QUANTITIES.values()))
    exact = 2 * n ** expected[:, None]
    spread = exact[..., None] * np.exp(0.25 * rng.normal(size=(*exact.shape, seeds)))
    value = spread.mean(axis=-1)
    error = 1.96 * spread.std(axis=-1) / seeds**0.5
    used = np.ones(exact.shape, bool)
    for i, name in enumerate(QUANTITIES):
        if name.startswith("bias"):
            error[i] = 0.004
            value[i] = exact[i] + 0.003 * rng.normal(size=len(n))
            spread[i] = np.nan
            used[i] = n < 1000
    return conform(
        xr.Dataset(
            {
                "value": (("quantity", "width"), value),
                "value_low": (("quantity", "width"), value - error),
                "value_high": (("quantity", "width"), value + error),
                "used": (("quantity", "width"), used),
                "spread": (("quantity", "width", "seed"), spread),
                "exponent": ("quantity", expected - 0.02),
                "exponent_low": ("quantity", expected - 0.05),
                "exponent_high": ("quantity", expected + 0.01),
                "exponent_error": ("quantity", np.full(len(expected), 0.005)),
                "exponent_degrees": ("quantity", np.full(len(expected), 50.0)),
                "seeds": ("quantity", np.full(len(expected), 10.0)),
                "prefactor": ("quantity", np.full(len(expected), 2.2)),
                "expected": ("quantity", expected),
            },
            {"width": list(widths), "seed": np.arange(seeds), "quantity": list(QUANTITIES)},
            LABELS,
        ),
        width_scaling_measure.SCHEMA,
    )


def kernel_regression(
    sizes: Sequence[int] = (20, 80, 320, 1280),
    landmarks: Sequence[int] = (),
    *,
    classes: bool = True,
) -> xr.Dataset:
    """Errors that fall like N^(-1/2), and with the number of landmarks.

    The NTK of all points is right about every point at the largest size.
    """
    error = np.array([[0.8], [1.0]]) / np.array(sizes) ** 0.5
    error[1, -1] = 0.0
    lost = error[:, None] + (0.3 / np.array(landmarks) ** 0.5)[:, None]
    along, over = ("kernel", "size"), ("kernel", "landmarks", "size")
    variables = {name: (along, array) for name, array in _scores(error, classes).items()}
    variables["iterations"] = (along, np.zeros(error.shape, int))
    few = {f"landmark_{name}": (over, array) for name, array in _scores(lost, classes).items()}
    coordinates = {"kernel": ["nngp", "ntk"], "size": list(sizes)}
    if landmarks:
        variables, coordinates = variables | few, {**coordinates, "landmarks": list(landmarks)}
    return conform(xr.Dataset(variables, coordinates, LABELS), kernel_regression_measure.SCHEMA)


def _scores(error: np.ndarray, classes: bool) -> dict[str, np.ndarray]:
    unknown = np.nan if not classes else 1.0
    return {
        "accuracy": unknown * (1 - error),
        "accuracy_low": unknown * (1 - 1.3 * error - 0.004),
        "accuracy_high": unknown * (1 - 0.7 * error),
        "squared_error": error / 10,
        "squared_error_low": error / 12,
        "squared_error_high": error / 8,
    }
