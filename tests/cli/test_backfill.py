"""`backfill` as a process of its own, against the simulated GitHub: what it fetches, shows, and survives."""

import asyncio
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.clock import Clock
from bot.demo.github import Past, SimulatedGitHub
from bot.demo.github.rest.faults import Slow
from bot.demo.github.state.repositories import Repository
from bot.demo.scenario.agreement import differences_from
from bot.history.shift import AT_ONCE
from bot.store import connected
from tests import builders as make
from tests.cli.conftest import Command
from tests.cli.delivering import deliver, run_event
from tests.demo.stage import Stage, set_stage
from tests.flows import programs
from tests.flows.programs import Outcome

RUNS, JOBS = "actions/list-workflow-runs-for-repo", "actions/list-jobs-for-workflow-run"


@dataclass
class Town:
    """A GitHub with a past, and a record that knows of the installation on it alone."""

    stage: Stage
    folder: Path
    settings: dict[str, str]

    @property
    def github(self) -> SimulatedGitHub:
        return self.stage.github

    def add_past(self, runs: int, *, days: int = 12, repository: Repository | None = None) -> None:
        stage, until = self.stage, self.github.clock.now() - timedelta(hours=5)
        home, workflow = repository or stage.repository, stage.workflow
        if home is not workflow.repository:
            workflow = self.github.actions.add_workflow(home, workflow.name, workflow.path, workflow.jobs)
        since = until - timedelta(days=days)
        self.github.add_history(Past(home, [workflow], [stage.person], runs, since, until))

    def start(self, *arguments: str) -> programs.Running:
        return programs.Running(self.folder, "backfill", *arguments, **self.settings)

    async def run(self, *arguments: str) -> Outcome:
        return await asyncio.to_thread(self.start(*arguments).end)

    def asked(self, operation: str) -> int:
        return self.github.rest.ledger.counts[operation]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    async def differences(self) -> list[str]:
        async with connected(self.settings["DATABASE_URL"]):
            truth = self.github.truth(self.stage.installation)
            return [each async for each in differences_from(truth, self.stage.organization.login)]

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        database = sqlite3.connect(self.settings["DATABASE_URL"].removeprefix("sqlite://"), timeout=10)
        with database:
            rows = database.execute(sql).fetchall()
        database.close()
        return rows

    def jobs(self) -> int:
        ((jobs,),) = self.execute("SELECT count(*) FROM workflow_job")
        assert isinstance(jobs, int)
        return jobs

    def forget_leases(self) -> None:
        """Let the time go by after which a process that died has no rights any more."""
        self.execute("UPDATE lease SET until = '2020-01-01 00:00:00+00:00'")


@asynccontextmanager
async def built(url: str, folder: Path) -> AsyncIterator[Town]:
    github = SimulatedGitHub(Clock())
    stage = set_stage(github)
    async with github, github.serve() as api:
        settings = {
            "DATABASE_URL": url,
            "APP_ID": str(github.app.id),
            "PRIVATE_KEY": github.private_key_pem,
            "GITHUB_API_URL": api,
        }
        town = Town(stage, folder, settings)
        await hear_of_it(town)
        yield town
    assert github.rest.ledger.violations == []


async def hear_of_it(town: Town) -> None:
    """Record what webhooks have told so far."""
    told = [(each.event, each.body) for each in town.github.deliveries]
    await asyncio.to_thread(deliver, town.settings["DATABASE_URL"], told)


@pytest.fixture
async def town(migrated_sqlite: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with built(migrated_sqlite, tmp_path) as town:
        yield town


async def test_the_past_of_a_repository_on_either_database(migrated_url: str, tmp_path: Path) -> None:
    async with built(migrated_url, tmp_path) as town:
        town.add_past(30)
        code, out, err = await town.run("--repo", "acme/rocket")
        assert (code, err) == (0, "")
        assert re.fullmatch(r"acme/rocket: 30 of 30 runs, [1-9]\d* jobs", out.splitlines()[-1])
        assert await town.differences() == []


async def test_lines_tell_how_far_it_is_and_what_it_came_to(town: Town) -> None:
    town.add_past(12)
    town.github.rest.scripted_faults.add(Slow(0.8), operation=JOBS, times=4)
    code, out, err = await town.run("--repo", "ACME/Rocket")
    first, *_, last = out.splitlines()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"acme/rocket: \d+ of \d+ runs, \d+ jobs, .+, a minute left", first)
    assert last == f"acme/rocket: 12 of 12 runs, {town.jobs()} jobs"


