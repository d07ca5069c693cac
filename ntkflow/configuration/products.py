"""Paths of the stores that an experiment needs."""

from collections.abc import Callable, Mapping
from typing import Any

from ntkflow.configuration.study import Study

Paths = str | list[str]

STORES: Mapping[str, Callable[[str, Any], Paths]] = {
    "dataset": lambda name, e: f"datasets/{e.dataset}",
    "limiting": lambda name, e: f"limiting/{e.dataset}/{e.network}",
    "spectrum": lambda name, e: f"spectrum/{e.dataset}/{e.network}",
    "gaussian": lambda name, e: f"gaussian/{name}",
    "ensembles": lambda name, e: [f"ensembles/{name}/width-{n}" for n in e.widths],
    "dynamics": lambda name, e: [f"dynamics/{name}/width-{n}" for n in e.widths],
    "initial": lambda name, e: [f"initial_kernels/{name}/width-{n}" for n in e.initial.widths],
    "landmarks": lambda name, e: [f"landmarks/{name}/count-{m}" for m in e.counts],
}
"""Path of each kind of store, without its suffix, from the name and settings of an experiment."""

PLACE = "results/{}.zarr/zarr.json"
"""A store is declared by its root file, which is written last."""


def stores(kind: str, name: str, experiment: Any) -> Paths:
    """Root file of a store, or of one store for each width or number of landmarks."""
    paths = STORES[kind](name, experiment)
    return PLACE.format(paths) if isinstance(paths, str) else [*map(PLACE.format, paths)]


def numbers_by_kind(experiment: Any) -> dict[str, list[int]]:
    """Widths or numbers of landmarks, for the kinds of stores that have one for each."""
    trained = getattr(experiment, "widths", [])
    initial = {"initial": experiment.initial.widths} if "initial" in experiment.needs else {}
    landmarks = {"landmarks": experiment.counts} if "landmarks" in experiment.needs else {}
    return {"ensembles": trained, "dynamics": trained, **initial, **landmarks}


def networks_of(study: Study, experiment: Any) -> dict[str, Any]:
    """Settings of the finite and limiting networks, for an experiment that reads them."""
    if "networks" not in experiment.needs:
        return {}
    widths = getattr(experiment, "widths", [])
    network = study.network_of(experiment)
    widths = [*widths, *getattr(experiment, "drawn_widths", [])]  # those that a measure draws
    return {"finite": {n: network.finite(n) for n in widths}, "limit": network.limit}
