"""From failed jobs to causes, whatever order they come in."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.feedback.grouping import grouped
from bot.domain.feedback.report import Evidence, FailedJob, Failure, FailureClass
from tests.domain.feedback.reports import failure, job, run


def failed(
    job_id: int,
    name: str = "test",
    fingerprint: str | None = "a",
    failure_class: FailureClass = FailureClass.NEW,
    *,
    workflow: str = "CI",
    step: str | None = "Run pytest",
    **said: Any,
) -> FailedJob:
    """A failed job; without a fingerprint nobody has looked into it."""
    told: Failure | None = None if fingerprint is None else failure(fingerprint=fingerprint, **said)
    return FailedJob(job(job_id, name, step=step), run(name=workflow), told, Evidence(), failure_class)


def ids(causes: Any) -> list[list[int]]:
    return [[each.job.job_id for each in cause.jobs] for cause in causes]


def test_the_same_failure_is_one_cause_and_another_class_is_another() -> None:
    jobs = [
        failed(1, "test (3.10)"),
        failed(2, "test (3.9)"),
        failed(3, "lint", "b"),
        failed(4, "test (3.11)", failure_class=FailureClass.BASE),
    ]
    assert ids(grouped(jobs)) == [[2, 1], [3], [4]]


def test_unknown_failures_are_one_where_job_and_step_are() -> None:
    jobs = [
        failed(1, "test (1)", None, FailureClass.PENDING),
        failed(2, "test (2)", None, FailureClass.PENDING),
        failed(3, "test (3)", None, FailureClass.PENDING, step="Run lint"),
        failed(4, "docs", None, FailureClass.PENDING),
    ]
    assert ids(grouped(jobs)) == [[1, 2], [4], [3]]


def test_what_blames_comes_first_then_what_says_something_then_the_most() -> None:
    jobs = [
        failed(1, "a", "infra", FailureClass.INFRA),
        failed(2, "a", "flaky", FailureClass.FLAKY),
        failed(3, "a", "base", FailureClass.BASE),
        failed(4, "a", None, FailureClass.PENDING),
        failed(5, "a", "nowhere", FailureClass.NO_BASE),
        failed(6, "z", "generic", is_generic=True),
        failed(7, "z", "generic", is_generic=True),
        failed(8, "a", "one"),
        failed(9, "z", "two"),
        failed(10, "z", "two"),
    ]
    assert ids(grouped(jobs)) == [[9, 10], [8], [6, 7], [5], [4], [3], [2], [1]]


def test_who_has_something_to_show_speaks_for_all() -> None:
    jobs = [failed(1, "test (1)", lines=()), failed(2, "test (2)")]
    assert ids(grouped(jobs)) == [[2, 1]]


def test_numbers_in_names_are_ordered_as_numbers_however_long() -> None:
    names = ["x 9", "x 10", "x 010", f"x {'1' * 5000}", "x", "y"]
    jobs = [failed(number, name) for number, name in enumerate(names)]
    assert ids(grouped(jobs)) == [[4, 0, 2, 1, 3, 5]]


_FAILED = st.builds(
    failed,
    st.just(0),
    st.sampled_from(["test", "test (1)", "test (10)", "lint"]) | st.text(max_size=5),
    st.none() | st.sampled_from("abc"),
    st.sampled_from(FailureClass),
    workflow=st.sampled_from(["CI", "Docs"]),
    step=st.none() | st.sampled_from(["s", "t"]),
    is_generic=st.booleans(),
    lines=st.sampled_from([(), ("x",)]),
)


@st.composite
def _jobs(draw: st.DrawFn) -> list[FailedJob]:
    made = draw(st.lists(_FAILED, max_size=8))
    return [replace(each, job=replace(each.job, job_id=number)) for number, each in enumerate(made)]


@given(_jobs(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_makes_no_difference_and_nothing_is_lost(jobs: list[FailedJob], random: Any) -> None:
    causes = grouped(jobs)
    shuffled = list(jobs)
    random.shuffle(shuffled)
    assert grouped(shuffled) == causes
    assert sorted(itertools.chain(*ids(causes))) == list(range(len(jobs)))
    assert all(each.failure_class is cause.failure_class for cause in causes for each in cause.jobs)
    excused = [cause.failure_class.is_excused for cause in causes]
    assert excused == sorted(excused)
