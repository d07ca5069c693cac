"""The code of docs/layers.md runs, its numbers are right, and its configuration is valid."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

from ntkflow.configuration.study import read_study
from ntkflow.kernels.layers import layers_from_plain
from tests.docs.pages import REPOSITORY
from tests.docs.scripts import YAML, run_script, scripts

PAGE = REPOSITORY / "docs" / "layers.md"
SCRIPTS = scripts(PAGE)
Names = dict[str, Any]
BETA = 0.1  # the default of the layers


class Covariances:
    """Sigma and Theta (n, p, n, p) of images, recursion by recursion with loops over positions."""

    def __init__(self, x: np.ndarray) -> None:
        n, self.height, self.width, channels = x.shape
        rows = x.reshape(n, -1, channels)
        self.sigma = np.einsum("npc,mqc->npmq", rows, rows) / channels
        self.theta = np.zeros_like(self.sigma)

    def convolve(self) -> None:
        """A 3 x 3 filter, stride 1, zeros around."""
        self.sigma = self._window_mean(self.sigma) + BETA**2
        self.theta = self._window_mean(self.theta) + self.sigma

    def _window_mean(self, array: np.ndarray) -> np.ndarray:
        n, h, w = len(array), self.height, self.width
        padded = np.zeros((n, h + 2, w + 2, n, h + 2, w + 2))
        padded[:, 1:-1, 1:-1, :, 1:-1, 1:-1] = array.reshape(n, h, w, n, h, w)
        shifted = [
            padded[:, i : i + h, j : j + w, :, i : i + h, j : j + w]
            for i, j in product(range(3), range(3))
        ]
        return sum(shifted).reshape(array.shape) / 9

    def rectify(self) -> None:
        """Arc-cosine kernels of degree 1 and 0 (Cho & Saul 2009)."""
        deviation = np.sqrt(np.einsum("npnp->np", self.sigma))
        scale = np.multiply.outer(deviation, deviation)
        angle = np.arccos(np.clip(self.sigma / scale, -1, 1))
        turn = np.pi - angle
        self.sigma = scale * (np.sin(angle) + turn * np.cos(angle)) / (2 * np.pi)
        self.theta = self.theta * turn / (2 * np.pi)


def limit(names: Names) -> None:
    """The residual network by hand."""
    found = Covariances(names["train"])
    found.convolve()
    shortcut = found.sigma, found.theta
    for _ in range(2):
        found.rectify()
        found.convolve()
    found.sigma, found.theta = found.sigma + shortcut[0], found.theta + shortcut[1]
    found.rectify()
    nngp = found.sigma.mean(axis=(1, 3)) + BETA**2
    ntk = found.theta.mean(axis=(1, 3)) + nngp
    for name, expected in {"nngp": nngp, "ntk": ntk}.items():
        for kernel in (getattr(names["kernels"], name), xr.open_zarr("residual.zarr")[name]):
            # The arccosine loses digits on the diagonal.
            np.testing.assert_allclose(kernel, expected, rtol=1e-7)


def finite(names: Names) -> None:
    """Training moved the kernel, and f towards the signs that are its targets."""
    moved = np.linalg.norm(names["later"] - names["ntk"]) / np.linalg.norm(names["ntk"])
    assert 1e-4 < moved < 0.5
    cost = names["trained"].cost
    assert cost[-1] < cost[1] < cost[0]


def without_limit(names: Names) -> None:
    del names  # what is printed is compared with the page


CHECKS: dict[str, Callable[[Names], None]] = {
    "The limit": limit,
    "Finite networks": finite,
    "Networks without a limit": without_limit,
}


@pytest.mark.parametrize("heading", SCRIPTS)
def test_section_runs_and_its_numbers_are_right(heading, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CHECKS[heading](run_script(SCRIPTS[heading], capsys))


def test_configuration_is_the_network_of_the_limit(capsys):
    (text,) = YAML.findall(PAGE.read_text(encoding="utf-8"))
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
    config["networks"] |= yaml.safe_load(text)["networks"]
    found = layers_from_plain(read_study(config).networks["residual"].limit["layers"])
    code, _, _ = SCRIPTS["The limit"].partition("rng = ")
    expected = str(run_script(code, capsys)["network"])
    assert str([*found]).replace("strides=()", "strides=(1, 1)") == expected  # () is 1 along all
