"""Answers that lie ready: that nobody can tell them from those found out anew, and that none lies too long."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot import access, metrics
from bot.access.tokens import USE_NOTED_EVERY, list_tokens
from bot.app import create_app
from bot.clock import ManualClock
from bot.settings import Dialect, Settings
from bot.store import queries
from bot.store.database import current
from bot.web.asking import MOST_SCOPES
from bot.web.protocol import Runner
from bot.web.routes import API, HANDLER_ARGS
from tests import builders as make
from tests.store.recording import record

RUNS, JOBS = f"{API}/workflow-runs?team=octo-org", f"{API}/workflow-jobs?team=octo-org"
PULL = f"{API}/workflow-runs/pr?team=octo-org&repoFullName=octo-org/hello&prNumber=5"
ORIGIN = "https://dashboards.example"
OWN = {"date", "x-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}
A_MINUTE = 600


class Desk:
    """The service, somebody with a token who asks it, and what was asked past what lies ready."""

    def __init__(self, app: web.Application, clock: ManualClock) -> None:
        self.clock = clock
        self.passed: Counter[str] = Counter()
        self.token = ""
        self._app = app
        app.on_response_prepare.append(self._note)

    async def _note(self, request: web.Request, _: web.StreamResponse) -> None:
        self.passed[request.method] += 1

    async def open(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session, self._address = session, address
        await record(current(), make.repository(), runs=[make.run(1)], jobs=[make.job(10, 1)])
        self.token = await access.create_token("octo-org", "ci", self.clock.now(), 1)
        # The first use is noted, so that it is the second from which anything lies ready.
        await self.ask()
        await self.noted()
        self.passed.clear()

    async def ask(self, path: str = RUNS, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        told = {"Authorization": f"Bearer {self.token}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        async with self._session.request(method, self._address + path, headers=told) as answer:
            return answer.status, {n.lower(): v for n, v in answer.headers.items()}, await answer.read()

    async def noted(self) -> datetime:
        """Wait for it to be noted that the token is used now, and return when that was."""
        while (noted := (await list_tokens())[0].last_used_at) != self.clock.now():
            await asyncio.sleep(0.01)
        return noted

    @property
    def ordinary(self) -> int:
        """How many of two like questions go the ordinary way."""
        return 1 if current().dialect is Dialect.SQLITE else 2


@pytest.fixture
async def desk(migrated_url: str) -> AsyncIterator[Desk]:
    clock = ManualClock()
    settings = Settings(
        _env_file=None,
        database_url=SecretStr(migrated_url),
        webhook_secret=SecretStr("it's a secret"),
        api_rate_limit=A_MINUTE,
        cors_origins=(ORIGIN,),
    )
    app = create_app(settings, clock, with_worker=False)
    desk = Desk(app, clock)
    runner = Runner(app, handler_args=HANDLER_ARGS, shutdown_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        await desk.open(session, "http://{}:{}".format(*runner.addresses[0][:2]))
        yield desk
    await runner.cleanup()


def lasting(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in OWN}


@pytest.mark.parametrize("headers", [{}, {"If_None_Match": "*"}, {"Origin": ORIGIN, "X_Forwarded_Proto": "https"}])
async def test_it_reads_as_the_first_answer_did(desk: Desk, headers: dict[str, str]) -> None:
    for path, method in itertools.product((RUNS, JOBS, PULL, f"{RUNS}&limit=1&conclusion=success"), ("GET", "HEAD")):
        desk.passed.clear()
        first, again = [await desk.ask(path, method, **headers) for _ in range(2)]
        assert desk.passed[method] == desk.ordinary
        assert first[0] == (304 if "If_None_Match" in headers else 200)
        assert (again[0], again[2]) == (first[0], first[2])
        assert lasting(again[1]) == lasting(first[1])
        assert again[1].keys() == first[1].keys() >= OWN
        assert int(again[1]["ratelimit-remaining"]) == int(first[1]["ratelimit-remaining"]) - 1
        assert again[1]["x-request-id"] != first[1]["x-request-id"]


async def test_a_name_that_a_proxy_gave_is_kept(desk: Desk) -> None:
    names = [(await desk.ask(X_Request_Id=name))[1]["x-request-id"] for name in ("one-request", "another-one")]
    assert names == ["one-request", "another-one"]
    assert desk.passed["GET"] == desk.ordinary


@pytest.mark.parametrize(
    "other",
    [{"Host": "ledger.example"}, {"If_None_Match": '"x"'}, {"Origin": ORIGIN}, {"X_Forwarded_Proto": "https"}],
)
async def test_another_question_has_another_answer(desk: Desk, other: dict[str, str]) -> None:
    await desk.ask()
    await desk.ask(**other)
    await desk.ask(method="HEAD")
    assert desk.passed == {"GET": 2, "HEAD": 1}


async def test_what_is_recorded_is_seen_at_once(desk: Desk) -> None:
    assert [(await desk.ask())[2].count(b'"runId"') for _ in range(2)] == [1, 1]
    await record(current(), make.repository(), runs=[make.run(2)])
    assert [(await desk.ask())[2].count(b'"runId"') for _ in range(2)] == [2, 2]


async def test_a_token_that_ends_ends_at_once(desk: Desk) -> None:
    assert [(await desk.ask())[0] for _ in range(2)] == [200, 200]
    await access.revoke_token("ci", desk.clock.now())
    assert (await desk.ask())[0] == 401


async def test_a_token_runs_out_with_nothing_committed(desk: Desk) -> None:
    await desk.clock.advance(timedelta(days=1).total_seconds() - 2)
    assert [(await desk.ask())[0] for _ in range(3)] == [200] * 3
    await desk.clock.advance(2)
    assert (await desk.ask())[0] == 401


async def test_that_a_token_is_used_goes_on_being_noted(desk: Desk) -> None:
    await desk.ask()
    await desk.clock.advance(USE_NOTED_EVERY.total_seconds())
    await desk.ask()
    assert await desk.noted() == desk.clock.now()


@pytest.mark.parametrize("token", ["", "rlt_" + "x" * 43])
async def test_whoever_has_no_good_token_is_refused(desk: Desk, token: str) -> None:
    await desk.ask()
    desk.token = token
    assert [(await desk.ask())[0] for _ in range(2)] == [401, 401]


async def test_whoever_asks_too_often_is_told_so(desk: Desk) -> None:
    # The desk itself has asked once.
    answers = [await desk.ask() for _ in range(A_MINUTE // 5)]
    assert [status for status, _, _ in answers] == [200] * (len(answers) - 1) + [429]
    assert int(answers[-1][1]["retry-after"]) >= 1
    await desk.clock.advance(60)
    assert (await desk.ask())[0] == 200


async def test_each_is_counted(desk: Desk) -> None:
    def counted() -> float:
        labels = {"route": f"{API}/workflow-runs", "method": "GET", "status": "200"}
        return metrics.REGISTRY.get_sample_value("runledger_http_requests_total", labels) or 0.0

    before = counted()
    for _ in range(3):
        await desk.ask()
    assert counted() == before + 3


async def test_what_is_committed_meanwhile_is_not_missed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    find_out = queries.list_runs

    async def slowly(*asked: Any, **how: Any) -> Any:
        page = await find_out(*asked, **how)
        await record(current(), make.repository(), runs=[make.run(2)])
        return page

    monkeypatch.setattr(queries, "list_runs", slowly)
    assert (await desk.ask(f"{RUNS}&limit=7"))[2].count(b'"runId"') == 1
    monkeypatch.undo()
    assert (await desk.ask(f"{RUNS}&limit=7"))[2].count(b'"runId"') == 2


def scopes_found_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the teams of which it is found out what somebody may read, as that goes on."""
    asked: list[str] = []
    get_scope = access.get_scope

    async def noted(caller: access.Caller, team: str) -> queries.Scope:
        asked.append(team)
        return await get_scope(caller, team)

    monkeypatch.setattr(access, "get_scope", noted)
    return asked


