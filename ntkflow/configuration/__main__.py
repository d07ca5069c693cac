"""Print the JSON schema of the configuration, as YAML: python -m ntkflow.configuration.

Editors and the catalogue of Snakemake workflows read it.

Given names of files, check instead that each is YAML whose keys are unique.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import study_model
from ntkflow.configuration.written import check_written


def schema_text() -> str:
    """Text of workflow/schemas/config.schema.yaml."""
    study = study_model().model_json_schema()
    keys = {key: _inlined(field, study["$defs"]) for key, field in study["properties"].items()}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **study}
    schema = json.loads(json.dumps({**schema, "properties": keys}), object_hook=_without_infinity)
    text = yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=100)
    return f"# Written by `make schema` from the models in the code.\n{text}"


def _inlined(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    """Replace a reference by its model, since the catalogue's table follows none.

    The keys of the model have defaults, so the key itself needs none.
    """
    if "$ref" not in field:
        return field
    model = models.pop(field["$ref"].rpartition("/")[2])
    return {**model, "description": field["description"]}


def _without_infinity(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out a default that JSON cannot express."""
    return {k: v for k, v in schema.items() if k != "default" or "Infinity" not in json.dumps(v)}


def faults(files: Iterable[str]) -> str:
    """Errors in the syntax of the files, one per line; empty if there are none."""
    found = []
    for file in files:
        try:
            check_written(Path(file).read_bytes(), file)
        except (OSError, ConfigurationError) as error:
            found.append(str(error))
    return "\n".join(found)


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(faults(sys.argv[1:]) or 0)
    sys.stdout.write(schema_text())
