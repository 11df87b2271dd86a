"""Answers and refusals in GitHub's shapes.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOCUMENTATION = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a body to be sent as JSON (None: none at all), or text as it is."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Failure(Exception):
    """A request that is refused; `errors` is the list that GitHub adds to a 422."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        documentation: str = DOCUMENTATION,
    ) -> None:
        super().__init__(message)
        body: dict[str, Any] = {"message": message, "documentation_url": documentation, "status": str(status)}
        if errors:
            body["errors"] = [dict(error) for error in errors]
        self.answer = Answer(status, body, headers or {})


def not_found() -> Failure:
    """Return what is said of everything that is not there or not to be seen."""
    return Failure(404, "Not Found")


def invalid(problem: str) -> Failure:
    """Return the refusal of a body that does not meet its schema."""
    return Failure(422, f"Invalid request.\n\n{problem}")


def unprocessable(resource: str, field_: str, message: str, code: str = "custom") -> Failure:
    """Return the refusal of a value that GitHub will not take."""
    error = {"resource": resource, "code": code, "field": field_, "message": message}
    return Failure(422, "Validation Failed", errors=[error])
