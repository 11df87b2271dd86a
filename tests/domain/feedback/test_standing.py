"""Which runs and jobs of a commit count, how many there are, and what they come to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.feedback.report import (
    NO_LOG,
    Base,
    Cause,
    Conclusion,
    Counts,
    Evidence,
    FailedJob,
    Failure,
    FailureClass,
    Job,
    Run,
    Source,
)
from bot.domain.feedback.standing import (
    allowed_to_fail,
    conclude,
    count_jobs,
    current_jobs,
    current_runs,
    flaky_attempts,
    going_on,
    is_settled,
    runs_without_jobs,
)
from tests.domain.feedback.reports import failure

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def run(id: int = 1, conclusion: str | None = "success", status: str = "completed", **changes: object) -> Run:
    told = {
        "run_id": id,
        "attempt": 1,
        "workflow_id": 7,
        "workflow_name": "CI",
        "workflow_path": ".github/workflows/ci.yml",
        "event": "pull_request",
        "status": status,
        "conclusion": conclusion,
        "html_url": None,
        "head_branch": "topic",
        "began_at": NOON,
    }
    return Run(**(told | changes))  # type: ignore[arg-type]


def job(id: int = 1, conclusion: str | None = "success", name: str = "test", attempt: int = 1, run_id: int = 1) -> Job:
    return Job(
        job_id=id,
        run_id=run_id,
        attempt=attempt,
        name=name,
        status="completed" if conclusion is not None else "in_progress",
        conclusion=conclusion,
        html_url=None,
        started_at=NOON,
        completed_at=None if conclusion is None else NOON,
    )


def later(job: Job) -> Job:
    return replace(job, started_at=NOON + timedelta(minutes=5), completed_at=NOON + timedelta(minutes=6))


FAILED, GOING_ON = run(conclusion="failure"), run(conclusion=None, status="in_progress")


def cause(failure_class: FailureClass, said: Failure | None = None) -> Cause:
    return Cause(failure_class, (FailedJob(job(1, "failure"), run(), said, Evidence(), failure_class),))


AWAITED = cause(FailureClass.PENDING, failure(source=Source.STEP, kind=NO_LOG, is_generic=True, awaits_log=True))


def lasting(id: int, begin: float, end: float | None, conclusion: str | None = "success", **changes: object) -> Run:
    """A run of pull request 1 that was created and ended so many minutes past noon."""
    times = {
        "created_at": NOON + timedelta(minutes=begin),
        "ended_at": None if end is None else NOON + timedelta(minutes=end),
    }
    status = "in_progress" if end is None else "completed"
    conclusion = None if end is None else conclusion
    return run(id, conclusion, status, **({"pulls": (1,), "head_repository_id": 3} | times | changes))


FORMER = lasting(1, 0, 10, "failure")


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        # The branch was pushed back, or something was asked for once more.
        (FORMER, lasting(2, 11, 20), [2]),
        (FORMER, lasting(2, 11, None), [2]),
        (FORMER, lasting(2, 11, 20, "cancelled"), [2]),
        # They went on side by side.
        (FORMER, lasting(2, 0, 20), [1, 2]),
        (FORMER, lasting(2, 10, 20), [1, 2]),
        (lasting(1, 0, None), lasting(2, 11, 20), [1, 2]),
        # It was run again after the newer had begun.
        (lasting(1, 0, 30, "failure", attempt=2), lasting(2, 11, 20), [1, 2]),
        # What has nothing to do takes no place.
        (FORMER, lasting(2, 11, 12, "skipped"), [1, 2]),
        # The newer one cancels what is of its concurrency group.
        (lasting(1, 0, 12, "cancelled"), lasting(2, 11, 20), [2]),
        (lasting(1, 0, 12, "cancelled"), lasting(2, 11, 12, "skipped"), [1, 2]),
        # Something else ran, or it ran for something else.
        (FORMER, lasting(2, 11, 20, event="push"), [1, 2]),
        (FORMER, lasting(2, 11, 20, head_branch="x"), [1, 2]),
        (FORMER, lasting(2, 11, 20, head_repository_id=4), [1, 2]),
        (FORMER, lasting(2, 11, 20, workflow_id=8), [1, 2]),
        (FORMER, lasting(2, 11, 20, pulls=(2,)), [1, 2]),
        # Nobody can tell for which of two pull requests each ran.
        (lasting(1, 0, 10, pulls=(1, 2)), lasting(2, 11, 20, pulls=(1, 2)), [1, 2]),
        # A push is no pull request's alone.
        (lasting(1, 0, 10, event="push"), lasting(2, 11, 20, event="push", pulls=(1, 2)), [2]),
        # Of what is not known nothing follows.
        (FORMER, run(2, pulls=(1,), head_repository_id=3), [1, 2]),
    ],
)
def test_a_later_run_takes_the_place_of_one_that_had_ended(older: Run, newer: Run, expected: list[int]) -> None:
    assert [each.run_id for each in current_runs([older, newer])] == expected
    assert current_runs([newer, older]) == current_runs([older, newer])


def test_what_was_superseded_stays_so_by_whichever_run() -> None:
    runs = [FORMER, lasting(2, 11, 12, "skipped"), lasting(3, 13, 20)]
    assert [each.run_id for each in current_runs(runs)] == [3]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.one_of(st.none(), st.integers(1, 5)),
            st.sampled_from(["success", "failure", "cancelled", "skipped"]),
            st.sampled_from([(), (1,), (1, 2)]),
        ),
        max_size=6,
    )
)
def test_what_goes_on_and_the_newest_always_count(
    told: list[tuple[int, int | None, str, tuple[int, ...]]],
) -> None:
    runs = [
        lasting(id, begin, None if took is None else begin + took, conclusion, pulls=pulls)
        for id, (begin, took, conclusion, pulls) in enumerate(sorted(told, key=lambda each: each[0]))
    ]
    current = current_runs(runs)
    assert {each.run_id for each in runs if not each.is_done} <= {each.run_id for each in current}
    assert runs[-1:] == [each for each in current if each.run_id == len(runs) - 1]


@pytest.mark.parametrize(
    ("attempt", "jobs", "expected"),
    [
        (1, [job(1), job(2, "failure", "lint")], [2, 1]),
        # A re-run of the failed jobs: what passed still counts, what failed is about to be run again.
        (2, [job(1), job(2, "failure", "lint"), job(3, "cancelled", "docs")], [1]),
        (2, [job(1), job(2, "failure", "lint"), job(4, None, "lint", 2)], [4, 1]),
        # GitHub lists what it carries over anew.
        (2, [job(1), job(2, "failure", "lint"), job(4, "success", "lint", 2), job(5, "success", "test", 2)], [4, 5]),
        (2, [job(1, "skipped")], [1]),
        # Several may have one name.
        (1, [job(1, "failure"), job(2)], [1, 2]),
        (2, [job(1, "failure"), job(2), job(3, None, attempt=2)], [2, 3]),
        (2, [job(1, "failure"), job(2), job(3, "success", attempt=2), job(4, "failure", attempt=2)], [3, 4]),
        (2, [job(1, "failure"), job(2, "failure"), job(3), job(4, "failure", attempt=2)], [3, 4]),
        (2, [job(1), job(2, "failure"), job(3, attempt=2), job(4, attempt=2), job(5, attempt=2)], [3, 4, 5]),
    ],
)
def test_jobs_stand_as_their_newest_attempt_has_them(attempt: int, jobs: list[Job], expected: list[int]) -> None:
    assert [each.job_id for each in current_jobs(run(attempt=attempt), jobs)] == expected
    assert current_jobs(run(attempt=attempt), reversed(jobs)) == current_jobs(run(attempt=attempt), jobs)


def test_jobs_are_counted_by_how_they_stand() -> None:
    conclusions = ["success", "failure", "timed_out", "cancelled", "stale", "skipped", "neutral", None]
    counted = count_jobs([(job(number, each), FAILED) for number, each in enumerate(conclusions)])
    assert counted == Counts(total=8, passed=1, failed=2, cancelled=2, skipped=2, running=1, waiting=0)


@given(
    st.lists(st.sampled_from(["success", "failure", "cancelled", "skipped", "odd", None])),
    st.sampled_from([run(), FAILED, GOING_ON]),
)
def test_every_job_is_counted_once(conclusions: list[str | None], ended: Run) -> None:
    counts = count_jobs([(job(number, each), ended) for number, each in enumerate(conclusions)])
    parts = [getattr(counts, name) for name in counts.__struct_fields__ if name != "total"]
    assert counts.total == sum(parts) == len(conclusions)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([job(1, "failure"), job(2, "success", attempt=2)], {2: ((1, "failure"), (2, "success"))}),
        ([job(1, "failure"), job(2, "failure", attempt=2)], {}),
        ([job(1), job(2, attempt=2)], {}),
        ([job(1, "cancelled"), job(2, attempt=2)], {}),
        # It was carried over when something else was run again.
        ([job(1, "failure"), job(2, attempt=2), job(3, attempt=3)], {3: ((1, "failure"), (2, "success"))}),
        ([job(1, "failure"), job(2, None, attempt=2)], {}),
        # Another of the same name has passed.
        ([job(1, "failure"), job(2)], {}),
        ([job(1, "failure"), job(2), job(3, "failure", attempt=2), job(4, attempt=2)], {}),
        ([job(1, "failure"), job(2), later(job(3, attempt=2))], {3: ((1, "failure"), (2, "success"))}),
        ([job(1, "failure"), job(2), job(3, attempt=2), job(4, attempt=2)], {4: ((1, "failure"), (2, "success"))}),
    ],
)
def test_what_failed_and_passed_on_one_commit_is_flaky(
    jobs: list[Job], expected: dict[int, tuple[tuple[int, str], ...]]
) -> None:
    assert flaky_attempts(jobs) == expected


@pytest.mark.parametrize(
    ("conclusion", "jobs", "expected"),
    [
        ("startup_failure", [], True),
        ("failure", [], True),
        ("failure", [job(1)], True),
        ("failure", [job(1, "failure")], False),
        ("failure", [job(1, "failure"), job(2, "cancelled")], False),
        # Such as where a job that did not end was cancelled, and the one that failed is not known.
        ("failure", [job(1, "cancelled")], True),
        ("timed_out", [job(1, "cancelled")], True),
        ("timed_out", [job(1, "timed_out")], False),
        ("cancelled", [job(1, "cancelled")], False),
        ("cancelled", [job(1, "failure")], False),
        ("cancelled", [], True),
        ("success", [], False),
        ("action_required", [], False),
    ],
)
def test_a_run_may_end_badly_without_any_job(conclusion: str, jobs: list[Job], expected: bool) -> None:
    found = runs_without_jobs([run(conclusion=conclusion)], {1: jobs})
    assert [each.has_jobs for each in found] == [bool(jobs)] * expected


NEW, BASE, UNKNOWN = cause(FailureClass.NEW), cause(FailureClass.BASE), cause(FailureClass.NO_BASE)


@pytest.mark.parametrize(
    ("runs", "causes", "expected"),
    [
        ([], [], None),
        ([run()], [], Conclusion.SUCCESS),
        ([run(), run(2, None, "in_progress")], [NEW], None),
        ([run(conclusion="failure")], [NEW], Conclusion.FAILURE),
        ([run(conclusion="failure")], [BASE, UNKNOWN], Conclusion.FAILURE),
        ([run(conclusion="failure")], [cause(FailureClass.PENDING)], Conclusion.FAILURE),
        ([run(conclusion="failure")], [BASE], Conclusion.NEUTRAL),
        ([run(conclusion="failure")], [cause(FailureClass.FLAKY), cause(FailureClass.INFRA)], Conclusion.NEUTRAL),
        ([run(conclusion="failure"), run(2, "action_required")], [NEW], Conclusion.FAILURE),
        ([run(conclusion="cancelled"), run(2, "action_required")], [BASE], Conclusion.ACTION_REQUIRED),
        ([run(conclusion="cancelled")], [BASE], Conclusion.CANCELLED),
        ([run(conclusion="stale")], [], Conclusion.CANCELLED),
        ([run(conclusion="skipped"), run(2, "neutral")], [], Conclusion.SUCCESS),
    ],
)
def test_the_worst_decides(runs: list[Run], causes: list[Cause], expected: Conclusion | None) -> None:
    assert conclude(runs, [], causes, []) is expected


def test_a_run_that_failed_is_a_failure_though_of_its_jobs_one_was_cancelled_at_worst() -> None:
    cancelled = job(1, "cancelled")
    unexplained = runs_without_jobs([FAILED], {FAILED.run_id: [cancelled]})
    assert conclude([FAILED], [(cancelled, FAILED)], [], unexplained) is Conclusion.FAILURE


def test_a_log_that_is_awaited_is_waited_for_unless_something_else_decides() -> None:
    ended = [run(conclusion="failure"), run(2, "action_required")]
    assert conclude(ended, [], [AWAITED], []) is None
    assert conclude(ended, [], [AWAITED, BASE], []) is None
    assert conclude(ended, [], [AWAITED, NEW], []) is Conclusion.FAILURE
    assert conclude(ended, [], [AWAITED, UNKNOWN], []) is Conclusion.FAILURE
    assert conclude(ended, [], [AWAITED], [run(3, "startup_failure")]) is Conclusion.FAILURE


def test_a_run_that_could_not_begin_is_a_failure() -> None:
    broken = run(conclusion="startup_failure")
    assert conclude([broken], [], [], [broken]) is Conclusion.FAILURE


def test_a_job_that_was_cancelled_alone_is_told() -> None:
    assert conclude([FAILED], [(job(1, "cancelled"), FAILED)], [], []) is Conclusion.CANCELLED


@pytest.mark.parametrize("conclusion", ["failure", "timed_out", "cancelled"])
def test_what_its_workflow_allows_to_fail_makes_no_difference(conclusion: str) -> None:
    allowed = [(job(1, conclusion), run()), (job(2), run())]
    assert count_jobs(allowed) == Counts(total=2, passed=1, tolerated=1)
    assert conclude([run()], allowed, [], []) is Conclusion.SUCCESS
    # As long as the run goes on nobody can tell.
    assert count_jobs([(job(1, conclusion), GOING_ON)]).tolerated == 0


@pytest.mark.parametrize(
    ("of", "base", "expected"),
    [
        (GOING_ON, Base("main", "abc", 0, 3, True, tolerates=True), True),
        (GOING_ON, Base("main", "abc", 0, 3, True), False),
        (GOING_ON, None, False),
        # Then it shows.
        (FAILED, Base("main", "abc", 0, 3, True, tolerates=True), False),
    ],
)
def test_what_the_base_tolerates_is_so_until_the_run_ends(of: Run, base: Base | None, expected: bool) -> None:
    failed = FailedJob(job(1, "failure"), of, None, Evidence(base=base), FailureClass.NEW)
    assert allowed_to_fail([failed]) == ({1} if expected else set())
    assert count_jobs([(failed.job, of)], allowed_to_fail([failed])).tolerated == expected


def test_what_the_base_tolerates_stays_so_where_another_job_made_the_run_fail() -> None:
    tolerated = Evidence(base=Base("main", "abc", 0, 3, True, tolerates=True))
    one, two = (FailedJob(job(id, "failure"), FAILED, None, tolerated, FailureClass.NEW) for id in (1, 2))
    other = FailedJob(job(3, "failure"), FAILED, None, Evidence(), FailureClass.NEW)
    elsewhere = replace(other, run=run(9, "failure"))
    assert allowed_to_fail([one, two, other]) == {1, 2}
    assert allowed_to_fail([one, two, elsewhere]) == set()


@pytest.mark.parametrize(
    ("event", "titles", "expected"),
    [
        ("workflow_dispatch", ("Deploy a", "Deploy b"), [1, 2]),
        ("workflow_dispatch", ("Deploy", "Deploy"), [2]),
        ("repository_dispatch", ("a", "b"), [1, 2]),
        ("schedule", ("a", "b"), [1, 2]),
        ("push", ("a", "b"), [2]),
    ],
)
def test_what_is_asked_for_with_other_words_does_not_take_the_place(
    event: str, titles: tuple[str, str], expected: list[int]
) -> None:
    older = run(1, "failure", event=event, title=titles[0], created_at=NOON, ended_at=NOON + timedelta(minutes=1))
    newer = run(2, event=event, title=titles[1], created_at=NOON + timedelta(minutes=5))
    assert [each.run_id for each in current_runs([older, newer])] == expected


def test_a_run_that_is_gone_before_it_ended_has_not_passed() -> None:
    assert conclude([run(conclusion=None)], [], [], []) is Conclusion.CANCELLED


@pytest.mark.parametrize(
    ("ended", "jobs", "expected"),
    [
        (run(), [job(1)], True),
        (run(), [], True),
        (run(), [job(1, None)], False),
        (FAILED, [job(1), job(2, "failure")], True),
        # Something must have failed of which nothing was told.
        (FAILED, [job(1)], False),
        (FAILED, [], False),
        (run(conclusion="timed_out"), [job(1)], False),
        (run(conclusion="failure", are_jobs_listed=True), [], True),
        (run(conclusion="failure", are_jobs_listed=True), [job(1, None)], False),
        (run(conclusion="startup_failure"), [], True),
        (run(conclusion="cancelled"), [], True),
    ],
)
def test_the_end_of_a_run_is_believed_with_what_made_it_end(ended: Run, jobs: list[Job], expected: bool) -> None:
    assert is_settled(ended, jobs) is expected
    assert not going_on(ended).is_done
