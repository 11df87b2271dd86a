"""The one place where an answer that is not what was asked for becomes an error of ours."""

import json
from typing import Any

from bot.github.answers import Reply, retry_after_of
from bot.github.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    Gone,
    InstallationSuspended,
    NotFound,
    Unauthorized,
    Unprocessable,
)
from bot.logs import Redactor

LONGEST_MESSAGE = 300
_redact = Redactor()
_KINDS: dict[int, tuple[type[GitHubError], str]] = {
    401: (Unauthorized, "GitHub does not accept our credentials for"),
    404: (NotFound, "GitHub has nothing at"),
    409: (Conflict, "GitHub can't do now:"),
    410: (Gone, "GitHub no longer has"),
    451: (Gone, "GitHub may no longer show"),
}
# GitHub words its refusals in more than one way, and older servers still speak of abuse.
_TOO_MUCH = ("rate limit", "rate-limit", "abuse")


def is_rate_limited(reply: Reply) -> bool:
    """Tell whether an answer says "not now" rather than "not you": GitHub uses 403 for both.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    if reply.status != 403:
        return reply.status == 429
    told = _told(reply)
    text = f"{told.get('message')} {told.get('documentation_url')}".lower()
    if any(words in text for words in _TOO_MUCH) or retry_after_of(reply.headers, 0.0) is not None:
        return True
    # The last request of an hour may be refused for another reason, which GitHub then names.
    return reply.headers.get("X-RateLimit-Remaining") == "0" and "not accessible" not in text and not _suspended(text)


def fault_of(reply: Reply, asked: str) -> GitHubError:
    """Return the error that `reply`, which is no success, stands for; `asked` says in words what was asked for.

    Rate limits are not among them: who waits for them knows until when.
    """
    told = _told(reply)
    said = said_by(told)
    if reply.status >= 500:
        # Whoever answers 504 has waited in vain for somebody who may still be at it; any other has let go of it.
        return GitHubUnavailable(f"GitHub answered {reply.status} to {asked}", maybe_later=reply.status == 504)
    if reply.status == 403:
        return _forbidden(reply, said, asked)
    if reply.status == 422:
        errors = tuple(_reason(each) for each in _listed(told.get("errors")))
        return Unprocessable(_sentence("GitHub declines", asked, "; ".join(filter(None, (said, *errors)))), errors)
    kind, opening = _KINDS.get(reply.status, (BadRequest, f"GitHub answered {reply.status} to"))
    return kind(_sentence(opening, asked, said))


def said_by(told: dict[str, Any]) -> str:
    """Return GitHub's own message, short and without secrets."""
    return _harmless(told.get("message") or "")


def _forbidden(reply: Reply, said: str, asked: str) -> GitHubError:
    if _suspended(said.lower()):
        return InstallationSuspended("the installation is suspended")
    permissions = _harmless(reply.headers.get("X-Accepted-GitHub-Permissions", "")) or None
    needs = f" (it takes {permissions})" if permissions else ""
    return Forbidden(_sentence("GitHub forbids", asked + needs, said), permissions)


def _suspended(text: str) -> bool:
    return "installation" in text and "suspended" in text


def _told(reply: Reply) -> dict[str, Any]:
    # Proxies answer with pages of HTML, and some with JSON that is no object.
    try:
        told = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _listed(errors: Any) -> list[Any]:
    if errors is None:
        return []
    return errors if isinstance(errors, list) else [errors]


def _reason(error: Any) -> str:
    if not isinstance(error, dict):
        return _harmless(error)
    where = ".".join(str(error[part]) for part in ("resource", "field") if error.get(part))
    return _harmless(": ".join(str(part) for part in (where, error.get("message") or error.get("code")) if part))


def _sentence(opening: str, asked: str, said: str) -> str:
    return f"{opening} {asked}: {said}" if said else f"{opening} {asked}"


def _harmless(text: Any) -> str:
    return _redact(" ".join(str(text).split()))[:LONGEST_MESSAGE]
