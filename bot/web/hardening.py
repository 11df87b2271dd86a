"""The headers that every answer has, whoever made it.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from aiohttp import web

from bot.web import keys

REQUEST_ID_HEADER = "X-Request-Id"
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
NO_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
# Two years, as https://hstspreload.org asks; nothing is said of other hosts under the same name.
HSTS = "max-age=63072000"

ALWAYS = {
    "Server": "runledger",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def page_policy(form_target: str = "") -> str:
    """Return the policy of a page, which brings all it needs with it: https://www.w3.org/TR/CSP3/.

    `form_target` is an origin elsewhere that its form may send to.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self'; form-action 'self'{form_target and f' {form_target}'}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that every answer has."""
    headers = response.headers
    if keys.REQUEST_ID in request:
        headers[REQUEST_ID_HEADER] = request[keys.REQUEST_ID]
    headers.update(ALWAYS)
    if (request.app[keys.CONFIGURATION].current.public_url or "").startswith("https://"):
        headers["Strict-Transport-Security"] = HSTS
    if keys.STANDING in request:
        headers.update(request[keys.STANDING].headers)
    # The headers of a 304 replace those a browser has kept, and it no longer says what it is that was kept.
    if response.status != 304:
        is_page = response.content_type == "text/html"
        headers.setdefault("Content-Security-Policy", page_policy() if is_page else DATA_POLICY)
        if is_page:
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Permissions-Policy"] = NO_PERMISSIONS
