"""Takes a request from its arrival to its answer: who asks, how much they may, what is asked, what goes back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

import orjson

from bot.demo.github.rest.answers import Answer, Failure, not_found
from bot.demo.github.rest.asking import Ask
from bot.demo.github.rest.auth import Credentials
from bot.demo.github.rest.callers import NOBODY, Caller, allows
from bot.demo.github.rest.faults import (
    Cut,
    Late,
    RateLimited,
    RestFault,
    RestFaultPlan,
    ScriptedRestFaults,
    ServerError,
    Slow,
)
from bot.demo.github.rest.journal import Journal
from bot.demo.github.rest.ledger import Call, Ledger
from bot.demo.github.rest.limits import Limits, RateLimits, Window, secondary
from bot.demo.github.rest.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bot.demo.github.pages.sessions import Session
    from bot.demo.github.rest.authorizations import Authorizations
    from bot.demo.github.rest.manifests import Draft, Registration
    from bot.demo.github.rest.routes import Route
    from bot.demo.github.simulation import SimulatedGitHub
    from bot.demo.github.state.accounts import Account

VERSIONS = ("2022-11-28", "2026-03-10")
_MINUTE = 60
# Posts and deletes that no pause is asked for in between: they make nothing that people are shown.
_NO_CONTENT = {
    "apps/check-token",
    "apps/create-installation-access-token",
    "apps/delete-authorization",
    "apps/delete-token",
}
_FORBIDDEN_AGENT = (
    "Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
    "(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required)."
)


@dataclass(slots=True)
class Request:
    """What arrived; `location` is path and query below the API's address, header names are in lower case.

    `body` is plain data, or the Failure that a body meets which is none.
    """

    method: str
    location: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    route: Route | None = None


@dataclass(slots=True)
class Handled:
    """What goes back: status, headers and bytes, and what has to happen to them on the way."""

    status: int
    headers: dict[str, str]
    content: bytes = b""
    slow: float = 0
    cut: Cut | None = None


@dataclass(slots=True)
class Passage:
    """One request on its way through; `window` is the hour that it was counted in, `refusal` why it got no further."""

    request: Request
    call: Call
    faults: Sequence[RestFault] = ()
    caller: Caller = NOBODY
    window: Window | None = None
    headers: dict[str, str] = field(default_factory=dict)
    refusal: Answer | None = None
    is_over: bool = False

    def fault(self, kind: type[Any]) -> Any:
        return next((fault for fault in self.faults if isinstance(fault, kind)), None)


class Rest:
    """The REST side of the simulated GitHub.

    `limits`, `faults` (a plan) and `credentials.fresh_for` may be set at any time; `ledger` has what was asked and
    what GitHub would hold against the client, `journal` what was written for people; `on_answer` is called with each
    call and its body before it is sent. Where `signed_in` is set, it is the person of every browser, who agrees to
    all that an App asks for without being shown a page.
    `requests` counts all that came so far, `working` those that are open.
    """

    def __init__(self, github: SimulatedGitHub, seed: int) -> None:
        self.limits = Limits()
        self.rates = RateLimits(self.limits)
        self.ledger = Ledger()
        self.journal = Journal(github.world)
        self.scripted_faults = ScriptedRestFaults()
        self.faults: RestFaultPlan = self.scripted_faults
        self.credentials = Credentials(github.clock, github.world, seed)
        self.signed_in: Account | None = None
        self.sessions: dict[str, Session] = {}
        self.logs = Logs(github.world, self.credentials)
        self.drafts: dict[str, Draft] = {}
        self.registrations: dict[str, Registration] = {}
        self.on_answer: Callable[[Call, Answer], None] | None = None
        self.working = 0
        self._github = github
        self._seed = seed
        self.requests = 0

    @property
    def authorizations(self) -> Authorizations:
        """What people have allowed Apps."""
        return self.credentials.authorizations

    @property
    def client_secret(self) -> str:
        """The client secret of the App that was registered last; LookupError when there is none."""
        return self._github.app.client_secret

    def arrive(self, request: Request) -> Passage:
        """Enter a request into the ledger, and find who sends it and what will go wrong with it."""
        self.requests += 1
        self.working += 1
        path, _, query = request.location.partition("?")
        operation = "" if request.route is None else request.route.operation
        call = Call(self._github.clock.now(), request.method, path, query, operation)
        passage = Passage(request, call)
        passage.headers = self._usual_headers(call.at)
        self.ledger.begin(call)
        return passage

    def admit(self, passage: Passage) -> Late | None:
        """Let a request in, or refuse it; return the fault under which it is handled later only."""
        try:
            if self._github.outages.now:
                passage.call.fault = "outage"
                raise Failure(503, "Service Unavailable")
            self._admit(passage)
        except Failure as failure:
            passage.refusal = failure.answer
        late: Late | None = passage.fault(Late)
        return late if passage.refusal is None else None

    async def come_late(self, passage: Passage, late: Late) -> None:
        """Let the time pass until a request is handled; one whose connection is cut is over for whoever sent it."""
        if late.cut:
            self.leave(passage, 0)
            await self._github.clock.sleep(late.seconds)
        else:
            await self.hold_back(late.seconds)

    def handle(self, passage: Passage) -> Handled:
        """Answer a request that was let in; what it asks for is done by then."""
        answer = self._answer(passage)
        if self.on_answer is not None:
            passage.call.status = answer.status
            self.on_answer(passage.call, answer)
        handled = self._finish(passage, answer)
        slow, cut = passage.fault(Slow), passage.fault(Cut)
        handled.slow, handled.cut = (slow.seconds if slow else 0), cut
        return handled

    async def hold_back(self, seconds: float) -> None:
        """Wait before an answer is sent, as slow servers do."""
        self.working -= 1
        try:
            await self._github.clock.sleep(seconds)
        finally:
            self.working += 1

    def leave(self, passage: Passage, status: int) -> None:
        """Close a request in the ledger, however it ended, unless it is closed already."""
        if passage.is_over:
            passage.call.status = 0
            return
        passage.is_over = True
        self.working -= 1
        self.rates.open[passage.caller.key] -= passage.caller is not NOBODY
        self.ledger.end(passage.call, status)

    def _answer(self, passage: Passage) -> Answer:
        if passage.refusal is not None:
            return passage.refusal
        try:
            return self._perform(passage)
        except Failure as failure:
            return failure.answer

    def _admit(self, passage: Passage) -> None:
        """Let a request through, or raise the Failure that it meets first."""
        request, call = passage.request, passage.call
        if not request.headers.get("user-agent"):
            raise Failure(403, _FORBIDDEN_AGENT)
        if request.route is None:
            raise not_found()
        version = request.headers.get("x-github-api-version", VERSIONS[0])
        if version not in VERSIONS:
            raise Failure(400, f"API version {version} is not a supported version")
        passage.headers["X-GitHub-Api-Version-Selected"] = version
        passage.caller = self._identify(passage)
        self.rates.open[passage.caller.key] += passage.caller is not NOBODY
        if passage.caller is not NOBODY:
            self._limit(passage, counted=request.route.counted)
        else:
            passage.faults = self._draw(call)
        self._break(passage)

    def _identify(self, passage: Passage) -> Caller:
        route, call = passage.request.route, passage.call
        caller = self.credentials.identify(passage.request.headers.get("authorization"))
        call.caller, call.key = caller.kind, caller.key
        call.installation_id = None if caller.installation is None else caller.installation.id
        if route is not None and caller.kind not in route.callers:
            passage.faults = ()
            raise _wrong_caller(route, caller)
        return caller

    def _limit(self, passage: Passage, *, counted: bool) -> None:
        """Hold a caller to what it may, and note where it did not wait."""
        call = passage.call
        if call.operation not in _NO_CONTENT:
            self.ledger.check_writes(call)
        window = self.rates.window(call.key, call.at)
        passage.headers |= window.headers()
        until = self.ledger.waits_until(call)
        if until is not None:
            waits = secondary(max(1, round((until - call.at).total_seconds())))
            raise self.rates.exhausted(call, window) if window.remaining == 0 else waits
        passage.faults = self._draw(call)
        try:
            if self.rates.open[call.key] > self.limits.at_once:
                self.ledger.note("too_many_at_once", call, f"{self.rates.open[call.key]} requests at once")
            excess = self.rates.check_secondary(call)
            if excess is not None:
                self.ledger.note(excess, call, "a secondary limit")
                raise secondary(self.limits.wait)
            if self.rates.open[call.key] > self.limits.at_once:
                raise secondary(self.limits.wait)
            if counted:
                passage.window = self.rates.spend(call)
                passage.headers |= passage.window.headers()
        except Failure as failure:
            self._told_to_wait(call, failure.answer, window)
            raise

    def _told_to_wait(self, call: Call, answer: Answer, window: Window) -> None:
        retry_after = answer.headers.get("Retry-After")
        seconds = int(retry_after) if retry_after else _MINUTE
        if retry_after is None and window.remaining == 0:
            seconds = window.resets_at - int(call.at.timestamp())
        self.ledger.block(call, call.at + timedelta(seconds=seconds))

    def _draw(self, call: Call) -> Sequence[RestFault]:
        faults = self.faults.faults_for(call)
        call.fault = ", ".join(type(fault).__name__ for fault in faults)
        return faults

    def _break(self, passage: Passage) -> None:
        """Play the faults under which nothing is done."""
        error, limited = passage.fault(ServerError), passage.fault(RateLimited)
        cut = passage.fault(Cut)
        if error is not None:
            raise Failure(error.status, "Server Error")
        if limited is not None:
            raise self._limited(passage, limited)
        if cut is not None and not cut.answered:
            raise Failure(502, "Server Error")

    def _limited(self, passage: Passage, fault: RateLimited) -> Failure:
        call = passage.call
        window = self.rates.window(call.key, call.at)
        if fault.reset_in is not None:
            window.used, window.resets_at = window.limit, int(call.at.timestamp()) + fault.reset_in
            failure = self.rates.exhausted(call, window, fault.status)
        else:
            failure = secondary(fault.retry_after, fault.status)
        self._told_to_wait(call, failure.answer, window)
        return failure

    def _perform(self, passage: Passage) -> Answer:
        request, route = passage.request, passage.request.route
        if route is None:
            raise not_found()
        self._check_permission(route, passage)
        if isinstance(request.body, Failure):
            raise request.body
        ask = Ask(
            github=self._github,
            caller=passage.caller,
            path=request.path,
            query=request.query,
            body=request.body,
            at=passage.call.at,
            method=request.method,
            accept=request.headers.get("accept", ""),
            location=request.location,
            cookies=_cookies(request.headers.get("cookie", "")),
        )
        return route.handler(ask)

    def _check_permission(self, route: Route, passage: Passage) -> None:
        """Refuse a token that lacks what the route needs; what it would accept stands in a header of any answer.

        A person's token never reaches further than the App's own permissions do.
        """
        caller, token = passage.caller, passage.caller.installation_token
        if caller.kind not in {"installation", "user"} or not route.needs:
            return
        passage.headers["X-Accepted-GitHub-Permissions"] = "; ".join(need.replace(":", "=") for need in route.needs)
        asked = {} if caller.app is None else caller.app.permissions
        granted = [allows(asked, need) if token is None else token.grants(*need.split(":")) for need in route.needs]
        if not any(granted):
            raise Failure(403, "Resource not accessible by integration")

    def _finish(self, passage: Passage, answer: Answer) -> Handled:
        """Turn an answer into bytes, or into a 304 where the caller has the same already."""
        headers = {**passage.headers, **answer.headers}
        if answer.body is None:
            return Handled(answer.status, headers)
        if isinstance(answer.body, str):
            text = {"Content-Type": "text/plain; charset=utf-8"}
            return Handled(answer.status, {**text, **headers}, answer.body.encode())
        content = orjson.dumps(answer.body)
        headers["Content-Type"] = "application/json; charset=utf-8"
        if passage.request.method == "GET" and answer.status == 200:
            headers["ETag"] = _etag(passage.caller.credential, content)
            headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
            if passage.request.headers.get("if-none-match") == headers["ETag"]:
                return self._not_modified(passage, headers)
        return Handled(answer.status, headers, content)

    def _not_modified(self, passage: Passage, headers: dict[str, str]) -> Handled:
        if passage.window is not None:
            self.rates.refund(passage.window)
            headers |= passage.window.headers()
        del headers["Content-Type"]
        return Handled(304, headers)

    def _usual_headers(self, now: datetime) -> dict[str, str]:
        mixed = hashlib.sha256(f"request {self._seed} {self.requests}".encode()).hexdigest().upper()
        return {
            "Server": "github.com",
            "Date": format_datetime(now, usegmt=True),
            "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": ":".join((mixed[:4], mixed[4:9], mixed[9:16], mixed[16:23], mixed[23:31])),
        }


def _wrong_caller(route: Route, caller: Caller) -> Failure:
    if caller.kind == "nobody":
        return Failure(401, "Requires authentication")
    if "app" in route.callers:
        return Failure(401, "A JSON web token could not be decoded")
    if "installation" in route.callers and caller.kind == "app":
        return Failure(403, "You must authenticate with an installation access token in order to use this route.")
    return Failure(403, "Resource not accessible by integration")


def _cookies(header: str) -> dict[str, str]:
    if not header:
        return {}
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def _etag(credential: str, content: bytes) -> str:
    # The same resource has another tag under another token.
    return f'W/"{hashlib.sha256(credential.encode() + content).hexdigest()}"'
