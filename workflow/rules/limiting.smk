# Limiting kernels, and what is solved with them. Several jobs share the blocks of a large kernel
# (`kernels.jobs`); then one job computes blocks that are missing and finishes the store.
rule compute_kernel_share:
    input:
        dataset=store("datasets/{dataset}"),
        code=code("compute_kernel_share"),
        functions=network_code,
    output:
        done=temp(touch(SHARE)),
    log:
        "results/logs/compute_kernel_share/{dataset}/{network}/{share}.log",
    benchmark:
        "results/benchmarks/compute_kernel_share/{dataset}/{network}/{share}.tsv"
    wildcard_constraints:
        share="[0-9]+",
    conda:
        "../../environment.yml"
    threads: lambda wildcards: 64 if several_blocks(wildcards.dataset) else 1
    resources:
        **asked(kernel_request),
        gpu=GPUS,
        # Not a parameter: another number of jobs changes no result.
        shares=lambda wildcards: kernel_jobs(study.datasets[wildcards.dataset]),
    params:
        device=study.device,
        network=limiting_network,
        kernels=KERNEL_PARAMS,
        store=lambda wildcards: store("limiting/{dataset}/{network}").format(**wildcards),
    script:
        "../scripts/compute_kernel_share.py"


rule compute_limiting_kernel:
    input:
        dataset=store("datasets/{dataset}"),
        shares=shares_of,
        code=code("compute_limiting_kernel"),
        functions=network_code,
    output:
        kernels=store("limiting/{dataset}/{network}"),
    log:
        "results/logs/compute_limiting_kernel/{dataset}/{network}.log",
    benchmark:
        "results/benchmarks/compute_limiting_kernel/{dataset}/{network}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wildcards: 64 if several_blocks(wildcards.dataset) else 1
    resources:
        **asked(kernel_request),
        gpu=GPUS,
    params:
        device=study.device,
        network=limiting_network,
        kernels=KERNEL_PARAMS,
    script:
        "../scripts/compute_limiting_kernel.py"


rule decompose_kernel:
    input:
        kernels=store("limiting/{dataset}/{network}"),
        code=code("decompose_kernel"),
    output:
        spectrum=store("spectrum/{dataset}/{network}"),
    log:
        "results/logs/decompose_kernel/{dataset}/{network}.log",
    benchmark:
        "results/benchmarks/decompose_kernel/{dataset}/{network}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **asked(spectrum_request),
    script:
        "../scripts/decompose_kernel.py"


rule solve_gaussian:
    input:
        dataset=stores("dataset"),
        kernels=stores("limiting"),
        spectrum=stores("spectrum"),
        code=code("solve_gaussian"),
    output:
        gaussian=store("gaussian/{experiment}"),
    log:
        "results/logs/solve_gaussian/{experiment}.log",
    benchmark:
        "results/benchmarks/solve_gaussian/{experiment}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **asked(spectrum_request),
        gpu=GPUS,
    params:
        device=study.device,
        times=lambda wildcards: [str(time) for time in experiment_of(wildcards).band_times],
    script:
        "../scripts/solve_gaussian.py"


rule solve_dynamics:
    input:
        ensemble=store("ensembles/{experiment}/width-{width}"),
        spectrum=stores("spectrum"),
        code=code("solve_dynamics"),
    output:
        dynamics=store("dynamics/{experiment}/width-{width}"),
    log:
        "results/logs/solve_dynamics/{experiment}/width-{width}.log",
    benchmark:
        "results/benchmarks/solve_dynamics/{experiment}/width-{width}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **asked(spectrum_request),
        gpu=GPUS,
    params:
        device=study.device,
    script:
        "../scripts/solve_dynamics.py"
