"""How a folder of results came to be, and how to make it again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["record"]

# What stores say of their making that may differ from one to another of a run.
MADE_BY = ("code_revision", "versions", "device", "matrix_products", "random_keys")


def record(
    configuration: str,
    digests: Mapping[str, str],
    made: Iterable[Mapping[str, Any]],
    platform: Mapping[str, str],
    packages: Mapping[str, str],
) -> dict[str, Any]:
    """The record of a run, as plain values; the same for two runs alike.

    Parameters
    ----------
    configuration
        Text of the YAML file beside the record, from which the run can be repeated.
    digests
        SHA-256 of every product by its path in the folder of results.
    made
        Attributes of the stores: a run that was resumed can have used several versions of the code.
    platform, packages
        Of the process that writes the record: the system, and the version of every distribution.
    """
    stores = list(made)
    said = {key: sorted({str(store[key]) for store in stores if key in store}) for key in MADE_BY}
    return {
        "repeat": "snakemake --cores all --configfile configuration.yaml",
        "configuration": {
            "file": "configuration.yaml",
            "sha256": hashlib.sha256(configuration.encode()).hexdigest(),
        },
        "stores_made_by": {**said, "versions": [json.loads(text) for text in said["versions"]]},
        "platform": dict(platform),
        "packages": dict(sorted(packages.items())),
        "digests": dict(sorted(digests.items())),
    }
