"""Prints the JSON schema of the configuration, for editors: python -m ntkflow.configuration."""

import json
import sys

from ntkflow.configuration.study import Study

__all__ = ["schema_text"]


def schema_text() -> str:
    """The schema as the file workflow/schemas/config.schema.json holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= Study.model_json_schema()
    return json.dumps(schema, indent=2, allow_nan=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
