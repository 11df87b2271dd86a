"""Holds docs/api.md against the table of routes, and runs its examples on a real service."""

import argparse
import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestServer

from bot import access
from bot.app import create_app, prepare_database
from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.recorder import upsert_workflow_job, upsert_workflow_run
from bot.settings import load_settings
from bot.store import views
from bot.web.parameters import parameters_of, parse
from bot.web.route import Route, Who
from bot.web.routes import ROUTES
from tests.markdown import DOCS, PAGES, ROOT, code_blocks, first_column, name, sections, shell_lines, table

API_PAGE = (DOCS / "api.md").read_text()
API_SECTIONS = sections(API_PAGE)


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


WITH_SECTIONS = [route for route in ROUTES if not route.is_page]
WHO = {Who.ANYONE: "anyone", Who.PERSON: "a person", Who.SETUP: "set-up"}


def test_every_route_is_documented_and_no_other() -> None:
    assert {heading for heading in API_SECTIONS if re.match("[A-Z]+ /", heading)} == set(map(label, WITH_SECTIONS))


def test_every_page_is_listed_with_who_may_see_it_and_no_other() -> None:
    rows = table(sections(API_PAGE, "##")["For people"])
    assert [row[:2] for row in rows] == [[label(route), WHO[route.who]] for route in ROUTES if route.is_page]
    assert all(row[2] for row in rows)


@pytest.mark.parametrize("route", WITH_SECTIONS, ids=label)
def test_a_route_is_documented_with_its_parameters_and_errors(route: Route) -> None:
    section = API_SECTIONS[label(route)]
    structs = [struct for struct in (route.path_parameters, route.query, route.headers) if struct is not None]
    declared = {key: value for struct in structs for key, value in parameters_of(struct).items()}
    rows = {row[0]: row[1:] for row in table(section)}
    assert rows.keys() == declared.keys()
    for key, parameter in declared.items():
        assert (rows[key][0] == "required") == parameter.required, key
        if not parameter.required and parameter.default is not None:
            assert rows[key][0] == str(parameter.default).lower(), key
        choices = re.findall(r"[a-z_]+", parameter.expectation.partition("must be one of ")[2])
        assert set(choices) <= set(re.findall(r"`([a-z_]+)`", rows[key][1])), key
    told = re.search(r"^Errors: (.+)\.$", section, re.MULTILINE)
    assert tuple(map(int, told[1].split(", "))) == route.refusals if told else not route.refusals


VIEWS = [views.Run, views.Job, views.Repository, views.RepositorySettings, views.BackfillProgress]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_the_fields_of_an_answer_are_documented(view: type[msgspec.Struct]) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(view)]
    assert sorted(row[0] for row in table(API_SECTIONS[view.__name__])) == sorted(fields)


def test_every_status_that_a_route_may_refuse_with_is_explained() -> None:
    explained = first_column(sections(API_PAGE, "##")["Errors"])
    assert explained == {str(status) for route in ROUTES for status in route.refusals} | {"405", "500"}


def route_at(path: str) -> Route | None:
    literal = [route for route in ROUTES if route.path == path]
    patterns = [route for route in ROUTES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path)]
    return next(iter(literal + patterns), None)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_addresses_that_a_page_shows_are_routes(page: Path) -> None:
    text = page.read_text()
    for address in re.findall(r"/(?:api/(?:github|integrations)|static)/[^\s\"'`)|,]*[^\s\"'`)|,.…]", text):
        parts = urlsplit(address)
        prefix = any(route.path.startswith(parts.path.rstrip("/") + "/") for route in ROUTES)
        route = route_at(parts.path)
        assert route is not None or prefix, address
        if route is not None and parts.query:
            parse(route.query, parse_qsl(parts.query))


