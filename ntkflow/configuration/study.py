"""Model of a whole configuration, and the function that reads one."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model

from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.configuration.measures import add_folders, experiment_type
from ntkflow.configuration.messages import ConfigurationError, lines, shortened, suggestion
from ntkflow.configuration.networks import Network, NetworkConfig
from ntkflow.datasets.config import DatasetConfig
from ntkflow.keys import Count, NotBoolean, PositiveFinite, Strict

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64)]


class Resources(Strict):
    """Resources of the jobs of an experiment or a measure, in place of the estimates."""

    mem_mb: Count | None = Field(None, description="memory, in MiB; doubles with each attempt")
    runtime: Count | None = Field(
        None, description="time limit, in minutes; grows with each attempt"
    )
    threads: Count | None = Field(None, description="number of cores")


class Study(Strict):
    """Keys at the top of a configuration."""

    seed: Annotated[int, Field(ge=0, lt=2**64), NotBoolean] = Field(
        0,
        description="root of the random keys of all networks; each key is derived from it, the "
        "name of the experiment, the width and the initialisation",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto",
        description="device of networks and kernels; auto is a GPU if JAX finds one, and with gpu "
        "it is an error if JAX finds none",
    )
    kernels: KernelsConfig = Field(
        KernelsConfig(), description="computation of the limiting kernels"
    )
    training_memory: PositiveFinite | None = Field(
        None,
        description="memory in GiB for the networks of one width that train at the same time, of "
        "each GPU or of all cores of a job; `null` is nine tenths of the memory of a GPU, or 4 GiB "
        "on a CPU",
    )
    checkpoint_minutes: PositiveFinite = Field(
        2.0, description="minutes between checkpoints, from which a killed training resumes"
    )
    run: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="names of the experiments to run, each once; `null` runs all"
    )
    datasets: dict[Name, DatasetConfig] = Field(
        description="data sets by name: inputs to train and test at, and a target"
    )
    networks: dict[Name, Network] = Field(
        description="networks by name: fully-connected, composed of layers, or a function"
    )
    measures: list[str] = Field(
        [], description="folders with further measures, relative to the configuration file"
    )
    resources: dict[Name, Resources] = Field(
        {}, description="resources of jobs by the name of an experiment or of a measure"
    )
    experiments: dict[Name, Any] = Field(
        description="experiments by name: a measure with its settings, a network and a data set"
    )

    @property
    def selected(self) -> dict[str, Any]:
        """The experiments to run, by name."""
        names = list(self.experiments) if self.run is None else self.run
        return {name: self.experiments[name] for name in names}

    def network_of(self, experiment: Any) -> NetworkConfig:
        """Network of an experiment, for inputs with the features of its data set."""
        features = self.datasets[experiment.dataset].train.features
        return self.networks[experiment.network].with_features(features)

    def seed_of(self, experiment: str) -> int:
        """Root of the random keys of one experiment: no two experiments share networks."""
        digest = hashlib.sha256(f"{self.seed} {experiment}".encode()).digest()
        return int.from_bytes(digest[:8], "big")


@cache
def study_model(folders: tuple[Path, ...] = ()) -> type[Study]:
    """Model of a configuration, with the measures of this package and of `folders`."""
    experiments: Any = (
        dict[Name, experiment_type(folders)],  # type: ignore[misc]
        Field(description=Study.model_fields["experiments"].description),
    )
    return create_model("Study", __base__=Study, __doc__=Study.__doc__, experiments=experiments)


def read_study(config: Mapping[str, Any], folders: Sequence[str | Path] = ()) -> Study:
    """Validate a configuration and fill in its defaults.

    `folders`: where relative paths of measures and data may start, besides the working directory;
    the first in which a path exists is used. The ConfigurationError of an invalid configuration
    has one line per error: the path of the key, what was found and what was expected.
    """
    written = config.get("measures") if isinstance(config, Mapping) else None
    measures = add_folders(written or [], folders)
    try:
        study = study_model(measures).model_validate(config, context={"folders": folders})
    except ValidationError as error:
        raise ConfigurationError("\n".join(lines(error, config))) from None
    faults = [*dict.fromkeys(_reference_faults(study))]
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
    measures = {experiment.measure for experiment in study.experiments.values()}
    for name in study.resources:
        if name not in (jobs := [*study.experiments, *sorted(measures)]):
            yield f"resources.{name}: " + _unknown(name, jobs, "an experiment or measure")
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
            target = f"the target of data set {experiment.dataset!r} has {dataset.outputs}"
            yield f"{path}.network: {experiment.network!r} has {network.outputs} outputs, {target}"
        for key, complaint in network.problems(dataset.train.features):
            place = f"networks.{experiment.network}.{key}"
            yield f"{place}: {complaint} (data set {experiment.dataset!r})"
        unsuited = [*experiment.network_problems(network)]
        for key, complaint in unsuited or experiment.problems(dataset, network):
            yield f"{path}.{key}: {complaint}"


def _unknown(name: str, names: Sequence[str] | Mapping[str, Any], what: str) -> str:
    return f"found {name!r}, expected the name of {what} defined here{suggestion(name, names)}"
