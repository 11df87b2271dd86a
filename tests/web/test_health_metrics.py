"""What an operator's machines ask: alive, ready, and the metrics."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from prometheus_client.parser import text_string_to_metric_families

from bot import metrics
from bot.errors import DatabaseUnavailable
from bot.store.health import FRESH
from bot.web.health import is_from_this_machine
from tests.web.conftest import Client, Serve
from tests.web.rooms import NOW, Rooms


async def samples(client: Client, **headers: str) -> dict[tuple[str, str], float]:
    answer = await client.get("/metrics", headers=headers)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(await answer.text())
        for sample in family.samples
    }


async def test_alive_whatever_the_database_does(client: Client, rooms: Rooms) -> None:
    rooms.failure = DatabaseUnavailable("gone")
    answer = await client.get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_ready_when_database_and_worker_are_well(client: Client) -> None:
    answer = await client.get("/readyz")
    readiness = await answer.json()
    assert (answer.status, readiness["ready"]) == (200, True)
    assert [check["name"] for check in readiness["checks"]] == ["database", "worker"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("heartbeat", "status"),
    [
        (NOW - FRESH, 200),
        (NOW + timedelta(seconds=5), 200),
        (NOW - FRESH - timedelta(seconds=1), 503),
        (None, 503),
    ],
)
async def test_not_ready_without_a_worker_that_lives(client: Client, rooms: Rooms, heartbeat: Any, status: int) -> None:
    rooms.heartbeat = heartbeat
    answer = await client.get("/readyz")
    checks = {check["name"]: check["ok"] for check in (await answer.json())["checks"]}
    assert (answer.status, checks) == (status, {"database": True, "worker": status == 200})


async def test_not_ready_without_the_database(client: Client, rooms: Rooms) -> None:
    rooms.failure = DatabaseUnavailable("host 10.0.0.3 is down")
    answer = await client.get("/readyz")
    assert answer.status == 503
    assert not any(check["ok"] for check in (await answer.json())["checks"])
    assert "10.0.0.3" not in await answer.text()


async def test_a_database_that_hangs_is_not_waited_for(
    client: Client, rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.web.health.CHECK_SECONDS", 0.05)
    rooms.hold.clear()
    assert (await client.get("/readyz")).status == 503
    assert (await samples(client))["runledger_database_up", ""] == 0
    rooms.hold.set()


async def test_metrics_are_looked_up_at_each_scrape(client: Client, rooms: Rooms) -> None:
    found = await samples(client)
    assert found["runledger_database_up", ""] == 1
    assert found["runledger_oldest_waiting_seconds", ""] == 90
    assert found["runledger_deliveries_waiting", ""] == 3
    assert found["runledger_deliveries_dead", ""] == 2
    assert found["runledger_last_delivery_timestamp_seconds", "11"] == NOW.timestamp()
    assert found["runledger_last_delivery_timestamp_seconds", "12"] == NOW.timestamp() - 3600
    assert found["runledger_installation_silent", "11"] == 0
    assert found["runledger_installation_silent", "12"] == 1
    rooms.oldest = None
    assert (await samples(client))["runledger_oldest_waiting_seconds", ""] == 0


async def test_metrics_outlive_the_database(client: Client, rooms: Rooms) -> None:
    metrics.count_handled("workflow_run", "handled")
    rooms.failure = DatabaseUnavailable("gone")
    found = await samples(client)
    assert found["runledger_database_up", ""] == 0
    assert ("runledger_deliveries_waiting", "") not in found
    assert found["runledger_deliveries_handled_total", "workflow_run,handled"] >= 1


def test_labels_are_bounded() -> None:
    metrics.count_handled("made up", "handled")
    metrics.count_request("/", "BREW", 405)
    assert metrics.REGISTRY.get_sample_value(
        "runledger_deliveries_handled_total", {"event": "other", "result": "handled"}
    )
    assert metrics.REGISTRY.get_sample_value(
        "runledger_http_requests_total", {"route": "/", "method": "other", "status": "405"}
    )


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"])
async def test_behind_a_proxy_nobody_is_local(client: Client, header: str) -> None:
    answer = await client.get("/metrics", headers={header: "127.0.0.1"})
    assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_a_token_opens_metrics_from_elsewhere(serve: Serve) -> None:
    client = await serve(metrics_token="scrape me/é")
    elsewhere = {"X-Forwarded-For": "192.0.2.1"}
    for token in (None, "", "other", "scrape"):
        headers = elsewhere if token is None else elsewhere | {"Authorization": f"Bearer {token}"}
        answer = await client.get("/metrics", headers=headers)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_the_right_token_is_let_in(serve: Serve) -> None:
    client = await serve(metrics_token="scrape+me/=!")
    found = await samples(client, **{"X-Forwarded-For": "192.0.2.1", "Authorization": "bearer scrape+me/=!"})
    assert found["runledger_database_up", ""] == 1


class Transport:
    def __init__(self, peer: Any) -> None:
        self.peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.peer if name == "peername" else default


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.9.1", 1), True),
        (("::1", 1, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), True),
        (("::ffff:192.0.2.1", 1, 0, 0), False),
        (("fe80::1%eth0", 1, 0, 2), False),
        (("192.0.2.1", 1), False),
        ("", False),
        (None, False),
    ],
)
def test_which_peers_are_this_machine(peer: Any, local: bool) -> None:
    request: Any = make_mocked_request("GET", "/metrics", transport=Transport(peer))
    assert is_from_this_machine(request) is local
