"""docs/configuration.md has every key, default and choice; examples in both READMEs are valid."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from snakemake.utils import update_config

from ntkflow.configuration.study import read_study, study_model
from ntkflow.configuration.tables import page
from ntkflow.kernels.names import ACTIVATIONS

REPOSITORY = Path(__file__).parents[2]
KEYS = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
README = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
PAGES = (REPOSITORY / "README.md").read_text(encoding="utf-8") + README
# A YAML block whose first line names a file in config/ is an overlay.
OVERLAYS = re.findall(r"```yaml\n# (config/\w+\.yaml)\n(.*?)```", PAGES, flags=re.DOTALL)


def models(annotation: Any, seen: set[Any] | None = None) -> Iterator[type[BaseModel]]:
    """The model and all models in its fields, each once."""
    seen = set() if seen is None else seen
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation, seen)
    for argument in get_args(annotation):
        yield from models(argument, seen)


def choices(annotation: Any) -> Iterator[str]:
    """The values of a Literal, wherever it is in an annotation."""
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


MODELS = sorted(set(models(study_model())), key=lambda model: model.__name__)
FIELDS = [(model, name) for model in MODELS for name in model.model_fields]
each_field = pytest.mark.parametrize(
    ("model", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part)
)


def test_walk_finds_the_models():
    assert {"Study", "Spaced", "FullyConnectedConfig", "WidthScaling", "ConvexCosts"} <= {
        model.__name__ for model in MODELS
    }


def test_page_is_in_step():
    assert page() == KEYS, "run `make schema` and commit"


@each_field
def test_key_has_a_row_with_its_default(model, name):
    field = model.model_fields[name]
    if field.is_required() and f"### `{name}: " in KEYS:
        return  # a key that chooses between kinds, which headings name
    rows = [line for line in KEYS.splitlines() if line.startswith(f"| `{name}` |")]
    cell = f"| {default_cell(field)} |"
    assert any(cell in row for row in rows), f"expected a row of `{name}` with the cell {cell}"


@each_field
def test_key_has_a_description(model, name):
    rows = [line for line in KEYS.splitlines() if line.startswith(f"| `{name}` |")]
    assert all(row.split(" | ")[-1].strip(" |") for row in rows)


@each_field
def test_choices_are_named(model, name):
    named = {*re.findall(r"`([^`]+)`", KEYS)}
    unnamed = [
        choice
        for choice in choices(model.model_fields[name].annotation)
        if not {str(choice), f"{name}: {choice}"} & named
    ]
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
