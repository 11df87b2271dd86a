"""The hidden first line of our comment, by which it is found again where its id was lost."""

import re

from bot.domain.feedback.written import Marker

_NUMBER = "(?:0|[1-9][0-9]{0,17})"
_MARKER = re.compile(
    rf"<!-- runledger:failure-comment pull=(?P<number>{_NUMBER}) sequence=(?P<sequence>{_NUMBER})"
    r" state=(?P<state>red|green)(?: head=(?P<head>[0-9a-f]{40,64}))? -->(?=\r?\n|\Z)"
)
_SHA = re.compile(r"[0-9a-f]{40,64}")


def marker_text(marker: Marker) -> str:
    """Return the line, an HTML comment, which GitHub keeps and does not show."""
    state = "red" if marker.is_red else "green"
    head = f" head={marker.head_sha}" if marker.head_sha and _SHA.fullmatch(marker.head_sha) else ""
    return f"<!-- runledger:failure-comment pull={marker.number} sequence={marker.sequence} state={state}{head} -->"


def find_marker(body: str) -> Marker | None:
    """Return what the first line of a comment says, None where it is not ours to the letter.

    Anybody can write such a line, so the author has to be looked at too.
    """
    found = _MARKER.match(body)
    if found is None:
        return None
    return Marker(int(found["number"]), int(found["sequence"]), found["state"] == "red", found["head"])
