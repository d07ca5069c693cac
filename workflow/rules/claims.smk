# A claim has two rules, measure_... and plot_..., and its module in ntkflow/claims/, of one name.

for claim, model in CLAIMS.items():

    rule:
        name:
            f"measure_{claim}"
        input:
            dataset=dataset_store,
            kernels=limiting_store,
            ensembles=claim_ensembles,
            code=claim_sources("measure_claim.py", claim),
            activation=activation_code,
        output:
            statistics=store("statistics/{experiment}"),
            table="results/tables/{experiment}.csv",
        log:
            f"results/logs/measure_{claim}/{{experiment}}.log",
        benchmark:
            f"results/benchmarks/measure_{claim}/{{experiment}}.tsv"
        wildcard_constraints:
            experiment=measuring(claim),
        group:
            "statistics"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=asked(statistics_request, "mem_mb"),
            runtime=asked(statistics_request, "minutes"),
            gpu=GPUS,
        params:
            claim=claim,
            statement=model.statement(),
            paper=model.paper,
            device=study.device,
            seed=study.seed,
            widths=claim_widths,
            architectures=claim_architectures,
            limit=limiting_network,
            settings=lambda wildcards: experiment_of(wildcards).settings,
            labels=labels_of,
        script:
            "../scripts/measure_claim.py"

    rule:
        name:
            f"plot_{claim}"
        input:
            statistics=store("statistics/{experiment}"),
            code=package_sources("plot_claim.py"),
        output:
            report(
                multiext("results/figures/{experiment}", ".pdf", ".svg", ".png"),
                caption="../report/figure.rst",
                category="Claims",
            ),
        log:
            f"results/logs/plot_{claim}/{{experiment}}.log",
        benchmark:
            f"results/benchmarks/plot_{claim}/{{experiment}}.tsv"
        wildcard_constraints:
            experiment=measuring(claim),
        group:
            "statistics"
        conda:
            "../../environment.yml"
        params:
            caption=caption_of,
        script:
            "../scripts/plot_claim.py"


rule tabulate_claims:
    input:
        statistics=[store(f"statistics/{name}") for name in CLAIMED],
        figures=[f"results/figures/{name}.png" for name in CLAIMED],
        code=package_sources("tabulate_claims.py"),
    output:
        csv="results/claims.csv",
        json="results/claims.json",
        html=report("results/claims.html", caption="../report/claims.rst", category="Claims"),
    log:
        "results/logs/tabulate_claims.log",
    benchmark:
        "results/benchmarks/tabulate_claims.tsv"
    conda:
        "../../environment.yml"
    params:
        kinds=CLAIMED,
    script:
        "../scripts/tabulate_claims.py"
