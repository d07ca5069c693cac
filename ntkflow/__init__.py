"""Measure neural tangent kernels: data sets, limiting and empirical kernels, statistics, figures."""

__version__ = "0.1.0"
