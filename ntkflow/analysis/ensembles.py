"""Selections from ensembles: points on the circle, recorded kernels, all widths as one array."""

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def circle_points(store: xr.Dataset) -> NDArray[np.intp]:
    """Positions along `sample` of the test points, by increasing angle."""
    if "angle" not in store.coords:
        raise ValueError(
            "angle: found no such coordinate, which only inputs with 2 features have; add test "
            "points on the circle (inputs: circle) to the data set"
        )
    test = np.flatnonzero(~store["is_train"].to_numpy())
    if len(test) == 0:
        raise ValueError(
            "test: found no test points, expected some for a curve around the circle; add them to "
            "the data set (inputs: circle)"
        )
    return test[np.argsort(store["angle"].to_numpy()[test], kind="stable")]


def recorded_kernels(ensemble: xr.Dataset, width: int) -> xr.DataArray:
    """Empirical NTK (seed, kernel_step, sample, sample_prime, output, output_prime)."""
    if "ntk" not in ensemble or ensemble.sizes["kernel_step"] == 0:
        raise ValueError(
            f"width {width}: found an ensemble without empirical NTK, expected it at one training "
            "step at least; set kernel_steps"
        )
    return ensemble["ntk"]


def stack_widths(parts: Mapping[int, xr.DataArray]) -> xr.DataArray:
    """Concatenate one array per width along the new first dimension `width`, ascending.

    Seeds that a width does not have are NaN there. All other coordinates must be equal.
    """
    widths = sorted(parts)
    for width in widths[1:]:
        _require_equal_coordinates(parts, widths[0], width)
    return xr.concat(
        [parts[width] for width in widths],
        dim=xr.DataArray(widths, dims="width", name="width"),
        join="outer",
        coords="minimal",
        compat="override",
        combine_attrs="drop",
    )


def _require_equal_coordinates(parts: Mapping[int, xr.DataArray], first: int, other: int) -> None:
    names: set[Hashable] = {*parts[first].coords, *parts[other].coords} - {"seed"}
    for name in sorted(map(str, names)):
        pair = [parts[width].coords.get(name) for width in (first, other)]
        if pair[0] is None or pair[1] is None or not np.array_equal(pair[0], pair[1]):
            raise ValueError(
                f"{name}: found {_brief(pair[1])} for width {other}, expected {_brief(pair[0])} as "
                f"for width {first}; train all widths with the same schedule on the same points"
            )


def _brief(coordinate: xr.DataArray | None) -> str:
    if coordinate is None:
        return "no such coordinate"
    return np.array2string(np.asarray(coordinate), threshold=6, edgeitems=2)
