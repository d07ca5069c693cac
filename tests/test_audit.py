"""The audit of requirements, against an advisory database on this machine."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit.py"
ADVISORY = {
    "id": "GHSA-0000",
    "summary": "Stores written on Mondays run code",
    "affected": [
        {
            "package": {"name": "zarr", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}


class Database(BaseHTTPRequestHandler):
    """Knows of one vulnerability, in zarr."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [ADVISORY]} if asked["package"]["name"] == "zarr" else {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def database() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/query"
        server.shutdown()
        thread.join()


def audit(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(AUDIT), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not run.stderr
    return run.returncode, run.stdout


def test_known_vulnerability_fails_and_is_named(database: str) -> None:
    status, printed = audit("--osv-url", database)
    assert status == 1
    (line,) = [line for line in printed.splitlines() if "GHSA-0000" in line]
    assert line.startswith("zarr 3.")
    assert "fixed in 99.1: Stores written on Mondays run code" in line


def test_without_one_all_are_audited(database: str) -> None:
    status, printed = audit("--osv-url", database, "--ignore-vuln", "GHSA-0000")
    assert status == 0
    audited, packages = printed.split()[1], printed.split()[3]
    assert int(audited) == int(packages) > 100
    assert "0 known vulnerabilities" in printed


def test_database_that_is_not_there_is_no_failure() -> None:
    status, printed = audit("--osv-url", "http://127.0.0.1:9/query")
    assert status == 0
    assert "nothing is audited" in printed
