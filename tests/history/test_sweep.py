"""Sweep and look back: whatever GitHub never told ends in the record all the same, and costs few requests."""

from datetime import timedelta

import pytest

from bot.demo.github import Fail
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.ledger import Call
from bot.domain.wanting import JOBS_SPAN
from tests.history.watch import JOBS, LIST, RUN, Watch

QUARTER = timedelta(minutes=15)


async def test_a_run_whose_end_was_never_told(watch: Watch) -> None:
    run = watch.start()
    watch.lose("workflow_run", "completed")
    watch.finish(run)
    await watch.hear()
    await watch.watch(minutes=10)
    assert watch.asked_about(run) == {}
    assert await watch.state(run) == ("in_progress", None)
    await watch.watch(minutes=5)
    assert watch.asked_about(run) == {RUN: 1, JOBS: 1}
    assert await watch.house.differences() == []
    await watch.watch(hours=2)
    assert watch.asked_about(run) == {RUN: 1, JOBS: 1}
    assert await watch.wanted() == []


async def test_a_job_whose_end_was_never_told(watch: Watch) -> None:
    run = watch.start()
    watch.finish_some(run, lambda job: job.name == "unit")
    watch.lose("workflow_job", "completed", times=1)
    watch.finish(run)
    await watch.hear()
    assert await watch.state(run) == ("completed", "success")
    assert await watch.unfinished_jobs() == ["lint"]
    await watch.watch(minutes=15)
    assert watch.asked_about(run) == {JOBS: 1}
    assert await watch.house.differences() == []
    await watch.watch(hours=2)
    assert watch.asked_about(run) == {JOBS: 1}


async def test_all_that_was_told_in_time_costs_nothing(watch: Watch) -> None:
    run = watch.start()
    await watch.hear()
    await watch.watch(minutes=10)
    watch.finish(run)
    await watch.hear()
    await watch.watch(hours=1)
    assert watch.asked_about(run) == {}


async def test_what_takes_hours_is_looked_at_ever_more_rarely(watch: Watch) -> None:
    run, begun = watch.start(), watch.clock.now()
    watch.finish_some(run, lambda job: job.name == "unit")
    await watch.hear()
    await watch.watch(hours=9, every=QUARTER)
    minutes = [(at - begun) / timedelta(minutes=1) for at in watch.asked_at(RUN, run)]
    # What is asked takes seconds, too.
    assert minutes == pytest.approx([15, 30, 60, 120, 240, 480], abs=10)
    watch.finish(run)
    await watch.hear()
    assert await watch.house.differences() == []
    await watch.watch(hours=8, every=QUARTER)
    # The last look finds that it has ended, and needs no more than its jobs for that.
    assert watch.asked_about(run) == {RUN: 6, JOBS: 7}
    assert await watch.wanted() == []


async def test_an_approval_gate_is_no_end(watch: Watch) -> None:
    run = watch.start(needs_approval=True)
    await watch.hear()
    await watch.watch(hours=4, every=QUARTER)
    assert await watch.state(run) == ("completed", "action_required")
    assert watch.asked_about(run) == {RUN: 5, JOBS: 5}
    watch.lose()
    watch.github.actions.approve_run(run, watch.stage.person)
    watch.finish(run)
    await watch.watch(hours=4, every=QUARTER)
    assert await watch.house.differences() == []
    assert await watch.wanted() == []


async def test_jobs_of_a_run_that_nothing_told_of(watch: Watch) -> None:
    watch.lose("workflow_run")
    run = watch.start()
    watch.finish(run)
    await watch.hear()
    assert await watch.house.differences() == [f"run {run.id} is not recorded"]
    await watch.look_back_an_hour()
    assert await watch.house.differences() == []


async def test_a_new_attempt_of_which_only_a_job_is_told(watch: Watch) -> None:
    run = watch.start()
    watch.finish(run, "unit")
    await watch.hear()
    watch.lose("workflow_run")
    watch.github.actions.rerun(run, watch.stage.person)
    await watch.hear()
    watch.lose()
    watch.finish(run)
    await watch.watch(minutes=20)
    assert await watch.house.differences() == []
    assert await watch.wanted() == []


# Gone


async def test_a_run_that_was_deleted(watch: Watch) -> None:
    run = watch.start()
    watch.finish_some(run, lambda job: job.name == "unit")
    await watch.hear()
    watch.lose()
    watch.finish(run)
    watch.github.actions.delete_run(run)
    await watch.watch(minutes=20)
    row = await watch.row(run)
    assert (row["status"], row["conclusion"]) == ("completed", None)
    assert row["gone_at"] is not None
    assert await watch.unfinished_jobs() == []
    # What had ended before stands as it was told.
    assert await watch.jobs(run) == {run.get_job("unit").id: "success", run.get_job("lint").id: None}
    asked = watch.asked_about(run)
    await watch.watch(hours=2)
    assert watch.asked_about(run) == asked
    assert await watch.wanted() == []


