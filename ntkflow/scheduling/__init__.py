"""Who computes Dask tasks: threads, processes, or the workers of a cluster.

`tasks.compute` takes tasks and gives results, wherever they are computed. Nothing here knows what
the tasks are: they come from the workflow's scripts.
"""
