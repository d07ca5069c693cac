"""Measures are found in folders: those of the package, and those that a configuration names."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ntkflow.configuration.measures import find_measures
from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import read_study
from ntkflow.measures.common.experiment import REQUIRED_KEYS
from ntkflow.measures.common.sources import Sources
from tests.configuration.test_study import changed, refusal
from tests.measures.found import FOLDERS, SETTINGS

REPOSITORY = Path(__file__).parents[2]
SETTINGS_PY = """from typing import ClassVar
from ntkflow.measures.common.experiment import Experiment

class Settings(Experiment):
    \"\"\"Nothing.\"\"\"
    levels: list[int]
"""


def folder_with(tmp_path: Path, name: str, settings: str = SETTINGS_PY, measure: str = "") -> Path:
    place = tmp_path / "mine" / name
    place.mkdir(parents=True)
    (place / "settings.py").write_text(settings)
    (place / "measure.py").write_text(measure)
    return tmp_path


def study_with(tmp_path: Path, name: str, **keys):
    experiment = {"measure": name, "dataset": "digits", "network": "relu_5", **keys}
    config = changed("experiments", {"mine": experiment}) | {"measures": ["mine"], "run": ["mine"]}
    return read_study(config, [tmp_path / "elsewhere", tmp_path])


def refused(tmp_path: Path, name: str, **keys) -> str:
    with pytest.raises(ConfigurationError) as error:
        study_with(tmp_path, name, **keys)
    return str(error.value)


def test_a_measure_in_a_folder_of_the_users_is_like_the_others(tmp_path):
    study = study_with(folder_with(tmp_path, "levels_one"), "levels_one", levels=[1, 2])
    assert study.selected["mine"].settings == {"levels": [1, 2]}
    assert study.selected["mine"].reads == ("dataset", "limiting")
    message = refused(tmp_path, "levels_one", level=[1])
    assert "experiments.mine.levels: missing" in message
    assert "experiments.mine.level: unknown key" in message


def test_a_relative_folder_starts_at_a_configuration_file(tmp_path):
    assert "expected a folder that exists; tried" in refused(tmp_path, "levels_two")


@pytest.mark.parametrize("written", ["mine", [1], {"mine": 1}])
def test_the_key_takes_a_list_of_folders(written):
    assert "measures: found" in refusal(changed("measures", written))


def test_a_name_that_is_taken_is_named_with_both_folders(tmp_path):
    message = refused(folder_with(tmp_path, "kernel_drift"), "kernel_drift")
    assert "found a measure 'kernel_drift', which is in" in message
    assert "rename one of them" in message


def test_a_folder_without_measures_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    assert "found no measure, expected a folder NAME/" in refused(tmp_path, "none")


def test_a_measure_without_its_module_is_refused(tmp_path):
    folder_with(tmp_path, "levels_three")
    (tmp_path / "mine" / "levels_three" / "measure.py").unlink()
    assert "found no measure.py" in refused(tmp_path, "levels_three")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("broken_one", "import nothing_of_this_name", "ModuleNotFoundError"),
        ("broken_two", "1 / 0", "ZeroDivisionError"),
        ("broken_three", "def", "SyntaxError"),
        ("broken_four", "class Other: pass", "AttributeError"),
        ("broken_five", "class Settings: pass", "not derived from"),
        (
            "broken_seven",
            SETTINGS_PY + "    reads: ClassVar = ('kernels',)\n",
            "found 'kernels', expected some",
        ),
        (
            "broken_eight",
            SETTINGS_PY.replace("levels", "reads: ClassVar = ('ensembles',)\n    levels"),
            "'ensembles' needs the keys ['seeds', 'training', 'widths']",
        ),
        ("broken-six", SETTINGS_PY, "expected a name of letters, digits and underscores"),
    ],
)
def test_an_error_in_settings_is_one_line_with_the_file(tmp_path, name, settings, message):
    found = refused(folder_with(tmp_path, name, settings), name)
    assert message in found
    assert name in found
    assert "\n" not in found


@pytest.mark.parametrize("found", ["kernel_drif", "width_scalin"])
def test_a_misspelt_measure_gets_a_suggestion(found):
    message = refusal(changed("experiments.kernel_on_the_circle.measure", found))
    assert f"kernel_on_the_circle.measure: found {found!r}, expected one of" in message
    assert f"did you mean '{found}" in message


def test_resources_name_an_experiment_or_a_measure():
    study = read_study(changed("resources", {"kernel_drift": {"mem_mb": 3}}))
    assert study.resources["kernel_drift"].mem_mb == 3
    assert "resources.drift: found 'drift'" in refusal(changed("resources", {"drift": {}}))
    assert "resources.kernel_drift.memory: unknown key" in refusal(
        changed("resources", {"kernel_drift": {"memory": 3}})
    )


@pytest.mark.parametrize("name", FOLDERS)
def test_settings_are_the_arguments_of_the_measure(name):
    """All keys but those that other rules use, and nothing that is required besides."""
    settings = SETTINGS[name]
    keys = set(settings.model_fields) - settings.model_construct().shared
    arguments = inspect.signature(import_module(f"ntkflow.measures.{name}.measure").measure)
    _, *parameters = arguments.parameters.values()
    assert keys <= {parameter.name for parameter in parameters}
    assert {p.name for p in parameters if p.default is p.empty} <= keys
    assert set(settings.reads) <= {*Sources.__dataclass_fields__, "networks"}


def test_what_can_be_read_are_the_sources():
    others = {"architectures", "expected", "limit", "seed", "memory", "progress"}
    assert REQUIRED_KEYS.keys() - {"networks"} == Sources.__dataclass_fields__.keys() - others


def test_measures_are_named_in_their_folders_only():
    """Python, rules and scripts of the package, without the folders of the measures."""
    files = [*(REPOSITORY / "ntkflow").rglob("*.py"), *(REPOSITORY / "workflow").rglob("*.smk")]
    files += [*(REPOSITORY / "workflow" / "scripts").glob("*.py"), REPOSITORY / "Snakefile"]
    places = tuple(FOLDERS.values())
    outside = [file for file in files if not any(map(file.is_relative_to, places))]
    assert len(outside) > 100
    for file in outside:
        text = re.sub(r"__all__ = \[.*?\]", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        # An attribute of kernel stores has this name, too.
        named = [name for name in FOLDERS if f'"{name}"' in text and name != "parametrization"]
        named += [name for name in FOLDERS if re.search(rf"measures\.{name}\b", text)]
        assert not named, file


def test_planning_imports_no_library_that_computes():
    """The settings of all measures, the whole configuration, and the checks of stores."""
    code = (
        "import sys, yaml\n"
        "from ntkflow.configuration.study import read_study\n"
        "import ntkflow.stores.planning, ntkflow.pages.captions, ntkflow.pages.settings\n"
        "import ntkflow.jobs.imports, ntkflow.jobs.provenance\n"
        "read_study(yaml.safe_load(open('config/config.yaml')))\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    heavy = {"jax", "xarray", "zarr", "dask", "distributed", "scipy", "sklearn", "pandas", "optax"}
    assert not heavy & set(printed.split())


def test_names_are_found_once():
    assert len(FOLDERS) == len(list(find_measures(()))) >= 20
