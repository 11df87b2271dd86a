"""Whatever installations live through, and whatever is heard of it and when, a sync ends in the truth."""

import asyncio
import logging
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.demo.github.state.accounts import Account, Installation
from bot.demo.github.state.repositories import Repository
from bot.demo.github.webhooks.deliveries import Delivery
from bot.history.installations import EVERY
from bot.store import connected
from bot.store.database import Database
from tests.history.town import Town, founded
from tests.recorder.arrived import calm
from tests.recorder.records import clear

EXAMPLES = 12


class Life:
    """What accounts, repositories and installations go through, with some of it heard of, late, and synced between."""

    def __init__(self, town: Town, rng: Random) -> None:
        self.town, self.rng, self.github = town, rng, town.github
        self.unheard = 0
        self.held_back: list[Delivery] = []
        town.create("rocket", "widget")
        town.create("tool", owner=town.globex)
        self.names = 0

    def installation(self, account: Account) -> Installation | None:
        return self.github.installations.find(account)

    def account(self) -> Account:
        return self.rng.choice((self.town.acme, self.town.globex))

    def repositories(self, account: Account) -> list[Repository]:
        living = (one for one in self.github.world.repositories.values() if one.deleted_at is None)
        return [one for one in living if one.owner is account]

    def new_name(self) -> str:
        self.names += 1
        return f"name-{self.names}"

    async def live(self, actions: Iterable[str]) -> None:
        for action in actions:
            await self.town.pass_time(self.rng.choice((0.2, 0.7, 3)))
            account = self.account()
            installation, mine = self.installation(account), self.repositories(account)
            if action == "sync":
                await self.town.sync()
            elif action == "hear":
                await self.hear(0.5)
            elif action == "install" and installation is None:
                self.town.install(*self.rng.sample(mine, self.rng.randrange(len(mine) + 1)), owner=account)
            elif action == "own":
                self.own(account, mine)
            elif installation is not None:
                self.govern(installation, mine)

    def own(self, account: Account, mine: list[Repository]) -> None:
        act = self.rng.choice(("create", "rename", "archive", "transfer", "delete"))
        repositories = self.github.repositories
        if act == "create" or not mine:
            self.town.create(self.new_name(), owner=account)
            return
        one = self.rng.choice(mine)
        if act == "rename":
            repositories.rename(one, self.new_name())
        elif act == "archive":
            repositories.archive(one)
        elif act == "delete":
            repositories.delete(one)
        else:
            other = self.town.globex if account is self.town.acme else self.town.acme
            repositories.transfer(one, other)

    def govern(self, one: Installation, mine: list[Repository]) -> None:
        act = self.rng.choice(("choose", "choose", "suspend", "rename", "uninstall"))
        installations = self.github.installations
        if act == "choose" and mine:
            chosen = self.rng.choice(mine)
            is_seen = chosen.id in one.repositories
            (installations.remove_repositories if is_seen else installations.add_repositories)(one, [chosen])
        elif act == "suspend":
            (installations.suspend if one.active else installations.unsuspend)(one)
        elif act == "rename":
            installations.rename_account(one.account, self.new_name())
        elif act == "uninstall":
            installations.delete(one)

    async def hear(self, share: float) -> None:
        """Hear some of what was not heard yet, in any order, some of it twice."""
        made = self.github.deliveries
        self.held_back += made[self.unheard :]
        self.unheard = len(made)
        self.rng.shuffle(self.held_back)
        count = round(len(self.held_back) * share)
        heard, self.held_back = self.held_back[:count], self.held_back[count:]
        await self.town.hear(heard + self.rng.choices(heard, k=min(count, 2)))

    async def end(self) -> None:
        for one in self.github.world.installations.values():
            if one.deleted_at is None and not one.active:
                self.github.installations.unsuspend(one)
        await self.town.pass_time()


_actions = st.sampled_from(("install", "own", "own", "govern", "govern", "hear", "hear", "sync"))


async def check_life(database: Database, seed: int, actions: list[str]) -> None:
    await clear(database)
    for table in ("backfill_window", "backfill"):
        await database.execute(f"DELETE FROM {table}")
    async with founded(database) as town:
        life = Life(town, Random(seed))
        await life.live(["install", "install", *actions])
        await life.end()
        await town.pass_time(EVERY.total_seconds())
        await town.sync()
        assert await town.directory() == town.truth()
        # Some of what was never heard comes after all, the rest never does.
        await life.hear(0.7)
        # News of the very moment of the last look has to wait a little.
        await town.pass_time()
        await town.sync_due()
        assert await town.directory() == town.truth()


@pytest.mark.timeout(300)
def test_every_life_ends_in_the_truth(migrated_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with asyncio.Runner() as runner:
        opened_database = connected(migrated_url)
        database = runner.run(opened_database.__aenter__())

        @settings(calm, max_examples=EXAMPLES, deadline=None)
        @given(st.integers(0, 2**32 - 1), st.lists(_actions, max_size=14))
        def check(seed: int, actions: list[str]) -> None:
            runner.run(check_life(database, seed, actions))

        try:
            check()
        finally:
            runner.run(opened_database.__aexit__(None, None, None))
