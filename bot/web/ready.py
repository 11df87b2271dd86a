"""Answers that lie ready: what a program was told is told it again as long as nothing at all has been committed since.

Their one reason is that dashboards ask the same over and over. Who asks, what they may read and what it is was found
out from the record, so that none of it can have changed; what is left is to count the request. `bench/lists` shows what
that is worth ("asked again"). Whatever has to be found out, or is refused, goes the ordinary way.
"""

import contextlib
from collections.abc import Awaitable, Callable, Hashable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

from aiohttp import HttpVersion11, web

from bot import metrics
from bot.access import Caller
from bot.errors import DatabaseUnavailable
from bot.store.database import database_errors
from bot.store.queries import Scope
from bot.web import keys
from bot.web.limits import FIELDS, SAFE_METHODS, Standing
from bot.web.request_ids import HEADER, request_id
from bot.web.route import route_of

# What an answer depends on, beside its address and the record.
_DEPENDS_ON = ("Authorization", "Host", "If-None-Match", "Origin", "X-Forwarded-Proto")
# What each answer has of its own.
_OWN = frozenset(name.lower() for name in ("Date", HEADER, *FIELDS))
# About how many bytes it takes to remember who asked.
_CALLER_BYTES = 1000

Handler = Callable[[Any], Awaitable[web.StreamResponse]]


class Asked(NamedTuple):
    """A question, and the revision of the record at which it came."""

    question: Hashable
    revision: int


class Known(NamedTuple):
    """Somebody who has asked before, and what they may read of teams that they named."""

    caller: Caller
    scopes: dict[str, Scope]


class _Kept(NamedTuple):
    """An answer: its head without what is its own, its body, and what it was counted as."""

    head: bytes
    body: bytes
    route: str
    status: int
    caller: Caller


class _Again(web.StreamResponse):
    """What is sent of an answer that lies ready: all of it, as it is."""

    def __init__(self, *parts: bytes) -> None:
        super().__init__()
        self._parts = parts

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        if request.transport is None:
            message = "the client is gone"
            raise ConnectionResetError(message)
        request.transport.writelines(self._parts)
        await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing more."""


class Ready:
    """The answers of `app` that lie ready; they share the room of all that is remembered of its database."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._clock = app[keys.CLOCK]
        self._limits = app[keys.LIMITS]
        self._configuration = app[keys.CONFIGURATION]

    def before(self, handler: Handler) -> Handler:
        """Return what answers as `handler` does, and asks it only for what doesn't lie ready."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return self._find(request) or await handler(request)

        return answer

    def _find(self, request: web.BaseRequest) -> web.StreamResponse | None:
        database = self._app.get(keys.DATABASE)
        if database is None or not _may_be_ready(request):
            return None
        revision = None
        with contextlib.suppress(DatabaseUnavailable), database_errors():
            revision = database.revision
        if revision is None:
            return None
        asked = Asked(self._question(request), revision)
        kept: _Kept | None = database.remembered.find(*asked)
        if kept is None or not self._is_good(kept.caller):
            request[keys.ASKED] = asked
            known: Known | None = database.remembered.find(_who(request), revision)
            if known is not None and self._is_good(known.caller):
                request[keys.KNOWN] = known
            return None
        standing = self._limits.count_read(kept.caller.credential)
        if standing is not None and standing.wait:
            return None
        metrics.count_request(kept.route, request.method, kept.status)
        return _Again(b"%b%b" % (kept.head, self._own(request, standing)), kept.body)

    def _question(self, request: web.BaseRequest) -> Hashable:
        headers = request.headers
        told = [tuple(headers.getall(name, ())) for name in _DEPENDS_ON]
        return request.method, request.raw_path, self._configuration.current.public_url, *told

    def _is_good(self, caller: Caller) -> bool:
        return caller.holds_until is not None and caller.holds_until > self._clock.now()

    def _own(self, request: web.BaseRequest, standing: Standing | None) -> bytes:
        fields = {HEADER: request_id(request.headers), **(standing.headers if standing else {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"Date: {_date(int(self._clock.time()))}\r\n{lines}\r\n".encode()

    def keep(self, request: web.Request, response: web.StreamResponse, caller: Caller) -> None:
        """Have this answer to `caller` lie ready as long as nothing is committed from when it was asked for."""
        asked, database = request.get(keys.ASKED), self._app.get(keys.DATABASE)
        if asked is None or database is None or not self._is_good(caller):
            return
        body = b"" if request.method == "HEAD" else getattr(response, "body", None) or b""
        kept = _Kept(_head(response), body, route_of(request), response.status, caller)
        size = len(kept.head) + len(body) + len(repr(asked.question)) + _CALLER_BYTES
        database.remembered.keep(asked.question, kept, size, asked.revision)
        if keys.KNOWN not in request:
            database.remembered.keep(_who(request), Known(caller, {}), _CALLER_BYTES, asked.revision)


def _may_be_ready(request: web.BaseRequest) -> bool:
    return (
        request.method in SAFE_METHODS
        and request.version == HttpVersion11
        and request.keep_alive
        and "Authorization" in request.headers
        and "Expect" not in request.headers
    )


def _head(response: web.StreamResponse) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in response.headers.items() if name.lower() not in _OWN]
    return f"HTTP/1.1 {response.status} {response.reason}\r\n{''.join(lines)}".encode()


def _who(request: web.BaseRequest) -> Hashable:
    return "who", tuple(request.headers.getall("Authorization", ()))


@lru_cache(maxsize=2)
def _date(at: int) -> str:
    return formatdate(at, usegmt=True)