RUN: dict[str, Any] = {
    "id": 19400034522,
    "status": "completed",
    "conclusion": "failure",
    "name": "CI",
    "head_branch": "main",
    "created_at": "2026-11-20T09:00:00Z",
    "updated_at": "2026-11-20T09:02:00Z",
    "html_url": "https://github.com/octo-org/uploader/actions/runs/19400034522",
}
METRICS_TOKEN = "whoever reads the metrics knows this"
JOB: dict[str, Any] = {"id": 5, "run_id": RUN["id"], "run_attempt": 1, "status": "completed", "name": "test"}
REPOSITORY: dict[str, Any] = {"id": 1, "full_name": "octo-org/uploader", "owner": {"id": 2, "login": "octo-org"}}


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[dict[str, str]]:
    """Serve one run of octo-org, and give the environment that the examples take."""
    key = SimulatedGitHub(Clock()).private_key_pem
    settings = load_settings(
        database_url=url, webhook_secret="not used here", app_id=1, private_key=key, metrics_token=METRICS_TOKEN
    )
    await prepare_database(settings, migrating=True)
    async with TestServer(create_app(settings, Clock(), with_worker=False)) as server:
        await upsert_workflow_run(RUN, REPOSITORY, installation_id=3)
        await upsert_workflow_job(JOB, REPOSITORY, installation_id=3)
        token = await access.create_token("octo-org", "examples", Clock().now())
        address = str(server.make_url("/")).rstrip("/")
        told = {"RUNLEDGER": address, "TOKEN": token, "TEAM": "octo-org", "DATABASE_URL": url}
        yield told | {"METRICS_TOKEN": METRICS_TOKEN}


def as_curl_asks(line: str) -> tuple[str, str, dict[str, str], str | None]:
    """Return the method, the address, the headers and the body of what a line asks for: https://curl.se/docs/manpage.html."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-H", dest="headers", action="append")
    parser.add_argument("-X", dest="method")
    parser.add_argument("--json")
    parser.add_argument("address")
    asked = parser.parse_args(shlex.split(line)[1:])
    headers = dict(header.split(": ", 1) for header in asked.headers or [])
    if asked.json is None:
        return "GET", asked.address, headers, None
    return asked.method or "POST", asked.address, headers | {"Content-Type": "application/json"}, asked.json


async def test_the_curl_examples_work(sqlite_url: str) -> None:
    lines = [line for line in shell_lines(API_PAGE) if line.startswith("curl ")]
    asked = []
    async with serving(sqlite_url) as service, aiohttp.ClientSession() as session:
        for line in lines:
            filled = re.sub(r"\$([A-Z_]+)", lambda match: service[match[1]], line)
            method, address, headers, body = as_curl_asks(filled)
            async with session.request(method, address, headers=headers, data=body) as answer:
                assert answer.status == {"GET": 200, "POST": 202, "PUT": 200}[method], await answer.text()
            asked.append(f"{method} {urlsplit(address).path.removeprefix('/api/integrations/github/')}")
    assert asked == [
        "GET workflow-runs",
        "GET workflow-runs/pr",
        "GET workflow-runs/19400034522",
        "GET workflow-jobs",
        "GET repositories",
        "GET repositories/1/settings",
        "PUT repositories/1/settings",
        "GET teams",
        "POST backfills",
        "GET backfills/1",
        "GET /healthz",
        "GET /metrics",
        "GET /openapi.json",
    ]
    api = {(route.method, route.path) for route in ROUTES if route.path.startswith("/api/integrations/")}
    shown = [line.partition(" ")[::2] for line in asked]
    for method, path in api:
        pattern = re.sub(r"\{\w+\}", "[^/]+", path.removeprefix("/api/integrations/github/"))
        assert any(method == one and re.fullmatch(pattern, other) for one, other in shown), path


async def test_the_python_examples_work(sqlite_url: str) -> None:
    examples = code_blocks(API_PAGE, "python")
    printed_by = ("octo-org/uploader CI", "octo-org/uploader True\nwaiting 0", "octo-org/uploader CI")
    async with serving(sqlite_url) as service:
        for example, expected in zip(examples, printed_by, strict=True):
            program = await asyncio.create_subprocess_exec(
                sys.executable, "-c", example, cwd=ROOT, env=os.environ | service, stdout=subprocess.PIPE
            )
            printed, _ = await program.communicate()
            assert program.returncode == 0
            assert expected in printed.decode()
