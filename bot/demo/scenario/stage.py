"""What the tour plays on: the service on a port of loopback, and a GitHub that posts its webhooks there."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from bot.app import prepare_database, serving
from bot.clock import Clock, ManualClock
from bot.demo.github import FaultRates, NoFaults, Past, SimulatedGitHub, let_pass
from bot.demo.github.company import Company, found
from bot.demo.github.state.accounts import Installation
from bot.errors import RunledgerError
from bot.inbox import get_statistics
from bot.settings import Settings, load_settings
from bot.store.database import current

HOST = "127.0.0.1"
WEBHOOK_PATH = "/api/github/webhooks"
# Neighbours among so many deliveries change places; some come twice, some late, some not at all.
SHUFFLED_TOGETHER = 12
TWICE, LATE, LATEST_SECONDS = 0.1, 0.1, 0.5
REFUSED, NEVER_SENT = 0.03, 0.01
LOOK_AGAIN_SECONDS = 0.05
# A clock that is moved by hand goes on in steps of so many seconds. It leaps when there is nothing to be done, or when
# nothing has been for some steps, since what there is then waits for the clock.
SHORT_STEP, LEAPS, QUIET, SURELY_QUIET = 5.0, 5, 1, 4
A_PAUSE = timedelta(minutes=1)
# What is to be told where nothing can be written is told when something can.
_TO_BE_TOLD = " UNION ALL ".join(
    f"SELECT 1 AS due FROM {table} AS told JOIN repository ON repository.repository_id = told.repository_id"
    " JOIN installation ON installation.installation_id = repository.installation_id"
    " WHERE told.due_at IS NOT NULL AND installation.state = 'active' AND repository.hidden_at IS NULL"
    for table in ("check_summary", "failure_comment", "job_failure")
)
_DUE = (
    "SELECT 1 AS due FROM delivery WHERE state = 'waiting' UNION ALL SELECT 1 FROM journal_entry"
    " UNION ALL SELECT 1 FROM lease WHERE holder IS NOT NULL AND name LIKE 'job %'"
    " UNION ALL SELECT 1 FROM backfill_window WHERE due_at <= ? UNION ALL SELECT 1 FROM run_wanted WHERE due_at <= ?"
    " UNION ALL SELECT 1 FROM timed_job WHERE due_at <= ?"
    f" UNION ALL {_TO_BE_TOLD.replace('IS NOT NULL AND', '<= ? AND')} LIMIT 1"
)
A_LONG_TIME = timedelta(days=2)
RUNS_BEFORE = 80

T = TypeVar("T")


@dataclass
class Stage:
    """Service and GitHub, with the App installed on one organisation."""

    clock: Clock
    github: SimulatedGitHub
    company: Company
    installation: Installation
    service: "Service"
    github_address: str
    backfilled_runs: int = 0
    differences: list[str] = field(default_factory=list)
    writes_told: int = 0

    @property
    def address(self) -> str:
        """Where the service listens."""
        return self.service.address

    @property
    def team(self) -> str:
        """The slug of the team that the organisation's record belongs to."""
        return self.company.organization.login

    async def settle(self) -> None:
        """Wait until GitHub has handed everything over, and the service is through with it and has told what it had."""
        await self.awaiting(self._settle())

    async def until_backfilled(self) -> None:
        """Wait until the history from before the installation is fetched."""
        await self.awaiting(self._until_backfilled())
        (row,) = await current().reader.fetch("SELECT count(*) AS runs FROM workflow_run")
        self.backfilled_runs = row["runs"]

    async def seen_for(self, lasting: timedelta) -> None:
        """Let the App have been installed so long ago: nothing is told of what ended before that."""
        since = self.clock.now() - lasting
        for table in ("installation", "repository"):
            await current().execute(f"UPDATE {table} SET created_at = ?", since)

    async def pass_time(self, lasting: timedelta) -> None:
        """Let time go by on a clock that is moved by hand, and then some more until all that is under way is done.

        As long as something is due that waits for the clock, it leaps no farther than GitHub may have us pause, then
        ever farther the longer that goes on.
        """
        if not isinstance(self.clock, ManualClock):
            return
        end, leap, pause, quiet = self.clock.now() + lasting, lasting / LEAPS, A_PAUSE, 0
        while True:
            before = self._exchanged()
            await self.step(SHORT_STEP)
            quiet = quiet + 1 if self._exchanged() == before else 0
            is_due = await self._is_anything_due()
            if quiet < (SURELY_QUIET if is_due else QUIET):
                continue
            left = end - self.clock.now()
            if left <= timedelta(0):
                return
            await self.clock.leap(min(leap, left, pause if is_due else leap).total_seconds())
            pause, quiet = (pause * 2 if is_due else A_PAUSE), 0

    async def step(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let seconds go by on such a clock, no faster than what is under way; return whether `until` is true."""
        assert isinstance(self.clock, ManualClock)  # noqa: S101  no other can be moved
        return await let_pass(self.github, self.clock, seconds, step=SHORT_STEP, busy=self._is_working, until=until)

    def _is_working(self) -> bool:
        return self.service.is_running and current().is_working

    def _exchanged(self) -> int:
        """Return a number that grows whenever GitHub and the service have to do with each other."""
        return self.github.rest.ledger.counts.total() + self.github.webhooks.log.counts["attempts"]

    async def _is_anything_due(self) -> bool:
        if not self.service.is_running:
            return False
        return bool(await current().reader.fetch(_DUE, *[self.clock.now()] * _DUE.count("?")))

    async def awaiting(self, doing: Coroutine[Any, Any, T]) -> T:
        """Wait for something, while time goes by."""
        if not isinstance(self.clock, ManualClock):
            return await doing
        task = asyncio.ensure_future(doing)
        if not await self.step(A_LONG_TIME.total_seconds(), until=task.done):
            task.cancel()
            message = f"the demo has waited for {A_LONG_TIME} in vain"
            raise RunledgerError(message)
        return task.result()

    async def _settle(self) -> None:
        await self.github.settle()
        while (await get_statistics()).waiting or await current().reader.fetch(f"{_TO_BE_TOLD} LIMIT 1"):
            await self.clock.sleep(LOOK_AGAIN_SECONDS)

    async def _until_backfilled(self) -> None:
        asked = "SELECT count(*) AS asked, count(finished_at) AS finished FROM backfill WHERE kind = 'installation'"
        while True:
            (row,) = await current().reader.fetch(asked)
            if row["asked"] == row["finished"] == len(self.installation.repositories):
                return
            await self.clock.sleep(LOOK_AGAIN_SECONDS)


class Service:
    """The real service, which can be stopped and started again on the same database and port.

    The App's private key lies at `key_path`, so that any other client can ask the simulated GitHub as the App, too.
    """

    def __init__(self, clock: Clock, settings: Settings, key_path: Path) -> None:
        self.address = ""
        self.key_path = key_path
        self.is_running = False
        self._clock = clock
        self._settings = settings
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Start; RunledgerError when the port is taken."""
        await prepare_database(self._settings, migrating=True)
        serve = serving(self._settings, self._clock, with_worker=True)
        self.address = await self._running.enter_async_context(serve)
        port = int(self.address.rpartition(":")[2])
        self._settings = self._settings.model_copy(update={"port": port})
        self.is_running = True

    async def stop(self) -> None:
        """Stop as on SIGTERM."""
        self.is_running = False
        await self._running.aclose()
        self._running = AsyncExitStack()


def with_past(github: SimulatedGitHub) -> Company:
    """Found the company, and give each repository the runs of some weeks, which no webhook told of."""
    company = found(github)
    until = github.clock.now() - timedelta(hours=5)
    since = until - timedelta(weeks=5)
    for repository in company.repositories.values():
        workflows = github.actions.workflows_of(repository, "push")
        github.add_history(Past(repository, workflows, company.people, RUNS_BEFORE, since, until))
    return company


@asynccontextmanager
async def staged(
    clock: Clock,
    *,
    seed: int,
    port: int,
    github_port: int = 0,
    database_url: str | None = None,
    founding: Callable[[SimulatedGitHub], Company] = with_past,
    signing_in: bool = False,
) -> AsyncIterator[Stage]:
    """Start the service on `port` and a GitHub drawn from `seed` on `github_port`, each 0 for any that is free.

    `founding` makes the company that the App is then installed on; without a `database_url` the database is one that is
    thrown away. With `signing_in` its people can sign in to the service. Both end on the way out. Raises RunledgerError
    when a port is taken.
    """
    async with (
        SimulatedGitHub(clock, seed=seed, faults=NoFaults()) as github,
        _listening(github, github_port) as api,
        _service(clock, _settings(github, database_url, port, api, signing_in=signing_in), github) as service,
    ):
        github.app.callback_urls = (f"{service.address}/login/callback",) if signing_in else ()
        github.webhooks.url = service.address + WEBHOOK_PATH
        company = founding(github)
        github.ping()
        installation = github.installations.install(company.organization)
        yield Stage(clock, github, company, installation, service, api)


def usual_faults(seed: int) -> FaultRates:
    """Return what goes wrong on the way on any day."""
    return FaultRates(
        seed,
        duplicate=TWICE,
        delay=LATE,
        longest_delay=LATEST_SECONDS,
        window=SHUFFLED_TOGETHER,
        fail=REFUSED,
        never_sent=NEVER_SENT,
    )


@asynccontextmanager
async def _listening(github: SimulatedGitHub, port: int) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        try:
            api = await stack.enter_async_context(github.serve(HOST, port))
        except OSError as error:
            message = f"can't listen on {HOST} port {port}: {error.strerror or error}"
            raise RunledgerError(message) from None
        yield api


@asynccontextmanager
async def _service(
    clock: Clock, settings: Callable[[Path], Settings], github: SimulatedGitHub
) -> AsyncIterator[Service]:
    with tempfile.TemporaryDirectory(prefix="runledger-demo-", ignore_cleanup_errors=True) as folder:
        service = Service(clock, settings(Path(folder)), _kept_key(github, Path(folder)))
        await service.start()
        try:
            yield service
        finally:
            await service.stop()


def _kept_key(github: SimulatedGitHub, folder: Path) -> Path:
    path = folder / "app.pem"
    path.touch(mode=0o600)
    path.write_text(github.private_key_pem)
    return path


def _settings(
    github: SimulatedGitHub, database_url: str | None, port: int, api: str, *, signing_in: bool
) -> Callable[[Path], Settings]:
    """Return what gives the settings of a service whose database lies in a folder, unless it is another one."""
    client: dict[str, str] = {}
    if signing_in:
        app_client = {"github_client_id": github.app.client_id, "github_client_secret": github.rest.client_secret}
        client = {**app_client, "secret_key": secrets.token_hex(32)}
    return lambda folder: load_settings(
        **client,
        database_url=database_url or f"sqlite://{folder / 'demo.sqlite3'}",
        webhook_secret=github.webhook_secret,
        app_id=github.app.id,
        private_key=github.private_key_pem,
        github_api_url=api,
        github_server_url=github.world.addresses.html,
        host=HOST,
        port=port,
    )
