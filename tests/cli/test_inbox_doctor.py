"""`inbox`, `doctor` and `migrate`: what an operator looks at."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.store import health
from bot.store.database import Database
from tests import builders as make
from tests.cli.conftest import Command
from tests.cli.delivering import NULL_JOB, deliver, on, run_event


def _states(command: Command, *options: str) -> dict[str, str]:
    return {line.split()[1]: line.split()[3] for line in command("inbox", "list", *options).out.splitlines()}


def test_deliveries_are_listed_and_replayed(command: Command, record: str) -> None:
    star, dead, good = deliver(record, [("star", b"{}"), NULL_JOB, run_event()])
    assert _states(command) == {star: "ignored", dead: "dead", good: "handled"}
    assert list(_states(command, "--limit", "1")) == [good]
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
def _an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    settings = {"APP_ID": "1", "PRIVATE_KEY": pem, "WEBHOOK_SECRET": "it is a secret"}
    for name, value in {**settings, "PUBLIC_URL": "https://runledger.example.org"}.items():
        monkeypatch.setenv(name, value)


def _beat(url: str, age: timedelta) -> None:
    async def work(_: Database) -> None:
        await health.beat("a worker", datetime.now(UTC) - age)

    on(url, work)


def _faults(command: Command) -> tuple[int, str]:
    code, out, err = command("doctor")
    assert not err
    lines = out.splitlines()
    assert all(line.startswith(("ok   ", "FAULT")) and line.endswith(".") for line in lines)
    return code, "\n".join(line for line in lines if line.startswith("FAULT"))


@pytest.mark.usefixtures("_an_app")
def test_doctor_finds_nothing_where_all_is_well(command: Command, record: str) -> None:
    deliver(record, [("installation", make.installation_event("created")), run_event()])
    _beat(record, timedelta(seconds=1))
    assert _faults(command) == (0, "")
    assert "Installation 71: the last delivery came 0 min ago" in command("doctor").out


@pytest.mark.usefixtures("_an_app")
def test_doctor_names_each_fault(command: Command, sqlite_record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, faults = _faults(command)
    assert (code, faults.count("\n")) == (1, 1)
    assert "No worker is alive" in faults
    assert "not installed anywhere" in faults
    granted = {"metadata": "read", "actions": "read", "pull_requests": "read"}
    lesser = make.installation_event("created", permissions=granted, events=["workflow_run", "pull_request"])
    deliver(sqlite_record, [("installation", lesser), NULL_JOB])
    _beat(sqlite_record, timedelta(minutes=5))
    code, faults = _faults(command)
    wanted = ("grant checks: write", "grant pull_requests: write", "send workflow_job", "send repository")
    assert all(words in faults for words in (*wanted, "1 deliveries are dead", "No worker is alive"))
    assert (code, faults.count("\n")) == (1, 5)
    suspended = make.installation_event("suspend", suspended_at=1790000000)
    deliver(sqlite_record, [("installation", suspended)])
    assert "(octo-org) is suspended" in _faults(command)[1]
    monkeypatch.delenv("APP_ID")
    assert "APP_ID is not set" in _faults(command)[1]


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
