"""Scripts in forked processes, compared with the same scripts in ordinary ones."""

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ntkflow.jobs import forks

SEEN = """
    import json, os, resource, sys, tempfile
    print(json.dumps({
        "arguments": sys.argv[1:],
        "folder": os.getcwd(),
        "mine": os.environ.get("NTKFLOW_MINE"),
        "group": os.getpgrp(),
        "mask": os.umask(0),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "open": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:3],
        "number open": len(os.listdir("/proc/self/fd")),
        "places": [place for place in sys.path if "mine" in place],
        "first": sys.path[0],
        "temporary": tempfile.gettempdir(),
        "name": __name__,
        "file": __file__,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "read": sys.stdin.read(),
    }))
    print("to the other", file=sys.stderr)
"""
WAITING = """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def server():
    """A server for scripts of these tests."""
    made = forks.ForkServer(environment())
    yield made
    made.stop()


@pytest.fixture
def script(tmp_path):
    """Function that writes a script."""

    def write(text):
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(text))
        return str(file)

    return write


def environment(**own):
    """Variables of this process and `own`; pytest changes some of its variables."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | own


def ran(words, *arguments, own=None, **options):
    return subprocess.run(
        [*words, *arguments],
        env=environment(**(own or {})),
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@contextmanager
def started(server, file, place):
    """A client whose script waits, and the process of the script; both end with the context."""
    command = [*forks.command(server.place), file, str(place)]
    with subprocess.Popen(command, env=environment()) as run:
        try:
            while not (place.exists() and place.read_text()):
                assert run.poll() is None
                time.sleep(0.01)
            yield run, psutil.Process(int(place.read_text()))
        finally:
            run.kill()


def test_a_script_finds_what_an_ordinary_process_would(server, script, tmp_path):
    file, elsewhere, record = script(SEEN), tmp_path / "elsewhere", tmp_path / "record"
    elsewhere.mkdir()
    own = {"NTKFLOW_MINE": "1", "PYTHONPATH": str(tmp_path / "mine"), "OMP_NUM_THREADS": "1"}
    own |= {"TMPDIR": str(elsewhere)}
    common = {"cwd": elsewhere, "input": "typed", "umask": 0o27}
    found = [
        ran(words, file, "a b", "{c}", own=own, **common)
        for words in (forks.command(server.place, str(record)), [sys.executable])
    ]
    assert [run.returncode for run in found] == [0, 0]
    assert [run.stderr for run in found] == ["to the other\n"] * 2
    forked, ordinary = (json.loads(run.stdout) for run in found)
    assert ordinary["arguments"] == ["a b", "{c}"]
    assert forked == ordinary
    assert record.read_text()  # it was forked


def test_libraries_are_there_and_compute_with_the_threads_of_the_job(server, script):
    file = script("""
        import sys
        print("jax" in sys.modules, any(name.startswith("ntkflow") for name in sys.modules))
        import jax.numpy as jnp, numpy, scipy.linalg, threadpoolctl
        print({pool["num_threads"] for pool in threadpoolctl.threadpool_info()})
        print(float(jnp.linalg.norm(jnp.ones((3, 3)) @ jnp.ones((3, 3)))))
    """)
    run = ran(forks.command(server.place), file, own={"OMP_NUM_THREADS": "1"})
    assert run.stdout.splitlines() == ["True False", "{1}", "9.0"], run.stderr


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("pass", 0),
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('told')", 1),
        ("import os; os._exit(200)", 200),
        *[(f"import os; os.kill(os.getpid(), {number})", -number) for number in (9, 11, 15)],
    ],
)
def test_a_client_ends_as_its_script(server, script, text, status):
    run = ran(forks.command(server.place), script(text))
    assert run.returncode == status
    assert ("ValueError: told" in run.stderr) == ("told" in text)


def test_a_script_that_snakemake_has_removed_ends_without_a_traceback(server, tmp_path):
    """As the script of a job does that is killed while it starts."""
    found = ran(forks.command(server.place), str(tmp_path / "removed.py"))
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "")


def test_threads_and_exit_functions_of_a_script_come_to_their_end(server, script):
    file = script("""
        import atexit, threading, time
        atexit.register(lambda: print("last"))
        threading.Thread(target=lambda: (time.sleep(0.2), print("first"))).start()
    """)
    assert ran(forks.command(server.place), file).stdout == "first\nlast\n"


