"""An organisation and its people at the simulated GitHub, and a browser to meet its pages with."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.state.accounts import Account
from tests.demo.browser import Browser, browsing
from tests.demo.client import Client, connected

SERVICE = "http://127.0.0.1:9"
MANIFEST: dict[str, Any] = {
    "name": "Acme Ledger",
    "url": "https://ledger.example",
    "redirect_url": f"{SERVICE}/setup/registered",
    "callback_urls": [f"{SERVICE}/login/callback"],
    "setup_url": f"{SERVICE}/setup/installed?from=github",
    "default_permissions": {"actions": "read", "checks": "write", "pull_requests": "write"},
    "default_events": ["workflow_run", "workflow_job", "pull_request", "repository"],
}


class Street:
    """Acme, which Mona owns, Ada is a member of and Eve is not, and a browser that somebody sits at."""

    def __init__(self, client: Client, browser: Browser) -> None:
        self.client, self.browser, self.github = client, browser, client.github
        self.acme = self.github.add_organization("acme")
        self.mona, self.ada, self.eve = (self.github.add_user(login) for login in ("mona", "ada", "eve"))
        self.github.people.add_owner(self.acme, self.mona)
        self.github.people.add_member(self.acme, self.ada)
        create = self.github.repositories.create
        self.rocket, self.vault = create(self.acme, "rocket"), create(self.acme, "vault", private=True)

    async def sign_in(self, person: Account) -> None:
        await self.browser.open("/login")
        await self.browser.press(f"Sign in as {person.login}")

    async def send(self, manifest: Any, where: str = "/organizations/acme/settings/apps/new?state=s%201") -> None:
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        await self.browser.open(where, manifest=text)

    async def register(self, where: str = "/organizations/acme/settings/apps/new?state=s%201", **changed: Any) -> Any:
        """Register as Mona, and return what the service is given."""
        await self.sign_in(self.mona)
        await self.send({**MANIFEST, **changed}, where)
        await self.browser.press("Create GitHub App")
        made = await self.client.post(f"/app-manifests/{self.browser.query['code']}/conversions")
        assert made.status == 201, made.body
        return made.body

    async def wait(self, seconds: float) -> None:
        assert isinstance(self.github.clock, ManualClock)
        await self.github.clock.advance(seconds)

    def authorize_url(self, **more: str) -> str:
        asked = {"client_id": self.github.app.client_id, **more}
        return "/login/oauth/authorize?" + "&".join(f"{name}={value}" for name, value in asked.items())

    async def exchange(self, **sent: str) -> dict[str, Any]:
        app = self.github.app
        form = {"client_id": app.client_id, "client_secret": app.client_secret, **sent}
        accept = {"Accept": "application/json"}
        reply = await self.client.ask(
            "POST", self.browser.home + "/login/oauth/access_token", form=form, headers=accept
        )
        told: dict[str, Any] = reply.body
        return told


@asynccontextmanager
async def street_without_app(**serving: Any) -> AsyncIterator[Street]:
    """Set it up with no App registered; `serving` is passed on, such as Enterprise Server's `api_path`."""
    github = SimulatedGitHub(ManualClock(), seed=7, registered=False)
    async with connected(github, **serving) as client, browsing(github.world.addresses.html) as browser:
        yield Street(client, browser)
