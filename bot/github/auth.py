"""Who we are to GitHub: the App by its key, one of its installations by a token that lasts an hour, or a person.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import jwt
from cachetools import TLRUCache
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from bot.clock import Clock
from bot.github.errors import Unauthorized
from bot.settings import private_key_of

JWT_BACKDATED, JWT_LASTS, JWT_MARGIN = 60, 540, 60
# GitHub refuses times that lie further off than this; smaller differences are left alone.
CLOCK_SKEW = 30.0
RENEWED_EARLY = 300.0
# A token that GitHub has just made is not known at once to all of its servers.
FRESH, KNOWN_EVERYWHERE = 60.0, 5.0
MOST_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential as it is sent; `made_at` is our clock's epoch second. Nothing that prints it shows the value."""

    value: str = field(repr=False)
    made_at: float = 0.0

    @property
    def authorization(self) -> str:
        return f"Bearer {self.value}"

    @property
    def fingerprint(self) -> str:
        """Return what stands for it where it is only compared."""
        return hashlib.sha256(self.value.encode()).hexdigest()


class Credential(Protocol):
    """Gives the credential of each request, and judges what to do when GitHub refuses it."""

    async def secret(self) -> Secret | None:
        """Return what to send; None sends nothing. Raises GitHubError when there is none to be had."""

    def is_current(self, secret: Secret | None) -> bool:
        """Tell whether `secret` is still good, after some waiting."""

    def refused(self, secret: Secret | None, date: datetime | None) -> float | None:
        """Return the seconds after which to try once more after a 401 of GitHub's time `date`; None: don't."""

    def drop(self, secret: Secret | None) -> None:
        """Never give `secret` again."""


class Nobody:
    """Asks without credentials."""

    async def secret(self) -> None:
        return None

    def is_current(self, secret: Secret | None) -> bool:
        return secret is None

    def refused(self, secret: Secret | None, date: datetime | None) -> None:  # noqa: ARG002  the protocol's
        return None

    def drop(self, secret: Secret | None) -> None:
        """There is none."""


class AppKey:
    """Signs JSON Web Tokens (RFC 7519) with the App's key, and keeps each for most of its life.

    https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
    Raises ValueError, without the key in its message, when `private_key` is no RSA key in PEM.
    """

    def __init__(self, app_id: int, private_key: str, clock: Clock) -> None:
        self._issuer = str(app_id)
        self._key = _loaded(private_key)
        self._clock = clock
        self._skew = 0.0
        self._current: Secret | None = None

    async def secret(self) -> Secret:
        if self._current is None or not self.is_current(self._current):
            self._current = self._signed()
        return self._current

    def is_current(self, secret: Secret | None) -> bool:
        age = self._clock.time() - secret.made_at if secret is not None else JWT_LASTS
        return 0 <= age < JWT_LASTS - JWT_BACKDATED - JWT_MARGIN

    def refused(self, secret: Secret | None, date: datetime | None) -> float | None:
        """Sign anew what grew old on its way, and set our clock right by GitHub's where that may be the fault.

        Any other refusal is final.
        """
        if not self.is_current(secret):
            self.drop(secret)
            return 0.0
        skew = date.timestamp() - self._clock.time() if date is not None else self._skew
        if abs(skew - self._skew) <= CLOCK_SKEW:
            return None
        self._skew = skew
        self.drop(secret)
        return 0.0

    def drop(self, secret: Secret | None) -> None:
        if self._current == secret:
            self._current = None

    def _signed(self) -> Secret:
        now = self._clock.time()
        issued = int(now + self._skew) - JWT_BACKDATED
        claims = {"iat": issued, "exp": issued + JWT_LASTS, "iss": self._issuer}
        return Secret(jwt.encode(claims, self._key, algorithm="RS256"), now)


def _loaded(private_key: str) -> RSAPrivateKey:
    pem = private_key_of(SecretStr(private_key)).get_secret_value()
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)  # noqa: S101  private_key_of has seen to it
    return key


class NoKey(Nobody):
    """Stands in for the App's key where there is none yet."""

    async def secret(self) -> None:
        message = "APP_ID and PRIVATE_KEY are not set, so there is no way to speak to GitHub as the App"
        raise Unauthorized(message)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token is for: an installation, or a part of what it may do and see."""

    installation_id: int
    permissions: frozenset[tuple[str, str]] | None = None
    repositories: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        installation_id: int,
        permissions: Mapping[str, str] | None = None,
        repositories: tuple[str, ...] | None = None,
    ) -> "Scope":
        """Return the scope of an installation's token, with `permissions` and `repositories` (names) or fewer."""
        return cls(
            installation_id,
            None if permissions is None else frozenset(permissions.items()),
            None if repositories is None else frozenset(repositories),
        )

    def body(self) -> dict[str, object]:
        """Return what the request for a token says."""
        body: dict[str, object] = {}
        if self.permissions is not None:
            body["permissions"] = dict(sorted(self.permissions))
        if self.repositories is not None:
            body["repositories"] = sorted(self.repositories)
        return body


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """A token of an installation; `expires_at` is the epoch second on our clock, after it was made."""

    secret: Secret
    expires_at: float

    @property
    def used_until(self) -> float:
        # One that lasts less than usual is still used for half of its life.
        return max(self.expires_at - RENEWED_EARLY, (self.secret.made_at + self.expires_at) / 2)


