"""A user's mistake is one plain sentence on stderr and exit code 1, never a traceback."""

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.delivering import deliver, run_event
from tests.flows import programs

UNREACHABLE = "postgres://someone:pass-word@127.0.0.1:1/runledger"
ON_A_DATABASE = [
    ["inbox", "list"],
    ["inbox", "replay", "--dead"],
    ["team", "list"],
    ["team", "rename", "a", "b"],
    ["team", "link", "--installation", "1", "--team", "a"],
    ["token", "create", "--team", "a", "--name", "b"],
    ["token", "list"],
    ["token", "revoke", "1"],
]


def _is_one_sentence(err: str, *words: str) -> bool:
    assert err.startswith("runledger: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert "pass-word" not in err
    return all(word in err for word in words)


@pytest.mark.parametrize("arguments", ON_A_DATABASE, ids=" ".join)
def test_a_database_that_is_not_migrated(
    command: Command, monkeypatch: pytest.MonkeyPatch, sqlite_url: str, arguments: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    code, out, err = command(*arguments)
    assert (code, out) == (1, "")
    assert _is_one_sentence(err, "runledger migrate")


@pytest.mark.parametrize("url", [UNREACHABLE, "sqlite:///nonexistent/folder/x.sqlite3", "sqlite:///etc/hostname"])
@pytest.mark.parametrize("arguments", [["team", "list"], ["migrate"], ["inbox", "list"]], ids=" ".join)
def test_no_database(command: Command, monkeypatch: pytest.MonkeyPatch, url: str, arguments: list[str]) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    code, out, err = command(*arguments)
    assert (code, out) == (1, "")
    assert _is_one_sentence(err, "the database can't be used")


@pytest.mark.parametrize("url", [UNREACHABLE, "sqlite:///nonexistent/folder/x.sqlite3"])
@pytest.mark.parametrize("arguments", [("serve",), ("worker",), ("team", "list")], ids=" ".join)
def test_no_database_as_a_process(tmp_path: Path, url: str, arguments: tuple[str, ...]) -> None:
    # Threads that outlive the loop speak up only when the process ends.
    code, out, err = programs.run(tmp_path, *arguments, DATABASE_URL=url)
    assert (code, out) == (1, "")
    assert _is_one_sentence(err, "the database can't be used")


WRONG_SETTINGS = [
    ("DATABASE_URL", "mysql://pass-word@host/name"),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "postgres://u:pass-word@127.0.0.1/x?sslmode=perhaps"),
    ("PORT", "http"),
    ("PORT", "65536"),
    ("PUBLIC_URL", "example.org"),
    ("APP_ID", "me"),
    ("PRIVATE_KEY", "pass-word"),
    ("PRIVATE_KEY_PATH", "/nonexistent"),
    ("RETENTION_DAYS", "-1"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_SETTINGS)
def test_a_wrong_setting_is_named(command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "it is a secret")
    monkeypatch.setenv(name, value)
    for arguments in (["serve"], ["team", "list"]):
        code, out, err = command(*arguments)
        assert (code, out) == (1, "")
        assert _is_one_sentence(err, name)


def test_deliveries_can_not_be_verified_without_a_secret(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ID", "1")
    for secret in ("", None):
        if secret is not None:
            monkeypatch.setenv("WEBHOOK_SECRET", secret)
        code, _, err = command("serve")
        assert code == 1
        assert _is_one_sentence(err, "WEBHOOK_SECRET")


def test_a_dyno_has_no_disk(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNO", "web.1")
    code, _, err = command("serve")
    assert code == 1
    assert _is_one_sentence(err, "Heroku")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_is_taken(tmp_path: Path, migrated_sqlite: str, taken_port: int) -> None:
    arguments = ("serve", "--host", "127.0.0.1", "--port", str(taken_port))
    code, _, err = programs.run(tmp_path, *arguments, DATABASE_URL=migrated_sqlite)
    assert code == 1
    assert _is_one_sentence(err, f"can't listen on 127.0.0.1 port {taken_port}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "ftp://127.0.0.1", "nonsense", "http://[::1", "http://127.0.0.1:x"]
)
def test_nobody_to_receive(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "it is a secret")
    file = tmp_path / "ping.json"
    file.write_text("{}")
    code, out, err = command("receive", "--event", "ping", "--file", str(file), "--url", url)
    assert (code, out) == (1, "")
    assert _is_one_sentence(err, "nobody answers at")


def test_nothing_to_sign_with(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "ping.json"
    file.write_text("{}")
    code, _, err = command("receive", "--event", "ping", "--file", str(file))
    assert code == 1
    assert _is_one_sentence(err, "WEBHOOK_SECRET")


UNKNOWN = [
    (["team", "rename", "nobody", "new"], "nobody"),
    (["team", "link", "--installation", "1", "--team", "nobody"], "nobody"),
    (["token", "create", "--team", "nobody", "--name", "x"], "nobody"),
    (["token", "revoke", "nobody"], "nobody"),
]


@pytest.mark.parametrize(("arguments", "word"), UNKNOWN)
def test_what_is_not_there_is_named(command: Command, sqlite_record: str, arguments: list[str], word: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (1, "")
    assert _is_one_sentence(err, word)


# A byte that is no UTF-8 reaches a program as a lone surrogate.
NO_TEXT = "a\udcff"
LONG = "x" * 600
UNFIT = [
    (["token", "create", "--team", "octo-org", "--name", LONG], "1 to 200 characters"),
    (["token", "create", "--team", "octo-org", "--name", ""], "1 to 200 characters"),
    (["token", "create", "--team", "octo-org", "--name", NO_TEXT], "UTF-8"),
    (["token", "create", "--team", NO_TEXT, "--name", "x"], r"'a\udcff'"),
    (["token", "create", "--team", "9" * 5000, "--name", "x"], "there is no team"),
    (["team", "rename", "octo-org", "platform", "--name", LONG], "1 to 200 characters"),
    (["team", "rename", "octo-org", "platform", "--name", NO_TEXT], "UTF-8"),
    (["team", "rename", NO_TEXT, "platform"], r"'a\udcff'"),
    (["team", "rename", "octo-org", NO_TEXT], "is no slug"),
    (["team", "link", "--installation", "71", "--team", NO_TEXT], r"'a\udcff'"),
    (["inbox", "replay", "good", NO_TEXT], "is no GUID"),
    (["token", "revoke", NO_TEXT], r"'a\udcff'"),
]


def test_what_no_database_could_keep_is_refused(command: Command, record: str) -> None:
    deliver(record, [run_event()])
    for arguments, word in UNFIT:
        code, out, err = command(*arguments)
        assert (code, out) == (1, ""), arguments
        assert _is_one_sentence(err, word), err
    assert command("token", "list").out == ""
    assert command("token", "list", "--team", NO_TEXT) == (0, "", "")
    assert " octo-org " in command("team", "list").out


def test_names_of_two_hundred_characters_are_kept(command: Command, record: str) -> None:
    deliver(record, [run_event()])
    name = "ü" * 200
    assert command("token", "create", "--team", "octo-org", "--name", name).code == 0
    assert command("team", "rename", "octo-org", "platform", "--name", name).code == 0
    assert name in command("token", "list").out
    assert name in command("team", "list").out


MISUSES = [
    (["team", "link", "--installation", str(2**63), "--team", "1"], "--installation"),
    (["team", "link", "--installation", "9" * 20, "--team", "1"], "--installation"),
]


@pytest.mark.parametrize(("arguments", "word"), MISUSES)
def test_a_wrong_argument_is_a_wrong_usage(
    command: Command, sqlite_record: str, arguments: list[str], word: str
) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert word in err
    assert "Traceback" not in err


def test_the_largest_id_of_an_installation_is_looked_for(command: Command, record: str) -> None:
    deliver(record, [run_event()])
    code, _, err = command("team", "link", "--installation", str(2**63 - 1), "--team", "octo-org")
    assert (code, err) == (1, f"runledger: there is no installation {2**63 - 1}\n")


WRITING = [
    ["inbox", "replay", "--dead"],
    ["inbox", "replay", "some-guid"],
    ["team", "rename", "octo-org", "platform"],
    ["team", "link", "--installation", "71", "--team", "octo-org"],
    ["token", "create", "--team", "octo-org", "--name", "b"],
    ["token", "revoke", "kept"],
]


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_another_process_that_writes_for_long(
    command: Command, monkeypatch: pytest.MonkeyPatch, sqlite_record: str, arguments: list[str]
) -> None:
    deliver(sqlite_record, [run_event()])
    command("token", "create", "--team", "octo-org", "--name", "kept")
    monkeypatch.setenv("DATABASE_URL", f"{sqlite_record}?busy_timeout=20")
    other = sqlite3.connect(sqlite_record.removeprefix("sqlite://"), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        code, out, err = command(*arguments)
    finally:
        other.close()
    assert (code, out) == (1, "")
    assert _is_one_sentence(err, "the database can't be used now")
