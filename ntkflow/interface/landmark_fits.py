"""Regressions with landmarks for the workflow, from arguments of a checked configuration."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ntkflow.interface.landmark_choice import Choice, Work
from ntkflow.interface.landmark_visits import Regression, keep_share, sums_over_all
from ntkflow.interface.landmarks import LandmarkRegression, solved
from ntkflow.interface.limiting import DEFAULTS, NAMES
from ntkflow.interface.plain import limit_arguments

KERNELS = ("nngp", "ntk")


class Fits(NamedTuple):
    """Regressions with both kernels on the first training points of a data set, for each size."""

    dataset: xr.Dataset
    network: Mapping[str, Any]
    """Arguments of `limiting_kernels` by name, or plain ``layers`` and ``shape``."""
    sizes: tuple[int, ...]
    landmarks: int
    selection: str
    ridge: float
    seed: int
    kernels: Mapping[str, Any]
    """Values of the configuration key `kernels`: precision, memory in GiB, scheduler."""
    sums: Path
    """Folder for sums, of all jobs that share them."""
    threads: int
    progress: Callable[[str], None]

    def _each(self) -> Iterator[Regression]:
        """A regression for each kernel and size."""
        x, named = limit_arguments(self.dataset["x"], self.network)
        usual = dict(zip(NAMES, DEFAULTS, strict=True))
        network = {"depth": None, "layers": None, **usual, **named}
        network["precision"] = self.kernels["precision"]
        choice = Choice(self.landmarks, self.selection, 0.0, self.seed)
        scheduler = self.kernels["scheduler"]
        cluster = None if scheduler["kind"] == "threads" else scheduler
        work = Work(self.sums, self.kernels["memory"], cluster, self.threads, self.progress)
        for kernel in KERNELS:
            for size in self.sizes:
                y = self.dataset["y"][:size].to_numpy()
                self.progress(f"{kernel} of {size} training points")
                yield Regression(x[:size], y, kernel, network, choice, work)

    def keep_share(self, share: tuple[int, int]) -> None:
        """Save sums over parts i, i + n, ... of the points of each regression, for (i, n)."""
        for regression in self._each():
            keep_share(regression, share)

    def store(self) -> xr.Dataset:
        """Store of the kind "landmarks": the regressions, and f at test points.

        Sums stay in their folder: with another ridge, no kernel values at training points are
        computed again. Sums of other data, networks or landmarks are removed. The errors are those
        of `landmark_regression`; they name the kernel and the size.
        """
        x, _ = limit_arguments(self.dataset["x"], self.network)
        test = x[int(self.dataset["is_train"].sum()) :]
        found = [self._fit(regression) for regression in self._each()]
        fits, used = [fit for fit, _ in found], {folder for _, folder in found}
        for folder in self.sums.glob("*/"):
            if folder not in used:
                shutil.rmtree(folder)
        shape = len(KERNELS), len(self.sizes)

        def stacked(arrays: list[Any]) -> np.ndarray:
            return np.stack(arrays).reshape(*shape, *np.shape(arrays[0]))

        z = [fit.landmarks.reshape(self.landmarks, -1) for fit in fits[: len(self.sizes)]]
        over = ("kernel", "size")
        variables = {
            "z": (("size", "landmark", "feature"), np.stack(z)),
            "a": ((*over, "landmark", "output"), stacked([fit.coefficients for fit in fits])),
            "f": ((*over, "sample", "output"), stacked([fit.predict(test) for fit in fits])),
        }
        return xr.Dataset(variables, {"kernel": list(KERNELS), "size": np.asarray(self.sizes)})

    def _fit(self, regression: Regression) -> tuple[LandmarkRegression, Path | None]:
        """Regression, and the folder with its sums."""
        try:
            summed = sums_over_all(regression)
            return solved(regression, summed, (self.ridge,)), summed.folder
        except ValueError as error:
            size = len(regression.targets)
            raise ValueError(f"{regression.kernel} of {size} training points: {error}") from error
