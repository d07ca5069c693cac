# One rule a measure; `measuring` keeps each to the experiments that ask for it.


rule measure_kernel_profile:
    input:
        ensembles=each_width("ensembles"),
        kernels=limiting_store,
        code=package_sources("measure_kernel_profile.py"),
    output:
        statistics=store("statistics/{experiment}"),
        table="results/tables/{experiment}.csv",
    log:
        "results/logs/measure_kernel_profile/{experiment}.log",
    benchmark:
        "results/benchmarks/measure_kernel_profile/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("kernel_profile"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=asked(statistics_request, "mem_mb"),
        runtime=asked(statistics_request, "minutes"),
    params:
        widths=widths_of,
        reference_angle=lambda wildcards: experiment_of(wildcards).reference_angle,
        labels=labels_of,
    script:
        "../scripts/measure_kernel_profile.py"


rule measure_function_bands:
    input:
        ensembles=each_width("ensembles"),
        dataset=dataset_store,
        gaussian=store("gaussian/{experiment}"),
        code=package_sources("measure_function_bands.py"),
    output:
        statistics=store("statistics/{experiment}"),
        table="results/tables/{experiment}.csv",
    log:
        "results/logs/measure_function_bands/{experiment}.log",
    benchmark:
        "results/benchmarks/measure_function_bands/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("function_bands"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=asked(statistics_request, "mem_mb"),
        runtime=asked(statistics_request, "minutes"),
    params:
        widths=widths_of,
        labels=labels_of,
    script:
        "../scripts/measure_function_bands.py"


rule measure_principal_component:
    input:
        ensembles=each_width("ensembles"),
        spectrum=spectrum_store,
        code=package_sources("measure_principal_component.py"),
    output:
        statistics=store("statistics/{experiment}"),
        table="results/tables/{experiment}.csv",
    log:
        "results/logs/measure_principal_component/{experiment}.log",
    benchmark:
        "results/benchmarks/measure_principal_component/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("principal_component"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=asked(statistics_request, "mem_mb"),
        runtime=asked(statistics_request, "minutes"),
    params:
        widths=widths_of,
        component=lambda wildcards: experiment_of(wildcards).component,
        amplitude=lambda wildcards: experiment_of(wildcards).amplitude,
        labels=labels_of,
    script:
        "../scripts/measure_principal_component.py"


rule measure_width_scaling:
    input:
        ensembles=each_width("ensembles"),
        initial=initial_stores,
        dynamics=each_width("dynamics"),
        kernels=limiting_store,
        code=package_sources("measure_width_scaling.py"),
    output:
        statistics=store("statistics/{experiment}"),
        table="results/tables/{experiment}.csv",
        widths="results/tables/{experiment}.widths.csv",
    log:
        "results/logs/measure_width_scaling/{experiment}.log",
    benchmark:
        "results/benchmarks/measure_width_scaling/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("width_scaling"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=asked(statistics_request, "mem_mb"),
        runtime=asked(statistics_request, "minutes"),
    params:
        widths=widths_of,
        initial_widths=lambda wildcards: experiment_of(wildcards).initial.widths,
        labels=labels_of,
    script:
        "../scripts/measure_width_scaling.py"


rule measure_kernel_drift:
    input:
        ensembles=each_width("ensembles"),
        code=package_sources("measure_kernel_drift.py"),
    output:
        statistics=store("statistics/{experiment}"),
        table="results/tables/{experiment}.csv",
    log:
        "results/logs/measure_kernel_drift/{experiment}.log",
    benchmark:
        "results/benchmarks/measure_kernel_drift/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("kernel_drift"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=asked(statistics_request, "mem_mb"),
        runtime=asked(statistics_request, "minutes"),
    params:
        widths=widths_of,
        labels=labels_of,
    script:
        "../scripts/measure_kernel_drift.py"


rule measure_kernel_regression:
    input:
        dataset=dataset_store,
        kernels=limiting_store,
        code=package_sources("measure_kernel_regression.py"),
    output:
        statistics=store("statistics/{experiment}"),
        table="results/tables/{experiment}.csv",
    log:
        "results/logs/measure_kernel_regression/{experiment}.log",
    benchmark:
        "results/benchmarks/measure_kernel_regression/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("kernel_regression"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    threads: regression_threads
    resources:
        mem_mb=asked(statistics_request, "mem_mb"),
        runtime=asked(statistics_request, "minutes"),
    params:
        sizes=lambda wildcards: experiment_of(wildcards).sizes,
        ridge=lambda wildcards: experiment_of(wildcards).ridge,
        memory=study.kernels.memory * 2**30,
        labels=labels_of,
    script:
        "../scripts/measure_kernel_regression.py"
