# The study behind the rules, and the paths they share.
import os
import sys
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The package of the clone, not an installed one: it is the code whose changes re-run rules. Where
# the rules come from elsewhere, as by snakedeploy, there is none and the package is an installed one.
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

from ntkflow import imports, runtime
from ntkflow.configuration.claims import CLAIMS
from ntkflow.configuration.measures import PrincipalComponent, TrainedExperiment
from ntkflow.configuration.study import ConfigurationError, read_study
from ntkflow.configuration.written import check_written
from ntkflow.pages.captions import CAPTIONS, caption_of_claim
from ntkflow.pages.settings import settings
from ntkflow.jobs.gpus import visible_gpus

PACKAGE_ROOT = Path(find_spec("ntkflow").origin).parents[1]

# Snakemake would take them for wildcards of its own.
if {*"{}"} & {*str(CLONE)}:
    raise WorkflowError(
        f"{CLONE}: found braces in the path of the workflow, expected none; move or rename the folder"
    )

# Snakemake keeps its records in .snakemake and ends in a traceback where it cannot.
RECORDS = Path(".snakemake") if Path(".snakemake").exists() else Path()
if not os.access(RECORDS, os.W_OK):
    raise WorkflowError(
        f"{RECORDS.absolute()}: cannot be written, as a run must; make it writable for this user, or "
        "name another folder with --directory"
    )


def configfile_flags(arguments):
    """The files of each --configfile on a command line, written in one of argparse's ways."""
    options = [*takewhile(lambda argument: argument != "--", arguments)]
    for place, option in enumerate(options, start=1):
        name, assigned, file = option.partition("=")
        if "--configfiles".startswith(name) and len(name) > len("--config"):
            following = takewhile(lambda argument: argument[0] != "-", options[place:])
            yield [file] if assigned else [*following]


if workflow.is_main_process:
    FLAGS = [*configfile_flags(sys.argv[1:])]
    if len(FLAGS) > 1:
        found = " ".join(f"--configfile {' '.join(files)}" for files in FLAGS)
        raise WorkflowError(
            f"command line: found {found}, of which Snakemake reads the last alone, expected one "
            f"flag; write --configfile {' '.join(file for files in FLAGS for file in files)}"
        )


try:
    for file in workflow.configfiles if workflow.is_main_process else ():
        if not str(file).endswith(".json"):
            check_written(Path(file).read_bytes(), str(file))
    study = read_study(config)
except ConfigurationError as error:
    raise WorkflowError(f"The configuration is not valid:\n{error}") from None


# A job with a GPU takes most of its memory. The default profile lets one such job run at a time.
GPUS = int(study.device == "gpu" or (study.device == "auto" and bool(visible_gpus(os.environ))))


wildcard_constraints:
    dataset="[A-Za-z0-9_]+",
    network="[A-Za-z0-9_]+",
    experiment="[A-Za-z0-9_]+",
    width="[0-9]+",


def store(path):
    """A Zarr store, declared by the file that is written last: a directory would be deleted, not
    kept, when its job fails, and Snakemake would leave a file of its own inside."""
    return f"results/{path}.zarr/zarr.json"


def package_sources(script, *modules):
    """Input function: a script and the package modules it reaches. A change to one re-runs its rule.

    `modules`: files of those that it imports by name."""
    # Snakemake's path is that of a copy in the user's cache.
    start = CLONE / f"workflow/scripts/{script}"
    if not IN_CLONE:
        start = Path(workflow.source_path(f"../scripts/{script}"))

    def sources(_):
        watch_stores()
        return code_files(start, modules)

    return sources


