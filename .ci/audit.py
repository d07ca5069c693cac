"""Audit the locked requirements for known vulnerabilities: exit status 1 if there is any.

Where the advisory database cannot be reached nothing is audited, which is said, and is no failure.
Arguments are handed to pip-audit: `--ignore-vuln ID` for one that does not concern us, say.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"
# As the lock names everything with its hash, pip has nothing to resolve and nothing is installed.
COMMAND = [
    *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes"),
    *("--disable-pip", "--progress-spinner", "off", "--timeout", "15"),
    *("--vulnerability-service", "osv", "--format", "json"),
]
UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError")


def judge(found: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit status, and what to say of what pip-audit has found."""
    packages = found["dependencies"]
    audited = [package for package in packages if "vulns" in package]
    lines = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version'}: "
        f"{vulnerability['description'][:200]}"
        for package in audited
        for vulnerability in package["vulns"]
    ]
    summary = f"audit: {len(audited)} of {len(packages)} locked packages audited"
    return int(bool(lines)), [*lines, f"{summary}, {len(lines)} known vulnerabilities"]


def main(arguments: Sequence[str]) -> int:
    """Run pip-audit with further arguments; its exit status, or that of `judge`."""
    run = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    try:
        status, lines = judge(json.loads(run.stdout))
    except json.JSONDecodeError:
        last = run.stderr.strip().rpartition("\n")[2]
        if not any(name in last for name in UNREACHABLE):
            sys.stderr.write(run.stderr)
            return run.returncode or 2
        status, lines = 0, [f"audit: the database was not reached, nothing is audited ({last})"]
    print(*lines, sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
