"""Reads the fields of a request's body, and refuses what does not meet GitHub's schema with GitHub's words."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.demo.github.rest.answers import Failure, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}


class Fields:
    """One object of a body; each field is taken once, and `done` refuses those that nobody took."""

    def __init__(self, body: Any, where: str = "") -> None:
        if not isinstance(body, dict):
            raise Failure(400, "Body should be a JSON object") if not where else invalid(f"{where} is not an object.")
        self._body = dict(body)
        self._where = where

    def __contains__(self, name: str) -> bool:
        return self._body.get(name) is not None

    def take(self, name: str, kind: type, *, required: bool = False) -> Any:
        """Return a field of this type, None where there is none."""
        value = self._body.pop(name, None)
        if value is None:
            if required:
                raise invalid(f'"{name}" wasn\'t supplied.')
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise invalid(f"For '{self._where}properties/{name}', {value!r} is not a {_NAMES[kind]}.")
        return value

    def text(self, name: str, *, required: bool = False, most: int | None = None) -> str | None:
        value: str | None = self.take(name, str, required=required)
        if value is not None and most is not None and len(value) > most:
            raise invalid(f"Only {most} characters are allowed; {len(value)} were supplied.")
        return value

    def required_text(self, name: str, *, most: int | None = None) -> str:
        value = self.text(name, required=True, most=most)
        if not value:
            raise invalid(f'"{name}" can\'t be blank.')
        return value

    def number(self, name: str, *, required: bool = False) -> int | None:
        value: int | None = self.take(name, int, required=required)
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> Any:
        """Return one of a few words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise invalid(f"For '{self._where}properties/{name}', {value} is not a member of {list(allowed)}.")
        return value

    def moment(self, name: str) -> datetime | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise invalid(f"For '{self._where}properties/{name}', {value} is not a valid date-time.")
        return found

    def object(self, name: str) -> Fields | None:
        value = self.take(name, dict)
        return None if value is None else Fields(value, f"{self._where}properties/{name}/")

    def objects(self, name: str, most: int) -> list[Fields] | None:
        """Return a list of objects, None where there is none."""
        values = self.take(name, list)
        if values is None:
            return None
        if len(values) > most:
            raise invalid(f"No more than {most} items are allowed; {len(values)} were supplied.")
        return [Fields(value, f"{self._where}properties/{name}/items/") for value in values]

    def done(self) -> None:
        """Refuse the fields that are left over."""
        for name in self._body:
            raise invalid(f'"{name}" is not a permitted key.')
