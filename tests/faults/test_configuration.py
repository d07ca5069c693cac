"""Configurations that are broken or hostile, and names of folders, through Snakemake itself."""

import contextlib
import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.study import Study, read_study
from ntkflow.configuration.written import check_written
from tests.configuration.test_study import DEFAULT
from tests.faults import studies
from tests.faults.trials import TRIALS, always_and_slow

BOMB = "\n".join(
    ["x0: &x0 [" + ",".join(["lol"] * 9) + "]"]
    + [f"x{n + 1}: &x{n + 1} [{','.join([f'*x{n}'] * 9)}]" for n in range(9)]
)


class Written(NamedTuple):
    """A file and what is said of it."""

    content: bytes
    said: str
    by_snakemake: bool = False  # which reads the file first, and may end in a traceback


FILES = {
    "key_twice": Written(b"seed: 1\nrun: [inflation]\nseed: 2\n", "line 3: seed is in line 1 too"),
    "aliases": Written(
        b"datasets:\n" + "\n".join(f"  {line}" for line in BOMB.splitlines()).encode(),
        "datasets.x9: found [[[[...], [...]",
    ),
    "traversal": Written(b"datasets: {../../x: {}}", "../x: found this name; it should"),
    "not_utf_8": Written(b"run: ['\xe9']\n", "can't decode byte 0xe9", True),
    "syntax": Written(b"run: [a\n", "not valid JSON or YAML", True),
    "tag": Written(b"run: !!python/object/apply:os.mkdir [pwned]", "not valid JSON or YAML", True),
    "list": Written(b"- 1\n- 2\n", "keys at top level", True),
    "empty": Written(b"", "keys at top level", True),
    "depth": Written(b"run: " + b"[" * 9999 + b"]" * 9999, "maximum recursion depth", True),
    "digits": Written(b"seed: " + b"9" * 9999, "Exceeds the limit (4300 digits)", True),
    "hexadecimal": Written(b"seed: 0x" + b"f" * 9999, "seed: found a number beyond 1e3000"),
    "not_a_number": Written(b"checkpoint_minutes: .nan", "checkpoint_minutes: found nan"),
    "date_for_key": Written(b"2020-01-01: 3", "Keys should be strings"),
    "command": Written(
        b"networks: {'$(touch pwned)': {depth: 3}}", "$(touch pwned): found this name"
    ),
    "newline": Written(b'experiments: {"a\\nb": {}}', "experiments.'a\\nb': found this name"),
}


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> studies.Study:
    return studies.new_study(tmp_path_factory.mktemp("configuration") / "study")


@pytest.mark.parametrize("name", always_and_slow("a broken configuration", [*FILES]))
def test_broken_configuration(name: str, clone: studies.Study) -> None:
    written, file = FILES[name], clone.folder / f"{name}.yaml"
    file.write_bytes(written.content)
    printed = clone.snakemake("--dry-run", "--configfile", str(file), ok=False)
    assert written.said in printed
    assert "File " + str(clone.folder / "ntkflow") not in printed
    if written.by_snakemake:
        check = [sys.executable, "-m", "ntkflow.configuration", str(file)]
        checked = subprocess.run(check, capture_output=True, text=True, check=False)
        assert checked.returncode == 1
        assert checked.stderr.startswith(str(file))
        assert len(checked.stderr.splitlines()) == 1
    else:
        assert "WorkflowError" in printed
        assert max(map(len, printed.splitlines())) < 1000
    assert not [*clone.folder.rglob("pwned*")]
    assert not (clone.folder / "results").exists()


