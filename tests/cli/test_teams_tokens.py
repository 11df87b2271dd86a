"""`team` and `token`: whose record it is, and who may read it."""

import sqlite3

import pytest

from bot.access import Actor, Caller, create_token
from bot.access.audit import OPERATOR, list_audit
from bot.clock import Clock
from bot.store.database import Database
from bot.store.queries import get_scope, get_workflow_runs
from tests.cli.conftest import Command
from tests.cli.delivering import deliver, on, run_event


@pytest.fixture
def two_teams(record: str) -> str:
    """Give the URL of a record of two accounts, `octo-org` and `second`."""
    deliver(record, [run_event(), run_event("second/hello", 72)])
    return record


def _runs(url: str, team: str) -> list[int]:
    async def ask(_: Database) -> list[int]:
        return [run.run_id for run in (await get_workflow_runs(team)).runs]

    return on(url, ask)


def test_teams_are_listed_with_their_installations(command: Command, two_teams: str) -> None:
    lines = command("team", "list").out.splitlines()
    assert [line.split()[1] for line in lines] == ["octo-org", "second"]
    assert "octo-org:71 (active)" in lines[0]


def test_a_team_is_renamed_and_keeps_its_record(command: Command, two_teams: str) -> None:
    assert command("team", "rename", "OCTO-org", "Platform", "--name", "The platform").code == 0
    line = command("team", "list").out.splitlines()[0]
    assert ("platform" in line, "The platform" in line) == (True, True)
    assert _runs(two_teams, "platform") == [7100]
    # What comes later belongs to the renamed team.
    deliver(two_teams, [run_event(id=7101)])
    assert _runs(two_teams, "platform") == [7101, 7100]
    identifier = line.split()[0]
    assert command("team", "rename", identifier, "platform-2").code == 0
    assert _runs(two_teams, "platform-2") == [7101, 7100]


def test_a_slug_that_is_taken_or_none_is_refused(command: Command, sqlite_record: str) -> None:
    deliver(sqlite_record, [run_event(), run_event("second/hello", 72)])
    for slug in ("second", "SECOND", "with space", "", "-a", "a-", "ü", "a/b", "x" * 101, "a\n"):
        code, out, err = command("team", "rename", "--", "octo-org", slug)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert err.startswith("runledger: ")
    assert _runs(sqlite_record, "octo-org") == [7100]


def test_a_linked_installation_takes_its_record_along(command: Command, two_teams: str) -> None:
    assert command("team", "link", "--installation", "72", "--team", "octo-org").code == 0
    assert (_runs(two_teams, "octo-org"), _runs(two_teams, "second")) == ([7200, 7100], [])
    # So does whatever comes later, also of a repository that is new.
    deliver(two_teams, [run_event("second/hello", 72, id=7201)])
    assert _runs(two_teams, "octo-org") == [7201, 7200, 7100]
    code, out, err = command("team", "link", "--installation", "99", "--team", "octo-org")
    assert (code, out, err) == (1, "", "runledger: there is no installation 99\n")


def test_a_token_is_shown_once(command: Command, sqlite_record: str) -> None:
    deliver(sqlite_record, [run_event()])
    code, out, err = command("token", "create", "--team", "Octo-Org", "--name", "dashboard", "--expires", "30")
    token = out.strip()
    assert (code, out, token[:4]) == (0, f"{token}\n", "rlt_")
    assert token not in err
    listed = command("token", "list").out
    assert token not in listed
    assert all(word in listed for word in ("octo-org", "dashboard", "in force until", token[:12]))
    with sqlite3.connect(sqlite_record.removeprefix("sqlite://")) as database:
        assert token not in "\n".join(database.iterdump())
    database.close()


def test_tokens_are_revoked_by_id_name_or_themselves(command: Command, record: str) -> None:
    deliver(record, [run_event()])
    tokens = [command("token", "create", "--team", "octo-org", "--name", name).out.strip() for name in "aabc"]
    assert command("token", "revoke", "b").out == "revoked b of octo-org\n"
    assert command("token", "revoke", tokens[3]).code == 0
    code, _, err = command("token", "revoke", "a")
    assert (code, "several" in err) == (1, True)
    assert command("token", "revoke", "1").code == 0
    assert command("token", "revoke", "a").code == 0
    states = [line.split("  ", 4)[4].split()[0] for line in command("token", "list").out.splitlines()]
    assert states == ["revoked"] * 4
    code, _, err = command("token", "revoke", tokens[0])
    assert (code, tokens[0] in err, err.count("\n")) == (1, False, 1)


def test_tokens_of_one_team_are_listed(command: Command, two_teams: str) -> None:
    for team in ("octo-org", "second"):
        command("token", "create", "--team", team, "--name", f"of {team}")
    assert "of second" not in command("token", "list", "--team", "octo-org").out
    assert command("token", "list").out.count("\n") == 2


def test_the_list_tells_who_made_a_token(command: Command, record: str) -> None:
    deliver(record, [run_event()])
    command("token", "create", "--team", "octo-org", "--name", "of all")

    async def lend(database: Database) -> None:
        now = Clock().now()
        await database.execute("INSERT INTO person (user_id, login, created_at) VALUES (6, 'mona', ?)", now)
        team = (await get_scope("octo-org")).team_id
        mona = Caller(Actor("person", "mona", 6), "session 1", {team: frozenset()}, frozenset(), 6)
        await create_token("octo-org", "hers", now, 30, maker=mona)

    on(record, lend)
    lines = command("token", "list").out.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == ["of the operator", "of mona"]
    assert command("token", "revoke", "hers").out == "revoked hers of octo-org\n"

    async def noted(_: Database) -> list[tuple[str, str, str]]:
        notes = await list_audit(await get_scope("octo-org"), OPERATOR)
        return [(each.actor, each.action, each.subject) for each in notes]

    assert on(record, noted) == [
        ("operator", "token.revoked", "hers"),
        ("mona", "token.created", "hers"),
        ("operator", "token.created", "of all"),
    ]
