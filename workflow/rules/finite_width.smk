rule train_networks:
    input:
        dataset=stores("dataset"),
        spectrum=goal_store,
        code=code("train_networks"),
        functions=network_code,
        cost=cost_code,
    output:
        ensemble=store("ensembles/{experiment}/width-{width}"),
    log:
        "results/logs/train_networks/{experiment}/width-{width}.log",
    benchmark:
        "results/benchmarks/train_networks/{experiment}/width-{width}.tsv"
    # The longest jobs of a study: one that started last would keep the others waiting.
    priority: 1
    conda:
        "../../environment.yml"
    threads: core_share
    resources:
        **asked(training_request),
        gpu=GPUS,
        # A resource, since no result depends on it: a change does not rerun the rule.
        checkpoint_seconds=int(60 * study.checkpoint_minutes),
    params:
        device=study.device,
        architecture=architecture_of,
        seed=lambda wildcards: study.seed_of(wildcards.experiment),
        seeds=lambda wildcards: experiment_of(wildcards).seeds,
        training=training_of,
        goal=lambda wildcards: experiment_of(wildcards).goal,
        memory=study.training_memory,
    script:
        "../scripts/train_networks.py"


rule compute_initial_kernels:
    input:
        dataset=stores("dataset"),
        code=code("compute_initial_kernels"),
        functions=network_code,
    output:
        kernels=store("initial_kernels/{experiment}/width-{width}"),
    log:
        "results/logs/compute_initial_kernels/{experiment}/width-{width}.log",
    benchmark:
        "results/benchmarks/compute_initial_kernels/{experiment}/width-{width}.tsv"
    conda:
        "../../environment.yml"
    threads: core_share
    resources:
        **asked(untrained_request),
        gpu=GPUS,
    params:
        device=study.device,
        architecture=architecture_of,
        seed=lambda wildcards: study.seed_of(wildcards.experiment),
        seeds=lambda wildcards: experiment_of(wildcards).initial.draws,
        precision=lambda wildcards: experiment_of(wildcards).training.precision,
    script:
        "../scripts/compute_initial_kernels.py"
