"""The key that `make run` adds to `.env`: only where none is set, and nothing else of the file changes."""

import re
import shutil
import stat
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.setup.env_file import ensure_key

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_the_example_copied_gets_a_key(file: Path) -> None:
    shutil.copy(EXAMPLE, file)
    file.chmod(0o644)
    said = ensure_key(file)
    assert said is not None
    assert said.startswith(f"Added a SECRET_KEY to {file}")
    assert re.fullmatch(re.escape(EXAMPLE.read_text()) + "SECRET_KEY=[0-9a-f]{64}\n", file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert Settings(_env_file=file).secret_key is not None
    assert ensure_key(file) is None


@pytest.mark.parametrize(
    "text", ["", "PORT=9000", "SECRET_KEY=\n", "#SECRET_KEY=x\n", "SECRET_KEY=''\nPORT=1\n", "SECRET_KEY_PREVIOUS=x\n"]
)
def test_a_file_without_a_key_keeps_its_lines(file: Path, text: str) -> None:
    file.write_text(text)
    assert ensure_key(file) is not None
    assert file.read_text().startswith(text)
    before = Settings(_env_file=None)
    after = Settings(_env_file=file)
    assert after.secret_key is not None
    assert len(after.secret_key.get_secret_value()) == 64
    assert after.port == (before.port if "PORT" not in text else int(text.partition("PORT=")[2]))


@pytest.mark.parametrize(
    "text", ["SECRET_KEY=mine\n", "export SECRET_KEY='mine'\n", "secret_key = mine", "A=1\nSECRET_KEY=mine"]
)
def test_a_key_that_is_set_stays(file: Path, text: str) -> None:
    file.write_text(text)
    assert ensure_key(file) is None
    assert file.read_text() == text


@pytest.mark.parametrize("key", ["of the environment", ""])
def test_the_environment_wins_so_that_nothing_is_written(file: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SECRET_KEY", key)
    assert ensure_key(file) is None
    assert not file.exists()
