"""The tokens of people who sign in: had for a code, renewed before they end, and ended when nobody wants them.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
and …/refreshing-user-access-tokens. Codes and refresh tokens are good for one exchange, so none is ever sent twice.
"""

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from msgspec import Struct

from bot import metrics
from bot.github.answers import Reply
from bot.github.client import PEOPLE
from bot.github.connection import Connection
from bot.github.errors import GitHubError, GitHubUnavailable
from bot.github.exchange import ACCEPT, API_VERSION
from bot.github.faults import fault_of, said_by

# A browser waits for it, and so may a process that has been told to end.
TIMEOUT = aiohttp.ClientTimeout(total=8, sock_connect=4)
# GitHub's tokens are good for hours, and what renews them for half a year.
LONGEST_SECONDS = 10 * 366 * 86_400
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class TokenRefused(GitHubError):
    """GitHub gives no token; `code` is why, such as `bad_verification_code` or `bad_refresh_token`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class UserTokens:
    """A person's token, and the one to renew it with; without `expires_in` it lasts, and there is none to renew it."""

    access_token: str = field(repr=False)
    expires_in: timedelta | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_in: timedelta | None = None


class _Told(Struct):
    access_token: str | None = None
    expires_in: float | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: float | None = None
    error: str | None = None
    error_description: str | None = None


def authorize_url(server_url: str, client_id: str, state: str, challenge: str, redirect_uri: str) -> str:
    """Return the page of GitHub that a person is sent to; `challenge` is that of a code verifier (RFC 7636, S256)."""
    asked = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{server_url.rstrip('/')}/login/oauth/authorize?{urlencode(asked)}"


class OAuth:
    """An async context manager for one App, by its client id and secret.

    Tokens are had from GitHub's pages, at `server_url`, and ended over its API. Every method sends one request and
    raises a GitHubError, as bot/github/errors.py describes it. A token that comes with what can't be used is ended.
    """

    def __init__(self, client_id: str, client_secret: str, *, server_url: str, api_url: str) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._server = Connection(server_url, TIMEOUT)
        self._api = Connection(api_url, TIMEOUT)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "OAuth":
        for connection in (self._server, self._api):
            await self._open.enter_async_context(connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> UserTokens:
        """Return the tokens that a code stands for. Raises TokenRefused for a code that GitHub does not take."""
        return await self._ask_for_tokens({"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri})

    async def refresh(self, refresh_token: str) -> UserTokens:
        """Return new tokens; from then on the old ones are no longer good.

        Raises TokenRefused, with `bad_refresh_token` for one that has ended, was used, or was withdrawn by the person.
        """
        return await self._ask_for_tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def revoke(self, access_token: str) -> None:
        """End a token and the one to renew it with; one that is no longer good is left alone.

        https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-token
        """
        url = f"{self._api.api_url}/applications/{quote(self._client_id, safe='')}/token"
        basic = base64.b64encode(f"{self._client_id}:{self._client_secret}".encode()).decode()
        headers = {"Accept": ACCEPT, "Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        reply = await self._sent(
            self._api, "DELETE", url, {**headers, **API_VERSION}, json.dumps({"access_token": access_token}).encode()
        )
        if reply.status not in {204, 404, 422}:
            raise fault_of(reply, "DELETE /applications/{client_id}/token")

    async def _ask_for_tokens(self, asked: Mapping[str, str]) -> UserTokens:
        url = f"{self._server.api_url}/login/oauth/access_token"
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        form = {"client_id": self._client_id, "client_secret": self._client_secret, **asked}
        reply = await self._sent(self._server, "POST", url, headers, urlencode(form).encode())
        if reply.status != 200:
            raise fault_of(reply, "POST /login/oauth/access_token")
        told = _told(reply)
        try:
            return _tokens(told)
        except GitHubUnavailable:
            if told.access_token:
                # It was granted, and nobody would ever end it.
                with contextlib.suppress(GitHubError):
                    await self.revoke(told.access_token)
            raise

    async def _sent(
        self, connection: Connection, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        try:
            reply = await connection.send(method, url, headers, body)
        except GitHubUnavailable:
            metrics.count_github_request(PEOPLE, "no_answer")
            raise
        outcome = "failed" if reply.status >= 500 else "refused" if reply.status >= 300 else "answered"
        metrics.count_github_request(PEOPLE, outcome)
        return reply


def _tokens(told: _Told) -> UserTokens:
    # What is wrong with a code is told with a 200.
    if told.error is not None:
        said = said_by({"message": told.error_description or told.error})
        message = f"GitHub gives no token: {said}"
        raise TokenRefused(told.error, message)
    if not _TOKEN.fullmatch(told.access_token or "") or not _TOKEN.fullmatch(told.refresh_token or "none"):
        message = "GitHub gave no token that can be used"
        raise GitHubUnavailable(message)
    return UserTokens(
        told.access_token or "",
        _seconds(told.expires_in),
        told.refresh_token or None,
        _seconds(told.refresh_token_expires_in),
    )


def _told(reply: Reply) -> _Told:
    # The decoder's error is left behind: it may quote what must not be quoted.
    try:
        return msgspec.json.decode(reply.body, type=_Told)
    except (msgspec.DecodeError, ValueError):
        message = "GitHub's answer to POST /login/oauth/access_token is not what it documents"
    raise GitHubUnavailable(message)


def _seconds(told: float | None) -> timedelta | None:
    # An App whose tokens don't expire is told nothing, or 0.
    if not told:
        return None
    if not 0 < told <= LONGEST_SECONDS:
        message = "GitHub gave a token for a time that can't be meant"
        raise GitHubUnavailable(message)
    return timedelta(seconds=told)
