"""Exchanging codes and refresh tokens for the tokens of people, and what an App may do with a token it has.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
https://docs.github.com/en/rest/apps/oauth-applications
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bot.demo.github.payloads import accounts
from bot.demo.github.payloads.values import timestamp
from bot.demo.github.rest.answers import Answer, not_found
from bot.demo.github.rest.authorizations import REFRESH_TOKEN_LASTS, USER_TOKEN_LASTS
from bot.demo.github.rest.fields import Fields

if TYPE_CHECKING:
    from bot.demo.github.payloads.values import Json
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.rest.authorizations import Code, RefreshToken
    from bot.demo.github.rest.callers import UserToken
    from bot.demo.github.state.accounts import App

_ABOUT = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"
_DESCRIPTIONS = {
    "incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
    "redirect_uri_mismatch": "The redirect_uri MUST match the registered callback URL for this application.",
    "bad_verification_code": "The code passed is incorrect or expired.",
    "bad_refresh_token": "The refresh token passed is incorrect or expired.",
    "unsupported_grant_type": "The authorization grant type is not supported.",
}


def access_token(ask: Ask) -> Answer:
    """Exchange a code or a refresh token, each once; what is wrong with it is told with a 200, as GitHub does.

    It is sent as a form, as JSON or in the address. The answer is a form, unless JSON is asked for.
    """
    body = ask.body if isinstance(ask.body, dict) else {}
    told = _exchange(ask, {**ask.query, **body})
    if "json" in ask.accept:
        return Answer(200, told)
    return Answer(200, urlencode(told), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})


def _exchange(ask: Ask, sent: Json) -> Json:
    app = ask.github.rest.credentials.find_client(sent.get("client_id"), sent.get("client_secret"))
    if app is None:
        return _wrong("incorrect_client_credentials")
    match sent.get("grant_type", "authorization_code"):
        case "authorization_code":
            return _exchange_code(ask, app, sent)
        case "refresh_token":
            renewed = ask.github.rest.authorizations.renew(app, str(sent.get("refresh_token")))
            return _wrong("bad_refresh_token") if renewed is None else _tokens(renewed)
        case _:
            return _wrong("unsupported_grant_type")


def _exchange_code(ask: Ask, app: App, sent: Json) -> Json:
    authorizations = ask.github.rest.authorizations
    code = authorizations.take_code(app, str(sent.get("code")))
    if code is None or not _verifies(code, str(sent.get("code_verifier", ""))):
        return _wrong("bad_verification_code")
    if sent.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        return _wrong("redirect_uri_mismatch")
    return _tokens(authorizations.issue(app, code.user))


def _verifies(code: Code, verifier: str) -> bool:
    return code.challenge is None or hmac.compare_digest(challenge_of(verifier), code.challenge)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _tokens(refresh: RefreshToken) -> Json:
    return {
        "access_token": refresh.token.value,
        "expires_in": int(USER_TOKEN_LASTS.total_seconds()),
        "refresh_token": refresh.value,
        "refresh_token_expires_in": int(REFRESH_TOKEN_LASTS.total_seconds()),
        "scope": "",
        "token_type": "bearer",
    }


def _wrong(error: str) -> Json:
    uri = f"{_ABOUT}#{error.replace('_', '-')}"
    return {"error": error, "error_description": _DESCRIPTIONS[error], "error_uri": uri}


def check_token(ask: Ask) -> Answer:
    """Answer with what is known of one of the App's own tokens; 404 for one that is not good any more."""
    token = _token(ask)
    app = {"client_id": token.app.client_id, "name": token.app.name, "url": token.app.external_url}
    shown = {
        "id": token.user.id,
        "url": f"{ask.addresses.api}/authorizations/{token.user.id}",
        "app": app,
        "token": token.value,
        "token_last_eight": token.value[-8:],
        "hashed_token": hashlib.sha256(token.value.encode()).hexdigest(),
        "scopes": [],
        "note": None,
        "note_url": None,
        "fingerprint": None,
        "created_at": timestamp(token.made_at),
        "updated_at": timestamp(token.made_at),
        "expires_at": timestamp(token.expires_at),
        "user": accounts.user(ask.addresses, token.user),
    }
    return Answer(200, shown)


def delete_token(ask: Ask) -> Answer:
    """End a token of the App, and the refresh token beside it."""
    ask.github.rest.authorizations.end(_token(ask))
    return Answer(204)


def delete_authorization(ask: Ask) -> Answer:
    """End the authorization that a token stems from, and all of that person's tokens for the App."""
    token = _token(ask)
    ask.github.rest.authorizations.revoke(token.app, token.user)
    return Answer(204)


def _token(ask: Ask) -> UserToken:
    if ask.path["client_id"] != ask.app.client_id:
        raise not_found()
    fields = Fields(ask.body)
    token = ask.github.rest.authorizations.find(fields.required_text("access_token"))
    fields.done()
    if token is None or token.app is not ask.app:
        raise not_found()
    return token


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
