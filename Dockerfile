# The workflow with the requirements of requirements.lock (docs/cluster.md):
#   docker build --tag ntkflow .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/study" ntkflow --cores all
FROM python:3.13-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /ntkflow
# In a separate layer, so that code changes do not reinstall the requirements.
COPY Makefile requirements.lock ./
RUN make .venv/.locked-requirements
COPY . .
RUN make environment
# The user that runs the container has no home in it.
ENV HOME=/tmp
# Results, caches and records go to the folder in which Snakemake starts.
WORKDIR /study
ENTRYPOINT ["/ntkflow/.venv/bin/snakemake", "--snakefile", "/ntkflow/Snakefile"]
CMD ["--cores", "all"]
