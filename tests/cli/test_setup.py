"""The commands without an App, and with one that the set-up page has registered."""

import asyncio
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.settings import Settings
from bot.setup import links
from bot.store.database import Database
from bot.store.registration import Registration, Secrets, keep_registration
from bot.store.sealing import Sealer
from tests import builders as make
from tests.cli.conftest import Command
from tests.cli.delivering import deliver, on
from tests.demo.stage import Receiver
from tests.flows.programs import run, serving
from tests.web.rooms import signature

ROOT = Path(__file__).parents[2]
KEY = "a key of more than thirty-two characters"
OURS = "https://runledger.example.org"
ANOTHER_KEY = "another key of more than thirty-two letters"


async def _keep(database: Database, github: SimulatedGitHub) -> None:
    app, addresses = github.app, github.world.addresses
    registration = Registration(
        app_id=app.id,
        slug=app.slug,
        name=app.name,
        owner_login="acme",
        html_url=f"{addresses.html}/apps/{app.slug}",
        client_id=app.client_id,
        api_url=addresses.api,
        server_url=addresses.html,
        public_url=OURS,
        secrets=Secrets(github.private_key_pem, github.webhook_secret, app.client_secret),
        created_at=datetime.now(UTC),
    )
    async with database.transaction() as tx:
        await keep_registration(tx, Sealer(KEY), registration, replacing=None)


@pytest.fixture
async def registered(monkeypatch: pytest.MonkeyPatch, record: str) -> AsyncIterator[SimulatedGitHub]:
    """Keep an App in the database that the commands find, and give the GitHub that knows it."""
    github = SimulatedGitHub(Clock(), seed=7)
    async with github, github.serve():
        await asyncio.to_thread(on, record, lambda database: _keep(database, github))
        monkeypatch.setenv("SECRET_KEY", KEY)
        yield github


def _faults(command: Command) -> list[str]:
    return [line for line in command("doctor").out.splitlines() if line.startswith("FAULT")]


async def test_doctor_asks_as_the_app_in_the_database(command: Command, registered: SimulatedGitHub) -> None:
    def work() -> None:
        told = command("doctor").out
        assert f"The App {registered.app.name} of acme is kept in the database, sealed." in told
        assert f"GitHub takes the credentials in the database: the App is {registered.app.slug} (id" in told
        assert f"it should lead to {OURS}/api/github/webhooks" in told or "has no URL" in told
        assert registered.webhook_secret not in told

    await asyncio.to_thread(work)


