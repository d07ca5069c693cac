"""Every product -> the configuration as one YAML file, and a record of digests and versions."""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import yaml

from ntkflow.jobs.log import run
from ntkflow.jobs.provenance import record


def main(smk: Any) -> None:
    configuration = yaml.safe_dump(json.loads(smk.params.configuration), allow_unicode=True)
    results = Path(smk.output.provenance).parent
    made, digests = [], {}
    for file in map(Path, smk.input.products):
        content = file.read_bytes()
        name = file.relative_to(results)
        if file.name == "zarr.json":
            # The root holds the digest of the data, so its own stands for the whole store.
            made.append(json.loads(content)["attributes"])
            name = name.parent
        digests[name.as_posix()] = hashlib.sha256(content).hexdigest()
    system = {"system": platform.system(), "machine": platform.machine()}
    system["python"] = platform.python_version()
    text = record(configuration, digests, made, system, smk.params.packages)
    Path(smk.output.configuration).write_text(configuration, encoding="utf-8")
    Path(smk.output.provenance).write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]
