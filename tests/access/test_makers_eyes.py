"""Through a person's token nobody reaches what its maker does not see, whoever belongs to what.

GitHub's own word on who sees what is the judge: each repository is asked for by name with the person's own token.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.access import Caller, create_token, get_scope, list_teams
from bot.demo.github.state.accounts import Account, Installation, Role
from bot.demo.github.state.repositories import Repository
from bot.errors import NotFound
from bot.recorder import upsert_workflow_run
from bot.store.database import connected
from bot.store.queries import RunsQuery, get_run_details, list_repositories, list_runs
from tests import builders as make
from tests.access.office import Office, opened
from tests.databases import quick

ORGANIZATIONS = ("acme", "other", "third")
Drawn = dict[tuple[str, str], tuple[Role, list[Role]]]
_ROLES: list[Role] = ["none", "read", "write", "admin"]
ROLES = st.sampled_from(_ROLES)


class Town:
    """Three organisations, a run in each of their repositories, and two people with a token for each of the teams."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.repositories: dict[str, list[Repository]] = {"acme": office.repositories}
        self.accounts: dict[str, Account] = {"acme": office.acme}
        self.installations: dict[str, Installation] = {"acme": office.installation}
        self.people = {"ada": office.ada, "eve": office.github.add_user("eve")}
        self.tokens: dict[tuple[str, str], str] = {}

    async def build(self) -> None:
        github = self.office.github
        for login in ORGANIZATIONS[1:]:
            self.accounts[login] = github.add_organization(login)
            create = github.repositories.create
            self.repositories[login] = [create(self.accounts[login], name, private=True) for name in ("one", "two")]
            self.installations[login] = github.installations.install(self.accounts[login])
        for account in self.accounts.values():
            for person in self.people.values():
                github.people.add_owner(account, person)
        await self.office.hear()
        for repository in self.all:
            owner = repository.owner
            body = make.repository(repository.full_name, repository.id, owner.id, private=True)
            installation = self.installations[owner.login].id
            await upsert_workflow_run(make.run(repository.id), body, installation_id=installation)
        for login, person in self.people.items():
            caller = await self.office.people.caller_of_session(await self.office.sign_in(person))
            for team in ORGANIZATIONS:
                self.tokens[login, team] = await create_token(team, "ci", self.office.clock.now(), 365, maker=caller)

    @property
    def all(self) -> list[Repository]:
        return [each for several in self.repositories.values() for each in several]

    def belong(self, memberships: Drawn) -> None:
        """Let everybody be a member with one role, and a collaborator with others, and nothing else."""
        people = self.office.github.people
        for (login, organization), (role, roles) in memberships.items():
            account, person = self.accounts[organization], self.people[login]
            people.remove_member(account, person)
            if role != "none":
                people.add_member(account, person, role)
            for repository, one in zip(self.repositories[organization], roles, strict=False):
                if one != "none":
                    people.add_collaborator(repository, person, one)

    async def github_shows(self, login: str) -> set[int]:
        """Return the repositories that GitHub hands out by name to the person, whatever our lists say."""
        token = self.office.github.rest.credentials.issue_to(self.people[login]).value
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "a judge"}
        shown = set()
        for repository in self.all:
            url = f"{self.office.settings.github_api_url}/repos/{repository.full_name}"
            async with self.office.http.get(url, headers=headers) as answer:
                if answer.status == 200:
                    shown.add(repository.id)
        return shown


memberships = st.fixed_dictionaries(
    {
        (login, organization): st.tuples(ROLES, st.lists(ROLES, min_size=3, max_size=3))
        for login in ("ada", "eve")
        for organization in ORGANIZATIONS
    }
)


@settings(max_examples=12, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=memberships)
def test_a_token_answers_with_what_its_maker_sees_and_nothing_else(
    town: tuple[asyncio.Runner, Town], drawn: Drawn
) -> None:
    runner, built = town
    runner.run(_check(built, drawn))


@pytest.fixture
def town(migrated_url: str) -> Iterator[tuple[asyncio.Runner, Town]]:
    """Give a town on a loop of its own, since hypothesis calls a plain function."""
    with asyncio.Runner() as runner:
        life = AsyncExitStack()
        built = runner.run(_begin(life, quick(migrated_url)))
        yield runner, built
        runner.run(life.aclose())


async def _begin(life: AsyncExitStack, url: str) -> Town:
    database = await life.enter_async_context(connected(url))
    town = Town(await life.enter_async_context(opened(database)))
    await town.build()
    return town


async def _check(town: Town, drawn: Drawn) -> None:
    town.belong(drawn)
    # By now GitHub is asked again.
    await town.office.clock.advance(12 * 3600)
    for login in town.people:
        shown = await town.github_shows(login)
        for team in ORGANIZATIONS:
            caller = await town.office.people.find_caller(town.tokens[login, team])
            assert caller is not None
            await _check_caller(caller, team, shown & {each.id for each in town.repositories[team]}, town)


async def _check_caller(caller: Caller, team: str, shown: set[int], town: Town) -> None:
    assert [each.slug for each in (await list_teams(caller)).teams] == ([team] if shown else [])
    for other in ORGANIZATIONS:
        if other != team or not shown:
            with pytest.raises(NotFound):
                await get_scope(caller, other)
    if not shown:
        return
    scope = await get_scope(caller, team)
    assert {run.run_id for run in (await list_runs(scope, RunsQuery(team=team))).runs} == shown
    assert {each.repository_id for each in (await list_repositories(scope)).repositories} == shown
    for repository in town.all:
        if repository.id in shown:
            assert (await get_run_details(scope, repository.id)).run.run_id == repository.id
            continue
        with pytest.raises(NotFound):
            await get_run_details(scope, repository.id)
        named = RunsQuery(team=team, repo_full_name=repository.full_name)
        assert (await list_runs(scope, named)).runs == []
