"""What people have allowed Apps to do in their name, and the codes and tokens that came of it.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.rest.callers import UserToken

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.clock import Clock
    from bot.demo.github.state.accounts import Account, App

CODE_LASTS = timedelta(minutes=10)
USER_TOKEN_LASTS = timedelta(hours=8)
REFRESH_TOKEN_LASTS = timedelta(days=183)


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """What was agreed to on the way to a token; `challenge` is the S256 one of RFC 7636."""

    app: App
    user: Account
    redirect_uri: str
    until: datetime
    challenge: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RefreshToken:
    """What the next token is had for; `token` is the one that it came with, and that dies with it."""

    value: str
    token: UserToken
    until: datetime


class Authorizations:
    """Codes and refresh tokens are good for one exchange; a token ends by itself, or with what it was given for."""

    def __init__(self, clock: Clock, random_text: Callable[[int], str]) -> None:
        self._clock = clock
        self._random_text = random_text
        self._granted: dict[tuple[int, int], datetime] = {}
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, UserToken] = {}
        self._refresh_tokens: dict[str, RefreshToken] = {}

    def authorize(self, app: App, user: Account) -> None:
        """Remember that a person lets an App act for them."""
        self._granted.setdefault((app.id, user.id), self._clock.now())

    def is_authorized(self, app: App, user: Account) -> bool:
        return (app.id, user.id) in self._granted

    def issue_code(self, app: App, user: Account, redirect_uri: str, challenge: str | None = None) -> str:
        """Make a code for a person who has authorized the App."""
        code = self._random_text(20)
        self._codes[code] = Code(app, user, redirect_uri, self._clock.now() + CODE_LASTS, challenge)
        return code

    def take_code(self, app: App, value: str) -> Code | None:
        """Return what a code stands for, once and in time; None for one that is another App's too."""
        code = self._codes.get(value)
        if code is None or code.app is not app:
            return None
        del self._codes[value]
        return code if self._clock.now() < code.until else None

    def issue(self, app: App, user: Account) -> RefreshToken:
        """Make a token for a person, which lasts eight hours, and the refresh token beside it."""
        self.authorize(app, user)
        now = self._clock.now()
        token = UserToken("ghu_" + self._random_text(36), app, user, now, now + USER_TOKEN_LASTS)
        self._tokens[token.value] = token
        refresh = RefreshToken("ghr_" + self._random_text(76), token, now + REFRESH_TOKEN_LASTS)
        self._refresh_tokens[refresh.value] = refresh
        return refresh

    def renew(self, app: App, value: str) -> RefreshToken | None:
        """Exchange a refresh token for a new pair; it and the token that it came with are no longer good."""
        refresh = self._refresh_tokens.get(value)
        if refresh is None or refresh.token.app is not app or self._clock.now() >= refresh.until:
            return None
        del self._refresh_tokens[value]
        self._tokens.pop(refresh.token.value, None)
        return self.issue(app, refresh.token.user)

    def find(self, value: str) -> UserToken | None:
        """Return a token that is still good."""
        token = self._tokens.get(value)
        return token if token is not None and self._clock.now() < token.expires_at else None

    def end(self, token: UserToken) -> None:
        """End one token, and the refresh token beside it."""
        self._tokens.pop(token.value, None)
        kept = {value: one for value, one in self._refresh_tokens.items() if one.token is not token}
        self._refresh_tokens = kept

    def revoke(self, app: App, user: Account) -> None:
        """End all that a person allowed an App: codes and tokens too."""
        self._granted.pop((app.id, user.id), None)
        self._codes = {value: one for value, one in self._codes.items() if (one.app, one.user) != (app, user)}
        for token in [one for one in self._tokens.values() if (one.app, one.user) == (app, user)]:
            self.end(token)
        refresh_tokens = self._refresh_tokens.items()
        kept = {value: one for value, one in refresh_tokens if (one.token.app, one.token.user) != (app, user)}
        self._refresh_tokens = kept
