"""Whether the service lives, whether it can do its work, and what Prometheus may read of it."""

import asyncio
import hmac
import ipaddress
from datetime import datetime, timedelta

import msgspec
from aiohttp import web
from prometheus_client.metrics_core import Metric

from bot import inbox, metrics
from bot.clock import Clock
from bot.errors import DatabaseUnavailable
from bot.store import health, queries
from bot.web import keys
from bot.web.answers import uncached_answer
from bot.web.authentication import find_bearer_token
from bot.web.problems import Problem, unauthorized

CHECK_SECONDS = 5.0
# Each of them says that somebody else's request is being passed on, so the peer's address means nothing.
FORWARDED_HEADERS = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


class Check(msgspec.Struct, frozen=True):
    """One thing that must be well, and a sentence on how it is."""

    name: str
    ok: bool
    detail: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether deliveries can be stored and are being handled."""

    ready: bool
    checks: list[Check]


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


async def get_health(_request: web.Request) -> web.Response:
    """Answer 200: whoever can answer is alive, whatever the database does."""
    return uncached_answer(Health("ok"), 200)


async def get_readiness(request: web.Request) -> web.Response:
    """Answer 200 when every check is well, else 503, with the checks either way."""
    readiness = await find_readiness(request.app[keys.CLOCK])
    return uncached_answer(readiness, 200 if readiness.ready else 503)


async def find_readiness(clock: Clock) -> Readiness:
    """Return how the database and the worker are; raises nothing, and waits for neither longer than 5 seconds."""
    checks = [await _check_database(), await _check_worker(clock)]
    return Readiness(all(check.ok for check in checks), checks)


async def _check_database() -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await health.check_writable()
    except (DatabaseUnavailable, TimeoutError):
        return Check("database", ok=False, detail="The database can't be written.")
    return Check("database", ok=True, detail="The database can be written.")


async def _check_worker(clock: Clock) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            heartbeat = await health.newest_heartbeat()
    except (DatabaseUnavailable, TimeoutError):
        return Check("worker", ok=False, detail="The database can't tell whether a worker runs.")
    if heartbeat is None:
        return Check("worker", ok=False, detail="No worker has run yet.")
    age = max(clock.now() - heartbeat, timedelta())
    detail = f"The newest heartbeat of a worker is {age.total_seconds():.0f} s old."
    return Check("worker", ok=age <= health.FRESH, detail=detail)


async def get_metrics(request: web.Request) -> web.Response:
    """Answer in Prometheus' text format, to this machine or to whoever has METRICS_TOKEN."""
    _check_scraper(request)
    body, content_type = metrics.render(await _looked_up(request.app[keys.CLOCK].now()))
    return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _check_scraper(request: web.Request) -> None:
    token = request.app[keys.CONFIGURATION].given.metrics_token
    if is_from_this_machine(request):
        return
    if token is None:
        raise Problem(404)
    given = find_bearer_token(request) or ""
    limits = request.app[keys.LIMITS]
    limits.check_stranger(request, given)
    if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
        limits.charge_stranger(request)
        raise unauthorized()


def is_from_this_machine(request: web.Request) -> bool:
    """Tell whether the peer is on loopback and passes nobody else's request on."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if not isinstance(peer, tuple) or any(name in request.headers for name in FORWARDED_HEADERS):
        return False
    address = ipaddress.ip_address(peer[0].partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


async def _looked_up(now: datetime) -> list[Metric]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            families = [*await _inbox_gauges(now), await _delivery_gauge(), await _silence_gauge()]
    except (DatabaseUnavailable, TimeoutError):
        families = []
    up = metrics.gauge("runledger_database_up", "Whether the database answered this scrape", [({}, bool(families))])
    return [up, *families]


async def _inbox_gauges(now: datetime) -> list[Metric]:
    statistics = await inbox.get_statistics()
    oldest = statistics.oldest_waiting
    age = max((now - oldest).total_seconds(), 0.0) if oldest else 0.0
    return [
        metrics.gauge("runledger_oldest_waiting_seconds", "Age of the oldest delivery that waits", [({}, age)]),
        metrics.gauge("runledger_deliveries_waiting", "Deliveries that wait for a worker", [({}, statistics.waiting)]),
        metrics.gauge("runledger_deliveries_dead", "Deliveries that were given up", [({}, statistics.dead)]),
    ]


async def _delivery_gauge() -> Metric:
    return metrics.gauge(
        "runledger_last_delivery_timestamp_seconds",
        "When the last delivery of an installation came, since the Unix epoch",
        [({"installation": str(id_)}, moment.timestamp()) for id_, moment in await queries.last_deliveries()],
    )


async def _silence_gauge() -> Metric:
    return metrics.gauge(
        "runledger_installation_silent",
        "Whether no delivery of an installation comes though REST shows new runs",
        [({"installation": str(id_)}, silent) for id_, silent in (await queries.silent_installations()).items()],
    )
