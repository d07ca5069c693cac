"""The JSON schema, which editors read, is that of the code and accepts the configurations."""

from pathlib import Path

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate

from ntkflow.configuration.__main__ import schema_text
from ntkflow.configuration.kernels import KernelsConfig

REPOSITORY = Path(__file__).parents[2]
SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.yaml"
CONFIG = REPOSITORY / "config"


def configuration(overlay: str | None = None) -> dict:
    config = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))
    if overlay is not None:
        update_config(config, yaml.safe_load((CONFIG / overlay).read_text(encoding="utf-8")))
    return config


def test_schema_file_is_in_step():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run `make schema` and commit"


def test_top_level_of_schema_follows_no_reference():
    """The table in the catalogue of Snakemake workflows shows `properties` alone."""
    keys = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["properties"]
    assert all(field["description"] and "$ref" not in field for field in keys.values())
    assert keys["kernels"]["properties"].keys() == KernelsConfig.model_fields.keys()


def test_configuration_names_its_schema():
    first = (CONFIG / "config.yaml").read_text(encoding="utf-8").splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (CONFIG / named).resolve() == SCHEMA


@pytest.mark.parametrize("overlay", [None, "claims.yaml", "paper.yaml", "smoke.yaml"])
def test_schema_accepts_configuration(overlay):
    validate(configuration(overlay), str(SCHEMA), set_default=False)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [("sede", 1, "sede"), ("seed", "one", "one"), ("networks", {"a": {"depth": 0}}, "depth")],
)
def test_schema_refuses(key, value, named):
    with pytest.raises(WorkflowError, match=named):
        validate({**configuration(), key: value}, str(SCHEMA), set_default=False)
