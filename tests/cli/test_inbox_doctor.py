"""`inbox`, `doctor` and `migrate`: what an operator looks at."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.checks.answers import WEBHOOK_PATH
from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.faults import Fail, ScriptedFaults
from bot.demo.github.state.accounts import Installation
from bot.store import health
from bot.store.database import Database
from tests import builders as make
from tests.cli.conftest import Command
from tests.cli.delivering import NULL_JOB, deliver, on, run_event
from tests.demo.stage import set_stage
from tests.flows.programs import run, serving

PUBLIC_URL = "https://runledger.example.org"
CANARY = "canary-secret"


def _states(command: Command, *options: str) -> dict[str, str]:
    return {line.split()[1]: line.split()[3] for line in command("inbox", "list", *options).out.splitlines()}


def test_deliveries_are_listed_and_replayed(command: Command, record: str) -> None:
    star, dead, good = deliver(record, [("star", b"{}"), NULL_JOB, run_event()])
    assert _states(command) == {star: "ignored", dead: "dead", good: "handled"}
    assert len(_states(command, "--limit", "1")) == 1
    line = command("inbox", "list", "--state", "dead").out
    assert line.count("\n") == 1
    assert all(word in line for word in (dead, "workflow_job", "dead", "null"))
    assert command("inbox", "replay", dead, good).out == "2 put back in line\n"
    assert _states(command) == {star: "ignored", dead: "waiting", good: "waiting"}
    deliver(record, [])
    assert _states(command) == {star: "ignored", dead: "dead", good: "handled"}
    assert command("inbox", "replay", "--dead").out == "1 put back in line\n"
    assert _states(command, "--state", "waiting") == {dead: "waiting"}


def test_what_can_not_be_replayed_is_named(command: Command, sqlite_record: str) -> None:
    star, good = deliver(sqlite_record, [("star", b"{}"), run_event()])
    code, out, err = command("inbox", "replay", star, good, "nobody's")
    assert (code, out) == (1, "1 put back in line\n")
    assert [line.split()[1] for line in err.splitlines()] == [star, "nobody's"]


def test_migrate_is_done_once(command: Command, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert command("migrate").out.startswith("applied 0001_initial")
    assert command("migrate").out == "the database is at the newest schema\n"
    assert command("team", "list").code == 0


@pytest.fixture
async def github(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedGitHub]:
    """Let the commands find a GitHub on loopback whose App is set, and give it."""
    github = SimulatedGitHub(Clock(), seed=7, webhook_secret=CANARY)
    async with github, github.serve() as address:
        for name, value in _settings(github, address).items():
            monkeypatch.setenv(name, value)
        yield github


def _settings(github: SimulatedGitHub, address: str) -> dict[str, str]:
    return {
        "APP_ID": str(github.app.id),
        "PRIVATE_KEY": github.private_key_pem,
        "WEBHOOK_SECRET": CANARY,
        "GITHUB_API_URL": address,
        "PUBLIC_URL": PUBLIC_URL,
    }


def _install(github: SimulatedGitHub) -> Installation:
    """Install the App while nothing is delivered, then let its webhook lead to where it should."""
    installation = github.installations.install(github.add_organization("octo-org"))
    github.webhooks.url = PUBLIC_URL + WEBHOOK_PATH
    return installation


def _beat(url: str, age: timedelta) -> None:
    async def work(_: Database) -> None:
        await health.beat("a worker", datetime.now(UTC) - age)

    on(url, work)


def _faults(command: Command) -> tuple[int, str]:
    code, out, err = command("doctor")
    assert not err
    assert CANARY not in out
    lines = out.splitlines()
    assert all(line.startswith(("ok   ", "FAULT")) and line.endswith(".") for line in lines)
    return code, "\n".join(line for line in lines if line.startswith("FAULT"))


async def test_doctor_finds_nothing_where_all_is_well(command: Command, record: str, github: SimulatedGitHub) -> None:
    number = _install(github).id

    def work() -> None:
        deliver(
            record, [("installation", make.installation_event("created", id=number)), run_event(installation=number)]
        )
        _beat(record, timedelta(seconds=1))
        assert _faults(command) == (0, "")
        assert f"Installation {number}: the last delivery came 0 min ago" in command("doctor").out

    await asyncio.to_thread(work)


async def test_doctor_finds_nothing_where_the_service_runs_beside_github(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    """Both as processes of their own; GitHub delivers to the one, and the other asks GitHub how that went."""
    settings = _settings(github, github.world.addresses.api)
    with ExitStack() as stack:
        address = await asyncio.to_thread(stack.enter_context, serving(tmp_path, **settings))
        github.webhooks.url = address + WEBHOOK_PATH
        set_stage(github)
        await github.settle()
        doctor = await asyncio.to_thread(run, tmp_path, "doctor", **settings | {"PUBLIC_URL": address})
        await asyncio.to_thread(stack.close)
    assert (doctor.code, doctor.err, "FAULT" in doctor.out) == (0, "", False)
    assert "was answered with 202; none of the newest" in doctor.out


async def test_doctor_names_each_fault(command: Command, sqlite_record: str, github: SimulatedGitHub) -> None:
    installation = _install(github)
    installation.permissions = {"metadata": "read", "actions": "read", "pull_requests": "read"}
    github.app.events = ("workflow_run", "pull_request", "repository")
    github.webhooks.url = f"https://u:{CANARY}@elsewhere.example.org/hook?{CANARY}"
    github.webhooks.faults = script = ScriptedFaults()
    script.add(Fail(), times=None)
    github.ping()
    await github.settle()
    suspended = github.installations.install(github.add_organization("paused"))
    github.installations.suspend(suspended)
    await github.settle()

    def work() -> None:
        deliver(sqlite_record, [NULL_JOB])
        code, faults = _faults(command)
        wanted = (
            "The App does not ask for workflow_job events",
            "leads to https://elsewhere.example.org/hook, but by PUBLIC_URL it should lead to https://runledger.",
            "failed with 502, failed to connect to host; 3 of the newest 3 failed",
            "(octo-org) does not grant checks: write",
            "(octo-org) does not grant pull_requests: write",
            "(paused) is suspended",
            "1 delivery is dead",
            "No worker is alive",
        )
        assert [words for words in wanted if words not in faults] == []
        assert (code, faults.count("\n")) == (1, len(wanted) - 1)

    await asyncio.to_thread(work)


async def test_doctor_tells_a_key_that_is_not_the_apps_and_no_word_of_it(
    command: Command, sqlite_record: str, github: SimulatedGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    monkeypatch.setenv("PRIVATE_KEY", pem)
    code, out, err = await asyncio.to_thread(command, "doctor")
    assert (code, err) == (1, "")
    assert f"GitHub does not take PRIVATE_KEY as a key of the App with APP_ID {github.app.id}" in out
    secrets = [CANARY, "PRIVATE KEY", "eyJ", *pem.splitlines()[1:-1]]
    assert [secret for secret in secrets if secret in out] == []


async def test_doctor_asks_the_record_where_no_app_is_set(
    command: Command, sqlite_record: str, github: SimulatedGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APP_ID")
    code, faults = await asyncio.to_thread(_faults, command)
    assert code == 1
    assert "APP_ID is not set" in faults
    assert "not installed anywhere, as far as any delivery tells" in faults
    assert not github.rest.ledger.calls


@pytest.mark.parametrize("url", ["postgres://u:pass-word@127.0.0.1:1/x", "sqlite:///nonexistent/folder/x.sqlite3"])
def test_doctor_says_that_the_database_is_away(command: Command, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    code, faults = _faults(command)
    assert (code, "can't be reached" in faults, "pass-word" in faults) == (1, True, False)


def test_doctor_says_that_the_schema_is_old(command: Command, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    code, faults = _faults(command)
    assert (code, "runledger migrate" in faults) == (1, True)


def test_settings_come_from_a_file_too(command: Command, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={sqlite_url}\nLOG_LEVEL=debug\n")
    assert command("migrate").code == 0
    assert json.dumps(command("team", "list")) == json.dumps([0, "", ""])
