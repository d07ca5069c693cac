"""Errors of the empirical NTK, the kernel of this measure."""

from ntkflow.measures.common.mutation import scales

MUTATIONS = scales("empirical_ntk", lambda right, factor: lambda *args: factor * right(*args))
