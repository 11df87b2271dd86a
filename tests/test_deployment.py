"""The files by which hosts and containers run the service: Procfile, app.json, Dockerfile, compose.yaml.

The suite needs no container engine: it holds the Dockerfile's steps against the Makefile's, and where there is time it
does them in a folder.
"""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from pydantic import SecretStr

from bot.settings import Settings, load_settings
from tests.markdown import ROOT
from tests.ports import reserve_port

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
APP: dict[str, Any] = json.loads((ROOT / "app.json").read_text())
PYTHON = (ROOT / ".python-version").read_text().strip()
OURS = ("release", "web", "worker")
INTERPRETER = "/opt/runledger/bin/python"


class Step(NamedTuple):
    """One instruction of the Dockerfile."""

    name: str
    rest: str

    @property
    def command(self) -> list[str]:
        """The command in exec form, which no shell looks at: https://docs.docker.com/reference/dockerfile/."""
        command: list[str] = json.loads(self.rest[self.rest.index("[") :])
        return command


STEPS = [
    Step(*line.split(maxsplit=1))
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]


def steps(name: str) -> list[Step]:
    return [step for step in STEPS if step.name == name]


def procfile() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {kind: shlex.split(command) for kind, _, command in (line.partition(": ") for line in lines)}


def copied() -> list[str]:
    """Return what the image takes from the checkout."""
    sources = [step.rest.split()[:-1] for step in steps("COPY") if not step.rest.startswith("--from=")]
    return [source for group in sources for source in group]


# Heroku


def test_the_button_asks_for_settings_that_there_are_and_says_what_each_is() -> None:
    known = {name.upper(): field for name, field in Settings.model_fields.items()}
    assert APP["env"].keys() <= known.keys()
    assert all(len(entry["description"]) > 20 for entry in APP["env"].values())
    # The host sets these itself.
    assert not APP["env"].keys() & {"DATABASE_URL", "PORT", "HOST"}
    for name, entry in APP["env"].items():
        if "value" in entry:
            assert entry["value"] == str(known[name].default)
        secret = "SecretStr" in str(known[name].annotation)
        assert secret == (entry.get("generator") == "secret")
        # Whatever must be given is made by the host: nobody has to think of a value to begin.
        assert entry.get("required", True) == secret


def test_what_the_button_makes_is_enough_to_start() -> None:
    made = {name.lower(): "5f" * 32 for name, entry in APP["env"].items() if "generator" in entry}
    given = {name.lower(): entry["value"] for name, entry in APP["env"].items() if "value" in entry}
    url = "postgres://user:secret@db.example.org:5432/name?sslmode=require"
    settings = load_settings(database_url=url, port="5000", **made, **given)
    assert settings.is_unconfigured
    assert settings.secret_key == SecretStr("5f" * 32)


def test_the_button_starts_processes_of_the_procfile_with_a_database() -> None:
    assert APP["formation"].keys() <= procfile().keys()
    assert APP["formation"]["web"]["quantity"] == 1
    assert APP["addons"] == ["heroku-postgresql"]
    assert APP["buildpacks"] == [{"url": "heroku/python"}]
    assert APP["success_url"] == "/setup"
    # Where there is only a web process, it handles deliveries too.
    assert "--worker" in procfile()["web"]


# Docker


def test_the_image_has_the_python_of_the_hosts() -> None:
    assert [step.rest.split()[0] for step in steps("FROM")] == [f"python:{PYTHON}-slim"] * 2
    assert STEPS[0].name == "FROM"


def test_the_image_installs_what_the_makefile_installs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (install,) = [step.command for step in steps("RUN") if "pip" in step.command]
    for option in ("--no-deps", "--no-input", "--disable-pip-version-check"):
        assert option in install
        assert option in re.search(r"^PIP_INSTALL := (.+)$", makefile, re.MULTILINE)[1]  # type: ignore[index]
    assert install[-3:] == ["--require-hashes", "--requirement", "/build/requirements.txt"]
    assert "$(PIP_INSTALL) --require-hashes --requirement requirements.txt" in makefile
    (requirements,) = [step.rest.split() for step in steps("COPY") if "requirements.txt" in step.rest]
    assert requirements == ["requirements.txt", "/build/"]


def test_the_image_holds_the_package_and_its_manifest_and_nothing_of_the_tests() -> None:
    assert sorted(copied()) == ["app.yml", "bot", "requirements.txt"]
    assert all((ROOT / source).exists() for source in copied())
    stages = [step.rest.split("=")[1].split() for step in steps("COPY") if step.rest.startswith("--from=")]
    assert stages == [["build", path, path] for path in ("/opt/runledger", "/app")]
    assert {"/app/", "/app/bot/"} == {step.rest.split()[-1] for step in steps("COPY") if "/app/" in step.rest}


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out; its last line that fits counts."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = Path(path).parts
        if any(fnmatch.fnmatch(part, pattern) for part in (parts if "**/" in line else parts[:1])):
            out = not line.startswith("!")
    return out


def test_nothing_else_is_sent_to_whoever_builds_the_image() -> None:
    assert not any(ignored(source) for source in copied())
    assert not ignored("bot/web/templates/base.html")
    for path in (".env", ".git/config", "tests/conftest.py", "runledger.sqlite3", "bot/__pycache__/a.pyc", ".venv/x"):
        assert ignored(path), path


