"""What of a report drifts: counts, as long as no word goes by them."""

import pytest
from msgspec.structs import replace

from bot.domain.feedback.drifting import without_drift
from bot.domain.feedback.report import Base, Cause, Evidence, FailedJob, FailureClass, Report
from bot.domain.feedback.words.evidence import verdict
from tests.domain.feedback.reports import BASE, failure, job, report, run


def told(failure_class: FailureClass, passed: int, of: int = 20, **said: bool) -> FailedJob:
    evidence = Evidence(Base("main", BASE, passed, of, fails_alike=False, **said))
    return FailedJob(job(), run(), failure(fingerprints=None), evidence, failure_class)


def drifted(failed: FailedJob) -> Report:
    return without_drift(replace(report(), causes=(Cause(failed.failure_class, (failed,)),)))


@pytest.mark.parametrize("failure_class", [FailureClass.NEW, FailureClass.NO_BASE])
def test_what_words_go_by_is_kept(failure_class: FailureClass) -> None:
    all_passed, some, none, silent = (told(failure_class, *each) for each in ((20, 20), (7, 20), (0, 20), (0, 0)))
    words = [verdict(each, "main").partition(" (")[0] for each in (all_passed, some, none, silent)]
    kept = [
        verdict(drifted(each).causes[0].first, "main").partition(" (")[0] for each in (all_passed, some, none, silent)
    ]
    if failure_class is FailureClass.NEW:
        assert kept == words
    assert [drifted(each) == drifted(all_passed) for each in (some, none, silent)] == [False] * 3
    assert drifted(told(failure_class, 19, 19)) == drifted(all_passed)
    assert drifted(told(failure_class, 1, 3)) == drifted(some)
    assert drifted(told(failure_class, 7, is_unclear=True)) != drifted(some)


@pytest.mark.parametrize("failure_class", [FailureClass.BASE, FailureClass.FLAKY, FailureClass.PENDING])
def test_where_words_only_tell_them_counts_drift(failure_class: FailureClass) -> None:
    assert drifted(told(failure_class, 20)) == drifted(told(failure_class, 0)) == drifted(told(failure_class, 3, 4))
    assert drifted(told(failure_class, 0, 0)) != drifted(told(failure_class, 0))
