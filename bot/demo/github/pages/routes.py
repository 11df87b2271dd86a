"""The one table of pages."""

from __future__ import annotations

from bot.demo.github.pages import apps, authorizing, configuring, installing, registering, sessions
from bot.demo.github.rest.routes import ANYBODY, Handler, Route


def _page(method: str, path: str, handler: Handler) -> Route:
    return Route(method, path, "", handler, ANYBODY, counted=False)


_INSTALLATION = "/settings/installations/{installation_id}"
_NEW = "/apps/{slug}/installations/new"

PAGES: tuple[Route, ...] = (
    _page("GET", "/login", sessions.show_login),
    _page("POST", "/login", sessions.sign_in),
    _page("GET", "/logout", sessions.show_logout),
    _page("POST", "/logout", sessions.sign_out),
    _page("POST", "/settings/apps/new", registering.take_manifest),
    _page("POST", "/organizations/{org}/settings/apps/new", registering.take_manifest),
    _page("GET", "/settings/apps/manifest/{draft}", registering.show_draft),
    _page("POST", "/settings/apps/manifest/{draft}", registering.register),
    _page("GET", "/settings/apps/authorizations", authorizing.show_authorizations),
    _page("POST", "/settings/apps/authorizations", authorizing.revoke),
    _page("GET", "/login/oauth/authorize", authorizing.authorize),
    _page("POST", "/login/oauth/authorize", authorizing.decide),
    _page("GET", "/apps/{slug}", apps.show_app),
    _page("GET", _NEW, installing.choose_account),
    _page("GET", f"{_NEW}/permissions", installing.choose_repositories),
    _page("POST", f"{_NEW}/permissions", installing.install),
    _page("GET", _INSTALLATION, configuring.show_installation),
    _page("POST", _INSTALLATION, configuring.change_installation),
    _page("GET", "/organizations/{org}" + _INSTALLATION, configuring.show_installation),
    _page("POST", "/organizations/{org}" + _INSTALLATION, configuring.change_installation),
)