OVERLAY = b"""\
seed: 1
run: [small]
datasets: &d
  circle: {train: {inputs: circle, samples: 8}, target: {kind: zero}}
networks:
  relu_3: {depth: 3, activation: relu, beta: 0.1}
experiments:
  small:
    measure: function_space
    dataset: circle
    network: relu_3
    widths: [16]
"""
PIECES = st.sampled_from(
    [
        *(b"\n", b" ", b":", b"- ", b"{", b"]", b"&a ", b"*a", b"*d", b"!!int ", b"!x ", b"\t"),
        *(b"'", b'"', b"|", b"? ", b"<<: ", b"%", b"\0", b"\xff", b"\xef\xbb\xbf", b"---\n", b"~"),
        *(b"2020-13-01", b"0x" + b"f" * 5000, b"9" * 5000, b"1e999", b".inf", b"[" * 2000),
        b"seed: 3\n",
    ]
)
CHANGES = st.lists(
    st.tuples(st.integers(0, len(OVERLAY)), st.integers(0, 12), PIECES | st.binary(max_size=4)),
    min_size=1,
    max_size=4,
)


def changed(changes: list[tuple[int, int, bytes]]) -> bytes:
    """The overlay with so many bytes at a place replaced by others."""
    content = OVERLAY
    for place, length, piece in changes:
        content = content[:place] + piece + content[place + length :]
    return content


def read(content: bytes, file: Path) -> Study:
    """As the workflow does: the file is checked, read by Snakemake, laid over the default."""
    check_written(content, file.name)
    file.write_bytes(content)
    config = copy.deepcopy(DEFAULT)
    update_config(config, load_configfile(file))
    return read_study(config)


def check_readable(content: bytes, file: Path) -> None:
    with contextlib.suppress(ConfigurationError):
        assert isinstance(read(content, file), Study)


def test_overlay_is_a_configuration(tmp_path: Path) -> None:
    """Which the next test changes."""
    assert list(read(OVERLAY, tmp_path / "overlay.yaml").selected) == ["small"]


@settings(max_examples=TRIALS["a changed or random configuration"].always)
@given(content=CHANGES.map(changed) | st.binary(max_size=60))
@example(content=b"datasets: {x: {train: 0x" + b"f" * 5000 + b"}}")
@example(content=BOMB.encode())
@example(content=b"datasets: &d {x: *d}")
@example(content=b"seed: !!int")
@example(content=b"seed: !!bool maybe")
def test_any_file_is_a_study_or_one_error(content: bytes, tmp_path_factory) -> None:
    """What passes the check, Snakemake can read."""
    check_readable(content, tmp_path_factory.getbasetemp() / "any.yaml")


@pytest.mark.slow
@settings(max_examples=TRIALS["a changed or random configuration"].slow)
@given(content=CHANGES.map(changed) | st.binary(max_size=60))
def test_many_more_files(content: bytes, tmp_path_factory) -> None:
    check_readable(content, tmp_path_factory.getbasetemp() / "more.yaml")


@given(name=st.text(max_size=70) | st.from_regex(r"[a-z_./ $;\n{}-]{1,10}", fullmatch=True))
@example(name="../x")
@example(name="a\n")
@example(name="é")
@example(name="a" * 65)
def test_names_are_letters_digits_and_underscores(name: str) -> None:
    """They become names of files and wildcards."""
    networks = {**DEFAULT["networks"], name: {"depth": 3, "activation": "relu"}}
    config = {**DEFAULT, "networks": networks}
    if re.fullmatch("[A-Za-z0-9][A-Za-z0-9_]{0,63}", name):
        assert name in read_study(config).networks
    else:
        with pytest.raises(ConfigurationError, match=r"^networks\."):
            read_study(config)


@pytest.mark.slow
@pytest.mark.parametrize("name", ['a b"$(touch pwned);é', "it's & <odd>\\"])
def test_folder_with_a_strange_name_runs(
    name: str, undisturbed: studies.Study, tmp_path: Path
) -> None:
    study = studies.copied(undisturbed, tmp_path / name)
    rule = "make_dataset"
    study.lose(rule)
    assert studies.jobs_run(study.snakemake(studies.target(rule))) == [rule]
    assert study.results() == undisturbed.results()
    assert not [*tmp_path.rglob("pwned*")]


def test_folder_with_braces_is_refused(clone: studies.Study, tmp_path: Path) -> None:
    study = studies.copied(clone, tmp_path / "a {b}")
    printed = study.snakemake("--dry-run", ok=False)
    assert f"{study.folder}: found braces in the path of the workflow" in printed
    assert "Traceback" not in printed
