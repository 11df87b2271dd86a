"""Questions to GitHub, put as the App itself; none of them changes anything there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from msgspec import Struct, field

from bot.checks.answers import (
    App,
    Attempt,
    Hook,
    Installation,
    judge_app,
    judge_clock,
    judge_deliveries,
    judge_granted,
    judge_hook,
    judge_suspended,
    read,
)
from bot.checks.findings import About, Finding, fault, good, host_of, on, words
from bot.checks.manifest import asked_for
from bot.clock import Clock
from bot.github import Answer, Client, GitHub, Json
from bot.github.apps import get_app, get_hook_config, list_deliveries
from bot.github.errors import GitHubError, GitHubUnavailable, NotFound, Unauthorized
from bot.github.installations import installation_pages
from bot.settings import Settings

# Whoever looks after the service sits before a terminal: they wait so many seconds for an answer, and no longer.
PATIENCE = 10.0

T = TypeVar("T")


class Told(Struct):
    """What GitHub told; `asked` says whether there is an App to ask as, `installations` that it told of all of them.

    `refused` says that GitHub knows no such App, or not by this key; `installed` are the installations it told of,
    `html_url` is the App's page.
    """

    findings: list[Finding]
    asked: bool = True
    refused: bool = False
    installations: bool = False
    installed: list[Installation] = field(default_factory=list)
    html_url: str | None = None


async def ask_github(settings: Settings, clock: Clock, kept: str | None = None) -> Told:
    """Ask GitHub about the App, its installations, its webhook and its deliveries, as far as it answers.

    `kept` is the name of an App that the set-up page registered: whoever did that has set none of an App's settings.
    """
    if settings.app_id is None or settings.private_key is None:
        return Told([], asked=False)
    key = settings.private_key.get_secret_value()
    try:
        github = GitHub(settings.app_id, key, api_url=settings.github_api_url, clock=clock)
    except ValueError:
        return Told(on(About.APP, fault("GITHUB_API_URL is not an address.")))
    async with github:
        return await _Questions(github.app.with_patience(PATIENCE), settings, clock, kept).put()


class _Questions:
    """Each is put only if those before it were answered: what keeps GitHub from answering one is said once."""

    def __init__(self, app: Client, settings: Settings, clock: Clock, kept: str | None) -> None:
        self._client = app
        self._kept = kept
        self._settings = settings
        self._clock = clock
        self._told = Told([])

    async def put(self) -> Told:
        try:
            app = await self._app()
        except GitHubError as error:
            self._told.refused = isinstance(error, Unauthorized | NotFound)
            self._say(About.APP, fault(_refusal(error, self._settings, self._kept)))
            return self._told
        try:
            await self._hook()
            await self._deliveries()
            await self._installations(app)
        except GitHubError as error:
            self._say(About.APP, fault(_unanswered(error, self._settings)))
        return self._told

    async def _app(self) -> App:
        answer = await self._ask(get_app(self._client))
        app = _read(answer, App)
        self._told.html_url = app.html_url
        credentials = "APP_ID and PRIVATE_KEY" if self._kept is None else "the credentials in the database"
        self._say(About.APP, good(f"GitHub takes {credentials}: the App is {app.name}."))
        self._say(About.APP, *judge_clock(answer.date, self._clock.now()))
        self._say(About.APP, *judge_app(app.grants, asked_for()))
        return app

    async def _hook(self) -> None:
        try:
            hook = _read(await self._ask(get_hook_config(self._client)), Hook)
        except NotFound:
            hook = Hook()
        self._say(About.WEBHOOK, *judge_hook(hook, self._settings.public_url))

    async def _deliveries(self) -> None:
        try:
            attempts = _read(await self._ask(list_deliveries(self._client)), list[Attempt])
        except NotFound:
            attempts = []
        self._say(About.DELIVERIES, *judge_deliveries(attempts, self._clock.now()))

    async def _installations(self, app: App) -> None:
        found = [each async for page in self._each(installation_pages(self._client)) for each in page]
        if not found:
            self._say(About.INSTALLATIONS, fault("The App is not installed anywhere."))
        for each in found:
            self._say(About.INSTALLATIONS, *_installation(each, app))
        self._told.installed, self._told.installations = found, True

    async def _each(self, pages: AsyncIterator[Answer[list[Json]]]) -> AsyncIterator[list[Installation]]:
        while (page := await self._ask(anext(pages, None))) is not None:
            yield _read(page, list[Installation])

    async def _ask(self, work: Awaitable[T]) -> T:
        """Await an answer for so long as there is patience for; then raise GitHubUnavailable."""
        answer, bell = asyncio.ensure_future(work), asyncio.ensure_future(self._clock.sleep(PATIENCE))
        try:
            await asyncio.wait({answer, bell}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            answer.cancel()
            bell.cancel()
            await asyncio.gather(answer, bell, return_exceptions=True)
        message = f"it did not answer within {PATIENCE:.0f} s"
        raise GitHubUnavailable(message)

    def _say(self, about: About, *findings: Finding) -> None:
        self._told.findings += on(about, *findings)


def _installation(installation: Installation, app: App) -> list[Finding]:
    if installation.suspended_at is not None:
        return judge_suspended(installation.name)
    return judge_granted(installation.name, installation.grants, app.grants, asked_for())


def _read(answer: Answer[Any], shape: type[T]) -> T:
    try:
        return read(answer.data, shape)
    except ValueError:
        message = "its answer is not what GitHub documents"
        raise GitHubUnavailable(message) from None


def _refusal(error: GitHubError, settings: Settings, kept: str | None) -> str:
    """Return the sentence for an App that GitHub tells nothing of."""
    if kept is not None and isinstance(error, NotFound):
        return f"GitHub ({host_of(settings.github_api_url)}) no longer knows the App {words(kept)}."
    if kept is not None and isinstance(error, Unauthorized):
        return f"GitHub no longer takes the private key of the App {words(kept)} that is in the database: {error}."
    if isinstance(error, Unauthorized):
        return f"GitHub does not take PRIVATE_KEY as a key of the App with APP_ID {settings.app_id}: {error}."
    if isinstance(error, NotFound):
        host = host_of(settings.github_api_url)
        return f"GitHub ({host}) knows no App with APP_ID {settings.app_id}: that or GITHUB_API_URL is wrong."
    return _unanswered(error, settings)


def _unanswered(error: GitHubError, settings: Settings) -> str:
    return f"GitHub ({host_of(settings.github_api_url)}) can't be asked: {error}."
