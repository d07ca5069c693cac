# Figures read statistics alone.


rule plot_kernel_profile:
    input:
        statistics=store("statistics/{experiment}"),
        code=package_sources("plot_kernel_profile.py"),
    output:
        report(
            multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "results/logs/plot_kernel_profile/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_kernel_profile/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("kernel_profile"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        caption=caption_of,
    script:
        "../scripts/plot_kernel_profile.py"


rule plot_function_bands:
    input:
        statistics=store("statistics/{experiment}"),
        code=package_sources("plot_function_bands.py"),
    output:
        report(
            multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "results/logs/plot_function_bands/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_function_bands/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("function_bands"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        caption=caption_of,
    script:
        "../scripts/plot_function_bands.py"


rule plot_principal_component:
    input:
        statistics=store("statistics/{experiment}"),
        code=package_sources("plot_principal_component.py"),
    output:
        report(
            multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "results/logs/plot_principal_component/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_principal_component/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("principal_component"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        caption=caption_of,
    script:
        "../scripts/plot_principal_component.py"


rule plot_width_scaling:
    input:
        statistics=store("statistics/{experiment}"),
        code=package_sources("plot_width_scaling.py"),
    output:
        report(
            multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "results/logs/plot_width_scaling/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_width_scaling/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("width_scaling"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        caption=caption_of,
    script:
        "../scripts/plot_width_scaling.py"


rule plot_kernel_drift:
    input:
        statistics=store("statistics/{experiment}"),
        code=package_sources("plot_kernel_drift.py"),
    output:
        report(
            multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "results/logs/plot_kernel_drift/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_kernel_drift/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("kernel_drift"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        caption=caption_of,
    script:
        "../scripts/plot_kernel_drift.py"


rule plot_kernel_regression:
    input:
        statistics=store("statistics/{experiment}"),
        code=package_sources("plot_kernel_regression.py"),
    output:
        report(
            multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "results/logs/plot_kernel_regression/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_kernel_regression/{experiment}.tsv"
    wildcard_constraints:
        experiment=measuring("kernel_regression"),
    group:
        "statistics"
    conda:
        "../../environment.yml"
    params:
        caption=caption_of,
    script:
        "../scripts/plot_kernel_regression.py"
