"""What a person meets in a browser: registering, installing and authorizing an App, and taking it all back."""

import hmac
import json
from collections.abc import AsyncIterator

import pytest

from tests.demo.conformance import faults_of
from tests.demo.stage import Receiver
from tests.demo.street import MANIFEST, SERVICE, Street, street_without_app


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    async with street_without_app() as street:
        yield street


async def test_from_no_app_at_all_to_one_that_is_gone_again(street: Street, receiver: Receiver) -> None:
    github, browser = street.github, street.browser
    hook = {"hook_attributes": {"url": receiver.url}}

    # Nobody is signed in: GitHub asks who it is, and goes on where it was.
    await street.send({**MANIFEST, **hook})
    assert browser.page.heading == "Sign in to GitHub"
    await browser.press("Sign in as mona")
    assert browser.page.heading == "Create GitHub App for acme"
    await browser.press("Create GitHub App")
    assert browser.left_for.startswith(f"{SERVICE}/setup/registered?")
    assert browser.query["state"] == "s 1"
    made = (await street.client.post(f"/app-manifests/{browser.query['code']}/conversions")).body
    assert (made["slug"], made["owner"]["login"]) == ("acme-ledger", "acme")
    assert (await street.client.as_app().get("/app")).body["id"] == made["id"]

    await browser.open("/apps/acme-ledger")
    await browser.press("Install")
    assert browser.page.heading == "Install Acme Ledger on acme"
    await browser.press("Install", choosing=("Only select repositories", "acme/rocket"))
    assert browser.left_for.startswith(f"{SERVICE}/setup/installed?from=github&")
    (installation,) = (await street.client.as_app().get("/app/installations")).body
    assert browser.query == {
        "from": "github",
        "installation_id": str(installation["id"]),
        "setup_action": "install",
    }
    await github.settle()
    told = [(headers["X-GitHub-Event"], json.loads(body)) for headers, body in receiver.requests]
    assert [event for event, _ in told] == ["ping", "installation"]
    assert [one["full_name"] for one in told[1][1]["repositories"]] == ["acme/rocket"]
    assert told[1][1]["sender"]["login"] == "mona"
    for headers, body in receiver.requests:
        signature = hmac.new(made["webhook_secret"].encode(), body, "sha256").hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={signature}"

    await browser.open(street.authorize_url(state="t"))
    assert browser.page.heading == "Authorize Acme Ledger"
    await browser.press("Authorize Acme Ledger")
    assert browser.query["state"] == "t"
    token = (await street.exchange(code=browser.query["code"]))["access_token"]
    person = street.client.bearing(token)
    (seen,) = (await person.get("/user/installations")).body["installations"]
    assert seen["id"] == installation["id"]
    (repository,) = (await person.get(f"/user/installations/{seen['id']}/repositories")).body["repositories"]
    assert (repository["full_name"], repository["permissions"]["admin"]) == ("acme/rocket", True)

    await browser.open("/settings/apps/authorizations")
    await browser.press("Revoke Acme Ledger")
    assert browser.page.heading == "Authorized GitHub Apps"
    assert browser.page.form.buttons == {}
    assert (await person.get("/user")).status == 401
    await github.settle()
    assert json.loads(receiver.requests[-1][1])["action"] == "revoked"
    assert [faults_of(one) for one in github.deliveries] == [[], [], []]


async def test_a_private_app_is_for_its_owner_alone(street: Street) -> None:
    await street.register()
    for person, status in ((street.mona, 200), (street.ada, 200), (street.eve, 404)):
        await street.sign_in(person)
        await street.browser.open("/apps/acme-ledger")
        assert street.browser.status == status
    await street.browser.open("/apps/acme-ledger/installations/new")
    assert street.browser.status == 404
    await street.sign_in(street.ada)
    await street.browser.open("/apps/acme-ledger/installations/new")
    assert street.browser.page.form.labels == {}
    await street.browser.open(f"/apps/acme-ledger/installations/new/permissions?target_id={street.ada.id}")
    assert street.browser.status == 404


