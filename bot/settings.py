"""Every setting, read once at start from the environment or `.env`; a wrong one stops the start and is named."""

import base64
import binascii
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import SettingsError

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?", re.ASCII)


class Dialect(StrEnum):
    """The database that a URL names."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def dialect_of(url: str) -> Dialect:
    """Tell which database `url` names.

    Raises ValueError for a scheme that is neither SQLite's nor PostgreSQL's.
    """
    scheme = url.partition("://")[0]
    if scheme == "sqlite" and url.partition("://")[2]:
        return Dialect.SQLITE
    if scheme in {"postgres", "postgresql"}:
        return Dialect.POSTGRESQL
    message = "must be sqlite://PATH, postgres://… or postgresql://…"
    raise ValueError(message)


def _known_database(url: SecretStr) -> SecretStr:
    dialect_of(url.get_secret_value())
    return url


def _http_address(url: str | None) -> str | None:
    if url is None or url.startswith(("https://", "http://")):
        return url.rstrip("/") if url else None
    message = "must begin with https:// or http://"
    raise ValueError(message)


def _decoded_key(value: str) -> str:
    text = value.replace("\\n", "\n").strip()
    if text.startswith("-----BEGIN"):
        return text
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
        return decoded.replace("\\n", "\n").strip()
    except (binascii.Error, UnicodeDecodeError):
        message = "must be a PEM key, a PEM key with \\n for its line ends, or either in base64"
        raise ValueError(message) from None


def private_key_of(value: SecretStr) -> SecretStr:
    """Return the App's private key as PEM, whichever of the three accepted spellings it came in.

    Raises ValueError, without the key in its message, when it is no RSA private key.
    """
    pem = _decoded_key(value.get_secret_value())
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        message = "must be an RSA private key, as GitHub makes them for an App"
        raise ValueError(message)
    return SecretStr(pem + "\n")


def _origins(value: Any) -> Any:
    """Return the origins (RFC 6454) in a comma-separated text, as browsers send them: without a path."""
    if not isinstance(value, str):
        return value
    origins = tuple(each.strip().rstrip("/") for each in value.split(",") if each.strip())
    for each in origins:
        if not _ORIGIN.fullmatch(each):
            message = f"must be origins such as https://example.org, and {each[:100]!r} is none"
            raise ValueError(message)
    return origins


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


HttpAddress = Annotated[str, AfterValidator(_http_address)]
Secret = Annotated[SecretStr | None, BeforeValidator(_none_if_empty)]
Optional = BeforeValidator(_none_if_empty)


class Settings(BaseSettings):
    """The settings: in the environment their names are upper-cased, `DATABASE_URL`, `PORT` and so on."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", hide_input_in_errors=True, frozen=True, populate_by_name=True
    )

    database_url: Annotated[SecretStr, AfterValidator(_known_database)] = Field(
        SecretStr("sqlite://runledger.sqlite3"), description="`sqlite://PATH`, `postgres://…` or `postgresql://…`"
    )
    port: int = Field(8080, ge=0, le=65535, description="where to listen")
    host: str = Field("0.0.0.0", min_length=1, description="where to listen")  # noqa: S104
    public_url: Annotated[HttpAddress | None, Optional] = Field(
        None, description="the address that users and GitHub reach"
    )
    app_id: Annotated[int | None, Optional] = Field(None, ge=1, description="the App's id")
    private_key: Secret = Field(None, description="the App's key: PEM, PEM with `\\n`, or base64")
    private_key_path: Annotated[Path | None, Optional] = Field(None, description="a file that holds the App's key")
    webhook_secret: Secret = Field(None, description="what GitHub signs deliveries with")
    webhook_secret_previous: Secret = Field(None, description="accepted too, while the secret is being rotated")
    github_client_id: Annotated[str | None, Optional] = Field(None, description="for signing in")
    github_client_secret: Secret = Field(None, description="for signing in")
    github_api_url: HttpAddress = Field("https://api.github.com", description="GitHub's REST API, or a stand-in")
    github_server_url: HttpAddress = Field("https://github.com", description="GitHub's pages, or a stand-in")
    secret_key: Secret = Field(None, description="encrypts credentials kept in the database")
    secret_key_previous: Secret = Field(None, description="opens what was encrypted before SECRET_KEY was changed")
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = Field(
        (), description="the origins, comma-separated, whose pages may ask the API with a token"
    )
    api_rate_limit: int = Field(
        600, ge=0, le=10_000_000, description="requests that a token or session may make in a minute; 0 for any number"
    )
    metrics_token: Secret = Field(None, description="lets `/metrics` be read from elsewhere than loopback")
    retention_days: int = Field(0, ge=0, le=36_500, description="how long runs are kept; 0 keeps them")
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(lambda text: str(text).lower())
    ] = Field("info", description="the least severe lines to log")
    log_format: Annotated[Literal["text", "json"] | None, Optional] = Field(
        None, description="`text` on a terminal, else `json`"
    )

    @model_validator(mode="after")
    def _settle_private_key(self) -> "Settings":
        if self.private_key is not None:
            object.__setattr__(self, "private_key", private_key_of(self.private_key))
        elif self.private_key_path is not None:
            object.__setattr__(self, "private_key", _key_in_file(self.private_key_path))
        return self

    @property
    def dialect(self) -> Dialect:
        return dialect_of(self.database_url.get_secret_value())

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The secrets that a delivery may be signed with, the current one first."""
        both = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(secret.get_secret_value().encode() for secret in both if secret is not None)

    @property
    def is_unconfigured(self) -> bool:
        """Whether nothing at all is said about the App yet, so that the service may only show how to begin."""
        secrets = (self.webhook_secret, self.webhook_secret_previous, self.github_client_secret)
        return not any((self.app_id, self.private_key, self.github_client_id, *secrets))

    @property
    def effective_log_format(self) -> Literal["text", "json"]:
        return self.log_format or ("text" if sys.stdout.isatty() else "json")

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for whoever must keep them out of what is written."""
        values = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        # A database's driver may tell the password alone, as it stands in the URL or decoded.
        password = _password_of(self.database_url.get_secret_value())
        return (*values, *({password, unquote(password)} - {""}))


def _password_of(url: str) -> str:
    credentials, at, _ = url.partition("://")[2].rpartition("@")
    return credentials.partition(":")[2] if at else ""


def _key_in_file(path: Path) -> SecretStr:
    try:
        return private_key_of(SecretStr(path.read_text()))
    except (OSError, UnicodeDecodeError):
        message = f"PRIVATE_KEY_PATH names a file that can't be read: {path}"
    except ValueError as error:
        message = f"PRIVATE_KEY_PATH names a file that is wrong: it {error}"
    raise ValueError(message)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; keyword arguments, such as a command's options, win over the environment.

    Raises SettingsError with one sentence that names the first setting at fault.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    except UnicodeDecodeError:
        message = ".env is wrong: it must be text in UTF-8"
        raise SettingsError(message) from None
    if settings.dialect is Dialect.SQLITE and "DYNO" in os.environ:
        message = (
            "DATABASE_URL names a SQLite file, but a Heroku dyno throws its disk away: attach a PostgreSQL database"
        )
        raise SettingsError(message)
    return settings


def _sentence(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][0]).upper() if fault["loc"] else ""
    if not name and message.startswith("must"):
        name = "PRIVATE_KEY"
    return f"{name} is wrong: {message[0].lower()}{message[1:]}" if name else message
