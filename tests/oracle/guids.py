"""The delivery's GUID: version 1 with the time inside, as GitHub's are, or version 4 without."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from tests.oracle.bodies import THIN_JOB_FIELDS, THIN_RUN_FIELDS
from tests.oracle.shapes import Arrival, Body, Delivery, RestSnapshot, key_of, subject

# RFC 9562 counts a UUID's time from the Gregorian reform, in steps of 100 nanoseconds.
_GREGORIAN = 0x01B21DD213814000
_PROGRESS = {"in_progress": 1, "completed": 2}
_NOT_ORDERED = {"pull_requests", *THIN_RUN_FIELDS, *THIN_JOB_FIELDS}


def timed_guid(microseconds: int, clock_seq: int, node: int) -> str:
    """Return a version-1 UUID that carries a time, given in microseconds since 1970 (RFC 9562, 5.1)."""
    ticks = microseconds * 10 + _GREGORIAN
    high = ticks >> 48 & 0x0FFF | 0x1000
    return f"{ticks & 0xFFFFFFFF:08x}-{ticks >> 32 & 0xFFFF:04x}-{high:04x}-{clock_seq | 0x8000:04x}-{node:012x}"


def untimed(deliveries: Iterable[Delivery], rng: Random) -> dict[str, Delivery]:
    """Return the same deliveries by their old GUIDs, with version-4 GUIDs that carry no time."""
    return {d.guid: replace(d, guid=str(uuid.UUID(int=rng.getrandbits(128), version=4))) for d in deliveries}


def times_do_not_matter(seen: Iterable[Arrival], last: Iterable[RestSnapshot]) -> bool:
    """Tell whether every end differs from all that was seen before it by more than when it was made.

    Where two states of one thing have the same `updated_at` and have come equally far, only the time of their
    deliveries says which was later; a history with such an end needs GUIDs that carry it.
    """
    end = {key_of(shot): shot.body for shot in last}
    return all(_same(end[key_of(one)], subject(one)) or _far(subject(one)) < _far(end[key_of(one)]) for one in seen)


def _same(end: Body, shown: Body) -> bool:
    return all(end[field] == value for field, value in shown.items() if field not in _NOT_ORDERED)


def _far(shown: Body) -> tuple[str, int]:
    is_gate = shown["conclusion"] == "action_required"
    return shown.get("updated_at", ""), 0 if is_gate else _PROGRESS.get(shown["status"], 0)
