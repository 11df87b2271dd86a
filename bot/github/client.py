"""GitHub for the rest of the house: one session, and a client for the App, each of its installations, and people.

https://docs.github.com/en/rest. On an Enterprise Server `api_url` is `https://HOST/api/v3`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from cachetools import LRUCache
from gidgethub.sansio import format_url
from uritemplate.variable import VariableValue

from bot import metrics
from bot.clock import Clock
from bot.github.answers import Answer, Json
from bot.github.auth import (
    AppKey,
    Credential,
    InstallationCredential,
    InstallationToken,
    InstallationTokens,
    Nobody,
    NoKey,
    Scope,
    Secret,
)
from bot.github.budget import Budget, Outlook
from bot.github.connection import Connection
from bot.github.errors import Forbidden, GitHubUnavailable, InstallationGone, InstallationRefused, NotFound
from bot.github.etags import ETags
from bot.github.exchange import Exchange, Means, Request, Sending
from bot.github.ledger import Ask, Figures, Lane
from bot.github.rights import APP, NOBODY, PERSON, InProcessRights, WriteRights

Variables = Mapping[str, VariableValue]
PER_PAGE = 100
# Somebody always waits for a token, and asking for one again does no harm.
TOKEN_ASK = Ask(Lane.LIVE, points=5)
TOKEN_PATIENCE = 60.0
# Whoever is beyond these begins anew with what is known of their hour.
MOST_PERSONS = 5_000
PEOPLE = "people"


class Client:
    """Asks GitHub as the App, an installation, a person, or nobody. The resources' functions take one of these.

    Every method raises a GitHubError, each as bot/github/errors.py describes it. A request waits for its turn in the
    installation's budget, at most `patience` seconds (None: however long), else RateLimited is raised at once.
    """

    def __init__(self, means: Means, lane: Lane = Lane.LIVE, patience: float | None = None) -> None:
        self._means = means
        self._lane = lane
        self._patience = patience

    def with_patience(self, patience: float | None) -> "Client":
        """Return this client, waiting at most `patience` seconds for a turn."""
        return Client(self._means, self._lane, patience)

    @property
    def connection(self) -> Connection:
        return self._means.connection

    def outlook(self) -> Outlook:
        """Return what is left of the budget that this client's requests come from."""
        return self._means.budget.outlook()

    def may_write_at(self) -> float:
        """Return the epoch second, now or later, at which a write may be sent."""
        return self._means.budget.may_write_at()

    def expect_others(self) -> None:
        """Go by nothing that was known of the hour's budget: another process may have asked in the meantime."""
        self._means.budget.expect_others()

    async def get(self, path: str, variables: Variables | None = None) -> Answer[Any]:
        """GET a path, in the URI template (RFC 6570) of GitHub's documentation; a variable that is None is left out."""
        return await self._exchange("GET", path, variables, Ask(self._lane), repeatable=True).answer(path, variables)

    async def post(
        self,
        path: str,
        variables: Variables,
        body: Mapping[str, Any] | None = None,
        *,
        creates: bool = False,
        secret: bool = False,
        sending: Sending | None = None,
    ) -> Answer[Any]:
        """POST once: after a fault that leaves open whether GitHub took it, it is not sent again.

        `creates` counts it among the requests that make content; `secret` keeps the variables out of error messages;
        `sending` is awaited once it is its turn, right before it is sent.
        """
        ask = Ask(Lane.WRITE, points=5, creates=creates)
        exchange = self._exchange("POST", path, None if secret else variables, ask, repeatable=False, sending=sending)
        return await exchange.answer(path, variables, b"" if body is None else body)

    async def patch(self, path: str, variables: Variables, body: Mapping[str, Any], *, repeatable: bool) -> Answer[Any]:
        """PATCH; `repeatable` where doing it twice leaves the same as once, so that it may be sent again."""
        exchange = self._exchange("PATCH", path, variables, Ask(Lane.WRITE, points=5), repeatable=repeatable)
        return await exchange.answer(path, variables, body)

    async def pages(
        self, path: str, variables: Variables, items: str | None = None
    ) -> AsyncIterator[Answer[list[Json]]]:
        """Yield a list page by page, from the one that `variables` name; `items` is the member that holds the list."""
        answer = await self.get(path, {"per_page": PER_PAGE, **variables})
        seen = {answer.url}
        while True:
            yield answer.map(lambda data: listed(data, items))
            url = answer.next_url
            if url is None:
                return
            if url in seen:
                message = "GitHub's pages go round in a circle"
                raise GitHubUnavailable(message)
            seen.add(url)
            answer = await self.get(url)

    async def locate(self, path: str, variables: Variables) -> str:
        """Return where a path redirects to, which may be another host, without going there."""
        exchange = self._exchange("GET", path, variables, Ask(self._lane), repeatable=True, located=True)
        await exchange.answer(path, variables)
        if not exchange.location:
            message = f"GitHub does not say where to find {path}"
            raise GitHubUnavailable(message)
        return exchange.location

    async def fetch_token(self, scope: Scope) -> InstallationToken:
        """Have a token of an installation made; only the App may.

        https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
        Raises InstallationGone, InstallationSuspended or InstallationRefused besides the usual.
        """
        path = "/app/installations/{installation_id}/access_tokens"
        variables = {"installation_id": str(scope.installation_id)}
        client = self.with_patience(TOKEN_PATIENCE)
        exchange = client._exchange("POST", path, variables, TOKEN_ASK, repeatable=True)
        try:
            answer = await exchange.answer(path, variables, scope.body())
        except NotFound:
            message = f"the App is not installed there any more (installation {scope.installation_id})"
            raise InstallationGone(message) from None
        except Forbidden as error:
            raise InstallationRefused(str(error)) from None
        return _token(answer, self._means.clock.time())

    def _exchange(
        self,
        method: str,
        path: str,
        variables: Variables | None,
        ask: Ask,
        *,
        repeatable: bool,
        located: bool = False,
        sending: Sending | None = None,
    ) -> Exchange:
        asked = f"{method} {urlsplit(path if variables is None else format_url(path, variables)).path}"
        return Exchange(self._means, Request(method, ask, asked, repeatable, self._patience, located, sending))


