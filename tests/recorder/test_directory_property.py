"""What the events of accounts tell of them ends in one state, whatever order they come in."""

import asyncio
from itertools import accumulate
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
    OTHER,
    Owner,
    Repo,
    Told,
    account_renamed,
    chosen,
    edited,
    installed,
    ran,
    renamed,
    tell_all,
    tell_together,
    transferred,
    worked,
)
from tests.recorder.records import clear

EXAMPLES = 120
Happened = list[tuple[float, Told]]


class Account:
    """An account with the App on it, or without."""

    def __init__(self, owner: Owner, *, is_installed: bool) -> None:
        self.owner = owner
        self.logins = [owner.login, f"{owner.login}-new", f"{owner.login}-newer"]
        self.is_installed, self.suspended = is_installed, False
        self.seen: set[int] = set()

    @property
    def is_told_of(self) -> bool:
        return self.is_installed and not self.suspended


class Company:
    """Two accounts that live through one thing after another, each of which GitHub tells of."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.accounts = [Account(OCTO, is_installed=True), Account(OTHER, is_installed=rng.random() < 0.5)]
        self.repos = {10: HELLO, 12: Repo(12, "world"), 13: Repo(13, "third")}
        self.owned = {10: self.accounts[0], 12: self.accounts[0], 13: self.accounts[1]}
        self.happened: Happened = []

    def tell(self, told: Told) -> None:
        self.happened.append((float(len(self.happened)), told))

    def live(self, actions: list[str]) -> Happened:
        for account in self.accounts:
            if account.is_installed:
                self.begin(account)
        for action in actions:
            account = self.rng.choice(self.accounts)
            if account.is_installed != (action == "install"):
                getattr(self, action)(account)
        return self.happened

    def known(self) -> dict[int, tuple[Any, ...]]:
        """Return what is to be known of each repository that an installation has ever seen, and that is still there."""
        told = {name for _, each in self.happened for name in _named(each.body)}
        return {
            id: (self.owned[id].owner.account_id, f"{self.owned[id].owner.login}/{repo.name}", *repo[2:])
            for id, repo in self.repos.items()
            if id in told
        }

    def begin(self, account: Account) -> None:
        theirs = [self.repos[id] for id in self.repos if self.owned[id] is account]
        account.is_installed, account.suspended, account.seen = True, False, {repo.id for repo in theirs}
        self.tell(installed("created", account.owner, theirs))

    def seen_of(self, account: Account) -> Repo | None:
        """Choose one of those of which GitHub sends events."""
        return self.repos[self.rng.choice(sorted(account.seen))] if account.is_told_of and account.seen else None

    def install(self, account: Account) -> None:
        assert account.owner.installation_id is not None
        account.owner = account.owner._replace(installation_id=account.owner.installation_id + 10)
        self.begin(account)

    def uninstall(self, account: Account) -> None:
        account.is_installed = False
        self.tell(installed("deleted", account.owner, [self.repos[id] for id in account.seen]))

    def suspend(self, account: Account) -> None:
        account.suspended = not account.suspended
        action = "suspend" if account.suspended else "unsuspend"
        self.tell(installed(action, account.owner, suspended=account.suspended))

    def choose(self, account: Account) -> None:
        theirs = sorted(id for id in self.repos if self.owned[id] is account)
        if theirs:
            id = self.rng.choice(theirs)
            added = [self.repos[id]] if id not in account.seen else []
            removed = [self.repos[id]] if id in account.seen else []
            account.seen ^= {id}
            self.tell(chosen(account.owner, added, removed, suspended=account.suspended))

    def work(self, account: Account) -> None:
        if repo := self.seen_of(account):
            make = self.rng.choice((ran, worked))
            self.tell(make(account.owner, repo, 1000 + len(self.happened)))

    def change_login(self, account: Account) -> None:
        if account.is_told_of:
            login = self.rng.choice([login for login in account.logins if login != account.owner.login])
            account.owner = account.owner._replace(login=login)
            self.tell(account_renamed(account.owner))

    def rename(self, account: Account) -> None:
        if before := self.seen_of(account):
            self.repos[before.id] = before._replace(name=f"name-{self.rng.randrange(3)}-{before.id}")
            self.tell(renamed(account.owner, self.repos[before.id], before.name))

    def edit(self, account: Account) -> None:
        if before := self.seen_of(account):
            changes: dict[str, dict[str, Any]] = {
                "publicized" if before.private else "privatized": {"private": not before.private},
                "unarchived" if before.archived else "archived": {"archived": not before.archived},
                "edited": {"default_branch": f"main-{self.rng.randrange(3)}"},
            }
            action = self.rng.choice(sorted(changes))
            self.repos[before.id] = before._replace(**changes[action])
            self.tell(edited(account.owner, self.repos[before.id], action))

    def delete(self, account: Account) -> None:
        if repo := self.seen_of(account):
            del self.repos[repo.id]
            account.seen.remove(repo.id)
            self.tell(edited(account.owner, repo, "deleted"))

    def transfer(self, account: Account) -> None:
        if repo := self.seen_of(account):
            (to,) = (each for each in self.accounts if each is not account)
            self.owned[repo.id] = to
            account.seen.remove(repo.id)
            is_seen = to.is_told_of and self.rng.random() < 0.5
            told_by = to if is_seen else account
            now = to.owner._replace(installation_id=told_by.owner.installation_id)
            news = [transferred(now, repo, account.owner), chosen(account.owner, removed=[repo])]
            if is_seen:
                to.seen.add(repo.id)
                news.append(chosen(to.owner, added=[repo]))
            # Who of the two hears of it first is open, and not all of it need be told.
            for each in [news[0], *self.rng.sample(news[1:], self.rng.randint(0, len(news) - 1))]:
                self.tell(each)


def _named(body: dict[str, Any]) -> list[int]:
    """Return which repositories a body shows."""
    listed = [*body.get("repositories", ()), *body.get("repositories_added", ())]
    return [each["id"] for each in [*listed, *([body["repository"]] if "repository" in body else ())]]


_often = ("work", "choose", "edit", "rename", "change_login", "transfer")
_actions = st.sampled_from((*_often, *_often, "suspend", "delete", "uninstall", "install"))


@st.composite
def lives(draw: st.DrawFn) -> tuple[Company, list[Happened]]:
    """Draw what happened, in order, and a shuffle of it with some of it twice, some of which comes at once."""
    rng = Random(draw(st.integers(0, 2**32 - 1)))
    company = Company(rng)
    happened = company.live(draw(st.lists(_actions, max_size=12)))
    arrived = happened + rng.choices(happened, k=rng.randrange(3))
    shuffled = draw(st.permutations(arrived))
    at_most = draw(st.sampled_from((1, 4)))
    sizes = [rng.randint(1, at_most) for _ in shuffled]
    return company, [shuffled[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]


# A team's slug is the login that was heard of first, and stays.
STATE = {
    "team": "SELECT account_id FROM team ORDER BY account_id",
    "installation": (
        "SELECT installation_id, account_id, account_login, state, repository_selection, version,"
        " deleted_at IS NULL AS stays FROM installation ORDER BY installation_id"
    ),
    "account_login": "SELECT account_id, login FROM account_login ORDER BY account_id, login",
    "repository": (
        "SELECT repository_id, installation_id, repository.account_id, full_name, private, archived, default_branch,"
        " html_url, team.account_id AS team, hidden_at IS NULL AS shown FROM repository"
        " JOIN team ON team.id = repository.team_id ORDER BY repository_id"
    ),
    "repository_name": "SELECT repository_id, name FROM repository_name ORDER BY repository_id, name",
    "workflow_run": (
        "SELECT run_id, account_id FROM workflow_run JOIN team ON team.id = workflow_run.team_id ORDER BY run_id"
    ),
    "workflow_job": (
        "SELECT job_id, account_id FROM workflow_job JOIN team ON team.id = workflow_job.team_id ORDER BY job_id"
    ),
}


async def directory(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: [dict(row) for row in await database.fetch(sql)] for table, sql in STATE.items()}


async def check_on(database: Database, company: Company, arrived: list[Happened]) -> None:
    await clear(database)
    await tell_all(database, company.happened)
    expected = await directory(database)
    assert_known(expected["repository"], company)
    await clear(database)
    for together in arrived:
        await tell_together(database, together)
    assert await directory(database) == expected


def assert_known(rows: list[dict[str, Any]], company: Company) -> None:
    found = {row["repository_id"]: row for row in rows}
    for id, (account_id, full_name, archived, default_branch, private) in company.known().items():
        row = found[id]
        assert (row["account_id"], row["full_name"]) == (account_id, full_name)
        assert (bool(row["archived"]), bool(row["private"])) == (archived, private)
        assert row["default_branch"] in {None, default_branch}


@pytest.mark.timeout(300)
def test_every_order_ends_in_the_same_directory(quick_url: str) -> None:
    with asyncio.Runner() as runner:
        opened = connected(quick_url)
        database = runner.run(opened.__aenter__())

        @settings(calm, max_examples=EXAMPLES)
        @given(lives())
        def check(life: tuple[Company, list[Happened]]) -> None:
            runner.run(check_on(database, *life))

        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))
