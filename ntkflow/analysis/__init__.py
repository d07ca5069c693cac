"""Statistics of kernels and functions: labelled arrays to labelled arrays."""