async def test_all_of_a_team_or_several_by_name(town: Town) -> None:
    other = town.github.repositories.create(town.stage.organization, "lander")
    town.add_past(8)
    town.add_past(5, repository=other)
    await hear_of_it(town)
    code, out, err = await town.run("--team", "acme")
    assert (code, err) == (0, "")
    assert [line.partition(",")[0] for line in out.splitlines()[-2:]] == [
        "acme/lander: 5 of 5 runs",
        "acme/rocket: 8 of 8 runs",
    ]
    twice = await town.run("--repo", "acme/rocket", "--repo", "acme/lander", "--repo", "Acme/Rocket", "--team", "acme")
    assert [line.partition(":")[0] for line in twice.out.splitlines()[-2:]] == ["acme/rocket", "acme/lander"]


async def test_a_span_is_fetched_and_no_more(town: Town) -> None:
    town.add_past(40, days=10)
    day = f"{town.github.clock.now() - timedelta(days=5):%Y-%m-%d}"
    code, out, _ = await town.run("--repo", "acme/rocket", "--since", day, "--until", day)
    of_that_day = sum(run["created_at"].startswith(day) for run in town.github.truth()["runs"])
    assert code == 0
    assert 0 < of_that_day < 40
    assert out.splitlines()[-1].startswith(f"acme/rocket: {of_that_day} of {of_that_day} runs")
    assert town.execute("SELECT count(*) FROM workflow_run") == [(of_that_day,)]


async def test_a_past_name_finds_the_repository(town: Town) -> None:
    town.add_past(3)
    town.github.repositories.rename(town.stage.repository, "shuttle")
    await hear_of_it(town)
    code, out, _ = await town.run("--repo", "acme/rocket")
    assert (code, out.splitlines()[-1].partition(",")[0]) == (0, "acme/shuttle: 3 of 3 runs")


async def test_after_a_kill_it_goes_on_where_it_was(town: Town) -> None:
    town.add_past(250)
    for wanted in (3, 40, 150):
        program = town.start("--repo", "acme/rocket")
        await town.until(lambda wanted=wanted: town.asked(RUNS) + town.asked(JOBS) >= wanted)  # type: ignore[misc]
        program.send(signal.SIGKILL)
        assert (await asyncio.to_thread(program.end)).code == -signal.SIGKILL
        town.forget_leases()
    code, out, err = await town.run("--repo", "acme/rocket")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"acme/rocket: 250 of 250 runs, {town.jobs()} jobs"
    assert await town.differences() == []
    # At most one page a kill is listed again, and what was under way is asked again.
    assert town.asked(RUNS) <= 3 + 3
    assert town.asked(JOBS) <= 250 + 3 * AT_ONCE
    assert town.execute("SELECT count(*) FROM backfill") == [(1,)]


async def test_ctrl_c_leaves_the_rest_for_later_and_says_so(town: Town) -> None:
    # So many that it is not done before it hears of it.
    town.add_past(250)
    program = town.start("--repo", "acme/rocket")
    await town.until(lambda: town.asked(JOBS) > 0)
    program.send(signal.SIGINT)
    code, _, err = await asyncio.to_thread(program.end)
    assert code == 1
    assert err.startswith("runledger: stopped")
    assert err.count("\n") == 1
    # The rights were given back, so that whoever comes next need not wait.
    assert town.execute("SELECT count(*) FROM lease WHERE holder IS NOT NULL") == [(0,)]
    code, out, _ = await town.run("--repo", "acme/rocket")
    assert (code, out.splitlines()[-1]) == (0, f"acme/rocket: 250 of 250 runs, {town.jobs()} jobs")
    # What was under way and not committed yet is asked for again.
    assert town.asked(JOBS) <= 250 + AT_ONCE
    assert await town.differences() == []


async def test_what_can_not_be_fetched_is_one_sentence(town: Town) -> None:
    town.add_past(5)
    town.github.installations.remove_repositories(town.stage.installation, [town.stage.repository])
    code, out, err = await town.run("--repo", "acme/rocket")
    assert (code, out.splitlines()[-1]) == (1, "acme/rocket: 0 of 0 runs, 0 jobs")
    assert re.fullmatch(r"runledger: the history of acme/rocket is not whole: .+\n", err)


async def test_while_nothing_can_be_asked_stderr_says_why(town: Town) -> None:
    town.add_past(5)
    town.github.installations.suspend(town.stage.installation)
    program = town.start("--repo", "acme/rocket")
    await town.until(lambda: "history pauses" in program.err)
    program.send(signal.SIGINT)
    code, _, err = await asyncio.to_thread(program.end)
    assert code == 1
    assert "suspended" in err.partition("\n")[0]