def test_signals_reach_the_script(server, script, tmp_path):
    with started(server, script(WAITING), tmp_path / "asked") as (run, _):
        run.terminate()
        assert run.wait() == 7
    with started(server, script(WAITING), tmp_path / "killed") as (_, process):
        assert process.ppid() == server.process.pid
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()


@pytest.mark.parametrize(("closed", "status"), [("0<&-", 0), ("1>&-", 1)])
def test_a_standard_file_that_is_closed_is_closed_in_the_script(server, script, closed, status):
    command = shlex.join([*forks.command(server.place), script("open(1, 'w')")])
    run = ran(["bash", "-c", f"{command} {closed}"])
    assert run.returncode == status
    assert ("Bad file descriptor" in run.stderr) == bool(status)


def test_what_a_script_has_not_closed_is_written(server, script, tmp_path):
    file, place = script("import sys; file = open(sys.argv[1], 'w'); file.write('all')"), "written"
    assert ran(forks.command(server.place), file, str(tmp_path / place)).returncode == 0
    assert (tmp_path / place).read_text() == "all"


def test_a_process_that_cannot_become_the_client_ends_with_the_error(server, script):
    """A folder that is deleted between the request and the fork; the server goes on."""
    file = script("print('ran')")
    client = (
        "import os, sys; from ntkflow.jobs.forks import client; "
        "os.getcwd = lambda: '/nowhere'; client.main(*sys.argv[1:])"
    )
    place = forks.command(server.place)[-2:]
    run = ran([sys.executable, "-c", client, *place, file])
    assert (run.returncode, run.stdout) == (1, "")
    assert "'/nowhere'" in run.stderr.splitlines()[-1]
    assert ran(forks.command(server.place), file).stdout == "ran\n"


def test_scripts_run_side_by_side(server, script):
    file = script("import sys, time; time.sleep(0.1); sys.exit(int(sys.argv[1]))")
    numbers = [*range(16)]
    with ThreadPoolExecutor(8) as threads:
        runs = threads.map(
            lambda number: ran(forks.command(server.place), file, str(number)), numbers
        )
        assert [run.returncode for run in runs] == numbers


def test_what_a_script_used_is_in_the_record(server, script):
    class Script:
        conda_env = container_img = env_modules = None
        bench_record = type("Record", (), {})()

        def _execute_cmd(self, command, words, is_python_script):
            assert ran(shlex.split(command.format(words=words))).returncode == 0

    file = script(
        "x = bytearray(300 * 2**20); x[::4096] = bytes(len(x[::4096]))\nsum(range(10**7))"
    )
    Script.bench_record.running_time = 1.0
    forks.script_runner(server.place, None)(Script(), file)
    record = Script.bench_record
    assert 300 < record.max_rss < 1000
    assert 0.05 < record.cpu_time < 60
    assert record.cpu_usage == 100 * record.cpu_time
    assert [*Path(file).parent.iterdir()] == [Path(file)]


def test_scripts_of_other_environments_are_left_to_snakemake(script):
    class Script:
        conda_env, container_img, env_modules = "environment.yml", None, None

    calls = []
    forks.script_runner("nowhere", lambda *given: calls.append(given))(one := Script(), "a.py")
    assert calls == [(one, "a.py", False)]


def test_an_ordinary_process_where_libraries_would_differ(server, script):
    file = script("import sys; print('jax' in sys.modules)")
    command = forks.command(server.place)
    assert ran(command, file).stdout == "True\n"
    assert ran(command, file, own={"JAX_ENABLE_X64": "0"}).stdout == "False\n"


def test_without_its_server_a_script_runs_in_an_ordinary_process(script, tmp_path):
    made = forks.ForkServer(environment())
    with started(made, script(WAITING), tmp_path / "waiting") as (run, process):
        made.process.kill()
        assert run.wait() == -signal.SIGKILL  # whether the script ended well is not known
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()  # so it writes nothing beside its next attempt
    file = script("import sys; print('jax' in sys.modules)")
    assert ran(forks.command(made.place), file).stdout == "False\n"
    made.stop()
    assert ran(forks.command(made.place), file).stdout == "False\n"


def test_a_server_ends_with_the_process_that_started_it(script):
    file = script("""
        import os, signal
        from ntkflow.jobs import forks
        print(forks.ForkServer().process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    pid = int(ran([sys.executable], file).stdout)
    if psutil.pid_exists(pid):
        psutil.wait_procs([psutil.Process(pid)], timeout=60)
    assert not psutil.pid_exists(pid)
