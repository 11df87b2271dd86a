"""What of a report drifts by itself: evidence in counts, which moves on with every run of the base."""

from msgspec.structs import replace

from bot.domain.feedback.report import Base, Cause, Evidence, FailedJob, Flake, Report


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
    same = None if base is None else Base(base.branch, "0" * 40, 0, min(base.of, 1), base.fails_alike)
    evidence = Evidence(
        same,
        tuple(range(min(len(others), 2))),
        authors=min(failed.evidence.authors, 2),
        is_base_silent=failed.evidence.is_base_silent,
    )
    return replace(failed, evidence=evidence)


def _once(flake: Flake) -> Flake:
    return replace(flake, times=1)
