"""Errors of the kernel that the flow is solved with."""

from ntkflow.measures.common.mutation import scales

MUTATIONS = scales(
    "flow", lambda right, factor: lambda cost, kernel, *rest: right(cost, factor * kernel, *rest)
)
