"""Filled records that several benches begin with: each is filled once a run, and every bench gets its own copy."""

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import record
from bench.databases import copy_empty


@dataclass(frozen=True)
class Record:
    """A filled SQLite file of so many runs, and a token that reads it."""

    runs: int
    path: Path
    token: str

    @property
    def bytes_a_run(self) -> float:
        """How much of the disk a run takes, with its attempt, jobs and indexes."""
        return self.path.stat().st_size / self.runs


_filled: dict[tuple[int, int], Record] = {}


async def copy_of(folder: Path, runs: int, jobs_of_each: int) -> Record:
    """Return a copy, in a folder of the caller's, of the record with so many runs."""
    key = runs, jobs_of_each
    if key not in _filled:
        path = copy_empty(Path(_kept().name) / f"{runs}-{jobs_of_each}.sqlite3")
        _filled[key] = Record(runs, path, await record.fill(path, runs, jobs_of_each))
    kept = _filled[key]
    return Record(runs, Path(shutil.copy(kept.path, folder)), kept.token)


@functools.cache
def _kept() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="bench-records-")
