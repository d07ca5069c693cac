"""The code of docs/any_network.md runs, and its kernels are those of brute-force Jacobians."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from tests.docs.pages import REPOSITORY
from tests.docs.scripts import run_script, scripts, usual_settings

SCRIPTS = scripts(REPOSITORY / "docs" / "any_network.md")
Names = dict[str, Any]


def jacobian(f: Callable[[Any, Any], Any], parameters: Any, x: Any) -> np.ndarray:
    """Derivatives (n, k, P) of the outputs of each input, in float64."""

    @jax.jit
    @jax.vmap
    def rows(one: Any) -> Any:
        batch = jax.tree.map(lambda leaf: leaf[None], one)
        leaves = jax.tree.leaves(jax.jacrev(lambda p: f(p, batch).ravel())(exact))
        return jnp.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in leaves], axis=1)

    def as_float64(leaf: Any) -> Any:
        return jnp.asarray(leaf, jnp.float64 if leaf.dtype.kind == "f" else None)

    with usual_settings(), jax.enable_x64(True):
        exact = jax.tree.map(as_float64, parameters)
        return np.asarray(rows(jax.tree.map(as_float64, x)))


def brute_force(names: Names, outputs: int | str = "all", *, f="f", x1="x", x2=None) -> np.ndarray:
    """Kernel by contraction of Jacobians, of the variables of a script with these names."""
    one, two = (
        jacobian(names[f], names["parameters"], names[x]) for x in (x1, x1 if x2 is None else x2)
    )
    if isinstance(outputs, int):
        return one[:, outputs] @ two[:, outputs].T
    axes = "nkp,mkp->nm" if outputs == "trace" else "nkp,mlp->nmkl"
    return np.einsum(axes, one, two, optimize=True)


def assert_close(found: Any, expected: np.ndarray, bound: float = 1e-5) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound * np.abs(expected).max())


def plain_function(names: Names) -> None:
    assert_close(names["ntk"], brute_force(names))


def outputs_and_test_points(names: Names) -> None:
    assert_close(names["one"], brute_force(names, 0, x1="train"))
    trace = brute_force(names, "trace", x1="train")
    cross = brute_force(names, "trace", x1="test", x2="train")
    assert_close(names["trace"], trace)
    assert_close(names["cross"], cross)
    solution = np.linalg.solve(trace + 20 * 1e-3 * np.eye(20), np.sin(names["train"][:, :1]))
    assert_close(names["predictions"], cross @ solution, 1e-4)


def flax_network(names: Names) -> None:
    assert_close(names["ntk"], brute_force(names, x1="images"))


def equinox_network(names: Names) -> None:
    assert_close(names["ntk"], brute_force(names, "trace", x1="images"))


def transformer(names: Names) -> None:
    assert_close(names["ntk"], brute_force(names, 7, x1="tokens"))
    assert_close(names["trace"], brute_force(names, "trace", f="masked", x1="batch"))


def kernel_on_disk(names: Names) -> None:
    expected = brute_force(names, "trace", x1="images")
    assert_close(xr.open_zarr("ntk.zarr")["ntk"].values, expected)
    assert_close(names["largest"].values, np.linalg.eigvalsh(expected / 30)[:-4:-1])


def products_without_the_kernel(names: Names) -> None:
    expected = brute_force(names, 0)
    assert_close(np.asarray(names["product"]), expected.sum(axis=1))
    assert_close(names["largest"].values, np.linalg.eigvalsh(expected / 100)[:-6:-1])
    solution = np.linalg.solve(expected + np.eye(100), np.sin(names["x"][:, :1]))
    assert_close(names["fit"].coefficients, solution)


def rejected(names: Names) -> None:
    """The error is compared with the page; f of an input alone is another one."""
    f, x = names["f"], np.random.default_rng(0).normal(size=(3, 8))
    with usual_settings():
        together, alone = (np.asarray(f(names["weights"], part)) for part in (x, x[:1]))
    assert not np.allclose(together[:1], alone)


def torch_layout(names: Names) -> None:
    assert_close(names["ntk"], brute_force(names, "trace", x1="images"))


def torch_forward(weights: Any, x: Any) -> Any:
    """Linear layers of PyTorch with ReLU in between."""
    (one, first), (two, second) = weights
    return jax.nn.relu(x @ one.T + first) @ two.T + second


def parametrizations(names: Names) -> None:
    """The NTK of the two layers by hand, and descent with the rates as in PyTorch."""
    weights, x = names["weights"], names["x"]
    (one, _), (two, _) = names["weights"]
    hidden = np.maximum(x @ one.T, 0)
    active = (hidden > 0) * (two[0] * 8)  # times the second layer's W in NTK parametrization
    inner = x @ x.T / 8 + 0.01
    assert_close(names["ntk"], hidden @ hidden.T / 64 + 0.01 + inner * (active @ active.T) / 64)
    y = np.sin(x[:, :1])
    with usual_settings(), jax.enable_x64(True):
        slope = jax.jit(jax.grad(lambda w: jnp.sum((torch_forward(w, x) - y) ** 2) / 40))
        for _ in range(50):
            weights = jax.tree.map(
                lambda w, rate, g: w - rate * g, weights, names["rates"], slope(weights)
            )
    for found, expected in zip(*map(jax.tree.leaves, (names["back"], weights)), strict=True):
        assert_close(found, np.asarray(expected), 1e-9)


CHECKS: dict[str, Callable[[Names], None]] = {
    "A JAX function": plain_function,
    "Outputs and test points": outputs_and_test_points,
    "Flax": flax_network,
    "Equinox": equinox_network,
    "A transformer": transformer,
    "A kernel on disk": kernel_on_disk,
    "Products without the kernel": products_without_the_kernel,
    "Models that mix the inputs of a batch": rejected,
    "PyTorch": torch_layout,
    "Weights between parametrizations": parametrizations,
}


@pytest.mark.parametrize("heading", SCRIPTS)
def test_section_runs_and_its_kernels_are_right(heading, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CHECKS[heading](run_script(SCRIPTS[heading], capsys))
