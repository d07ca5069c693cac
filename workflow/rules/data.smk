rule make_dataset:
    input:
        points=lambda wildcards: study.datasets[wildcards.dataset].files,
        code=code("make_dataset", lambda wildcards: study.datasets[wildcards.dataset].modules),
    output:
        dataset=store("datasets/{dataset}"),
    log:
        "results/logs/make_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/make_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        dataset=lambda wildcards: plain(study.datasets[wildcards.dataset]),
    script:
        "../scripts/make_dataset.py"
