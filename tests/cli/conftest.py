"""The command line as a user has it, in this process: what is typed, what is printed, and the exit code."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

import bot.cli


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Command(Protocol):
    """Types a command."""

    def __call__(self, *arguments: str) -> Outcome: ...


@pytest.fixture
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, _logs_as_they_were: None
) -> Command:
    """Give the program, in a folder without `.env` and on a terminal that is wide enough to break no line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def type_in(*arguments: str) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["runledger", *arguments])
        with pytest.raises(SystemExit) as ended:
            bot.cli.main()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else int(code is not None), *capsys.readouterr())

    return type_in


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> str:
    """Let the commands work on a database at the newest schema, and give its URL."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    return migrated_url


@pytest.fixture
def sqlite_record(monkeypatch: pytest.MonkeyPatch, migrated_sqlite: str) -> str:
    """The same on SQLite only, where it makes no difference."""
    monkeypatch.setenv("DATABASE_URL", migrated_sqlite)
    return migrated_sqlite
