"""Train the same networks again and again; run by the Python of whatever is being measured.

The one argument is JSON: folder (with x.npy, y.npy, theta-0.npy, ..), widths n_0, .., 1, seeds,
steps, beta, rate, and the way: ntkflow, jax or torch. f at the end is written into the folder,
under the name of the way. Talks as `peer.py` does. Times are of the steps: not of drawing
parameters or compilation; ntkflow's include its last record.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Train = Callable[[], float]
Layers = list[tuple[np.ndarray, np.ndarray]]


def given(settings: Mapping[str, Any], seed: int) -> Layers:
    """The initial parameters of one network."""
    rest, layers = np.load(Path(settings["folder"]) / f"theta-{seed}.npy"), []
    for one, two in pairwise(settings["widths"]):
        weight, bias, rest = np.split(rest, [one * two, (one + 1) * two])
        layers.append((weight.reshape(one, two), bias))
    return layers


def data(settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets."""
    folder = Path(settings["folder"])
    return np.load(folder / "x.npy"), np.load(folder / "y.npy")


def ntkflow(settings: Mapping[str, Any]) -> Train:
    """`train_ensemble`, all networks at once; f is kept in the folder."""
    from ntkflow.device import configure_jax
    from ntkflow.interface.arguments import cores

    configure_jax(cores(), "cpu", cpu_devices=cores())
    from ntkflow.kernels.activations import activation
    from ntkflow.networks.mlp import Architecture, seed_keys
    from ntkflow.networks.training import Schedule, train_ensemble

    (_, *hidden, _), (x, y) = settings["widths"], data(settings)
    architecture = Architecture(tuple(hidden), activation("relu"), settings["beta"])
    keys = seed_keys(0, hidden[0], settings["seeds"])
    schedule = Schedule(settings["rate"], (0, settings["steps"]))

    def train() -> float:
        marks: list[tuple[bool, float]] = []

        def note(line: str) -> None:
            marks.append((": step 0 of" in line, time.perf_counter()))

        records = train_ensemble(keys, x, y, len(x), architecture, schedule, progress=note)
        np.save(Path(settings["folder"]) / "ntkflow.npy", records.f[:, -1])
        # The steps of a round are between its line of step 0 and the line that follows, and so on.
        return sum(end[1] - start[1] for start, end in pairwise(marks) if not end[0])

    return train


def jax_loop(settings: Mapping[str, Any]) -> Train:
    """A loop in Python over jitted steps, network by network."""
    import jax
    import jax.numpy as jnp

    x, y = map(jnp.asarray, data(settings))
    beta, rate, steps = settings["beta"], settings["rate"], settings["steps"]

    def function(theta: Any) -> Any:
        a = x
        for index, (weight, bias) in enumerate(theta):
            a = jnp.maximum(a, 0) if index else a
            a = a @ weight / weight.shape[0] ** 0.5 + beta * bias
        return a

    def cost(theta: Any) -> Any:
        return jnp.sum((function(theta) - y) ** 2) / (2 * len(x))

    @partial(jax.jit, donate_argnums=0)
    def step(theta: Any) -> Any:
        change = jax.grad(cost)(theta)
        return jax.tree.map(lambda one, two: one - rate * two, theta, change)

    def train() -> float:
        seconds, found = 0.0, []
        for seed in range(settings["seeds"]):
            theta = jax.tree.map(jnp.asarray, given(settings, seed))
            start = time.perf_counter()
            for _ in range(steps):
                theta = step(theta)
            jax.block_until_ready(theta)
            seconds += time.perf_counter() - start
            found.append(np.asarray(function(theta)))
        np.save(Path(settings["folder"]) / "jax.npy", found)
        return seconds

    return train


def torch_loop(settings: Mapping[str, Any]) -> Train:
    """A loop in Python over PyTorch's automatic differentiation, network by network."""
    import torch

    x, y = (torch.from_numpy(array) for array in data(settings))
    beta, rate = settings["beta"], settings["rate"]

    def function(theta: Any) -> Any:
        a = x
        for index, (weight, bias) in enumerate(theta):
            a = torch.relu(a) if index else a
            a = torch.addmm(beta * bias, a, weight, alpha=weight.shape[0] ** -0.5)
        return a

    def train() -> float:
        seconds, found = 0.0, []
        for seed in range(settings["seeds"]):
            layers = given(settings, seed)
            theta = [[torch.from_numpy(a).requires_grad_() for a in layer] for layer in layers]
            optimizer = torch.optim.SGD([a for layer in theta for a in layer], lr=rate)
            start = time.perf_counter()
            for _ in range(settings["steps"]):
                optimizer.zero_grad()
                (((function(theta) - y) ** 2).sum() / (2 * len(x))).backward()
                optimizer.step()
            seconds += time.perf_counter() - start
            found.append(function(theta).detach().numpy())
        np.save(Path(settings["folder"]) / "torch.npy", found)
        return seconds

    return train


WAYS: Mapping[str, Callable[[Mapping[str, Any]], Train]] = {
    "ntkflow": ntkflow,
    "jax": jax_loop,
    "torch": torch_loop,
}


def main() -> None:
    """Answer on standard output."""
    settings = json.loads(sys.argv[1])
    train = WAYS[settings["way"]](settings)
    train()
    print(json.dumps({"versions": {}}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"seconds": train()}), flush=True)


if __name__ == "__main__":
    main()
