"""Fully-connected networks in NTK parametrization and their training by gradient descent."""
