"""Package a finished run for a repository: python -m ntkflow.verification.crate results.

Writes one zip file that follows the profile Workflow Run Crate 0.5
(https://w3id.org/ro/wfrun/workflow/0.5): the code at the commit that the run recorded, the products
of the run in results/, and ro-crate-metadata.json, which describes both.
"""

import argparse
import hashlib
import mimetypes
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml
from rocrate.model import ContextEntity, Person
from rocrate.rocrate import ROCrate

from ntkflow.stores.contents import ROOT
from ntkflow.stores.integrity import root_attributes
from ntkflow.verification.folder import Folder, FolderError, write_beside
from ntkflow.words import listed

ORCID = re.compile(r"https://orcid\.org/(\d{4}-){3}\d{3}[\dX]")
CLONE = Path(__file__).parents[2]
RUN_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}


@dataclass(frozen=True)
class Deposit:
    """Title, commit of the code, SPDX licence, and (name, ORCID) of each author."""

    title: str
    commit: str
    licence: str
    authors: Sequence[tuple[str, str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if the crate is written, 2 if the folder does not hold a finished run."""
    name = "python -m ntkflow.verification.crate"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--output", type=Path, default=Path("build/run.crate.zip"))
    parser.add_argument("--title", default="Measurements of the neural tangent kernel")
    author = "an author and their ORCID, https://orcid.org/...; repeat it for several"
    parser.add_argument(
        "--author", nargs=2, action="append", default=[], metavar=("NAME", "ORCID"), help=author
    )
    licence = "SPDX identifier of the licence of the results (default: that of the code)"
    parser.add_argument("--license", help=licence)
    revision = "commit with the code of the run (default: the one that the run recorded)"
    parser.add_argument("--revision", help=revision)
    given = parser.parse_args(arguments)
    try:
        folder = Folder(given.results)
        folder.require_unaltered(complete=True)
        with TemporaryDirectory() as code:
            place = Path(code)
            commit = extract(given.revision or recorded_commit(folder), place)
            cited = citation(place)
            licence = given.license or cited["license"]
            deposit = Deposit(given.title, commit, licence, _checked(given.author))
            crate = described(folder, place, cited, deposit)
            write_beside(given.output, partial(write, crate), [given.results])
    except (FolderError, OSError) as error:
        print(f"crate: {error}", file=sys.stderr)
        return 2
    print(f"{given.output}: {given.output.stat().st_size / 1e6:.1f} MB")
    return 0


def _checked(authors: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """The authors; FolderError unless each has an ORCID of their own."""
    for number, (_, orcid) in enumerate(authors):
        if not ORCID.fullmatch(orcid) or orcid in [other for _, other in authors[:number]]:
            raise FolderError(
                f"--author: found {orcid!r}, expected an ORCID for each author, written "
                "https://orcid.org/0000-0002-1825-0097"
            )
    return authors


def write(crate: ROCrate, file: Path) -> None:
    """Write a crate as a zip file, with an entry for each folder that it describes."""
    crate.write_zip(file)
    with zipfile.ZipFile(file, "a") as archive:
        for folder in crate.get_by_type("Dataset"):
            if folder is not crate.root_dataset:
                archive.mkdir(folder.id)


def recorded_commit(folder: Folder) -> str:
    """Commit of the code that computed the results; FolderError if none or several are recorded."""
    recorded = folder.provenance["stores_made_by"]["code_revision"]
    if len(recorded) != 1 or recorded == ["unknown"]:
        found = ", ".join(recorded) or "none"
        raise FolderError(
            f"{folder.root}: found the code revisions {found}, expected one commit; name the one "
            "to deposit with --revision"
        )
    commit = str(recorded[0]).removesuffix("-dirty")
    if commit != recorded[0]:
        print("crate: the run had local changes to the code, which are left out", file=sys.stderr)
    return commit


def extract(revision: str, place: Path) -> str:
    """Write the files of a commit of this clone into a folder; return its full hash."""
    try:
        commit = _git(
            "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
        ).decode()
        archive = _git("archive", "--format=tar", commit.strip())
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode().strip()
        raise FolderError(
            f"{CLONE}: found no commit {revision} here ({reason}), expected the clone of the run; "
            "fetch the commit or name another with --revision"
        ) from None
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(place, filter="data")
    return commit.strip()


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=CLONE, capture_output=True, check=True).stdout


def citation(code: Path) -> Mapping[str, Any]:
    """Content of CITATION.cff."""
    return yaml.safe_load((code / "CITATION.cff").read_text(encoding="utf-8"))


def described(folder: Folder, code: Path, cited: Mapping[str, Any], deposit: Deposit) -> ROCrate:
    """Crate of the code and the results; both folders must exist until it is written."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(RUN_TERMS)
    crate.name = deposit.title
    experiments = folder.configuration.get("run") or folder.configuration["experiments"]
    crate.description = f"Results of ntkflow, with its code. Experiments: {', '.join(experiments)}."
    crate.license = _licence(crate, deposit.licence)
    for address, name in PROFILES.items():
        version = address.rpartition("/")[2]
        profile = {"@type": "CreativeWork", "name": name, "version": version}
        crate.root_dataset.append_to(
            "conformsTo", crate.add(ContextEntity(crate, address, profile))
        )
    people = [crate.add(Person(crate, orcid, {"name": name})) for name, orcid in deposit.authors]
    papers = [_paper(crate, paper) for paper in cited.get("references", [])]
    for key, entities in {"author": people, "citation": papers}.items():
        if entities:
            crate.root_dataset[key] = entities if len(entities) > 1 else entities[0]
    workflow = _add_code(crate, code, folder, cited)
    workflow["version"] = deposit.commit
    _add_run(crate, folder, workflow, people)
    return crate


def _add_code(crate: ROCrate, code: Path, folder: Folder, cited: Mapping[str, Any]) -> Any:
    """Add the files of the clone; return the workflow."""
    made, packages = folder.provenance["stores_made_by"], folder.provenance["packages"]
    workflow = crate.add_workflow(
        code / "Snakefile",
        "Snakefile",
        main=True,
        lang="snakemake",
        lang_version=packages.get("snakemake"),
        properties={
            "name": cited["title"],
            "description": cited["abstract"],
            "encodingFormat": "text/x-python",
            "conformsTo": {
                "@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
            },
        },
    )
    workflow["license"] = _licence(crate, cited["license"])
    libraries = {item for versions in made["versions"] for item in versions.items()}
    workflow["softwareRequirements"] = [
        _library(crate, name, version) for name, version in sorted(libraries) if name != "ntkflow"
    ]
    for file in sorted(code.iterdir()):
        if file.is_dir():
            crate.add_dataset(file, file.name)
        elif file.name != "Snakefile":
            crate.add_file(file, file.name, properties={"encodingFormat": _format(file)})
    if readme := crate.get("README.md"):
        readme["about"] = crate.root_dataset
    return workflow


def _add_run(crate: ROCrate, folder: Folder, workflow: Any, people: Sequence[Any]) -> None:
    """Add the results, and the action that computed them from the configuration."""
    record, configuration = (
        _file(crate, folder, it) for it in ("provenance.json", "configuration.yaml")
    )
    if (folder.root / "report.html").exists():
        _file(crate, folder, "report.html")
    record["description"] = "Digests of the products, and versions of the code and all packages"
    parameter = crate.add_formal_parameter(
        "configuration", "File", "#configuration", "The study in one YAML file", valueRequired=True
    )
    parameter["workExample"], configuration["exampleOfWork"] = configuration, parameter
    workflow["input"] = parameter
    products = [_product(crate, folder, path) for path in folder.recorded]
    action = crate.add_action(workflow, "#run", configuration, products, {"name": "The run"})
    system = listed(folder.provenance["platform"])
    action["description"] = f"The workflow with results/configuration.yaml, on {system}"
    action["actionStatus"] = "http://schema.org/CompletedActionStatus"
    for key, moment in _times(folder.root).items():
        action[key] = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    if people:
        action["agent"] = people[0]
    crate.root_dataset["mentions"] = action


def _product(crate: ROCrate, folder: Folder, path: str) -> Any:
    """Add one product; a store is a folder, with the digest of its root."""
    if not path.endswith(".zarr"):
        return _file(crate, folder, path)
    store = folder.root / path
    attributes = root_attributes(store)
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    properties = {
        "name": attributes.get("title", path),
        "description": f"Zarr store of the job {attributes['job']}; its digest is that of {ROOT}, "
        "which contains the digest of all other files",
        "contentSize": str(size),
        "sha256": folder.recorded[path],
    }
    return crate.add_dataset(store, f"results/{path}", properties=properties)


def _file(crate: ROCrate, folder: Folder, path: str) -> Any:
    file = folder.root / path
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    properties = {"name": path, "encodingFormat": _format(file), "sha256": digest}
    return crate.add_file(file, f"results/{path}", properties=properties, record_size=True)


def _times(results: Path) -> dict[str, float]:
    """Start and end of the jobs in seconds since 1970, from the benchmark files of Snakemake."""
    files = [file for file in results.glob("benchmarks/**/*.tsv") if file.stat().st_size]
    if not files:
        return {"endTime": (results / "provenance.json").stat().st_mtime}
    ends = [file.stat().st_mtime for file in files]
    seconds = [float(pd.read_csv(file, sep="\t")["s"].iloc[0]) for file in files]
    starts = [end - length for end, length in zip(ends, seconds, strict=True)]
    return {"startTime": min(starts), "endTime": max(ends)}


def _licence(crate: ROCrate, name: str) -> Any:
    """Licence with this SPDX identifier."""
    address = f"https://spdx.org/licenses/{name}"
    known = crate.get(address)
    return known or crate.add(
        ContextEntity(crate, address, {"@type": "CreativeWork", "name": name})
    )


def _paper(crate: ROCrate, paper: Mapping[str, Any]) -> Any:
    """A reference of CITATION.cff with an arXiv identifier."""
    numbers = [str(it["value"]).removeprefix("arXiv:") for it in paper.get("identifiers", [])]
    authors = [f"{it['given-names']} {it['family-names']}" for it in paper["authors"]]
    properties = {
        "@type": "ScholarlyArticle",
        "name": paper["title"],
        "author": [
            crate.add(Person(crate, f"#{name.replace(' ', '-')}", {"name": name}))
            for name in authors
        ],
        "datePublished": str(paper["year"]),
    }
    return crate.add(ContextEntity(crate, f"https://arxiv.org/abs/{numbers[0]}", properties))


def _library(crate: ROCrate, name: str, version: str) -> Any:
    """Python or a distribution, identified by its package URL (https://github.com/package-url)."""
    kind = "generic" if name == "python" else "pypi"
    properties = {"@type": "SoftwareApplication", "name": name, "softwareVersion": version}
    return crate.add(ContextEntity(crate, f"pkg:{kind}/{name}@{version}", properties))


def _format(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "text/plain"


if __name__ == "__main__":
    sys.exit(main())
