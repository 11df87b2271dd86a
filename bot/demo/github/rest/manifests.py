"""Registering Apps: what was sent to be made one, and the exchange of the code that comes of it.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bot.demo.github.operations.apps import Secrets, slug_of
from bot.demo.github.payloads import accounts
from bot.demo.github.rest.answers import Answer, not_found
from bot.demo.github.rest.keys import private_pem

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.manifest import Manifest

# From the manifest to the page, and from there to the exchange.
STEP_LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """A manifest as it was sent, which a person has yet to agree to; `organization` is a login, None for their own."""

    text: str
    organization: str | None
    state: str | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Registration:
    """A manifest that a person has agreed to, until its code is exchanged."""

    manifest: Manifest
    owner: Account
    until: datetime


def agree(ask: Ask, manifest: Manifest, owner: Account, state: str | None) -> Answer:
    """Lead back to where the manifest says with a code for the App that is to be made."""
    rest = ask.github.rest
    code = rest.credentials.random_text(40)
    rest.registrations[code] = Registration(manifest, owner, ask.at + STEP_LASTS)
    asked = {"code": code} if state is None else {"code": code, "state": state}
    mark = "&" if "?" in manifest.redirect_url else "?"
    return Answer(302, None, {"Location": f"{manifest.redirect_url}{mark}{urlencode(asked)}"})


def is_taken(ask: Ask, name: str, owner: Account) -> bool:
    """Tell whether an App cannot have this name; one that is about to be made keeps its name for the hour."""
    pending = (one for one in ask.github.rest.registrations.values() if ask.at < one.until)
    reserved = any(slug_of(one.manifest.name) == slug_of(name) for one in pending)
    return reserved or ask.github.apps.is_taken(name, owner)


def create_from_manifest(ask: Ask) -> Answer:
    """Make the App and hand out its credentials, once for each code and within the hour."""
    rest = ask.github.rest
    registration = rest.registrations.pop(ask.path["code"], None)
    if registration is None or ask.at >= registration.until:
        raise not_found()
    made_up = Secrets(rest.credentials.random_text(40), rest.credentials.random_text(40))
    app = ask.github.apps.register(registration.manifest, registration.owner, made_up)
    secrets = {
        "client_secret": app.client_secret,
        "webhook_secret": app.hook.secret,
        "pem": private_pem(app.id),
    }
    return Answer(201, {**accounts.app(ask.addresses, app), **secrets})
