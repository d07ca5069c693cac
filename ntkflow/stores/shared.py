"""Values that many Dask tasks share."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cloudpickle


class Shared:
    """A value that travels with many tasks and is unpacked once in a process.

    Programs compiled for the value are then compiled once per process, too.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Callable[[bytes], "Shared"], tuple[bytes]]:
        """Pickle the value to bytes, the key under which a process caches the unpacked value."""
        return _unpacked, (cloudpickle.dumps(self.value),)


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> Shared:
    return Shared(cloudpickle.loads(packed))
