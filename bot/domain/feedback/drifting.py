"""What of a report drifts by itself: evidence in counts, which moves on with every run of the base."""

from msgspec.structs import replace

from bot.domain.feedback.report import Base, Cause, Evidence, FailedJob, FailureClass, Flake, Report


def without_drift(report: Report) -> Report:
    """Return a report that is equal as long as nothing of it is judged otherwise.

    A text is worth writing anew when a failure gets another class or joins others, not because the base has one more
    run behind it: a comment would change on every open pull request whenever something ran there.
    """
    causes = tuple(Cause(each.failure_class, tuple(map(_settled, each.jobs))) for each in report.causes)
    return replace(report, causes=causes, flakes=tuple(map(_once, report.flakes)))


def _settled(failed: FailedJob) -> FailedJob:
    base, others = failed.evidence.base, failed.evidence.others
    # Whether there are any is told in words.
    same = None if base is None else _without_counts(base, failed.failure_class)
    evidence = Evidence(
        same,
        tuple(range(min(len(others), 2))),
        authors=min(failed.evidence.authors, 2),
        is_base_silent=failed.evidence.is_base_silent,
    )
    return replace(failed, evidence=evidence)


def _without_counts(base: Base, failure_class: FailureClass) -> Base:
    """Keep of the counts whether there are any, and where label or words go by that, if all, some or none passed."""
    of, passed = 2 * min(base.of, 1), 0
    if failure_class in {FailureClass.NEW, FailureClass.NO_BASE}:
        passed = of if base.passed == base.of else min(base.passed, 1)
    return Base(base.branch, "0" * 40, passed, of, base.fails_alike, is_unclear=base.is_unclear)


def _once(flake: Flake) -> Flake:
    return replace(flake, times=1)
