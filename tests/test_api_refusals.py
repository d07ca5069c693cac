"""Arguments that are not what they should be: one clear error, and nothing on the disk."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from ntkflow import api
from ntkflow.kernels.tiles import DualError
from ntkflow.stores.zarr import StoreError
from tests.stores.test_grams import inputs


def with_nan(n, row):
    x = inputs(n)
    x[row, 1] = np.nan
    return x


REFUSED = {
    r"^x1: found an array of dtype (float128|longdouble), expected at most 64 bits; pass": {
        "x": np.ones((8, 3), np.longdouble)
    },
    r"^x1, row 5 \(of 0, 1, \.\.\.\): not finite": {"x": with_nan(8, 5)},
    r"^x2, row 1 \(of 0, 1, \.\.\.\): not finite": {"others": with_nan(3, 1)},
    r"^x1 has the shape \(8,\), expected \(samples, features\)$": {"x": np.ones(8)},
    r"^x1 has the shape \(2, 2, 2\), expected": {"x": np.ones((2, 2, 2))},
    r"^x1 has the shape \(0, 3\), expected": {"x": np.ones((0, 3))},
    r"^x2 has the shape \(3, 0\), expected": {"others": np.ones((3, 0))},
    r"^x2 has 4 features, expected 3, as x1 has$": {"others": inputs(8, 4)},
    r"^precision is 'float16', expected 'float32' or 'float64'$": {"precision": "float16"},
    r"^depth is 0, expected the number of weight layers": {"depth": 0},
    r"^depth is 1\.5, expected the number of weight layers": {"depth": 1.5},
    r"^activation 'rely' is not known; choose one of": {"activation": "rely"},
    r"^activation 'elu': .*slope": {"activation": {"name": "elu", "slope": 1.0}},
    r"^activation '<lambda>': .* values or derivatives": {"activation": lambda z: z / 0 * 0},
    r"^beta is -1, expected a number, 0 or more$": {"beta": -1},
    r"^weight_gain is nan, expected a positive number$": {"weight_gain": np.nan},
}
STORES = {
    r"^x1: found an array of dtype complex128, expected real numbers; pass": {
        "x": np.ones((8, 3), complex)
    },
    r"^x1 has the shape \(\), expected": {"x": [[1.0, 2.0]]},
    r"^memory is 1e-07 GiB, expected .* for one block of \(4, 4\)": {"memory": 1e-7},
    r"^memory is 0: .*greater than 0": {"memory": 0},
    r"^block is 0: .*greater than 0": {"block": 0},
    r"^scheduler is .*'thread.*: .*'threads', 'local', 'address', 'slurm'": {"scheduler": "thread"},
    r"^scheduler\.local\.workrs is 2: ": {"scheduler": {"kind": "local", "workrs": 2}},
    r"conflicting sizes for dimension 'sample'": {
        "points": xr.Dataset(coords={"is_train": ("sample", np.ones(7, bool))})
    },
}


@pytest.mark.parametrize("message", [*REFUSED, *STORES])
def test_bad_arguments_are_one_error_and_leave_nothing(message, tmp_path):
    wrong = {"x": inputs(8), "depth": 3, **(REFUSED | STORES)[message]}
    lists = [wrong.pop(name) for name in ("x", "others") if name in wrong]
    with pytest.raises(ValueError, match=message) as error:
        api.store_limiting_kernels(*lists, store=tmp_path / "a.zarr", **{"block": 4, **wrong})
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    if message in REFUSED:
        with pytest.raises(ValueError, match=message):
            api.limiting_kernels(*lists, **wrong)


def test_activation_without_an_accurate_dual_leaves_nothing(tmp_path):
    with pytest.raises(DualError, match=r"its dual is off by .*\. Name the activation's kinks"):
        api.store_limiting_kernels(
            inputs(8), store=tmp_path / "a.zarr", depth=2, activation=lambda z: jnp.abs(z - 1)
        )
    assert list(tmp_path.iterdir()) == []


def test_place_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "notes").write_text("of somebody", encoding="utf-8")
    with pytest.raises((StoreError, OSError), match="notes"):
        api.store_limiting_kernels(inputs(4), store=tmp_path / "notes" / "a.zarr", depth=2)
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "of somebody"
