"""The ordering rule: which of two snapshots of the same thing is the newer, whichever of them arrived first.

A snapshot's version is a run of bytes that compares as the tuple it stands for, so that Python, SQLite and PostgreSQL
all decide by one plain `>`. Nothing about arrival goes into it.

- A run attempt's is `(finished, updated_at, rank, made_at, digest)`.
- A job's, which has no updated_at, is `(rank, made_at, digest)`.
- A pull request's is `(updated_at, made_at, digest)`.
- A repository's or an installation's, which tell no time of their own, is `(last, made_at, digest)`, where `last` marks
  a state that nothing comes after: a deleted installation.
"""

import hashlib
import re
import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

RANKS = {"requested": 0, "pending": 0, "waiting": 0, "queued": 0, "in_progress": 1, "completed": 2}
DIGEST_BYTES = 8
MADE_AT_BYTES = 8
# Below every version that a snapshot can have.
NO_VERSION = b""

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UUID_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)
# A version-1 UUID as GitHub writes it: the time's low, middle and high digits stand in its first three groups.
_GUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_encoder = msgspec.json.Encoder(order="deterministic")


def is_finished(status: str, conclusion: str | None) -> bool:
    """Tell whether an attempt has really ended: an approval gate arrives as completed and goes on later."""
    return status == "completed" and conclusion != "action_required"


def rank(status: str, conclusion: str | None) -> int:
    """Return how far along a status is: 0 not begun, 1 running, 2 completed."""
    return 0 if conclusion == "action_required" else RANKS.get(status, 0)


def made_at(guid: str) -> int:
    """Return when GitHub made a delivery, in microseconds since the year 1, or 0 where its GUID doesn't tell.

    GitHub's GUIDs are version-1 UUIDs, which hold the time (RFC 9562, section 5.1); a redelivery has the same one.
    """
    plain = _GUID.fullmatch(guid)
    if plain is not None:
        # As below, for each delivery and so without the detour by an object.
        return _UUID_EPOCH_MICROSECONDS + int(plain[3] + plain[2] + plain[1], 16) // 10
    return _made_at_of_odd_form(guid)


def _made_at_of_odd_form(guid: str) -> int:
    try:
        identifier = uuid.UUID(guid)
    except ValueError:
        return 0
    if identifier.version != 1:
        return 0
    return microseconds(_UUID_EPOCH + timedelta(microseconds=identifier.time // 10))


def microseconds(moment: datetime) -> int:
    """Return `moment` as whole microseconds since the year 1, never negative."""
    return max(0, (moment - _EARLIEST) // _MICROSECOND)


_UUID_EPOCH_MICROSECONDS = microseconds(_UUID_EPOCH)


def digest(*mutable: Any, text: bytes = b"") -> bytes:
    """Hash a snapshot's own mutable facts, of which `text` is already written out: the last tie-break."""
    # The steps of a job are kilobytes, and for SHA-256 processors have instructions.
    return hashlib.sha256(_encoder.encode(mutable) + text).digest()[:DIGEST_BYTES]


def run_version(status: str, conclusion: str | None, updated_at: datetime, made: int, mutable: bytes) -> bytes:
    """Return the version of a run attempt's snapshot."""
    finished = is_finished(status, conclusion)
    return struct.pack(">BQBQ8s", finished, microseconds(updated_at), rank(status, conclusion), made, mutable)


def job_version(status: str, conclusion: str | None, made: int, mutable: bytes) -> bytes:
    """Return the version of a job's snapshot."""
    return struct.pack(">BQ8s", rank(status, conclusion), made, mutable)


def entity_version(updated_at: datetime | None, made: int, mutable: bytes, *, last: bool = False) -> bytes:
    """Return the version of a snapshot of a repository, an installation or a pull request."""
    updated = microseconds(updated_at) if updated_at is not None else 0
    return struct.pack(">BQQ8s", last, updated, made, mutable)


def tell_the_same(version: bytes, other: bytes) -> bool:
    """Tell whether two versions of one kind are of the same state, whenever each was made."""
    made, end = -MADE_AT_BYTES - DIGEST_BYTES, -DIGEST_BYTES
    return len(version) == len(other) and (version[:made], version[end:]) == (other[:made], other[end:])
