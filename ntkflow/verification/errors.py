"""Errors of the theory, which mutation tests put into the sources and functions of measures."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.activations import activation
from ntkflow.kernels.dynamics import Components, gaussian_function, kernel_flow
from ntkflow.kernels.limiting import LimitingKernels, limiting_kernels
from ntkflow.kernels.tiles import Network
from ntkflow.measures.common.mutation import FACTORS, LARGER, SMALLER, Mutation
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import Architecture

Kernels = Callable[..., LimitingKernels]
"""`limiting_kernels`, or a function of the same arguments."""

Change = Callable[[Network], Network]


def times(factor: float) -> Callable[[Kernels], Kernels]:
    """Both kernels times a factor."""

    def wrong(right: Kernels, *inputs: Any, **network: Any) -> LimitingKernels:
        return LimitingKernels(*(factor * kernel for kernel in right(*inputs, **network)))

    return lambda right: partial(wrong, right)


def nngp_for_ntk(right: Kernels) -> Kernels:
    """The NNGP kernel in place of the NTK."""

    def wrong(*inputs: Any, **network: Any) -> LimitingKernels:
        nngp = right(*inputs, **network).nngp
        return LimitingKernels(nngp, nngp)

    return wrong


def of_kernels(kind: str, size: str, wrong: Callable[[Kernels], Kernels]) -> Mutation:
    """Wrong limiting kernels, in stores and where a measure computes them itself."""

    def apply(sources: Sources) -> Sources | None:
        if not sources.limiting:
            return None
        if sources.limit is None:  # composed of layers: only its stored kernels can be wrong
            found = wrong(lambda: _stored(sources.limiting))()
        else:
            x = np.asarray(sources.dataset["x"].values, np.float64)
            found = wrong(limiting_kernels)(x, x, **vars(sources.limit))
        shaped = {k: (("sample", "sample_prime"), v) for k, v in found._asdict().items()}
        return with_limiting(sources, sources.limiting.assign(shaped))

    return Mutation(kind, size, apply, {"limiting_kernels": wrong})


def _stored(limiting: xr.Dataset) -> LimitingKernels:
    return LimitingKernels(*(limiting[name].values for name in LimitingKernels._fields))


def of_network(kind: str, size: str, change: Change) -> Mutation:
    """Limiting kernels, and exact moments of finite networks, of a changed network."""

    def wrong(right: Kernels) -> Kernels:
        return lambda *inputs, **network: right(*inputs, **vars(change(Network(**network))))

    def apply(sources: Sources) -> Sources | None:
        if not sources.limiting or sources.limit is None:
            return None
        if change(sources.limit) == sources.limit:
            return None
        changed = of_kernels(kind, size, wrong).sources(sources)
        expected = {n: changed_architecture(e, change) for n, e in sources.architectures.items()}
        return changed and replace(changed, expected=expected)

    return Mutation(kind, size, apply, {"limiting_kernels": wrong})


def changed_architecture(architecture: Architecture, change: Change) -> Architecture:
    """The finite network of a changed limit; more hidden layers are as wide as the last one."""
    given = {name: getattr(architecture, name) for name in ("activation", "beta", "weight_gain")}
    network = change(Network(depth=architecture.depth, **given))
    widths = architecture.hidden_widths
    more = widths[-1:] * (network.depth - architecture.depth)
    changed = {name: getattr(network, name) for name in given}
    return replace(architecture, hidden_widths=(widths + more)[: network.depth - 1], **changed)


def no_order_in_width(sources: Sources) -> Sources | None:
    """Networks of the smallest width in place of those of every width, but not in theory."""
    by_width = ("ensembles", "dynamics", "initial", "architectures")
    found = {name: getattr(sources, name) for name in by_width}
    same: dict[str, Any] = {
        name: dict.fromkeys(values, values[min(values)])
        for name, values in found.items()
        if len(values) > 1
    }
    return replace(sources, expected=sources.architectures, **same) if same else None


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


def deeper(network: Network) -> Network:
    """One layer more."""
    return replace(network, depth=network.depth + 1)


def beta_times(factor: float) -> Change:
    """Biases that weigh more."""
    return lambda network: replace(network, beta=factor * network.beta)


def of_activation(name: str) -> Change:
    """Another activation."""
    return lambda network: replace(network, activation=activation(name))


def mutations() -> list[Mutation]:
    """All mutations, of each kind the smallest first."""
    found = [of_kernels(LARGER, f"x {f:g}", times(f)) for f in FACTORS]
    found += [of_kernels(SMALLER, f"/ {f:g}", times(1 / f)) for f in FACTORS]
    found += [of_network("depth", "L + 1", deeper)]
    found += [of_network("beta", f"x {f:g}", beta_times(f)) for f in (1.5, 2.0, 5.0)]
    found += [of_network("activation", name, of_activation(name)) for name in ("gelu", "tanh")]
    found += [of_kernels("NNGP for NTK", "detected", nngp_for_ntk)]
    found += [Mutation("no 1/n", "detected", no_order_in_width)]
    return found + [Mutation("learning rate", f"x {f:g}", other_rate(f)) for f in (1.1, 1.5, 2.0)]


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
