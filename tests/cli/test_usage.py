"""What every command has in common: `--help`, and the exit code for wrong usage."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from bot.cli import cli
from tests.cli.conftest import Command


def _commands(group: object, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(group, "commands", {}).items():
        yield from _commands(inner, *path, name)


COMMANDS = list(_commands(typer.main.get_command(cli)))


def test_these_are_the_commands() -> None:
    typed = {" ".join(path) for path in COMMANDS}
    assert typed >= {
        *("serve", "worker", "migrate", "receive", "doctor", "demo"),
        *("inbox list", "inbox replay", "team list", "team rename", "team link"),
        *("token create", "token list", "token revoke"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(command: Command, path: tuple[str, ...], option: str) -> None:
    code, out, err = command(*path, option)
    assert (code, err) == (0, "")
    assert "Usage: runledger" in out
    assert all(word in out for word in path)


WRONG_USAGE = [
    ["nonsense"],
    ["--nonsense"],
    ["serve", "--port", "70000"],
    ["serve", "--port", "http"],
    ["serve", "extra"],
    ["receive"],
    ["receive", "--event", "ping"],
    ["receive", "--event", "ping", "--file", "/nonexistent"],
    ["receive", "--event", "ping", "--file", "/"],
    ["inbox", "list", "--state", "lost"],
    ["inbox", "list", "--limit", "0"],
    ["inbox", "replay"],
    ["inbox", "replay", "--dead", "a-guid"],
    ["team", "rename", "one"],
    ["team", "link", "--team", "a"],
    ["team", "link", "--team", "a", "--installation", "zero"],
    ["token", "create", "--team", "a"],
    ["token", "create", "--team", "a", "--name", "b", "--expires", "0"],
    ["token", "create", "--team", "a", "--name", "b", "--expires", "9999999"],
    ["token", "revoke"],
]


@pytest.mark.parametrize("arguments", WRONG_USAGE, ids=" ".join)
def test_wrong_usage(command: Command, arguments: list[str]) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Usage: runledger" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("group", [[], ["inbox"], ["team"], ["token"]], ids=" ".join)
def test_a_group_alone_shows_what_it_has(command: Command, group: list[str]) -> None:
    code, out, err = command(*group)
    assert code in {0, 2}
    assert "Commands" in out + err


def test_the_script_and_the_package_are_the_same_program() -> None:
    script = [str(Path(sys.executable).parent / "runledger")]
    shown = [
        subprocess.run([*program, "--help"], capture_output=True, text=True, check=True).stdout
        for program in (script, [sys.executable, "-m", "bot"])
    ]
    assert shown[0] == shown[1]
