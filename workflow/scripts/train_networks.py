"""Data set -> f (seed, step, sample, output) and recorded NTKs of trained networks."""

from typing import Any

import numpy as np

from ntkflow.analysis.spectrum import component_target
from ntkflow.device import configure_jax
from ntkflow.jobs.checkpoints import checkpoints
from ntkflow.jobs.log import progress, run
from ntkflow.jobs.provenance import fingerprint, provenance
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.models import network_from_plain
from ntkflow.networks.training import Schedule, train_ensemble
from ntkflow.stores import labels
from ntkflow.stores.zarr import open_store, write_store


def main(smk: Any) -> None:
    params, training = smk.params, smk.params.training
    configure_jax(smk.threads, params.device, cpu_devices=smk.threads, deterministic=True)
    sources = [open_store(smk.input.dataset, "dataset").load()]
    dataset, target = sources[0], sources[0]["y"].values
    if params.goal:
        sources.append(open_store(smk.input.spectrum[0], "spectrum"))
        along = component_target(sources[1], **params.goal).values[:, np.newaxis]
        target = np.broadcast_to(along, target.shape)
    schedule = Schedule(**{key: training[key] for key in Schedule._fields})
    probe = labels.probe(dataset, training["probe"])
    place, interval = smk.output.ensemble, smk.resources.checkpoint_seconds
    with checkpoints(place, fingerprint(smk, *sources), interval, progress) as checkpointer:
        records = train_ensemble(
            seed_keys(params.seed, int(smk.wildcards.width), params.seeds),
            dataset["x"].values,
            target,
            labels.training_count(dataset),
            network_from_plain(**params.architecture),
            schedule,
            method=Method.from_plain(**training),
            relative=bool(params.goal),
            recorded=probe,
            dtype=np.dtype(training["precision"]),
            memory=params.memory and params.memory * 2**30,
            checkpointer=checkpointer,
            progress=progress,
        )
        ensemble = labels.ensemble(
            dataset.isel(sample=probe), **records._asdict(), **schedule._asdict()
        )
        attributes = provenance(smk, precision=training["precision"])
        write_store(ensemble, place, "ensemble", attributes)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
