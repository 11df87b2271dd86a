"""Settings: every one right and wrong; a wrong one is named, and no secret is ever told."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from bot.errors import SettingsError
from bot.settings import Dialect, Settings, load_settings
from tests.durability.processes import ROOT

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
PKCS8 = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary")).decode()
CURVE = (
    ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _plain(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


DEFAULTS = {
    "database_url": "sqlite://runledger.sqlite3",
    "port": 8080,
    "host": "0.0.0.0",
    "public_url": None,
    "app_id": None,
    "private_key": None,
    "private_key_path": None,
    "webhook_secret": None,
    "webhook_secret_previous": None,
    "github_client_id": None,
    "github_client_secret": None,
    "github_api_url": "https://api.github.com",
    "github_server_url": "https://github.com",
    "secret_key": None,
    "secret_key_previous": None,
    "cors_origins": (),
    "api_rate_limit": 600,
    "metrics_token": None,
    "retention_days": 0,
    "log_level": "info",
    "log_format": None,
}
RIGHT = [
    ("DATABASE_URL", "sqlite:///data/runledger.sqlite3", "sqlite:///data/runledger.sqlite3"),
    ("DATABASE_URL", "postgres://u:p@h/n", "postgres://u:p@h/n"),
    ("DATABASE_URL", "postgresql://u:p@h:5/n?sslmode=require", "postgresql://u:p@h:5/n?sslmode=require"),
    ("PORT", "0", 0),
    ("PORT", "65535", 65535),
    ("HOST", "::1", "::1"),
    ("PUBLIC_URL", "https://runs.example.org/", "https://runs.example.org"),
    ("PUBLIC_URL", "", None),
    ("APP_ID", "12345", 12345),
    ("APP_ID", "", None),
    ("WEBHOOK_SECRET", "a secret", "a secret"),
    ("WEBHOOK_SECRET", "", None),
    ("WEBHOOK_SECRET_PREVIOUS", "an older one", "an older one"),
    ("GITHUB_CLIENT_ID", "Iv1.abc", "Iv1.abc"),
    ("GITHUB_CLIENT_ID", "", None),
    ("GITHUB_CLIENT_SECRET", "hush", "hush"),
    ("GITHUB_API_URL", "https://ghe.example.org/api/v3/", "https://ghe.example.org/api/v3"),
    ("GITHUB_API_URL", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    ("GITHUB_SERVER_URL", "https://ghe.example.org", "https://ghe.example.org"),
    ("SECRET_KEY", "hush", "hush"),
    ("SECRET_KEY_PREVIOUS", "an older one", "an older one"),
    ("SECRET_KEY_PREVIOUS", "", None),
    ("CORS_ORIGINS", "", ()),
    ("CORS_ORIGINS", "https://a.example", ("https://a.example",)),
    ("CORS_ORIGINS", "https://a.example/, http://localhost:3000,", ("https://a.example", "http://localhost:3000")),
    ("API_RATE_LIMIT", "0", 0),
    ("API_RATE_LIMIT", "6000", 6000),
    ("METRICS_TOKEN", "hush", "hush"),
    ("METRICS_TOKEN", "", None),
    ("RETENTION_DAYS", "365", 365),
    ("LOG_LEVEL", "DEBUG", "debug"),
    ("LOG_LEVEL", "error", "error"),
    ("LOG_FORMAT", "json", "json"),
    ("LOG_FORMAT", "text", "text"),
    ("LOG_FORMAT", "", None),
]
WRONG = [
    *(("DATABASE_URL", value) for value in ("", "canary", "mysql://u:canary@h/n", "sqlite://", "sqlite3://x", "/x.db")),
    *(("PORT", value) for value in ("", "canary", "-1", "65536", "80.5", "0x50")),
    ("HOST", ""),
    *(("PUBLIC_URL", value) for value in ("canary", "ftp://canary", "javascript:canary")),
    *(("APP_ID", value) for value in ("canary", "0", "-3", "1.5")),
    *(("PRIVATE_KEY", value) for value in ("canary", "%%%", ENCRYPTED, CURVE, PEM[:400], "-----BEGIN canary")),
    *(("PRIVATE_KEY_PATH", value) for value in ("no/such/file", "/", "canary.pem", "binary.pem")),
    *(("GITHUB_API_URL", value) for value in ("", "canary", "api.github.com")),
    *(("GITHUB_SERVER_URL", value) for value in ("", "github.com")),
    *(
        ("CORS_ORIGINS", value)
        for value in ("*", "null", "a.example", "https://a.example/b", "https://A.example", "a,")
    ),
    *(("API_RATE_LIMIT", value) for value in ("", "-1", "canary", "10000001")),
    *(("RETENTION_DAYS", value) for value in ("", "-1", "canary", "36501")),
    *(("LOG_LEVEL", value) for value in ("", "canary", "critical")),
    *(("LOG_FORMAT", value) for value in ("canary", "JSON5")),
]


def test_the_table_is_whole() -> None:
    assert set(DEFAULTS) == set(Settings.model_fields)
    untested = {name.upper() for name in DEFAULTS} - {name for name, *_ in RIGHT}
    assert untested == {"PRIVATE_KEY", "PRIVATE_KEY_PATH"}


def test_every_setting_is_in_the_example() -> None:
    written = (ROOT / ".env.example").read_text()
    assert [name for name in DEFAULTS if f"\n#{name.upper()}=" not in written] == []


def test_defaults() -> None:
    settings = load_settings()
    assert {name: _plain(value) for name, value in settings} == DEFAULTS
    assert settings.is_unconfigured
    assert settings.webhook_secrets == ()
    assert settings.dialect is Dialect.SQLITE


@pytest.mark.parametrize(("name", "value", "expected"), RIGHT)
def test_right_ones(name: str, value: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert _plain(getattr(load_settings(), name.lower())) == expected


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_ones_are_named_in_one_sentence(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("canary.pem").write_text("this is no key")
    Path("binary.pem").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(name + " ")
    assert "\n" not in message
    # A path and a level may be told again, a secret never; what was wrong with it is said either way.
    assert "canary" not in message or name == "PRIVATE_KEY_PATH"
    assert len(message) > len(name) + 15
    assert caught.value.__cause__ is None


def test_of_several_wrong_ones_the_first_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("RETENTION_DAYS", "x")
    with pytest.raises(SettingsError, match=r"^PORT "):
        load_settings()


SPELLINGS = {
    "PEM": PEM,
    "PEM with spaces around": f"\n  {PEM}\n\n",
    "PEM with \\n": PEM.replace("\n", "\\n"),
    "PKCS #8": PKCS8,
    "base64 of PEM": base64.b64encode(PEM.encode()).decode(),
    "base64 in lines": base64.encodebytes(PEM.encode()).decode(),
    "base64 of PEM with \\n": base64.b64encode(PEM.replace("\n", "\\n").encode()).decode(),
    "PEM with DOS line ends": PEM.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("from_file", [False, True])
def test_spellings_of_the_key(spelling: str, from_file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if from_file:
        Path("app.pem").write_text(SPELLINGS[spelling])
        monkeypatch.setenv("PRIVATE_KEY_PATH", "app.pem")
    else:
        monkeypatch.setenv("PRIVATE_KEY", SPELLINGS[spelling])
    settings = load_settings()
    assert settings.private_key is not None
    read = settings.private_key.get_secret_value().replace("\r\n", "\n")
    assert read == (PKCS8 if spelling == "PKCS #8" else PEM)


def test_the_key_itself_wins_over_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_KEY", PEM)
    monkeypatch.setenv("PRIVATE_KEY_PATH", "no/such/file")
    assert _plain(load_settings().private_key) == PEM


def test_no_secret_is_ever_told(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = (
        *("WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS", "GITHUB_CLIENT_SECRET"),
        *("SECRET_KEY", "SECRET_KEY_PREVIOUS", "METRICS_TOKEN"),
    )
    for name in secrets:
        monkeypatch.setenv(name, f"canary-{name}")
    monkeypatch.setenv("PRIVATE_KEY", PEM)
    monkeypatch.setenv("DATABASE_URL", "postgres://u:canary-p%40ss@h/n")
    settings = load_settings()
    for told in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "canary" not in told
        assert PEM.splitlines()[1] not in told
    assert {f"canary-{name}" for name in secrets} | {"canary-p%40ss", "canary-p@ss", PEM} <= set(settings.secrets())
    monkeypatch.setenv("PORT", "wrong")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "canary" not in f"{caught.value!r} {caught.value.__context__!r}"


def test_both_webhook_secrets_count_and_the_current_one_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_PREVIOUS", "older")
    assert load_settings().webhook_secrets == (b"older",)
    monkeypatch.setenv("WEBHOOK_SECRET", "nöwer")
    settings = load_settings()
    assert settings.webhook_secrets == ("nöwer".encode(), b"older")
    assert not settings.is_unconfigured


@pytest.mark.parametrize("name", ["APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS"])
def test_one_word_about_the_app_and_it_is_configured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, PEM if name == "PRIVATE_KEY" else "7")
    assert not load_settings().is_unconfigured


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert load_settings(port=9001).port == 9001


def test_heroku_takes_no_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNO", "web.1")
    with pytest.raises(SettingsError, match=r"^DATABASE_URL .*Heroku"):
        load_settings()
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/n")
    assert load_settings().dialect is Dialect.POSTGRESQL


def test_the_file_of_the_working_directory_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "# a comment\nPORT=9000\nLOG_LEVEL=debug\nUNHEARD_OF=1\nexport APP_ID=7\n"
        "WEBHOOK_SECRET='in quotes # and no comment'\n"
        f'PRIVATE_KEY="{PEM}"\n'
    )
    monkeypatch.setenv("LOG_LEVEL", "error")
    settings = load_settings()
    assert (settings.port, settings.app_id, settings.log_level) == (9000, 7, "error")
    assert settings.webhook_secrets == (b"in quotes # and no comment",)
    assert _plain(settings.private_key) == PEM


def test_a_file_that_is_no_text_is_named() -> None:
    Path(".env").write_bytes(b"PORT=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"^\.env "):
        load_settings()


def test_a_wrong_setting_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    environment = os.environ | {"PORT": "nowhere", "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "bot", "serve")
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("runledger: PORT is wrong: ")
    assert ended.stderr.count("\n") == 1


def test_logs_are_text_for_people_and_json_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for on_terminal, expected in ((True, "text"), (False, "json")):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=on_terminal: answer)
        assert load_settings().effective_log_format == expected
    monkeypatch.setenv("LOG_FORMAT", "text")
    assert load_settings().effective_log_format == "text"
