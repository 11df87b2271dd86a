"""No token, key or secret in a log line of any level, in an error, in the metrics, or in the database in plain."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import zstandard

from bot import access
from bot.demo.github import Fail, ScriptedFaults, SimulatedGitHub
from bot.demo.github.activity import green
from bot.demo.github.rest import Cut, RateLimited, ServerError
from bot.demo.github.rest.auth import Credentials
from bot.github import Client
from bot.github.errors import GitHubError
from bot.settings import Dialect, dialect_of
from tests.durability.books import rows_of
from tests.flows.disasters import Trial, from_a_fork, tried
from tests.flows.troubles import Meeting, Trouble
from tests.github import test_secrets

everything_logged = test_secrets.everything_logged

TABLES = {
    Dialect.SQLITE: "SELECT name FROM sqlite_master WHERE type = 'table'",
    Dialect.POSTGRESQL: "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
TROUBLE = Trouble((ServerError(500), Cut(answered=True), RateLimited(429, 30)), each=5)
OUTAGE = Trouble((ServerError(500), Cut(answered=True)))


@dataclass
class Handed:
    """What GitHub and the operator handed out, and what was shown to GitHub."""

    secrets: dict[str, set[str]] = field(default_factory=dict)

    def add(self, kind: str, *secrets: str) -> None:
        self.secrets.setdefault(kind, set()).update(secrets)

    def watch(self, github: SimulatedGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = [line for line in github.private_key_pem.splitlines() if not line.startswith("-----")]
        self.add("key", github.private_key_pem, *lines)
        self.add("webhook secret", github.webhook_secret)
        self.add("client secret", github.rest.client_secret)
        identify = Credentials.identify

        def note(credentials: Credentials, authorization: str | None) -> Any:
            if authorization is not None:
                value = authorization.partition(" ")[2]
                self.add("token" if value.startswith("ghs_") else "JWT", value.rpartition(".")[2])
            return identify(credentials, authorization)

        monkeypatch.setattr(Credentials, "identify", note)

    def found_in(self, text: str) -> list[str]:
        """Return the kinds of secrets that a text holds."""
        return [kind for kind, secrets in self.secrets.items() if any(secret in text for secret in secrets)]


async def dump(url: str) -> dict[str, str]:
    """Return each table's rows as one text, compressed bodies unpacked."""
    names = [name for (name,) in await rows_of(url, TABLES[dialect_of(url)])]
    return {name: "\n".join(map(plain, await rows_of(url, f'SELECT * FROM "{name}"'))) for name in names}


def plain(row: tuple[Any, ...]) -> str:
    return "\t".join(_plain(value) for value in row)


def _plain(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    with suppress(zstandard.ZstdError):
        return zstandard.ZstdDecompressor().decompress(value, max_output_size=2**24).decode("latin-1")
    return value.decode("latin-1")


@dataclass
class Errors:
    """Whatever may be printed of the errors that GitHub's answers became."""

    told: list[str] = field(default_factory=list)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("get", "post", "fetch_token"):
            monkeypatch.setattr(Client, name, self._watched(getattr(Client, name)))

    def _watched(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **options: Any) -> Any:
            try:
                return await method(*args, **options)
            except GitHubError as error:
                self.told.append(test_secrets.all_texts(error))
                raise

        return call


async def live(trial: Trial) -> None:
    """Lose deliveries and have them brought again, lose tokens, and be suspended for a while."""
    lost = trial.github.webhooks.faults = ScriptedFaults()
    lost.add(Fail(), times=None)
    await trial.play(green)
    await trial.stage.awaiting(trial.github.settle())
    lost.clear()
    trial.github.rest.credentials = Credentials(trial.clock, trial.github.world, seed=99)
    await trial.pass_time(timedelta(minutes=30))
    trial.github.installations.suspend(trial.stage.installation)
    await trial.pass_time(timedelta(hours=2))
    trial.github.installations.unsuspend(trial.stage.installation)
    await trial.play(from_a_fork)
    await trial.pass_time(timedelta(hours=2))


async def outlast(trial: Trial) -> None:
    """Get no proper answer of GitHub for longer than anybody keeps on asking, so that errors are certain."""
    usual, trial.github.rest.faults = trial.github.rest.faults, Meeting(OUTAGE)
    await trial.pass_time(timedelta(hours=2))
    trial.github.rest.faults = usual
    await trial.pass_time(timedelta(hours=2))


async def ask(trial: Trial, token: str) -> AsyncIterator[str]:
    """Yield what the service answers, to those who may and to those who may not."""
    runs = f"/api/integrations/github/workflow-runs?team={trial.stage.team}"
    async with aiohttp.ClientSession(trial.stage.address) as session:
        for path in ("/metrics", "/readyz", runs, f"{runs}&limit=x", "/api/github/webhooks", "/nothing"):
            for bearer in (token, f"{token}x"):
                async with session.get(path, headers={"Authorization": f"Bearer {bearer}"}) as response:
                    yield await response.text()
        forged = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": "sha256=0"}
        async with session.post("/api/github/webhooks", json={}, headers=forged) as refused:
            yield await refused.text()


async def test_no_secret_comes_to_light(
    migrated_url: str, everything_logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed, errors = Handed(), Errors()
    errors.watch(monkeypatch)

    def prepare(github: SimulatedGitHub) -> None:
        handed.watch(github, monkeypatch)
        github.rest.faults = Meeting(TROUBLE)

    async with tried(migrated_url, prepare) as trial:
        token = await access.create_token(trial.stage.team, "reader", trial.clock.now())
        handed.add("API token", token)
        await live(trial)
        await outlast(trial)
        shown = [text async for text in ask(trial, token)]
        assert await trial.faults() == []
    tables = await dump(migrated_url)
    assert set(handed.secrets) == {"key", "webhook secret", "client secret", "token", "JWT", "API token"}
    assert len(errors.told) > 3
    assert "runledger_github_requests" in shown[0]
    assert {"delivery", "lease", "api_token", "workflow_run"} <= set(tables)
    texts = {
        "logs": everything_logged.getvalue(),
        "errors": "\n".join(errors.told),
        "answers": "\n".join(shown),
        **tables,
    }
    found = {where: handed.found_in(text) for where, text in texts.items()}
    assert {where: kinds for where, kinds in found.items() if kinds} == {}