async def test_doctor_says_what_is_wrong_with_the_key(
    command: Command, registered: SimulatedGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        monkeypatch.setenv("SECRET_KEY", ANOTHER_KEY)
        assert "sealed under another SECRET_KEY" in "\n".join(_faults(command))
        monkeypatch.setenv("SECRET_KEY_PREVIOUS", KEY)
        assert "SECRET_KEY" not in "\n".join(_faults(command))
        monkeypatch.delenv("SECRET_KEY")
        monkeypatch.delenv("SECRET_KEY_PREVIOUS")
        faults = "\n".join(_faults(command))
        assert "SECRET_KEY is not set" in faults
        assert "can't be opened without the SECRET_KEY" in faults
        monkeypatch.setenv("SECRET_KEY", "short")
        assert "SECRET_KEY is shorter than 32 characters" in "\n".join(_faults(command))

    await asyncio.to_thread(work)


async def test_doctor_says_that_the_environment_wins(
    command: Command, registered: SimulatedGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_ID", "4711")
    told = await asyncio.to_thread(command, "doctor")
    assert "The environment names another App" in told.out


async def test_history_is_fetched_as_the_app_in_the_database(
    command: Command, registered: SimulatedGitHub, record: str
) -> None:
    organization = registered.add_organization("acme")
    repository = registered.repositories.create(organization, "rocket")
    installation = registered.installations.install(organization)
    home = make.repository("acme/rocket", id=repository.id, owner_id=organization.id)
    told = make.event("completed", repo=home, installation=installation.id, workflow_run=make.run())

    def work() -> None:
        deliver(record, [("workflow_run", told)])
        code, out, err = command("backfill", "--repo", "acme/rocket")
        assert (code, err, out.splitlines()[-1]) == (0, "", "acme/rocket: 0 of 0 runs, 0 jobs")

    await asyncio.to_thread(work)
    assert registered.rest.ledger.counts["apps/get-authenticated"] == 1


async def test_what_is_received_is_signed_with_the_secret_in_the_database(
    command: Command, registered: SimulatedGitHub, tmp_path: Path, aiohttp_server: Any
) -> None:
    file, receiver, app = tmp_path / "ping.json", Receiver(), web.Application()
    file.write_text("{}")
    app.router.add_post("/hook", receiver.take)
    address = str((await aiohttp_server(app)).make_url("/hook"))
    sent = await asyncio.to_thread(command, "receive", "--event", "ping", "--file", str(file), "--url", address)
    assert (sent.code, sent.err) == (0, "")
    ((headers, body),) = receiver.requests
    assert headers["X-Hub-Signature-256"] == signature(body, registered.webhook_secret)


@pytest.mark.parametrize("arguments", [("backfill", "--repo", "acme/rocket"), ("receive", "--event", "ping")])
async def test_commands_say_that_the_key_is_another(
    command: Command,
    registered: SimulatedGitHub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setenv("SECRET_KEY", ANOTHER_KEY)
    (tmp_path / "body").write_text("{}")
    more = ("--file", str(tmp_path / "body")) if arguments[0] == "receive" else ()
    code, out, err = await asyncio.to_thread(command, *arguments, *more)
    assert (code, out) == (1, "")
    assert err.startswith("runledger: a credential in the database can't be opened")
    assert err.count("\n") == 1


def test_a_link_is_printed_and_opens_once(command: Command, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("setup-link").err.startswith("runledger: SECRET_KEY is not set")
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("PUBLIC_URL", OURS)
    printed = [command("setup-link") for _ in range(2)]
    assert [(each.code, each.err) for each in printed] == [(0, "")] * 2
    tokens = [each.out.strip().removeprefix(f"{OURS}/setup/link/") for each in printed]
    assert tokens[0] != tokens[1]

    async def work(_: Database) -> list[bool]:
        now = datetime.now(UTC)
        return [await links.open_link(token, now) for token in (*tokens, *tokens)]

    assert on(record, work) == [True, True, False, False]


def test_serve_prints_a_link_or_what_it_needs(tmp_path: Path) -> None:
    with serving(tmp_path, WEBHOOK_SECRET=None, SECRET_KEY=KEY) as address:
        out = next(tmp_path.glob("service-*.out")).read_text
        _wait_for(out, "/setup/link/")
        assert re.findall(r"^  (http://127\.0\.0\.1:\d+)/setup/link/[\w-]{43}$", out(), re.MULTILINE) == [address]
    for file in tmp_path.glob("service-*.out"):
        file.unlink()
    with serving(tmp_path, WEBHOOK_SECRET=None):
        out = next(tmp_path.glob("service-*.out")).read_text
        _wait_for(out, "openssl rand -hex 32")
        assert "/setup/link/" not in out()


def _wait_for(read: Callable[[], str], part: str) -> None:
    for _ in range(500):
        if part in read():
            return
        time.sleep(0.02)
    pytest.fail(f"{part} was not printed")


def test_with_an_app_serve_prints_no_link(tmp_path: Path) -> None:
    with serving(tmp_path, SECRET_KEY=KEY) as address:
        assert address
        assert run(tmp_path, "setup-link", SECRET_KEY=KEY, WEBHOOK_SECRET=None).code == 0
    assert "/setup/link/" not in next(tmp_path.glob("service-*.out")).read_text()


def test_make_run_sees_to_a_key_first() -> None:
    planned = subprocess.run(["make", "run", "--dry-run"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert 0 < planned.index("bot.setup.env_file") < planned.index("bot serve")


def _see_to_a_key(folder: Path, **environment: str) -> str:
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-m", "bot.setup.env_file"]
    return subprocess.run(command, cwd=folder, env=told, check=True, capture_output=True, text=True).stdout


def test_a_file_with_a_key_is_written_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert "Wrote .env with a SECRET_KEY" in _see_to_a_key(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    settings = Settings(_env_file=file)
    assert settings.secret_key is not None
    assert len(settings.secret_key.get_secret_value()) == 64
    before = file.read_bytes()
    assert _see_to_a_key(tmp_path) == ""
    assert file.read_bytes() == before