@cache
def code_files(script, modules):
    """Relative paths: a folder that is moved or copied with its results has nothing to run again."""
    starts = [script, *(PACKAGE_ROOT / module for module in modules)]
    reached = {path for start in starts for path in imports.package_sources(start, PACKAGE_ROOT)}
    files = [PACKAGE_ROOT / file for file in sorted({*reached, *map(Path, modules)})]
    # The script is an input too, because Snakemake compares inputs by content but scripts by date. A
    # deployed workflow has only a copy, whose path differs from run to run.
    scripts = [script] if IN_CLONE else []
    return [os.path.relpath(file) for file in (*scripts, *files)]


def measuring(measure):
    """Pattern of the experiments with this measure; one that matches nothing if there are none."""
    names = [name for name, e in study.experiments.items() if e.measure == measure]
    return "|".join(names) or "(?!)"


def plain(model):
    """Parameters as plain values, so that Snakemake notices when one changes."""
    return model.model_dump(mode="json", exclude_none=True)


def experiment_of(wildcards):
    return study.experiments[wildcards.experiment]


def architecture(network, width):
    """A network at one width."""
    values = plain(network)
    return {
        "hidden_widths": network.hidden_widths(width),
        **{key: values[key] for key in ("activation", "beta", "weight_gain", "outputs")},
    }


def architecture_of(wildcards):
    return architecture(study.networks[experiment_of(wildcards).network], int(wildcards.width))


def training_of(wildcards):
    """The training of an experiment, with the steps at which it records."""
    experiment = experiment_of(wildcards)
    values = plain(experiment.training)
    values["function_steps"] = experiment.recorded_functions
    values["kernel_steps"] = experiment.training.recorded_kernels
    return values


def dataset_store(wildcards):
    return store(f"datasets/{experiment_of(wildcards).dataset}")


def limiting_store(wildcards):
    experiment = experiment_of(wildcards)
    return store(f"limiting/{experiment.dataset}/{experiment.network}")


def spectrum_store(wildcards):
    experiment = experiment_of(wildcards)
    return store(f"spectrum/{experiment.dataset}/{experiment.network}")


def each_width(product):
    """Input function: the stores of one product, one a width of the experiment."""

    def stores(wildcards):
        name, experiment = wildcards.experiment, experiment_of(wildcards)
        return [store(f"{product}/{name}/width-{width}") for width in experiment.widths]

    return stores


def along_component(experiment):
    """Whether networks are trained along a kernel principal component."""
    return isinstance(experiment, PrincipalComponent)


def target_along_component(wildcards):
    """The spectrum, where the goal is a kernel principal component and not the data set's target."""
    return [spectrum_store(wildcards)] if along_component(experiment_of(wildcards)) else []


def goal_of(wildcards):
    experiment = experiment_of(wildcards)
    if not along_component(experiment):
        return {}
    return {"component": experiment.component, "amplitude": experiment.amplitude}


def initial_stores(wildcards):
    name, experiment = wildcards.experiment, experiment_of(wildcards)
    return [store(f"initial_kernels/{name}/width-{n}") for n in experiment.initial.widths]


def widths_of(wildcards):
    return list(experiment_of(wildcards).widths)


def labels_of(wildcards):
    """What a figure says of its network and data set."""
    experiment = experiment_of(wildcards)
    network = study.networks[experiment.network]
    return {"network_label": network.label, "dataset_label": experiment.dataset}


def caption(name):
    """What a page says of a figure."""
    experiment = study.experiments[name]
    claim = CLAIMS.get(experiment.measure)
    said = CAPTIONS.get(experiment.measure) or caption_of_claim(claim.statement(), claim.paper)
    dataset, network = study.datasets[experiment.dataset], study.networks[experiment.network]
    parts = [model.model_dump(mode="json") for model in (experiment, dataset, network, study)]
    return {**asdict(said), "settings": settings(*parts)}


def caption_of(wildcards):
    return caption(wildcards.experiment)


def own_code(name):
    """The file of a user's own function, "module:function": a change re-runs what it enters."""
    place, own, _ = name.partition(":")
    return [os.path.relpath(find_spec(place).origin)] if own else []


