"""What is written to disk: data sets, block-wise Gram matrices, Zarr stores and their schemas."""
