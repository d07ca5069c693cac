"""Predictions of infinitely wide networks, as JAX functions of their kernels.

Kernels are between N training points, (N, N), between m test points and the training points,
(m, N), and between test points, (m, m); instead of the last, their diagonal (m,) gives variances in
place of covariances. Outputs are independent and share their kernels. The cost is averaged over the
training points, C = (1/2N) sum_i ||f(x_i) - y_i||^2 + (ridge/2) ||theta - theta_0||^2, and the time
of gradient descent is steps x learning rate (JGH Section 5).

`posterior`, `log_marginal_likelihood`, `trained_distribution` and `trained_function` can be
differentiated once in all their arguments, also if eigenvalues of a kernel are equal. Arguments
are not checked: a kernel that is not positive definite gives NaN.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from ntkflow.aliases import AnyArray, Array, Float

__all__ = [
    "Gaussian",
    "log_marginal_likelihood",
    "posterior",
    "trained_distribution",
    "trained_function",
]

Kernel = Float[AnyArray, "n n"]
CrossKernel = Float[AnyArray, "m n"]
Prior = Float[AnyArray, "m m"] | Float[AnyArray, " m"]
Targets = Float[AnyArray, "n k"]
Eigenvalues = Float[AnyArray, " n"]
Number = float | Float[Array, ""]

ABSCISSAE, WEIGHTS = np.polynomial.legendre.leggauss(6)
"""Nodes in [-1, 1] and weights of the mean of a derivative between two eigenvalues."""

CLOSE = 0.1
"""Relative difference of two values below which their difference quotient would lose digits."""


class Gaussian(NamedTuple):
    """Normal distribution of a function at m test points; its k outputs are independent."""

    mean: Float[AnyArray, "m k"]
    covariance: Float[AnyArray, "m m"] | Float[AnyArray, " m"] | None
    """Covariance (m, m) of each output, or its diagonal; None if no prior was given."""


def posterior(
    kernel: Kernel, targets: Targets, cross: CrossKernel, prior: Prior, ridge: Number = 0.0
) -> Gaussian:
    """Posterior of f ~ GP(0, K) given targets y = f(X) + noise of variance N ridge.

    With K the NNGP kernel this is Bayesian inference with an infinitely wide network (Rasmussen
    and Williams 2006, equations 2.23 and 2.24; Lee et al. 2018). The noise is not added to the
    covariance of f.
    """
    return conditioned(factorised(kernel, ridge), targets, cross, prior)


def log_marginal_likelihood(
    kernel: Kernel, targets: Targets, ridge: Number = 0.0
) -> Float[Array, ""]:
    """log N(y; 0, K + N ridge I), summed over outputs (Rasmussen and Williams 2006, 2.30)."""
    return log_likelihood(factorised(kernel, ridge), targets)


def trained_distribution(
    ntk: Kernel,
    targets: Targets,
    cross: CrossKernel,
    nngp: tuple[Kernel, CrossKernel, Prior],
    time: Number = np.inf,
    ridge: Number = 0.0,
) -> Gaussian:
    """Distribution over initialisations of f_t, trained by gradient flow (JGH Section 5).

    `ntk` and `cross` are the limiting NTK; `nngp` the NNGP kernels of the training points, between
    test and training points, and of the test points. A ridge pulls the parameters towards their
    initial values. `time` may be infinite.
    """
    return Gaussian(*transported(gain(ntk, cross, time, ridge), targets, nngp))


def trained_function(
    ntk: Kernel,
    targets: Targets,
    cross: CrossKernel,
    initial: tuple[Targets, Float[AnyArray, "m k"]],
    time: Number = np.inf,
    ridge: Number = 0.0,
) -> Float[Array, "m k"]:
    """f_t at test points from f_0, given as `initial` at the training and test points."""
    at_training, at_test = initial
    return jnp.asarray(at_test) + _product(
        gain(ntk, cross, time, ridge), jnp.asarray(targets) - at_training
    )


@jax.jit
def factorised(kernel: Kernel, ridge: Number = 0.0) -> Float[Array, "n n"]:
    """Lower Cholesky factor of K + N ridge I; NaN if this is not positive definite."""
    points = len(kernel)
    return jnp.linalg.cholesky(kernel + points * ridge * jnp.eye(points))


@jax.jit
def conditioned(
    factor: Kernel, targets: Targets, cross: CrossKernel, prior: Prior | None
) -> Gaussian:
    """As `posterior`, from the factor of K + N ridge I; no covariance if there is no prior."""
    whitened = solve_triangular(factor, jnp.asarray(cross).T, lower=True)
    mean = _product(whitened.T, solve_triangular(factor, targets, lower=True))
    if prior is None:
        return Gaussian(mean, None)
    diagonal = jnp.ndim(prior) == 1
    explained = jnp.sum(whitened**2, axis=0) if diagonal else _product(whitened.T, whitened)
    return Gaussian(mean, jnp.asarray(prior) - explained)


@jax.jit
def log_likelihood(factor: Kernel, targets: Targets) -> Float[Array, ""]:
    """As `log_marginal_likelihood`, from the factor of K + N ridge I."""
    points, outputs = targets.shape
    squares = jnp.sum(solve_triangular(factor, targets, lower=True) ** 2)
    determinant = jnp.sum(jnp.log(jnp.diagonal(factor)))
    return -squares / 2 - outputs * (determinant + points / 2 * np.log(2 * np.pi))


@jax.jit
def transported(
    gain: CrossKernel, targets: Targets, nngp: tuple[Kernel, CrossKernel, Prior]
) -> tuple[Float[Array, "m k"], Float[Array, "m m"] | Float[Array, " m"]]:
    """Mean and covariance of f_0(x) + A(x) (y - f_0(X)) for f_0 ~ GP(0, Sigma) and a gain A (m, N).

    The mean is A y, the covariance Sigma - A Sigma(X, .) - Sigma(., X) A^T + A Sigma(X, X) A^T.
    """
    train, cross, test = map(jnp.asarray, nngp)
    left = cross - _product(gain, train)
    if test.ndim == 1:
        return _product(gain, targets), test - jnp.sum((cross + left) * gain, axis=1)
    covariance = test - _product(gain, cross.T) - _product(left, gain.T)
    return _product(gain, targets), (covariance + covariance.T) / 2


def gain(ntk: Kernel, cross: CrossKernel, time: Number, ridge: Number) -> Float[Array, "m n"]:
    """A_t (m, N) of f_t(x) = f_0(x) + A_t(x) (y - f_0(X)), for the flow of JGH Section 5.

    A_t(x) = Theta(x, X) (G + ridge)^{-1} (I - exp(-t (G + ridge))) / N, G = Theta(X, X) / N.
    """
    matrix, points = jnp.asarray(ntk) / len(ntk), len(ntk)
    time, ridge = (jnp.asarray(value, matrix.dtype) for value in (time, ridge))
    return _product(cross, _learnt(matrix, time, ridge)) / points


@jax.jit
def flow(eigenvalues: Eigenvalues, time: Number, ridge: Number = 0.0) -> Float[Array, " n"]:
    """(1 - exp(-r t)) / r with r = lambda + ridge; 1 / r after infinite time."""
    rate, forever = jnp.asarray(eigenvalues) + ridge, jnp.isinf(time)
    finite = jnp.where(forever, 0, time)
    z = rate * finite
    early = ~forever & (jnp.abs(z) < 0.01)  # where the quotient would lose digits
    series = finite * (1 - z / 2 * (1 - z / 3 * (1 - z / 4 * (1 - z / 5 * (1 - z / 6)))))
    divisor = jnp.where(early, 1, rate)
    return jnp.where(early, series, jnp.where(forever, 1, -jnp.expm1(-divisor * finite)) / divisor)


@jax.jit
def descent(
    eigenvalues: Eigenvalues,
    steps: int | Array,
    rate: Number,
    momentum: Number,
    ridge: Number = 0.0,
) -> Float[Array, " n"]:
    """q after `steps` of gradient descent: a residual of eigenvalue lambda shrinks by 1 - lambda q.

    For heavy-ball momentum m (Polyak 1964), v_{s+1} = m v_s + rate (1 - (lambda + ridge) q_s) and
    q_{s+1} = q_s + v_{s+1}, from 0. The power of this affine map is taken by repeated squaring.
    """
    pull = rate * (jnp.asarray(eigenvalues) + ridge)
    one, nothing = jnp.ones_like(pull), jnp.zeros_like(pull)
    rows = [
        [1 - pull, momentum * one, rate * one],
        [-pull, momentum * one, rate * one],
        [nothing, nothing, one],
    ]
    step = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)

    def double(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        left, power, result = state
        result = jnp.where(left % 2 == 1, _product(power, result), result)
        return left // 2, _product(power, power), result

    identity = jnp.broadcast_to(jnp.eye(3), step.shape)
    _, _, power = jax.lax.fori_loop(0, 31, double, (jnp.asarray(steps), step, identity))
    return power[:, 0, 2]


@jax.custom_jvp
def _learnt(matrix: Kernel, time: Array, ridge: Array) -> Float[Array, "n n"]:
    """`flow` of a symmetric matrix.

    The derivative by Daleckii and Krein (Higham 2008, theorem 3.11) does not divide by differences
    of eigenvalues, as that of the eigenvectors does.
    """
    eigenvalues, vectors = _decomposed(matrix)
    return _product(vectors * flow(eigenvalues, time, ridge)[None, :], vectors.T)


@_learnt.defjvp
def _learnt_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    (matrix, time, ridge), (change, *others) = primals, tangents
    eigenvalues, vectors = _decomposed(matrix)
    change = (change + change.T) / 2  # the decomposition is of the symmetric part
    values, moved = jax.jvp(
        lambda time, ridge: flow(eigenvalues, time, ridge), (time, ridge), tuple(others)
    )
    quotients = _quotients(lambda r: flow(r, time, ridge), eigenvalues)
    rotated = quotients * _product(_product(vectors.T, change), vectors) + jnp.diag(moved)
    return (
        _product(vectors * values[None, :], vectors.T),
        _product(_product(vectors, rotated), vectors.T),
    )


def _decomposed(matrix: Kernel) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a positive semidefinite matrix.

    Negative eigenvalues are rounding errors, of which `flow` would make growing exponentials.
    """
    eigenvalues, vectors = jnp.linalg.eigh(matrix)
    return jnp.maximum(eigenvalues, 0), vectors


def _quotients(
    function: Callable[[Array], Array], points: Float[Array, " n"]
) -> Float[Array, "n n"]:
    """(q(a) - q(b)) / (a - b) of all pairs of points, for a positive monotone q.

    If q(a) and q(b) are close, it is the mean of the derivative between a and b.
    """
    values = function(points)
    one, two = points[:, None], points[None, :]
    difference, gap = values[:, None] - values[None, :], one - two
    close = jnp.abs(difference) <= CLOSE * jnp.minimum(values[:, None], values[None, :])

    def slope(r: Array) -> Array:
        return jax.jvp(function, (r,), (jnp.ones_like(r),))[1]

    nodes = zip(ABSCISSAE, WEIGHTS, strict=True)
    average = jnp.zeros_like(gap)
    for node, weight in nodes:
        average += weight / 2 * slope((one + two + node * gap) / 2)
    return jnp.where(close, average, difference / jnp.where(close, 1, gap))


def _product(one: AnyArray, two: AnyArray) -> Array:
    return jnp.matmul(one, two, precision="highest")
