"""What all facts have in common, and how times and lists in them are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from bot.errors import MalformedPayload


class Fact(Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Anything told; it holds nothing that leads back to it, so the garbage collector need not look.

    What a killed process leaves in the inbox's journal is read by the next one, perhaps of another version: so a new
    field comes last, after all others, and has a default.
    """


# What jobs that GitHub told no time for are listed under.
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

encoder = msgspec.json.Encoder()


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC. Raises MalformedPayload where that lies outside the calendar."""
    # As GitHub tells nearly all of them.
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        message = f"the time {moment.isoformat()} lies outside the calendar in UTC"
        raise MalformedPayload(message) from None


def utc_or_none(moment: datetime | None) -> datetime | None:
    """Do the same with a moment that may not be told."""
    # Asked here too, since a job has dozens, and a call costs as much as the question.
    return moment if moment is None or moment.tzinfo is UTC else utc(moment)


def json_text(value: Any) -> str:
    """Return a value as the JSON text that its column holds."""
    return encoder.encode(value).decode()


def moment_of(seen_at: int) -> datetime:
    """Return the moment that is so many microseconds after the year 1 began, see `ordering.made_at`."""
    return datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=seen_at)
