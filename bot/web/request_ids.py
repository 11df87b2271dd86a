"""What a request is called, so that its line in the log can be found."""

import itertools
import re
import secrets
from collections.abc import Mapping

HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
# Unique is all that it must be: a random name for the process, and a number.
_PROCESS = secrets.token_hex(8)
_numbers = itertools.count(1)


def request_id(headers: Mapping[str, str]) -> str:
    """Return the name that the proxy in front gave a request, or else a new one."""
    return given_or_new(headers.get(HEADER))


def given_or_new(given: str | None) -> str:
    """Return a name that was given where it is one that can be kept, or else a new one."""
    return given if given is not None and _GIVEN.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return a name that no other request has."""
    return f"{_PROCESS}-{next(_numbers):x}"
