"""The ordering rule in memory: several snapshots of one thing become the one that a row would hold had it taken all.

So a batch writes each row once, which PostgreSQL asks for in a statement of many rows. `bench/ingest` shows what it is
worth.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import msgspec


class Snapshot(Protocol):
    """Anything with a version."""

    @property
    def version(self) -> bytes:
        """What the ordering rule compares."""


S = TypeVar("S", bound=Snapshot)


def merged(snapshots: Iterable[S], key: Sequence[str], unchanging: Sequence[str]) -> list[S]:
    """Return one snapshot for each key, sorted by it: the newest, its gaps in `unchanging` filled from the others."""
    key_of = attrgetter(*key)
    found: dict[Any, S] = {}
    for each in snapshots:
        name = key_of(each)
        other = found.get(name)
        found[name] = each if other is None else _newer(other, each, unchanging)
    return [found[name] for name in sorted(found)]


def _newer(one: S, other: S, unchanging: Sequence[str]) -> S:
    newer, older = (other, one) if other.version > one.version else (one, other)
    gaps = [name for name in unchanging if getattr(newer, name) is None]
    known = {name: getattr(older, name) for name in gaps}
    return msgspec.structs.replace(newer, **known) if known else newer  # type: ignore[type-var]  # facts are structs
