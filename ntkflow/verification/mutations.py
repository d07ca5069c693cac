"""Mutation tests of the claims: the smallest error of the theory that each of them detects.

A claim is measured again from the stores of a finished run, with an error in what it is compared
with. It detects the error if one of its numbers disagrees that did not before. Claims that train
networks themselves train them again each time, so this takes an hour on the default study.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.configuration.products import STORES, networks_of, widths_by_kind
from ntkflow.configuration.study import Study, read_study
from ntkflow.device import configure_jax
from ntkflow.kernels.activations import activation
from ntkflow.kernels.dynamics import Components, gaussian_function, kernel_flow
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.evidence import DISAGREES, EVIDENCE, judge, judged
from ntkflow.measures.common.networks import networks
from ntkflow.measures.common.sources import BY_WIDTH, Sources
from ntkflow.stores.zarr import open_store

FACTORS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0)


@dataclass(frozen=True)
class Mutation:
    """An error: its kind, its size, and the sources with it; None if it concerns none of them."""

    kind: str
    size: str
    apply: Callable[[Sources], Sources | None]


def scaled_kernels(factor: float) -> Callable[[Sources], Sources | None]:
    """Both limiting kernels times a factor."""

    def apply(sources: Sources) -> Sources | None:
        return with_limiting(sources, factor * sources.limiting) if sources.limiting else None

    return apply


def nngp_for_ntk(sources: Sources) -> Sources | None:
    """The NNGP kernel in place of the NTK."""
    limiting = sources.limiting
    if not limiting:
        return None
    return with_limiting(sources, limiting.assign(ntk=limiting["nngp"]))


def other_network(**changes: Any) -> Callable[[Sources], Sources | None]:
    """Limiting kernels of another depth (layers more), beta (factor) or activation (name)."""

    def apply(sources: Sources) -> Sources | None:
        if not sources.limiting or sources.limit is None:
            return None
        network = sources.limit
        if "depth" in changes:
            network = replace(network, depth=network.depth + changes["depth"])
        if "beta" in changes:
            network = replace(network, beta=network.beta * changes["beta"])
        if "activation" in changes:
            network = replace(network, activation=activation(changes["activation"]))
        if network.depth < 1 or network == sources.limit:
            return None
        x = np.asarray(sources.dataset["x"].values, np.float64)
        found = limiting_kernels(x, x, **vars(network))
        kernels = {
            name: (("sample", "sample_prime"), np.asarray(values))
            for name, values in found._asdict().items()
        }
        changed = with_limiting(sources, sources.limiting.assign(kernels))
        return replace(changed, limit=network)

    return apply


def no_order_in_width(sources: Sources) -> Sources | None:
    """Networks of the smallest width in place of those of every width."""
    by_width = ("ensembles", "dynamics", "initial", "architectures")
    found = {name: getattr(sources, name) for name in by_width}
    same: dict[str, Any] = {
        name: dict.fromkeys(values, values[min(values)])
        for name, values in found.items()
        if len(values) > 1
    }
    return replace(sources, **same) if same else None


def other_rate(factor: float) -> Callable[[Sources], Sources | None]:
    """Trained networks whose times are those of another learning rate."""

    def apply(sources: Sources) -> Sources | None:
        if not sources.ensembles:
            return None
        changed = {
            n: store.assign_coords(
                {
                    name: (store[name].dims, factor * store[name].values, store[name].attrs)
                    for name in ("time", "kernel_time")
                    if name in store.coords
                }
            )
            for n, store in sources.ensembles.items()
        }
        return with_limiting(replace(sources, ensembles=changed), sources.limiting)

    return apply


def mutations() -> list[Mutation]:
    """All mutations, of each kind the smallest first."""
    found = [Mutation("kernel larger", f"x {f:g}", scaled_kernels(f)) for f in FACTORS]
    found += [Mutation("kernel smaller", f"/ {f:g}", scaled_kernels(1 / f)) for f in FACTORS]
    found += [Mutation("depth", f"L {d:+d}", other_network(depth=d)) for d in (1, -1)]
    found += [Mutation("beta", f"x {f:g}", other_network(beta=f)) for f in (1.5, 2.0, 5.0)]
    names = ("gelu", "softplus", "tanh", "relu")
    found += [Mutation("activation", name, other_network(activation=name)) for name in names]
    found += [Mutation("NNGP for NTK", "yes", nngp_for_ntk)]
    found += [Mutation("no 1/n", "yes", no_order_in_width)]
    found += [Mutation("learning rate", f"x {f:g}", other_rate(f)) for f in (1.1, 1.5, 2.0)]
    return found


def with_limiting(sources: Sources, limiting: xr.Dataset) -> Sources:
    """Sources with other limiting kernels, and with what follows from them."""
    if not limiting:
        return sources
    changed = replace(sources, limiting=limiting)
    if not (sources.spectrum or sources.dynamics or sources.gaussian):
        return changed
    spectrum = decompose_kernel(limiting)
    kept = spectrum.dropna("component")
    components = Components(kept["eigenvalue"].values, kept["eigenfunction"].values)
    dynamics = {
        n: store.assign(f=(store["f"].dims, _flow(components, sources.ensembles[n])))
        for n, store in sources.dynamics.items()
    }
    gaussian = sources.gaussian
    if gaussian:
        samples = int(sources.dataset["is_train"].sum())
        target, times = sources.dataset["y"].values[:samples], gaussian["time"].values
        law = gaussian_function(components, limiting["nngp"].values, target, times)
        parts = {"mean": law.mean, "variance": law.variance}
        shaped = {k: np.asarray(v).reshape(gaussian[k].shape) for k, v in parts.items()}
        gaussian = gaussian.assign({k: (gaussian[k].dims, v) for k, v in shaped.items()})
    spectrum = spectrum if sources.spectrum else sources.spectrum
    return replace(changed, spectrum=spectrum, dynamics=dynamics, gaussian=gaussian)


def _flow(components: Components, ensemble: xr.Dataset) -> np.ndarray:
    samples = int(ensemble["is_train"].sum())
    f0 = ensemble["f"].isel(step=0).values.astype(np.float64)
    goal = ensemble["goal"].values.astype(np.float64)[:, :samples]
    return np.asarray(kernel_flow(components, f0, goal, ensemble["time"].values))


def read_sources(study: Study, name: str, results: Path) -> Sources:
    """Read the sources of an experiment's measure from the stores of a run."""
    experiment = study.experiments[name]
    found: dict[str, Any] = {}
    for kind in {*experiment.reads} - {"networks"}:
        paths = STORES[kind](name, experiment)
        if isinstance(paths, str):
            found[kind] = open_store(results / f"{paths}.zarr", kind).load()
        else:
            stores = [open_store(results / f"{each}.zarr", BY_WIDTH[kind]) for each in paths]
            found[kind] = dict(zip(widths_by_kind(experiment)[kind], stores, strict=True))
    if settings := networks_of(study, experiment):
        found |= networks(**settings)
    else:
        limit = study.networks[experiment.network].limit
        found["limit"] = networks({}, limit)["limit"]
    found.setdefault("dataset", open_store(results / f"datasets/{experiment.dataset}.zarr").load())
    if "dynamics" in found and "limiting" not in found:
        place = results / f"limiting/{experiment.dataset}/{experiment.network}.zarr"
        found["limiting"] = open_store(place, "limiting").load()
    memory = study.kernels.memory * 2**30 if experiment.parallel else 0
    return Sources(**found, seed=study.seed_of(name), memory=memory)


