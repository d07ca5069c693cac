"""Comparison of a folder of results with a published reference."""
