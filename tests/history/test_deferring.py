"""What GitHub refuses of one thing keeps nothing else of its repository waiting, and is told where it matters."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from bot.demo.github.rest import ServerError
from bot.demo.github.rest.faults import RestFault
from bot.demo.github.rest.ledger import Call
from bot.github import Client
from bot.github.errors import NotFound
from bot.history import deferring, shift
from bot.history.listing import list_page
from bot.history.refusals import MOST_REFUSALS, Refusals, Refused
from bot.history.tools import Tools
from bot.history.wanted import ask_for_jobs
from bot.store import models
from bot.store.database import to_moment
from tests.history.test_odd_answers import ask, begin, progress
from tests.history.test_refusals import LIST, PULLS
from tests.history.test_trouble import Poison
from tests.history.watch import Watch

JOBS = "actions/list-jobs-for-workflow-run"


async def is_refused(watch: Watch) -> bool:
    (row,) = await watch.database.fetch("SELECT refused_until FROM repository")
    until = to_moment(row["refused_until"])
    return until is not None and until > watch.clock.now()


async def test_a_forbidden_run_that_stands_still_keeps_no_backfill_waiting(watch: Watch) -> None:
    await begin(watch)
    watch.house.add_past(100, days=13)
    run = watch.start()
    await watch.hear()
    watch.github.rest.faults = Poison(f"/runs/{run.id}/", ServerError(403))
    await watch.clock.advance(16 * 60)
    asked = await ask(watch)
    await watch.watch(minutes=30)
    assert (await progress(asked)).state == "done"
    assert await watch.house.count("workflow_run") == 101


async def test_a_forbidden_run_gives_no_repository_up_whose_lists_are_answered(watch: Watch) -> None:
    await begin(watch)
    run = watch.start()
    await watch.hear()
    watch.github.rest.faults = Poison(f"/runs/{run.id}/", ServerError(403))
    for _ in range(30):
        await watch.watch(hours=1, every=timedelta(minutes=15))
        await watch.look_back_an_hour()
        assert not await is_refused(watch)


async def test_a_forbidden_run_that_somebody_asks_for_keeps_no_other_waiting(watch: Watch) -> None:
    await begin(watch)
    watch.house.add_past(60, days=80)
    await ask(watch)
    await watch.watch(hours=1)
    (oldest, *_) = await watch.database.fetch("SELECT run_id FROM workflow_run ORDER BY created_at")
    watch.github.rest.faults = Poison(f"/runs/{oldest['run_id']}/", ServerError(403))
    assert await ask_for_jobs(oldest["run_id"], watch.clock.now())
    await watch.watch(minutes=5)
    asked = await ask(watch)
    await watch.watch(hours=4)
    assert (await progress(asked)).state == "done"
    assert not await is_refused(watch)


async def test_a_forbidden_run_of_a_backfill_keeps_the_jobs_of_no_other_out(watch: Watch) -> None:
    await begin(watch)
    watch.lose()
    forbidden, *others = (watch.start(branch) for branch in ("bad", "good", "better"))
    watch.finish(forbidden, "unit")
    for run in others:
        watch.finish(run)
    asked = await ask(watch)
    watch.github.rest.faults = Poison(f"/runs/{forbidden.id}/", ServerError(403))
    await watch.watch(hours=4)
    assert [len(await watch.jobs(run)) > 0 for run in (forbidden, *others)] == [False, True, True]
    ended = await progress(asked)
    assert (ended.state, f"runs/{forbidden.id}" in str(ended.error)) == ("failed", True)
    assert not await is_refused(watch)


@pytest.mark.parametrize("runs", [4, 40])
async def test_a_backfill_of_which_all_looks_are_refused_has_failed(watch: Watch, runs: int) -> None:
    await begin(watch)
    watch.house.add_past(runs, days=6)
    asked = await ask(watch)
    watch.github.rest.faults = Poison("/jobs/", ServerError(403))
    before = watch.house.asked(JOBS)
    for _ in range(5):
        await watch.watch(hours=1)
        # Lists are answered all the while.
        await watch.look_back_an_hour()
    ended = await progress(asked)
    assert (ended.state, "GitHub forbids" in str(ended.error), ended.jobs_stored) == ("failed", True, 0)
    assert watch.house.asked(JOBS) - before <= min(6 * runs, 160)


# A list that GitHub cuts off is asked for in parts.
CUT = (
    "INSERT INTO backfill_window (backfill_id, installation_id, repository_id, what, urgency, since, until, page,"
    " due_at, tries) SELECT backfill_id, installation_id, repository_id, what, urgency, since, ?, page, due_at, tries"
    " FROM backfill_window WHERE what = 'runs'"
)


@dataclass
class ForbiddenFrom:
    """GitHub forbids any list of runs that begins on a day or after it."""

    since: str

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        created = parse_qs(call.query).get("created", [""])[0]
        return (ServerError(403),) if call.operation == LIST and created >= self.since else ()


async def test_a_forbidden_list_keeps_no_older_one_waiting(watch: Watch) -> None:
    await begin(watch)
    watch.house.add_past(60, days=80)
    # Nothing looks back every hour at what is archived.
    await watch.database.execute("UPDATE repository SET archived = ?", True)
    asked, half = await ask(watch), watch.clock.now() - timedelta(days=45)
    await watch.database.execute(CUT, half - timedelta(seconds=1))
    await watch.database.execute("UPDATE backfill_window SET since = ? WHERE what = 'runs' AND until > ?", half, half)
    watch.github.rest.faults = ForbiddenFrom(half.date().isoformat())
    await watch.watch(hours=5)
    assert (await progress(asked)).state == "failed"
    assert 10 < await watch.house.count("workflow_run") < 60
    assert not await is_refused(watch)


@pytest.mark.parametrize(("status", "times"), [(None, 0), (403, 1), (404, 1), (422, 1), (502, 20)])
async def test_runs_of_long_ago_find_pull_requests_that_are_listed_late(
    watch: Watch, status: int | None, times: int
) -> None:
    await begin(watch)
    watch.lose()
    pull = watch.stage.open("late")
    run = watch.github.actions.start_run_for(pull, watch.stage.workflow)
    watch.finish(run)
    watch.github.pulls.push(pull, "more")
    watch.github.pulls.close(pull, watch.stage.person)
    await watch.clock.advance(40 * 86_400)
    await watch.sync()
    await watch.house.catch_up()
    await ask(watch)
    if status is not None:
        watch.github.rest.scripted_faults.add(ServerError(status), operation=PULLS, times=times)
    await watch.watch(hours=3)
    links = await watch.database.fetch("SELECT number FROM run_pull_request WHERE run_id = ?", run.id)
    assert links == [{"number": pull.number}]


async def test_what_is_not_found_under_an_old_name_is_asked_for_under_the_new_one(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(watch)
    watch.github.repositories.rename(watch.stage.repository, "rocket-1")
    names: list[str] = []

    async def list_late(
        tools: Tools, client: Client, repository: models.Repository, window: models.BackfillWindow
    ) -> None:
        names.append(repository.full_name)
        if len(names) == 1:
            # The rename is told while GitHub is asked by the name from before.
            await watch.hear()
            raise NotFound("GitHub has nothing at GET /repos/acme/rocket")
        await list_page(tools, client, repository, window)

    monkeypatch.setattr(shift, "list_page", list_late)
    asked = await ask(watch)
    await watch.watch(minutes=10)
    assert names[0] == "acme/rocket"
    assert set(names[1:]) == {"acme/rocket-1"}
    assert (await progress(asked)).state == "done"
    assert not await is_refused(watch)


async def test_of_a_forbidden_repository_little_is_asked(watch: Watch) -> None:
    await begin(watch)
    watch.house.add_past(400, days=13)
    await ask(watch)
    watch.github.rest.faults = Poison("/jobs/", ServerError(403))
    before = watch.house.asked(JOBS)
    await watch.watch(hours=6)
    assert await is_refused(watch)
    assert watch.house.asked(JOBS) - before < 260


async def test_only_what_is_forbidden_waits_where_others_are_answered(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=deferring.__name__)
    await begin(watch)
    run = watch.start()
    await watch.hear()
    watch.github.rest.faults = Poison(f"/runs/{run.id}", ServerError(403))
    for _ in range(8):
        await watch.watch(minutes=20)
        await watch.look_back_an_hour()
    told = [record.getMessage().split(":")[0] for record in caplog.records]
    assert told.count("something is left for later") == MOST_REFUSALS
    assert told.count("a repository is left for later") == 1


async def test_what_is_in_sight_anew_is_not_given_up_for_what_was_refused_before(watch: Watch) -> None:
    await begin(watch)
    await ask(watch)
    watch.github.rest.scripted_faults.add(ServerError(403), operation=LIST, times=None)
    await watch.watch(hours=2)
    installations, repository = watch.github.installations, watch.stage.repository
    installations.remove_repositories(watch.stage.installation, [repository])
    await watch.hear()
    await watch.watch(hours=2)
    watch.github.rest.scripted_faults.clear()
    installations.add_repositories(watch.stage.installation, [repository])
    await watch.hear()
    watch.github.rest.scripted_faults.add(ServerError(403), operation=LIST, times=1)
    await watch.sync()
    await watch.watch(hours=1)
    assert not await is_refused(watch)
    assert await watch.house.count("backfill_window") == 0


def test_whatever_is_refused_again_and_again_is_given_up_however_much_is() -> None:
    refusals, now = Refusals(), datetime(2026, 11, 2, tzinfo=UTC)
    for _ in range(MOST_REFUSALS + 1):
        times = [refusals.count((kind, number), now) for number in range(6_000) for kind in Refused]
        now += timedelta(hours=3)
    assert set(times) == {MOST_REFUSALS}
