"""Data set -> f (seed, step, sample, output) and recorded NTKs of trained networks."""

from typing import Any

import numpy as np

from ntkflow import runtime
from ntkflow.analysis.spectrum import component_target
from ntkflow.networks.mlp import Architecture, seed_keys
from ntkflow.networks.training import Schedule, train_ensemble
from ntkflow.stores import labels
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    runtime.configure_jax(smk.threads, params.device)
    dataset = open_store(smk.input.dataset, "dataset").load()
    target = dataset["y"].values
    if params.goal:
        spectrum = open_store(smk.input.spectrum[0], "spectrum")
        along = component_target(spectrum, **params.goal).values[:, np.newaxis]
        target = np.broadcast_to(along, target.shape)
    architecture = Architecture.from_plain(**params.architecture)
    schedule = {"function_steps": params.function_steps, "kernel_steps": params.kernel_steps}
    records = train_ensemble(
        seed_keys(params.seed, int(smk.wildcards.width), params.seeds),
        dataset["x"].values,
        target,
        labels.training_count(dataset),
        architecture,
        Schedule(params.learning_rate, **{key: tuple(steps) for key, steps in schedule.items()}),
        relative=bool(params.goal),
        dtype=np.dtype(params.precision),
        memory=params.memory,
        progress=runtime.progress,
    )
    ensemble = labels.ensemble(
        dataset, **records._asdict(), **schedule, learning_rate=params.learning_rate
    )
    attributes = runtime.provenance(smk, precision=params.precision)
    write_store(ensemble, smk.output.ensemble, "ensemble", attributes)


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
