# Memory and time that jobs request, by the widths and numbers of points of the study, and the number
# of jobs that share a kernel.
from ntkflow.configuration.networks import FullyConnectedConfig

# A Snakefile shares its names with the module snakemake.workflow, which has a class `Resources`.
from ntkflow.configuration.study import Resources as ConfiguredResources
from ntkflow.interface import landmark_parts as parts
from ntkflow.jobs import requests

KERNEL_PARAMS = plain(study.kernels, exclude={"jobs"})
SHARE = f"results/limiting/{{dataset}}/.{{network}}.zarr.share-{{share}}-of-{study.kernels.jobs}"

LANDMARKS = "results/landmarks/{experiment}"
LANDMARK_SHARE = f"{LANDMARKS}/.count-{{number}}.zarr.share-{{share}}-of-{study.kernels.jobs}"


def asked(request):
    """Memory and time of a job, more with each attempt; `request` estimates them for the first."""

    def resource(key):
        return lambda wildcards, threads, attempt: getattr(
            request(wildcards, threads).again(attempt), key
        )

    return {"mem_mb": resource("mem_mb"), "runtime": resource("minutes")}


def configured(wildcards):
    """The keys of `resources` for an experiment or, without one, for its measure."""
    measure = study.resources.get(experiment_of(wildcards).measure, ConfiguredResources())
    return study.resources.get(wildcards.experiment, measure)


def measure_threads(wildcards):
    """A measure that solves with a kernel of several blocks gets all cores, others get one."""
    cores = 64 if solves(wildcards) and several_blocks(experiment_of(wildcards).dataset) else 1
    return configured(wildcards).threads or cores


def solver_memory(wildcards):
    """Bytes for the solvers of a measure; 0 for one that has none, so that no change reruns it."""
    return study.kernels.memory * 2**30 if solves(wildcards) else 0


def solves(wildcards):
    """Return True if a measure solves with the kernel of all pairs of points."""
    experiment = experiment_of(wildcards)
    return experiment.parallel and "limiting" in experiment.needs


def size_of(experiment, width):
    dataset, network = study.datasets[experiment.dataset], study.network_of(experiment)
    features = dataset.train.features
    if isinstance(network, FullyConnectedConfig):
        hidden = network.hidden_widths(width)
        return requests.Size.fully_connected(dataset.points, features, hidden, network.outputs)
    return requests.Size(dataset.points, network.outputs, *network.size(width, features))


def training_request(wildcards, cores):
    experiment = experiment_of(wildcards)
    return requests.training(
        size_of(experiment, int(wildcards.width)),
        seeds=experiment.seeds,
        steps=experiment.training.steps,
        functions=len(experiment.recorded_functions),
        kernels=len(experiment.training.recorded_kernels),
        memory=(study.training_memory or 4) * 2**30,
        cores=cores,
    )


def untrained_request(wildcards, cores):
    experiment = experiment_of(wildcards)
    size = size_of(experiment, int(wildcards.width))
    return requests.untrained(size, experiment.initial.draws, cores)


def kernel_jobs(dataset):
    """Jobs that share the blocks of a kernel: at most one per block."""
    side = -(-dataset.points // study.kernels.block)
    return min(study.kernels.jobs, side * (side + 1) // 2)


def shares_of(wildcards):
    """Markers of the shares of a kernel; none if the job that finishes it computes it alone."""
    count = kernel_jobs(study.datasets[wildcards.dataset])
    return expand(SHARE, share=range(count), **wildcards) if count > 1 else []


def fits_of(wildcards):
    """Settings of the regressions of an experiment with one number of landmarks."""
    experiment = experiment_of(wildcards)
    return {
        "network": limiting_network(wildcards),
        "sizes": sorted(experiment.sizes),
        "landmarks": int(wildcards.number),
        "selection": experiment.selection,
        "ridge": experiment.ridge,
        "seed": study.seed_of(wildcards.experiment),
        "kernels": plain(study.kernels, include={"memory", "precision", "scheduler"}),
    }


def landmark_threads(wildcards):
    """All cores for points of several blocks; sums over others have the same bits on any number."""
    return 64 if several_blocks(experiment_of(wildcards).dataset) else 1


def landmark_jobs(wildcards):
    """Jobs that share the points of a regression with landmarks: at most one per part."""
    return min(study.kernels.jobs, len(parts.cut(max(experiment_of(wildcards).sizes))))


def landmark_shares(wildcards):
    """Markers of the shares of sums; none if the job that solves computes them alone."""
    count = landmark_jobs(wildcards)
    return expand(LANDMARK_SHARE, share=range(count), **wildcards) if count > 1 else []


def landmark_request(wildcards, cores):
    experiment = experiment_of(wildcards)
    features = study.datasets[experiment.dataset].train.features
    layers, memory = network_of(wildcards).pair_layers(features), study.kernels.memory * 2**30
    count, jobs = int(wildcards.number), landmark_jobs(wildcards)
    return requests.landmarks(count, sum(experiment.sizes), layers, memory, cores, jobs)


def kernel_request(wildcards, cores):
    """Request of the largest job of any kernel: jobs of one array request the same.

    The job that finishes a kernel is one of them: it rarely computes more than a share."""
    return largest_kernel(wildcards.dataset, wildcards.network, cores)


@cache  # Snakemake evaluates resources again and again
def largest_kernel(dataset, network, cores):
    """The largest request of this kernel and of those that the experiments of the run need."""
    memory, needed = study.kernels.memory * 2**30, []
    used = [e for name, e in study.selected.items() if "limiting" in computed_from(name)]
    for name, other in {(dataset, network), *((e.dataset, e.network) for e in used)}:
        points = study.datasets[name]
        layers, jobs = study.networks[other].pair_layers(points.train.features), kernel_jobs(points)
        needed.append(requests.kernel(points.points, layers, memory, cores, jobs))
    return requests.Request(max(r.mem_mb for r in needed), max(r.minutes for r in needed))


def spectrum_request(wildcards, _):
    named = wildcards.get("dataset") or experiment_of(wildcards).dataset
    return requests.spectrum(study.datasets[named].points)


def statistics_request(wildcards, _):
    """Request of a measure of networks that the workflow trains, or that it trains itself."""
    experiment = experiment_of(wildcards)
    draws = experiment.initial.draws if "initial" in experiment.needs else 0
    if "ensembles" in experiment.needs:
        records = experiment.seeds * len(experiment.training.recorded_kernels)
        request = requests.statistics(size_of(experiment, 1), max(draws, records))
    elif "landmarks" in experiment.needs and "limiting" not in experiment.needs:
        dataset = study.datasets[experiment.dataset]
        request = requests.scores(dataset.points, dataset.outputs)
    elif not hasattr(experiment, "widths"):
        request = requests.statistics(size_of(experiment, 1))
    else:
        steps = getattr(experiment, "seeds", 1) * getattr(experiment, "steps", 100)
        request = requests.statistics(size_of(experiment, max(experiment.widths)), steps=steps)
    resources = configured(wildcards)
    memory, minutes = resources.mem_mb or request.mem_mb, resources.runtime or request.minutes
    return requests.Request(memory, minutes)
