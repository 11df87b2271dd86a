"""The files around the code: what is installed, what is pinned, and the manifest of the App."""

import re
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import hatchling.build
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bot

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    """Return the version that the file pins for each distribution."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(distribution): version for distribution, version in found}


def unpinned(wanted: Iterable[str], pinned: dict[str, str]) -> list[str]:
    """Return those requirements that no pin satisfies."""
    wrong = []
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(str(requirement))
    return wrong


def test_requirements_satisfy_pyproject() -> None:
    assert unpinned(PROJECT["project"]["dependencies"], pins("requirements.txt")) == []
    assert unpinned(PROJECT["dependency-groups"]["dev"], pins("requirements-dev.txt")) == []


def test_tests_run_on_the_versions_that_are_deployed() -> None:
    deployed, tested = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name: tested[name] for name in deployed.keys() & tested.keys()} == {
        name: deployed[name] for name in deployed.keys() & tested.keys()
    }


def test_the_check_notices_a_missing_and_an_old_pin() -> None:
    assert unpinned(["aiohttp>=3.14", "rich"], {"aiohttp": "3.13.9", "rich": "15.0.0"}) == ["aiohttp>=3.14"]
    assert unpinned(["typer>=0.15", "types-PyYAML"], {}) == ["typer>=0.15", "types-PyYAML"]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_hashed_and_name_no_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(name)) > 20
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_wheel_holds_the_whole_package_and_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wheel = tmp_path / hatchling.build.build_wheel(str(tmp_path))
    assert wheel.name.startswith(f"runledger-{bot.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("bot/")}
        assert archive.read("bot/app.yml") == (ROOT / "app.yml").read_bytes()
        scripts = archive.read(f"runledger-{bot.__version__}.dist-info/entry_points.txt").decode()
    files = [path for path in (ROOT / "bot").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert packed == {str(path.relative_to(ROOT)) for path in files} | {"bot/app.yml"}
    assert "runledger = bot.cli:main" in scripts


def test_the_manifest_asks_for_no_more_than_it_must() -> None:
    manifest = yaml.safe_load((ROOT / "app.yml").read_text())
    assert manifest["default_permissions"] == {
        "actions": "read",
        "checks": "write",
        "metadata": "read",
        "pull_requests": "write",
    }
    assert sorted(manifest["default_events"]) == ["pull_request", "repository", "workflow_job", "workflow_run"]


def test_every_line_of_the_procfile_can_be_run_without_installing_the_project() -> None:
    processes = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert set(processes) == {"release", "web", "worker"}
    assert all(command.startswith("python -m bot ") for command in processes.values())