async def test_a_public_app_is_for_all_and_asks_where(street: Street) -> None:
    await street.register(public=True)
    await street.browser.open("/apps/acme-ledger/installations/new?state=x")
    assert set(street.browser.page.form.labels) == {"acme", "mona"}
    await street.browser.press("Continue", choosing=("mona",))
    assert street.browser.page.heading == "Install Acme Ledger on mona"
    await street.browser.press("Install", choosing=("All repositories",))
    assert street.browser.query["state"] == "x"
    await street.browser.open("/apps/acme-ledger/installations/new")
    await street.browser.press("Continue", choosing=("mona",))
    assert "/settings/installations/" in street.browser.url
    await street.sign_in(street.eve)
    await street.browser.open("/apps/acme-ledger/installations/new?state=x")
    assert street.browser.page.heading == "Install Acme Ledger on eve"


async def test_who_administers_a_repository_installs_for_it_alone(street: Street) -> None:
    await street.register(public=True)
    street.github.people.add_collaborator(street.vault, street.ada, "admin")
    await street.sign_in(street.ada)
    await street.browser.open("/apps/acme-ledger/installations/new")
    await street.browser.press("Continue", choosing=("acme",))
    assert set(street.browser.page.form.labels) == {"Only select repositories", "acme/vault"}
    await street.browser.press("Install")
    assert street.browser.page.problems == ["Select at least one repository."]
    await street.browser.press("Install", repository_selection="all")
    assert street.browser.page.problems == ["Select at least one repository."]
    sneaked = {f"repository_{street.rocket.id}": "1"}
    await street.browser.press("Install", choosing=("acme/vault",), **sneaked)
    (installation,) = street.github.world.installations.values()
    assert list(installation.repositories.values()) == [street.vault]


async def test_an_app_may_ask_for_both_at_once(street: Street) -> None:
    await street.register(request_oauth_on_install=True)
    await street.browser.open("/apps/acme-ledger/installations/new?state=x")
    await street.browser.press("Install & Authorize")
    assert street.browser.left_for.startswith(MANIFEST["callback_urls"][0])
    assert {"code", "installation_id", "setup_action", "state"} == set(street.browser.query)
    assert "access_token" in await street.exchange(code=street.browser.query["code"])


async def test_enterprise_server_has_its_pages_beside_its_api() -> None:
    async with street_without_app(api_path="/api/v3") as street:
        await street.register(setup_url=None)
        await street.browser.open("/apps/acme-ledger/installations/new")
        await street.browser.press("Install")
        await street.browser.open(street.authorize_url())
        await street.browser.press("Authorize Acme Ledger")
        token = (await street.exchange(code=street.browser.query["code"]))["access_token"]
        (seen,) = (await street.client.bearing(token).get("/user/installations")).body["installations"]
        assert seen["html_url"] == f"{street.browser.home}/organizations/acme/settings/installations/{seen['id']}"
        assert (await street.browser.open(seen["html_url"])).heading == "Acme Ledger on acme"


async def test_without_a_setup_address_one_stays(street: Street) -> None:
    await street.register(setup_url=None)
    await street.browser.open("/apps/acme-ledger/installations/new")
    await street.browser.press("Install")
    assert street.browser.page.heading == "Acme Ledger on acme"


async def test_an_installation_is_changed_and_taken_away(street: Street) -> None:
    await street.register(setup_on_update=True)
    installation, browser = street.github.installations.install(street.acme), street.browser
    url = f"/organizations/acme/settings/installations/{installation.id}"
    await browser.open(url)
    await browser.press("Save", choosing=("Only select repositories",))
    assert browser.query == {"from": "github", "installation_id": str(installation.id), "setup_action": "update"}
    await browser.open(url)
    browser.untick("acme/rocket")
    await browser.press("Save")
    assert list(installation.repositories.values()) == [street.vault]
    await browser.open(url)
    browser.untick("acme/vault")
    await browser.press("Save")
    assert browser.page.problems == ["Select at least one repository."]
    await browser.press("Suspend")
    assert browser.page.problems == ["This installation is suspended."]
    await browser.press("Unsuspend")
    installation.app.permissions["actions"] = "write"
    await browser.open(url)
    await browser.press("Accept new permissions")
    assert installation.permissions["actions"] == "write"
    await browser.press("Uninstall")
    assert browser.page.heading == "Acme Ledger"
    assert (await browser.open(url)).heading == "Page not found"
    assert [(one.event, one.action) for one in street.github.deliveries] == [
        ("installation", "created"),
        ("installation_repositories", "removed"),
        ("installation", "suspend"),
        ("installation", "unsuspend"),
        ("installation", "new_permissions_accepted"),
        ("installation", "deleted"),
    ]


