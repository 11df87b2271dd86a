"""Registering Apps in a browser: from none at all to several, each its own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from tests.demo.client import Client
from tests.demo.street import MANIFEST, Street, street_without_app


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    async with street_without_app() as street:
        yield street


async def test_until_there_is_an_app_nobody_is_let_in_and_nothing_is_sent(street: Street) -> None:
    for token, status in (("a.b.c", 401), ("ghs_none", 401), ("ghu_none", 401)):
        assert (await street.client.bearing(token).get("/app")).status == status
    stranger = SimulatedGitHub(ManualClock(), seed=7)
    as_stranger = Client(stranger, street.client.session, street.client.address).as_app()
    assert (await as_stranger.get("/app")).status == 404
    street.github.repositories.create(street.acme, "plane")
    assert street.github.deliveries == []
    with pytest.raises(LookupError, match="no App"):
        _ = street.github.app


async def test_each_registration_is_an_app_of_its_own(street: Street) -> None:
    first = await street.register()
    jwt_of_first = street.client.as_app()
    second = await street.register(name="Another")
    for secret in ("id", "slug", "client_id", "client_secret", "webhook_secret", "pem"):
        assert first[secret] != second[secret]
    assert (await jwt_of_first.get("/app")).body["slug"] == "acme-ledger"
    assert (await street.client.as_app().get("/app")).body["slug"] == "another"
    one, other = (street.github.world.apps[made["id"]] for made in (first, second))
    installation = street.github.installations.install(street.acme, app=one)
    street.github.installations.install(street.acme, app=other)
    assert [each["id"] for each in (await jwt_of_first.get("/app/installations")).body] == [installation.id]
    assert (await street.client.as_app().get(f"/app/installations/{installation.id}")).status == 404
    of_first = street.client.bearing(street.github.rest.credentials.issue_to(street.mona, one).value)
    assert [each["id"] for each in (await of_first.get("/user/installations")).body["installations"]] == [
        installation.id
    ]


async def test_a_code_is_exchanged_once_and_within_the_hour(street: Street) -> None:
    await street.sign_in(street.mona)
    for waiting, status in ((0, 201), (3599, 201), (3600, 404)):
        await street.send({**MANIFEST, "name": f"Ledger {waiting}"})
        await street.browser.press("Create GitHub App")
        url = f"/app-manifests/{street.browser.query['code']}/conversions"
        await street.wait(waiting)
        assert (await street.client.post(url)).status == status
        assert (await street.client.post(url)).status == 404
    assert (await street.client.post("/app-manifests/made-up/conversions")).status == 404
    await street.send({**MANIFEST, "name": "Too late"})
    await street.wait(3600)
    await street.browser.press("Create GitHub App")
    assert street.browser.status == 404


async def test_a_name_is_had_by_one(street: Street) -> None:
    await street.register()
    for name in ("Acme  Ledger!", "eve", " "):
        await street.send(MANIFEST)
        page = await street.browser.press("Create GitHub App", name=name)
        assert street.browser.status == 422
        assert page.problems == ["Name can't be blank" if name == " " else "Name is already taken"]
    # The page keeps what was typed, and goes on when it is mended.
    await street.browser.press("Create GitHub App", name="Acme")
    assert "code" in street.browser.query
    # What is agreed to keeps its name until its hour is over.
    await street.send({**MANIFEST, "name": "ACME"})
    await street.browser.press("Create GitHub App")
    assert street.browser.page.problems == ["Name is already taken"]


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ("no json", "The manifest is no JSON."),
        ({**MANIFEST, "url": ""}, '"url" wasn\'t supplied.'),
        ({**MANIFEST, "default_events": ["installation"]}, "Default events unsupported: installation"),
    ],
)
async def test_a_manifest_at_fault_is_shown_as_such(street: Street, manifest: Any, problem: str) -> None:
    await street.sign_in(street.mona)
    await street.send(manifest)
    assert (street.browser.status, street.browser.page.heading) == (422, "Invalid GitHub App configuration")
    assert problem in street.browser.page.problems
    assert street.browser.page.forms == []


async def test_only_owners_register_for_an_organisation(street: Street) -> None:
    for person in (street.ada, street.eve):
        await street.sign_in(person)
        for where in ("/organizations/acme/settings/apps/new", "/organizations/nobody/settings/apps/new"):
            await street.send(MANIFEST, where)
            assert street.browser.status == 404
    await street.send(MANIFEST, "/settings/apps/new")
    assert street.browser.page.heading == "Create GitHub App for eve"
    assert (await street.browser.open("/settings/apps/manifest/made-up")).heading == "Page not found"
