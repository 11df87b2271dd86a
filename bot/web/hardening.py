"""The headers that every answer has, whoever made it.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from collections.abc import Mapping

from aiohttp import web

from bot.settings import Settings
from bot.web import keys
from bot.web.request_ids import HEADER

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
NO_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
# Two years, as https://hstspreload.org asks; nothing is said of other hosts under the same name.
HSTS = "max-age=63072000"

ALWAYS: Mapping[str, str] = {
    "Server": "runledger",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ALWAYS_BY_HTTPS: Mapping[str, str] = {**ALWAYS, "Strict-Transport-Security": HSTS}


def is_behind_tls(settings: Settings) -> bool:
    """Tell whether users reach us by HTTPS. Nothing of ours ends TLS, so that there is a proxy then."""
    return (settings.public_url or "").startswith("https://")


def common_headers(*, is_https: bool) -> Mapping[str, str]:
    """Return what every answer says, whatever it is; `is_https` where users reach us by it."""
    return _ALWAYS_BY_HTTPS if is_https else ALWAYS


def page_policy(form_target: str = "") -> str:
    """Return the policy of a page, which brings all it needs with it: https://www.w3.org/TR/CSP3/.

    `form_target` is an origin elsewhere that its form may send to.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self'; form-action 'self'{form_target and f' {form_target}'}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that every answer has."""
    headers = response.headers
    if keys.REQUEST_ID in request:
        headers[HEADER] = request[keys.REQUEST_ID]
    headers.update(common_headers(is_https=is_behind_tls(request.app[keys.CONFIGURATION].current)))
    if keys.STANDING in request:
        headers.update(request[keys.STANDING].headers)
    # The headers of a 304 replace those a browser has kept, and it no longer says what it is that was kept.
    if response.status != 304:
        is_page = headers.get("Content-Type", "").startswith("text/html")
        headers.setdefault("Content-Security-Policy", page_policy() if is_page else DATA_POLICY)
        if is_page:
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Permissions-Policy"] = NO_PERMISSIONS
