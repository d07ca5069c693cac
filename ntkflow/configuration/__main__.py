"""Print the JSON schema of the configuration, for editors: python -m ntkflow.configuration.

Given names of files, check instead that each is YAML whose keys are unique.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import study_model
from ntkflow.configuration.written import check_written


def schema_text() -> str:
    """Text of workflow/schemas/config.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= study_model().model_json_schema()
    schema = json.loads(json.dumps(schema), object_hook=_without_infinity)
    return json.dumps(schema, indent=2, allow_nan=False) + "\n"


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
