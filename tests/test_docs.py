"""Holds the pages against the code: whatever a page lists must be there, and whatever is there must be listed."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
import yaml
from pydantic import SecretStr
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner

from bench.__main__ import BENCHES
from bot import events, metrics
from bot.cli import cli
from bot.cli import demo as demo_command
from bot.demo.scenario import Agreement
from bot.settings import Settings
from bot.tallies import Spread, Tally
from bot.web.routes import ROUTES
from tests.markdown import (
    ALL_MARKDOWN,
    DOCS,
    PAGES,
    ROOT,
    code_blocks,
    code_spans,
    first_column,
    name,
    sections,
    shell_lines,
    table,
)

ROOT_COMMAND = typer.main.get_command(cli)
KNOWN_HOSTS = {
    "api.github.com",
    "dash.example.org",
    "datatracker.ietf.org",
    "docs.github.com",
    "github.com",
    "keepachangelog.com",
    "runledger.example.org",
    "semver.org",
    "www.heroku.com",
    "www.rfc-editor.org",
}


# Settings


def default_text(value: Any, if_none: str) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return if_none if value in {None, ()} else str(value)


def expected_settings(if_none: str) -> dict[str, str]:
    return {key.upper(): default_text(field.default, if_none) for key, field in Settings.model_fields.items()}


def test_the_page_for_operators_lists_every_setting_with_its_default() -> None:
    rows = table(sections((DOCS / "operate.md").read_text(), "##")["Settings"])
    assert {row[0]: row[1] for row in rows} == expected_settings("none")
    assert all(row[2] for row in rows)


def test_the_example_environment_holds_every_setting_with_its_default() -> None:
    listed = re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert dict(listed) == expected_settings("")


def test_settings_that_pages_name_exist() -> None:
    for page in PAGES:
        for block in code_blocks(page.read_text(), "sh"):
            assigned = set(re.findall(r"^([A-Z][A-Z_]+)=", block, re.MULTILINE))
            assert assigned <= expected_settings("").keys(), name(page)


# Commands


def leaves(command: Any, path: str = "runledger") -> Iterator[tuple[str, Any]]:
    # Typer brings a click of its own, whose base classes it does not show.
    if isinstance(command, TyperGroup):
        for word, inner in command.commands.items():
            yield from leaves(inner, f"{path} {word}")
    else:
        yield path, command


COMMANDS = dict(leaves(ROOT_COMMAND))


def options_of(command: Any) -> list[TyperOption]:
    return [parameter for parameter in command.params if isinstance(parameter, TyperOption)]


def spellings(command: Any) -> set[str]:
    return {spelling for option in options_of(command) for spelling in (*option.opts, *option.secondary_opts)}


def required(command: Any) -> set[str]:
    return {option.opts[0] for option in options_of(command) if option.required}


def command_faults(line: str, *, complete: bool) -> list[str]:
    """Return what is wrong with a command that a page shows; `complete` also wants the required options."""
    words = shlex.split(line.replace("python -m bot", "runledger"), comments=True)
    path = next((" ".join(words[:size]) for size in (3, 2) if " ".join(words[:size]) in COMMANDS), None)
    if path is None:
        is_group = len(words) == 2 and isinstance(ROOT_COMMAND, TyperGroup) and words[1] in ROOT_COMMAND.commands
        return [] if is_group and not complete else [f"{line}: no such command"]
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    faults = [f"{line}: no option {option}" for option in given - spellings(COMMANDS[path]) - {"--help"}]
    return faults + [f"{line}: lacks {option}" for option in required(COMMANDS[path]) - given if complete]


def test_commands_are_documented_with_their_options() -> None:
    described = sections((DOCS / "commands.md").read_text())
    assert described.keys() == COMMANDS.keys()
    for path, command in COMMANDS.items():
        rows = {option: row for row in table(described[path]) for option in re.findall(r"--[a-z-]+", row[0])}
        assert rows.keys() == spellings(command), path
        assert {option for option, row in rows.items() if row[1] == "required"} == required(command), path
        numbers = {option.opts[0]: str(option.default) for option in options_of(command) if type(option.default) is int}
        assert {option: rows[option][1] for option in numbers} == numbers, path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_a_page_shows_exist(page: Path) -> None:
    text = page.read_text()
    program = ("runledger ", "python -m bot ")
    inline = [command_faults(span, complete=False) for span in code_spans(text) if span.startswith(program)]
    fenced = [command_faults(line, complete=True) for line in shell_lines(text) if line.startswith(program)]
    assert [fault for faults in inline + fenced for fault in faults] == []


def test_the_check_of_commands_sees_what_is_wrong() -> None:
    assert command_faults("runledger serve --prot 80", complete=False) == [
        "runledger serve --prot 80: no option --prot"
    ]
    assert command_faults("runledger token make", complete=False) == ["runledger token make: no such command"]
    assert command_faults("runledger token", complete=True) == ["runledger token: no such command"]
    assert command_faults("runledger token create --team x", complete=True) == [
        "runledger token create --team x: lacks --name"
    ]


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_command_helps(path: str) -> None:
    result = CliRunner().invoke(cli, [*path.split()[1:], "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert all(option in result.output for option in spellings(COMMANDS[path]))
    assert COMMANDS[path].help, "a command says what it does"


def test_the_fields_of_the_demo_are_documented() -> None:
    nothing = Agreement(
        deliveries=0,
        dead_deliveries=0,
        runs=0,
        attempts=0,
        jobs=0,
        backfilled_runs=0,
        check_runs=0,
        comments=0,
        github={},
        differences=[],
    )
    printed = msgspec.json.decode(demo_command._json(nothing))
    assert first_column((DOCS / "features" / "demo.md").read_text()) == printed.keys()


# Metrics, events, directory map, targets


def metrics_of_the_code() -> dict[str, set[str]]:
    """Return the labels of each metric: the registry's own, and those that a scrape looks up."""
    code = (ROOT / "bot" / "web" / "health.py").read_text()
    found = {each: set[str]() for each in re.findall(r'metrics\.gauge\(\s*"(\w+)"', code)}
    for each in ("runledger_last_delivery_timestamp_seconds", "runledger_installation_silent"):
        found[each] = {"installation"}
    for family in (value for value in vars(metrics).values() if hasattr(value, "_labelnames")):
        found[family._name + ("_total" if family._type == "counter" else "")] = set(family._labelnames)
    for family in (next(value.describe()) for value in vars(metrics).values() if isinstance(value, Tally | Spread)):
        found[family.name + ("_total" if family.type == "counter" else "")] = set(family._labelnames)  # type: ignore[attr-defined]
    return found


