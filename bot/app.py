"""The one place that builds things: settings, database, inbox, worker, routes."""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from bot import events, feedback, handling, history, logs, metrics
from bot.access.people import People
from bot.clock import Clock
from bot.errors import RunledgerError, SettingsError
from bot.inbox import Inbox
from bot.settings import Dialect, Settings
from bot.setup import links
from bot.setup.watch import Watch
from bot.store import connected
from bot.store.database import Database
from bot.store.leases import Leases, new_holder
from bot.store.migrate import migrate, pending_migrations
from bot.store.registration import Configuration
from bot.web import keys
from bot.web.protocol import Runner
from bot.web.routes import HANDLER_ARGS, add_routes, middlewares
from bot.worker import Worker, running

log = logging.getLogger(__name__)

# Heroku ends a process 30 s after SIGTERM; ours is gone in ten, requests and the batch in hand included.
SHUTDOWN_SECONDS = 6.0
STOP_SECONDS = 9.0
# Python's own are (700, 10, 10): one delivery makes about a hundred objects that are let go of at once.
GC_THRESHOLDS = (20_000, 20, 50)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _collect_less() -> None:
    """Let the garbage collector look at what is new alone, and less often.

    All modules together are some hundred thousand objects that never go; to look at them again and again took a fifth
    of the time of a busy service (https://docs.python.org/3/library/gc.html#gc.freeze). `bench/ingest` shows what it is
    worth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def check_can_serve(settings: Settings) -> None:
    """Raise SettingsError where deliveries could not be told from forgeries.

    With nothing configured at all there is nothing to forge: the service then says how to begin.
    """
    if settings.webhook_secret is None and not settings.is_unconfigured:
        message = "WEBHOOK_SECRET is missing: without it no delivery can be told from a forged one"
        raise SettingsError(message)


async def prepare_database(settings: Settings, *, migrating: bool) -> None:
    """Bring the database to the newest schema, or make sure that it is there.

    Raises RunledgerError when migrations are missing and may not be applied.
    """
    url = settings.database_url.get_secret_value()
    if migrating:
        for name in await migrate(url):
            log.info("migrated", extra={"migration": name})
    elif missing := await pending_migrations(url):
        message = (
            f"the database lacks {len(missing)} migration(s), the first being {missing[0]}: run `runledger migrate`"
        )
        raise RunledgerError(message)


def create_app(
    settings: Settings, clock: Clock, *, with_worker: bool, configuration: Configuration | None = None
) -> web.Application:
    """Return the HTTP service; its database must be at the newest schema when it starts."""
    app = web.Application(middlewares=middlewares, handler_args=HANDLER_ARGS)
    configuration = configuration or Configuration(settings, clock)
    app[keys.CONFIGURATION] = configuration
    app[keys.CLOCK] = clock
    app[keys.WATCH] = Watch(configuration, clock)

    async def run_parts(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as parts:
            database = await parts.enter_async_context(connected(settings.database_url.get_secret_value()))
            app[keys.DATABASE] = database
            check_can_serve(await configuration.begin(database))
            inbox = await parts.enter_async_context(
                Inbox(database, clock, events.ACTED_ON, events.may_tell, handling.EventHandler(clock))
            )
            app[keys.INBOX] = inbox
            people = People(configuration, clock, database, Leases(database, clock, new_holder()))
            app[keys.PEOPLE] = await parts.enter_async_context(people)
            if with_worker:
                await parts.enter_async_context(employed(configuration, database, clock, people, inbox.arrived))
            else:
                await parts.enter_async_context(looking_out(configuration, database))
            yield

    app.cleanup_ctx.append(run_parts)
    add_routes(app)
    return app


@asynccontextmanager
async def looking_out(configuration: Configuration, database: Database) -> AsyncIterator[None]:
    """Take over whatever App another process registers, while inside."""
    looking = asyncio.create_task(_keep_looking(configuration, database), name="look-out")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})
    if not looking.cancelled():
        looking.result()


async def _keep_looking(configuration: Configuration, database: Database) -> None:
    while True:
        await configuration.changed_from(configuration.current, database)


@asynccontextmanager
async def employed(
    configuration: Configuration,
    database: Database,
    clock: Clock,
    people: People,
    arrived: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Keep a worker at work while inside, for the App there is at the moment: another App gets another worker."""
    started = asyncio.Event()
    working = asyncio.create_task(
        _keep_working(configuration, database, clock, people, arrived, started), name="employer"
    )
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        yield
    finally:
        for task in (waiting, working):
            task.cancel()
        await asyncio.wait({working, waiting})
    if not working.cancelled():
        working.result()


async def _keep_working(
    configuration: Configuration,
    database: Database,
    clock: Clock,
    people: People,
    arrived: asyncio.Event | None,
    started: asyncio.Event,
) -> None:
    while True:
        settings = configuration.current
        async with history_tools(settings, database, clock) as github:
            telling = feedback_tools(settings, github)
            worker = Worker(database, clock, settings, arrived, github, telling, people)
            async with running(worker):
                log.debug("a worker began", extra={"worker": worker.name})
                started.set()
                await configuration.changed_from(settings, database)


