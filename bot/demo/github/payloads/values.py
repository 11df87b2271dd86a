"""Types and formats that all the renderers share."""

from datetime import datetime
from typing import Any, overload

Json = dict[str, Any]


@overload
def timestamp(moment: datetime) -> str: ...
@overload
def timestamp(moment: None) -> None: ...
def timestamp(moment: datetime | None) -> str | None:
    """Return whole seconds in UTC: `2026-01-05T09:00:00Z`."""
    return None if moment is None else f"{moment.isoformat()[:19]}Z"


@overload
def precise_timestamp(moment: datetime) -> str: ...
@overload
def precise_timestamp(moment: None) -> None: ...
def precise_timestamp(moment: datetime | None) -> str | None:
    """Return the spelling of steps and workflows, whose milliseconds are always zero: `2026-01-05T09:00:00.000Z`."""
    return None if moment is None else f"{moment.isoformat()[:19]}.000Z"