def test_every_metric_is_documented_with_its_labels() -> None:
    rows = table(sections((DOCS / "operate.md").read_text(), "##")["Metrics"])
    assert {row[0]: set(re.findall(r"\w+", row[1])) for row in rows} == metrics_of_the_code()
    exposed = re.findall(r"^# TYPE (runledger_\w+)", metrics.render([])[0].decode(), re.MULTILINE)
    assert set(exposed) <= {row[0] for row in rows}


def test_results_of_a_delivery_are_documented() -> None:
    code = (ROOT / "bot" / "web" / "webhook.py").read_text()
    results = set(re.findall(r'Refused\(\d+, "(\w+)"\)|result = "(\w+)"', code))
    told = re.search(r"^Results of a post: (.+?)\. ", (DOCS / "operate.md").read_text(), re.MULTILINE | re.DOTALL)
    assert told is not None
    receipts = {"accepted", "duplicate"}
    assert set(re.findall(r"`(\w+)`", told[1])) == receipts | {each for pair in results for each in pair if each}


def test_events_are_those_of_the_manifest_and_those_that_come_unasked() -> None:
    manifest = yaml.safe_load((ROOT / "app.yml").read_text())
    asked = set(manifest["default_events"])
    assert asked.isdisjoint(events.UNASKED)
    assert events.ROUTERS.keys() == asked | events.UNASKED
    assert events.ROUTERS.keys() <= metrics.KNOWN_EVENTS
    rows = {row[0]: row[1] for row in table((DOCS / "features" / "recording.md").read_text())}
    assert rows == dict.fromkeys(asked, "in app.yml") | dict.fromkeys(events.UNASKED, "comes unasked")


def test_the_installation_by_hand_asks_for_what_the_manifest_does() -> None:
    manifest = yaml.safe_load((ROOT / "app.yml").read_text())
    steps = " ".join((DOCS / "install.md").read_text().split())
    levels = {"read": "read-only", "write": "read and write"}
    for permission, level in manifest["default_permissions"].items():
        assert f"**{permission.replace('_', ' ').capitalize()}** {levels[level]}" in steps
    told = re.search(r"\*Subscribe to events\*: ([^-]+) - ", steps)
    assert told is not None
    asked = {event.replace("_", " ").capitalize() for event in manifest["default_events"]}
    assert set(re.findall(r"\*\*([^*]+)\*\*", told[1])) == asked