@asynccontextmanager
async def history_tools(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[history.Tools | None]:
    """Give what history is fetched with, None where the settings name no App to ask GitHub as."""
    if not history.can_ask_github(settings):
        log.info("APP_ID and PRIVATE_KEY are not set, so GitHub is asked for nothing, and nothing is told there")
        yield None
        return
    async with history.opened(settings, database, clock, events.acts_on) as tools:
        yield tools


def feedback_tools(settings: Settings, github: history.Tools | None) -> feedback.Tools | None:
    """Return what is told on GitHub with, over the client that history uses too, since they share its limits."""
    if github is None or settings.app_id is None:
        return None
    return feedback.Tools(
        database=github.database,
        github=github.github,
        clock=github.clock,
        leases=github.leases,
        app_id=settings.app_id,
        server_url=settings.github_server_url,
    )


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    # Whoever sends what is not HTTP has had a 400 for it, and must not fill the log with tracebacks.
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, BadHttpMessage)


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets; a second signal, as Heroku may send, changes nothing.

    From the signal on the process has STOP_SECONDS. What hangs by then, on a database that answers nobody, has not
    been acknowledged, so that leaving it loses nothing; the exit code is then 1.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    # The loop's own handlers end with the loop, and a second signal would then kill a process that is on its way out.
    def stop(_number: int, _frame: object) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        last_resort = threading.Timer(STOP_SECONDS, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()
        loop.call_soon_threadsafe(stopped.set)

    for each in STOP_SIGNALS:
        signal.signal(each, stop)
    return stopped


async def serve(
    settings: Settings, clock: Clock, *, with_worker: bool, migrating: bool, show: Callable[[str], None]
) -> None:
    """Serve until a signal says stop; `show` prints for whoever started it.

    Raises SettingsError, RunledgerError or DatabaseUnavailable when it can't start.
    """
    if settings.secret_key is None:
        check_can_serve(settings)
    stopped = stop_signal()
    await prepare_database(settings, migrating=migrating)
    configuration = Configuration(settings, clock)
    async with serving(settings, clock, with_worker=with_worker, configuration=configuration) as address:
        _collect_less()
        log.info("listening", extra={"address": address})
        await offer_setup(configuration, clock, int(address.rpartition(":")[2]), show)
        await stopped.wait()
        log.info("stopping")


async def offer_setup(configuration: Configuration, clock: Clock, port: int, show: Callable[[str], None]) -> None:
    """Show a link to the set-up page where there is no App yet, or say what the page needs."""
    if not configuration.current.is_unconfigured:
        return
    if configuration.sealer is None:
        show(f"runledger: {links.WITHOUT_KEY}.")
        log.warning("%s", links.WITHOUT_KEY)
        return
    token = await links.new_link(clock.now())
    link = links.link_of(token, configuration.given, port)
    show(links.invitation(link, configuration.given))
    log.info("%s", links.log_line(configuration.given), extra={"link": link})
    # That line was the last that may hold it.
    logs.redact_also((token,))


@asynccontextmanager
async def serving(
    settings: Settings, clock: Clock, *, with_worker: bool, configuration: Configuration | None = None
) -> AsyncIterator[str]:
    """Serve on HOST and PORT while inside, and yield the address; port 0 takes any that is free.

    Raises RunledgerError when the port is taken.
    """
    logging.getLogger("aiohttp.server").addFilter(_is_worth_a_line)
    app = create_app(settings, clock, with_worker=with_worker, configuration=configuration)
    runner = Runner(app, handler_args=HANDLER_ARGS, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await _listen(runner, settings)
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        message = f"can't listen on {settings.host} port {settings.port}: {error.strerror or error}"
        raise RunledgerError(message) from None


async def work(settings: Settings, clock: Clock, *, metrics_port: int | None = None) -> None:
    """Run a worker, and nothing else, until a signal says stop; its metrics are on `metrics_port` of loopback.

    Raises RunledgerError or DatabaseUnavailable when it can't start.
    """
    stopped = stop_signal()
    await prepare_database(settings, migrating=False)
    if metrics_port is not None:
        metrics.serve(metrics_port)
    configuration = Configuration(settings, clock)
    async with connected(settings.database_url.get_secret_value()) as database:
        await configuration.begin(database)
        people = People(configuration, clock, database, Leases(database, clock, new_holder()))
        async with people, employed(configuration, database, clock, people):
            _collect_less()
            log.info("working")
            await stopped.wait()
            log.info("stopping")


def runs_worker_by_default(settings: Settings) -> bool:
    """Tell whether one process does it all: on SQLite, which one process writes best."""
    return settings.dialect is Dialect.SQLITE
