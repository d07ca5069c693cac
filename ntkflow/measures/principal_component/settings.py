"""Settings of the measure `principal_component`."""

from ntkflow.measures.common.experiment import PAPER, AlongComponent
from ntkflow.measures.common.untrained import WithUntrained


class Settings(AlongComponent, WithUntrained):
    """Training along one kernel principal component (JGH Figure 3).

    The goal is f_theta(0) + amplitude x f^(component); the target of the data set is not used.
    Needs 0 among `kernel_steps`.
    """

    reads = ("ensembles", "spectrum", "dataset", "networks")
    paper = "Section 6.3, Figure 3"
    statement = (
        "Towards a goal along a kernel principal component, f starts at the rate of its eigenvalue "
        "as n grows, and at an angle of order n^(-1/2) to the straight line. In training the rate "
        "approaches its limit with n, and the deviation falls as in networks with fixed kernels."
    )
    title = "Training along one kernel principal component"
    caption = (
        "The goal is f at t = 0 plus a multiple of one eigenfunction of the limiting NTK. Left, "
        "the training points in the plane of that eigenfunction and the next. Middle, the distance "
        "of networks from the straight line, ‖h‖. Right, the distance to the goal, ‖g‖, with its "
        "limit for the same steps of gradient descent, which falls like exp(−λt), dashed. Norms "
        "are those of the input distribution. "
        f"After {PAPER}, Figure 3."
    )
    alt = (
        "Three panels: training points in the plane of two eigenfunctions; distance of networks "
        "from the straight line against time; distance to the goal against time, with the dashed "
        "limit."
    )