Mint = Callable[[Scope], Awaitable[InstallationToken]]


class InstallationTokens:
    """Keeps each scope's token until shortly before it expires, and asks for a new one once, however many want it."""

    def __init__(self, mint: Mint, clock: Clock) -> None:
        self._mint = mint
        self._clock = clock
        self._kept: TLRUCache[Scope, InstallationToken] = TLRUCache(
            MOST_TOKENS, ttu=lambda _, token, __: token.used_until, timer=clock.time
        )
        self._coming: dict[Scope, asyncio.Task[InstallationToken]] = {}

    def kept(self, scope: Scope) -> Secret | None:
        """Return the scope's token if there is one that is good for some minutes yet."""
        token = self._kept.get(scope)
        return None if token is None else token.secret

    async def get(self, scope: Scope) -> Secret:
        """Return a token that is good for some minutes yet.

        Raises InstallationGone, InstallationSuspended, Unprocessable (it may not have these permissions), Unauthorized
        (the App's key is wrong), RateLimited or GitHubUnavailable.
        """
        kept = self.kept(scope)
        if kept is not None:
            return kept
        if scope not in self._coming:
            self._coming[scope] = asyncio.create_task(self._fetch(scope))
            self._coming[scope].add_done_callback(_seen)
        # Shielded: whoever gives up waiting takes nothing away from the others.
        return (await asyncio.shield(self._coming[scope])).secret

    def drop(self, scope: Scope, secret: Secret) -> None:
        """Forget a token that GitHub does not take, unless it has been replaced already."""
        if self.kept(scope) == secret:
            self._kept.pop(scope, None)

    def forget(self, installation_id: int) -> None:
        """Forget all tokens of an installation, as when it is suspended or deleted."""
        for scope in [each for each in self._kept if each.installation_id == installation_id]:
            self._kept.pop(scope, None)

    async def close(self) -> None:
        """Stop asking for tokens."""
        coming = list(self._coming.values())
        for task in coming:
            task.cancel()
        if coming:
            await asyncio.wait(coming)

    async def _fetch(self, scope: Scope) -> InstallationToken:
        try:
            token = await self._mint(scope)
            self._kept[scope] = token
            return token
        finally:
            del self._coming[scope]


def _seen(task: "asyncio.Task[InstallationToken]") -> None:
    # When everybody who waited has gone, asyncio would print the exception as one that nobody looked at.
    if not task.cancelled():
        task.exception()


def _until_known(secret: Secret | None, clock: Clock) -> float:
    """Return the seconds in which a fresh token may become known; 0.0 for one that is not fresh, or none."""
    age = clock.time() - secret.made_at if secret is not None else FRESH
    return max(KNOWN_EVERYWHERE - age, 1.0) if age < FRESH else 0.0


class InstallationCredential:
    """Asks as one installation."""

    def __init__(self, tokens: InstallationTokens, scope: Scope, clock: Clock) -> None:
        self._tokens = tokens
        self._scope = scope
        self._clock = clock

    async def secret(self) -> Secret:
        return await self._tokens.get(self._scope)

    def is_current(self, secret: Secret | None) -> bool:
        return secret is not None and self._tokens.kept(self._scope) == secret

    def refused(self, secret: Secret | None, date: datetime | None) -> float:  # noqa: ARG002  the protocol's
        """Give a fresh token time to become known; one that worked for a while has been revoked, so get another."""
        wait = _until_known(secret, self._clock)
        if not wait:
            self.drop(secret)
        return wait

    def drop(self, secret: Secret | None) -> None:
        if secret is not None:
            self._tokens.drop(self._scope, secret)


Fetch = Callable[[Secret | None], Awaitable[Secret]]


class PersonCredential:
    """Asks as a person; `fetch` returns their token, and another one than that which GitHub has refused."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._current: Secret | None = None
        self._refused: Secret | None = None

    async def secret(self) -> Secret:
        if self._current is None:
            self._current = await self._fetch(self._refused)
        return self._current

    def is_current(self, secret: Secret | None) -> bool:
        # It was good for some minutes when it was fetched, and is for one list.
        return secret is not None and secret == self._current

    def refused(self, secret: Secret | None, date: datetime | None) -> float:  # noqa: ARG002  the protocol's
        """Give a fresh token time to become known; instead of an older one another is to be had, or none any more."""
        wait = _until_known(secret, self._clock)
        if not wait:
            self.drop(secret)
        return wait

    def drop(self, secret: Secret | None) -> None:
        if secret is not None and self._current == secret:
            self._current, self._refused = None, secret