def test_each_permission_and_event_is_given_its_reason() -> None:
    manifest = yaml.safe_load((ROOT / "app.yml").read_text())
    parts = sections((DOCS / "install.md").read_text(), "##")
    permissions, events_told = table(parts["Permissions"]), table(parts["Events"])
    asked = {(name_.replace("_", " ").capitalize(), level) for name_, level in manifest["default_permissions"].items()}
    assert {(row[0], row[1]) for row in permissions} == asked | {("Actions", "write, if you choose it")}
    assert {row[0] for row in events_told} == {
        event.replace("_", " ").capitalize() for event in manifest["default_events"]
    }
    assert all(row[-1] for row in [*permissions, *events_told])


def test_the_directory_map_is_complete() -> None:
    bot = ROOT / "bot"
    packages = {name(path.parent) for path in bot.rglob("__init__.py")} - {"bot"}
    modules = {name(path) for path in bot.glob("*.py")}
    mapped = first_column(sections((DOCS / "development.md").read_text(), "##")["Directory map"])
    assert mapped == packages | modules | {"bench", "docs", "tests"}


def test_every_room_of_tests_is_one_of_bot_or_described() -> None:
    rooms = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    parts = {path.stem for path in (ROOT / "bot").iterdir()}
    described = first_column(sections((DOCS / "development.md").read_text(), "##")["Tests"])
    assert {f"tests/{room}" for room in rooms - parts} == described


def test_every_target_is_documented() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    rows = table(sections((DOCS / "development.md").read_text(), "##")["Set-up"])
    assert {row[0] for row in rows} == {f"make {target}" for target in targets}
    for page in PAGES:
        text = page.read_text()
        shown = [line for line in [*shell_lines(text), *code_spans(text)] if line.startswith("make ")]
        assert {line.split()[1] for line in shown} <= targets, name(page)


def test_the_targets_of_the_readme_can_be_made() -> None:
    lines = [line for line in shell_lines((ROOT / "README.md").read_text()) if line.startswith("make ")]
    assert {"make demo", "make test"} <= set(lines)
    for line in lines:
        subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


# Fast paths


FAST_PATHS = table(sections((DOCS / "performance.md").read_text(), "##")["Fast paths"])


def benches_named(source: Path) -> set[str]:
    """Return the benches that docstrings of a module name."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, kinds))
    return {bench for node in nodes for bench in re.findall(r"`bench/(\w+)`", ast.get_docstring(node) or "")}


def test_the_fast_paths_are_those_whose_docstrings_name_a_bench() -> None:
    named = {name(source): benches_named(source) for source in (ROOT / "bot").rglob("*.py")}
    listed = {path: set(re.findall(r"\w+", benches)) for path, _, benches, _ in FAST_PATHS}
    assert listed == {path: benches for path, benches in named.items() if benches}
    assert set().union(*listed.values()) <= BENCHES.keys()


def test_the_properties_of_fast_paths_are_there() -> None:
    told = sections((DOCS / "performance.md").read_text(), "##")["Fast paths"]
    properties = dict(re.findall(r"`(\w+)`[^`]*?\[(tests/[\w/]+\.py)\]", told))
    for path, _, _, held_by in FAST_PATHS:
        named = set(re.findall(r"\w+", held_by))
        assert held_by.startswith("none: ") or (named and named <= properties.keys()), path
    for file in properties.values():
        assert "assert_truth(" in (ROOT / file).read_text(), file


# Links, hosts and places


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        there = (page.parent / path) if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", ALL_MARKDOWN, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_the_check_of_links_sees_a_missing_file_and_a_missing_heading(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A head, with `code`\n[a](#a-head-with-code) [b](#b) [c](c.md) [d](page.md#d) [e](https://e.example)\n"
    )
    assert broken_links(page) == ["#b", "c.md", "page.md#d"]


def test_every_page_is_linked_from_the_readme_or_a_page_it_links() -> None:
    links = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if "://" not in target and not target.startswith("#")
    }
    assert [name(page) for page in PAGES if page.resolve() not in links and page.name != "README.md"] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_name_no_unknown_host_and_no_place_on_a_machine(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"https?://([\w.-]+)", text)) <= KNOWN_HOSTS
    served = {route.path.split("/")[1] for route in ROUTES}
    places = re.findall(r"(?<![\w./}$)…-])/([A-Za-z]\w*)/", re.sub(r"https?://\S+", "", text))
    assert set(places) <= served
