"""Registering Apps."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.demo.github.state.accounts import App, Hook

if TYPE_CHECKING:
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.manifest import Manifest
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


@dataclass(frozen=True, slots=True)
class Secrets:
    """What GitHub thinks up for a new App; both are shown once."""

    client_secret: str
    webhook_secret: str


class Apps:
    """Operations on registrations of Apps."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def register(self, manifest: Manifest, owner: Account, secrets: Secrets) -> App:
        """Make an App of a manifest that was found to be in order; its hook is pinged if it is active."""
        number, hook_id = self._world.numbers.next("app"), self._world.numbers.next("hook")
        app = App(
            id=number,
            slug=slug_of(manifest.name),
            name=manifest.name,
            description=manifest.description,
            owner=owner,
            client_id=client_id_of(number),
            external_url=manifest.url,
            permissions=manifest.permissions,
            events=manifest.default_events,
            created_at=self._world.now(),
            hook=Hook(hook_id, secrets.webhook_secret, manifest.hook_url),
            client_secret=secrets.client_secret,
            public=manifest.public,
            callback_urls=manifest.callback_urls,
            setup_url=manifest.setup_url,
            setup_on_update=manifest.setup_on_update,
            request_oauth_on_install=manifest.request_oauth_on_install,
        )
        self._world.apps[number] = app
        if app.hook.url is not None:
            self._events.ping(app)
        return app

    def is_taken(self, name: str, owner: Account) -> bool:
        """Tell whether another App, or an account other than the owner, bears this name already."""
        slug = slug_of(name)
        named = self._world.find_account(slug)
        return any(app.slug == slug for app in self._world.apps.values()) or named not in {None, owner}


def client_id_of(number: int) -> str:
    """Return the client id of the App with this number, which tells nobody the number."""
    return f"Iv23li{hashlib.sha256(str(number).encode()).hexdigest()[:14]}"


def slug_of(name: str) -> str:
    """Return the name as it stands in an App's address."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
