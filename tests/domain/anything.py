"""Strategies for what no one should send: anything at all, and GitHub's bodies with something spoilt in them."""

from typing import Any

from hypothesis import strategies as st

from bot import events
from tests.domain.sent import Path, changed, paths, sent, without

# These have no moment in UTC within the calendar.
BEYOND = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
EVENTS = st.sampled_from(sorted(events.ACTED_ON))

_texts = st.text() | st.sampled_from(("\0", "\ud800", "2026-11-02T12:00:00Z", *BEYOND, "x" * 600, "completed"))
_numbers = st.integers() | st.sampled_from((2**31, 2**63, 2**70, -1)) | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, Any]:
    """Draw a body of which up to three values were taken out or replaced by anything."""
    event = draw(EVENTS)
    body: Any = sent(event)
    for _ in range(draw(st.integers(1, 3))):
        path: Path = draw(st.sampled_from([path for path, _ in paths(body)]))
        is_taken_out: bool = draw(st.booleans())
        body = without(body, path) if path and is_taken_out else changed(body, path, draw(VALUES))
        if not isinstance(body, dict):
            break
    return event, body
