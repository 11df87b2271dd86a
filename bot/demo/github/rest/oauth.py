"""Signing in with GitHub, and who is signed in.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bot.demo.github.payloads import accounts
from bot.demo.github.payloads.values import timestamp
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.auth import USER_TOKEN_LASTS

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.payloads.values import Json
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account

_CODE_LASTS = timedelta(minutes=10)
_REFRESH_LASTS = timedelta(days=183)


@dataclass(frozen=True, slots=True)
class Grant:
    """A code or a refresh token, and for whom it can be exchanged."""

    user: Account
    redirect_uri: str
    until: datetime
    challenge: str | None = None


def authorize(ask: Ask) -> Answer:
    """Lead back with a code for whoever `github.rest.signed_in` is; with nobody there, access is denied."""
    query, rest = ask.query, ask.github.rest
    redirect_uri = query.get("redirect_uri") or rest.callback_url
    if query.get("client_id") != ask.github.app.client_id or not redirect_uri:
        return Answer(404, "Not Found")
    state = {"state": query["state"]} if "state" in query else {}
    if rest.signed_in is None:
        denied = {"error": "access_denied", "error_description": "The user has denied your application access."}
        return Answer(302, None, {"Location": f"{redirect_uri}?{urlencode({**denied, **state})}"})
    code = rest.credentials.random_text(20)
    grant = Grant(rest.signed_in, redirect_uri, ask.at + _CODE_LASTS, query.get("code_challenge"))
    rest.grants[code] = grant
    return Answer(302, None, {"Location": f"{redirect_uri}?{urlencode({'code': code, **state})}"})


def access_token(ask: Ask) -> Answer:
    """Exchange a code or a refresh token, each once; what is wrong with it is told with a 200, as GitHub does.

    The answer is a form, unless JSON is asked for.
    """
    told = _exchange(ask, {**ask.query, **(ask.body or {})})
    if "json" in ask.accept:
        return Answer(200, told)
    return Answer(200, urlencode(told), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})


def _exchange(ask: Ask, sent: Json) -> Json:
    rest = ask.github.rest
    if sent.get("client_id") != ask.github.app.client_id or sent.get("client_secret") != rest.client_secret:
        return _wrong("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
    refreshing = sent.get("grant_type") == "refresh_token"
    grant = rest.grants.pop(str(sent.get("refresh_token" if refreshing else "code")), None)
    if grant is None or ask.at >= grant.until:
        if refreshing:
            return _wrong("bad_refresh_token", "The refresh token passed is incorrect or expired.")
        return _wrong("bad_verification_code", "The code passed is incorrect or expired.")
    if not refreshing and sent.get("redirect_uri", grant.redirect_uri) != grant.redirect_uri:
        return _wrong("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL.")
    if not refreshing and grant.challenge not in {None, _challenge(str(sent.get("code_verifier")))}:
        return _wrong("bad_verification_code", "The code passed is incorrect or expired.")
    refresh = "ghr_" + rest.credentials.random_text(76)
    rest.grants[refresh] = Grant(grant.user, "", ask.at + _REFRESH_LASTS)
    return {
        "access_token": rest.credentials.issue_to(grant.user).value,
        "expires_in": int(USER_TOKEN_LASTS.total_seconds()),
        "refresh_token": refresh,
        "refresh_token_expires_in": int(_REFRESH_LASTS.total_seconds()),
        "scope": "",
        "token_type": "bearer",
    }


def get_authenticated(ask: Ask) -> Answer:
    """Answer with the person whose token it is."""
    user = ask.user
    shown = {
        **accounts.user(ask.addresses, user),
        "name": user.name,
        **dict.fromkeys(("company", "location", "email", "hireable", "bio", "twitter_username"), None),
        "blog": "",
        **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
        "created_at": timestamp(user.created_at),
        "updated_at": timestamp(user.created_at),
    }
    return Answer(200, shown)


def _challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _wrong(error: str, description: str) -> Json:
    return {"error": error, "error_description": description}
