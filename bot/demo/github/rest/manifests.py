"""Registering the App from a manifest: the page that takes it, and the exchange of the code that comes of it.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest

There is one App here, so that a registration gives it a new shape: name, address, hook, permissions and events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from bot.demo.github.payloads import accounts
from bot.demo.github.rest.answers import Answer, Failure, not_found

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.rest.asking import Ask

_CODE_LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Registration:
    """A manifest that was sent, until its code is exchanged."""

    manifest: dict[str, Any]
    organization: str | None
    until: datetime


def register(ask: Ask) -> Answer:
    """Take the form field `manifest` and lead back to its `redirect_url` with a code, as if a person had agreed."""
    manifest = _manifest(ask.body)
    rest = ask.github.rest
    code = rest.credentials.random_text(40)
    rest.registrations[code] = Registration(manifest, ask.path.get("org"), ask.at + _CODE_LASTS)
    asked = {"code": code, "state": ask.query["state"]} if "state" in ask.query else {"code": code}
    return Answer(302, None, {"Location": f"{manifest['redirect_url']}?{urlencode(asked)}"})


def create_from_manifest(ask: Ask) -> Answer:
    """Hand out the App's credentials, once for each code and within the hour."""
    rest, app = ask.github.rest, ask.github.app
    registration = rest.registrations.pop(ask.path["code"], None)
    if registration is None or ask.at >= registration.until:
        raise not_found()
    manifest = registration.manifest
    app.name, app.slug = manifest["name"], manifest["name"].lower().replace(" ", "-")
    app.external_url, app.description = manifest["url"], manifest.get("description", "")
    app.permissions = {"metadata": "read", **manifest.get("default_permissions", {})}
    app.events = tuple(manifest.get("default_events", ()))
    hook = manifest.get("hook_attributes", {})
    if hook.get("active", True) and hook.get("url"):
        ask.github.webhooks.url = hook["url"]
    owner = next((one for one in ask.world.accounts.values() if one.login == registration.organization), None)
    app.owner = owner or app.owner
    secrets = {
        "client_secret": rest.client_secret,
        "webhook_secret": ask.github.webhook_secret,
        "pem": rest.credentials.private_key_pem,
    }
    return Answer(201, {**accounts.app(ask.addresses, app), **secrets})


def _manifest(body: Any) -> dict[str, Any]:
    try:
        manifest = orjson.loads(body["manifest"])
    except (KeyError, TypeError, orjson.JSONDecodeError):
        raise Failure(422, "Invalid manifest") from None
    if not isinstance(manifest, dict) or not all(manifest.get(key) for key in ("name", "url", "redirect_url")):
        raise Failure(422, "Invalid manifest")
    return manifest
