"""An App's manifest, read as strictly as GitHub reads it.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest#github-app-manifest-parameters
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.demo.github.state.permissions import LEVELS, SUBSCRIBABLE, events_allowed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_NAME = 34
MOST_CALLBACKS = 10
_KINDS: dict[str, type] = {
    "name": str,
    "url": str,
    "redirect_url": str,
    "setup_url": str,
    "description": str,
    "hook_attributes": dict,
    "callback_urls": list,
    "default_events": list,
    "default_permissions": dict,
    "public": bool,
    "request_oauth_on_install": bool,
    "setup_on_update": bool,
}
_WORDS = {str: "a string", bool: "a boolean", list: "an array", dict: "an object"}
_HOOK_KINDS: dict[str, type] = {"url": str, "active": bool}


class InvalidManifest(Exception):
    """A manifest that no App can be made of; `problems` are sentences for the person who sent it."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an App is to be; `hook_url` is None where its hook is to be silent. The name may be left to the person."""

    url: str
    redirect_url: str
    name: str = ""
    description: str = ""
    public: bool = False
    hook_url: str | None = None
    callback_urls: tuple[str, ...] = ()
    setup_url: str | None = None
    setup_on_update: bool = False
    request_oauth_on_install: bool = False
    default_events: tuple[str, ...] = ()
    default_permissions: dict[str, str] = field(default_factory=dict)

    @property
    def permissions(self) -> dict[str, str]:
        """What the App will have: every one may read metadata."""
        return {"metadata": "read", **self.default_permissions}


def read_manifest(text: str) -> Manifest:
    """Return the manifest in a JSON text; InvalidManifest says all that is wrong with it."""
    try:
        told = json.loads(text)
    except ValueError:
        raise InvalidManifest("The manifest is no JSON.") from None
    if not isinstance(told, dict):
        raise InvalidManifest("The manifest is no JSON object.")
    problems = [*_misshapen(told, _KINDS, ("url", "redirect_url")), *_misshapen_hook(told)]
    if not problems:
        problems = list(_unacceptable(told))
    if problems:
        raise InvalidManifest(*problems)
    return _manifest(told)


def name_problem(name: str) -> str | None:
    """Return what is wrong with an App's name by itself."""
    if not name.strip():
        return "Name can't be blank"
    return f"Name is too long (maximum is {LONGEST_NAME} characters)" if len(name) > LONGEST_NAME else None


def _manifest(told: dict[str, Any]) -> Manifest:
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    hook = known.pop("hook_attributes", None) or {}
    values = {name: value for name, value in known.items() if value is not None}
    return Manifest(**values, hook_url=hook.get("url") if hook.get("active", True) else None)


def _misshapen(told: dict[str, Any], kinds: dict[str, type], required: tuple[str, ...]) -> Iterator[str]:
    for name in required:
        if not told.get(name):
            yield f'"{name}" wasn\'t supplied.'
    for name, value in told.items():
        if name not in kinds:
            yield f'"{name}" is not a permitted key.'
        elif value is not None and not isinstance(value, kinds[name]):
            yield f"For 'properties/{name}', {value!r} is not {_WORDS[kinds[name]]}."


def _misshapen_hook(told: dict[str, Any]) -> Iterator[str]:
    hook = told.get("hook_attributes")
    if isinstance(hook, dict):
        yield from _misshapen(hook, _HOOK_KINDS, ("url",))


def _unacceptable(told: dict[str, Any]) -> Iterator[str]:
    if told.get("name") and (problem := name_problem(told["name"])):
        yield problem
    yield from _bad_addresses(told)
    permissions = told.get("default_permissions") or {}
    for name, level in permissions.items():
        if name not in LEVELS:
            yield f"Default permission records resource is not included in the list: {name}"
        elif level not in LEVELS[name]:
            yield f"Default permission records action is not included in the list: {name}: {level}"
    yield from _bad_events(told.get("default_events") or [], permissions)


def _bad_addresses(told: dict[str, Any]) -> Iterator[str]:
    callbacks = told.get("callback_urls") or []
    if len(callbacks) > MOST_CALLBACKS:
        yield f"Callback urls are too many (maximum is {MOST_CALLBACKS})"
    hook_url = (told.get("hook_attributes") or {}).get("url")
    named = [(name.capitalize().replace("_", " "), told.get(name)) for name in ("url", "redirect_url", "setup_url")]
    for name, url in (*named, ("Hook url", hook_url), *(("Callback url", one) for one in callbacks)):
        if url and not _is_address(url):
            yield f"{name} must be a valid URL"
    if hook_url and _is_address(hook_url) and not _is_safe(hook_url):
        yield "Hook url must use https unless it leads to loopback"


def _bad_events(told: list[Any], permissions: dict[str, str]) -> Iterator[str]:
    events, allowed = [str(event) for event in told], events_allowed_by(permissions)
    unknown = [event for event in events if event not in SUBSCRIBABLE]
    barred = [event for event in events if event not in allowed]
    if unknown:
        yield f"Default events unsupported: {', '.join(unknown)}"
    if barred:
        yield f"Default events are not supported by permissions: {', '.join(barred)}"


def _is_address(url: object) -> bool:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return parts.scheme == "https" or ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
