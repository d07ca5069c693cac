"""Measure neural tangent kernels: data sets, kernels, statistics, figures."""

__version__ = "0.1.0"
