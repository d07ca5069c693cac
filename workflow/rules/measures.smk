# Statistics of an experiment, its figure and its tables.


rule measure:
    input:
        unpack(sources_of),
        code=code("measure", measure_modules),
        functions=network_code,
    output:
        statistics=store("statistics/{experiment}"),
    log:
        "results/logs/measure/{experiment}.log",
    benchmark:
        "results/benchmarks/measure/{experiment}.tsv"
    group:
        "statistics"
    conda:
        "../../environment.yml"
    threads: measure_threads
    resources:
        **asked(statistics_request),
        gpu=lambda wildcards: GPUS if uses_jax(wildcards) else 0,
    params:
        measure=lambda wildcards: experiment_of(wildcards).measure,
        settings=lambda wildcards: experiment_of(wildcards).settings,
        numbers=lambda wildcards: products.numbers_by_kind(experiment_of(wildcards)),
        networks=lambda wildcards: products.networks_of(study, experiment_of(wildcards)),
        seed=lambda wildcards: study.seed_of(wildcards.experiment),
        device=lambda wildcards: study.device if uses_jax(wildcards) else "",
        memory=solver_memory,
    script:
        "../scripts/measure.py"


rule plot:
    input:
        statistics=store("statistics/{experiment}"),
        code=code("plot", lambda wildcards: [figure_module(wildcards)]),
    output:
        table="results/tables/{experiment}.csv",
        figures=report(
            figure_files("{experiment}"),
            caption="../report/figure.rst",
            category=lambda wildcards: "Claims" if experiment_of(wildcards).paper else "Figures",
        ),
    log:
        "results/logs/plot/{experiment}.log",
    benchmark:
        "results/benchmarks/plot/{experiment}.tsv"
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        figure=figure_module,
        labels=lambda wildcards: labels_of(wildcards.experiment),
        caption=lambda wildcards: caption_of(wildcards.experiment),
    script:
        "../scripts/plot.py"


rule tabulate_widths:
    input:
        statistics=store("statistics/{experiment}"),
        code=code("tabulate_widths", lambda wildcards: [figure_module(wildcards)]),
    output:
        table="results/tables/{experiment}.widths.csv",
    log:
        "results/logs/tabulate_widths/{experiment}.log",
    benchmark:
        "results/benchmarks/tabulate_widths/{experiment}.tsv"
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        figure=figure_module,
    script:
        "../scripts/tabulate_widths.py"
