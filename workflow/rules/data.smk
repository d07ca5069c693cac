def points_of(wildcards):
    """The files of a data set, those of a user's function among them: a change draws it again."""
    return [file for entry in study.datasets[wildcards.dataset].entries for file in entry.files]


def data_sources(wildcards):
    """The script, and the modules of the kinds that a data set is of; it finds them by name."""
    dataset = study.datasets[wildcards.dataset]
    kinds = {type(part).__module__ for part in (*dataset.entries, dataset.target)}
    modules = [f"{module.replace('.', '/')}.py" for module in sorted(kinds)]
    return package_sources("make_dataset.py", *modules)(wildcards)


rule make_dataset:
    input:
        points=points_of,
        code=data_sources,
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