async def test_what_somebody_may_read_is_found_out_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scopes_found_out(monkeypatch)
    await desk.ask()
    asked.clear()
    for _ in range(2):
        for limit in range(1, 5):
            assert (await desk.ask(f"{RUNS}&limit={limit}"))[0] == 200
    assert len(asked) == (1 if desk.ordinary == 1 else 8)
    await record(current(), make.repository(), runs=[make.run(2)])
    for limit in range(1, 5):
        assert (await desk.ask(f"{RUNS}&limit={limit}"))[2].count(b'"runId"') == min(limit, 2)
    # Who asks is found out anew with the first of them, and what they may read with it and with the second.
    assert len(asked) == (3 if desk.ordinary == 1 else 12)


async def test_what_somebody_may_not_read_is_looked_for_each_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scopes_found_out(monkeypatch)
    await desk.ask()
    asked.clear()
    for _ in range(3):
        assert (await desk.ask(f"{API}/workflow-runs?team=another"))[0] == 404
    assert asked == ["another"] * 3


async def test_a_team_can_be_named_in_any_number_of_ways(desk: Desk) -> None:
    await desk.ask()
    names = ["".join(letters) for letters in itertools.product("oO", "cC", "tT", "oO")]
    for name in names:
        assert (await desk.ask(f"{API}/workflow-runs?team={name}-org"))[0] == 200
    known: Any = current().remembered.find(("who", (f"Bearer {desk.token}",)), current().revision)
    assert (known is None) == (desk.ordinary == 2)
    assert known is None or len(known.scopes) == MOST_SCOPES < len(names)


async def test_two_credentials_are_none(desk: Desk) -> None:
    await desk.ask()
    bearer = f"Bearer {desk.token}"
    headers = [("Authorization", bearer), ("Authorization", bearer)]
    async with desk._session.get(desk._address + RUNS, headers=headers) as answer:
        assert answer.status == 401


async def test_a_connection_that_is_to_end_ends(desk: Desk) -> None:
    for _ in range(2):
        status, headers, _ = await desk.ask(Connection="close")
        assert (status, headers["connection"]) == (200, "close")
    assert desk.passed["GET"] == 2