def numbers(study: Study, name: str, sources: Sources) -> pd.DataFrame:
    """Judged numbers of an experiment's claim."""
    experiment = study.experiments[name]
    module = import_module(f"ntkflow.measures.{experiment.measure}.measure")
    statistics = module.measure(sources, **experiment.settings)
    if statistics.attrs.get("store") == EVIDENCE.kind:
        return judged(statistics)
    return judge(module.claims(statistics))


def detected(
    study: Study, name: str, sources: Sources, tried: Sequence[Mutation]
) -> Iterator[tuple[Mutation, list[str]]]:
    """Yield mutations that concern a claim, and the numbers that disagree because of each.

    Of each kind they are tried from the smallest to the first that is detected.
    """
    found = numbers(study, name, sources)
    before = set(found["quantity"][found["verdict"] == DISAGREES])
    noticed: set[str] = set()
    for mutation in tried:
        if mutation.kind in noticed or (changed := mutation.apply(sources)) is None:
            continue
        try:
            now = numbers(study, name, changed)
            lost = now["quantity"][now["verdict"] == DISAGREES].tolist()
        except (ArithmeticError, ValueError) as error:  # a flow that diverges, for example
            lost = [f"error: {error}"]
        new = [quantity for quantity in lost if quantity not in before]
        if new:
            noticed.add(mutation.kind)
        yield mutation, new


def table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """Markdown table of the smallest size detected, by claim and kind; – if none of them was."""
    kinds = list(dict.fromkeys(mutation.kind for mutation in mutations()))
    lines = [f"| claim | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 1) + "|"]
    for name, cells in rows.items():
        values = " | ".join(cells.get(kind, "") for kind in kinds)
        lines.append(f"| `{name}` | {values} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for a finished run, as Markdown; a line of progress for each mutation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--experiments", nargs="+", help="claims to try (default: all of the run)")
    given = parser.parse_args(arguments)
    text = (given.results / "configuration.yaml").read_text(encoding="utf-8")
    study = read_study(yaml.safe_load(text), [given.results])
    configure_jax(os.cpu_count() or 1, study.device)
    claims = [name for name, experiment in study.selected.items() if experiment.paper]
    rows: dict[str, dict[str, str]] = {}
    for name in given.experiments or claims:
        rows[name] = {}
        sources = read_sources(study, name, given.results)
        for mutation, lost in detected(study, name, sources, mutations()):
            found = "; ".join(lost) or "not detected"
            print(f"{name}: {mutation.kind} {mutation.size}: {found}", file=sys.stderr, flush=True)
            rows[name][mutation.kind] = mutation.size if lost else "–"
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