def test_the_image_is_run_by_nobody_in_particular_without_a_shell() -> None:
    names = [step.name for step in STEPS]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name in {"COPY", "RUN"})
    user, group = map(int, steps("USER")[0].rest.split(":"))
    (account,) = [step.command for step in steps("RUN") if "useradd" in step.command]
    assert (user, group) == (int(account[account.index("--uid") + 1]),) * 2
    assert user > 0
    assert all(step.command for step in STEPS if step.name in {"RUN", "CMD", "VOLUME", "HEALTHCHECK"})
    assert steps("STOPSIGNAL") == [("STOPSIGNAL", "SIGTERM")]
    assert steps("CMD")[0].command == ["python", "-m", "bot", "serve"]
    assert "curl" not in DOCKERFILE


def environment_of_the_image() -> dict[str, str]:
    return dict(pair.split("=", 1) for step in steps("ENV") for pair in shlex.split(step.rest))


def test_the_image_alone_keeps_its_record_on_the_volume() -> None:
    environment = environment_of_the_image()
    (volume,) = steps("VOLUME")[0].command
    assert environment["DATABASE_URL"].startswith(f"sqlite://{volume}/")
    assert steps("EXPOSE")[0].rest == environment["PORT"] == str(Settings.model_fields["port"].default)
    account = next(step.command for step in steps("RUN") if "useradd" in step.command)
    assert account[account.index("--home-dir") + 1] == volume


# Compose


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_compose_runs_what_the_procfile_says(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["command"] == procfile()[name]
    assert service["build"] == "."
    assert service["env_file"] == ".env"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 10


def test_compose_has_the_processes_of_the_procfile_and_a_database() -> None:
    assert COMPOSE["services"].keys() == {*procfile(), "database"}
    assert set(OURS) == procfile().keys()


def test_nothing_starts_before_the_schema_is_there() -> None:
    services = COMPOSE["services"]
    assert services["release"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["release"] == {"condition": "service_completed_successfully"}
    assert services["release"]["restart"] == "no"
    # Only a web process answers the image's own health check.
    assert [name for name in OURS if services[name].get("healthcheck") == {"disable": True}] == ["release", "worker"]


def test_the_database_keeps_its_data_where_its_image_has_it_and_its_password_in_the_env_file() -> None:
    database = COMPOSE["services"]["database"]
    major = int(database["image"].removeprefix("postgres:"))
    # Since version 18 the image keeps each version's data in a folder of its own, below the mount.
    assert major >= 18
    assert database["volumes"] == ["database:/var/lib/postgresql"]
    assert "database" in COMPOSE["volumes"]
    password = database["environment"]["POSTGRES_PASSWORD"]
    assert re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", password)
    url = COMPOSE["services"]["web"]["environment"]["DATABASE_URL"]
    assert url == f"postgres://{database['environment']['POSTGRES_USER']}:{password}@database/runledger"
    assert database["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


def test_settings_of_compose_are_settings() -> None:
    known = {name.upper() for name in Settings.model_fields}
    assert all(COMPOSE["services"][name]["environment"].keys() <= known for name in OURS)


# The steps done in a folder


def in_folder(text: str, folder: Path) -> str:
    """Return a path, or what holds one, as it is in a folder that stands for the image's root."""
    return re.sub(r"(?<![\w.])/(opt/runledger|build|app|data)\b", rf"{folder}/\1", text)


def build(folder: Path) -> None:
    for step in STEPS:
        if step.name == "COPY" and not step.rest.startswith("--from="):
            *sources, target = step.rest.split()
            (Path(in_folder(target, folder))).mkdir(parents=True, exist_ok=True)
            for source in sources:
                copy(ROOT / source, Path(in_folder(target, folder)))
        if step.name == "RUN" and "useradd" not in step.command:
            words = [in_folder(word, folder) for word in step.command]
            words[0] = sys.executable if words[0] == "python" else words[0]
            subprocess.run(words, check=True, timeout=600)
    (folder / "data").mkdir()


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.mark.deep
def test_what_the_steps_make_serves_and_is_healthy(tmp_path: Path) -> None:
    build(tmp_path)
    port = str(reserve_port())
    image = {name: in_folder(value, tmp_path) for name, value in environment_of_the_image().items()}
    environment = image | {"PORT": port, "SECRET_KEY": "5f" * 32, "HOME": str(tmp_path / "data")}
    command = [str(tmp_path / "opt/runledger/bin/python"), *steps("CMD")[0].command[1:]]
    health = [str(tmp_path / "opt/runledger/bin/python"), *steps("HEALTHCHECK")[0].command[1:]]
    told: dict[str, Any] = {"cwd": tmp_path / "app", "env": environment}
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, **told) as service:
        try:
            assert until_zero(health, told)
        finally:
            service.terminate()
        assert service.wait(10) == 0, (tmp_path / "log").read_text()
    # Nobody answers any more, and the check says so.
    assert subprocess.run(health, check=False, capture_output=True, **told).returncode != 0
    assert (tmp_path / "data/runledger.sqlite3").exists()
    assert "/setup/link/" in (tmp_path / "log").read_text()
    assert sorted(path.name for path in (tmp_path / "app").iterdir()) == ["app.yml", "bot"]
    assert list((tmp_path / "app/bot").rglob("*.pyc"))


def until_zero(command: list[str], told: dict[str, Any]) -> bool:
    for _ in range(60):
        if subprocess.run(command, check=False, capture_output=True, **told).returncode == 0:
            return True
        time.sleep(0.5)
    return False