class GitHub:
    """An async context manager; without `app_id` and `private_key` only `anonymous` is of use.

    Raises ValueError when `private_key` is no RSA key in PEM.
    """

    def __init__(
        self,
        app_id: int | None,
        private_key: str | None,
        *,
        api_url: str,
        clock: Clock,
        rights: WriteRights | None = None,
        figures: Figures | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> None:
        self._clock = clock
        self._rights = rights or InProcessRights(clock)
        self._figures = figures
        self._connection = Connection(api_url, timeout)
        self._etags = ETags()
        self._budgets: dict[int, Budget] = {}
        self._budgets_of_persons: LRUCache[int, Budget] = LRUCache(MOST_PERSONS)
        self._key: Credential = AppKey(app_id, private_key, clock) if app_id and private_key else NoKey()
        self._tokens = InstallationTokens(self._fetch_token, clock)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "GitHub":
        await self._open.enter_async_context(self._connection)
        self._open.push_async_callback(self._close_budgets)
        self._open.push_async_callback(self._tokens.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    @property
    def app(self) -> Client:
        """Ask as the App itself."""
        return Client(self._means(self._key, APP))

    @property
    def anonymous(self) -> Client:
        """Ask as nobody, from a budget that is nobody else's."""
        return Client(self._means(Nobody(), NOBODY))

    def installation(
        self,
        installation_id: int,
        *,
        lane: Lane = Lane.LIVE,
        patience: float | None = None,
        permissions: Mapping[str, str] | None = None,
        repositories: tuple[str, ...] | None = None,
    ) -> Client:
        """Ask as an installation, with all it may do or, given `permissions` and `repositories` (names), less."""
        scope = Scope.of(installation_id, permissions, repositories)
        credential = InstallationCredential(self._tokens, scope, self._clock)
        return Client(self._means(credential, installation_id), lane, patience)

    def person(self, user_id: int | None, credential: Credential, *, patience: float | None = None) -> Client:
        """Ask as a person, or as whoever it may be, within the hourly limit that they have to themselves."""
        budget = None if user_id is None else self._budgets_of_persons.get(user_id)
        if budget is None:
            budget = Budget(self._clock, InProcessRights(self._clock), PERSON, self._figures)
        if user_id is not None:
            self._budgets_of_persons[user_id] = budget
        means = Means(self._connection, credential, budget, self._etags, self._clock, PEOPLE)
        return Client(means, patience=patience)

    def forget(self, installation_id: int) -> None:
        """Drop the tokens and metrics of an installation that was suspended or deleted."""
        self._tokens.forget(installation_id)
        metrics.forget_installation(str(installation_id))

    async def heed(self, installation_id: int) -> None:
        """Take note of the silence that GitHub has asked another process for; whoever begins to ask does so before.

        A write takes note of it by itself.
        """
        await self._budget(installation_id).heed()

    def _means(self, credential: Credential, installation_id: int) -> Means:
        budget = self._budget(installation_id)
        return Means(self._connection, credential, budget, self._etags, self._clock, str(installation_id))

    def _budget(self, installation_id: int) -> Budget:
        budget = self._budgets.get(installation_id)
        if budget is None:
            budget = Budget(self._clock, self._rights, installation_id, self._figures)
            self._budgets[installation_id] = budget
        return budget

    async def _fetch_token(self, scope: Scope) -> InstallationToken:
        return await self.app.fetch_token(scope)

    async def _close_budgets(self) -> None:
        for budget in (*self._budgets.values(), *self._budgets_of_persons.values()):
            await budget.close()


def listed(data: Any, items: str | None) -> list[Json]:
    """Return a list's objects, from the member `items` where GitHub wraps it. Raises GitHubUnavailable without one."""
    found = data if items is None else data.get(items) if isinstance(data, dict) else None
    if not isinstance(found, list):
        message = "GitHub's answer is not the list that it documents"
        raise GitHubUnavailable(message, maybe_taken=False)
    return found


def _token(answer: Answer[Any], now: float) -> InstallationToken:
    try:
        # By GitHub's own clock, whatever ours says.
        lasts = (datetime.fromisoformat(answer.data["expires_at"]) - answer.date).total_seconds()
        token = InstallationToken(Secret(str(answer.data["token"]), now), now + lasts)
    except (KeyError, TypeError, ValueError):
        lasts = 0.0
    if lasts <= 0:
        message = "GitHub made no token that can be used"
        raise GitHubUnavailable(message, maybe_taken=False)
    return token
