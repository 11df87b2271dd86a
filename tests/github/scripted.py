"""A server that answers by script, on loopback, and refuses whatever the script does not foresee.

It keeps GitHub's manners that matter here: it checks the App's signature and the tokens that it has given out, and its
`Date` is the tests' clock's.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.clock import ManualClock

APP_ID = 4711


@dataclass
class Answer:
    """One answer: `body` is sent as JSON unless it is bytes; `cut` closes the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    after: Callable[[], Awaitable[None]] | None = None


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float


class ScriptedGitHub:
    def __init__(self, clock: ManualClock, public_key: bytes) -> None:
        self.clock = clock
        self.public_key = public_key
        self.asked: list[Asked] = []
        self.open = 0
        self.tokens: list[str] = []
        self.token_answers: deque[Answer] = deque()
        self.unforeseen: list[tuple[str, str]] = []
        self.skew = 0.0
        self.date: str | None = None
        self._script: defaultdict[tuple[str, str], deque[Answer]] = defaultdict(deque)
        self._always: dict[tuple[str, str], Answer] = {}
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def script(self, method: str, path: str, *answers: Answer) -> None:
        """Give these answers, one after the other, and no more."""
        self._script[method, path].extend(answers)

    def always(self, method: str, path: str, answer: Answer) -> None:
        self._always[method, path] = answer

    def calls(self, path: str | None = None) -> list[Asked]:
        """Return what was asked, of one path or, without it, of all but the tokens."""
        return [each for each in self.asked if (each.path == path if path else "access_tokens" not in each.path)]

    @property
    def token_calls(self) -> list[Asked]:
        return [each for each in self.asked if "access_tokens" in each.path]

    def left_over(self) -> list[tuple[str, str]]:
        return [route for route, answers in self._script.items() if answers]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        try:
            asked = Asked(
                request.method,
                request.rel_url.raw_path,
                dict(request.query),
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
                self.clock.time(),
            )
            self.asked.append(asked)
            return await self._answer(request, asked)
        finally:
            self.open -= 1

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if asked.path.endswith("/access_tokens"):
            answer = self._token(asked)
        else:
            answer = self._refusal(asked) or self._scripted(asked)
        if answer.after is not None:
            await answer.after()
        if answer.cut:
            assert request.transport is not None
            request.transport.close()
        return self._response(answer)

    def _response(self, answer: Answer) -> web.Response:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        date = self.date or format_datetime(self.clock.now().replace(microsecond=0), usegmt=True)
        headers = {"Content-Type": "application/json; charset=utf-8", "Date": date, **answer.headers}
        if answer.status in {204, 304}:
            body = b""
        return web.Response(status=answer.status, body=body, headers=headers)

    def _scripted(self, asked: Asked) -> Answer:
        route = (asked.method, asked.path)
        if self._script[route]:
            return self._script[route].popleft()
        if route in self._always:
            return self._always[route]
        self.unforeseen.append(route)
        return Answer(404, {"message": f"not in the script: {route}"})

    def _refusal(self, asked: Asked) -> Answer | None:
        authorization = asked.headers.get("authorization")
        if authorization is None:
            return None if asked.path.startswith(("/app-manifests/", "/storage/")) else Answer(401, {"message": "No"})
        if asked.path.startswith("/app/") or asked.path == "/app":
            self.check_jwt(authorization)
            return None
        known = authorization.removeprefix("Bearer ") in self.tokens
        return None if known else Answer(401, {"message": "Bad credentials"})

    def check_jwt(self, authorization: str) -> dict[str, Any]:
        """Verify the signature with the App's public key, and the times as GitHub does."""
        claims: dict[str, Any] = jwt.decode(
            authorization.removeprefix("Bearer "),
            self.public_key,
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False},
        )
        now = self.clock.time() + self.skew
        assert claims["iss"] == str(APP_ID)
        assert claims["iat"] <= now < claims["exp"] <= now + 600
        return claims

    def _token(self, asked: Asked) -> Answer:
        self.check_jwt(asked.headers["authorization"])
        if self.token_answers:
            return self.token_answers.popleft()
        token = f"ghs_canary{len(self.tokens):04d}" + "x" * 500
        self.tokens.append(token)
        expires = self.clock.time() + self.skew + 3600
        return Answer(201, {"token": token, "expires_at": iso(expires)})


def iso(epoch: float) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"


async def patiently(github: ScriptedGitHub, work: Awaitable[Any]) -> Any:
    """Await `work`, and whenever nothing but the clock is waited for, move it on to the next who sleeps."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.01)
        if not task.done() and not github.open:
            await github.clock.advance(until_next(github.clock))
    return task.result()


def until_next(clock: ManualClock) -> float:
    """Return the seconds until the next sleeper is due."""
    due = [at for at, _, woken in clock._sleepers if not woken.done()]
    return max((min(due) - clock.now()).total_seconds(), 0.0) if due else 0.0
