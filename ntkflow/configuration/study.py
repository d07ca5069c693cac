"""A whole configuration, read and checked."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ntkflow.configuration.experiments import Experiment
from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.configuration.messages import lines, shortened
from ntkflow.configuration.networks import NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import NotBoolean, PositiveFinite, Strict

__all__ = ["ConfigurationError", "Study", "read_study"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64)]


class ConfigurationError(ValueError):
    """The configuration does not describe a study; the message names each key at fault."""


class Study(Strict):
    """Everything a run computes."""

    seed: Annotated[int, Field(ge=0, lt=2**64), NotBoolean] = Field(
        0, description="root of every network's key"
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="what computes; auto is a GPU where JAX finds one"
    )
    kernels: KernelsConfig = Field(
        KernelsConfig(), description="how limiting kernels are computed, and where"
    )
    training_memory: PositiveFinite | None = Field(
        None, description="GiB for the networks that train at the same time; what a GPU has, or 4"
    )
    checkpoint_minutes: PositiveFinite = Field(
        2.0, description="between checkpoints of a training, in minutes"
    )
    run: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="experiments to run; all by default"
    )
    datasets: dict[Name, DatasetConfig] = Field(description="data sets by name")
    networks: dict[Name, NetworkConfig] = Field(description="networks by name")
    experiments: dict[Name, Experiment] = Field(description="experiments by name")

    @property
    def selected(self) -> dict[str, Any]:
        """The experiments to run, by name."""
        names = list(self.experiments) if self.run is None else self.run
        return {name: self.experiments[name] for name in names}


def read_study(config: Mapping[str, Any], folders: Sequence[str] = ()) -> Study:
    """Validate a configuration and fill in its defaults.

    Parameters
    ----------
    config
        The configuration, as YAML is read.
    folders
        Folders in which relative paths to data are looked for, before the working directory.

    Raises
    ------
    ConfigurationError
        One line a fault: the key's path, what was found and what was expected.
    """
    try:
        study = Study.model_validate(config, context={"folders": folders})
    except ValidationError as error:
        raise ConfigurationError("\n".join(lines(error, config))) from None
    faults = [*_reference_faults(study)]
    if faults:
        raise ConfigurationError("\n".join(faults))
    return study


def _reference_faults(study: Study) -> Iterator[str]:
    run = study.run or []
    if len(set(run)) < len(run):
        yield f"run: found {shortened(run)}, expected each experiment once"
    for index, name in enumerate(run):
        if name not in study.experiments:
            yield f"run.{index}: " + _unknown(name, study.experiments, "experiment")
    for name, experiment in study.experiments.items():
        path = f"experiments.{name}"
        known = True
        for key, names in (("dataset", study.datasets), ("network", study.networks)):
            if getattr(experiment, key) not in names:
                known = False
                yield f"{path}.{key}: " + _unknown(getattr(experiment, key), names, key)
        if not known:
            continue
        dataset, network = study.datasets[experiment.dataset], study.networks[experiment.network]
        if network.outputs != dataset.outputs:
            yield (
                f"{path}.network: {experiment.network!r} has {network.outputs} outputs, the target "
                f"of data set {experiment.dataset!r} has {dataset.outputs}"
            )
        for key, complaint in experiment.needs(dataset, network):
            yield f"{path}.{key}: {complaint}"


def _unknown(name: str, names: Sequence[str] | Mapping[str, Any], what: str) -> str:
    return f"found {name!r}, expected the name of {what} defined here{_suggest(name, names)}"


def _suggest(name: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(str(name), [str(n) for n in names], n=1)
    return f" (did you mean {close[0]!r}?)" if close else f": {', '.join(map(str, names))}"
