"""The empirical NTK of functions, compared with Jacobians."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkflow.kernels import function_features
from ntkflow.kernels import function_ntk as module
from ntkflow.kernels.function_ntk import check_rows, function_ntk, plan_ntk


@partial(jax.jit, static_argnums=0)  # compiled once for all ways of a case
def by_jacobians(f, parameters, x1, x2=None):
    """The kernel (n, m, k, k) from the Jacobians of whole batches."""

    def rows(x):
        real = [leaf for leaf in jax.tree.leaves(parameters) if leaf.dtype.kind == "f"]

        def of_real(leaves):
            parts = iter(leaves)
            theta = jax.tree.map(lambda a: next(parts) if a.dtype.kind == "f" else a, parameters)
            y = f(theta, x)
            return y.reshape(len(y), -1)

        jacobians = jax.tree.leaves(jax.jacrev(of_real)(real))
        return jnp.concatenate([jnp.reshape(j, (*j.shape[:2], -1)) for j in jacobians], axis=2)

    one = rows(x1)
    return jnp.einsum("nkp,mlp->nmkl", one, one if x2 is None else rows(x2))


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def mlp(p, x):
    for w, b in p[:-1]:
        x = jax.nn.gelu(x @ w / len(w) ** 0.5 + 0.1 * b)
    w, b = p[-1]
    return x @ w / len(w) ** 0.5 + 0.1 * b


def scaled_weights(p, x):
    scale = jnp.sqrt(jnp.asarray(5.0, x.dtype))
    hidden = jnp.tanh(x @ (p["w"] / scale))
    return jnp.einsum("oi,ni->no", 0.5 * p["v"], hidden) * p["gain"] + p["b"]


def convolutional(p, x, strides=(1, 1), padding="SAME", groups=1, dilation=(1, 1)):
    y = jax.lax.conv_general_dilated(
        *(x, p["w"], strides, padding),
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )
    return jnp.mean(jnp.sin(y + p["b"]), axis=(1, 2)) @ p["v"]


def convolutional_1d(p, x):
    """Channels first, and a transposed convolution."""
    y = jax.lax.conv_general_dilated(
        *(x, p["w"], (1,), ((1, 1),)), lhs_dilation=(2,), dimension_numbers=("NCH", "OIH", "NCH")
    )
    return jnp.cos(y).reshape(len(x), -1) @ p["v"]


def tied(p, x):
    return jnp.tanh(x @ p["w"]) @ p["w"].T @ p["w"]


def used_also_as_norm(p, x):
    return jnp.sin(x @ p["w"] / jnp.linalg.norm(p["w"]))


def scanned(p, x):
    """A recurrent network, its weights shared by steps."""

    def step(h, inputs):
        return jnp.tanh(h @ p["w"] + inputs @ p["u"]), None

    start = jnp.zeros((len(x), len(p["w"])), x.dtype)
    return jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))[0] @ p["v"]


def normalised(x):
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-6)


def transformer(p, tokens):
    """One block over embedded tokens, with a learned position, gains and offsets."""
    scale = 1 / np.sqrt(p["q"].shape[1])
    x = jnp.take(p["embedding"], tokens, axis=0) + p["position"][None]
    y = normalised(x) * p["gain"][None, None] + p["offset"][None, None]
    q, k, v = (jnp.einsum("nsi,ihd->nhsd", y, p[name]) for name in "qkv")
    weights = jax.nn.softmax(scale * jnp.einsum("nhsd,nhtd->nhst", q, k))
    x = x + jnp.einsum("nhst,nhtd,hdi->nsi", weights, v, p["o"])
    x = x + jax.nn.gelu(normalised(x) @ p["w1"]) @ p["w2"]
    return jnp.mean(x, axis=1) @ p["head"]


def tied_embedding(p, tokens):
    return jnp.tanh(p["e"][tokens]).mean(1) @ p["e"].T


@jax.custom_jvp
def swish(x):
    return x * jax.nn.sigmoid(x)


@swish.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    s = jax.nn.sigmoid(x)
    return x * s, t * (s + x * s * (1 - s))


@jax.custom_vjp
def doubled_gradient(w, x):
    return x @ w


doubled_gradient.defvjp(
    lambda w, x: (x @ w, (w, x)), lambda kept, d: (2 * kept[1].T @ d, d @ kept[0].T)
)


def calls(p, x):
    """Compiled, rematerialised and custom functions around products."""
    h = jax.jit(lambda w, x: swish(x @ w))(p["w"], x)
    h = jax.checkpoint(lambda v, h: jnp.sin(h @ v.T))(p["v"], h)
    return doubled_gradient(p["u"], h)


def of_pairs(p, x):
    left, right = x["left"] @ p["w"], x["right"][0] @ p["v"]
    return jnp.einsum("ni,nj->nij", jnp.tanh(left), right)


def with_constants(p, x):
    return jnp.sin(x @ p["w"])[:, p["chosen"]] * jnp.where(p["on"], 2.0, 3.0)


def experts(p, x):
    """Batched matrix products, and one weight on the left of its product."""
    mixed = jnp.einsum("nei,eio->neo", x, p["w"])
    size = p["a"][0].size  # traced, but the result does not depend on it
    return jnp.einsum("ab,nbo->nao", p["a"], jnp.tanh(mixed)).sum(1) / size


X = normal(0, 6, 5)
IMAGES = normal(1, 5, 6, 5, 4)
TOKENS = jnp.asarray(np.random.default_rng(2).integers(0, 7, (6, 4)))
SEQUENCES = normal(3, 5, 4, 3)
CONV = {"w": normal(4, 3, 2, 4, 6), "b": normal(5, 1, 1, 1, 6)[0, 0], "v": normal(6, 6, 2)}
CONV = {**CONV, "b": normal(5, 1, 1, 1, 6)}
GROUPED = {**CONV, "w": normal(4, 3, 2, 2, 6)}
BLOCK = {
    **{"embedding": normal(7, 7, 6), "position": normal(8, 4, 6)},
    **{"gain": normal(9, 6), "offset": normal(10, 6), "head": normal(11, 6, 3)},
    **{name: normal(i, 6, 2, 3) / 2 for i, name in enumerate("qkv", 12)},
    **{"o": normal(15, 2, 3, 6), "w1": normal(16, 6, 8), "w2": normal(17, 8, 6)},
}
W5 = {"w": normal(20, 5, 7), "v": normal(21, 4, 7), "u": normal(22, 4, 2)}

CASES = {
    "mlp": (mlp, [(normal(1, 5, 8), normal(2, 1, 8)), (normal(3, 8, 3), normal(4, 1, 3))], X),
    "mlp of one output": (
        *(mlp, [(normal(1, 5, 8), normal(2, 1, 8)), (normal(3, 8, 1), normal(4, 1, 1))]),
        X,
    ),
    "scaled weights": (
        scaled_weights,
        {"w": W5["w"], "v": W5["v"], "gain": normal(5, 1, 4), "b": normal(6, 1, 4)},
        X,
    ),
    "convolution": (convolutional, CONV, IMAGES),
    "strides": (partial(convolutional, strides=(2, 1), padding="VALID"), CONV, IMAGES),
    "dilation": (partial(convolutional, dilation=(2, 3)), CONV, IMAGES),
    "groups": (partial(convolutional, groups=2), GROUPED, IMAGES),
    "convolution 1-D": (
        *(convolutional_1d, {"w": normal(1, 3, 4, 3), "v": normal(2, 3 * 5, 2)}),
        jnp.swapaxes(normal(3, 5, 3, 4), 1, 2),
    ),
    "tied": (tied, {"w": W5["w"]}, X),
    "norm": (used_also_as_norm, {"w": W5["w"]}, X),
    "scan": (
        *(scanned, {"w": normal(1, 4, 4), "u": normal(2, 3, 4), "v": normal(3, 4, 2)}),
        SEQUENCES,
    ),
    "transformer": (transformer, BLOCK, TOKENS),
    "tied embedding": (tied_embedding, {"e": normal(1, 7, 5)}, TOKENS),
    "calls": (calls, W5, X),
    "pairs": (
        *(of_pairs, {"w": normal(1, 5, 3), "v": normal(2, 4, 2)}),
        {"left": X, "right": (normal(3, 6, 4),)},
    ),
    "constants": (
        *(with_constants, {"w": W5["w"], "chosen": jnp.array([2, 0]), "on": jnp.array([[True]])}),
        X,
    ),
    "experts": (experts, {"w": normal(1, 4, 3, 2), "a": normal(2, 3, 4)}, SEQUENCES),
}
WAYS = {"cheaper": None, "gradients": False, "factors": True}


def kernels_of(f):
    """Kernels between two sets of inputs, and of the first with itself."""
    return lambda p, x, y: (function_ntk(f, p, x, y), function_ntk(f, p, x))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_jacobians(case, way, monkeypatch):
    if WAYS[way] is not None:
        monkeypatch.setattr(module, "is_factored", lambda *_: WAYS[way])
    f, parameters, x = CASES[case]
    other = jax.tree.map(lambda a: a[:3] if a.dtype.kind == "i" else a[:3] + 0.1, x)
    exact = by_jacobians(f, parameters, x, other)
    found, symmetric = jax.jit(kernels_of(f))(parameters, x, other)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12 * np.abs(exact).max())
    part = np.asarray(symmetric)[:, : found.shape[1]]
    if not jnp.issubdtype(jax.tree.leaves(x)[0].dtype, jnp.floating):
        np.testing.assert_allclose(part, exact, rtol=0, atol=1e-12 * np.abs(exact).max())
    np.testing.assert_array_equal(symmetric, symmetric.transpose(1, 0, 3, 2))


@pytest.mark.parametrize("way", ["gradients", "factors"])
@pytest.mark.parametrize("case", ["mlp", "convolution", "transformer", "pairs"])
def test_traces_and_single_outputs(case, way, monkeypatch):
    monkeypatch.setattr(module, "is_factored", lambda *_: WAYS[way])
    f, parameters, x = CASES[case]
    exact = by_jacobians(f, parameters, x)
    last = exact.shape[2] - 1
    for outputs, expected in {
        "trace": np.einsum("nmkk->nm", exact),
        last: exact[:, :, last, last],
    }.items():
        found = jax.jit(partial(function_ntk, f, outputs=outputs))(parameters, x)
        assert found.shape == (len(expected), len(expected), 1, 1)
        atol = 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(found[:, :, 0, 0], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("outputs", ["all", "trace"])
@pytest.mark.parametrize("case", ["convolution", "groups", "experts"])
def test_gradients_may_be_formed_channel_by_channel(case, outputs, monkeypatch):
    monkeypatch.setattr(module, "is_factored", lambda *_: False)
    f, parameters, x = CASES[case]
    whole = jax.jit(partial(function_ntk, f, outputs=outputs))(parameters, x)
    monkeypatch.setattr(function_features, "LARGEST_PART", 1)
    parts = jax.jit(lambda p, x: function_ntk(f, p, x, outputs=outputs))(parameters, x)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-13 * np.abs(whole).max())


def test_gradients_of_one_part_are_in_memory(monkeypatch):
    monkeypatch.setattr(function_features, "LARGEST_PART", 2**16)
    weights = {"w": normal(1, 3, 3, 32, 64), "b": normal(2, 1, 1, 1, 64), "v": normal(3, 64, 1)}
    x = normal(0, 64, 4, 4, 32)
    assert plan_ntk(convolutional, weights, x, "trace", (64, 64)).formed
    kernel = jax.jit(partial(function_ntk, convolutional, outputs="trace"))
    used = kernel.lower(weights, x).compile().memory_analysis().temp_size_in_bytes
    gradients = len(x) * weights["w"].nbytes
    assert used < gradients / 2


SITES = {
    "mlp": 2,
    "scaled weights": 2,
    "convolution": 2,
    "groups": 2,
    "convolution 1-D": 2,
    "tied": 0,
    "norm": 0,
    "scan": 1,
    "transformer": 8,
    "tied embedding": 0,
    "calls": 2,
    "pairs": 2,
    "experts": 2,
}


@pytest.mark.parametrize("case", SITES)
def test_products_are_found(case, monkeypatch):
    monkeypatch.setattr(module, "is_factored", lambda *_: True)
    assert len(plan_ntk(*CASES[case], "all", (6, 6)).factored) == SITES[case]


def test_the_cheaper_way_is_chosen():
    f, parameters, x = CASES["convolution"]
    plan = plan_ntk(f, parameters, x, "trace", (len(x), len(x)))
    assert [site.kind for site in plan.formed] == ["convolution"]
    assert [site.kind for site in plan.factored] == ["product"]


def test_many_inputs_are_halved_and_rows_mapped(monkeypatch):
    monkeypatch.setattr(function_features, "LARGEST_PRODUCT", 1000)
    monkeypatch.setattr(module, "is_factored", lambda *_: True)
    f, parameters, _ = CASES["experts"]
    x = normal(0, 300, 4, 3)
    found = np.asarray(jax.jit(partial(function_ntk, f, outputs="trace"))(parameters, x))
    exact = np.einsum("nmkk->nm", by_jacobians(f, parameters, x))
    np.testing.assert_allclose(found[:, :, 0, 0], exact, rtol=0, atol=1e-11 * exact.max())
    np.testing.assert_array_equal(found, found.transpose(1, 0, 3, 2))


def test_ensembles_by_vmap():
    f, _, x = CASES["mlp"]
    seeds = [
        [(normal(i, 5, 8), normal(i, 1, 8)), (normal(i, 8, 2), normal(i, 1, 2))] for i in (1, 2)
    ]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *seeds)
    found = jax.jit(jax.vmap(lambda p: function_ntk(f, p, x)))(stacked)
    for kernel, parameters in zip(found, seeds, strict=True):
        exact = by_jacobians(f, parameters, x)
        np.testing.assert_allclose(kernel, exact, rtol=0, atol=1e-12 * np.abs(exact).max())


def test_sums_in_another_precision():
    f, parameters, x = CASES["mlp"]
    single = jax.tree.map(lambda a: a.astype(jnp.float32), (parameters, x))
    assert function_ntk(f, *single).dtype == jnp.float32
    found = function_ntk(f, *single, dtype=jnp.float64)
    assert found.dtype == jnp.float64
    exact = by_jacobians(f, parameters, x)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5 * np.abs(exact).max())


def test_outputs_that_depend_on_other_inputs_are_refused():
    def batch_normalised(p, x):
        return (x - x.mean(0, keepdims=True)) @ p

    with pytest.raises(ValueError, match="f: found outputs of an input that depend on the other"):
        check_rows(batch_normalised, W5["w"], X)
    check_rows(lambda p, x: x @ p, W5["w"], X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": 3}, "outputs: found 3, expected 'all', 'trace' or a number below 3"),
        ({"x1": {"a": X, "b": X[:2]}}, r"x1: found arrays with the lengths \[2, 6\]"),
        ({"x2": X[:0]}, r"x2: found arrays with the lengths \[0\]"),
        ({"parameters": jnp.arange(3)}, "parameters: found no array of real numbers"),
        ({"f": lambda p, x: x[0]}, "f: found the result"),
        ({"f": lambda p, x: (x, x)}, "f: found the result"),
        ({"f": lambda p, x: x > 0}, "f: found the result"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    f, parameters, x = CASES["mlp"]
    with pytest.raises(ValueError, match=message):
        function_ntk(**{"f": f, "parameters": parameters, "x1": x, **change})
