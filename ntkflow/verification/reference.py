"""Published reference of a folder of results, and the configuration it belongs to."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import read_study
from ntkflow.verification.summary import Strict, Summary


class UnusableReferenceError(ValueError):
    """A file is not a reference, or a folder of results has none."""


def _inside(path: str) -> str:
    if "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("expected the path of a product within a folder of results")
    return path


class Product(Strict):
    """One product of a run, with summaries of its variables and coordinates, or columns, by name.

    Its digest is that of the data of a store, as in the root attribute, or of the content of a
    file.
    """

    kind: str  # as in the schema of a store; "table", or "drawing" for a figure or a page
    precision: str = ""  # of the arithmetic of a store
    sha256: str
    arrays: dict[str, Summary] = Field(default_factory=dict)


class Reference(Strict):
    """Products of one run by path, and the versions and devices that computed them.

    The configuration is the text of the run's `configuration.yaml`.
    """

    format: Literal[1]
    made_with: dict[str, dict[str, Any]]
    configuration: str
    products: dict[Annotated[str, AfterValidator(_inside)], Product]

    def studied(
        self, starts: Sequence[Path] = (), experiments: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return `studied` of the configuration; of some of its `experiments` if any is there."""
        configuration = yaml.safe_load(self.configuration)
        if experiments:
            run = configuration.get("run") or configuration["experiments"]
            some = [name for name in run if name in experiments]
            configuration |= {"run": some} if some else {}
        return studied(configuration, starts)

    def products_of_part(
        self, experiments: Collection[str], paths: Collection[str]
    ) -> dict[str, Product]:
        """Products of some experiments, and those with these paths that experiments share.

        Tables and pages of all experiments together are left out.
        """
        apart = ((path.partition("/")[2], path) for path in self.products if "/" in path)
        chosen = {path for name, path in apart if re.split("[./]", name)[0] in experiments}
        shared = {path for path in paths if "/" in path}
        return {path: it for path, it in self.products.items() if path in chosen | shared}


def read_reference(text: bytes, name: str, starts: Sequence[Path] = ()) -> Reference:
    """Read a reference from the content of its file; errors call it `name`.

    `starts` are the folders at which relative paths of its configuration start. Raises
    UnusableReferenceError, whose message has one line, if the content is not a reference.
    """
    try:
        reference = Reference.model_validate_json(text)
        reference.studied(starts)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the whole file"
        problem = f"{where}: {fault['msg']}"
    except (ConfigurationError, yaml.YAMLError, RecursionError) as error:
        problem = f"configuration: {str(error).splitlines()[0]}"
    else:
        return reference
    raise UnusableReferenceError(f"{name}: {problem}; expected a reference")


# Devices, schedulers and resources: results depend on them in their last digits at most.
IRRELEVANT = {"run", "device", "training_memory", "checkpoint_minutes", "measures", "resources"}
IRRELEVANT_OF_KERNELS = ("block", "jobs", "memory", "scheduler")


def studied(configuration: Mapping[str, Any], starts: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the part of a configuration that results depend on, with defaults filled in.

    ConfigurationError if the configuration is not valid.
    """
    study = read_study(configuration, starts)
    plain = study.model_dump(mode="json", exclude=IRRELEVANT)
    for key in IRRELEVANT_OF_KERNELS:
        del plain["kernels"][key]
    used = {"experiments": set(study.selected)}
    used["datasets"] = {experiment.dataset for experiment in study.selected.values()}
    used["networks"] = {experiment.network for experiment in study.selected.values()}
    return plain | {
        section: {name: value for name, value in plain[section].items() if name in names}
        for section, names in used.items()
    }


ABSENT = object()  # value of a key that a configuration does not have


def differing_keys(one: Any, other: Any) -> list[str]:
    """Paths of the keys in which two configurations differ."""
    return [path for path, *_ in differing_values(one, other)]


def differing_values(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, value, other value) of each key in which two configurations differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        if one != other:
            yield path, one, other
        return
    for key in sorted({*one, *other}, key=str):
        values = one.get(key, ABSENT), other.get(key, ABSENT)
        yield from differing_values(*values, f"{path}.{key}" if path else str(key))
