"""`app.yml`, the App's manifest: what it asks for, which installations may not have granted yet."""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

# In an installed package the manifest lies inside it; in a checkout at the top, where the owner wants it.
_PACKAGED = resources.files("bot") / "app.yml"
_CHECKOUT = Path(__file__).parents[2] / "app.yml"
_LEVELS = {"none": 0, "read": 1, "write": 2, "admin": 3}


class Grants(Struct, frozen=True):
    """What may be done, `read`, `write` or `admin` by resource, and the events that are sent."""

    permissions: dict[str, str]
    events: list[str]

    def beyond(self, other: "Grants") -> "Grants":
        """Return what these reach and `other` do not."""
        more = {what: level for what, level in self.permissions.items() if _rank(level) > other.rank(what)}
        return Grants(more, sorted(set(self.events) - set(other.events)))

    def within(self, other: "Grants") -> "Grants":
        """Return as much of these as `other` reach."""
        least = {what: min(level, other.level(what), key=_rank) for what, level in self.permissions.items()}
        common = {what: level for what, level in least.items() if _rank(level)}
        return Grants(common, [event for event in self.events if event in other.events])

    def level(self, what: str) -> str:
        return self.permissions.get(what, "none")

    def rank(self, what: str) -> int:
        return _rank(self.level(what))

    def listed(self) -> list[str]:
        """Return each of these in a few words."""
        return [f"{what}: {level}" for what, level in self.permissions.items()] + [
            f"{each} events" for each in self.events
        ]


def _rank(level: str) -> int:
    return _LEVELS.get(level, 0)


def read_manifest() -> dict[str, Any]:
    """Return the manifest as GitHub reads it: `default_permissions`, `default_events`, and more."""
    text = _PACKAGED.read_text() if _PACKAGED.is_file() else _CHECKOUT.read_text()
    manifest: dict[str, Any] = yaml.safe_load(text)
    return manifest


def asked_for() -> Grants:
    """Return what the manifest asks for."""
    manifest = read_manifest()
    return Grants(manifest["default_permissions"], manifest["default_events"])
