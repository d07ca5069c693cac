"""Data set, limiting kernels, trained networks -> numbers and curves of a claim."""

from importlib import import_module
from typing import Any

from ntkflow import runtime
from ntkflow.claims import table
from ntkflow.claims.sources import Sources
from ntkflow.kernels.activations import activation as named
from ntkflow.kernels.tiles import Network
from ntkflow.networks.mlp import Architecture
from ntkflow.stores.zarr import open_by_width, open_store, write_store


def main(smk: Any) -> None:
    params = smk.params
    runtime.configure_jax(smk.threads, params.device, deterministic=True)
    claim = import_module(f"ntkflow.claims.{params.claim}")
    ensembles = {}
    if smk.input.ensembles:
        ensembles = open_by_width(params.widths, smk.input.ensembles, "ensemble")
    dataset = open_store(smk.input.dataset, "dataset").load()
    kernels = open_store(smk.input.kernels, "limiting")
    networks = [Architecture.from_plain(**plain) for plain in params.architectures]
    architectures = dict(zip(params.widths, networks, strict=True))
    plain = dict(params.limit)
    limit = Network(named(**plain.pop("activation")), **plain)
    sources = Sources(dataset, kernels, ensembles, architectures, limit, params.seed)
    said = {"claim": params.claim, "statement": params.statement, "paper": params.paper}
    statistics = claim.measure(sources, **params.settings).assign_attrs(**params.labels, **said)
    used = (kernels, *ensembles.values())
    attributes = runtime.provenance(smk, *used, precision=claim.PRECISION)
    write_store(statistics, smk.output.statistics, "claim", attributes)
    table.tabulate({str(smk.wildcards.experiment): statistics}).to_csv(
        smk.output.table, index=False
    )


if __name__ == "__main__":
    runtime.run(main, snakemake)  # type: ignore[name-defined]
