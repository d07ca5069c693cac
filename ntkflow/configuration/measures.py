"""Find the measures that an experiment can name in folders."""

from collections.abc import Iterator, Sequence
from functools import cache, reduce
from importlib import import_module
from inspect import cleandoc
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

import ntkflow.measures
from ntkflow.configuration.messages import ConfigurationError
from ntkflow.functions import first_line

BUILT_IN = Path(ntkflow.measures.__file__).parent


def add_folders(written: Any, starts: Sequence[str | Path]) -> tuple[Path, ...]:
    """Make the measures in the folders of the key `measures` importable.

    `written`: its value, as read from YAML. Relative paths start at the first of the folders
    `starts`, or at the working directory, in which they exist.
    """
    if not isinstance(written, list | tuple) or not all(isinstance(path, str) for path in written):
        raise ConfigurationError(f"measures: found {written!r}, expected a list of folders")
    folders = []
    for index, path in enumerate(written):
        places = [Path(start) / Path(path).expanduser() for start in (*starts, "")]
        place = next((place.resolve() for place in places if place.is_dir()), None)
        if place is None:
            tried = ", ".join(map(str, places))
            raise ConfigurationError(
                f"measures.{index}: found {path!r}, expected a folder that exists; tried {tried}"
            )
        folders.append(place)
        if str(place) not in ntkflow.measures.__path__:
            ntkflow.measures.__path__.append(str(place))
    return tuple(folders)


def find_measures(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the name and folder of each measure in this package and in `folders`."""
    seen: dict[str, Path] = {}
    for index, folder in enumerate([BUILT_IN, *folders]):
        key = f"measures.{index - 1}: {folder}"
        found = [file.parent for file in sorted(folder.glob("*/settings.py"))]
        if not found:
            raise ConfigurationError(
                f"{key}: found no measure, expected a folder NAME/ with settings.py and measure.py"
            )
        for place in found:
            name = place.name
            if name in seen:
                raise ConfigurationError(
                    f"{key}: found a measure {name!r}, which is in {seen[name].parent} too; rename "
                    "one of them"
                )
            if not name.isidentifier():
                raise ConfigurationError(
                    f"{key}: found {name!r}, expected a name of letters, digits and underscores"
                )
            if not (place / "measure.py").is_file():
                raise ConfigurationError(f"{place}: found no measure.py, expected it there")
            seen[name] = place
            yield name, place


@cache
def experiment_type(folders: tuple[Path, ...]) -> Any:
    """Type of an experiment: the settings of all measures, distinguished by the key `measure`."""
    models = [_model(name, place) for name, place in find_measures(folders)]
    return Annotated[reduce(or_, models), Field(discriminator="measure")]


def _model(name: str, place: Path) -> Any:
    from ntkflow.measures.common.experiment import PAPER, Experiment, place_of

    file = place / "settings.py"
    try:
        settings = import_module(f"ntkflow.measures.{name}.settings").Settings
    except Exception as error:  # a module of the user's may raise anything
        raise ConfigurationError(
            f"{file}: found an error in it ({first_line(error)}), expected a class Settings"
        ) from error
    if not (isinstance(settings, type) and issubclass(settings, Experiment)):
        raise ConfigurationError(
            f"{file}: found a Settings that is not derived from "
            "ntkflow.measures.common.experiment.Experiment; derive it from that class or another "
            "of that module"
        )
    where = f"JGH, {settings.paper}" if settings.source == PAPER else place_of(settings)
    claim = f"\n\nTests {where}: {settings.statement}" if settings.paper else ""
    measure: Any = (Literal[name], Field(description="name of the measure"))
    return create_model(
        "".join(map(str.capitalize, name.split("_"))),
        __base__=settings,
        __doc__=cleandoc(settings.__doc__ or "") + claim,
        measure=measure,
    )
