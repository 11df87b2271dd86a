"""Which team is meant, in one statement whatever there is, and lists of any length in a query."""

import pytest

from bot.store import queries
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, Scope
from bot.store.queries.conditions import MOST_PARAMETERS, Condition
from tests import builders as make
from tests.store.recording import record
from tests.web.witness import heard

MANY = 40_000


async def _add_team(database: Database, slug: str) -> int:
    sql = "INSERT INTO team (slug, name, created_at) VALUES (?, ?, CURRENT_TIMESTAMP) RETURNING id"
    (row,) = await database.fetch(sql, slug, slug)
    number: int = row["id"]
    return number


async def test_a_slug_of_digits_comes_before_the_id(database: Database) -> None:
    octo = await _add_team(database, "octo")
    named = await _add_team(database, str(octo))
    for team, expected in (
        ("octo", octo),
        ("OCTO", octo),
        (str(octo), named),
        (octo, named),
        (str(named), named),
        (f"0{octo}", octo),
    ):
        scope = await queries.find_scope(team)
        assert scope is not None, team
        assert scope.team_id == expected, team
    for team in ("0", "-1", "999", "9" * 5000, str(2**31), "x", "", "\u0661", "a\0"):
        assert await queries.find_scope(team) is None, team


@pytest.mark.parametrize("team", ["42", "43", "octo", "nix", "9" * 200])
async def test_each_is_asked_for_by_one_statement(database: Database, team: str) -> None:
    for slug in ("42", "octo"):
        await _add_team(database, slug)
    with heard() as statements:
        await queries.find_scope(team)
    assert len({sql for sql in statements if "FROM team" in sql}) == 1
    assert sum("FROM team" in sql for sql in statements) == 1


async def test_somebody_who_sees_very_many_repositories_is_shown_theirs(database: Database) -> None:
    for number in (7, MANY):
        repository = make.repository(f"octo-org/r{number}", number)
        whole = await record(
            database, repository, runs=[make.run(number * 100)], jobs=[make.job(number * 100, number * 100)]
        )
    for extent in (MOST_PARAMETERS, MOST_PARAMETERS + 1, MANY):
        seen = frozenset(range(MANY - extent + 1, MANY + 1))
        scope = Scope(whole.team_id, whole.slug, seen, seen)
        expected = {MANY} | ({7} if extent == MANY else set())
        listed = await queries.list_repositories(scope)
        assert {each.repository_id for each in listed.repositories} == expected
        runs = await queries.list_runs(scope, RunsQuery(team="octo-org"))
        assert {run.repository_id for run in runs.runs} == expected
        jobs = await queries.list_jobs(scope, JobsQuery(team="octo-org"))
        assert {job.job_id // 100 for job in jobs.jobs} == expected
        settings = await queries.list_repository_settings(scope)
        assert {each.repository_id for each in settings} == expected


@pytest.mark.parametrize("extent", [1, MOST_PARAMETERS, MOST_PARAMETERS + 1, MANY])
async def test_a_list_of_any_length_is_asked_for_and_left_out(database: Database, extent: int) -> None:
    for slug in ("octo", "other"):
        await _add_team(database, slug)
    (octo, other) = [row["id"] for row in await database.fetch("SELECT id FROM team ORDER BY slug")]
    values = [octo, *range(10_000, 10_000 + extent - 1)]
    for excluded, expected in ((False, octo), (True, other)):
        condition = Condition()
        condition.add_among("id", values, excluded=excluded)
        condition.add_among("id", [])
        assert condition.sql.endswith("FALSE")
        condition = Condition()
        condition.add("slug <> ?", "third")
        condition.add_among("id", values, excluded=excluded)
        found = await database.fetch(f"SELECT id FROM team WHERE {condition.sql}", *condition.parameters)
        assert [row["id"] for row in found] == [expected]
