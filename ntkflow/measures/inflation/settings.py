"""Settings of the measure `inflation`."""

from ntkflow.measures.common.experiment import AlongComponent


class Settings(AlongComponent):
    """Growth of the NTK along a component in training, and the convergence speed it explains.

    The goal is f_theta(0) + amplitude x f^(component); the target of the data set is not used.
    Needs 0 and a later step in `kernel_steps`.
    """

    paper = "Section 6"
    statement = (
        "Trained along one component, narrow networks converge faster than wide ones, with an NTK "
        "that is inflated along it."
    )
    drift = True
    reads = ("dataset", "limiting", "ensembles")
