"""Stores that a measure reads -> its statistics."""

from importlib import import_module
from typing import Any

from ntkflow.jobs.log import progress, run
from ntkflow.jobs.provenance import provenance
from ntkflow.measures.common.evidence import EVIDENCE
from ntkflow.measures.common.sources import BY_NUMBER, Sources
from ntkflow.stores.zarr import open_store, write_store

ALONE = ("dataset", "limiting", "spectrum", "gaussian")


def main(smk: Any) -> None:
    params = smk.params
    module = import_module(f"ntkflow.measures.{params.measure}.measure")
    if params.device:  # of measures that compute with JAX
        device = import_module("ntkflow.device")
        device.configure_jax(smk.threads, params.device, deterministic=True)
    read: dict[str, Any] = {}
    used = []
    for name, place in smk.input.items():
        if name in BY_NUMBER:
            stores = [open_store(each, BY_NUMBER[name]) for each in place]
            read[name] = dict(zip(params.numbers[name], stores, strict=True))
            used += stores
        elif name in ALONE:
            read[name] = open_store(place, name)
            used.append(read[name])
    if params.networks:
        read |= import_module("ntkflow.measures.common.networks").networks(**params.networks)
    sources = Sources(**read, seed=params.seed, memory=params.memory, progress=progress)
    statistics = module.measure(sources, **params.settings)
    attributes = provenance(smk, *used, precision=getattr(module, "PRECISION", "float64"))
    schema = getattr(module, "SCHEMA", EVIDENCE)
    write_store(statistics, smk.output.statistics, schema, attributes)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
