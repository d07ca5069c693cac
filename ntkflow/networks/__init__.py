"""Finite networks, most of them in NTK parametrization, and their training."""
