"""A GitHub that is stubborn: it keeps many deliveries in flight, and posts each again until it is acknowledged."""

import asyncio
import hashlib
import hmac
import itertools
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bot.inbox.bodies import LARGE
from tests.inbox.deliveries import job_body, run_body

SECRET = "the secret that these deliveries are signed with"
IN_FLIGHT = 40
CONCLUSIONS = ("success", "failure", "cancelled", "timed_out")


@dataclass(frozen=True)
class Post:
    """One delivery; `makes` is the row that comes of it alone: the table, the id, the status, the conclusion."""

    guid: str
    event: str
    body: bytes
    makes: tuple[str, int, str, str | None]

    def headers(self, secret: str = SECRET) -> dict[str, str]:
        """Return what GitHub sends beside the body."""
        digest = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "X-GitHub-Event": self.event,
            "X-GitHub-Delivery": self.guid,
            "X-Hub-Signature-256": f"sha256={digest}",
        }


def posts(first: int = 1) -> Iterator[Post]:
    """Return deliveries without end: of each run that it was requested, that it ended, and one job.

    Every fifth run's title is so long that a worker has to handle its end, while the others are handled as they come.
    """
    for run in itertools.count(first):
        conclusion = CONCLUSIONS[run % len(CONCLUSIONS)]
        asked, ended = ("workflow_run", run, "requested", None), ("workflow_run", run, "completed", conclusion)
        yield Post(str(uuid.uuid4()), "workflow_run", run_body(run, "requested"), asked)
        title = {} if run % 5 else {"display_title": "x" * LARGE}
        yield Post(str(uuid.uuid4()), "workflow_run", run_body(run, "completed", conclusion, **title), ended)
        job = ("workflow_job", run, "completed", conclusion)
        yield Post(str(uuid.uuid4()), "workflow_job", job_body(run, run, conclusion), job)


@dataclass
class GitHub:
    """Posts as fast as it is answered. `acknowledged` holds every delivery that got its 202, and what was answered."""

    address: str
    acknowledged: dict[str, Post] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    posted: int = 0
    _more: Iterator[Post] = field(default_factory=posts)
    _stopping: bool = False

    @asynccontextmanager
    async def posting(self, posters: int = IN_FLIGHT) -> AsyncIterator[None]:
        """Post beside what happens inside; at its end wait until every delivery begun is acknowledged."""
        self._stopping = False
        connector = aiohttp.TCPConnector(limit=0, force_close=False)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
            for _ in range(posters):
                tasks.create_task(self._post_on(session))
            try:
                yield
            finally:
                self._stopping = True

    async def until_acknowledged(self, more: int) -> None:
        """Wait until that many more deliveries have been acknowledged."""
        until = len(self.acknowledged) + more
        async with asyncio.timeout(60):
            while len(self.acknowledged) < until:
                await asyncio.sleep(0.005)

    async def _post_on(self, session: aiohttp.ClientSession) -> None:
        while not self._stopping:
            post = next(self._more)
            while not await self._post(session, post):
                await asyncio.sleep(random.uniform(0.1, 0.4))
            self.acknowledged[post.guid] = post

    async def _post(self, session: aiohttp.ClientSession, post: Post) -> bool:
        self.in_flight += 1
        self.posted += 1
        url = f"{self.address}/api/github/webhooks"
        try:
            async with session.post(url, data=post.body, headers=post.headers()) as answer:
                told = await answer.json(content_type=None)
                outcome = told["status"] if answer.status == 202 else str(answer.status)
        except (aiohttp.ClientError, ConnectionError):
            outcome = "no answer"
        finally:
            self.in_flight -= 1
        self.answers[outcome] += 1
        # Anything but these would be a fault: a refusal, an error, an answer of another shape.
        assert outcome in {"accepted", "duplicate", "503", "no answer"}, outcome
        return outcome in {"accepted", "duplicate"}
