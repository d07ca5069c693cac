"""Statements of the paper as measurements: one module a claim, of the claim's name."""