async def test_credentials_that_github_does_not_take_are_told_at_once(town: Town) -> None:
    town.settings["APP_ID"] = "4711"
    code, out, err = await town.run("--repo", "acme/rocket")
    assert (code, out) == (1, "")
    assert re.fullmatch(r"runledger: .+\n", err)
    assert town.execute("SELECT count(*) FROM backfill") == [(0,)]


async def test_a_terminal_shows_a_bar(town: Town) -> None:
    town.add_past(12)
    shown, process = await asyncio.to_thread(on_a_terminal, town, "--repo", "acme/rocket")
    assert process.returncode == 0, shown
    assert "━" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"acme/rocket ━+ 12/12 runs done", plain)
    assert plain.splitlines()[-1] == f"acme/rocket: 12 of 12 runs, {town.jobs()} jobs"


def on_a_terminal(town: Town, *arguments: str) -> tuple[str, subprocess.Popen[bytes]]:
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "80", **town.settings}
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "backfill", *arguments],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:
                # Linux says so when nobody has the other end any more.
                break
            if not read:
                break
            shown += read
    os.close(ours)
    return shown.decode(), process


# Mistakes.

AN_APP = {"APP_ID": "1", "PRIVATE_KEY": SimulatedGitHub(Clock()).private_key_pem}
MISUSES = [
    [],
    ["--since", "2026-01-01"],
    ["--repo", "rocket"],
    ["--repo", "acme/rocket/x"],
    ["--repo", ""],
    ["--repo", "acme/ro\udcffcket"],
    ["--repo", "acme/rocket", "--since", "yesterday"],
    ["--repo", "acme/rocket", "--until", "2026-02-30"],
    ["--team", "acme", "--until", ""],
    ["--team", "acme", "extra"],
]


@pytest.mark.parametrize("arguments", MISUSES, ids=" ".join)
def test_wrong_usage(command: Command, arguments: list[str]) -> None:
    code, out, err = command("backfill", *arguments)
    assert (code, out) == (2, "")
    assert "Usage: runledger" in err
    assert "Traceback" not in err


def test_without_an_app_nothing_can_be_fetched(command: Command, sqlite_record: str) -> None:
    deliver(sqlite_record, [run_event()])
    code, out, err = command("backfill", "--repo", "octo-org/hello")
    assert (code, out) == (1, "")
    assert re.fullmatch(r"runledger: APP_ID and PRIVATE_KEY .+\n", err)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--repo", "acme/nothing"], "there is no repository acme/nothing: .+"),
        (["--repo", "acme/nothing", "--team", "acme"], "there is no repository acme/nothing in team acme"),
        (["--team", "nobody"], "there is no team 'nobody'"),
        (["--repo", "acme/rocket", "--team", "nobody"], "there is no team 'nobody'"),
        (["--repo", "acme/rocket", "--since", "2999-01-01"], "--since must be before the end of what is asked for"),
        (
            ["--repo", "acme/rocket", "--since", "2026-01-02", "--until", "2026-01-01"],
            "--since must be before the end of what is asked for",
        ),
        (["--team", "octo-org"], "the App is not installed on any repository of team octo-org, or suspended there"),
    ],
)
async def test_what_is_not_there_is_named(town: Town, arguments: list[str], sentence: str) -> None:
    suspended = ("installation", make.installation_event("suspend", 71, suspended_at="2026-01-05T09:00:00Z"))
    await asyncio.to_thread(deliver, town.settings["DATABASE_URL"], [run_event(), suspended])
    code, out, err = await town.run(*arguments)
    assert (code, out) == (1, "")
    assert re.fullmatch(f"runledger: {sentence}\n", err), err
    assert town.execute("SELECT count(*) FROM backfill") == [(0,)]


async def test_a_name_in_several_teams_wants_the_team_said(town: Town) -> None:
    town.add_past(2)
    await asyncio.to_thread(deliver, town.settings["DATABASE_URL"], [run_event("zoo/rocket", installation=72)])
    for sql in (
        "UPDATE repository SET full_name = 'acme/rocket' WHERE repository_id = 720",
        "UPDATE repository_name SET name = 'acme/rocket', full_name = 'acme/rocket' WHERE repository_id = 720",
    ):
        town.execute(sql)
    code, out, err = await town.run("--repo", "acme/rocket")
    assert (code, out) == (1, "")
    assert err == "runledger: acme/rocket is in several teams: say which with --team (acme, zoo)\n"
    assert (await town.run("--repo", "acme/rocket", "--team", "acme")).code == 0
