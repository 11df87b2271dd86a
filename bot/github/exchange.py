"""One request to GitHub and all that may happen to it on the way: waiting, refusals, redirects, cut connections."""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gidgethub.abc import GitHubAPI
from uritemplate.variable import VariableValue

from bot import metrics
from bot.clock import Clock
from bot.errors import UNANSWERED
from bot.github.answers import Answer, Reply, date_of, links_of, total_of
from bot.github.auth import Credential, Secret
from bot.github.budget import Budget
from bot.github.connection import USER_AGENT, Connection
from bot.github.errors import BadRequest, GitHubUnavailable, RateLimited
from bot.github.etags import ETags, refreshed
from bot.github.faults import fault_of, is_rate_limited
from bot.github.ledger import Ask, Lane

log = logging.getLogger(__name__)

ACCEPT = "application/vnd.github+json"
API_VERSION = {"x-github-api-version": "2022-11-28"}
SUCCESSES = frozenset({200, 201, 202, 204})
MOST_FAULTS, MOST_LIMITS, MOST_REDIRECTS, MOST_REFUSALS = 4, 5, 3, 3
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
# A process that is told to end is gone in nine seconds.
LAST_SECONDS = 4.0

Sending = Callable[[], Awaitable[object]]
"""What is awaited right before a request is sent."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `repeatable` when twice does no more than once, `asked` says it in words, without secrets."""

    method: str
    ask: Ask
    asked: str
    repeatable: bool
    patience: float | None = None
    located: bool = False
    sending: Sending | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What every request of one client has in common."""

    connection: Connection
    credential: Credential
    budget: Budget
    etags: ETags
    clock: Clock
    label: str


class Exchange(GitHubAPI):
    """gidgethub puts the request together and reads the answer; everything between is seen to in `_request`.

    Its own hooks for rate limits do not see cut connections and can't renew a token, so they are left alone.
    """

    def __init__(self, means: Means, request: Request) -> None:
        super().__init__(USER_AGENT, base_url=means.connection.api_url)
        self._means = means
        self._asked = request
        self._deadline = math.inf if request.patience is None else means.clock.time() + request.patience
        self._faults = self._limits = self._redirects = 0
        self._secret: Secret | None = None
        self._doubted: set[Secret | None] = set()
        self._headers: Mapping[str, str] = {}
        self.url = ""
        self.location: str | None = None

    async def answer(self, url: str, variables: Mapping[str, VariableValue] | None, data: Any = b"") -> Answer[Any]:
        """Send the request to a path, in the template of GitHub's documentation, or to an address that GitHub gave.

        Raises a GitHubError, each as bot/github/errors.py describes it.
        """
        try:
            decoded: Any
            decoded, _, _ = await self._make_request(
                self._asked.method, url, variables, data, ACCEPT, extra_headers=dict(API_VERSION)
            )
        except (ValueError, LookupError, RecursionError):
            decoded = ""
        is_missing = decoded is None and self._asked.method == "GET" and not self._asked.located
        if is_missing or isinstance(decoded, str):
            message = f"GitHub's answer to {self._asked.asked} is not JSON"
            raise GitHubUnavailable(message)
        date = date_of(self._headers) or self._means.clock.now()
        return Answer(decoded, date, links_of(self._headers), total_of(decoded), self.url)

    async def sleep(self, seconds: float) -> None:
        await self._means.clock.sleep(seconds)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        self.url = url
        while True:
            outcome = await self._attempt(method, headers, body)
            if isinstance(outcome, Reply) and outcome.status in SUCCESSES:
                self._headers = outcome.headers
                return outcome.status, outcome.headers, outcome.body
            await self._recover(outcome)
            if self.location is not None:
                return 204, {}, b""

    async def _attempt(self, method: str, headers: Mapping[str, str], body: bytes) -> Reply | GitHubUnavailable:
        means = self._means
        while True:
            self._secret = secret = await means.credential.secret()
            async with means.budget.turn(self._asked.ask, self._patience_left()) as turn:
                if not means.credential.is_current(secret):
                    # It grew old while the request waited.
                    turn.counted = False
                    continue
                kept = means.etags.find(secret, self.url) if method == "GET" else None
                if self._asked.sending is not None:
                    await self._asked.sending()
                try:
                    reply = await self._send(method, _complete(headers, secret, kept), body)
                except GitHubUnavailable as fault:
                    metrics.count_github_request(means.label, "no_answer")
                    return fault
                turn.heard(reply)
            metrics.count_github_request(means.label, _outcome(reply))
            if reply.status == 304 and kept is not None:
                return refreshed(kept, reply)
            if method == "GET" and self._asked.ask.lane is not Lane.BACKFILL:
                means.etags.keep(secret, self.url, reply)
            return reply

    async def _send(self, method: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent = self._means.connection.send(method, self.url, headers, body)
        return await (_answered(sent) if self._asked.ask.lane is Lane.WRITE else sent)

    async def _recover(self, outcome: Reply | GitHubUnavailable) -> None:
        """Do what makes trying again worth while; raise the error that `outcome` stands for when nothing does."""
        if isinstance(outcome, GitHubUnavailable):
            await self._recover_from_fault(outcome)
        elif 300 <= outcome.status < 400:
            self._follow(outcome)
        elif outcome.status == 401:
            await self._recover_from_refusal(outcome)
        elif is_rate_limited(outcome):
            self._recover_from_limit()
        else:
            fault = fault_of(outcome, self._asked.asked)
            if not isinstance(fault, GitHubUnavailable):
                raise fault
            await self._recover_from_fault(fault)

    async def _recover_from_fault(self, fault: GitHubUnavailable) -> None:
        self._faults += 1
        if self._faults >= MOST_FAULTS or (fault.maybe_taken and not self._asked.repeatable):
            raise fault
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0**self._faults) * random.uniform(0.5, 1.0)  # noqa: S311
        log.info("asking GitHub again: %s", fault, extra={"tries": self._faults})
        await self.sleep(delay)

    async def _recover_from_refusal(self, reply: Reply) -> None:
        credential, secret = self._means.credential, self._secret
        wait = None if secret in self._doubted else credential.refused(secret, date_of(reply.headers))
        self._doubted.add(secret)
        if wait is None or len(self._doubted) > MOST_REFUSALS:
            credential.drop(secret)
            raise fault_of(reply, self._asked.asked)
        await self.sleep(wait)

    def _recover_from_limit(self) -> None:
        # The budget has heard it and lets nobody through before the time is over.
        self._limits += 1
        until = self._means.budget.outlook().paused_until or self._means.clock.time()
        log.warning("GitHub takes no requests for a while", extra={"until": f"{datetime.fromtimestamp(until, UTC)}"})
        if self._limits > MOST_LIMITS:
            raise RateLimited(datetime.fromtimestamp(until, UTC))

    def _follow(self, reply: Reply) -> None:
        """Go where a redirect leads, as for a repository that was renamed, but never to another host.

        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
        """
        location = reply.headers.get("Location", "")
        if self._asked.located:
            self.location = location
            return
        self._redirects += 1
        target = self._means.connection.resolve(self.url, location) if location else None
        same_method = self._asked.method == "GET" or reply.status in {301, 307, 308}
        if target is None or not same_method or self._redirects > MOST_REDIRECTS:
            message = f"GitHub redirects {self._asked.asked} to where we do not follow"
            raise BadRequest(message)
        self.url = target

    def _patience_left(self) -> float | None:
        if math.isinf(self._deadline):
            return None
        return max(self._deadline - self._means.clock.time(), 0.0)


async def _answered(sent: Coroutine[Any, Any, Reply]) -> Reply:
    """Await the answer to what was sent, for some seconds more when the task is told to end.

    GitHub goes on with it though nobody waits, so that the CancelledError tells where no answer has come.
    """
    answer = asyncio.create_task(sent)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        await asyncio.wait([answer], timeout=LAST_SECONDS)
        if not answer.done():
            raise asyncio.CancelledError(UNANSWERED) from None
        raise
    finally:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)


def _complete(headers: Mapping[str, str], secret: Secret | None, kept: Reply | None) -> dict[str, str]:
    complete = dict(headers)
    if secret is not None:
        complete["authorization"] = secret.authorization
    if kept is not None:
        complete["if-none-match"] = kept.headers["ETag"]
    return complete


def _outcome(reply: Reply) -> str:
    if reply.status == 304:
        return "not_modified"
    if reply.status >= 500:
        return "failed"
    if is_rate_limited(reply):
        return "rate_limited"
    return "refused" if reply.status >= 400 else "answered"
