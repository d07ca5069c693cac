# The study, and the paths and functions that rules share.
import os
import sys
from argparse import ArgumentParser
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Use the package of the clone, since changes of its code rerun rules. If the rules are deployed from
# elsewhere, for example by snakedeploy, there is no clone and the package is an installed one.
CLONE = Path(str(workflow.current_basedir)).parents[1]
IN_CLONE = (CLONE / "ntkflow").is_dir()
if IN_CLONE:
    sys.path.insert(0, str(CLONE))
    PYTHONPATH = [str(CLONE), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ.update(PYTHONPATH=os.pathsep.join(PYTHONPATH))
elif find_spec("ntkflow") is None:
    raise WorkflowError(
        "Found no package ntkflow in the Python that runs snakemake; expected it there, as the rules "
        "do not come from a clone: install it with pip, at the version of the workflow"
    )

import ntkflow.measures
from ntkflow.configuration import products
from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import read_study
from ntkflow.configuration.written import check_written
from ntkflow.functions import own_file
from ntkflow.jobs import imports
from ntkflow.jobs.compilation import cache_variables
from ntkflow.jobs.gpus import visible_gpus

PACKAGE_ROOT = Path(find_spec("ntkflow").origin).parents[1]

# Snakemake would interpret braces as wildcards.
if {*"{}"} & {*str(CLONE)}:
    raise WorkflowError(
        f"{CLONE}: found braces in the path of the workflow, expected none; move or rename the folder"
    )

# Snakemake writes its records to .snakemake and ends in a traceback if it cannot.
RECORDS = Path(".snakemake") if Path(".snakemake").exists() else Path()
if not os.access(RECORDS, os.W_OK):
    raise WorkflowError(
        f"{RECORDS.absolute()}: cannot be written, and Snakemake would keep its records there; make it "
        "writable for this user, or name another folder with --directory"
    )


if workflow.is_main_process:
    parser = ArgumentParser(add_help=False)
    parser.add_argument("--configfiles", nargs="+", action="append", default=[])
    parser.add_argument("--config", nargs="*")  # not an abbreviation of the other
    flags = [" ".join(files) for files in parser.parse_known_args()[0].configfiles]
    if len(flags) > 1:
        found = " ".join(f"--configfile {files}" for files in flags)
        raise WorkflowError(
            f"command line: found {found}, of which Snakemake reads the last alone, expected one "
            f"flag; write --configfile {' '.join(flags)}"
        )


try:
    for file in workflow.configfiles if workflow.is_main_process else ():
        if not str(file).endswith(".json"):
            check_written(Path(file).read_bytes(), str(file))
    # A relative path to measures or data starts at the folder of the configuration that names it.
    files = [*reversed(workflow.overwrite_configfiles), *workflow.configfiles]
    study = read_study(config, [*dict.fromkeys(os.path.dirname(file) for file in files)])
except ConfigurationError as error:
    raise WorkflowError(f"The configuration is not valid:\n{error}") from None


# Jobs find measures outside the package by this variable.
OUTSIDE = [*ntkflow.measures.__path__][1:]
os.environ.update(NTKFLOW_MEASURES=os.pathsep.join(OUTSIDE))

# Jobs compile a program once for the whole study.
os.environ.update(cache_variables(os.environ))

# A job with a GPU takes most of its memory. The default profile lets one such job run at a time.
GPUS = int(study.device == "gpu" or (study.device == "auto" and bool(visible_gpus(os.environ))))


wildcard_constraints:
    dataset="[A-Za-z0-9_]+",
    network="[A-Za-z0-9_]+",
    experiment="[A-Za-z0-9_]+",
    width="[0-9]+",
    number="[0-9]+",


def store(path):
    """Path of a Zarr store, declared by its root file, which is written last. Snakemake would delete a
    directory when its job fails, and would leave a file in it."""
    return products.PLACE.format(path)


def code(script, modules=lambda wildcards: ()):
    """Input function: the script and the package modules that it imports, whose changes rerun a rule.

    `modules`: function of the wildcards; names of further modules that the script imports by name.
    """
    # The path from Snakemake is that of a copy in the cache.
    start = CLONE / f"workflow/scripts/{script}.py"
    if not IN_CLONE:
        start = Path(workflow.source_path(f"../scripts/{script}.py"))

    def sources(wildcards):
        watch_stores()
        return code_files(start, tuple(modules(wildcards)))

    return sources


@cache
def code_files(script, modules):
    """Relative paths, so that a folder moved or copied with its results reruns nothing."""
    files = imports.package_sources(script, PACKAGE_ROOT, modules, OUTSIDE)
    # The script is an input too, because Snakemake compares inputs by content but scripts by date. A
    # deployed workflow has only a copy, whose path differs from run to run.
    scripts = [script] if IN_CLONE else []
    return [os.path.relpath(file) for file in (*scripts, *files)]


def plain(model, **selection):
    """Parameters as plain values, so that Snakemake notices when one changes."""
    return model.model_dump(mode="json", exclude_none=True, **selection)


def experiment_of(wildcards):
    return study.experiments[wildcards.experiment]


def network_of(wildcards):
    if wildcards.get("experiment"):
        return study.network_of(experiment_of(wildcards))
    features = study.datasets[wildcards.dataset].train.features
    return study.networks[wildcards.network].with_features(features)


def stores(kind):
    """Input function: the stores of one kind that an experiment needs."""
    return lambda wildcards: products.stores(kind, wildcards.experiment, experiment_of(wildcards))


def goal_store(wildcards):
    """The spectrum, if the goal of training is a component and not the target of the data set."""
    return [stores("spectrum")(wildcards)] if experiment_of(wildcards).goal else []


def architecture_of(wildcards):
    return network_of(wildcards).finite(int(wildcards.width))


def limiting_network(wildcards):
    return network_of(wildcards).limit


def training_of(wildcards):
    """Settings of training, with the steps at which it records."""
    experiment = experiment_of(wildcards)
    kernel_steps = experiment.training.recorded_kernels
    steps = {"function_steps": experiment.recorded_functions, "kernel_steps": kernel_steps}
    return {**plain(experiment.training), **steps}


# Files of the user's functions: a change reruns the rules that use them.
def network_code(wildcards):
    return sorted({file for name in network_of(wildcards).modules for file in own_file(name)})


def cost_code(wildcards):
    return own_file(experiment_of(wildcards).training.cost)


def several_blocks(dataset):
    return study.datasets[dataset].points > study.kernels.block


def core_share(wildcards):
    """Narrow networks train side by side on one core each; wide ones get all cores."""
    return 1 if int(wildcards.width) <= 2048 else 64
