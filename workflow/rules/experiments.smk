# What an experiment reads, how it is labelled, and what it leaves.
from copy import deepcopy

from ntkflow.measures.common.experiment import place_of
from ntkflow.pages.captions import caption
from ntkflow.pages.settings import settings

# The kinds of stores that those of a kind are computed from.
COMPUTED_FROM = {"limiting": ["dataset"], "spectrum": ["limiting"], "gaussian": ["spectrum"]}
COMPUTED_FROM |= {"ensembles": ["dataset"], "dynamics": ["ensembles", "spectrum"]}
COMPUTED_FROM |= {"initial": ["dataset"], "landmarks": ["dataset"]}


def sources_of(wildcards):
    """The stores that a measure reads, by kind."""
    kinds = [kind for kind in experiment_of(wildcards).needs if kind != "networks"]
    return {kind: stores(kind)(wildcards) for kind in kinds}


def measure_modules(wildcards):
    """Modules that the script of the rule `measure` imports by name."""
    experiment = experiment_of(wildcards)
    networks = ["ntkflow.measures.common.networks"] if "networks" in experiment.needs else []
    device = ["ntkflow.device"] if uses_jax(wildcards) else []
    return [f"ntkflow.measures.{experiment.measure}.measure", *networks, *device]


def figure_module(wildcards):
    """The figure of a measure; by default the panels and numbers of its evidence."""
    figure = f"ntkflow.measures.{experiment_of(wildcards).measure}.figure"
    found = imports.module_files(figure, PACKAGE_ROOT, OUTSIDE)
    return figure if found else "ntkflow.measures.common.figure"


def uses_jax(wildcards):
    return imports_jax(experiment_of(wildcards).measure)


@cache  # Snakemake evaluates resources again and again
def imports_jax(measure):
    file, *_ = imports.module_files(f"ntkflow.measures.{measure}.measure", PACKAGE_ROOT, OUTSIDE)
    files = [file, *imports.package_sources(file, PACKAGE_ROOT, (), OUTSIDE)]
    return imports.imports_library(files, "jax")


def labels_of(name):
    """Labels of an experiment in figures and tables."""
    experiment = study.experiments[name]
    return {
        "experiment": name,
        "network_label": experiment.network_label(study.networks[experiment.network]),
        "dataset_label": experiment.dataset,
        "statement": experiment.statement_on(study.datasets[experiment.dataset]),
        "paper": place_of(experiment),
    }


def caption_of(name):
    """Caption of a figure, with the settings of its experiment."""
    experiment = study.experiments[name]
    dataset, network = study.datasets[experiment.dataset], study.networks[experiment.network]
    points = {"description": dataset.description, "seed": dataset.seed}
    keys, layers, general = (m.model_dump(mode="json") for m in (experiment, network, study))
    layers |= {"label": network.description}
    return {
        **caption(experiment, experiment.statement_on(dataset)),
        "settings": settings(keys, points, layers, general),
    }


def computed_from(name):
    """Kinds of the stores that an experiment is computed from."""
    experiment = study.experiments[name]
    kinds = [kind for kind in experiment.needs if kind != "networks"]
    kinds += ["spectrum"] if experiment.goal else []
    for kind in kinds:
        kinds += [source for source in COMPUTED_FROM.get(kind, []) if source not in kinds]
    return kinds


def products_of(name):
    """The stores and tables of one experiment, and those it is computed from."""
    experiment, kinds = study.experiments[name], computed_from(name)
    suffixes = ["", ".widths"] if experiment.width_table else [""]
    tables = [f"results/tables/{name}{suffix}.csv" for suffix in suffixes]
    read = flatten(products.stores(kind, name, experiment) for kind in kinds)
    return [*read, store(f"statistics/{name}"), *tables]


def figure_files(name):
    return multiext(f"results/figures/{name}", ".pdf", ".svg", ".png")


def recorded_configuration():
    """The configuration, with the experiments that are run. Relative paths to measures and data start
    in results/, where the file is: a run can be repeated from there."""
    recorded = deepcopy({**config, "run": list(study.selected)})
    if OUTSIDE:
        recorded["measures"] = [os.path.relpath(folder, "results") for folder in OUTSIDE]
    for name, roles in recorded["datasets"].items():
        for role, entry in roles.items():
            if isinstance(entry, dict) and not os.path.isabs(entry.get("path", "/")):
                points = getattr(study.datasets[name], role)
                entry["path"] = os.path.relpath(points.path, "results")
    return recorded
