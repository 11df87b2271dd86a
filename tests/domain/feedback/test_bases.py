"""What may speak for a pull request: how base runs, their jobs and other people's pull requests count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.feedback.bases import (
    MOST_EXAMINED,
    BaseJob,
    BaseRun,
    base_for,
    comparison,
    is_revert,
    standing_of,
    tolerates,
    worth_a_look,
)
from bot.domain.feedback.report import Base
from tests.domain.feedback.reports import failure


def ran(run_id: int, jobs: dict[str, bool], *, own: bool = False, passed: bool = False) -> BaseRun:
    return BaseRun(run_id, f"sha{run_id}", own, passed, jobs)


FAILED, PASSED = {"test": True, "lint": False}, {"test": False}


def failing(*names: str, passed: bool = False) -> BaseRun:
    return BaseRun(1, "sha", False, passed, {}, frozenset(names))


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], False),
        ([failing(passed=True)], False),
        ([failing("test (3.15)", passed=True)], True),
        ([failing("test (3.15)", "fuzz", passed=True)], True),
        # Another leg of the matrix is not allowed to fail for that.
        ([failing("test (3.14)", passed=True)], False),
        ([failing("test (3.15)"), failing("test (3.15)", passed=True)], False),
        # It may have been the other that made the run fail.
        ([failing("test (3.15)", "lint"), failing("test (3.15)", passed=True)], True),
        ([failing(passed=True), failing("lint"), failing("test (3.15)", passed=True)], True),
    ],
)
def test_a_job_that_failed_where_its_run_passed_is_allowed_to(runs: list[BaseRun], expected: bool) -> None:
    assert tolerates(runs, "test (3.15)") is expected


@pytest.mark.parametrize(
    ("title", "head_ref", "expected"),
    [
        ('Revert "Add a cache"', "topic", True),
        ('Revert "Revert "Add a cache""', None, True),
        ("revert: feat: add a cache", "topic", True),
        ("Revert(cache): add", "topic", True),
        ("Add a cache", "revert-31-add-a-cache", True),
        ("Revert #12", "topic", True),
        ("Reverts #12", "topic", True),
        ("Revert the cache change (#12)", "topic", True),
        ('[release] Revert "Add a cache"', "topic", True),
        ("fix: reverted the cache", None, True),
        ("Reverting the cache", None, True),
        ("Add a cache", "mona/revert-31-add-a-cache", True),
        ("Add a cache", "Revert/add-a-cache", True),
        # What merely speaks of it can't be told apart, and excuses nothing either.
        ("Revert button", "topic", True),
        ("Do it irreversibly", "fix-revert-", False),
        ("Add a reverter", "do-revert-it", False),
        ("Add a cache", "revertible/cache", False),
        (None, None, False),
    ],
)
def test_reverts(title: str | None, head_ref: str | None, expected: bool) -> None:
    assert is_revert(title, head_ref) is expected


def stands(runs: list[BaseRun], said: dict[int, list[BaseJob]], fingerprint: str = "a") -> Base | None:
    standing = standing_of(runs, "test")
    compared = {(run_id, "test"): comparison(jobs) for run_id, jobs in said.items()}
    said_alike = failure(fingerprint=fingerprint)
    return None if standing is None else base_for("main", standing, "test", said_alike, compared)


def job(
    run_id: int, fingerprints: str | None, *, examined: bool = True, name: str = "test", whole: bool = True
) -> BaseJob:
    return BaseJob(1, run_id, 1, name, examined, frozenset(fingerprints or ()), whole)


@pytest.mark.parametrize(
    ("runs", "said", "expected"),
    [
        ([], {}, None),
        # A failed run whose jobs nobody knows tells nothing; one that passed tells that none failed.
        ([ran(1, {})], {}, None),
        ([ran(1, {}, passed=True)], {}, Base("main", "sha1", 1, 1, False)),
        ([ran(2, PASSED), ran(1, FAILED)], {}, Base("main", "sha2", 1, 2, False)),
        ([ran(2, FAILED), ran(1, PASSED)], {2: [job(2, "a")]}, Base("main", "sha2", 1, 2, True)),
        ([ran(2, FAILED), ran(1, PASSED)], {2: [job(2, "b")]}, Base("main", "sha2", 1, 2, False)),
        ([ran(2, FAILED)], {2: [job(2, "b"), job(2, None, examined=False)]}, Base("main", "sha2", 0, 1, None)),
        ([ran(2, FAILED)], {2: [job(2, "a"), job(2, None, examined=False)]}, Base("main", "sha2", 0, 1, True)),
        ([ran(2, FAILED)], {}, Base("main", "sha2", 0, 1, None)),
        # The newest run may have skipped the job, or there may have been none such.
        ([ran(3, {"lint": True}), ran(2, FAILED)], {2: [job(2, "a")]}, Base("main", "sha2", 0, 1, True)),
        ([ran(3, {"lint": True}), ran(2, {"lint": False})], {}, Base("main", "sha3", 0, 0, False)),
        # An older failure of the branch is none of the newest run's.
        ([ran(2, PASSED), ran(1, FAILED)], {1: [job(1, "a")]}, Base("main", "sha2", 1, 2, False)),
        # The pull request's own base speaks as well, and does not count among the branch's runs.
        (
            [ran(2, FAILED), ran(1, FAILED, own=True)],
            {1: [job(1, "a")], 2: [job(2, "b")]},
            Base("main", "sha1", 0, 1, True),
        ),
        (
            [ran(2, FAILED), ran(1, FAILED, own=True)],
            {1: [job(1, "b")], 2: [job(2, "b")]},
            Base("main", "sha2", 0, 1, False),
        ),
        ([ran(2, FAILED), ran(1, FAILED, own=True)], {2: [job(2, "b")]}, Base("main", "sha2", 0, 1, None)),
        # Also where the branch has been mended since.
        ([ran(2, PASSED), ran(1, FAILED, own=True)], {1: [job(1, "a")]}, Base("main", "sha1", 1, 1, True)),
        ([ran(1, FAILED, own=True)], {1: [job(1, "a")]}, Base("main", "sha1", 0, 1, True)),
    ],
)
def test_how_the_base_stands(runs: list[BaseRun], said: dict[int, list[BaseJob]], expected: Base | None) -> None:
    assert stands(runs, said) == expected


@pytest.mark.parametrize(
    ("runs", "said", "expected"),
    [
        # It failed there, and nobody knows of what, or of what else.
        ([ran(2, FAILED), ran(1, PASSED)], {2: [job(2, None, whole=False)]}, (None, True)),
        ([ran(2, FAILED)], {2: [job(2, "b", whole=False)]}, (None, True)),
        ([ran(2, FAILED)], {2: [job(2, "b"), job(2, None, whole=False)]}, (None, True)),
        # What is known of it suffices.
        ([ran(2, FAILED)], {2: [job(2, "ab", whole=False)]}, (True, False)),
        ([ran(2, FAILED), ran(1, FAILED, own=True)], {2: [job(2, None, whole=False)], 1: [job(1, "a")]}, (True, False)),
        ([ran(2, FAILED), ran(1, FAILED, own=True)], {2: [job(2, None, whole=False)], 1: [job(1, "b")]}, (None, True)),
        ([ran(2, PASSED), ran(1, FAILED, own=True)], {1: [job(1, None, whole=False)]}, (None, True)),
        # As long as a look may still tell that it excuses, it is awaited.
        ([ran(2, FAILED), ran(1, FAILED, own=True)], {2: [job(2, None, whole=False)]}, (None, False)),
    ],
)
def test_what_the_base_says_in_part_speaks_neither_for_nor_against(
    runs: list[BaseRun], said: dict[int, list[BaseJob]], expected: tuple[bool | None, bool]
) -> None:
    base = stands(runs, said)
    assert base is not None
    assert (base.fails_alike, base.is_unclear) == expected


@pytest.mark.parametrize("said", [failure(fingerprint="a", is_generic=True), None])
def test_without_a_failure_that_says_something_it_is_only_known_that_the_job_passed(said: None) -> None:
    compared = {(1, "test"): comparison([job(1, "a")])}
    for jobs, expected in ((FAILED, None), (PASSED, False)):
        standing = standing_of([ran(1, jobs)], "test")
        assert standing is not None
        assert base_for("main", standing, "test", said, compared).fails_alike is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (("a",), "ab", True),
        (("a", "b"), "ab", True),
        (("b", "a"), "ab", True),
        # What is the pull request's own is not excused by what stands beside it.
        (("a", "b"), "a", False),
        (("a", "b", "c"), "ab", False),
        (None, "ab", None),
    ],
)
def test_the_base_excuses_only_what_it_has_all_of(
    ours: tuple[str, ...] | None, theirs: str, expected: bool | None
) -> None:
    standing = standing_of([ran(1, FAILED)], "test")
    assert standing is not None
    said = failure(fingerprint="a", fingerprints=ours)
    together = {(1, "test"): comparison([job(1, theirs)])}
    assert base_for("main", standing, "test", said, together).fails_alike is expected
    # Attempts of the one job speak together.
    apart = {(1, "test"): comparison([job(1, each) for each in theirs])}
    assert base_for("main", standing, "test", said, apart).fails_alike is expected


def test_a_leg_of_a_matrix_speaks_for_its_namesake_alone() -> None:
    run = BaseRun(1, "sha1", False, False, {"test": True}, frozenset({"test (1)", "test (3)"}), frozenset({"test (2)"}))
    compared = {(1, "test"): comparison([job(1, "a", name="test (1)"), job(1, "b", name="test (3)")])}

    def alike(name: str) -> bool | None:
        standing = standing_of([run], name)
        assert standing is not None
        return base_for("main", standing, name, failure(fingerprint="a"), compared).fails_alike

    assert [alike(f"test ({leg})") for leg in range(1, 5)] == [True, False, False, True]


_JOBS = st.builds(BaseJob, st.integers(1, 10**6), st.just(1), st.integers(1, 3), st.sampled_from("abc"), st.booleans())


@given(st.lists(_JOBS, max_size=60, unique_by=lambda each: each.job_id), st.sets(st.sampled_from("ab"), min_size=1))
def test_few_are_worth_a_look_and_those_looked_into_stay(jobs: list[BaseJob], names: set[str]) -> None:
    worthy = worth_a_look(jobs, names)
    assert worthy.keys() == {each.name for each in jobs} & names
    for job, chosen in worthy.items():
        of_job = [each for each in jobs if each.name == job]
        assert {each.job_id for each in of_job if each.is_examined} <= {each.job_id for each in chosen}
        assert sum(not each.is_examined for each in chosen) <= MOST_EXAMINED
        assert worth_a_look(reversed(jobs), names)[job] == chosen


def test_only_the_same_leg_of_a_matrix_is_looked_into_if_it_failed() -> None:
    jobs = [BaseJob(number, 1, 1, f"test ({number})") for number in range(30)]
    assert [each.job_id for each in worth_a_look(jobs, {"test (23)", "test (29)"})["test"]] == [23, 29]
    chosen = worth_a_look(jobs, {"test (23)", "test (99)"})["test"]
    assert chosen[0].job_id == 23
    assert len(chosen) == MOST_EXAMINED
