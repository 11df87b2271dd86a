"""A runner that is lost to the same job again and again."""

from bot.demo.github.state.actions import WorkflowRun
from bot.domain.feedback.report import FailureClass
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import finish, push_to_main, start

AGAIN = "the runner was lost 2 times here: perhaps it runs out of memory"


async def lose(house: Harness, run: WorkflowRun) -> None:
    job, jobs = run.get_job("unit"), house.github.actions.jobs
    jobs.start(job)
    await house.passes(300)
    jobs.lose_runner(job)
    await finish(house, run)
    await house.settle()


async def lose_twice(house: Harness) -> None:
    await push_to_main(house, times=3)
    (run,) = start(house, house.stage.open())
    await lose(house, run)
    shown = house.shown()
    assert FailureClass.INFRA.value in shown.lower()
    assert AGAIN not in shown
    house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
    await lose(house, run)


async def test_a_runner_lost_twice_to_a_job_excuses_it_no_more(database: Database) -> None:
    async with harnessed(database) as house:
        await house.play(lose_twice)
        shown = house.shown()
    assert f"**New**: {AGAIN}" in shown
    assert "Infrastructure" not in shown.split(AGAIN)[-1]
