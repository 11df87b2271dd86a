"""The stories that make a demo believable."""

from collections import Counter
from datetime import timedelta
from itertools import islice, pairwise

import pytest

from bot.clock import Clock, ManualClock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.activity import STORIES, TOUR, activity, endless
from bot.demo.github.company import found
from bot.demo.github.plays import LONGEST_STORY, Moment
from tests.demo.conformance import told
from tests.demo.stage import Receiver


async def play(seed: int, *stories: str) -> tuple[SimulatedGitHub, list[Moment]]:
    github = SimulatedGitHub(ManualClock(), seed=seed)
    company = found(github)
    github.installations.install(company.organization)
    return github, [moment async for moment in activity(github, company, stories)]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_story_ends_told_and_with_nothing_left_open(story: str, seed: int) -> None:
    github, moments = await play(seed, story)
    assert moments[-1].kind == "story"
    assert {moment.story for moment in moments} == {story}
    assert all(before.at <= after.at for before, after in pairwise(moments))
    assert moments[-1].at - moments[0].at < LONGEST_STORY
    assert {run["status"] for run in github.truth()["runs"]} == {"completed"}
    assert {job["status"] for job in github.truth()["jobs"]} == {"completed"}


async def test_the_tour_shows_every_kind_of_end() -> None:
    github, moments = await play(1, *TOUR)
    truth = github.truth()
    assert {run["conclusion"] for run in truth["runs"]} == {"success", "failure", "cancelled"}
    assert {job["conclusion"] for job in truth["jobs"]} == {"success", "failure", "cancelled", "skipped"}
    assert {run["event"] for run in truth["runs"]} == {"push", "pull_request"}
    assert max(run["run_attempt"] for run in truth["runs"]) == 2
    assert any(
        pull["repository"].split("/")[0] != pull["head_repository"].split("/")[0] for pull in truth["pull_requests"]
    )
    assert Counter(moment.kind for moment in moments)["story"] == len(TOUR)
    (fork,) = [moment for moment in moments if moment.story == "fork" and moment.kind == "story"]
    assert fork.text.endswith("(fork): CI failed, re-run passed")
    assert fork.pull is not None
    assert fork.pull.from_fork


async def test_stories_are_spread_over_the_time_asked_for() -> None:
    github = SimulatedGitHub(ManualClock())
    company = found(github)
    stories = list(islice(endless(1), 30))
    told_at = [moment.at async for moment in activity(github, company, stories, over=timedelta(days=20))]
    now = github.clock.now()
    assert timedelta(days=19) < now - min(told_at) < timedelta(days=20)
    assert timedelta(0) < now - max(told_at) < LONGEST_STORY
    assert github.deliveries == []
    assert github.counts()["runs"] > 60


async def test_what_is_delivered_is_never_older_than_what_it_tells() -> None:
    github, _ = await play(2, *TOUR)
    for one in github.deliveries:
        run = told(one).get("workflow_run")
        assert run is None or run["updated_at"] <= one.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_with_a_speed_the_clocks_time_passes() -> None:
    class Patient(Clock):
        def __init__(self) -> None:
            self.manual = ManualClock()
            self.now = self.manual.now  # type: ignore[method-assign]

        async def sleep(self, seconds: float) -> None:
            await self.manual.advance(seconds)

    clock = Patient()
    github = SimulatedGitHub(clock)
    company = found(github)
    github.installations.install(company.organization)
    begun = clock.now()
    moments = [moment async for moment in activity(github, company, ["green"], speed=1)]
    assert clock.now() - begun > timedelta(minutes=2)
    assert moments[-1].at == clock.now().replace(microsecond=0)
    made = [one.made_at for one in github.deliveries]
    assert made[-1] - made[0] > timedelta(minutes=2)


async def test_an_endless_activity_reaches_a_receiver(receiver: Receiver) -> None:
    async with SimulatedGitHub(Clock(), seed=9, webhook_url=receiver.url) as github:
        company = found(github)
        installation = github.installations.install(company.organization)
        stories = 0
        async for moment in activity(github, company):
            stories += moment.kind == "story"
            if stories == 4:
                break
        await github.settle()
        assert sorted(receiver.guids) == sorted(one.guid for one in github.deliveries)
        counts = github.counts(installation)
        assert counts["deliveries_succeeded"] == counts["deliveries_made"] > counts["jobs"] > counts["runs"] > 4
