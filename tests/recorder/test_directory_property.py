"""What an account's events tell of it ends in one state, whatever order they come in."""

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.store import connected
from bot.store.database import Database
from tests.recorder.arrived import calm
from tests.recorder.company import (
    HELLO,
    OCTO,
    Owner,
    Repo,
    Told,
    chosen,
    edited,
    installed,
    ran,
    renamed,
    tell_all,
    worked,
)
from tests.recorder.records import clear

EXAMPLES = 60
Happened = list[tuple[float, Told]]


class Company:
    """An account that lives through one thing after another, each of which GitHub tells of."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.owner: Owner = OCTO
        self.suspended = False
        self.is_installed = True
        self.repos = {10: HELLO, 12: Repo(12, "world")}
        self.seen = {10, 12}
        self.happened: Happened = []

    def tell(self, told: Told) -> None:
        self.happened.append((float(len(self.happened)), told))

    def live(self, actions: list[str]) -> Happened:
        self.tell(installed("created", self.owner, self.repos.values()))
        for action in actions:
            if action == "install":
                self.install()
            elif self.is_installed:
                getattr(self, action)()
        return self.happened

    def install(self) -> None:
        if not self.is_installed:
            assert self.owner.installation_id is not None
            self.owner = self.owner._replace(installation_id=self.owner.installation_id + 10)
            self.is_installed, self.suspended, self.seen = True, False, set(self.repos)
            self.tell(installed("created", self.owner, self.repos.values()))

    def uninstall(self) -> None:
        self.is_installed = False
        self.tell(installed("deleted", self.owner, [self.repos[id] for id in self.seen]))

    def suspend(self) -> None:
        self.suspended = not self.suspended
        self.tell(installed("suspend" if self.suspended else "unsuspend", self.owner, suspended=self.suspended))

    def choose(self) -> None:
        id = self.rng.choice(sorted(self.repos))
        added = [self.repos[id]] if id not in self.seen else []
        removed = [self.repos[id]] if id in self.seen else []
        self.seen ^= {id}
        self.tell(chosen(self.owner, added, removed, suspended=self.suspended))

    def work(self) -> None:
        if self.seen and not self.suspended:
            id = self.rng.choice(sorted(self.seen))
            make = self.rng.choice((ran, worked))
            self.tell(make(self.owner, self.repos[id], 1000 + len(self.happened)))

    def edit(self) -> None:
        if self.seen and not self.suspended:
            id = self.rng.choice(sorted(self.seen))
            before = self.repos[id]
            if self.rng.random() < 0.5:
                self.repos[id] = before._replace(name=f"name-{self.rng.randrange(3)}-{id}")
                self.tell(renamed(self.owner, self.repos[id], before.name))
            else:
                self.repos[id] = before._replace(private=not before.private)
                self.tell(edited(self.owner, self.repos[id], "publicized" if before.private else "privatized"))


_actions = st.sampled_from(("work", "work", "choose", "choose", "suspend", "edit", "edit", "uninstall", "install"))


@st.composite
def lives(draw: st.DrawFn) -> tuple[Happened, Happened]:
    """Draw what happened, in order, and a shuffle of it with some of it twice."""
    rng = Random(draw(st.integers(0, 2**32 - 1)))
    happened = Company(rng).live(draw(st.lists(_actions, max_size=9)))
    arrived = happened + rng.choices(happened, k=rng.randrange(3))
    return happened, draw(st.permutations(arrived))


STATE = {
    "team": "SELECT slug, account_id FROM team ORDER BY slug",
    "installation": (
        "SELECT installation_id, account_login, state, repository_selection, version, deleted_at IS NULL AS stays"
        " FROM installation ORDER BY installation_id"
    ),
    "repository": (
        "SELECT repository_id, installation_id, repository.account_id, full_name, private, team.slug,"
        " hidden_at IS NULL AS shown FROM repository JOIN team ON team.id = repository.team_id ORDER BY repository_id"
    ),
    "repository_name": "SELECT repository_id, name FROM repository_name ORDER BY repository_id, name",
    "workflow_run": "SELECT run_id, slug FROM workflow_run JOIN team ON team.id = team_id ORDER BY run_id",
    "workflow_job": "SELECT job_id, slug FROM workflow_job JOIN team ON team.id = team_id ORDER BY job_id",
}


async def directory(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: [dict(row) for row in await database.fetch(sql)] for table, sql in STATE.items()}


async def check_on(database: Database, happened: Happened, arrived: Happened) -> None:
    await clear(database)
    await tell_all(database, happened)
    expected = await directory(database)
    await clear(database)
    await tell_all(database, arrived)
    assert await directory(database) == expected


@pytest.mark.timeout(300)
def test_every_order_ends_in_the_same_directory(quick_url: str) -> None:
    with asyncio.Runner() as runner:
        opened = connected(quick_url)
        database = runner.run(opened.__aenter__())

        @settings(calm, max_examples=EXAMPLES)
        @given(lives())
        def check(life: tuple[Happened, Happened]) -> None:
            runner.run(check_on(database, *life))

        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))
