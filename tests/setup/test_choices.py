"""What is chosen on the set-up page, and the manifest that comes of it, by tables."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.checks.manifest import Grants, asked_for, read_manifest
from bot.demo.github.state.manifest import read_manifest as read_as_github
from bot.setup.choices import (
    Choice,
    Host,
    WrongChoice,
    checked_address,
    checked_name,
    checked_organization,
    host_of,
    is_out_of_reach,
    manifest_of,
)

OURS = "https://runledger.example.org"
GITHUB = Host("https://github.com", "https://api.github.com")


def a_choice(organization: str | None = "acme", host: Host = GITHUB, *, reruns: bool = False) -> Choice:
    return Choice(host=host, organization=organization, name="Runledger acme", public_url=OURS, reruns=reruns)


@pytest.mark.parametrize(
    ("address", "server", "api"),
    [
        ("https://github.com", "https://github.com", "https://api.github.com"),
        (" https://GitHub.com/ ", "https://github.com", "https://api.github.com"),
        ("https://ghe.example.org", "https://ghe.example.org", "https://ghe.example.org/api/v3"),
        ("https://ghe.example.org:8443/", "https://ghe.example.org:8443", "https://ghe.example.org:8443/api/v3"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "http://127.0.0.1:5000/api/v3"),
        ("http://[::1]:5000", "http://[::1]:5000", "http://[::1]:5000/api/v3"),
        ("https://octo.ghe.com", "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://evil-ghe.com", "https://evil-ghe.com", "https://evil-ghe.com/api/v3"),
    ],
)
def test_where_pages_and_api_are(address: str, server: str, api: str) -> None:
    assert host_of(address) == Host(server, api)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "github.example.org",
        "ftp://github.example.org",
        "javascript:alert(1)",
        "https://",
        "https://github.example.org/path",
        "https://github.example.org?q",
        "https://github.example.org#f",
        "https://someone:else@github.example.org",
        "https://github.example.org:0",
        "https://github.example.org:99999",
        "https://github.example.org:port",
        "https://github.example.org 'self'; script-src *",
        "https://github.exa\nmple.org",
        "https://-github.example.org",
        "https://[::1",
        "https://" + "a" * 500,
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(WrongChoice) as wrong:
        checked_address("server", address)
    assert wrong.value.field == "server"


@given(st.text())
def test_an_address_is_one_or_is_refused(text: str) -> None:
    try:
        address = checked_address("address", text)
    except WrongChoice:
        return
    assert address.startswith(("https://", "http://"))
    assert not set(address) & set(" ;,'\"<>\\@?#\n")


@pytest.mark.parametrize("login", ["acme", "Acme-Corp", "a", "a1", "x_emu", "@acme", " acme "])
def test_an_organisation_s_login(login: str) -> None:
    assert checked_organization(login) == login.strip().removeprefix("@")


@pytest.mark.parametrize("login", ["", "-acme", "acme-", "a--b", "a b", "acme/../evil", "a?b", "é", "a" * 60])
def test_what_is_no_login(login: str) -> None:
    with pytest.raises(WrongChoice):
        checked_organization(login)


@pytest.mark.parametrize("name", ["", " ", "x" * 35, "a\u202eb", "a\0b"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(WrongChoice):
        checked_name(name)


def test_a_name_is_put_straight() -> None:
    assert checked_name("  Runledger \n acme ") == "Runledger acme"


@pytest.mark.parametrize(
    ("address", "far"),
    [
        (OURS, False),
        ("http://localhost:8080", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:80", True),
        ("https://10.1.2.3", True),
        ("https://runledger", True),
        ("https://140.82.112.3", False),
    ],
)
def test_what_github_can_not_reach(address: str, far: bool) -> None:
    assert is_out_of_reach(address) == far


@pytest.mark.parametrize("organization", [None, "acme"])
def test_where_the_browser_is_sent(organization: str | None) -> None:
    owner = "/organizations/acme" if organization else ""
    for host in (GITHUB, host_of("https://ghe.example.org")):
        assert a_choice(organization, host).posts_to == f"{host.server_url}{owner}/settings/apps/new"


@pytest.mark.parametrize("reruns", [False, True])
def test_github_takes_the_manifest(reruns: bool) -> None:
    manifest = manifest_of(a_choice(reruns=reruns))
    read = read_as_github(json.dumps(manifest))
    assert read.hook_url == f"{OURS}/api/github/webhooks"
    assert read.redirect_url == f"{OURS}/setup/registered"
    assert read.callback_urls == (f"{OURS}/login/callback",)
    assert read.setup_url == f"{OURS}/setup/installed"
    assert (read.public, read.request_oauth_on_install) == (False, False)
    assert read.default_permissions["actions"] == ("write" if reruns else "read")
    asked = Grants(read.default_permissions, list(read.default_events))
    more = asked.beyond(asked_for())
    assert (more.permissions, more.events) == ({"actions": "write"} if reruns else {}, [])
    assert asked_for().beyond(asked).listed() == []


def test_what_was_chosen_changes_no_other_manifest() -> None:
    manifest_of(a_choice(reruns=True))
    assert read_manifest()["default_permissions"]["actions"] == "read"