async def test_an_installation_is_its_owners_to_change(street: Street) -> None:
    await street.register()
    installation = street.github.installations.install(street.acme)
    for person in (street.ada, street.eve):
        await street.sign_in(person)
        assert (await street.browser.open(f"/settings/installations/{installation.id}")).heading == "Page not found"
    await street.sign_in(street.mona)
    await street.browser.open(f"/organizations/other/settings/installations/{installation.id}")
    assert street.browser.status == 404


async def test_authorizing_is_asked_once(street: Street) -> None:
    await street.register()
    await street.browser.open("/logout")
    await street.browser.press("Sign out")
    await street.browser.open(street.authorize_url(login="eve", state="s"))
    assert next(iter(street.browser.page.form.buttons)) == "Sign in as eve"
    await street.browser.press("Sign in as eve")
    await street.browser.press("Cancel")
    assert street.browser.query["error"] == "access_denied"
    await street.browser.open(street.authorize_url(state="s"))
    await street.browser.press("Authorize Acme Ledger")
    first = street.browser.query["code"]
    await street.browser.open(street.authorize_url(state="s"))
    assert street.browser.query["code"] != first
    await street.browser.open(street.authorize_url(state="s", prompt="select_account"))
    assert street.browser.page.heading == "Sign in to GitHub"
    await street.browser.press("Sign in as eve")
    assert street.browser.query["state"] == "s"


async def test_a_decision_is_held_to_what_is_registered(street: Street) -> None:
    await street.register()
    await street.browser.open(street.authorize_url(state="s"))
    page = await street.browser.press("Authorize Acme Ledger", redirect_uri="https://evil.example")
    assert (street.browser.status, page.heading, street.browser.left_for) == (422, "Be careful!", "")


@pytest.mark.parametrize(
    "path",
    [
        "/settings/apps/authorizations",
        "/login/oauth/authorize",
        "/logout",
        "/apps/acme-ledger/installations/new/permissions",
    ],
)
async def test_a_form_of_another_site_does_nothing(street: Street, path: str) -> None:
    await street.register()
    await street.browser.open(path, client_id=street.github.app.client_id, authenticity_token="guessed")
    assert street.browser.status == 422
    await street.browser.open(path, client_id=street.github.app.client_id)
    assert street.browser.status == 422
    assert not street.github.rest.authorizations.is_authorized(street.github.app, street.mona)


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
async def test_signing_in_leads_to_no_other_site(street: Street, elsewhere: str) -> None:
    await street.browser.open("/login", login="mona", return_to=elsewhere)
    assert street.browser.left_for == ""
    assert street.browser.page.heading == "Sign in to GitHub"
    await street.browser.open("/login", login="acme", return_to="/logout")
    assert street.browser.status == 422


async def test_pages_are_whole_by_themselves(street: Street) -> None:
    await street.register()
    installation = street.github.installations.install(street.acme)
    street.github.rest.authorizations.authorize(street.github.app, street.mona)
    paths = ["/login", "/logout", "/apps/acme-ledger", "/settings/apps/authorizations"]
    for path in (*paths, f"/settings/installations/{installation.id}"):
        cookies = {"Cookie": f"user_session={next(iter(street.github.rest.sessions))}"}
        reply = await street.client.ask("GET", path, headers=cookies)
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        for outside in ("<script", "src=", "@import", "url("):
            assert outside not in reply.body
        assert reply.body.count("<h1>") == reply.body.count("<form") == 1


async def test_the_shortcut_agrees_to_everything(street: Street) -> None:
    street.github.rest.signed_in = street.mona
    await street.send(MANIFEST)
    assert street.browser.query["state"] == "s 1"
    await street.client.post(f"/app-manifests/{street.browser.query['code']}/conversions")
    await street.browser.open(street.authorize_url(state="t"))
    assert street.browser.query["state"] == "t"
    await street.send({**MANIFEST, "name": ""})
    assert street.browser.status == 422
    street.github.rest.signed_in = street.ada
    await street.send(MANIFEST)
    assert street.browser.status == 404
