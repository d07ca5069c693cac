"""Measure neural tangent kernels: data sets, kernels, statistics, figures.

`ntkflow.api` is public; docs/versions.md names the other public parts.
"""

__version__ = "0.1.0"
