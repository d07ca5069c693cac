"""Dual activations, limiting and empirical kernels, kernel gradient descent: arrays to arrays."""
