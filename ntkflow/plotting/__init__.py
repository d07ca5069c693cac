"""Figures drawn from statistics stores: a Dataset to a Matplotlib Figure."""
