"""config/README.md names every key, default and choice; the examples in both READMEs are valid."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from snakemake.utils import update_config

from ntkflow.configuration.study import Study, read_study
from ntkflow.kernels.names import ACTIVATIONS

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
PAGES = (REPOSITORY / "README.md").read_text(encoding="utf-8") + README
# A YAML block whose first line names a file in config/ is an overlay.
OVERLAYS = re.findall(r"```yaml\n# (config/\w+\.yaml)\n(.*?)```", PAGES, flags=re.DOTALL)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The model and all models in its fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for argument in get_args(annotation):
        yield from models(argument)


def choices(annotation: Any) -> Iterator[str]:
    """The values of a Literal, wherever it stands in an annotation."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for argument in get_args(annotation):
        yield from choices(argument)


def default_cell(field: FieldInfo) -> str:
    """The column of defaults, as YAML."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    plain = value.model_dump() if isinstance(value, BaseModel) else value
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False)
    return "`" + text.removesuffix("...\n").strip() + "`"


MODELS = sorted(set(models(Study)), key=lambda model: model.__name__)
FIELDS = [(model, name) for model in MODELS for name in model.model_fields]
each_field = pytest.mark.parametrize(
    ("model", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part)
)


def test_walk_finds_the_models():
    assert {"Study", "Mnist", "Term", "Spaced", "NetworkConfig", "WidthScaling"} <= {
        model.__name__ for model in MODELS
    }


@each_field
def test_key_has_a_row_with_its_default(model, name):
    rows = [line for line in README.splitlines() if line.startswith(f"| `{name}` |")]
    cell = f"| {default_cell(model.model_fields[name])} |"
    assert any(cell in row for row in rows), f"expected a row of `{name}` with the cell {cell}"


@each_field
def test_choices_are_named(model, name):
    unnamed = [c for c in choices(model.model_fields[name].annotation) if f"`{c}`" not in README]
    assert not unnamed


def test_activations_are_named():
    assert not [name for name in ACTIVATIONS if f"`{name}`" not in README]


@pytest.mark.parametrize(("file", "text"), OVERLAYS, ids=[file for file, _ in OVERLAYS])
def test_example_is_valid(file, text):
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
    update_config(config, yaml.safe_load(text))
    study = read_study(config)
    assert study.selected.keys() == set(yaml.safe_load(text)["run"])


def test_every_yaml_block_is_an_example():
    assert len(OVERLAYS) == PAGES.count("```yaml") > 0
