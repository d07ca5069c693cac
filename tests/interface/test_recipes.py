"""Which code the fingerprint of a store of kernels depends on."""

from pathlib import Path

from ntkflow.interface.recipes import numerics, statements
from ntkflow.kernels import activations, tiles
from ntkflow.networks import blockwise

CODE = '''"""A module."""

LIMIT = 2
"""A constant."""


class Point:
    """A class."""

    x: float
    """An attribute."""


def double(x):
    """A function."""
    return LIMIT * x  # twice
'''


def names(*modules):
    return {"/".join(file.parts[1:]) for file in numerics(*modules)}


def test_limiting_kernels_depend_on_their_own_code_alone():
    found = names(tiles, activations)
    assert {"kernels/tiles.py", "kernels/cosine.py", "kernels/quadrature.py"} <= found
    assert {file.partition("/")[0] for file in found} == {"kernels"}
    assert not found & {"kernels/empirical.py", "kernels/dynamics.py", "kernels/function_space.py"}


def test_empirical_kernels_do_not_depend_on_training():
    found = names(blockwise)
    networks = {Path(file).stem for file in found if file.startswith("networks/")}
    assert networks == {"__init__", "blockwise", "mlp", "model"}
    assert "kernels/empirical.py" in found
    assert not found & {"kernels/tiles.py", "kernels/limiting.py", "kernels/dynamics.py"}


def test_words_do_not_count_and_statements_do(tmp_path):
    def normal(text):
        (tmp_path / "code.py").write_text(text, encoding="utf-8")
        return statements(tmp_path / "code.py")

    reworded = CODE
    for word in ("module", "constant", "class", "attribute", "function"):
        reworded = reworded.replace(f"A {word}.", f"Another {word}, described at length.")
    reworded = reworded.replace("# twice", "# two times")
    assert reworded != CODE
    assert normal(reworded) == normal(CODE)
    assert normal(CODE.replace("LIMIT * x", "x * LIMIT")) != normal(CODE)
    assert normal(CODE.replace("LIMIT = 2", "LIMIT = 3")) != normal(CODE)
