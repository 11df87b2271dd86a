"""The one way out to GitHub: a session of aiohttp, deadlines, and no credential to any other host."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType

import aiohttp
from yarl import URL

from bot import __version__
from bot.github.answers import Reply
from bot.github.errors import BadRequest, GitHubUnavailable

USER_AGENT = f"runledger/{__version__}"
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 20.0, 30.0
DOWNLOAD_SECONDS = 600.0
CHUNK = 64 * 1024
_FAULTS = (aiohttp.ClientError, OSError, ValueError)


class Connection:
    """An async context manager around one session; `api_url` is `https://HOST/api/v3` on an Enterprise Server."""

    def __init__(self, api_url: str, timeout: aiohttp.ClientTimeout | None = None) -> None:
        self.api_url = api_url.rstrip("/")
        self._origin = URL(self.api_url).origin()
        self._timeout = timeout or aiohttp.ClientTimeout(
            total=WHOLE_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Connection":
        # The budgets bound how many requests are open; one that waited here for a connection would go out later
        # than it was permitted to.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout
        )
        # aiohttp would send a GET again at once when the connection is cut, past the budget. It has no setting for it.
        self._session._retry_connection = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open_session().close()

    def resolve(self, url: str, location: str) -> str | None:
        """Return where `location`, met at `url`, leads, if that is still GitHub's API; None for any other host."""
        try:
            target = URL(url, encoded=True).join(URL(location, encoded=True))
            return str(target) if target.origin() == self._origin else None
        except ValueError:
            return None

    def is_fit_for_downloads(self, location: str) -> bool:
        """Tell whether `location` is as safe from eavesdroppers as the API is."""
        return location.startswith("https://") or (location.startswith("http://") and self._origin.scheme == "http")

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request and read the whole answer, following nothing.

        Raises GitHubUnavailable when there is no whole answer, and BadRequest, sending nothing, when `url` is not on
        the API's host: whatever is sent here carries a credential.
        """
        if self.resolve(url, url) is None:
            message = "GitHub refers to an address outside its API"
            raise BadRequest(message)
        session = self._open_session()
        try:
            async with session.request(
                method, URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
            ) as response:
                return Reply(response.status, response.headers, await response.read())
        except _FAULTS as error:
            fault = _fault(error)
        # Outside of the clause, so that aiohttp's exception, which holds the request's headers, does not come along.
        raise fault

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Open `url`, on whichever host, without credentials: gives the status and the body's chunks.

        Raises GitHubUnavailable when it can't be opened, or, from the chunks, when it breaks off.
        """
        timeout = aiohttp.ClientTimeout(
            total=DOWNLOAD_SECONDS, sock_connect=self._timeout.sock_connect, sock_read=self._timeout.sock_read
        )
        headers = {"User-Agent": USER_AGENT}
        opening = self._open_session().get(URL(url, encoded=True), headers=headers, timeout=timeout, max_redirects=3)
        response = await _opened(opening)
        async with response:
            yield response.status, _chunks(response)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            message = "the connection to GitHub is used outside of its context"
            raise RuntimeError(message)
        return self._session


async def _opened(opening: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    try:
        return await opening
    except _FAULTS as error:
        fault = _fault(error)
    raise fault


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(CHUNK):
            yield chunk
        return
    except _FAULTS as error:
        fault = _fault(error)
    raise fault


def _fault(error: Exception) -> GitHubUnavailable:
    # Before there is a connection nothing can have been taken; its kind is told, its words are not ours to vouch for.
    never_sent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL)
    how = "in time" if isinstance(error, TimeoutError) else f"properly ({type(error).__name__})"
    return GitHubUnavailable(f"GitHub could not be reached, or did not answer {how}", maybe_taken=not never_sent)
