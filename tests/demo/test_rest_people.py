"""What a person sees through an App: what both of them may, looked at anew each time."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bot.clock import ManualClock
from bot.demo.github import Refused, SimulatedGitHub
from bot.demo.github.state.accounts import Account
from bot.demo.github.state.repositories import Repository
from tests.demo.client import Client, held
from tests.demo.stage import Stage, set_stage

ALL = {"rocket", "hidden", "vault"}


class House:
    """Acme with a public repository and two private ones, and somebody who has nothing to do with it yet."""

    def __init__(self, client: Client, stage: Stage) -> None:
        self.client, self.stage, self.github = client, stage, stage.github
        create, acme = self.github.repositories.create, stage.organization
        self.rocket, self.hidden = stage.repository, create(acme, "hidden", private=True)
        self.vault = create(acme, "vault", private=True)
        self.acme, self.ada = acme, self.github.add_user("ada")
        self.url = f"/user/installations/{stage.installation.id}/repositories"

    def as_person(self, person: Account | None = None) -> Client:
        return self.client.bearing(self.github.rest.credentials.issue_to(person or self.ada).value)

    async def sees(self) -> dict[str, dict[str, bool]] | int:
        """Return what each repository lets Ada do, or how she is refused."""
        reply = await self.as_person().get(self.url)
        if reply.status != 200:
            return reply.status
        assert reply.body["total_count"] == len(reply.body["repositories"])
        return {one["name"]: one["permissions"] for one in reply.body["repositories"]}

    async def installations(self) -> list[int]:
        reply = await self.as_person().get("/user/installations")
        return [one["id"] for one in reply.body["installations"]]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    github = SimulatedGitHub(ManualClock(), seed=7)
    async with held(github) as client:
        yield House(client, set_stage(github))


def permitted(*words: str) -> dict[str, bool]:
    return {word: word in words for word in ("admin", "maintain", "push", "triage", "pull")}


READ, TRIAGE = permitted("pull"), permitted("pull", "triage")
WRITE, MAINTAIN = permitted("pull", "triage", "push"), permitted("pull", "triage", "push", "maintain")
ADMIN = permitted("pull", "triage", "push", "maintain", "admin")

Act = Callable[[House], Any]


@pytest.mark.parametrize(
    ("act", "seen"),
    [
        (lambda house: None, 404),
        (lambda house: house.github.people.add_owner(house.acme, house.ada), dict.fromkeys(ALL, ADMIN)),
        (lambda house: house.github.people.add_member(house.acme, house.ada), dict.fromkeys(ALL, WRITE)),
        (lambda house: house.github.people.add_member(house.acme, house.ada, "maintain"), dict.fromkeys(ALL, MAINTAIN)),
        (lambda house: house.github.people.add_member(house.acme, house.ada, "read"), dict.fromkeys(ALL, READ)),
        (lambda house: house.github.people.add_member(house.acme, house.ada, "none"), 404),
        (lambda house: house.github.people.add_member(house.acme, house.ada, "admin", [house.vault]), {"vault": ADMIN}),
        (lambda house: house.github.people.add_collaborator(house.hidden, house.ada, "triage"), {"hidden": TRIAGE}),
        (lambda house: house.github.people.add_collaborator(house.rocket, house.ada, "read"), {"rocket": READ}),
        (lambda house: house.github.people.add_collaborator(house.rocket, house.ada, "none"), 404),
    ],
)
async def test_what_is_explicit_is_seen(house: House, act: Act, seen: Any) -> None:
    act(house)
    assert await house.sees() == seen
    assert await house.installations() == ([] if seen == 404 else [house.stage.installation.id])


async def test_a_member_may_have_more_in_one_repository(house: House) -> None:
    house.github.people.add_member(house.acme, house.ada, "read")
    house.github.people.add_collaborator(house.vault, house.ada, "admin")
    assert await house.sees() == {"rocket": READ, "hidden": READ, "vault": ADMIN}
    house.github.people.remove_collaborator(house.vault, house.ada)
    assert await house.sees() == dict.fromkeys(ALL, READ)


async def test_rights_change_at_once_and_no_app_hears_of_it(house: House) -> None:
    before, people = len(house.github.deliveries), house.github.people
    people.add_owner(house.acme, house.ada)
    people.set_role(house.acme, house.ada, "read")
    assert await house.sees() == dict.fromkeys(ALL, READ)
    people.add_collaborator(house.hidden, house.ada, "admin")
    people.remove_member(house.acme, house.ada)
    assert await house.sees() == 404
    assert await house.installations() == []
    assert (await house.as_person().get("/user")).status == 200
    assert len(house.github.deliveries) == before
    with pytest.raises(Refused, match="no member"):
        people.set_role(house.acme, house.ada, "write")


async def test_the_installations_choice_bounds_what_is_seen(house: House) -> None:
    house.github.people.add_owner(house.acme, house.ada)
    house.github.installations.select(house.stage.installation, [house.vault])
    assert await house.sees() == {"vault": ADMIN}
    listed = (await house.as_person().get(house.url)).body
    assert listed["repository_selection"] == "selected"
    house.github.installations.remove_repositories(house.stage.installation, [house.vault])
    assert await house.sees() == {}
    assert await house.installations() == [house.stage.installation.id]
    house.github.installations.select(house.stage.installation, None)
    assert await house.sees() == dict.fromkeys(ALL, ADMIN)


async def test_suspended_is_listed_and_closed_and_deleted_is_gone(house: House) -> None:
    house.github.people.add_member(house.acme, house.ada)
    house.github.installations.suspend(house.stage.installation)
    (listed,) = (await house.as_person().get("/user/installations")).body["installations"]
    assert listed["suspended_at"] is not None
    refused = await house.as_person().get(house.url)
    assert (refused.status, refused.body["message"]) == (403, "This installation has been suspended")
    assert (await house.as_person().get("/repos/acme/hidden")).status == 404
    house.github.installations.unsuspend(house.stage.installation)
    assert (await house.as_person().get("/repos/acme/hidden")).status == 200
    house.github.installations.delete(house.stage.installation)
    assert (await house.sees(), await house.installations()) == (404, [])


async def test_what_is_not_ones_own_looks_like_what_is_not_there(house: House) -> None:
    ada = house.as_person()
    theirs, nowhere = await ada.get(house.url), await ada.get("/user/installations/1/repositories")
    assert theirs.body == nowhere.body
    assert (await ada.get("/user/installations/x/repositories")).status == 404
    for client in (house.client, house.client.as_app(), await house.client.as_installation(house.stage.installation)):
        assert (await client.get("/user/installations")).status in {401, 403}


async def test_a_person_reaches_no_further_than_the_app(house: House) -> None:
    house.github.people.add_owner(house.acme, house.ada)
    elsewhere = house.github.add_organization("elsewhere")
    house.github.people.add_owner(elsewhere, house.ada)
    house.github.repositories.create(elsewhere, "secret", private=True)
    house.github.repositories.create(elsewhere, "open")
    ada = house.as_person()
    assert (await ada.get("/repos/elsewhere/secret")).status == 404
    assert (await ada.get("/repos/elsewhere/open")).status == 200
    assert (await ada.get("/repos/acme/hidden/actions/runs")).status == 200
    house.github.app.permissions = {"metadata": "read"}
    assert (await ada.get("/repos/acme/hidden/actions/runs")).status == 403


async def test_own_repositories_are_administered(house: House) -> None:
    mine: Repository = house.github.repositories.create(house.ada, "mine", private=True)
    installation = house.github.installations.install(house.ada, [mine])
    (seen,) = (await house.as_person().get(f"/user/installations/{installation.id}/repositories")).body["repositories"]
    assert (seen["full_name"], seen["permissions"]) == ("ada/mine", ADMIN)


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("admin", "admin"),
        ("maintain", "write"),
        ("write", "write"),
        ("triage", "read"),
        ("read", "read"),
        ("none", "none"),
    ],
)
async def test_the_permission_of_a_collaborator(house: House, role: Any, permission: str) -> None:
    house.github.people.add_collaborator(house.hidden, house.ada, role)
    installed = await house.client.as_installation(house.stage.installation)
    told = (await installed.get("/repos/acme/hidden/collaborators/ADA/permission")).body
    assert (told["permission"], told["role_name"], told["user"]["login"]) == (permission, role, "ada")
    assert (await installed.get("/repos/acme/hidden/collaborators/nobody/permission")).status == 404
    as_ada = await house.as_person().get("/repos/acme/hidden/collaborators/mona/permission")
    assert as_ada.status == {"none": 404, "read": 403, "triage": 403}.get(role, 200)


async def test_public_repositories_let_everybody_read(house: House) -> None:
    installed = await house.client.as_installation(house.stage.installation)
    told = (await installed.get("/repos/acme/rocket/collaborators/ada/permission")).body
    assert told["permission"] == "read"
    assert (await house.as_person().get("/repos/acme/rocket")).body["permissions"] == READ
