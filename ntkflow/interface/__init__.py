"""The functions of ntkflow.api: kernels without the workflow."""