async def test_whoever_hears_late_of_a_deleted_run_still_learns_how_it_ended(watch: Watch) -> None:
    run = watch.start()
    watch.post.faults.add(Fail(), times=None)
    watch.finish(run, "lint")
    held_up = [one.guid for one in watch.github.deliveries if one.guid not in watch.post.posted]
    watch.deliver()
    watch.github.actions.delete_run(run)
    await watch.hear()
    await watch.watch(minutes=15)
    gone_at = (await watch.row(run))["gone_at"]
    assert await watch.state(run) == ("completed", None)
    for guid in held_up:
        watch.github.redeliver(guid)
    await watch.hear()
    row = await watch.row(run)
    assert (row["status"], row["conclusion"], row["gone_at"]) == ("completed", "failure", gone_at)
    assert await watch.jobs(run) == {job.id: job.conclusion for job in run.all_jobs()}


async def test_late_news_does_not_let_a_deleted_run_run_for_ever(watch: Watch) -> None:
    run = watch.start()
    await watch.hear()
    watch.post.faults.add(Fail(), times=None)
    watch.finish_some(run, lambda job: job.name == "unit")
    held_up = [one.guid for one in watch.github.deliveries if one.guid not in watch.post.posted]
    watch.deliver()
    watch.lose()
    watch.finish(run)
    watch.deliver()
    watch.github.actions.delete_run(run)
    await watch.watch(minutes=15)
    assert await watch.state(run) == ("completed", None)
    for guid in held_up:
        watch.github.redeliver(guid)
    await watch.hear()
    await watch.watch(minutes=30)
    assert await watch.state(run) == ("completed", None)
    assert await watch.unfinished_jobs() == []
    assert await watch.wanted() == []


async def test_a_run_of_the_past_that_is_deleted_before_its_jobs_were_asked_for(watch: Watch) -> None:
    watch.house.add_past(3, days=5)
    gone, *_ = watch.github.world.runs.every([watch.stage.repository.id])

    def delete(call: Call, _: Answer) -> None:
        if call.operation == LIST:
            watch.github.actions.delete_run(gone)

    watch.github.rest.on_answer = delete
    await watch.look_back_a_month()
    assert (await watch.row(gone))["gone_at"] is not None
    assert await watch.jobs(gone) == {}
    assert await watch.house.differences() == []
    assert await watch.wanted() == []


async def test_a_repository_that_vanished_leaves_no_run_marked_gone(watch: Watch) -> None:
    run = watch.start()
    await watch.hear()
    watch.lose()
    watch.github.repositories.delete(watch.stage.repository)
    await watch.watch(minutes=30)
    assert await watch.state(run) == ("queued", None)
    assert (await watch.row(run))["gone_at"] is None
    # GitHub is asked what the installation sees, and then nothing more of what it does not.
    await watch.sync()
    asked = watch.asked_about(run)
    await watch.watch(hours=1)
    assert watch.asked_about(run) == asked
    assert await watch.wanted() == []
    assert await watch.database.fetch("SELECT 1 FROM repository WHERE hidden_at IS NULL") == []


# Looking back


async def test_the_hourly_look_finds_what_no_event_told_of(watch: Watch) -> None:
    watch.lose()
    runs = [watch.start(f"topic-{number}") for number in range(3)]
    watch.finish(runs[0])
    watch.finish(runs[1], "unit")
    await watch.clock.advance(1800)
    assert await watch.look_back_an_hour() == 1
    assert await watch.house.differences() == [
        f"job {job.id} is not recorded" for job in sorted(runs[2].all_jobs(), key=lambda job: job.id)
    ]
    watch.finish(runs[2])
    await watch.watch(minutes=30)
    assert await watch.house.differences() == []


async def test_the_hourly_look_finds_jobs_that_no_event_told_of(watch: Watch) -> None:
    run = watch.start()
    watch.finish_some(run, lambda job: job.name == "unit")
    await watch.hear()
    # One fails, and the last one, which needs it, is skipped.
    watch.github.actions.jobs.start(run.get_job("lint"))
    watch.lose("workflow_job")
    watch.github.actions.jobs.complete(run.get_job("lint"), "failure")
    watch.deliver()
    assert [job.conclusion for job in run.all_jobs()] == ["success", "failure", "skipped"]
    await watch.hear()
    await watch.clock.advance(600)
    await watch.look_back_an_hour()
    assert await watch.house.differences() == []
    # And does not ask again for what it has.
    asked = watch.asked_about(run)
    await watch.look_back_an_hour()
    assert watch.asked_about(run) == asked


async def test_the_nightly_look_finds_that_an_old_run_ran_again(watch: Watch) -> None:
    watch.house.add_past(5, days=20)
    await watch.look_back_a_month()
    run, *_ = watch.github.world.runs.every([watch.stage.repository.id])
    assert watch.clock.now() - run.created_at > JOBS_SPAN
    assert await watch.jobs(run) == {}
    watch.lose()
    watch.finish(watch.github.actions.rerun(run, watch.stage.person).run, "unit")
    await watch.clock.advance(86400)
    await watch.look_back_an_hour()
    assert (await watch.row(run))["run_attempt"] == 1
    await watch.look_back_a_month()
    row = await watch.row(run)
    assert (row["run_attempt"], row["conclusion"]) == (2, "failure")
    # Its jobs, too, although it was created before the days of which all jobs are fetched.
    assert await watch.jobs(run) == {job.id: job.conclusion for job in run.all_jobs()}
