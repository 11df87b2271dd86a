"""What import-linter cannot see: submodules of outside packages, and time taken from anywhere but the clock.

The floors themselves are contracts in pyproject.toml and part of `make lint`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).parent.parent / "bot"
SOURCES = sorted(BOT.rglob("*.py"))

ALLOWED_ROOMS = {
    "aiohttp.web": ("bot.app", "bot.demo.github", "bot.web"),
    "gidgethub.aiohttp": ("bot.github",),
    "gidgethub.abc": ("bot.github",),
    "gidgethub.apps": ("bot.github",),
    "http.client": (),
    "http.server": (),
    "urllib.request": ("bot.cli",),
}
"""Who may know these outside modules; everybody else meets them through a room of bot."""

CLOCKS = {
    "asyncio.sleep",
    "date.today",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.now",
    "datetime.utcnow",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "time.time",
    "time.time_ns",
}


def module_name(source: Path) -> str:
    parts = source.relative_to(BOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for an attribute of names, and an empty text for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def names_used(tree: ast.AST) -> Iterator[str]:
    """Yield every module and name that a file imports or reaches through a dotted name, in full."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield dotted(node)


def trespasses(module: str, code: str) -> set[str]:
    """Return the outside modules that `module` uses without being allowed to."""
    used = set(names_used(ast.parse(code)))
    return {
        outside
        for outside, rooms in ALLOWED_ROOMS.items()
        if any(f"{name}.".startswith(f"{outside}.") for name in used)
        and not any(f"{module}.".startswith(f"{room}.") for room in rooms)
    }


def clock_calls(code: str) -> set[str]:
    """Return the calls that take time from the machine; `asyncio.sleep(0)` only lets others run and is none."""
    return {
        dotted(node.func)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and dotted(node.func) in CLOCKS
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    }


@pytest.mark.parametrize("source", SOURCES, ids=module_name)
def test_each_room_keeps_to_the_outside_modules_it_may_know(source: Path) -> None:
    assert trespasses(module_name(source), source.read_text()) == set()


@pytest.mark.parametrize("source", [source for source in SOURCES if source != BOT / "clock.py"], ids=module_name)
def test_all_time_comes_from_the_clock(source: Path) -> None:
    assert clock_calls(source.read_text()) == set()


def test_every_folder_of_code_is_a_package() -> None:
    """A folder without `__init__.py` would be invisible to the contracts."""
    assert {source.parent for source in SOURCES if not (source.parent / "__init__.py").exists()} == set()


def test_importing_bot_costs_nothing() -> None:
    """Every command and every contract starts from `import bot`, so it drags in nothing."""
    assert list(names_used(ast.parse((BOT / "__init__.py").read_text()))) == []


@pytest.mark.parametrize(
    ("module", "code", "found"),
    [
        ("bot.store.models", "from aiohttp import web", {"aiohttp.web"}),
        ("bot.store.models", "import aiohttp\naiohttp.web.Application()", {"aiohttp.web"}),
        ("bot.worker", "from aiohttp.web import Response", {"aiohttp.web"}),
        ("bot.webhooks", "import aiohttp.web", {"aiohttp.web"}),
        ("bot.web.webhook", "from aiohttp import web", set()),
        ("bot.app", "from aiohttp import web", set()),
        ("bot.github.client", "from aiohttp import ClientSession", set()),
        ("bot.events", "from gidgethub.aiohttp import GitHubAPI", {"gidgethub.aiohttp"}),
        ("bot.events", "from gidgethub import routing, sansio", set()),
        ("bot.domain.payloads", "import urllib.request", {"urllib.request"}),
        ("bot.domain.payloads", "from urllib.parse import quote", set()),
    ],
)
def test_the_check_sees_every_way_to_import(module: str, code: str, found: set[str]) -> None:
    assert trespasses(module, code) == found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("datetime.now(UTC)", {"datetime.now"}),
        ("datetime.datetime.now()", {"datetime.datetime.now"}),
        ("async def wait():\n    await asyncio.sleep(1)", {"asyncio.sleep"}),
        ("async def wait():\n    await asyncio.sleep(0)", set()),
        ("time.sleep(delay)", {"time.sleep"}),
        ("clock.now()", set()),
        ("self.clock.sleep(1)", set()),
    ],
)
def test_the_check_sees_every_clock(code: str, found: set[str]) -> None:
    assert clock_calls(code) == found
