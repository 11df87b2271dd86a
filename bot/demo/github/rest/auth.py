"""Who may speak: JSON web tokens of the App, tokens of installations, tokens of people.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import base64
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt

from bot.demo.github.rest.answers import Failure, not_found
from bot.demo.github.rest.callers import NOBODY, Caller, InstallationToken, UserToken
from bot.demo.github.rest.keys import private_pem, public_pem

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.demo.github.state.accounts import Account, App, Installation

TOKEN_LENGTH = 520
INSTALLATION_TOKEN_LASTS = timedelta(hours=1)
USER_TOKEN_LASTS = timedelta(hours=8)
LONGEST_JWT = 600

_IAT = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
_EXP = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"  # noqa: E501
_TOO_FAR = "'Expiration time' claim ('exp') is too far in the future"


class Credentials:
    """Makes tokens and tells whose they are; `skew` is how far, in seconds, a JWT's clock may be ahead of ours."""

    def __init__(self, clock: Clock, app: App, seed: int) -> None:
        self.skew = 5
        self.fresh_for: timedelta | None = None
        self._clock = clock
        self._app = app
        self._random = random.Random(f"tokens {seed}")
        self._installation_tokens: dict[str, InstallationToken] = {}
        self._user_tokens: dict[str, UserToken] = {}

    @property
    def private_key_pem(self) -> str:
        return private_pem(self._app.id)

    def issue(
        self, installation: Installation, permissions: dict[str, str], repositories: frozenset[int] | None
    ) -> InstallationToken:
        """Make a token for an installation that lasts an hour."""
        now = self._clock.now().replace(microsecond=0)
        value = self._secret("ghs_", TOKEN_LENGTH)
        token = InstallationToken(value, installation, now, now + INSTALLATION_TOKEN_LASTS, permissions, repositories)
        self._installation_tokens[value] = token
        return token

    def issue_to(self, user: Account) -> UserToken:
        """Make a token for a person, which lasts eight hours."""
        token = UserToken(self._secret("ghu_", 40), user, self._clock.now() + USER_TOKEN_LASTS)
        self._user_tokens[token.value] = token
        return token

    def revoke(self, user: Account) -> None:
        """End all tokens of a person, as when the App's authorization is withdrawn."""
        self._user_tokens = {value: one for value, one in self._user_tokens.items() if one.user is not user}

    def random_text(self, length: int) -> str:
        """Return so many letters and digits that follow from the seed."""
        return self._secret("", length)

    def identify(self, authorization: str | None) -> Caller:
        """Return who sends this header; Failure 401 when it is nobody that we know."""
        if not authorization:
            return NOBODY
        scheme, _, value = authorization.partition(" ")
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
        return Caller("installation", f"installation {token.installation.id}", token, credential=value)

    def _user(self, value: str) -> Caller:
        token = self._user_tokens.get(value)
        if token is None or self._clock.now() >= token.expires_at:
            raise Failure(401, "Bad credentials")
        return Caller("user", f"user {token.user.id}", user=token.user, credential=value)

    def _app_caller(self, value: str) -> Caller:
        try:
            unread = jwt.decode(value, options={"verify_signature": False})
            if str(unread.get("iss")) not in {str(self._app.id), self._app.client_id}:
                raise Failure(404, "Integration not found")
            options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_iss": False}
            claims = jwt.decode(value, public_pem(self._app.id), algorithms=["RS256"], options=options)
        except jwt.PyJWTError:
            raise Failure(401, "A JSON web token could not be decoded") from None
        self._check_times(claims.get("iat"), claims.get("exp"))
        return Caller("app", "app", credential="app")

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
