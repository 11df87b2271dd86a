"""Numbers, hashes and node ids that look like GitHub's and follow from the seed alone."""

import base64
import hashlib
import random
import struct
from functools import lru_cache

# Where GitHub's own counters stand today, roughly: runs and jobs need more than 32 bits.
_FIRST: dict[str, int] = {
    "account": 96_000_000,
    "app": 1_180_000,
    "check_suite": 46_300_000_000,
    "comment": 2_870_000_000,
    "delivery": 214_000_000_000_000,
    "hook": 561_000_000,
    "installation": 71_400_000,
    "job": 54_200_000_000,
    "label": 7_250_000_000,
    "pull_request": 2_640_000_000,
    "repository": 912_000_000,
    "run": 19_400_000_000,
    "runner": 1_000_000_000,
    "workflow": 148_000_000,
}
_LARGEST_GAP = 4_000


class Numbers:
    """Hands out ids that only grow, with gaps: other people use GitHub too."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(f"numbers {seed}")
        self._last = dict(_FIRST)
        self._hashes = 0

    def next(self, kind: str) -> int:
        """Return the next id of `kind` (run, job, repository …); KeyError for a kind that does not exist."""
        self._last[kind] += self._random.randint(1, _LARGEST_GAP)
        return self._last[kind]

    def reserve(self, kind: str, count: int) -> int:
        """Take `count` neighbouring ids out of the line and return the first of them."""
        first = self._last[kind] + 1
        self._last[kind] += count
        return first

    def sha(self) -> str:
        """Return 40 hexadecimal digits that were not returned before."""
        self._hashes += 1
        return hashlib.sha1(f"{self._seed} {self._hashes}".encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=8192)
def node_id(prefix: str, *numbers: int) -> str:
    """Return a global node id in the style GitHub has used since 2021: a type prefix and packed numbers."""
    packed = b"\x93" + b"".join(b"\xcf" + struct.pack(">Q", number) for number in numbers)
    return f"{prefix}_{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"
