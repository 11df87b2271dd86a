"""What fails alike in others' pull requests: who counts, and what becomes of what was told before."""

from bot.demo.github.plays import fails_in
from bot.demo.github.state import causes
from bot.demo.github.state.causes import Cause
from bot.demo.github.state.checks import CheckRun
from bot.demo.github.state.repositories import PullRequest
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import GIVES_UP, RESUMES, finish, push_to_main, start
from tests.feedback.shown import newest_check

COMPILES_NOT = causes.rustc()
BOTH = {"unit": RESUMES, "lint": GIVES_UP}


async def fails(
    house: Harness,
    login: str,
    cause: Cause = COMPILES_NOT,
    *,
    title: str = "A change",
    base: str | None = None,
    draft: bool = False,
) -> PullRequest:
    """Open a pull request that fails."""
    number = len(house.github.world.pull_requests) + 1
    repository, person = house.stage.repository, house.people[login]
    pull = house.github.pulls.open(repository, title, person, branch=f"topic-{number}", base_ref=base, draft=draft)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=cause))
    await house.settle()
    return pull


def check(house: Harness, pull: PullRequest) -> CheckRun:
    found = newest_check(house.github, pull.repository, pull.head.sha)
    assert found is not None
    return found


def comments(house: Harness, pull: PullRequest) -> list[str]:
    """Return what our comments say, without the marker."""
    ours = (one.body for one in house.github.comments.of(pull) if one.app is house.github.app)
    return [body.split("\n", 1)[1] for body in ours]


async def test_a_compile_error_of_two_others_is_likely_flaky(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house, times=2)
        house.github.repositories.push(house.stage.repository, "Cut the release", house.people["hubot"], "release")
        await fails(house, "octo", draft=True)
        await fails(house, "hubot", base="release")
        pull = await fails(house, "mona")
        assert (check(house, pull).conclusion, comments(house, pull)) == ("neutral", [])
        assert check(house, pull).title == "No new failures: 1 job failed as in other pull requests"
        assert "**Likely flaky**: also failed in 2 other pull requests here in 14 days; on `main`" in house.shown()


async def test_one_other_author_does_not_suffice(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house, times=2)
        await fails(house, "hubot")
        await fails(house, "hubot")
        await fails(house, "octo", title='Revert "A change"')
        await fails(house, "mona")
        pull = await fails(house, "mona")
        assert check(house, pull).conclusion == "failure"
        (comment,) = comments(house, pull)
        assert "**New**: passes on `main`" in comment
        assert "also failed in 2 other pull requests here in 14 days, all of one author" in comment


async def test_what_says_nothing_is_not_told_to_be_the_same(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house, times=2)
        says_nothing = Cause("", ("Some words.",), "./run")
        pulls = [await fails(house, login, says_nothing) for login in ("octo", "hubot", "mona")]
        assert [check(house, pull).conclusion for pull in pulls] == ["failure"] * 3
        assert "other pull request" not in house.shown()


async def test_the_newest_counts_are_told_with_whatever_else_is(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house, times=2)
        workflow = house.stage.workflow
        pull = await fails(house, "mona", RESUMES)
        for _ in range(2):
            await fails(house, "hubot", RESUMES)
        assert "also failed in 2 other pull requests here in 14 days, all of one author" in comments(house, pull)[0]
        written = house.writes()[pull.number]
        for _ in range(2):
            await fails(house, "hubot", RESUMES)
        # A count that grows is no reason to write.
        assert house.writes()[pull.number] == written
        await finish(house, *start(house, pull, workflow), failing=lambda job: BOTH.get(job.name))
        await house.settle()
        assert "also failed in 4 other pull requests here in 14 days" in comments(house, pull)[0]
        assert "also failed in 4 other pull requests here in 14 days" in (check(house, pull).summary or "")


async def test_what_others_excuse_later_is_told_at_once_and_once(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house, times=2)
        pull = await fails(house, "mona", RESUMES)
        await fails(house, "hubot", RESUMES)
        assert check(house, pull).conclusion == "failure"
        await fails(house, "octo", RESUMES)
        assert check(house, pull).conclusion == "neutral"
        assert comments(house, pull)[0].startswith("✅ No new failures at")
        written = house.writes()[pull.number]
        for login in ("hubot", "octo", "kestrel"):
            await fails(house, login, RESUMES)
        assert house.writes()[pull.number] == written
        assert house.github.rest.journal.unchanged() == []
