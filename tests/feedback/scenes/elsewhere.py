"""Failures of which others tell more: the base branch, a re-run, other pull requests."""

from bot.demo.github.plays import fails_in
from bot.demo.github.state import causes
from tests.feedback.harness import Harness
from tests.feedback.moves import RESUMES, finish, push_to_main, start


async def broken_base(house: Harness) -> None:
    """The base branch fails in the same way."""
    await push_to_main(house, times=2)
    await push_to_main(house, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    await finish(house, *start(house, house.stage.open()), failing=fails_in("unit", cause=RESUMES))


async def broken_base_and_more(house: Harness) -> None:
    """The base branch fails in one way, and the pull request in that and in another."""
    await push_to_main(house, times=2)
    await push_to_main(house, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    why = {"unit": RESUMES, "lint": causes.ruff()}
    await finish(house, *start(house, house.stage.open()), failing=lambda job: why.get(job.name))


async def flaky_after_rerun(house: Harness) -> None:
    """A job fails, and passes when it is run again."""
    await push_to_main(house)
    (run,) = start(house, house.stage.open())
    await finish(house, run, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
    await finish(house, run)


async def flaky_elsewhere(house: Harness) -> None:
    """Two others' pull requests fail in the same way as a third's."""
    await push_to_main(house)
    for login in ("hubot", "octo", "mona"):
        pull = house.github.pulls.open(
            house.stage.repository, f"A change of {login}", house.people[login], branch=f"topic-of-{login}"
        )
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        await house.settle()
