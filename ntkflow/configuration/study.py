"""A whole configuration, read and checked."""

import difflib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ntkflow.configuration.base import Fault, NotBoolean, PositiveFinite, Strict
from ntkflow.configuration.datasets import DatasetConfig
from ntkflow.configuration.experiments import Experiment
from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.configuration.networks import NetworkConfig

__all__ = ["ConfigurationError", "Study", "read_study"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64)]


class ConfigurationError(ValueError):
    """The configuration does not describe a study; the message names each key at fault."""


class Study(Strict):
    """Everything a run computes."""

    seed: Annotated[int, Field(ge=0, lt=2**32), NotBoolean] = Field(
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


def read_study(config: Mapping[str, Any]) -> Study:
    """Validate a configuration and fill in its defaults.

    Raises
    ------
    ConfigurationError
        One line a fault: the key's path, what was found and what was expected.
    """
    try:
        study = Study.model_validate(config)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_lines(error, config))) from None
    faults = [*_reference_faults(study)]
    if faults:
        raise ConfigurationError("\n".join(faults))
    return study


def _reference_faults(study: Study) -> Iterator[str]:
    run = study.run or []
    if len(set(run)) < len(run):
        yield f"run: found {_shorten(run)}, expected each experiment once"
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
        if network.outputs != dataset.target.outputs:
            yield (
                f"{path}.network: {experiment.network!r} has {network.outputs} outputs, the target "
                f"of data set {experiment.dataset!r} has {dataset.target.outputs}"
            )
        for key, complaint in experiment.needs(dataset, network):
            yield f"{path}.{key}: {complaint}"


def _unknown(name: str, names: Sequence[str] | Mapping[str, Any], what: str) -> str:
    return f"found {name!r}, expected the name of {what} defined here{_suggest(name, names)}"


def _suggest(name: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(str(name), [str(n) for n in names], n=1)
    return f" (did you mean {close[0]!r}?)" if close else f": {', '.join(map(str, names))}"


def _lines(error: ValidationError, config: Mapping[str, Any]) -> list[str]:
    """One line a fault, each with its path as it is written in the file.

    Pydantic reports a value that fits no member of a union once for each. A member that wants a
    value of another kind (a list for a mapping) is left out where one looked into the value.
    """
    located = []
    for fault in error.errors():
        absent = fault["type"] in ("missing", "extra_forbidden")
        located.append((fault, *_path(fault["loc"], config, absent)))
    looked_into = {
        tuple(path[:length])
        for fault, path, _ in located
        for length in range(len(path) + (not _of_another_kind(fault)))
    }
    lines = [
        _describe(fault, path, value)
        for fault, path, value in located
        if not (_of_another_kind(fault) and tuple(path) in looked_into)
    ]
    return [*dict.fromkeys(lines)]


def _of_another_kind(fault: Mapping[str, Any]) -> bool:
    return fault["type"].endswith("_type")


def _describe(fault: Mapping[str, Any], path: Sequence[str | int], value: Any) -> str:
    """One line for one pydantic error."""
    keys = [str(key) if str(key).isprintable() else repr(key) for key in path]
    where = ".".join(keys) or "(top level)"
    match fault["type"]:
        case "missing":
            return f"{where}: missing, expected a value"
        case "extra_forbidden":
            return f"{where}: unknown key; remove it or check its spelling in config/README.md"
        case "union_tag_invalid":
            context = fault["ctx"]
            key, expected = str(context["discriminator"]).strip("'"), context["expected_tags"]
            return f"{where}.{key}: found {context['tag']!r}, expected one of {expected}"
        case "union_tag_not_found":
            return f"{where}: missing the key {fault['ctx']['discriminator']}"
        case "value_error":
            error = fault["ctx"]["error"]
            key = f".{error.key}" if isinstance(error, Fault) else ""
            return f"{where}{key}: {error}"
        case _:
            message = fault["msg"].replace("Input", "it").replace("String", "it")
            if fault["loc"][-1:] == ("[key]",):
                return f"{where}: found this name; {message}"
            return f"{where}: found {_shorten(value)}; {message}"


def _path(location: Sequence[str | int], config: Any, absent: bool) -> tuple[list[str | int], Any]:
    """The keys of a pydantic location that are in the file, and the value there.

    A location also names union members. `absent`: its last key is the one missed or not wanted.
    """
    path: list[str | int] = []
    value = config
    for position, key in enumerate(location):
        inside = isinstance(value, Mapping) and key in value
        # {kind: address, address: ...}: the member `address` of the union, then the key.
        if inside and value.get("kind") == key and key != location[position - 1]:
            inside = position == len(location) - 1
        inside |= isinstance(value, list) and isinstance(key, int) and key < len(value)
        if inside:
            value = value[key]
        if inside or (absent and position == len(location) - 1):
            path.append(key)
    return path, value


class _Abridged(reprlib.Repr):
    """Values as far as they are shown: by aliases a few lines of YAML can stand for billions."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict = 3, 20, 20
        self.maxstring = self.maxlong = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out what has more digits.
        return super().repr_int(x, level) if x.bit_length() < 10_000 else "a number beyond 1e3000"


def _shorten(value: Any, length: int = 60) -> str:
    text = _Abridged().repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."
