"""A simulated GitHub with a past: its bodies, to be recorded, and as a process of its own, to be asked for them.

`python -m bench.past RUNS SECONDS` serves so many runs on PORT, each answer after so many seconds, without limits, and
writes to `github.json` what its client has to know.
"""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import uvloop
from msgspec import Struct

from bot.clock import Clock
from bot.demo.github import JobSpec, Past, SimulatedGitHub
from bot.demo.github.payloads.actions import workflow_job, workflow_run
from bot.demo.github.payloads.repositories import repository
from bot.demo.github.rest.faults import Slow
from bot.demo.github.state.runs import RunFilter

Json = dict[str, Any]
SPAN = timedelta(days=80)
PER_PAGE = 100
STEPS = ("Run actions/checkout@v4", "Set up Python", "Restore caches", "Install dependencies", "Build", "Run tests")
JOBS = ("lint", "build (ubuntu-24.04)", "test (3.11)", "test (3.12)", "test (3.13)", "docs", "end-to-end", "package")
TOLD = "github.json"
WITHOUT_LIMIT = 10**9


class Bodies(Struct):
    """Pages of runs, and of the jobs of one run each, as REST answers them at `date`."""

    repository: Json
    installation_id: int
    date: datetime
    runs: list[list[Json]]
    jobs: list[list[Json]]


def found(runs: int) -> SimulatedGitHub:
    """Return a GitHub with one repository, whose past is so many runs, and the App installed on it."""
    github = SimulatedGitHub(Clock(), seed=1)
    organization = github.add_organization("northwind-traders")
    people = [github.add_user(f"developer-{number:02}") for number in range(20)]
    shop = github.repositories.create(organization, "shop")
    jobs = [JobSpec(name, STEPS) for name in JOBS]
    workflow = github.actions.add_workflow(shop, "Continuous integration", ".github/workflows/ci.yml", jobs)
    until = github.clock.now() - timedelta(hours=5)
    github.add_history(Past(shop, [workflow], people, runs, until - SPAN, until))
    github.installations.install(organization)
    return github


def make_bodies(runs: int, runs_with_jobs: int) -> Bodies:
    """Return so many runs, and the jobs of the newest of them, newest first as GitHub lists them."""
    world = found(runs).world
    (shop,), (installation,) = world.repositories.values(), world.installations.values()
    newest = list(world.runs.newest_first(shop, RunFilter(), 0, runs))
    listed = [workflow_run(world.addresses, run.latest, ()) for run in newest]
    asked = [world.runs.find(run.id) or run for run in newest[:runs_with_jobs]]
    jobs = [[workflow_job(world.addresses, job) for job in run.all_jobs()] for run in asked]
    pages = [listed[begin : begin + PER_PAGE] for begin in range(0, runs, PER_PAGE)]
    told = (repository(world.addresses, shop), pages, jobs)
    whose, pages, jobs = orjson.loads(orjson.dumps(told))
    return Bodies(whose, installation.id, datetime.now(UTC).replace(microsecond=0), pages, jobs)


async def serve(runs: int, seconds: float) -> None:
    github = found(runs)
    limits = github.rest.limits
    limits.an_hour = limits.points_a_minute = limits.at_once = WITHOUT_LIMIT
    if seconds:
        github.rest.scripted_faults.add(Slow(seconds), times=None)
    _tell(github)
    async with github, github.serve(port=int(os.environ["PORT"])):
        await asyncio.Event().wait()


def _tell(github: SimulatedGitHub) -> None:
    told = {"app_id": github.app.id, "private_key": github.private_key_pem}
    Path(TOLD).write_text(json.dumps(told))


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