def activation_code(wildcards):
    named = wildcards.get("network") or experiment_of(wildcards).network
    return own_code(study.networks[named].activation.name)


def cost_code(wildcards):
    return own_code(experiment_of(wildcards).training.cost)


def limiting_network(wildcards):
    """What the limit n to infinity keeps of a network."""
    named = wildcards.get("network") or experiment_of(wildcards).network
    values = plain(study.networks[named])
    return {key: values[key] for key in ("depth", "activation", "beta", "weight_gain")}


def kernel_threads(wildcards):
    """A small kernel is one block, for one core; a large one gets what there is."""
    return 1 if study.datasets[wildcards.dataset].points <= study.kernels.block else 64


def regression_threads(wildcards):
    """As for the kernel that it solves with."""
    dataset = study.datasets[experiment_of(wildcards).dataset]
    return 1 if dataset.points <= study.kernels.block else 64


def core_share(wildcards):
    """Narrow networks train side by side, one core each; wide ones get what there is."""
    return 1 if int(wildcards.width) <= 2048 else 64


def claim_sources(script, claim):
    """The modules that a claim's script reaches; it imports the claim's own by name."""
    return package_sources(script, f"ntkflow/claims/{claim}.py")


def claim_ensembles(wildcards):
    """Trained networks, where the claim is about what the workflow trains."""
    trained = isinstance(experiment_of(wildcards), TrainedExperiment)
    return each_width("ensembles")(wildcards) if trained else []


def claim_widths(wildcards):
    return list(getattr(experiment_of(wildcards), "widths", []))


def claim_architectures(wildcards):
    network = study.networks[experiment_of(wildcards).network]
    return [architecture(network, width) for width in claim_widths(wildcards)]


# What measures need besides the data set, and trained networks where they have a `training`; it is
# the limiting kernel alone for those not here, and the spectrum for those along a component.
NEEDS = {
    "function_bands": ["limiting", "spectrum", "gaussian"],
    "width_scaling": ["limiting", "spectrum", "dynamics", "widths"],
    "kernel_drift": [],
}


def products_of(name, experiment):
    """Every file a run leaves for one experiment, figures aside: what is deleted is made again."""
    needs = NEEDS.get(experiment.measure, ["limiting"])
    pair = f"{experiment.dataset}/{experiment.network}"
    stores = [f"datasets/{experiment.dataset}", f"statistics/{name}"]
    stores += [f"{kind}/{pair}" for kind in ("limiting", "spectrum") if kind in needs]
    stores += [f"gaussian/{name}"] if "gaussian" in needs else []
    if along_component(experiment):
        stores.append(f"spectrum/{pair}")
    if hasattr(experiment, "initial"):
        stores += [f"initial_kernels/{name}/width-{n}" for n in experiment.initial.widths]
    trained = ["ensembles"] if isinstance(experiment, TrainedExperiment) else []
    per_width = [*trained, *(["dynamics"] if "dynamics" in needs else [])]
    stores += [f"{kind}/{name}/width-{n}" for kind in per_width for n in experiment.widths]
    tables = [name, *([f"{name}.widths"] if "widths" in needs else [])]
    return [*map(store, stores), *(f"results/tables/{table}.csv" for table in tables)]


def figure_files(name):
    return [f"results/figures/{name}.{suffix}" for suffix in ("pdf", "svg", "png")]


PRODUCTS = sorted(
    {file for name, experiment in study.selected.items() for file in products_of(name, experiment)}
)
# Experiments with a row in the table of claims, and the kind of their statistics: also those whose
# exponents the theorems state.
CLAIMED = {
    name: "claim" if experiment.measure in CLAIMS else experiment.measure
    for name, experiment in study.selected.items()
    if experiment.measure in (*CLAIMS, "width_scaling", "kernel_drift")
}
TABLES = [f"results/claims.{suffix}" for suffix in ("csv", "json", "html") if CLAIMED]
FIGURES = [file for name in study.selected for file in figure_files(name)]
