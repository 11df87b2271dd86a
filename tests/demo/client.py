"""A client of the simulated GitHub that does only what it is told: no retries, no waiting, no caches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt

from bot.demo.github import SimulatedGitHub
from bot.demo.github.state.accounts import Installation
from tests.demo.conformance import AnswersHeld


@dataclass
class Reply:
    """What came back; header names are looked up in any case."""

    status: int
    headers: Any
    body: Any

    def links(self) -> dict[str, str]:
        parts = [part.split("; rel=") for part in self.headers.get("Link", "").split(", ") if part]
        return {relation.strip('"'): address.strip("<>") for address, relation in parts}


@dataclass
class Client:
    """Asks as nobody; `as_app` and `as_installation` ask as somebody."""

    github: SimulatedGitHub
    session: aiohttp.ClientSession
    address: str
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def as_app(self, **claims: Any) -> "Client":
        """Sign a JWT as the App's documentation asks, with other claims where given."""
        now = int(self.github.clock.now().timestamp())
        told = {"iat": now - 60, "exp": now + 540, "iss": str(self.github.app.id), **claims}
        signed = jwt.encode({k: v for k, v in told.items() if v is not None}, self.github.private_key_pem, "RS256")
        return self.bearing(signed)

    async def as_installation(self, installation: Installation, **body: Any) -> "Client":
        """Have a token made and use it."""
        reply = await self.as_app().post(f"/app/installations/{installation.id}/access_tokens", body)
        assert reply.status == 201, reply.body
        return self.bearing(reply.body["token"])

    def bearing(self, token: str) -> "Client":
        return Client(self.github, self.session, self.address, token, self.headers)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, body: Any = None) -> Reply:
        return await self.ask("POST", path, body)

    async def patch(self, path: str, body: Any) -> Reply:
        return await self.ask("PATCH", path, body)

    async def ask(self, method: str, path: str, body: Any = None, *, headers: Any = None, form: Any = None) -> Reply:
        authorization = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        url = path if path.startswith("http") else self.address + path
        sent = {**self.headers, **authorization, **(headers or {})}
        async with self.session.request(
            method, url, json=body, data=form, headers=sent, allow_redirects=False
        ) as response:
            is_json = response.content_type == "application/json"
            content = await response.read()
            return Reply(response.status, response.headers, await response.json() if is_json else content.decode())

    async def walk(self, path: str) -> list[Reply]:
        """Follow `next` to the end."""
        replies = [await self.get(path)]
        while following := replies[-1].links().get("next"):
            replies.append(await self.get(following))
        return replies


@asynccontextmanager
async def connected(github: SimulatedGitHub, **serving: Any) -> AsyncIterator[Client]:
    """Serve the simulation and connect to it."""
    async with github.serve(**serving) as address, aiohttp.ClientSession() as session:
        yield Client(github, session, address)
    await github.close()


@asynccontextmanager
async def held(github: SimulatedGitHub, every: int = 1) -> AsyncIterator[Client]:
    """Do the same, and hold each `every`th answer to what GitHub publishes of it."""
    github.rest.on_answer = answers = AnswersHeld(every)
    async with connected(github) as client:
        yield client
    assert answers.faults == []
