"""Who may speak: JSON web tokens of Apps, their client secrets, tokens of installations, tokens of people.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import base64
import binascii
import hmac
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt

from bot.demo.github.rest.answers import Failure, not_found
from bot.demo.github.rest.authorizations import Authorizations
from bot.demo.github.rest.callers import NOBODY, Caller, InstallationToken, UserToken
from bot.demo.github.rest.keys import public_pem

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.demo.github.state.accounts import Account, App, Installation
    from bot.demo.github.state.world import World

TOKEN_LENGTH = 520
INSTALLATION_TOKEN_LASTS = timedelta(hours=1)
LONGEST_JWT = 600

_IAT = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
_EXP = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"  # noqa: E501
_TOO_FAR = "'Expiration time' claim ('exp') is too far in the future"


class Credentials:
    """Makes tokens and tells whose they are; `skew` is how far, in seconds, a JWT's clock may be ahead of ours."""

    def __init__(self, clock: Clock, world: World, seed: int) -> None:
        self.skew = 5
        self.fresh_for: timedelta | None = None
        self._clock = clock
        self._world = world
        self._random = random.Random(f"tokens {seed}")
        self._installation_tokens: dict[str, InstallationToken] = {}
        self.authorizations = Authorizations(clock, self.random_text)

    def issue(
        self, installation: Installation, permissions: dict[str, str], repositories: frozenset[int] | None
    ) -> InstallationToken:
        """Make a token for an installation that lasts an hour."""
        now = self._clock.now().replace(microsecond=0)
        value = self._secret("ghs_", TOKEN_LENGTH)
        token = InstallationToken(value, installation, now, now + INSTALLATION_TOKEN_LASTS, permissions, repositories)
        self._installation_tokens[value] = token
        return token

    def issue_to(self, user: Account, app: App | None = None) -> UserToken:
        """Make a token for a person, as if they had just authorized an App (by default the newest)."""
        return self.authorizations.issue(app or self._world.app, user).token

    def random_text(self, length: int) -> str:
        """Return so many letters and digits that follow from the seed."""
        return self._secret("", length)

    def identify(self, authorization: str | None) -> Caller:
        """Return who sends this header; Failure 401 when it is nobody that we know."""
        if not authorization:
            return NOBODY
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._client(value)
        if scheme.lower() not in {"bearer", "token"}:
            raise Failure(401, "Bad credentials")
        if value.startswith("ghs_"):
            return self._installation(value)
        if value.startswith("ghu_"):
            return self._user(value)
        if value.count(".") == 2:
            return self._app_caller(value)
        raise Failure(401, "Bad credentials")

    def _installation(self, value: str) -> Caller:
        token, now = self._installation_tokens.get(value), self._clock.now()
        if token is None or now >= token.expires_at or token.installation.deleted_at is not None:
            raise Failure(401, "Bad credentials")
        if self.fresh_for is not None and now - token.made_at < self.fresh_for:
            raise Failure(401, "Bad credentials")
        if token.installation.suspended_at is not None:
            raise Failure(403, "This installation has been suspended")
        whose = token.installation
        return Caller("installation", f"installation {whose.id}", whose.app, token, credential=value)

    def _user(self, value: str) -> Caller:
        token = self.authorizations.find(value)
        if token is None:
            raise Failure(401, "Bad credentials")
        return Caller("user", f"user {token.user.id}", token.app, user=token.user, credential=value)

    def _client(self, value: str) -> Caller:
        """Return the App whose client id and secret these are."""
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Failure(401, "Bad credentials") from None
        app = self.find_client(client_id, secret)
        if app is None:
            raise Failure(401, "Bad credentials")
        return Caller("client", f"client {app.client_id}", app, credential=client_id)

    def find_client(self, client_id: object, secret: object) -> App | None:
        """Return the App with this client id, if that is its secret."""
        app = next((one for one in self._world.apps.values() if one.client_id == client_id), None)
        known = app is not None and hmac.compare_digest(app.client_secret.encode(), str(secret).encode())
        return app if known else None

    def _app_caller(self, value: str) -> Caller:
        try:
            unread = jwt.decode(value, options={"verify_signature": False})
            apps, issuer = self._world.apps.values(), str(unread.get("iss"))
            app = next((one for one in apps if issuer in {str(one.id), one.client_id}), None)
            if app is None:
                raise Failure(404, "Integration not found")
            options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_iss": False}
            claims = jwt.decode(value, public_pem(app.id), algorithms=["RS256"], options=options)
        except jwt.PyJWTError:
            raise Failure(401, "A JSON web token could not be decoded") from None
        self._check_times(claims.get("iat"), claims.get("exp"))
        return Caller("app", f"app {app.id}", app, credential=f"app {app.id}")

    def _check_times(self, issued: object, expires: object) -> None:
        now = self._clock.now().timestamp()
        if not isinstance(issued, int) or issued > now + self.skew:
            raise Failure(401, _IAT)
        if not isinstance(expires, int | float) or expires <= now:
            raise Failure(401, _EXP)
        if expires > now + LONGEST_JWT:
            raise Failure(401, _TOO_FAR)

    def _secret(self, prefix: str, length: int) -> str:
        text = base64.urlsafe_b64encode(self._random.randbytes(length)).decode().replace("_", "x").replace("-", "y")
        return (prefix + text)[:length]


def require_installed(installation: Installation | None) -> Installation:
    """Return an installation that can be given a token; Failure 404 or 403 otherwise."""
    if installation is None or installation.deleted_at is not None:
        raise not_found()
    if installation.suspended_at is not None:
        raise Failure(403, "This installation has been suspended")
    return installation
