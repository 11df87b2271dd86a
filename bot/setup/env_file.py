"""The file `.env` with a SECRET_KEY in it, as `make run` sees to it: without one the set-up page keeps nothing."""

import os
import secrets
import sys
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.settings import Secret

NAME = "SECRET_KEY"


class _Key(BaseSettings):
    """The key as the service would read it."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    secret_key: Secret = None


def ensure_key(file: Path) -> str | None:
    """Add a random SECRET_KEY where neither the environment nor the file sets one; return what was done, if anything.

    A file that is there keeps its lines and its mode; a new one only its owner may read. Raises OSError, ValueError for
    a file that can't be read or written.
    """
    if any(name.upper() == NAME for name in os.environ):
        return None
    is_new = not file.exists()
    if not is_new and _Key(_env_file=file).secret_key is not None:
        return None
    _append(file, f"{NAME}={secrets.token_hex(32)}\n")
    done = f"Wrote {file} with a {NAME}" if is_new else f"Added a {NAME} to {file}"
    return f"{done}: keep it beside the database, for without it nothing that it encrypted opens again."


def _append(file: Path, line: str) -> None:
    file.touch(mode=0o600)
    before = file.read_bytes()
    joint = b"" if not before or before.endswith(b"\n") else b"\n"
    with file.open("ab") as opened:
        opened.write(joint + line.encode())


def main() -> None:
    """See to the file in this folder, and say so."""
    try:
        done = ensure_key(Path(".env"))
    except (OSError, ValueError) as error:
        sys.exit(f"runledger: .env can't be given a {NAME}: {error}")
    if done is not None:
        sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main()
