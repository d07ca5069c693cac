"""Write the versions of requirements.lock into environment.yml, for the packages that it lists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKED = re.compile(r"^([\w.-]+)==([^\s;\\]+)", flags=re.MULTILINE)
PIN = re.compile(r"^( *- ([\w.-]+))==.*$", flags=re.MULTILINE)


def pinned(environment: str, lock: str) -> str:
    """The text of environment.yml with the versions of a lock."""
    versions = dict(LOCKED.findall(lock))
    return PIN.sub(lambda pin: f"{pin[1]}=={versions[pin[2]]}", environment)


if __name__ == "__main__":
    file = ROOT / "environment.yml"
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    file.write_text(pinned(file.read_text(encoding="utf-8"), lock), encoding="utf-8")
