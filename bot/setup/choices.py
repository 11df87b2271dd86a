"""What whoever registers the App chooses, and what comes of it: GitHub's addresses and the manifest. Pure rules.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import ipaddress
import re
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from bot.checks.answers import WEBHOOK_PATH
from bot.checks.manifest import read_manifest
from bot.errors import RunledgerError

LONGEST_NAME = 34
LONGEST_ADDRESS = 500
GITHUB_COM = "https://github.com"
# Organisations on GHE.com have their pages at SUBDOMAIN.ghe.com and the API at api.SUBDOMAIN.ghe.com.
_GHE_COM = ".ghe.com"
# https://docs.github.com/en/site-policy/other-site-policies/github-username-policy
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9]|[-_](?=[A-Za-z0-9])){0,38}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII)


class WrongChoice(RunledgerError):
    """Something that was filled in can't be right; `field` names it and the message says what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Host(Struct, frozen=True):
    """A GitHub: where its pages are, and where its API is."""

    server_url: str
    api_url: str


class Choice(Struct, frozen=True, kw_only=True):
    """An App as it is to be registered: at which GitHub, for whom (None: whoever is signed in there), and how."""

    host: Host
    organization: str | None
    name: str
    public_url: str
    reruns: bool = False

    @property
    def posts_to(self) -> str:
        """The address without its `state` that a browser sends the manifest to."""
        owner = "" if self.organization is None else f"/organizations/{quote(self.organization)}"
        return f"{self.host.server_url}{owner}/settings/apps/new"


def host_of(server_url: str) -> Host:
    """Return the GitHub whose pages are at this address. Raises WrongChoice."""
    server = checked_address("server", server_url)
    host = urlsplit(server).netloc
    if server == GITHUB_COM:
        return Host(GITHUB_COM, "https://api.github.com")
    if host.endswith(_GHE_COM):
        return Host(server, f"https://api.{host}")
    return Host(server, f"{server}/api/v3")


def checked_address(field: str, text: str) -> str:
    """Return an address of a host, `https://HOST` or `http://HOST:PORT`, without a slash. Raises WrongChoice."""
    address = text.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _no_address(field) from None
    host = parts.hostname or ""
    plain = f"{parts.scheme}://{parts.netloc}" == address and "@" not in parts.netloc and port != 0
    if parts.scheme not in {"http", "https"} or not plain or len(address) > LONGEST_ADDRESS or not _is_host(host):
        raise _no_address(field)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _no_address(field: str) -> WrongChoice:
    return WrongChoice(field, "This must be an address such as https://github.example.org, with nothing behind it.")


def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None or _ip(host) is not None


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def checked_organization(text: str) -> str:
    """Return an organisation's login as GitHub spells logins. Raises WrongChoice."""
    login = text.strip().removeprefix("@")
    if not _LOGIN.fullmatch(login):
        raise WrongChoice("organization", "This must be the organisation's login, as it stands in its address.")
    return login


def checked_name(text: str) -> str:
    """Return a name that GitHub takes for an App. Raises WrongChoice."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise WrongChoice("name", f"A name has 1 to {LONGEST_NAME} characters.")
    return name


def is_out_of_reach(address: str) -> bool:
    """Tell whether nobody outside of this machine or its network can reach an address, by what it says itself."""
    host = urlsplit(address).hostname or ""
    ip = _ip(host)
    return not ip.is_global if ip is not None else "." not in host


def manifest_of(choice: Choice) -> dict[str, Any]:
    """Return the manifest as it is sent to GitHub: app.yml, with our addresses and what was chosen."""
    manifest, address = read_manifest(), choice.public_url
    permissions: dict[str, str] = manifest["default_permissions"]
    return manifest | {
        "name": choice.name,
        "url": address,
        "hook_attributes": {"url": address + WEBHOOK_PATH, "active": True},
        "redirect_url": f"{address}/setup/registered",
        "callback_urls": [f"{address}/login/callback"],
        "setup_url": f"{address}/setup/installed",
        "setup_on_update": False,
        "public": False,
        "request_oauth_on_install": False,
        "default_permissions": permissions | ({"actions": "write"} if choice.reruns else {}),
    }
